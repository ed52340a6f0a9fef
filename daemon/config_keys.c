/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The tables at the end of this file are the whole schema. inih splits the lines. The
 * callback that gives it lines is ours, because only there line numbers, sections
 * without keys, lines that are too long, and bytes that are not text can be noticed.
 */

#include "daemon/config_keys.h"

#include "common/cleanup.h"
#include "common/image.h"
#include "common/names.h"
#include "common/providers.h"
#include "common/remote.h"
#include "daemon/config.h"
#include "daemon/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ini.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#define KEEP_AGE_MAX (100ULL * 365 * 86400)
#define KEEP_COUNT_MAX 1000000000ULL

/* ---- values ---- */

static int set_string(const struct config_key *key, void *field, const char *value, int again,
		      struct error *error)
{
	char **text = field;
	char *copy = NULL;

	if (strlen(value) > key->maximum)
		return error_set(error, EINVAL, "the value is longer than %llu bytes",
				 (unsigned long long)key->maximum);
	if (value[0] != '\0') {
		copy = strdup(value);
		if (!copy)
			return error_set(error, ENOMEM, "out of memory");
	}
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = copy;
	return 0;
}

static int set_path(const struct config_key *key, void *field, const char *value, int again,
		    struct error *error)
{
	if (value[0] != '\0' && value[0] != '/')
		return error_set(error, EINVAL, "\"%s\" is not absolute: write the path from /",
				 value);
	return set_string(key, field, value, again, error);
}

static int store_number(const struct config_key *key, void *field, uint64_t number, int result,
			const char *value, const char *example, struct error *error)
{
	if (result < 0 || number < key->minimum || number > key->maximum)
		return error_set(error, EINVAL, "\"%s\" is not a value from %llu to %llu (%s)",
				 value, (unsigned long long)key->minimum,
				 (unsigned long long)key->maximum, example);
	*(uint64_t *)field = number;
	return 0;
}

static int set_count(const struct config_key *key, void *field, const char *value, int again,
		     struct error *error)
{
	uint64_t number = 0;
	int result = 0;
	char *end;

	errno = 0;
	number = strtoull(value, &end, 10);
	if (errno != 0 || value[0] < '0' || value[0] > '9' || *end != '\0')
		result = -EINVAL;
	return store_number(key, field, number, result, value, "a plain number", error);
}

static int set_size(const struct config_key *key, void *field, const char *value, int again,
		    struct error *error)
{
	uint64_t number = 0;
	int result = parse_size(value, &number);

	return store_number(key, field, number, result, value, "bytes, like 512M or 10G", error);
}

/* Limits: an empty value removes an earlier one. */
static int limit_count(const struct config_key *key, void *field, const char *value, int again,
		       struct error *error)
{
	*(uint64_t *)field = 0;
	return value[0] ? set_count(key, field, value, again, error) : 0;
}

static int limit_size(const struct config_key *key, void *field, const char *value, int again,
		      struct error *error)
{
	*(uint64_t *)field = 0;
	return value[0] ? set_size(key, field, value, again, error) : 0;
}

static int limit_cpus(const struct config_key *key, void *field, const char *value, int again,
		      struct error *error)
{
	uint64_t milli = 0;

	if (value[0] &&
	    (parse_cpus(value, &milli) < 0 || milli < key->minimum || milli > key->maximum))
		return error_set(error, EINVAL,
				 "\"%s\" is not a number of processors from 0.01 to 8192, like 1.5",
				 value);
	*(uint64_t *)field = milli;
	return 0;
}

static int set_duration(const struct config_key *key, void *field, const char *value, int again,
			struct error *error)
{
	uint64_t number = 0;
	int result = parse_duration(value, &number);

	return store_number(key, field, number, result, value, "seconds, like 90s or 1h30m", error);
}

/* A value that a project may inherit: an empty value removes an earlier one. */
static int inherit_duration(const struct config_key *key, void *field, const char *value, int again,
			    struct error *error)
{
	*(uint64_t *)field = CONFIG_INHERIT;
	return value[0] ? set_duration(key, field, value, again, error) : 0;
}

