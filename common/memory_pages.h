/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MEMORY_PAGES_H
#define COMMON_MEMORY_PAGES_H

/*
 * DOC: Objects with tables for thousands, of which a few are used
 *
 * calloc(3) may write zeros to all of an object, after which all of its pages exist. These are
 * pages of the object alone: one exists from its first use on.
 */

#include <stddef.h>

/** memory_pages_new() - @size bytes of zeros. Return: NULL without memory. */
void *memory_pages_new(size_t size);
/** memory_pages_free() - @size as it was made; NULL is fine */
void memory_pages_free(void *pages, size_t size);

#endif
