/* SPDX-License-Identifier: Apache-2.0 */
#include "common/image.h"

#include "common/names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char record_magic[] = "runbook-image 1";
static const char transport[] = "docker://";

bool image_id_valid(const char *id)
{
	return strlen(id) == IMAGE_ID_SIZE - 1 &&
	       strspn(id, "0123456789abcdef") == IMAGE_ID_SIZE - 1;
}

static bool name_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool image_name_valid(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > IMAGE_NAME_MAX || !name_letter(name[0]) ||
	    !name_letter(name[length - 1]))
		return false;
	for (const char *at = name; *at; at++) {
		if (!name_letter(*at) && !strchr("._/:@-", *at))
			return false;
	}
	return !strstr(name, "..") && !strstr(name, "//") && !strstr(name, "/.");
}

void image_name_file(const char *name, char *out)
{
	size_t i = 0;

	for (; i < IMAGE_NAME_MAX && name[i]; i++)
		out[i] = name[i] == '/' ? '+' : name[i];
	out[i] = '\0';
}

const char *image_name_strip(const char *name)
{
	return strncmp(name, transport, sizeof(transport) - 1) == 0 ? name + sizeof(transport) - 1
								    : name;
}

bool image_name_is_reference(const char *name)
{
	const char *slash = strchr(name, '/');
	size_t length = slash ? (size_t)(slash - name) : 0;

	if (image_name_strip(name) != name)
		return true;
	if (length == 9 && memcmp(name, "localhost", 9) == 0)
		return true;
	return memchr(name, '.', length) || memchr(name, ':', length);
}

void image_name_default(const char *name, char *out, size_t size)
{
	const char *last = strrchr(name, '/');
	bool complete = strchr(last ? last : name, ':') || strchr(name, '@');

	(void)snprintf(out, size, "%s%s", name, complete ? "" : ":latest");
}

/* ---- records ---- */

static int record_number(const char *text, uint64_t max, uint64_t *ret_number)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -EBADMSG;
	errno = 0;
	*ret_number = strtoull(text, &end, 10);
	return errno || *end || *ret_number > max ? -EBADMSG : 0;
}

static int parse_ids(const char *text, struct image_record *record)
{
	const char *colon = strchr(text, ':');
	char user[16];
	uint64_t uid, gid;

	if (!colon || (size_t)(colon - text) >= sizeof(user))
		return -EBADMSG;
	(void)snprintf(user, sizeof(user), "%.*s", (int)(colon - text), text);
	if (record_number(user, ID_STEP_RANGE - 1, &uid) < 0 ||
	    record_number(colon + 1, ID_STEP_RANGE - 1, &gid) < 0)
		return -EBADMSG;
	record->uid = (uint32_t)uid;
	record->gid = (uint32_t)gid;
	return 0;
}

static int parse_env(const char *text, struct image_record *record)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text || record->n_env == IMAGE_ENV_MAX)
		return -EBADMSG;
	record->env[record->n_env++] = text;
	return 0;
}

static int parse_item(const char *item, struct image_record *record)
{
	const char *value = item + 1;

	switch (item[0]) {
	case 'i':
		record->id = value;
		return image_id_valid(value) ? 0 : -EBADMSG;
	case 's':
		record->source = value;
		return text_printable(value) ? 0 : -EBADMSG;
	case 't':
		return record_number(value, INT64_MAX, &record->created_usec);
	case 'b':
		return record_number(value, INT64_MAX, &record->bytes);
	case 'w':
		record->workdir = value;
		return value[0] == '\0' || (value[0] == '/' && text_printable(value)) ? 0
										      : -EBADMSG;
	case 'u':
		return parse_ids(value, record);
	case 'p':
		record->passwd = value;
		return strlen(value) <= IMAGE_ACCOUNTS_MAX ? 0 : -EBADMSG;
	case 'g':
		record->group = value;
		return strlen(value) <= IMAGE_ACCOUNTS_MAX ? 0 : -EBADMSG;
	case 'e':
		return parse_env(value, record);
	case 'l':
		if (!image_id_valid(value) || record->n_layers == IMAGE_LAYERS_MAX)
			return -EBADMSG;
		record->layers[record->n_layers++] = value;
		return 0;
	case 'd':
		if (!image_id_valid(value) || record->n_blobs == IMAGE_LAYERS_MAX + 2)
			return -EBADMSG;
		record->blobs[record->n_blobs++] = value;
		return 0;
	default:
		return -EBADMSG;
	}
}

int image_record_parse(const char *data, size_t size, struct image_record *ret_record)
{
	*ret_record = (struct image_record){.source = "", .workdir = ""};
	if (size < sizeof(record_magic) || size > IMAGE_RECORD_MAX || data[size - 1] != '\0' ||
	    memcmp(data, record_magic, sizeof(record_magic)) != 0)
		return -EBADMSG;
	for (size_t at = sizeof(record_magic); at < size; at += strlen(data + at) + 1) {
		if (parse_item(data + at, ret_record) < 0)
			return -EBADMSG;
	}
	return ret_record->id && ret_record->n_layers > 0 ? 0 : -EBADMSG;
}

int image_record_format(const struct image_record *record, char **ret_data, size_t *ret_size)
{
	FILE *stream = open_memstream(ret_data, ret_size);
	bool failed;

	if (!stream)
		return -ENOMEM;
	(void)fprintf(stream, "%s%c", record_magic, 0);
	(void)fprintf(stream, "i%s%cs%s%c", record->id, 0, record->source, 0);
	(void)fprintf(stream, "t%" PRIu64 "%cb%" PRIu64 "%c", record->created_usec, 0,
		      record->bytes, 0);
	(void)fprintf(stream, "w%s%cu%u:%u%c", record->workdir, 0, record->uid, record->gid, 0);
	if (record->passwd)
		(void)fprintf(stream, "p%s%c", record->passwd, 0);
	if (record->group)
		(void)fprintf(stream, "g%s%c", record->group, 0);
	for (size_t i = 0; i < record->n_env; i++)
		(void)fprintf(stream, "e%s%c", record->env[i], 0);
	for (size_t i = 0; i < record->n_layers; i++)
		(void)fprintf(stream, "l%s%c", record->layers[i], 0);
	for (size_t i = 0; i < record->n_blobs; i++)
		(void)fprintf(stream, "d%s%c", record->blobs[i], 0);
	failed = ferror(stream) != 0;
	if (fclose(stream) != 0 || failed) {
		free(*ret_data);
		return -ENOMEM;
	}
	if (*ret_size > IMAGE_RECORD_MAX) {
		free(*ret_data);
		return -E2BIG;
	}
	return 0;
}