/* Retention: "none" means no limit; an empty value removes an earlier one. */
static int keep_value(const struct config_key *key, void *field, const char *value, int again,
		      int (*set)(const struct config_key *, void *, const char *, int,
				 struct error *),
		      struct error *error)
{
	*(uint64_t *)field = strcmp(value, "none") == 0 ? CONFIG_NO_LIMIT : 0;
	return value[0] && strcmp(value, "none") != 0 ? set(key, field, value, again, error) : 0;
}

static int keep_age(const struct config_key *key, void *field, const char *value, int again,
		    struct error *error)
{
	return keep_value(key, field, value, again, set_duration, error);
}

static int keep_count(const struct config_key *key, void *field, const char *value, int again,
		      struct error *error)
{
	return keep_value(key, field, value, again, set_count, error);
}

static int keep_bytes(const struct config_key *key, void *field, const char *value, int again,
		      struct error *error)
{
	return keep_value(key, field, value, again, set_size, error);
}

static int set_limits(const struct config_key *key, void *field, const char *value, int again,
		      struct error *error)
{
	if (strcmp(value, "required") == 0)
		*(uint64_t *)field = SANDBOX_LIMITS_REQUIRED;
	else if (strcmp(value, "best-effort") == 0)
		*(uint64_t *)field = SANDBOX_LIMITS_BEST_EFFORT;
	else
		return error_set(error, EINVAL, "\"%s\" is neither required nor best-effort",
				 value);
	return 0;
}

static int list_append(struct config_list *list, const char *value, int again, struct error *error)
{
	/* a later file replaces the list; an empty value empties it */
	if (!again || value[0] == '\0') {
		for (size_t i = 0; i < list->n_items; i++)
			free(list->items[i]);
		memset(list, 0, sizeof(*list));
	}
	if (value[0] == '\0')
		return 0;
	if (list->n_items == CONFIG_LIST_MAX)
		return error_set(error, EINVAL, "more than %d values", CONFIG_LIST_MAX);
	list->items[list->n_items] = strdup(value);
	if (!list->items[list->n_items])
		return error_set(error, ENOMEM, "out of memory");
	list->n_items++;
	return 0;
}

static int set_listen(const struct config_key *key, void *field, const char *value, int again,
		      struct error *error)
{
	struct listen_address address;

	if (value[0] != '\0' && listen_parse(value, &address, error) < 0)
		return -EINVAL;
	return list_append(field, value, again, error);
}

/* Dns=1.1.1.1 9.9.9.9: separated by spaces or commas, and several lines. */
static int set_dns(const struct config_key *key, void *field, const char *value, int again,
		   struct error *error)
{
	cleanup_free char *copy = NULL;
	struct in6_addr address;
	char *rest = NULL;
	int result = 0;

	if (value[0] == '\0')
		return list_append(field, "", again, error);
	copy = strdup(value);
	if (!copy)
		return error_set(error, ENOMEM, "out of memory");
	for (char *word = strtok_r(copy, " ,\t", &rest); word && result == 0;
	     word = strtok_r(NULL, " ,\t", &rest)) {
		if (inet_pton(AF_INET, word, &address) != 1 &&
		    inet_pton(AF_INET6, word, &address) != 1)
			return error_set(error, EINVAL,
					 "\"%s\" is not an IP address: name servers are given by "
					 "address, like 9.9.9.9",
					 word);
		result = list_append(field, word, again, error);
		again = 1;
	}
	return result;
}

/* Labels=gpu debian-12: separated by spaces, and several lines. */
static int set_labels(const struct config_key *key, void *field, const char *value, int again,
		      struct error *error)
{
	cleanup_free char *copy = NULL;
	char *rest = NULL;
	int result = 0;

	if (value[0] == '\0')
		return list_append(field, "", again, error);
	copy = strdup(value);
	if (!copy)
		return error_set(error, ENOMEM, "out of memory");
	for (char *word = strtok_r(copy, " \t", &rest); word && result == 0;
	     word = strtok_r(NULL, " \t", &rest)) {
		if (strlen(word) > LABEL_MAX || !text_printable(word))
			return error_set(error, EINVAL,
					 "\"%.80s\" is not a label: at most %d printable bytes",
					 word, LABEL_MAX);
		result = list_append(field, word, again, error);
		again = 1;
	}
	return result;
}

