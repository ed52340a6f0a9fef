/* SPDX-License-Identifier: Apache-2.0 */
#include "common/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *error, int number, const char *format, ...)
{
	va_list args;

	if (!error)
		return -number;
	error->number = number;
	va_start(args, format);
	(void)vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return -number;
}

int error_errno(struct error *error, int number, const char *format, ...)
{
	va_list args;
	size_t used;

	if (!error)
		return -number;
	error->number = number;
	va_start(args, format);
	(void)vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	used = strlen(error->text);
	/* strerrordesc_np() neither allocates nor translates, so it is safe after clone3() */
	const char *description = strerrordesc_np(number);
	(void)snprintf(error->text + used, sizeof(error->text) - used, ": %s",
		       description ? description : "unknown error");
	return -number;
}

int error_wrap(struct error *error, const char *format, ...)
{
	char old[ERROR_TEXT_MAX];
	va_list args;
	size_t used;

	if (!error)
		return -EIO;
	memcpy(old, error->text, sizeof(old));
	va_start(args, format);
	(void)vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	used = strlen(error->text);
	(void)snprintf(error->text + used, sizeof(error->text) - used, ": %s", old);
	return -error->number;
}
