/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a step's request with its key, or as an index file of the store. */
#include "cacher/connection.h"
#include "cacher/store_index.h"
#include "common/names.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_request(const uint8_t *data, size_t size)
{
	struct cacher_request head;
	struct parsed_request parsed;
	struct error error = ERROR_INIT;
	char key[ARTIFACT_KEY_MAX + 1] = "";

	if (size < sizeof(head))
		return;
	memcpy(&head, data, sizeof(head));
	size -= sizeof(head);
	memcpy(key, data + sizeof(head), size < ARTIFACT_KEY_MAX ? size : ARTIFACT_KEY_MAX);
	if (request_parse(&head, key, &parsed, &error) == 0) {
		char name[ARTIFACT_KEY_MAX + 1], again[ARTIFACT_KEY_MAX + 1];

		if (parsed.verb == CACHER_LS)
			return;
		/* an accepted key becomes a plain file name, which becomes the same key again */
		index_name(name, parsed.key);
		if (!artifact_key_valid(parsed.key) || strchr(name, '/') || name[0] == '.' ||
		    !index_key(again, name) || strcmp(again, parsed.key) != 0)
			abort();
	} else if (!text_printable(error.text)) {
		abort(); /* the text reaches a terminal */
	}
}

static void fuzz_index(const uint8_t *data, size_t size)
{
	char text[INDEX_TEXT_MAX + 1], key[ARTIFACT_KEY_MAX + 1];
	struct store_entry entry;

	if (size > INDEX_TEXT_MAX)
		size = INDEX_TEXT_MAX;
	memcpy(text, data, size);
	text[size] = '\0';
	if (index_parse(text, &entry) == 0 && entry.kind == CACHER_KIND_NONE)
		abort();
	if (index_key(key, text) && !artifact_key_valid(key))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 0 && data[0] & 1)
		fuzz_request(data + 1, size - 1);
	else if (size > 0)
		fuzz_index(data + 1, size - 1);
	return 0;
}