/* Allow=10.1.2.0/24:443 [fd00::/8]:443: separated by spaces, and several lines. */
static int set_rules(const struct config_key *key, void *field, const char *value, int again,
		     struct error *error)
{
	struct config_rules *list = field;
	cleanup_free char *copy = strdup(value);
	char *rest = NULL;

	if (!copy)
		return error_set(error, ENOMEM, "out of memory");
	if (!again || value[0] == '\0')
		list->n_rules = 0;
	if (!list->rules)
		list->rules = calloc(NETWORK_RULES_MAX, sizeof(*list->rules));
	if (!list->rules)
		/* cppcheck-suppress memleak ; it is freed with its scope */
		return error_set(error, ENOMEM, "out of memory");
	for (char *word = strtok_r(copy, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
		if (list->n_rules == NETWORK_RULES_MAX)
			return error_set(error, EINVAL, "more than %d destinations",
					 NETWORK_RULES_MAX);
		if (network_rule_parse(word, &list->rules[list->n_rules++], error) < 0)
			return -EINVAL;
	}
	return 0;
}

static int set_url(const struct config_key *key, void *field, const char *value, int again,
		   struct error *error)
{
	size_t length = strlen(value);
	cleanup_free char *copy = NULL;

	if (length > 0 && strncmp(value, "http://", 7) != 0 && strncmp(value, "https://", 8) != 0)
		return error_set(error, EINVAL, "\"%s\" must start with http:// or https://",
				 value);
	while (length > 0 && value[length - 1] == '/')
		length--;
	if (length > 0 && (value[length - 1] == ':' || strstr(value, ":///")))
		return error_set(error, EINVAL, "\"%s\" lacks a host, or a port after its colon",
				 value);
	copy = strndup(value, length);
	if (!copy)
		return error_set(error, ENOMEM, "out of memory");
	return set_string(key, field, copy, again, error);
}

static int set_provider(const struct config_key *key, void *field, const char *value, int again,
			struct error *error)
{
	if (provider_known(value))
		return set_string(key, field, value, again, error);
	return error_set(error, EINVAL, "unknown provider \"%s\": choose " PROVIDERS_TEXT, value);
}

/* Insecure=registry.local:5000, AllowPrivate=registry.local:5000: lists */
static int set_registry(const struct config_key *key, void *field, const char *value, int again,
			struct error *error)
{
	if (value[0] != '\0' && (!image_name_valid(value) || strchr(value, '/')))
		return error_set(
			error, EINVAL,
			"\"%s\" is not a registry: write its host, and :port where it has one",
			value);
	return list_append(field, value, again, error);
}

/* Fork=debian:12 registry.example:*: patterns, separated by blanks, and several lines. */
static int set_image_patterns(const struct config_key *key, void *field, const char *value,
			      int again, struct error *error)
{
	cleanup_free char *copy = NULL;
	char *rest = NULL;
	int result = 0;

	if (value[0] == '\0')
		return list_append(field, "", again, error);
	copy = strdup(value);
	if (!copy)
		return error_set(error, ENOMEM, "out of memory");
	for (char *word = strtok_r(copy, " \t", &rest); word && result == 0;
	     word = strtok_r(NULL, " \t", &rest)) {
		if (strlen(word) > IMAGE_NAME_MAX || !text_printable(word) || strchr(word, '\\'))
			return error_set(error, EINVAL,
					 "\"%.80s\" is not a pattern of image names: write a name "
					 "with its tag, and * for any characters",
					 word);
		result = list_append(field, image_name_strip(word), again, error);
		again = 1;
	}
	return result;
}

static int set_pull(const struct config_key *key, void *field, const char *value, int again,
		    struct error *error)
{
	if (strcmp(value, "missing") != 0 && strcmp(value, "never") != 0)
		return error_set(error, EINVAL, "\"%s\" is neither missing nor never", value);
	*(uint64_t *)field = strcmp(value, "missing") == 0;
	return 0;
}

static int set_bool(const struct config_key *key, void *field, const char *value, int again,
		    struct error *error)
{
	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return error_set(error, EINVAL, "\"%s\" is neither yes nor no", value);
	*(uint64_t *)field = strcmp(value, "yes") == 0;
	return 0;
}

/* Is @url of a protocol that the fetcher knows? */
static bool is_fetched(const char *url)
{
	static const char *const schemes[] = {"https://", "http://", "ssh://", "file://"};
	const char *colon = strchr(url, ':'), *slash = strchr(url, '/');

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		if (strncmp(url, schemes[i], strlen(schemes[i])) == 0)
			return true;
	}
	/* HOST:PATH, as in scp(1) */
	return colon && (!slash || colon < slash) && !strstr(url, "://") && colon[1] != ':';
}

