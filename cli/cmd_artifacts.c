/* SPDX-License-Identifier: Apache-2.0 */
/* runbookctl artifacts ls, get, put: the artifacts of a run, which steps or people stored. */

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/json.h"
#include "cli/report.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/limits.h"
#include "common/names.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static enum cli_exit list_artifacts(struct cli *cli, uint64_t run, json_t **ret_list,
				    struct error *error)
{
	return client_get_json(cli->client, ret_list, error, "/api/v1/runs/%" PRIu64 "/artifacts",
			       run);
}

static int run_artifacts_ls(struct cli *cli, const struct cli_arguments *arguments)
{
	cleanup_json json_t *list = NULL;
	cleanup_table struct table table = {.headings = {"KEY", "KIND", "SIZE", "AGE", "DIGEST"},
					    .n_columns = 5};
	struct error error = ERROR_INIT;
	enum cli_exit code;
	json_t *artifact;
	uint64_t run;
	size_t i;

	if (cli_run_id(arguments->list[0], &run, &error) < 0)
		return cli_usage("artifacts ls", "%s", error.text);
	code = list_artifacts(cli, run, &list, &error);
	if (code != CLI_OK)
		return cli_fail(code, &error);
	if (cli->json) {
		json_print(list);
		return CLI_OK;
	}
	json_array_foreach (json_object_get(list, "artifacts"), i, artifact) {
		uint64_t created = json_number(artifact, "created_usec");
		char text[64];

		if (created == 0)
			created = json_number(artifact, "created");
		table_row(&table);
		table_cell(&table, 0, json_text(artifact, "key"));
		table_cell(&table, 1, json_text(artifact, "kind"));
		format_bytes(text, sizeof(text), json_number(artifact, "size"));
		table_cell(&table, 2, text);
		if (created > 0) {
			format_age(text, sizeof(text), wall_usec(), created);
			table_cell(&table, 3, text);
		}
		table_cellf(&table, 4, "%.19s", json_text(artifact, "digest"));
	}
	if (json_array_size(json_object_get(list, "artifacts")) > 0)
		(void)table_print(&table, stdout, cli->color);
	else
		(void)printf("run %" PRIu64 " has no artifacts\n", run);
	return CLI_OK;
}

/*
 * Download to a temporary name in the directory of @file and rename it at the end, so
 * that a broken transfer leaves no incomplete @file.
 */
static enum cli_exit download(struct cli *cli, const char *path, const char *file,
			      uint64_t *ret_size, struct error *error)
{
	cleanup_answer struct client_answer answer = CLIENT_ANSWER_INIT;
	struct client_request request = {.path = path, .to_file = true};
	cleanup_close int fd = -1;
	char temporary[PATH_MAX];
	enum cli_exit code;

	if ((size_t)snprintf(temporary, sizeof(temporary), "%s.XXXXXX", file) >=
	    sizeof(temporary)) {
		(void)error_set(error, ENAMETOOLONG, "%s is too long a path", file);
		return CLI_USAGE;
	}
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		(void)error_errno(error, errno, "cannot create %s", temporary);
		return CLI_REFUSED;
	}
	request.output_fd = fd;
	code = client_call(cli->client, &request, &answer, error);
	*ret_size = answer.written;
	if (code == CLI_OK) {
		mode_t mask = umask(0);

		(void)umask(mask);
		if (fchmod(fd, 0666 & ~mask) == 0 && fsync(fd) == 0 && rename(temporary, file) == 0)
			return CLI_OK;
		(void)error_errno(error, errno, "cannot write %s", file);
		code = CLI_REFUSED;
	}
	(void)unlink(temporary);
	return code;
}

static enum cli_exit find_kind(struct cli *cli, uint64_t run, const char *key, bool *ret_directory,
			       struct error *error)
{
	cleanup_json json_t *list = NULL;
	enum cli_exit code = list_artifacts(cli, run, &list, error);
	json_t *artifact;
	size_t i;

	if (code != CLI_OK)
		return code;
	json_array_foreach (json_object_get(list, "artifacts"), i, artifact) {
		if (strcmp(json_text(artifact, "key"), key) != 0)
			continue;
		*ret_directory = strcmp(json_text(artifact, "kind"), "directory") == 0;
		return CLI_OK;
	}
	(void)error_set(error, ENOENT,
			"run %" PRIu64 " has no artifact \"%s\" (\"runbookctl artifacts ls %" PRIu64
			"\" lists them)",
			run, key, run);
	return CLI_NOT_FOUND;
}

/*
 * Open @file if it must be written in place: a rename would replace a device, a pipe or
 * a symbolic link. "-" is standard output. Return: a descriptor, -ENOENT if a file is to
 * be made or replaced by renaming, or -errno.
 */
static int open_in_place(const char *file)
{
	struct stat st;
	int fd;

	if (strcmp(file, "-") == 0)
		return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (lstat(file, &st) < 0 || S_ISREG(st.st_mode))
		return -ENOENT;
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return fd < 0 ? -errno : fd;
}

static enum cli_exit stream_to(struct cli *cli, const char *path, int fd, struct error *error)
{
	cleanup_answer struct client_answer answer = CLIENT_ANSWER_INIT;
	struct client_request request = {.path = path, .to_file = true, .output_fd = fd};

	(void)fflush(stdout);
	return client_call(cli->client, &request, &answer, error);
}

