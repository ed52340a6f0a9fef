/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int cli_fail(int code, const struct error *error)
{
	(void)fflush(stdout);
	(void)fprintf(stderr, "runbookctl: %s\n", error->text);
	return code;
}

void cli_note(const char *format, ...)
{
	va_list list;

	(void)fflush(stdout);
	va_start(list, format);
	(void)fputs("runbookctl: ", stderr);
	(void)vfprintf(stderr, format, list);
	(void)fputc('\n', stderr);
	va_end(list);
}

int cli_usage(const char *command, const char *format, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list list;

	va_start(list, format);
	(void)vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	cli_note("%s (see \"runbookctl%s%s --help\")", text, *command ? " " : "", command);
	return CLI_USAGE;
}

int cli_run_id(const char *text, uint64_t *ret_run, struct error *error)
{
	const char *digits = text[0] == '#' ? text + 1 : text;
	uint64_t run = 0;

	if (*digits == '\0' || strlen(digits) > 18 ||
	    strspn(digits, "0123456789") != strlen(digits))
		return error_set(error, EINVAL,
				 "\"%s\" is not a run number (\"runbookctl runs\" lists them)",
				 text);
	for (; *digits; digits++)
		run = run * 10 + (uint64_t)(*digits - '0');
	*ret_run = run;
	return 0;
}
