/* SPDX-License-Identifier: Apache-2.0 */
#include "fetcher/fetch.h"

#include "common/cleanup.h"
#include "common/names.h"

#include <errno.h>
#include <git2.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* libgit2 keeps no errno, it puts its words at the end of its own. */
static bool says_full(const char *text)
{
	static const int full[] = {ENOSPC, EDQUOT};

	for (size_t i = 0; i < ARRAY_SIZE(full); i++)
		if (strstr(text, strerror(full[i])))
			return true;
	return false;
}

int fetch_fail(struct fetch_result *result, enum fetch_outcome outcome, const char *format, ...)
{
	va_list args;

	result->outcome = outcome;
	result->error.number = EINVAL;
	va_start(args, format);
	(void)vsnprintf(result->error.text, sizeof(result->error.text), format, args);
	va_end(args);
	/* "remote error" is what the other end says of itself */
	if (outcome == FETCH_UNREACHABLE && says_full(result->error.text) &&
	    !strstr(result->error.text, "remote error"))
		result->outcome = FETCH_NO_SPACE;
	return -EINVAL;
}

const char *git_words_of(int code)
{
	static const struct {
		int code;
		const char *words;
	} silent[] = {
		{GIT_ENOTFOUND, "something that it needs does not exist there"},
		{GIT_EAUTH, "the credential was refused"},
		{GIT_ECERTIFICATE, "the certificate is not trusted"},
		{GIT_EEOF, "the other end closed the connection"},
		{GIT_ELOCKED, "a file of the mirror is locked"},
		{GIT_EINVALIDSPEC, "a reference has a name that is not allowed"},
		{GIT_EUSER, "it was stopped at a limit"},
	};
	static char words[512];
	const git_error *last = git_error_last();

	text_first_line(words, sizeof(words), last && last->message ? last->message : "",
			last && last->message ? strlen(last->message) : 0);
	for (size_t i = 0; !*words && i < ARRAY_SIZE(silent); i++) {
		if (silent[i].code == code)
			return silent[i].words;
	}
	if (!*words)
		(void)snprintf(words, sizeof(words), "libgit2 failed with code %d and no message",
			       code);
	return words;
}

const char *git_words(void)
{
	return git_words_of(GIT_ERROR);
}

const char *git_fix(const char *otherwise)
{
	return says_full(git_words()) ? "make room on the disk of the state directory" : otherwise;
}

void fetch_result_clear(struct fetch_result *result)
{
	if (result->paths_known)
		(void)close(result->paths_fd);
	if (result->branches_known)
		(void)close(result->branches_fd);
	result->paths_known = result->branches_known = false;
}

const char *size_text(uint64_t bytes)
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
	static char buffers[4][32];
	static unsigned next;
	char *out = buffers[next++ % ARRAY_SIZE(buffers)];
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < ARRAY_SIZE(units)) {
		value /= 1024;
		unit++;
	}
	(void)snprintf(out, sizeof(buffers[0]), unit ? "%.4g %s" : "%.0f %s", value, units[unit]);
	return out;
}

/* Bytes of the character at @text that a line may have, 0 if there is none. */
static size_t printable_length(const char *text, size_t left)
{
	char character[5] = "";

	for (size_t n = 1; n <= 4 && n <= left && text[n - 1]; n++) {
		memcpy(character, text, n);
		character[n] = '\0';
		if (text_line_valid(character))
			return n;
	}
	return 0;
}

void text_first_line(char *out, size_t size, const char *text, size_t length)
{
	static const char replacement[] = "\xef\xbf\xbd";
	size_t used = 0;

	while (length > 0 && (*text == '\n' || *text == '\r' || *text == ' ' || *text == '\t')) {
		text++;
		length--;
	}
	while (length > 0 && *text != '\n' && *text != '\0') {
		size_t taken = printable_length(text, length);
		const char *source = taken ? text : replacement;
		size_t n = taken ? taken : sizeof(replacement) - 1;

		if (*text == '\t') {
			source = " ";
			n = 1;
		} else if (*text == '\r' && (length == 1 || text[1] == '\n')) {
			break;
		}
		if (used + n >= size)
			break;
		memcpy(out + used, source, n);
		used += n;
		text += taken ? taken : 1;
		length -= taken ? taken : 1;
	}
	while (used > 0 && out[used - 1] == ' ')
		used--;
	out[used] = '\0';
}