/* A URL that starts with '-' would be an option to a program that runs git one day. */
static int set_repository(const struct config_key *key, void *field, const char *value, int again,
			  struct error *error)
{
	struct remote remote;

	if (value[0] == '-' || !text_printable(value) || strpbrk(value, " \t"))
		return error_set(error, EINVAL, "\"%s\" is not a repository URL", value);
	if (value[0] != '\0' && !is_fetched(value))
		return error_set(
			error, EINVAL,
			"\"%s\" is not fetched: write https://, http://, ssh://, file:// or "
			"HOST:PATH",
			value);
	/* report a bad URL now, and not at the first fetch */
	if (value[0] != '\0' && remote_parse(value, &remote, error) < 0)
		return -EINVAL;
	return set_string(key, field, value, again, error);
}

/* ---- parsing ---- */

struct parser {
	const struct config_schema *schema;
	void *object;
	const char *file;
	const char *next;
	size_t left;
	unsigned line;
	uint64_t seen; /* bit i: keys[i] was given in this file */
	struct error *error;
	bool failed;
};

static int parser_fail(struct parser *parser, const struct error *cause)
{
	if (!parser->failed)
		(void)error_set(parser->error, cause->number, "%s:%u: %s", parser->file,
				parser->line, cause->text);
	parser->failed = true;
	return 0;
}

/* Levenshtein distance of two short words, without case; long words count as different. */
static unsigned word_distance(const char *a, const char *b)
{
	unsigned row[33];
	size_t n = strlen(b);

	if (strlen(a) > 32 || n > 32)
		return 99;
	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= n; j++) {
			unsigned above = row[j];
			unsigned best = diagonal + (strncasecmp(&a[i - 1], &b[j - 1], 1) != 0);

			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = above;
			row[j] = best;
		}
	}
	return row[n];
}

/* The nearest known key (or section, for @section NULL), NULL when none is near. */
static const char *nearest(const struct config_schema *schema, const char *section,
			   const char *word)
{
	unsigned best_distance = 4;
	const char *best = NULL;

	for (size_t i = 0; i < schema->n_keys; i++) {
		const struct config_key *key = &schema->keys[i];
		const char *candidate = section ? key->name : key->section;
		unsigned distance;

		if (section && strcmp(section, key->section) != 0)
			continue;
		distance = word_distance(word, candidate);
		if (distance < best_distance) {
			best_distance = distance;
			best = candidate;
		}
	}
	return best;
}

static bool section_known(const struct config_schema *schema, const char *section)
{
	for (size_t i = 0; i < schema->n_keys; i++) {
		if (strcmp(schema->keys[i].section, section) == 0)
			return true;
	}
	return false;
}

/* inih reports a section only with its first key, so look at the line itself. */
static bool check_section(struct parser *parser, const char *line)
{
	struct error cause = ERROR_INIT;
	char section[64];
	const char *end = strchr(line, ']');
	const char *hint;

	if (!end || (size_t)(end - line) >= sizeof(section)) {
		(void)error_set(&cause, EINVAL, "a section is written [Name]");
		(void)parser_fail(parser, &cause);
		return false;
	}
	(void)snprintf(section, sizeof(section), "%.*s", (int)(end - line - 1), line + 1);
	if (section_known(parser->schema, section))
		return true;
	hint = nearest(parser->schema, NULL, section);
	if (hint)
		(void)error_set(&cause, EINVAL, "unknown section [%s], did you mean [%s]?", section,
				hint);
	else
		(void)error_set(&cause, EINVAL, "unknown section [%s], see runbookd.conf(5)",
				section);
	(void)parser_fail(parser, &cause);
	return false;
}

