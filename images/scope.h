/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGES_SCOPE_H
#define IMAGES_SCOPE_H

/*
 * DOC: Who may use an image
 *
 * What was pulled without credentials, or imported, is for every run. What a
 * registry gave to credentials is for those only who have them: with AuthFile=
 * in [Images] the runs of every project but those of forks, with AuthFile= of a
 * project its own runs. The scope stands beside the name, in scopes/<name>, and
 * names the id that it was given for: an old scope never speaks for a new image.
 *
 *   "ID forks"          everyone, runs of forks too
 *   "ID everyone"       every project, no forks
 *   "ID projects A B"   these projects, no forks
 */

#include "common/limits.h"
#include "images/store.h"

#include <stdbool.h>
#include <stddef.h>

/** struct scope - who may use what a name stands for */
struct scope {
	bool forks, everyone;
	char projects[IMAGE_SCOPE_MAX + 1]; /* with blanks between them */
};

/*
 * What a pull is done with: SCOPE_ANYONE without credentials, SCOPE_EVERYONE with those of
 * [Images], otherwise the name of a project: with its own. Neither is a name of a project.
 */
#define SCOPE_ANYONE ""
#define SCOPE_EVERYONE "*"

/** scope_parse() - @text as it stands in the file; @id: what the name stands for now.
 * Return: 0, -ESTALE for another id, -EBADMSG. */
int scope_parse(const char *text, const char *id, struct scope *ret_scope);
/** scope_format() - @out: IMAGE_SCOPE_MAX + IMAGE_ID_SIZE + 16 bytes */
void scope_format(const struct scope *scope, const char *id, char *out, size_t size);
/** scope_add() - also who has pulled it with @auth; the longest-standing projects make room */
void scope_add(struct scope *scope, const char *auth);

/** scope_read() - of @name, which stands for @id. Return: 0, -ENOENT (none was kept), -ESTALE. */
int scope_read(struct store *store, const char *name, const char *id, struct scope *ret_scope);
/**
 * scope_note() - @name is going to stand for @id, which was had with @auth; before the name itself
 * is written, so that no crash leaves it with a wider scope. Return: 0 or -errno.
 */
int scope_note(struct store *store, const char *name, const char *id, const char *auth);

/**
 * auth_covers() - has @auth, a containers-auth.json(5), an entry for @reference?
 *
 * What cannot be parsed covers everything: then an image counts as had with credentials.
 */
bool auth_covers(const char *auth, size_t size, const char *reference);

#endif
