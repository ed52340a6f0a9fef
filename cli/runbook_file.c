/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/runbook_file.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/runbook_name.h"
#include "common/zones.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum cli_exit runbook_file_parse(char *text, size_t size, struct runbook_file *file,
				 struct error *error)
{
	int result;

	file->text = text;
	file->size = size;
	result = runbook_parse(text, size, &file->runbook, file->findings, &file->n_findings);
	if (result == 0 || result == -EINVAL)
		return CLI_OK;
	(void)error_errno(error, -result, "cannot check the runbook");
	return CLI_REFUSED;
}

/* A more useful error than "No such file": the runbook may have another name. */
static enum cli_exit cannot_open(const char *path, int number, struct error *error)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *misnamed;
	int length = slash ? (int)(slash - path) + 1 : 2;
	cleanup_close int dir_fd = -1;
	char directory[PATH_MAX];

	if (number != ENOENT || strcmp(base, RUNBOOK_FILE) != 0) {
		(void)error_errno(error, number, "cannot read %s", path);
		return number == ENOENT ? CLI_NOT_FOUND : CLI_REFUSED;
	}
	(void)snprintf(directory, sizeof(directory), "%.*s", length, slash ? path : "./");
	dir_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	misnamed = dir_fd < 0 ? NULL : runbook_misnamed(dir_fd);
	if (misnamed)
		(void)error_set(error, ENOENT, "%s: " RUNBOOK_MISNAMED, directory, misnamed);
	else
		(void)error_set(error, ENOENT,
				"%s has no " RUNBOOK_FILE
				" (see runbook.yml(5) for how to write one)",
				directory);
	return CLI_NOT_FOUND;
}

enum cli_exit runbook_file_read(const char *path, struct runbook_file *file, struct error *error)
{
	cleanup_close int fd = -1;
	char *text;
	size_t size;
	int result;

	if (strcmp(path, "-") == 0)
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cannot_open(path, errno, error);
	result = fd_read_file(fd, RUNBOOK_BYTES_MAX, &text, &size);
	if (result == -EFBIG) { /* the parser's finding, without reading the whole file */
		file->findings[0] = (struct runbook_finding){
			.place = {1, 1},
			.message = "the file is larger than 1 MiB",
			.fix = "put long commands into scripts of the repository"};
		file->n_findings = 1;
		return CLI_OK;
	}
	if (result < 0) {
		(void)error_errno(error, -result, "cannot read %s", path);
		return CLI_REFUSED;
	}
	return runbook_file_parse(text, size, file, error);
}

bool runbook_file_check_zones(struct runbook_file *file)
{
	static const struct runbook_zones zones = {.known = zone_known, .names = zone_names};
	bool named = false;

	for (size_t i = 0; file->runbook && i < file->runbook->n_schedules; i++)
		named = named || !zone_known(file->runbook->schedules[i].timezone
						     ? file->runbook->schedules[i].timezone
						     : "");
	if (!named)
		return true;
	if (!zones_present())
		return false;
	file->n_findings = runbook_check_zones(file->runbook, &zones, file->findings);
	return true;
}

void runbook_file_print_findings(const struct cli *cli, const char *name,
				 const struct runbook_file *file)
{
	for (size_t i = 0; i < file->n_findings; i++) {
		char line[1400];

		runbook_finding_format(line, sizeof(line), name, &file->findings[i]);
		(void)fprintf(stderr, "%s\n", line);
	}
	(void)fprintf(stderr, "%s: %zu problem%s\n", name, file->n_findings,
		      file->n_findings == 1 ? "" : "s");
}

void runbook_file_done(struct runbook_file *file)
{
	free(file->text);
	file->runbook = runbook_free(file->runbook);
	file->text = NULL;
}