static char *parser_read_line(char *out, int size, void *userdata)
{
	struct parser *parser = userdata;
	struct error cause = ERROR_INIT;
	const char *end;
	size_t length;

	if (parser->failed || parser->left == 0)
		return NULL;
	parser->line++;
	end = memchr(parser->next, '\n', parser->left);
	length = end ? (size_t)(end - parser->next) : parser->left;
	if (length + 3 > (size_t)size) {
		(void)error_set(&cause, EINVAL, "the line is longer than %d bytes", size - 3);
		(void)parser_fail(parser, &cause);
		return NULL;
	}
	if (!utf8_valid(parser->next, length)) {
		(void)error_set(&cause, EINVAL, "the line is not valid UTF-8 text");
		(void)parser_fail(parser, &cause);
		return NULL;
	}
	/* to inih a line with leading blanks continues the line before, so remove them */
	for (size_t skip = 0; skip <= length; skip++) {
		if (skip == length || (parser->next[skip] != ' ' && parser->next[skip] != '\t')) {
			memcpy(out, parser->next + skip, length - skip);
			out[length - skip] = '\n';
			out[length - skip + 1] = '\0';
			break;
		}
	}
	parser->left -= length + (end ? 1 : 0);
	parser->next += length + (end ? 1 : 0);
	if (out[0] == '[' && !check_section(parser, out))
		return NULL;
	return out;
}

static int parser_unknown_key(struct parser *parser, const char *section, const char *name)
{
	const char *hint = nearest(parser->schema, section, name);
	struct error cause = ERROR_INIT;

	if (section[0] == '\0')
		(void)error_set(&cause, EINVAL, "%s= stands before any [Section]", name);
	else if (hint)
		(void)error_set(&cause, EINVAL, "unknown key %s= in [%s], did you mean %s=?", name,
				section, hint);
	else
		(void)error_set(&cause, EINVAL, "unknown key %s= in [%s], see runbookd.conf(5)",
				name, section);
	return parser_fail(parser, &cause);
}

/* ini_handler: 1 is success */
static int parser_key(void *userdata, const char *section, const char *name, const char *value)
{
	struct parser *parser = userdata;
	struct error cause = ERROR_INIT;

	if (parser->failed)
		return 0;
	for (size_t i = 0; i < parser->schema->n_keys; i++) {
		const struct config_key *key = &parser->schema->keys[i];
		uint64_t bit = 1ULL << i;

		if (strcmp(section, key->section) != 0 || strcmp(name, key->name) != 0)
			continue;
		if ((parser->seen & bit) && !key->list) {
			(void)error_set(&cause, EINVAL, "%s= is given twice in this file", name);
			return parser_fail(parser, &cause);
		}
		if (key->set(key, (char *)parser->object + key->offset, value ? value : "",
			     (parser->seen & bit) != 0, &cause) < 0) {
			(void)error_wrap(&cause, "%s=", name);
			return parser_fail(parser, &cause);
		}
		parser->seen |= bit;
		return 1;
	}
	return parser_unknown_key(parser, section, name);
}

/* Debian's inih has its limits in variables; others have constants, and lack this symbol. */
extern int ini_max_line __attribute__((weak));

int config_schema_parse(const struct config_schema *schema, void *object, const char *file,
			const char *text, size_t size, struct error *error)
{
	struct parser parser = {
		.schema = schema,
		.object = object,
		.file = file,
		.next = text,
		.left = size,
		.error = error,
	};
	int line;

	if (&ini_max_line)
		ini_max_line = CONFIG_LINE_MAX;
	line = ini_parse_stream(parser_read_line, &parser, parser_key, &parser);
	if (parser.failed)
		return -EINVAL;
	if (line > 0)
		return error_set(error, EINVAL, "%s:%d: expected Key=value or [Section]", file,
				 line);
	if (line < 0)
		return error_set(error, ENOMEM, "%s: out of memory", file);
	return 0;
}

/* ---- the schema ---- */

#define MAIN(section, name, set, field, minimum, maximum, list)                                    \
	{                                                                                          \
		section, name, set, offsetof(struct config, field), minimum, maximum, list         \
	}
#define PROJECT(name, set, field, minimum, maximum)                                                \
	{                                                                                          \
		"Project", name, set, offsetof(struct config_project, field), minimum, maximum, 0  \
	}

