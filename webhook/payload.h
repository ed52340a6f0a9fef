/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_PAYLOAD_H
#define WEBHOOK_PAYLOAD_H

/*
 * JSON of a verified sender, still with limits: whoever may push may also
 * influence what the forge writes. Nesting is at most PAYLOAD_DEPTH_MAX, and a
 * parse gets memory in proportion to its text ("[[],[],[]…" is 40 times its own
 * size as a tree), so memory stays bounded whatever the text is.
 */

#include "common/error.h"

#include <jansson.h>
#include <stddef.h>

#define PAYLOAD_DEPTH_MAX 64
#define PAYLOAD_TREE_FACTOR 16
#define PAYLOAD_TREE_MIN (1 * MIB)
#define PAYLOAD_TREE_MAX (192 * MIB)

/**
 * payload_init() - once, before the program locks itself in
 *
 * Puts the memory limit under jansson and seeds its hash tables, which would
 * otherwise open /dev/urandom when they are first used.
 */
void payload_init(void);

/**
 * payload_parse() - text to tree
 * @ret_root: payload_free() by the caller
 *
 * Return: 0, -EBADMSG (malformed; @error says where), -E2BIG (needs more than
 * its share of memory).
 */
int payload_parse(const char *text, size_t size, json_t **ret_root, struct error *error);

/** payload_free() - NULL is fine. A big tree's memory goes back to the system. Return: NULL. */
json_t *payload_free(json_t *root, size_t size);

/**
 * payload_from_form() - the JSON in "payload=" of a form body
 * @ret_text: malloc'ed, NUL-terminated after @ret_size bytes; caller frees
 *
 * Return: 0, -EBADMSG, -ENOMEM.
 */
int payload_from_form(const char *body, size_t size, char **ret_text, size_t *ret_size,
		      struct error *error);

/** payload_get() - value at a dotted path ("push.changes.0.new"), NULL if there is none */
const json_t *payload_get(const json_t *root, const char *path);
/** payload_string() - text at a dotted path, NULL if there is none or it is no text */
const char *payload_string(const json_t *root, const char *path);

#endif
