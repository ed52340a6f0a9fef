/* SPDX-License-Identifier: Apache-2.0 */
/* The parsers of a request: "METHOD PATH\nRANGE\nJSON of a run". */
#include "api/range.h"
#include "api/routes.h"
#include "api/run_facts.h"
#include "common/names.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *cut(char **rest, char at)
{
	char *part = *rest;
	char *end = strchr(part, at);

	*rest = end ? end + 1 : part + strlen(part);
	if (end)
		*end = '\0';
	return part;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	char *rest = text;
	char *method = cut(&rest, ' ');
	char *path = cut(&rest, '\n');
	char *range = cut(&rest, '\n');
	const struct route *route;
	struct route_match match;
	struct run_facts facts;
	const char *allow = NULL;
	uint64_t first, length;

	if (route_find(method, path, &route, &match, &allow) == ROUTE_FOUND &&
	    ((match.project[0] && !project_name_valid(match.project)) ||
	     (match.slug[0] && !step_slug_valid(match.slug)) ||
	     (match.key[0] && !artifact_key_valid(match.key))))
		abort();
	if (range_parse(range, size, &first, &length) == RANGE_PART &&
	    (length == 0 || first >= size || length > size - first))
		abort();
	if (run_facts_parse(rest, strlen(rest), "build", 0, &facts) == 0 &&
	    !project_name_valid(facts.project))
		abort();
	free(text);
	return 0;
}