#define KEEP_AGE(name, type, kind)                                                                 \
	{                                                                                          \
		"Retention", name "Age", keep_age,                                                 \
			offsetof(struct type, retention.kinds[kind].age_sec), 1, KEEP_AGE_MAX, 0   \
	}
#define KEEP_COUNT(name, type, kind)                                                               \
	{                                                                                          \
		"Retention", name "Count", keep_count,                                             \
			offsetof(struct type, retention.kinds[kind].count), 1, KEEP_COUNT_MAX, 0   \
	}
#define KEEP_BYTES(name, type, kind)                                                               \
	{                                                                                          \
		"Retention", name "Bytes", keep_bytes,                                             \
			offsetof(struct type, retention.kinds[kind].bytes), 1, 1ULL << 60, 0       \
	}
#define KEEP(name, type, kind)                                                                     \
	KEEP_AGE(name, type, kind), KEEP_COUNT(name, type, kind), KEEP_BYTES(name, type, kind)
/* Trees and uploads have no Bytes: their size is known only when they are removed. The Age of a
 * mirror is that of objects that no reference reaches. */
#define KEEP_ALL(type)                                                                             \
	KEEP("", type, RETENTION_RUNS), KEEP("Log", type, RETENTION_LOGS),                         \
		KEEP("Artifact", type, RETENTION_ARTIFACTS),                                       \
		KEEP_AGE("Tree", type, RETENTION_TREES),                                           \
		KEEP_COUNT("Tree", type, RETENTION_TREES),                                         \
		KEEP_AGE("Upload", type, RETENTION_UPLOADS),                                       \
		KEEP_COUNT("Upload", type, RETENTION_UPLOADS),                                     \
		KEEP_AGE("Mirror", type, RETENTION_MIRRORS)

static const struct config_key main_keys[] = {
	MAIN("Daemon", "MaxRunning", set_count, max_running, 0, 1024, 0),
	MAIN("Daemon", "Limits", set_limits, limits, 0, 0, 0),
	MAIN("Daemon", "PublicUrl", set_url, public_url, 0, URL_MAX, 0),
	MAIN("Daemon", "DefaultTimeout", set_duration, default_timeout_sec, 1,
	     CONFIG_TIMEOUT_MAX_SEC, 0),
	MAIN("Limits", "StepsMemory", limit_size, steps_memory, 4 * MIB, 1ULL << 50, 0),
	MAIN("Limits", "RunMemory", limit_size, run_limits.memory, 4 * MIB, 1ULL << 50, 0),
	MAIN("Limits", "RunPids", limit_count, run_limits.pids, 1, 4194304, 0),
	MAIN("Limits", "RunCpus", limit_cpus, run_limits.cpu_milli, 10, 8192000, 0),
	MAIN("Limits", "StepMemory", limit_size, step_limits.memory, 4 * MIB, 1ULL << 50, 0),
	MAIN("Limits", "StepPids", limit_count, step_limits.pids, 1, 4194304, 0),
	MAIN("Limits", "StepCpus", limit_cpus, step_limits.cpu_milli, 10, 8192000, 0),
	MAIN("Limits", "StepDisk", limit_size, step_disk, 4 * MIB, 1ULL << 50, 0),
	MAIN("Limits", "StepLog", set_size, step_log, LOG_LIMIT_MIN, LOG_LIMIT_MAX, 0),
	MAIN("Limits", "Logs", limit_size, logs, LOG_LIMIT_MIN, LOG_LIMIT_MAX, 0),
	MAIN("Limits", "ProjectLogs", limit_size, project_logs, LOG_LIMIT_MIN, LOG_LIMIT_MAX, 0),
	MAIN("Limits", "Artifacts", limit_size, artifacts, 1, 1ULL << 50, 0),
	MAIN("Limits", "ProjectArtifacts", limit_size, project_artifacts, 1, 1ULL << 50, 0),
	MAIN("Limits", "MinFree", set_size, min_free, 0, 1ULL << 50, 0),
	MAIN("Limits", "FetchRetry", set_duration, fetch_retry_sec, 0, FETCH_RETRY_MAX_SEC, 0),
	MAIN("Retention", "Deliveries", set_duration, deliveries_sec, 1, DELIVERIES_MAX_SEC, 0),
	MAIN("Retention", "KeepFree", keep_bytes, keep_free, 1, 1ULL << 50, 0),
	KEEP_ALL(config),
	MAIN("Host", "Labels", set_labels, host_labels, 0, 0, 1),
	MAIN("Host", "Cpus", limit_cpus, host_cpu_milli, 10, 8192000, 0),
	MAIN("Host", "Memory", limit_size, host_memory, 4 * MIB, 1ULL << 50, 0),
	MAIN("Webhook", "Listen", set_listen, webhook_listen, 0, 0, 1),
	MAIN("Api", "Listen", set_listen, api_listen, 0, 0, 1),
	MAIN("Cacher", "MaxBytes", set_size, cacher_bytes, 1, 1ULL << 50, 0),
	MAIN("Cacher", "MaxCount", set_count, cacher_count, 1, 10000000, 0),
	MAIN("Images", "Directory", set_path, images_directory, 0, PATH_MAX / 2, 0),
	MAIN("Images", "AuthFile", set_string, images_auth_file, 0, PATH_MAX - 1, 0),
	MAIN("Images", "Insecure", set_registry, images_insecure, 0, 0, 1),
	MAIN("Images", "AllowPrivate", set_registry, images_private, 0, 0, 1),
	MAIN("Images", "Fork", set_image_patterns, images_fork, 0, 0, 1),
	MAIN("Images", "Pull", set_pull, images_pull, 0, 0, 0),
	MAIN("Sandbox", "Dns", set_dns, dns, 0, 0, 1),
	MAIN("Sandbox", "NetworkPool", set_count, network_pool, 0, NETWORK_POOL_MAX, 0),
};

