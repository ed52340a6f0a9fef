/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_TEXT_H
#define COMMON_TEXT_H

/*
 * DOC: Copying texts
 *
 * Names and paths that were cut would be other, valid ones: so copy a text whole, or fail.
 */

#include <errno.h>
#include <stddef.h>
#include <string.h>

/**
 * text_copy() - copy all of @text with its NUL, or nothing
 * @size: bytes at @out
 *
 * Return: 0; -ENAMETOOLONG if it does not fit.
 */
static inline int text_copy(char *out, size_t size, const char *text)
{
	size_t length = strlen(text);

	if (length >= size)
		return -ENAMETOOLONG;
	memcpy(out, text, length + 1);
	return 0;
}

#endif
