/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_PAYLOAD_H
#define WEBHOOK_PAYLOAD_H

/*
 * DOC: JSON payloads within limits
 *
 * delivery.c parses the JSON of verified senders only. It is limited all the same,
 * because anyone who may push to the repository can influence what the forge sends.
 * Nesting is at most PAYLOAD_DEPTH_MAX. The memory of a tree is limited in proportion
 * to its text, because the tree of "[[],[],[]…" is 40 times as large as the text.
 * Large texts are parsed one at a time.
 */

#include "common/error.h"

#include <jansson.h>
#include <stddef.h>

#define PAYLOAD_DEPTH_MAX 64
#define PAYLOAD_TREE_FACTOR 16
#define PAYLOAD_TREE_MIN (1 * MIB)
#define PAYLOAD_TREE_MAX (192 * MIB)

/**
 * payload_init() - call once, before the lock-down
 *
 * Puts the memory limit under jansson and seeds its hash tables, which would
 * otherwise open /dev/urandom when they are first used.
 */
void payload_init(void);

/**
 * payload_parse() - parse @text into a tree
 * @ret_root: to be freed with payload_free() and the same @size
 *
 * Return: 0, -EBADMSG (malformed; @error has the place), -E2BIG (the tree needs more
 * memory than its limit).
 */
int payload_parse(const char *text, size_t size, json_t **ret_root, struct error *error);

/** payload_free() - free a tree; @root may be NULL. Return: NULL. */
json_t *payload_free(json_t *root, size_t size);

/**
 * payload_from_form() - decode the field "payload" of a form body
 * @ret_text: malloc'ed, NUL-terminated after @ret_size bytes; caller frees
 *
 * Return: 0, -EBADMSG, -ENOMEM.
 */
int payload_from_form(const char *body, size_t size, char **ret_text, size_t *ret_size,
		      struct error *error);

/** payload_get() - the value at a dotted path ("push.changes.0.new"), or NULL */
const json_t *payload_get(const json_t *root, const char *path);
/** payload_string() - the string at a dotted path, or NULL; points into @root */
const char *payload_string(const json_t *root, const char *path);

#endif
