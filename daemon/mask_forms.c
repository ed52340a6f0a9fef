/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/mask_forms.h"

#include "common/cleanup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define ESCAPE_MAX 6 /* a byte becomes \u00XX at most */
#define LAST_LINE_MIN 16

struct forms {
	mask_form_fn emit;
	void *userdata;
	char *scratch; /* ESCAPE_MAX bytes for each of the value */
};

/* ---- as text ---- */

struct text_form {
	size_t (*put)(const struct text_form *form, unsigned char byte, char *out);
	const char *set; /* put_url: characters that are not escaped; others: those that are */
	bool lower;	 /* hexadecimal digits in lower case */
	bool plus;	 /* + for a space */
};

static bool is_alphanumeric(unsigned char byte)
{
	return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= 'a' && byte <= 'z');
}

static bool in_set(const struct text_form *form, unsigned char byte)
{
	return byte != '\0' && strchr(form->set, byte) != NULL;
}

static size_t put_byte(unsigned char byte, char *out)
{
	*out = (char)byte;
	return 1;
}

static size_t put_text(const char *text, char *out)
{
	size_t length = 0;

	for (; text[length]; length++)
		out[length] = text[length];
	return length;
}

static char *put_hex(unsigned char byte, bool lower, char *out)
{
	const char *digits = lower ? "0123456789abcdef" : "0123456789ABCDEF";

	*out++ = digits[byte >> 4];
	*out++ = digits[byte & 15];
	return out;
}

static size_t put_url(const struct text_form *form, unsigned char byte, char *out)
{
	if (is_alphanumeric(byte) || in_set(form, byte))
		return put_byte(byte, out);
	if (byte == ' ' && form->plus)
		return put_byte('+', out);
	out[0] = '%';
	(void)put_hex(byte, form->lower, out + 1);
	return 3;
}

static size_t put_escaped(unsigned char byte, char *out)
{
	out[0] = '\\';
	out[1] = (char)byte;
	return 2;
}

static size_t put_json(const struct text_form *form, unsigned char byte, char *out)
{
	static const char short_names[] = "\bb\ff\nn\rr\tt";
	bool special = in_set(form, byte);

	for (const char *name = short_names; byte < 0x20 && *name; name += 2) {
		if ((unsigned char)name[0] == byte)
			return put_escaped((unsigned char)name[1], out);
	}
	if (special && strchr("\"\\/", byte))
		return put_escaped(byte, out);
	if (!special && byte >= 0x20)
		return put_byte(byte, out);
	(void)put_text("\\u00", out);
	(void)put_hex(byte, true, out + 4);
	return 6;
}

static size_t put_backslash(const struct text_form *form, unsigned char byte, char *out)
{
	return in_set(form, byte) ? put_escaped(byte, out) : put_byte(byte, out);
}

/* In $'...' a tab becomes \t. */
static size_t put_c(const struct text_form *form, unsigned char byte, char *out)
{
	return byte == '\t' ? put_escaped('t', out) : put_backslash(form, byte, out);
}

static size_t put_quote(const struct text_form *form, unsigned char byte, char *out)
{
	if (!in_set(form, byte))
		return put_byte(byte, out);
	return put_text("'\\''", out);
}

static const struct text_form text_forms[] = {
	{put_url, "-._~"}, /* RFC 3986, curl */
	{put_url, "-._~", .lower = true},
	{put_url, "-._~", .plus = true},
	{put_url, "-._~", .lower = true, .plus = true},
	{put_url, "-._~/"}, /* Python */
	{put_url, "-._~/", .lower = true},
	{put_url, "-._~!'()*"},		 /* encodeURIComponent() */
	{put_url, "-._*", .plus = true}, /* forms of browsers */
	{put_json, "\"\\"},
	{put_json, "\"\\<>&"},				/* Go */
	{put_json, "\"\\/"},				/* PHP */
	{put_quote, "'"},				/* set -x: '...' */
	{put_c, "'\\"},					/* $'...', and strings of C and Python */
	{put_backslash, "\"\\$`"},			/* "..." */
	{put_backslash, " \t!\"#$&'()*,;<>?[\\]^`{|}"}, /* printf %q */
};

static int emit_text(const struct forms *forms, const char *text, size_t size)
{
	int r = forms->emit(forms->userdata, text, size);

	for (size_t i = 0; i < ARRAY_SIZE(text_forms) && r == 0; i++) {
		const struct text_form *form = &text_forms[i];
		size_t used = 0;

		for (size_t at = 0; at < size; at++)
			used += form->put(form, (unsigned char)text[at], forms->scratch + used);
		/* compare the bytes, too: + for a space does not change the size */
		if (used != size || memcmp(forms->scratch, text, size) != 0)
			r = forms->emit(forms->userdata, forms->scratch, used);
	}
	return r;
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r';
}

