/* SPDX-License-Identifier: Apache-2.0 */

/* Which forms and parts of a secret are hidden, wherever reads cut the stream. */

#include "tests/unit/cmocka_headers.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "daemon/mask.h"
#include "tests/unit/mask_model.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static struct mask *mask_of_bytes(const char *value, size_t size)
{
	struct step_mask_value values[] = {{value, size}};
	struct error error = ERROR_INIT;
	struct mask *mask = NULL;

	assert_int_equal(mask_new(values, 1, &mask, &error), 0);
	return mask;
}

static struct mask *mask_of(const char *value)
{
	return mask_of_bytes(value, strlen(value));
}

static void assert_masked_with(const struct mask *mask, const char *text, const char *wanted)
{
	static const size_t parts[] = {1, 2, 5, 1000};
	size_t size = strlen(text);
	cleanup_free char *out = malloc(size + MASK_HEADROOM + 1);

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		uint64_t seed = 42 + i;
		size_t used = mask_feed(mask, text, size, parts[i], &seed, out);

		out[used] = '\0';
		assert_string_equal(out, wanted);
	}
}

static void assert_masked(const char *value, const char *text, const char *wanted)
{
	cleanup_mask struct mask *mask = mask_of(value);

	assert_non_null(mask);
	assert_masked_with(mask, text, wanted);
}

/* ---- forms ---- */

static void test_plain(void **state)
{
	assert_masked("hunter2", "the password is hunter2.", "the password is ***.");
	assert_masked("hunter2", "hunter2hunter2 hunter hunter2", "*** hunter ***");
	assert_masked("hunter2", "HUNTER2 hunter 2", "HUNTER2 hunter 2");
	assert_masked("abcd", "abcabcdabc", "abc***abc");
	assert_masked("aaaa", "aaaaaaa aaa", "*** aaa");
	assert_masked("abab", "ababab", "***");
	assert_masked("hunter2\n", "hunter2", "***");
	assert_masked("  hunter2 ", "hunter2", "***");
}

static void test_too_short(void **state)
{
	assert_null(mask_of("abc"));
	assert_null(mask_of("abc\n"));
	assert_null(mask_of(""));
	assert_null(mask_of("        ")); /* otherwise every indentation would be hidden */
	assert_masked(" ab ", "< ab >", "<***>");
}

static void test_url(void **state)
{
	const char *value = "a b/c?d=\xc3\xa9~f";

	assert_masked(value, "<a%20b%2Fc%3Fd%3D%C3%A9~f>", "<***>");
	assert_masked(value, "<a%20b%2fc%3fd%3d%c3%a9~f>", "<***>");
	assert_masked(value, "<a+b%2Fc%3Fd%3D%C3%A9~f>", "<***>");
	assert_masked(value, "<a+b%2fc%3fd%3d%c3%a9~f>", "<***>");
	assert_masked(value, "<a%20b/c%3Fd%3D%C3%A9~f>", "<***>");
	assert_masked(value, "<a+b%2Fc%3Fd%3D%C3%A9%7Ef>", "<***>");
	assert_masked("it's (me)!", "<it's%20(me)!>", "<***>");
	assert_masked("a b c d", "a+b+c+d", "***");
}

static void test_quoted(void **state)
{
	assert_masked("say \"it\\\"", "{\"a\":\"say \\\"it\\\\\\\"\"}", "{\"a\":\"***\"}");
	assert_masked("a<b>&c", "\"a\\u003cb\\u003e\\u0026c\"", "\"***\"");
	assert_masked("path/to", "\"path\\/to\"", "\"***\"");
	assert_masked("ab\tcd\x01"
		      "ef",
		      "\"ab\\tcd\\u0001ef\"", "\"***\"");
	assert_masked("it's me", "+ echo 'it'\\''s me'", "+ echo '***'");
	assert_masked("it's me", "print 'it\\'s me'", "print '***'");
	assert_masked("it's me", "echo it\\'s\\ me", "echo ***");
	assert_masked("cost $5 `x`", "echo \"cost \\$5 \\`x\\`\"", "echo \"***\"");
}

