/* SPDX-License-Identifier: Apache-2.0 */
#include "fetcher/fetch.h"

#include "common/cleanup.h"
#include "common/names.h"

#include <errno.h>
#include <git2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum fetch_outcome fetch_outcome_of(int number)
{
	return number == ENOSPC || number == EDQUOT ? FETCH_NO_SPACE : FETCH_UNREACHABLE;
}

__attribute__((format(printf, 3, 0))) static void
vfail(struct fetch_result *result, enum fetch_outcome outcome, const char *format, va_list args)
{
	result->outcome = outcome;
	result->error.number = EINVAL;
	(void)vsnprintf(result->error.text, sizeof(result->error.text), format, args);
}

static void text_append(struct fetch_result *result, const char *separator, const char *text)
{
	size_t length = strlen(result->error.text);

	(void)snprintf(result->error.text + length, sizeof(result->error.text) - length, "%s%s",
		       separator, text);
}

int fetch_fail(struct fetch_result *result, enum fetch_outcome outcome, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfail(result, outcome, format, args);
	va_end(args);
	return -EINVAL;
}

int fetch_fail_errno(struct fetch_result *result, int number, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfail(result, fetch_outcome_of(number), format, args);
	va_end(args);
	text_append(result, ": ", strerror(number));
	return -EINVAL;
}

int fetch_fail_git(struct fetch_result *result, int r, const char *fix, const char *format, ...)
{
	int number = r == -EIO ? git_errno() : -r;
	va_list args;

	va_start(args, format);
	vfail(result, fetch_outcome_of(number), format, args);
	va_end(args);
	text_append(result, ": ", r == -EIO ? git_words() : strerror(-r));
	if (fix)
		text_append(result, "; ", fetch_fix(number, fix));
	return -EINVAL;
}

/*
 * libgit2 keeps no errno. When a system call failed, the error's class is GIT_ERROR_OS and its
 * text ends with strerror(errno); errors that the remote reports have another class. This is the
 * only function that derives a number from the text.
 */
int git_errno(void)
{
	static const int numbers[] = {ENOSPC, EDQUOT};
	const git_error *last = git_error_last();
	size_t length = last && last->message ? strlen(last->message) : 0;

	if (length == 0 || last->klass != GIT_ERROR_OS)
		return EIO;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		const char *words = strerror(numbers[i]);
		size_t n = strlen(words);

		if (n <= length && strcmp(last->message + length - n, words) == 0)
			return numbers[i];
	}
	return EIO;
}

int git_http_status(void)
{
	static const char words[] = "status code: ";
	const git_error *last = git_error_last();
	const char *at =
		last && last->klass == GIT_ERROR_HTTP ? strstr(last->message, words) : NULL;

	return at ? atoi(at + sizeof(words) - 1) : 0;
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

const char *fetch_fix(int number, const char *otherwise)
{
	return fetch_outcome_of(number) == FETCH_NO_SPACE
		       ? "make room on the disk of the state directory"
		       : otherwise;
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

/* Length in bytes of the printable UTF-8 character at @text; 0: it is not one. */
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