static const struct config_key project_keys[] = {
	PROJECT("Repository", set_repository, repository, 0, URL_MAX),
	PROJECT("Provider", set_provider, provider, 0, 32),
	PROJECT("Secret", set_string, secret_text, 0, CONFIG_SECRET_MAX),
	PROJECT("SecretFile", set_string, secret_file, 0, PATH_MAX - 1),
	PROJECT("MaxRunning", set_count, max_running, 0, 1024),
	PROJECT("Weight", set_count, weight, 1, 1000),
	PROJECT("FetchRetry", inherit_duration, fetch_retry_sec, 0, FETCH_RETRY_MAX_SEC),
	PROJECT("RunMemory", limit_size, run_limits.memory, 4 * MIB, 1ULL << 50),
	PROJECT("RunPids", limit_count, run_limits.pids, 1, 4194304),
	PROJECT("RunCpus", limit_cpus, run_limits.cpu_milli, 10, 8192000),
	PROJECT("StepLog", limit_size, step_log, LOG_LIMIT_MIN, LOG_LIMIT_MAX),
	PROJECT("Logs", limit_size, logs, LOG_LIMIT_MIN, LOG_LIMIT_MAX),
	PROJECT("Artifacts", limit_size, artifacts, 1, 1ULL << 50),
	PROJECT("SecretsForForks", set_bool, fork_secrets, 0, 1),
	PROJECT("Workspace", set_path, workspace, 0, PATH_MAX - 1),
	PROJECT("User", set_string, user, 0, 256),
	PROJECT("PasswordFile", set_string, password_file, 0, PATH_MAX - 1),
	PROJECT("SshKeyFile", set_string, ssh_key_file, 0, PATH_MAX - 1),
	PROJECT("AuthFile", set_string, auth_file, 0, PATH_MAX - 1),
	PROJECT("KnownHostsFile", set_string, known_hosts_file, 0, PATH_MAX - 1),
	KEEP_ALL(config_project),
	{"Network", "Allow", set_rules, offsetof(struct config_project, allow), 0, 0, 1},
};

_Static_assert(ARRAY_SIZE(main_keys) <= 64 && ARRAY_SIZE(project_keys) <= 64,
	       "struct parser remembers given keys in 64 bits");

const struct config_schema config_schema_main = {main_keys, ARRAY_SIZE(main_keys)};
const struct config_schema config_schema_project = {project_keys, ARRAY_SIZE(project_keys)};