static void test_lines(void **state)
{
	const char *key = "-----BEGIN KEY-----\n"
			  "MIIBVwIBADANBgkqhkiG9w0BAQ==\r\n"
			  "}\n"
			  "\t\tindented\n"
			  "        \n"
			  "-----END KEY-----\n";

	assert_masked(key, key, "***\n***\r\n}\n\t\t***\n        \n***\n");
	assert_masked(key, "x MIIBVwIBADANBgkqhkiG9w0BAQ== y", "x *** y");
	assert_masked(key, "-----BEGIN KEY-----MIIBVwIBADANBgkqhkiG9w0BAQ==", "***");
	assert_masked(key,
		      "{\"key\":\"-----BEGIN KEY-----\\nMIIBVwIBADANBgkqhkiG9w0BAQ==\\r\\n}\\n\"}",
		      "{\"key\":\"***\\n***\\r\\n}\\n\"}");
}

/* Encode as RFC 4648 does. @out has room. Return: characters, without padding. */
static size_t base64(const char *alphabet, const char *data, size_t size, char *out)
{
	size_t used = 0;
	unsigned held = 0, bits = 0;

	for (size_t i = 0; i < size; i++) {
		held = held << 8 | (unsigned char)data[i];
		for (bits += 8; bits >= 6; bits -= 6)
			out[used++] = alphabet[held >> (bits - 6) & 63];
	}
	if (bits > 0)
		out[used++] = alphabet[held << (6 - bits) & 63];
	return used;
}

