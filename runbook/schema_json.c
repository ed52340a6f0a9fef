/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/schema_json.h"

#include "runbook/matrix.h"
#include "runbook/memory.h"
#include "runbook/schema.h"

#include "common/cleanup.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * DOC: Shapes of values
 *
 * The schema is written from the table of keys, with one shape for each reader of values. It
 * accepts everything that the parser accepts; rules that it cannot express (references to
 * existing names, circles, unique names, real dates) are checked only by the parser.
 *
 * Shapes are JSON with holes: @min@ and @max@ of the key, @milli@ of a maximum in
 * thousandths, @self@ for a reference to the key's inner scope.
 */

/* "{{ matrix.NAME }}" in a regular expression in JSON */
#define PLACEHOLDER "\\\\{\\\\{[ \\\\t]*matrix\\\\.[A-Za-z0-9_]+[ \\\\t]*\\\\}\\\\}"
#define EVENTS "{\"enum\": [\"push\", \"pull_request\", \"tag\", \"schedule\", \"manual\"]}"
#define EVENT_WORDS "{\"enum\": [\"push\", \"pull_request\", \"tag\", \"manual\"]}"
#define STATUSES "{\"enum\": [\"success\", \"failure\", \"always\"]}"
#define DIGITS "{\"type\": \"string\", \"pattern\": \"^[0-9]+$\"}"
#define ONE_LINE "[^\\\\u0000-\\\\u001f\\\\u007f]"
#define ONE_LINE_TEXT                                                                              \
	"{\"type\": \"string\", \"maxLength\": @max@, \"pattern\": \"^(?=.*\\\\S)" ONE_LINE "+$"   \
	"\"}"
#define GLOB                                                                                       \
	"{\"type\": \"string\", \"maxLength\": 256, \"pattern\": "                                 \
	"\"^!?(?!!|/|\\\\./)" ONE_LINE "*[^/]$\"}"
#define SIZE                                                                                       \
	"{\"type\": \"integer\", \"minimum\": @min@, \"maximum\": @max@}, "                        \
	"{\"type\": \"string\", \"pattern\": \"^[0-9]+([KMGT](iB)?)?$\"}"
#define SCALAR                                                                                     \
	"{\"type\": [\"string\", \"number\", \"boolean\"], \"maxLength\": 200, \"pattern\": "      \
	"\"^" ONE_LINE "*$\"}"
#define CRON_FIELD "[0-9A-Za-z*,/-]+"
#define SCHEDULE_ITEM                                                                              \
	"{\"type\": \"string\", \"pattern\": \"^\\\\s*(@[A-Za-z]+|" CRON_FIELD                     \
	"([ \\\\t]+" CRON_FIELD "){4})\\\\s*$\"}"

