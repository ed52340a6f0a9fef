/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/log_note.h"

#include "common/limits.h"
#include "common/names.h"

#include <string.h>
#include <time.h>

/* The same format as that of the api for the times of lines. */
static void put_time(struct text_buffer *out, uint64_t at_usec)
{
	time_t seconds = (time_t)(at_usec / USEC_PER_SEC);
	char text[32] = "";
	struct tm parts;

	if (gmtime_r(&seconds, &parts))
		(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
	text_printf(out, "%s.%06uZ", text, (unsigned)(at_usec % USEC_PER_SEC));
}

void log_note_started(struct text_buffer *out, const char *prefix, uint64_t at_usec,
		      const char *container)
{
	char shown[512];

	if (at_usec == 0 || !*container)
		return;
	text_escape(shown, sizeof(shown), container);
	text_puts(out, prefix);
	put_time(out, at_usec);
	text_printf(out, " # container %s\n", shown);
}

void log_note_ended(struct text_buffer *out, const char *prefix, uint64_t at_usec,
		    const char *state, int exit_code, const char *reason)
{
	char shown[1024], code[1024] = "";

	if (at_usec == 0)
		return;
	text_escape(shown, sizeof(shown), reason);
	if (exit_code < 0 && strcmp(state, "succeeded") == 0)
		exit_code = 0;
	if (exit_code < 0 && strncmp(shown, "exit code ", 10) == 0)
		(void)snprintf(code, sizeof(code), "%s", shown); /* an event has only the reason */
	if (exit_code >= 0)
		(void)snprintf(code, sizeof(code), "exit code %d", exit_code);
	text_puts(out, prefix);
	put_time(out, at_usec);
	text_printf(out, " # %s%s%s", state, *code ? ", " : "", code);
	if (*shown && strcmp(shown, code) != 0)
		text_printf(out, ": %s", shown);
	text_puts(out, "\n");
}
