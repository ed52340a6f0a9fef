/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All texts about images that come from outside: index, manifest and configuration of an image,
 * the unpacker's report, records, names of users. The first byte chooses the parser of the rest.
 */
#include "common/image.h"
#include "common/step_user.h"
#include "images/oci.h"
#include "images/report.h"
#include "images/scope.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A refusal must have a reason, and an accepted value must be within its bounds. */
static void expect(bool held)
{
	if (!held)
		abort();
}

static void fuzz_oci(const char *text, size_t size)
{
	const char *config = memchr(text, '\n', size);
	struct oci_image image = {.n_layers = 0};
	struct error error = ERROR_INIT;
	char id[IMAGE_ID_SIZE];
	int r;

	if (oci_parse_index(text, size, id, &error) == 0)
		expect(image_id_valid(id));
	else
		expect(error.text[0] != '\0');
	/* manifest, newline, configuration */
	r = oci_parse_manifest(text, config ? (size_t)(config - text) : size, &image, id, &error);
	if (r == 0 && config)
		r = oci_parse_config(config + 1, size - (size_t)(config + 1 - text), &image,
				     &error);
	if (r == 0) {
		expect(image.n_layers > 0 && image.n_layers <= IMAGE_LAYERS_MAX);
		expect(image_id_valid(image.layers[0].digest));
	}
	oci_clear(&image);
}

static void fuzz_report(char *text, size_t size)
{
	struct report report;

	if (report_parse(text, size, &report) < 0)
		return;
	expect(report.refusal || image_id_valid(report.layer));
	expect(report.refusal || (!report.damaged && report.number == 0));
	expect(report.number >= 0 && report.number <= ERRNO_MAX);
	for (size_t i = 0; i < report.n_opaque; i++)
		expect(report.opaque[i][0] != '/');
	report_clear(&report);
}

static void fuzz_record(const char *text, size_t size)
{
	struct image_record record, again;
	size_t formatted_size;
	char *formatted;

	if (image_record_parse(text, size, &record) < 0)
		return;
	expect(record.n_layers > 0 && record.uid < ID_STEP_RANGE);
	if (image_record_format(&record, &formatted, &formatted_size) < 0)
		return; /* defaults may make the name longer than the limit */
	expect(image_record_parse(formatted, formatted_size, &again) == 0);
	expect(strcmp(record.id, again.id) == 0 && record.n_env == again.n_env);
	free(formatted);
}

static void fuzz_user(const char *text, size_t size)
{
	const char *passwd = text + strlen(text) + 1;
	struct error error = ERROR_INIT;
	uint32_t uid, gid;

	if (passwd > text + size)
		passwd = NULL;
	char *users = step_user_compact(passwd, 2, 4096);

	/* the compact form of a file can be resolved without the file */
	expect((!passwd || users) && (!users || strlen(users) <= 4096));
	free(users);
	if (step_user_resolve(text, passwd, passwd, &uid, &gid, &error) == 0)
		expect(uid < ID_STEP_RANGE && gid < ID_STEP_RANGE);
	else
		expect(error.text[0] != '\0');
}

/* The first line is a scope, the rest credentials. */
static void fuzz_scope(char *text, size_t size)
{
	static const char id[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	char formatted[IMAGE_SCOPE_MAX + IMAGE_ID_SIZE + 16];
	char *auth = memchr(text, '\n', size);
	struct scope scope, again;

	if (auth) {
		*auth++ = '\0';
		(void)auth_covers(auth, size - (size_t)(auth - text), "registry.example/a/b:1");
	}
	if (scope_parse(text, id, &scope) < 0)
		return;
	scope_add(&scope, "project");
	expect(strlen(scope.projects) <= IMAGE_SCOPE_MAX);
	scope_format(&scope, id, formatted, sizeof(formatted));
	expect(scope_parse(formatted, id, &again) == 0);
	expect(memcmp(&scope, &again, offsetof(struct scope, projects)) == 0 &&
	       strcmp(scope.projects, again.projects) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char file[IMAGE_NAME_MAX + 1];
	char *text;

	if (size < 1)
		return 0;
	text = malloc(size);
	if (!text)
		abort();
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0] % 6) {
	case 0:
		fuzz_oci(text, size - 1);
		break;
	case 1:
		fuzz_report(text, size - 1);
		break;
	case 2:
		fuzz_record(text, size - 1);
		break;
	case 3:
		fuzz_user(text, size - 1);
		break;
	case 4:
		fuzz_scope(text, size - 1);
		break;
	default:
		image_name_file(text, file);
		if (image_name_valid(text))
			expect(!strchr(file, '/') && file[0] != '.');
		break;
	}
	free(text);
	return 0;
}
