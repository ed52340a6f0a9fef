/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_MASK_FORMS_H
#define DAEMON_MASK_FORMS_H

/*
 * DOC: Forms of a secret
 *
 * Programs do not only print a value as it is. The mask searches for these forms of each
 * value of at least MASK_VALUE_MIN bytes:
 *
 *   as text, line by line   the line without the blanks around it; URL-encoded as the usual
 *                           libraries do it, in upper and lower case, a space as %20 or +; as
 *                           it stands in a JSON string; as shells and others quote it
 *   base64 of the whole     in the three positions that a value can have among the groups of
 *                           three bytes, in the usual and in the URL alphabet, without the
 *                           characters at its ends that depend on its neighbours; and in lines
 *                           of 76 and 64 characters, as base64(1) and openssl(1) wrap it
 *
 * A line of a value that has several is only searched for when it has MASK_VALUE_MIN bytes
 * without the blanks around it: a line with "}" alone is not secret.
 */

#include <stddef.h>

#define MASK_VALUE_MIN 4

/** mask_form_fn - gets one form, valid during the call only. Return: 0, or -errno to stop. */
typedef int (*mask_form_fn)(void *userdata, const char *data, size_t size);

/**
 * mask_forms_each() - call @emit for every form of a value, MASK_VALUE_MIN bytes or more each
 *
 * The same form may come more than once. Return: 0, -ENOMEM, or what @emit returned.
 */
int mask_forms_each(const char *value, size_t size, mask_form_fn emit, void *userdata);

#endif