static const struct shape {
	value_fn *read;
	const char *json;
} shapes[] = {
	{read_title, "{\"type\": \"string\", \"maxLength\": @max@, \"pattern\": \"^[^ "
		     "\\\\u0000-\\\\u001f\\\\u007f](" ONE_LINE "*[^ "
		     "\\\\u0000-\\\\u001f\\\\u007f])?$\"}"},
	{read_command, "{\"anyOf\": [{\"type\": \"string\", \"maxLength\": @max@, \"pattern\": "
		       "\"\\\\S\"}, {\"type\": \"boolean\"}]}"},
	{read_shell, ONE_LINE_TEXT},
	{read_image,
	 "{\"type\": \"string\", \"pattern\": \"^(?!.*\\\\.\\\\.)([A-Za-z0-9]|" PLACEHOLDER
	 ")([A-Za-z0-9._:/@+-]|" PLACEHOLDER ")*$\"}"},
	{read_network, "{\"enum\": [\"egress\", \"isolated\", \"none\"]}"},
	{read_duration, "{\"anyOf\": [{\"type\": \"integer\", \"minimum\": @min@, \"maximum\": "
			"@max@}, {\"type\": \"string\", \"pattern\": "
			"\"^(?=.)([0-9]+|([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?)$\"}]}"},
	{read_size, "{\"anyOf\": [" SIZE "]}"},
	{read_cpus, "{\"anyOf\": [{\"type\": \"number\", \"minimum\": 0.01, \"maximum\": "
		    "@milli@}, {\"type\": \"string\", \"pattern\": \"^[0-9]+(\\\\.[0-9]+)?$\"}]}"},
	{read_count, "{\"anyOf\": [{\"type\": \"integer\", \"minimum\": @min@, \"maximum\": "
		     "@max@}, " DIGITS "]}"},
	{read_env, "{\"type\": \"object\", \"maxProperties\": @max@, \"propertyNames\": "
		   "{\"pattern\": \"^(?!RUNBOOK_)[A-Za-z_][A-Za-z0-9_]{0,255}$\"}, "
		   "\"additionalProperties\": {\"type\": \"string\"}}"},
	{read_depends_on,
	 "{\"type\": \"array\", \"uniqueItems\": true, \"items\": {\"type\": \"string\"}}"},
	{read_bool, "{\"type\": \"boolean\"}"},
	{read_user,
	 "{\"anyOf\": [{\"type\": \"integer\", \"minimum\": 0, \"maximum\": 65535}, "
	 "{\"type\": \"string\", \"pattern\": \"^(([A-Za-z_]|" PLACEHOLDER
	 ")([A-Za-z0-9._:-]|" PLACEHOLDER ")*|[0-9]{1,5}(:[0-9]{1,5}|:" PLACEHOLDER ")?)$\"}]}"},
	{read_workdir, ONE_LINE_TEXT},
	{read_labels,
	 "{\"anyOf\": [{\"type\": \"string\"}, {\"type\": \"array\", \"maxItems\": "
	 "@max@, \"uniqueItems\": true, \"items\": {\"type\": \"string\", "
	 "\"pattern\": \"^([A-Za-z0-9]|" PLACEHOLDER ")([A-Za-z0-9._/=-]|" PLACEHOLDER ")*$\"}}]}"},
	{read_matrix, "@self@"},
	{read_on, "{\"anyOf\": [" EVENT_WORDS ", {\"type\": \"array\", \"minItems\": 1, "
		  "\"uniqueItems\": true, \"items\": " EVENT_WORDS "}, @self@]}"},
	{read_event, "{\"anyOf\": [{\"type\": \"null\"}, @self@]}"},
	{read_globs, "{\"anyOf\": [" GLOB ", {\"type\": \"array\", \"minItems\": 1, "
		     "\"maxItems\": @max@, \"items\": " GLOB "}]}"},
	{read_schedule,
	 "{\"anyOf\": [" SCHEDULE_ITEM ", @self@, {\"type\": \"array\", "
	 "\"minItems\": 1, \"maxItems\": @max@, \"items\": {\"anyOf\": [" SCHEDULE_ITEM
	 ", @self@]}}]}"},
	{read_cron, SCHEDULE_ITEM},
	{read_timezone, "{\"type\": \"string\", \"maxLength\": @max@, \"pattern\": "
			"\"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z][A-Za-z0-9_+-]*){0,2}$\"}"},
	{read_branch, "{\"type\": \"string\", \"maxLength\": @max@, \"pattern\": "
		      "\"^(?!refs/|origin/|-|/)[^ *?~^:\\\\[\\\\\\\\]+$\"}"},
	{read_priority, "{\"anyOf\": [{\"type\": \"integer\", \"minimum\": -@max@, \"maximum\": "
			"@max@}, {\"type\": \"string\", \"pattern\": \"^[+-]?[0-9]+$\"}]}"},
	{read_concurrency, "{\"anyOf\": [" ONE_LINE_TEXT ", @self@]}"},
	{read_group, ONE_LINE_TEXT},
	{read_when, "{\"anyOf\": [" STATUSES ", @self@]}"},
	{read_statuses, "{\"anyOf\": [" STATUSES ", {\"type\": \"array\", \"minItems\": 1, "
			"\"maxItems\": @max@, \"items\": " STATUSES "}]}"},
	{read_events, "{\"anyOf\": [" EVENTS ", {\"type\": \"array\", \"minItems\": 1, "
		      "\"maxItems\": @max@, \"items\": " EVENTS "}]}"},
	{matrix_read_entries,
	 "{\"type\": \"array\", \"minItems\": 1, \"maxItems\": @max@, \"items\": {\"type\": "
	 "\"object\", \"minProperties\": 1, \"propertyNames\": {\"pattern\": "
	 "\"^(?!RUNBOOK_)[A-Za-z_][A-Za-z0-9_]{0,255}$\"}, \"additionalProperties\": " SCALAR "}}"},
	{read_global, "@self@"},
	{read_resources, "@self@"},
	{read_io, "{\"anyOf\": [" SIZE ", @self@]}"},
	{read_steps, "{\"type\": \"array\", \"minItems\": 1, \"maxItems\": @max@, \"items\": "
		     "@self@}"},
};