static int run_artifacts_get(struct cli *cli, const struct cli_arguments *arguments)
{
	struct error error = ERROR_INIT;
	const char *key = arguments->list[1];
	bool directory = false;
	char path[URL_MAX], file[PATH_MAX];
	enum cli_exit code;
	uint64_t run, size;

	if (cli_run_id(arguments->list[0], &run, &error) < 0)
		return cli_usage("artifacts get", "%s", error.text);
	if (!artifact_key_valid(key))
		return cli_usage("artifacts get",
				 "\"%s\" is not an artifact key (letters, digits and ._-/ only)",
				 key);
	code = find_kind(cli, run, key, &directory, &error);
	if (code != CLI_OK)
		return cli_fail(code, &error);
	(void)snprintf(path, sizeof(path), "/api/v1/runs/%" PRIu64 "/artifacts/%s", run, key);
	if (arguments->n > 2) {
		cleanup_close int fd = open_in_place(arguments->list[2]);

		if (fd >= 0) {
			code = stream_to(cli, path, fd, &error);
			return code == CLI_OK ? CLI_OK : cli_fail(code, &error);
		}
		if (fd != -ENOENT) {
			(void)error_errno(&error, -fd, "cannot write %s", arguments->list[2]);
			return cli_fail(CLI_REFUSED, &error);
		}
		(void)snprintf(file, sizeof(file), "%s", arguments->list[2]);
	} else {
		const char *slash = strrchr(key, '/');

		(void)snprintf(file, sizeof(file), "%s%s", slash ? slash + 1 : key,
			       directory ? ".tar" : "");
	}
	code = download(cli, path, file, &size, &error);
	if (code != CLI_OK)
		return cli_fail(code, &error);
	if (cli->json) {
		cleanup_json json_t *result =
			json_pack("{s:s, s:s, s:s, s:I}", "key", key, "file", file, "kind",
				  directory ? "directory" : "file", "size", (json_int_t)size);

		json_print(result);
	} else {
		char text[32];

		format_bytes(text, sizeof(text), size);
		(void)printf("%s: %s%s\n", file, text,
			     directory ? " (a tar of the directory)" : "");
	}
	return CLI_OK;
}

/* Open @file, which must be a regular file of known size. Return: fd, or -1 with @error. */
static int open_source(const char *file, uint64_t *ret_size, struct error *error)
{
	cleanup_close int fd = strcmp(file, "-") == 0
				       ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
				       : open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		(void)error_errno(error, errno, "cannot read %s", file);
		return -1;
	}
	if (S_ISREG(st.st_mode)) {
		*ret_size = (uint64_t)st.st_size;
		return TAKE_FD(fd);
	}
	(void)error_set(error, EINVAL,
			S_ISDIR(st.st_mode) ? "%s is a directory: put a tar of it, steps unpack it"
					    : "%s is not a regular file: copy it to one first",
			file);
	return -1;
}

static int run_artifacts_put(struct cli *cli, const struct cli_arguments *arguments)
{
	cleanup_answer struct client_answer answer = CLIENT_ANSWER_INIT;
	struct client_request request = {.method = "PUT"};
	struct error error = ERROR_INIT;
	const char *key = arguments->list[1];
	cleanup_close int fd = -1;
	char path[URL_MAX], text[32];
	enum cli_exit code;
	uint64_t run;

	if (cli_run_id(arguments->list[0], &run, &error) < 0)
		return cli_usage("artifacts put", "%s", error.text);
	if (!artifact_key_valid(key))
		return cli_usage("artifacts put",
				 "\"%s\" is not an artifact key (letters, digits and ._-/ only)",
				 key);
	fd = open_source(arguments->list[2], &request.body_fd_size, &error);
	if (fd < 0)
		return cli_fail(CLI_USAGE, &error);
	(void)snprintf(path, sizeof(path), "/api/v1/runs/%" PRIu64 "/artifacts/%s", run, key);
	request.path = path;
	request.body_fd = fd;
	code = client_call(cli->client, &request, &answer, &error);
	if (code != CLI_OK)
		return cli_fail(code, &error);
	if (cli->json) {
		json_print(answer.json);
		return CLI_OK;
	}
	format_bytes(text, sizeof(text), request.body_fd_size);
	(void)printf("%s: %s\n", key, text);
	return CLI_OK;
}

const struct cli_command cmd_artifacts_put = {
	.name = "artifacts put",
	.arguments = "RUN KEY FILE",
	.n_min = 3,
	.n_max = 3,
	.summary = "store a file as an artifact of a run",
	.description =
		"Works like \"cacher put\" in a step, with the same limits. An existing key is "
		"replaced.",
	.handler = run_artifacts_put,
};

const struct cli_command cmd_artifacts_ls = {
	.name = "artifacts ls",
	.arguments = "RUN",
	.n_min = 1,
	.n_max = 1,
	.summary = "list the artifacts of a run",
	.handler = run_artifacts_ls,
};

const struct cli_command cmd_artifacts_get = {
	.name = "artifacts get",
	.arguments = "RUN KEY [FILE]",
	.n_min = 2,
	.n_max = 3,
	.summary = "download an artifact (FILE \"-\": standard output)",
	.description = "A directory is downloaded as a tar archive. Without FILE the name is the "
		       "last part of KEY.",
	.handler = run_artifacts_get,
};
