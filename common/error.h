/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_ERROR_H
#define COMMON_ERROR_H

/*
 * DOC: Errors in three zones
 *
 * 1. Functions return 0 on success and -errno on failure. A negative value is
 *    never swallowed: it is handled, reported or passed on.
 * 2. A function with outcomes that its caller must tell apart documents them as
 *    positive values of an enum of its own (STORE_E_DUPLICATE, ...).
 * 3. Text for people is in a struct error that the caller owns. error_set() makes it,
 *    error_wrap() prepends context on the way up. It needs no heap, so it may be used between
 *    clone3() and exec, where nothing may be allocated.
 *
 * Library code fills a struct error and returns; main() code logs it.
 */

#include <stdarg.h>
#include <stdbool.h>

#define ERROR_TEXT_MAX 1024
#define ERRNO_MAX 4095 /* the largest errno value that a system call of Linux may return */

/**
 * struct error - one failure, as text for people
 * @number: errno value, positive; 0 while nothing failed
 * @text:   sentence without a trailing newline
 */
struct error {
	int number;
	char text[ERROR_TEXT_MAX];
};

#define ERROR_INIT ((struct error){.number = 0, .text = ""})

/**
 * error_set() - record a failure
 * @error:  filled; may be NULL if the caller needs no text
 * @number: errno value (positive), appended as text by error_errno() only
 * @format: printf format of the sentence
 *
 * Return: -@number, so that a caller can `return error_set(...)`.
 */
int error_set(struct error *error, int number, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * error_errno() - record a failed system call: "@format: strerror(@number)"
 *
 * Return: -@number.
 */
int error_errno(struct error *error, int number, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * error_wrap() - prepend context to an error: "@format: old text"
 *
 * Return: -error->number (or -EIO for a NULL @error).
 */
int error_wrap(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
