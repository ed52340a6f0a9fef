/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /etc/passwd and /etc/group of an image, as the command's process edits them: the result fits, a
 * second edit changes nothing, and all other bytes are kept.
 */
#include "common/account_home.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Allocate exactly the promised size, so that the sanitizer sees a longer result. */
static char *room(size_t size)
{
	char *out = malloc(size + ACCOUNT_GROWTH_MAX);

	if (!out)
		abort();
	return out;
}

static void try_passwd(const char *text, size_t size, uint32_t uid, const char *home)
{
	char *out = room(size), *again;
	bool added, added_again;
	size_t made = account_home_passwd(text, size, uid, 7, home, out, &added);

	if (made > size + ACCOUNT_GROWTH_MAX || (made > 0 && !account_home_valid(home)))
		abort();
	if (added && (made <= size || memcmp(text, out, size) != 0))
		abort();
	again = room(made);
	if (made > 0 && account_home_passwd(out, made, uid, 7, home, again, &added_again) != 0)
		abort();
	free(again);
	free(out);
}

static void try_group(const char *text, size_t size, uint32_t gid)
{
	char *out = room(size), *again;
	size_t made = account_home_group(text, size, gid, out);

	if (made > size + ACCOUNT_GROWTH_MAX || (made > 0 && memcmp(text, out, size) != 0))
		abort();
	again = room(made);
	if (made > 0 && account_home_group(out, made, gid, again) != 0)
		abort();
	free(again);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t ids[] = {0, 5, 1000, UINT32_MAX};
	char home[64] = "/workspace", *text;
	size_t n_home;

	if (size < 2 || size > ACCOUNT_TEXT_MAX)
		return 0;
	n_home = data[1] % sizeof(home);
	if (n_home > 0 && n_home + 2 <= size) {
		memcpy(home, data + 2, n_home);
		home[n_home] = '\0';
	}
	text = malloc(size - 1);
	if (!text)
		return 0;
	memcpy(text, data + 2, size - 2);
	try_passwd(text, size - 2, ids[data[0] % 4], home);
	try_group(text, size - 2, ids[data[0] % 4]);
	free(text);
	return 0;
}
