/* SPDX-License-Identifier: Apache-2.0 */
/* The fetcher's small parsers: a URL, a name in a tree, a commit's first line. */
#include "common/names.h"
#include "fetcher/remote.h"
#include "fetcher/tree.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct error error = ERROR_INIT;
	struct remote remote;
	char line[FETCH_TITLE_MAX + 1];
	char *url = strndup(text, size);

	if (!url)
		return 0;
	if (remote_parse(url, &remote, &error) == 0) {
		if (url[0] == '-' || strstr(url, "::") == url || remote.host[0] == '-' ||
		    remote.scheme == REMOTE_SCHEME_INVALID ||
		    (remote.scheme == REMOTE_SCHEME_FILE) != (remote.host[0] == '\0'))
			abort();
		(void)remote_is_loopback(&remote);
	} else if (!error.text[0]) {
		abort();
	}
	text_first_line(line, sizeof(line), text, size);
	if (!text_line_valid(line) || strchr(line, '\n'))
		abort();
	if (tree_name_check(text, size) == TREE_NAME_OK &&
	    (memchr(text, '/', size) || strcasecmp(url, ".git") == 0 || strcmp(url, "..") == 0))
		abort();
	free(url);
	return 0;
}