static int emit_line(const struct forms *forms, const char *line, size_t size, bool only)
{
	const char *text = line;
	size_t left = size;

	while (left > 0 && is_blank(*text)) {
		text++;
		left--;
	}
	while (left > 0 && is_blank(text[left - 1]))
		left--;
	if (left >= MASK_VALUE_MIN)
		return emit_text(forms, text, left);
	if (only && left > 0 && size >= MASK_VALUE_MIN)
		return emit_text(forms, line, size);
	return 0;
}

static int emit_lines(const struct forms *forms, const char *value, size_t size)
{
	bool only = memchr(value, '\n', size) == NULL;
	int r = 0;

	while (size > 0 && r == 0) {
		const char *end = memchr(value, '\n', size);
		size_t length = end ? (size_t)(end - value) : size;
		size_t used = end ? length + 1 : length;

		r = emit_line(forms, value, length, only);
		value += used;
		size -= used;
	}
	return r;
}

/* ---- base64 ---- */

static const char alphabet_usual[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char alphabet_url[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* The six bits of @value that begin at @bit. */
static unsigned sextet(const char *value, size_t size, size_t bit)
{
	size_t at = bit / 8;
	unsigned pair = (unsigned)(unsigned char)value[at] << 8;

	if (at + 1 < size)
		pair |= (unsigned char)value[at + 1];
	return pair >> (10 - bit % 8) & 63;
}

static size_t encode(const char *alphabet, const char *value, size_t size, size_t bit, char *out)
{
	size_t used = 0;

	for (; bit + 6 <= size * 8; bit += 6)
		out[used++] = alphabet[sextet(value, size, bit)];
	return used;
}

/*
 * A last line of a few characters is not a form by itself: it would occur in many other
 * texts, and slow down every search. It is searched for together with the end of the line
 * before.
 */
static int emit_last_line(const struct forms *forms, const char *line, size_t size)
{
	char text[2 * LAST_LINE_MIN];
	int r;

	if (size >= LAST_LINE_MIN)
		return forms->emit(forms->userdata, line, size);
	memcpy(text, line - LAST_LINE_MIN, LAST_LINE_MIN);
	text[LAST_LINE_MIN] = '\n';
	memcpy(text + LAST_LINE_MIN + 1, line, size);
	r = forms->emit(forms->userdata, text, LAST_LINE_MIN + 1 + size);
	explicit_bzero(text, sizeof(text));
	return r;
}

static int emit_wrapped(const struct forms *forms, size_t size, size_t width)
{
	size_t at = 0;
	int r = 0;

	if (size <= width)
		return 0;
	for (; size - at > width && r == 0; at += width)
		r = forms->emit(forms->userdata, forms->scratch + at, width);
	return r < 0 ? r : emit_last_line(forms, forms->scratch + at, size - at);
}

static int emit_base64(const struct forms *forms, const char *value, size_t size)
{
	/* the bit of the value at which the first base64 character begins that has bits of the
	 * value only, when 0, 1 or 2 other bytes precede the value in its group of three */
	static const size_t first_bits[] = {0, 4, 2};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(first_bits) && r == 0; i++) {
		size_t used = encode(alphabet_url, value, size, first_bits[i], forms->scratch);
		bool differs =
			memchr(forms->scratch, '-', used) || memchr(forms->scratch, '_', used);

		if (used < MASK_VALUE_MIN)
			continue;
		r = forms->emit(forms->userdata, forms->scratch, used);
		if (r == 0 && differs) {
			(void)encode(alphabet_usual, value, size, first_bits[i], forms->scratch);
			r = forms->emit(forms->userdata, forms->scratch, used);
		}
		if (r == 0 && i == 0)
			r = emit_wrapped(forms, used, 76);
		if (r == 0 && i == 0)
			r = emit_wrapped(forms, used, 64);
	}
	return r;
}

int mask_forms_each(const char *value, size_t size, mask_form_fn emit, void *userdata)
{
	struct forms forms = {.emit = emit, .userdata = userdata};
	size_t blank = 0;
	int r;

	/* an end of line is of the tool that stored the value (echo), not part of the secret */
	while (size > 0 && (value[size - 1] == '\n' || value[size - 1] == '\r'))
		size--;
	while (blank < size && (is_blank(value[blank]) || value[blank] == '\n'))
		blank++;
	if (size < MASK_VALUE_MIN || blank == size)
		return 0;
	forms.scratch = malloc(size * ESCAPE_MAX);
	if (!forms.scratch)
		return -ENOMEM;
	r = emit_lines(&forms, value, size);
	if (r == 0)
		r = emit_base64(&forms, value, size);
	explicit_bzero(forms.scratch, size * ESCAPE_MAX);
	free(forms.scratch);
	return r;
}