/* Maps of keys; some have rules of their own in addition to the table. */
static const struct {
	enum schema_scope scope;
	const char *name;
	const char *more; /* in place of "additionalProperties": false */
} definitions[] = {
	{SCOPE_GLOBAL, "global", NULL},
	{SCOPE_STEP, "step", NULL},
	{SCOPE_RESOURCES, "resources", NULL},
	{SCOPE_IO, "io", NULL},
	{SCOPE_ON, "on", "\"minProperties\": 1, \"additionalProperties\": false"},
	{SCOPE_PUSH, "push", NULL},
	{SCOPE_PULL_REQUEST, "pull_request", NULL},
	{SCOPE_TAG, "tag", NULL},
	{SCOPE_SCHEDULE, "schedule", NULL},
	{SCOPE_MANUAL, "manual", NULL},
	{SCOPE_CONCURRENCY, "concurrency", NULL},
	{SCOPE_WHEN, "when", "\"minProperties\": 1, \"additionalProperties\": false"},
	{SCOPE_MATRIX, "matrix",
	 "\"minProperties\": 1, \"propertyNames\": {\"pattern\": "
	 "\"^(?!RUNBOOK_)[A-Za-z_][A-Za-z0-9_]{0,255}$\"}, \"additionalProperties\": "
	 "{\"type\": \"array\", \"minItems\": 1, \"maxItems\": 1000, \"uniqueItems\": true, "
	 "\"items\": " SCALAR "}"},
};
static_assert(ARRAY_SIZE(definitions) == SCHEMA_SCOPES - 1, "a definition for each scope but one");

static void json_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static const char *definition_name(unsigned scope)
{
	for (size_t i = 0; i < ARRAY_SIZE(definitions); i++) {
		if (definitions[i].scope == scope)
			return definitions[i].name;
	}
	return "";
}

/* Writes a shape with its holes filled. */
static void shape_write(FILE *out, const char *json, const struct schema_key *key)
{
	static const struct {
		const char *hole;
		char what;
	} holes[] = {{"@min@", 'n'}, {"@max@", 'x'}, {"@milli@", 'm'}, {"@self@", 's'}};

	while (*json) {
		char what = 0;

		for (size_t i = 0; i < ARRAY_SIZE(holes) && !what; i++) {
			size_t length = strlen(holes[i].hole);

			if (strncmp(json, holes[i].hole, length) != 0)
				continue;
			what = holes[i].what;
			json += length;
		}
		if (what == 'n')
			fprintf(out, "%" PRIu64, key->min);
		else if (what == 'x')
			fprintf(out, "%" PRIu64, key->max);
		else if (what == 'm')
			fprintf(out, "%" PRIu64, key->max / 1000);
		else if (what == 's')
			fprintf(out, "{\"$ref\": \"#/$defs/%s\"}", definition_name(key->inner));
		else
			fputc(*json++, out);
	}
}

const char *schema_shape(const struct schema_key *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		if (shapes[i].read == key->read)
			return shapes[i].json;
	}
	return NULL;
}

/* Writes the text that editors show: help and default */
static void description_write(FILE *out, const struct schema_key *key)
{
	char text[400];

	(void)snprintf(text, sizeof(text), "%s%s%s%s", key->help,
		       key->fallback ? " (default: " : "", key->fallback ? key->fallback : "",
		       key->fallback ? ")" : "");
	json_string(out, text);
}

static void scope_write(FILE *out, enum schema_scope scope, const char *more, const char *indent)
{
	size_t n, n_required = 0;
	const struct schema_key *keys = schema_keys(&n);
	bool first = true;

	fprintf(out, "%s\"type\": \"object\",\n%s\"properties\": {", indent, indent);
	for (size_t i = 0; i < n; i++) {
		if (!(keys[i].scopes & scope) || !keys[i].read)
			continue;
		fprintf(out, "%s\n%s\t", first ? "" : ",", indent);
		first = false;
		json_string(out, keys[i].name);
		fputs(": {\"description\": ", out);
		description_write(out, &keys[i]);
		fputs(", \"allOf\": [", out);
		shape_write(out, schema_shape(&keys[i]), &keys[i]);
		fputs("]}", out);
	}
	fprintf(out, "\n%s},\n", indent);
	for (size_t i = 0; i < n; i++) {
		if (!(keys[i].scopes & scope) || !keys[i].required)
			continue;
		fprintf(out, "%s", n_required++ ? ", " : "");
		if (n_required == 1)
			fprintf(out, "%s\"required\": [", indent);
		json_string(out, keys[i].name);
	}
	if (n_required)
		fputs("],\n", out);
	fprintf(out, "%s%s", indent, more ? more : "\"additionalProperties\": false");
}

char *runbook_schema_json(void)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fputs("{\n"
	      "\t\"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
	      "\t\"title\": \"runbook.yml\",\n"
	      "\t\"description\": \"What runbookd runs for a commit; see runbook.yml(5)\",\n",
	      out);
	scope_write(out, SCOPE_ROOT, NULL, "\t");
	fputs(",\n\t\"$defs\": {", out);
	for (size_t i = 0; i < ARRAY_SIZE(definitions); i++) {
		fprintf(out, "%s\n\t\t\"%s\": {\n", i ? "," : "", definitions[i].name);
		scope_write(out, definitions[i].scope, definitions[i].more, "\t\t\t");
		fputs("\n\t\t}", out);
	}
	fputs("\n\t}\n}\n", out);
	return stream_finish(out, &text);
}