static const char alphabets[2][65] = {
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

/* A value anywhere within encoded data: characters that depend on the value alone are hidden. */
static void test_base64(void **state)
{
	uint64_t seed = 7;

	for (size_t size = MASK_VALUE_MIN; size <= 80; size++) {
		char text[200], encoded[300], wanted[300], value[80];
		cleanup_mask struct mask *mask = NULL;

		for (size_t i = 0; i < size; i++)
			value[i] = (char)(mask_model_random(&seed) % 255 + 1);
		value[0] = value[size - 1] = 'v'; /* not a blank: these would be stripped */
		mask = mask_of_bytes(value, size);
		for (size_t before = 0; before < 7; before++) {
			for (size_t after = 0; after < 7; after++) {
				size_t first = (before * 8 + 5) / 6;
				size_t last = (before + size) * 8 / 6;
				size_t n;

				memset(text, '.', sizeof(text));
				memcpy(text + before, value, size);
				for (size_t i = 0; i < 2; i++) {
					n = base64(alphabets[i], text, before + size + after,
						   encoded);
					encoded[n] = '\0';
					memcpy(wanted, encoded, first);
					(void)strcpy(wanted + first, "***");
					(void)strcat(wanted, encoded + last);
					assert_masked_with(mask, encoded, wanted);
				}
			}
		}
	}
}

static void test_base64_wrapped(void **state)
{
	static const size_t widths[] = {64, 76};
	char value[301], encoded[500], text[600];
	uint64_t seed = 11;

	for (size_t i = 0; i < sizeof(value) - 1; i++)
		value[i] = (char)('!' + mask_model_random(&seed) % 90);
	value[sizeof(value) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
		size_t n = base64(alphabets[0], value, sizeof(value) - 1, encoded);
		size_t used = 0;
		char wanted[600] = "";

		for (size_t at = 0; at < n; at += widths[i]) {
			size_t length = n - at < widths[i] ? n - at : widths[i];

			memcpy(text + used, encoded + at, length);
			used += length;
			text[used++] = '\n';
			(void)strcat(wanted, "***\n");
		}
		text[used] = '\0';
		assert_masked(value, text, wanted);
	}
}

/* A last line of a few characters is hidden together with the line before. */
static void test_base64_wrapped_short(void **state)
{
	for (size_t size = 58; size < 70; size++) {
		char value[80], encoded[120], text[140];
		size_t n, last;

		for (size_t i = 0; i < size; i++)
			value[i] = (char)('A' + i * 7 % 50);
		value[size] = '\0';
		n = base64(alphabets[0], value, size, encoded);
		last = size * 8 / 6; /* later characters depend on the bytes behind the value */
		(void)snprintf(text, sizeof(text), "%.76s\n%.*s|\n", encoded, (int)(n - 76),
			       encoded + 76);
		encoded[n] = '\0';
		if (last > 76) {
			char wanted[60];

			(void)snprintf(wanted, sizeof(wanted), "***%s%s|\n",
				       last - 76 < 16 ? "" : "\n***", encoded + last);
			assert_masked(value, text, wanted);
		}
	}
}

/* Parts of a long secret are hidden, too. */
static void test_parts_of_long(void **state)
{
	char value[1001], text[400];
	uint64_t seed = 3;

	for (size_t i = 0; i < sizeof(value) - 1; i++)
		value[i] = (char)('!' + mask_model_random(&seed) % 90);
	value[sizeof(value) - 1] = '\0';
	assert_masked(value, value, "***");
	for (size_t at = 0; at < 600; at += 37) {
		char out[400];
		cleanup_mask struct mask *mask = mask_of(value);
		size_t used;

		(void)snprintf(text, sizeof(text), "%.300s", value + at);
		used = mask_feed(mask, text, strlen(text), 50, &seed, out);
		assert_true(used < 2 * MASK_PIECE_MAX + 3);
	}
}

/* ---- any text, any chunks ---- */

static void run_seed(uint64_t seed)
{
	char values[6][60], text[600], wanted[600], out[600 + MASK_HEADROOM];
	struct step_mask_value list[6];
	unsigned letters = 1 + mask_model_random(&seed) % 3;
	size_t n_values = 1 + mask_model_random(&seed) % 6, size = 0, expected;
	struct error error = ERROR_INIT;
	cleanup_mask struct mask *mask = NULL;

	for (size_t i = 0; i < n_values; i++) {
		size_t length = 4 + mask_model_random(&seed) % 55;

		for (size_t j = 0; j < length; j++)
			values[i][j] = (char)('a' + mask_model_random(&seed) % letters);
		list[i] = (struct step_mask_value){values[i], length};
	}
	assert_int_equal(mask_new(list, n_values, &mask, &error), 0);
	while (size < 500) {
		if (mask_model_random(&seed) % 2) { /* a piece, or only its beginning */
			size_t length;
			const char *piece = mask_piece(
				mask, mask_model_random(&seed) % mask_pieces(mask), &length);

			length = 1 + mask_model_random(&seed) % length;
			memcpy(text + size, piece, length);
			size += length;
		} else {
			text[size++] = (char)('a' + mask_model_random(&seed) % (letters + 1));
		}
	}
	expected = mask_model(mask, text, size, wanted);
	for (size_t part = 1; part <= 600; part = part * 3 + 1) {
		size_t used = mask_feed(mask, text, size, part, &seed, out);

		assert_int_equal(used, expected);
		assert_memory_equal(out, wanted, used);
	}
}

static void test_like_the_model(void **state)
{
	for (uint64_t seed = 1; seed <= 3000; seed++)
		run_seed(seed * 0x9e3779b97f4a7c15ULL);
}

/* Many pieces; the search skips places, and must not miss a piece between them. */
static void many_of(size_t size_min, size_t size_max)
{
	enum { VALUES = 200, SIZE = 20000 };
	static char values[VALUES][64], text[SIZE], wanted[SIZE], out[SIZE + MASK_HEADROOM];
	struct step_mask_value list[VALUES];
	struct error error = ERROR_INIT;
	cleanup_mask struct mask *mask = NULL;
	uint64_t seed = 99;
	size_t expected, used, n;

	for (size_t i = 0; i < VALUES; i++) {
		size_t length = size_min + mask_model_random(&seed) % (size_max - size_min + 1);

		for (size_t j = 0; j < length; j++)
			values[i][j] = (char)('!' + mask_model_random(&seed) % 90);
		list[i] = (struct step_mask_value){values[i], length};
	}
	assert_int_equal(mask_new(list, VALUES, &mask, &error), 0);
	for (size_t at = 0; at < SIZE; at++)
		text[at] = (char)('!' + mask_model_random(&seed) % 90);
	for (size_t at = 0; at + 64 < SIZE; at += 1 + mask_model_random(&seed) % 100) {
		const char *piece =
			mask_piece(mask, mask_model_random(&seed) % mask_pieces(mask), &n);

		memcpy(text + at, piece, n);
	}
	expected = mask_model(mask, text, SIZE, wanted);
	assert_true(expected < SIZE);
	for (size_t part = 7; part <= SIZE; part *= 5) {
		used = mask_feed(mask, text, SIZE, part, &seed, out);
		assert_int_equal(used, expected);
		assert_memory_equal(out, wanted, used);
	}
}

static void test_like_the_model_with_many(void **state)
{
	many_of(8, 57);
	many_of(16, 57);
	many_of(4, 57); /* short ones among them */
	many_of(4, 7);	/* short ones only, too many for mask_nibbles */
}

/* ---- holding back ---- */

struct output {
	struct mask_stream stream;
	char shown[256];
	size_t n_shown;
};

static void print(struct output *output, const char *text)
{
	char buffer[MASK_HEADROOM + 128], *data;
	size_t n = strlen(text);

	memcpy(buffer + MASK_HEADROOM, text, n);
	n = mask_stream_feed(&output->stream, buffer + MASK_HEADROOM, n, &data);
	memcpy(output->shown + output->n_shown, data, n);
	output->n_shown += n;
	output->shown[output->n_shown] = '\0';
}

static void release(struct output *output)
{
	output->n_shown += mask_stream_release(&output->stream, output->shown + output->n_shown);
	output->shown[output->n_shown] = '\0';
}

static void finish(struct output *output)
{
	output->n_shown += mask_stream_finish(&output->stream, output->shown + output->n_shown);
	output->shown[output->n_shown] = '\0';
}

static void test_a_prompt_appears(void **state)
{
	cleanup_mask struct mask *mask = mask_of("secret-word");
	struct output output = {.n_shown = 0};

	mask_stream_init(&output.stream, mask);
	print(&output, "proceed? yes");
	assert_string_equal(output.shown, "proceed? ye");
	assert_true(mask_stream_waits(&output.stream));
	release(&output);
	assert_string_equal(output.shown, "proceed? yes");
	assert_false(mask_stream_waits(&output.stream));
	release(&output);
	print(&output, " or no\n");
	assert_string_equal(output.shown, "proceed? yes or no\n");
	print(&output, "se");
	release(&output);
	print(&output, "cret-word\n"); /* after all: the rest is hidden */
	assert_string_equal(output.shown, "proceed? yes or no\nse***\n");
}

static void test_slowly_printed(void **state)
{
	cleanup_mask struct mask *mask = mask_of("secret-word");
	struct output output = {.n_shown = 0};
	const char *text = "secret-word!";
	char one[2] = "";

	mask_stream_init(&output.stream, mask);
	for (; *text; text++) {
		one[0] = *text;
		print(&output, one);
		release(&output);
	}
	finish(&output);
	assert_string_equal(output.shown, "sec***!");
	/* the beginning of a secret is held back until the stream ends */
	output.n_shown = 0;
	mask_stream_init(&output.stream, mask);
	print(&output, "a secret");
	release(&output);
	assert_string_equal(output.shown, "a ");
	finish(&output);
	assert_string_equal(output.shown, "a secret");
}

/* ---- sets ---- */

static void test_cache(void **state)
{
	struct step_mask_value a[] = {{"first-secret", 12}, {"second-secret", 13}};
	struct step_mask_value b[] = {{"no", 2}};
	struct mask_cache cache = {.masks = {NULL, NULL}};
	struct error error = ERROR_INIT;
	struct mask *masks[4] = {NULL};
	cleanup_close int fd_a = step_mask_new(a, 2);
	cleanup_close int fd_same = step_mask_new(a, 2);
	cleanup_close int fd_part = step_mask_new(a, 1);
	cleanup_close int fd_none = step_mask_new(b, 1);
	cleanup_close int fd_bad = memfd_sealed("bad", "RBM1abcdefgh", 12);

	assert_int_equal(mask_cache_get(&cache, fd_a, &masks[0], &error), 0);
	assert_int_equal(mask_cache_get(&cache, fd_same, &masks[1], &error), 0);
	assert_ptr_equal(masks[0], masks[1]);
	assert_int_equal(mask_cache_get(&cache, fd_part, &masks[2], &error), 0);
	assert_ptr_not_equal(masks[0], masks[2]);
	assert_int_equal(mask_cache_get(&cache, fd_none, &masks[3], &error), 0);
	assert_null(masks[3]);
	assert_int_equal(mask_cache_get(&cache, fd_bad, &masks[3], &error), -EBADMSG);
	(void)mask_unref(masks[0]);
	assert_masked_with(masks[1], "<second-secret>", "<***>");
	(void)mask_unref(masks[1]);
	assert_non_null(cache.masks.first);
	assert_ptr_equal(cache.masks.first, cache.masks.last);
	assert_masked_with(masks[2], "<first-secret> <second-secret>", "<***> <second-secret>");
	(void)mask_unref(masks[2]);
	assert_true(list_empty(&cache.masks));
}

/* The largest set that a step may have, of bytes that every form changes. */
static void test_largest(void **state)
{
	cleanup_free char *bytes = malloc(STEP_MASK_BYTES_MAX);
	cleanup_free char *out = malloc(STEP_MASK_VALUE_MAX + MASK_HEADROOM);
	struct step_mask_value values[STEP_MASK_BYTES_MAX / STEP_MASK_VALUE_MAX];
	struct error error = ERROR_INIT;
	cleanup_mask struct mask *mask = NULL;
	uint64_t seed = 5;
	size_t used;

	assert_non_null(bytes);
	assert_non_null(out);
	for (size_t i = 0; i < STEP_MASK_BYTES_MAX; i++)
		bytes[i] = (char)(mask_model_random(&seed) % 245 + 11); /* no end of line */
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		values[i] = (struct step_mask_value){bytes + i * STEP_MASK_VALUE_MAX,
						     STEP_MASK_VALUE_MAX};
	assert_int_equal(mask_new(values, ARRAY_SIZE(values), &mask, &error), 0);
	assert_true(mask_pieces(mask) <= MASK_PIECES_MAX);
	used = mask_feed(mask, bytes + 3 * STEP_MASK_VALUE_MAX, STEP_MASK_VALUE_MAX, 10000, &seed,
			 out);
	assert_int_equal(used, 3);
	assert_memory_equal(out, "***", 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_too_short),
		cmocka_unit_test(test_url),
		cmocka_unit_test(test_quoted),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_base64_wrapped),
		cmocka_unit_test(test_base64_wrapped_short),
		cmocka_unit_test(test_parts_of_long),
		cmocka_unit_test(test_like_the_model),
		cmocka_unit_test(test_like_the_model_with_many),
		cmocka_unit_test(test_a_prompt_appears),
		cmocka_unit_test(test_slowly_printed),
		cmocka_unit_test(test_cache),
		cmocka_unit_test(test_largest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
