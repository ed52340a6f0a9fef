/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/answer.h"

#include "common/limits.h"
#include "common/names.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SENTENCE_MAX 1024

/*
 * Copy @text as the inside of a JSON string. text_escape() first turns control
 * characters and bad UTF-8 into \xNN, so only quotes and backslashes are left to
 * escape. A long text is cut: each step writes at most two bytes and the NUL.
 */
static void json_escape(char *out, size_t size, const char *text)
{
	char clean[2 * SENTENCE_MAX];
	size_t used = 0;

	text_escape(clean, sizeof(clean), text);
	for (const char *c = clean; *c && used + 3 <= size; c++) {
		if (*c == '"' || *c == '\\')
			out[used++] = '\\';
		out[used++] = *c;
	}
	out[used] = '\0';
}

static void answer_reset(struct answer *answer, unsigned status)
{
	answer->status = status;
	answer->retry_after_sec = 0;
	answer->allow = NULL;
	answer->close = false;
	answer->text[0] = '\0';
}

void answer_member(struct answer *answer, unsigned status, const char *name, const char *value)
{
	char escaped[2 * SENTENCE_MAX];

	json_escape(escaped, sizeof(escaped), value);
	answer_reset(answer, status);
	(void)snprintf(answer->text, sizeof(answer->text), "{\"%s\":\"%s\"}\n", name, escaped);
}

void answer_literal(struct answer *answer, unsigned status, const char *json)
{
	answer_reset(answer, status);
	(void)snprintf(answer->text, sizeof(answer->text), "%s\n", json);
}

void answer_error(struct answer *answer, unsigned status, const char *format, ...)
{
	char sentence[SENTENCE_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	answer_member(answer, status, "error", sentence);
}

void answer_ignored(struct answer *answer, const char *format, ...)
{
	char sentence[SENTENCE_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	answer_member(answer, 200, "ignored", sentence);
}

void answer_runs(struct answer *answer, const struct answer_run *runs, unsigned n_runs,
		 const char *url)
{
	char escaped[URL_MAX + 64];
	bool duplicate = true;
	size_t used;

	for (unsigned i = 0; i < n_runs; i++)
		duplicate = duplicate && runs[i].duplicate;
	json_escape(escaped, sizeof(escaped), url);
	answer_reset(answer, duplicate ? 200 : 202);
	used = (size_t)snprintf(answer->text, sizeof(answer->text),
				"{\"run\":%llu,\"url\":\"%s\"%s", (unsigned long long)runs[0].run,
				escaped, duplicate ? ",\"duplicate\":true" : "");
	for (unsigned i = 0; n_runs > 1 && i < n_runs && used + 64 < sizeof(answer->text); i++)
		used += (size_t)snprintf(answer->text + used, sizeof(answer->text) - used, "%s%llu",
					 i == 0 ? ",\"runs\":[" : ",",
					 (unsigned long long)runs[i].run);
	(void)snprintf(answer->text + used, sizeof(answer->text) - used, "%s}\n",
		       n_runs > 1 ? "]" : "");
}
