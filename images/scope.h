/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGES_SCOPE_H
#define IMAGES_SCOPE_H

/*
 * DOC: Who may use an image
 *
 * An image that was imported, or pulled without credentials, is for every run. An image that a
 * registry gave for credentials is only for runs that have these credentials: those of [Images]
 * AuthFile= belong to every project but not to forks, those of a project's AuthFile= to its own
 * runs. The scope of a name is a file, scopes/<name>, with the id that it was made for, so that an
 * old scope never applies to a new image.
 *
 *   "ID forks"          everyone, runs of forks too
 *   "ID everyone"       every project, no forks
 *   "ID projects A B"   these projects, no forks
 */

#include "common/limits.h"
#include "images/store.h"

#include <stdbool.h>
#include <stddef.h>

/** struct scope - the runs that may use the image of a name */
struct scope {
	bool forks, everyone;
	char projects[IMAGE_SCOPE_MAX + 1]; /* names, separated by blanks */
};

/*
 * Whose credentials a pull uses: SCOPE_ANYONE means none, SCOPE_EVERYONE those of [Images], and
 * every other text is the name of a project with its own. No project can have these two names.
 */
#define SCOPE_ANYONE ""
#define SCOPE_EVERYONE "*"

/** scope_parse() - parse the @text of a scope's file; @id: the image that the name has now.
 * Return: 0, -ESTALE when the scope is for another id, or -EBADMSG. */
int scope_parse(const char *text, const char *id, struct scope *ret_scope);
/** scope_format() - the reverse. @out: room for IMAGE_SCOPE_MAX + IMAGE_ID_SIZE + 16 bytes. */
void scope_format(const struct scope *scope, const char *id, char *out, size_t size);
/** scope_add() - admit the runs that have @auth; when the list is full, its oldest projects go */
void scope_add(struct scope *scope, const char *auth);

/** scope_read() - the scope of @name, which has @id. Return: 0, -ENOENT, or -ESTALE: unusable. */
int scope_read(struct store *store, const char *name, const char *id, struct scope *ret_scope);
/**
 * scope_note() - write the scope for @name with @id, which was pulled with @auth
 *
 * To be called before the name is written, so that no crash leaves the name with a wider scope.
 *
 * Return: 0 or -errno.
 */
int scope_note(struct store *store, const char *name, const char *id, const char *auth);

/**
 * auth_covers() - does @auth, a containers-auth.json(5), have an entry for @reference?
 *
 * An @auth that cannot be parsed covers every reference: the image then counts as pulled with
 * credentials.
 */
bool auth_covers(const char *auth, size_t size, const char *reference);

#endif
