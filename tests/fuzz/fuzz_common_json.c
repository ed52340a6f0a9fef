/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A document of any shape with any texts. The input is a list of letters, with texts after them
 * that end with NUL; the target balances the brackets. jansson makes the same document: the
 * writer's text is JSON that reads back as that one.
 */
#include "common/cleanup.h"
#include "common/json_writer.h"
#include "common/names.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 200
#define TEXT_MAX 300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct document {
	struct json json;
	json_t *levels[DEPTH_MAX + 1];
	unsigned depth;
	unsigned n_members;
	char key[24];
};

/* The key of the next member; each key is used once. */
static const char *key_next(struct document *document)
{
	if (!json_is_object(document->levels[document->depth]))
		return NULL;
	(void)snprintf(document->key, sizeof(document->key), "k\"%u\n", document->n_members++);
	return document->key;
}

static void expect(struct document *document, const char *key, json_t *value)
{
	json_t *level = document->levels[document->depth];

	if (!value || (key ? json_object_set(level, key, value) : json_array_append(level, value)))
		abort();
}

static void put_level(struct document *document, bool object)
{
	const char *key = key_next(document);
	json_t *value = object ? json_object() : json_array();

	if (document->depth == DEPTH_MAX) {
		json_decref(value);
		return;
	}
	json_open(&document->json, key, object ? '{' : '[');
	expect(document, key, value);
	document->levels[++document->depth] = value; /* the parent has a reference to it */
	json_decref(value);
}

static void close_level(struct document *document)
{
	bool object = json_is_object(document->levels[document->depth]);

	document->depth--;
	json_close(&document->json, object ? '}' : ']');
}

static void put_text(struct document *document, const char *text)
{
	char shown[4 * TEXT_MAX + 1];
	const char *key = key_next(document);
	json_t *value;

	json_text(&document->json, key, text);
	if (!utf8_valid(text, strlen(text))) {
		text_escape(shown, sizeof(shown), text);
		text = shown;
	}
	value = json_string(text);
	expect(document, key, value);
	json_decref(value);
}

static void put_scalar(struct document *document, uint8_t letter, uint64_t number)
{
	const char *key = key_next(document);
	int64_t positive = (int64_t)(number & INT64_MAX); /* jansson has no unsigned integers */
	json_t *value;

	if (letter == 'n') {
		value = json_integer(positive);
		json_number(&document->json, key, (uint64_t)positive);
	} else if (letter == 's') {
		value = json_integer((int64_t)number);
		json_signed(&document->json, key, (int64_t)number);
	} else if (letter == 'o') {
		value = positive ? json_integer(positive) : json_null();
		json_number_or_null(&document->json, key, (uint64_t)positive);
	} else if (letter == 'r') {
		value = json_array();
		json_raw(&document->json, key, "[]", 2);
	} else if (letter == 'z') {
		value = json_null();
		json_text(&document->json, key, NULL);
	} else {
		value = json_boolean(number & 1);
		json_bool(&document->json, key, number & 1);
	}
	expect(document, key, value);
	json_decref(value);
}

/* Put one value. Return: the bytes of @data that it used. */
static size_t put(struct document *document, const uint8_t *data, size_t size)
{
	char text[TEXT_MAX] = "";
	uint64_t number = 0;
	size_t n;

	switch (data[0]) {
	case '{':
	case '[':
		put_level(document, data[0] == '{');
		return 1;
	case '}':
		if (document->depth > 0)
			close_level(document);
		return 1;
	case 'l':
		json_line(&document->json);
		return 1;
	case 't':
		n = strnlen((const char *)data + 1, size - 1);
		memcpy(text, data + 1, n < sizeof(text) ? n : sizeof(text) - 1);
		put_text(document, text);
		return n + 2 < size ? n + 2 : size;
	default:
		n = size - 1 < sizeof(number) ? size - 1 : sizeof(number);
		memcpy(&number, data + 1, n);
		put_scalar(document, data[0], number);
		return n + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct document document = {0};
	json_t *is, *wanted = json_object();
	json_error_t error;
	size_t length;
	char *text;

	document.levels[0] = wanted;
	json_open(&document.json, NULL, '{');
	while (size > 0) {
		size_t n = put(&document, data, size);

		data += n;
		size -= n;
	}
	while (document.depth > 0)
		close_level(&document);
	json_close(&document.json, '}');
	text = json_take(&document.json, &length);
	is = text && strlen(text) == length
		     ? json_loads(text, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error)
		     : NULL;
	if (!is || !json_equal(is, wanted))
		abort();
	free(text);
	json_decref(is);
	json_decref(wanted);
	return 0;
}
