/* SPDX-License-Identifier: Apache-2.0 */
/* runbookctl image: root file systems for steps, in place of the host's. */

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/directory_tar.h"
#include "cli/instance.h"
#include "cli/json.h"
#include "cli/report.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define POLL_NSEC 200000000L

/** struct work - a pull or an import, for a running daemon or an embedded instance */
struct work {
	const char *kind; /* of an upload; NULL: a pull */
	char kind_tag[IMAGE_NAME_MAX + 1];
	const char *name, *source;
	int fd;
	uint64_t size;
};

/* ---- waiting for runbook-image ---- */

static void show_progress(const struct cli *cli, const json_t *job, char *last, size_t size)
{
	char line[160];

	if (!cli->terminal || cli->json)
		return;
	(void)snprintf(line, sizeof(line), "%s: %s", json_text(job, "state"),
		       json_text(job, "text"));
	if (strcmp(line, last) == 0)
		return;
	(void)snprintf(last, size, "%s", line);
	(void)fprintf(stderr, "\r\033[K%.100s", line);
}

/* Poll a job of runbook-image until it has ended, and show its progress. Return: the exit code. */
static int wait_for_job(struct cli *cli, uint64_t id)
{
	const struct timespec pause = {.tv_nsec = POLL_NSEC};
	char last[160] = "";

	for (;;) {
		cleanup_json json_t *job = NULL;
		struct error error = ERROR_INIT;
		enum cli_exit code = client_get_json(cli->client, &job, &error,
						     "/api/v1/images/jobs/%" PRIu64, id);
		const char *state = json_text(job, "state");

		if (code == CLI_NOT_FOUND)
			(void)error_set(&error, ENOENT,
					"runbook-image was restarted: repeat the command, "
					"existing layers are not fetched again");
		if (code != CLI_OK)
			return cli_fail(CLI_REFUSED, &error);
		show_progress(cli, job, last, sizeof(last));
		if (strcmp(state, "done") == 0 || strcmp(state, "failed") == 0) {
			if (last[0])
				(void)fprintf(stderr, "\r\033[K");
			if (strcmp(state, "failed") == 0) {
				(void)error_set(&error, EIO, "%s: %s", json_text(job, "name"),
						json_text(job, "text"));
				return cli_fail(CLI_FAILED, &error);
			}
			if (cli->json)
				json_print(job);
			else
				(void)printf("%s is here (%.12s)\n", json_text(job, "name"),
					     json_text(job, "text"));
			return CLI_OK;
		}
		(void)nanosleep(&pause, NULL);
	}
}

static int do_pull(struct cli *cli, void *userdata)
{
	const struct work *work = userdata;
	cleanup_json json_t *body = json_pack("{s:s, s:s}", "source", work->source, "name",
					      work->name ? work->name : "");
	cleanup_json json_t *answer = NULL;
	struct error error = ERROR_INIT;
	enum cli_exit code;

	code = client_post_json(cli->client, body, false, &answer, &error, "/api/v1/images/pull");
	return code == CLI_OK ? wait_for_job(cli, json_number(answer, "job"))
			      : cli_fail(code, &error);
}

static int do_upload(struct cli *cli, void *userdata)
{
	const struct work *work = userdata;
	cleanup_free char *name = client_escape(work->name), *kind = client_escape(work->kind);
	cleanup_answer struct client_answer answer = CLIENT_ANSWER_INIT;
	struct client_request request = {
		.method = "POST", .body_fd = work->fd, .body_fd_size = work->size};
	struct error error = ERROR_INIT;
	char path[2048];
	enum cli_exit code;

	if (!name || !kind) {
		cli_note("out of memory");
		return CLI_REFUSED;
	}
	(void)snprintf(path, sizeof(path), "/api/v1/uploads/images?name=%s&kind=%s", name, kind);
	request.path = path;
	code = client_call(cli->client, &request, &answer, &error);
	return code == CLI_OK ? wait_for_job(cli, json_number(answer.json, "job"))
			      : cli_fail(code, &error);
}

/* ---- arguments ---- */

static int open_upload(struct work *work, const char *path, struct error *error)
{
	struct stat st;

	work->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (work->fd < 0 || fstat(work->fd, &st) < 0)
		return error_errno(error, errno, "cannot open %s", path);
	if (S_ISDIR(st.st_mode)) {
		(void)close(TAKE_FD(work->fd));
		work->fd = directory_tar(path, DIRECTORY_TAR_ROOT, NULL, 0, &work->size, error);
		return work->fd < 0 ? work->fd : 0;
	}
	if (!S_ISREG(st.st_mode))
		return error_set(error, EINVAL, "%s is neither a file nor a directory", path);
	if (st.st_size == 0)
		return error_set(error, EINVAL, "%s is empty", path);
	work->size = (uint64_t)st.st_size;
	return 0;
}

static int upload(struct cli *cli, struct work *work, const char *path)
{
	const struct embedded_options options = {.images = cli->paths.lib};
	struct error error = ERROR_INIT;
	int code;

	if (open_upload(work, path, &error) < 0)
		return cli_fail(error.number == ENOENT ? CLI_NOT_FOUND : CLI_REFUSED, &error);
	if (work->size > API_UPLOAD_MAX) {
		(void)error_set(&error, EFBIG, "%s is larger than %llu GiB", path,
				API_UPLOAD_MAX / GIB);
		code = cli_fail(CLI_REFUSED, &error);
	} else {
		code = instance_or_daemon(cli, &options, "runbookctl image", do_upload, do_upload,
					  work);
	}
	(void)close(work->fd);
	return code;
}

/*
 * Split "PATH:TAG" at the first colon before which there is a file, unless all of @path is
 * one. The tag is appended to work->kind.
 */
static void split_tag(struct work *work, char *path)
{
	for (char *colon = path; access(path, F_OK) < 0; colon++) {
		colon = strchr(colon, ':');
		if (!colon)
			return;
		*colon = '\0';
		if (access(path, F_OK) == 0) {
			(void)snprintf(work->kind_tag, sizeof(work->kind_tag), "%s:%s", work->kind,
				       colon + 1);
			work->kind = work->kind_tag;
			return;
		}
		*colon = ':';
	}
}

static int bad_name(const char *command, const char *name)
{
	return cli_usage(command, "\"%s\" is not a name for an image: letters, digits and ._/:@-",
			 name);
}

static int run_pull(struct cli *cli, const struct cli_arguments *arguments)
{
	static const struct {
		const char *prefix, *kind;
	} transports[] = {{"oci:", "oci-archive"},
			  {"oci-archive:", "oci-archive"},
			  {"docker-archive:", "docker-archive"}};
	const struct embedded_options options = {.images = cli->paths.lib};
	struct work work = {.fd = -1,
			    .source = arguments->list[0],
			    .name = arguments->n > 1 ? arguments->list[1] : NULL};
	cleanup_free char *path = NULL;

	if (work.name && !image_name_valid(work.name))
		return bad_name("image pull", work.name);
	for (size_t i = 0; i < ARRAY_SIZE(transports); i++) {
		size_t length = strlen(transports[i].prefix);

		if (strncmp(work.source, transports[i].prefix, length) != 0)
			continue;
		if (!work.name)
			return cli_usage("image pull",
					 "%s has no name for the image: give one as the second "
					 "argument",
					 transports[i].prefix);
		work.kind = transports[i].kind;
		path = strdup(work.source + length);
		if (!path) {
			cli_note("out of memory");
			return CLI_REFUSED;
		}
		split_tag(&work, path);
		return upload(cli, &work, path);
	}
	if (image_name_strip(work.source) == work.source)
		return cli_usage("image pull",
				 "\"%s\": write docker://NAME:TAG, oci:DIRECTORY or "
				 "docker-archive:FILE",
				 work.source);
	return instance_or_daemon(cli, &options, "runbookctl image", do_pull, do_pull, &work);
}

static int run_import(struct cli *cli, const struct cli_arguments *arguments)
{
	struct work work = {.fd = -1, .kind = "rootfs", .name = arguments->list[1]};

	if (!image_name_valid(work.name) || strcmp(work.name, "host") == 0)
		return bad_name("image import", work.name);
	return upload(cli, &work, arguments->list[0]);
}

/* ---- ls, rm, prune ---- */

static int do_ls(struct cli *cli, void *userdata)
{
	cleanup_json json_t *answer = NULL;
	cleanup_table struct table table = {.headings = {"NAME", "IMAGE", "SIZE", "LAYERS", "AGE"},
					    .n_columns = 5};
	struct error error = ERROR_INIT;
	const json_t *images;
	json_t *image;
	size_t i;
	enum cli_exit code = client_get_json(cli->client, &answer, &error, "/api/v1/images");

	if (code != CLI_OK)
		return cli_fail(code, &error);
	if (cli->json) {
		json_print(answer);
		return CLI_OK;
	}
	images = json_object_get(answer, "images");
	json_array_foreach ((json_t *)images, i, image) {
		char size[32], age[32];

		format_bytes(size, sizeof(size), json_number(image, "bytes"));
		format_age(age, sizeof(age), wall_usec(), json_number(image, "created_usec"));
		table_row(&table);
		table_cell(&table, 0, json_has(image, "name") ? json_text(image, "name") : "-");
		table_cellf(&table, 1, "%.12s", json_text(image, "id"));
		table_cell(&table, 2, size);
		table_cellf(&table, 3, "%" PRIu64, json_number(image, "layers"));
		table_cell(&table, 4, age);
	}
	if (json_array_size(images) > 0)
		(void)table_print(&table, stdout, cli->color);
	else
		(void)puts("no images; steps use \"host\"");
	return CLI_OK;
}

static int run_ls(struct cli *cli, const struct cli_arguments *arguments)
{
	const struct embedded_options options = {.images = cli->paths.lib};

	return instance_or_daemon(cli, &options, "runbookctl image", do_ls, do_ls, NULL);
}

static int do_rm(struct cli *cli, void *userdata)
{
	const struct cli_arguments *arguments = userdata;
	int result = CLI_OK;

	for (size_t i = 0; i < arguments->n; i++) {
		cleanup_json json_t *body = json_pack("{s:s}", "name", arguments->list[i]);
		cleanup_json json_t *answer = NULL;
		struct error error = ERROR_INIT;
		enum cli_exit code = client_post_json(cli->client, body, true, &answer, &error,
						      "/api/v1/images/remove");

		if (code == CLI_NOT_FOUND)
			(void)error_set(&error, ENOENT, "there is no image \"%s\"",
					arguments->list[i]);
		if (code != CLI_OK)
			result = cli_fail(code, &error);
	}
	return result;
}

static int run_rm(struct cli *cli, const struct cli_arguments *arguments)
{
	const struct embedded_options options = {.images = cli->paths.lib};

	return instance_or_daemon(cli, &options, "runbookctl image", do_rm, do_rm,
				  (void *)arguments);
}

static int do_prune(struct cli *cli, void *userdata)
{
	cleanup_json json_t *answer = NULL;
	struct error error = ERROR_INIT;
	enum cli_exit code =
		client_post_json(cli->client, NULL, false, &answer, &error, "/api/v1/images/prune");

	if (code != CLI_OK)
		return cli_fail(code, &error);
	if (cli->json)
		json_print(answer);
	else
		(void)printf("%" PRIu64 " images without a name removed\n",
			     json_number(answer, "images"));
	return CLI_OK;
}

static int run_prune(struct cli *cli, const struct cli_arguments *arguments)
{
	const struct embedded_options options = {.images = cli->paths.lib};

	return instance_or_daemon(cli, &options, "runbookctl image", do_prune, do_prune, NULL);
}

const struct cli_command cmd_image_pull = {
	.name = "image pull",
	.arguments = "SOURCE [NAME]",
	.n_min = 1,
	.n_max = 2,
	.summary = "fetch an image that steps can use",
	.description = "SOURCE is docker://NAME:TAG (from a registry, by skopeo on the host), or "
		       "oci:DIRECTORY or\ndocker-archive:FILE (on this machine). Steps use it as "
		       "\"image: NAME\"; the default of NAME is\nthe name in the registry. "
		       "Existing layers are not fetched again.",
	.handler = run_pull,
};

const struct cli_command cmd_image_import = {
	.name = "image import",
	.arguments = "FILE|DIRECTORY NAME",
	.n_min = 2,
	.n_max = 2,
	.summary = "make an image of a root file system",
	.description = "FILE is a tar (plain, gzip, zstd, xz or bzip2), DIRECTORY is packed as it "
		       "is.",
	.handler = run_import,
};

const struct cli_command cmd_image_ls = {
	.name = "image ls",
	.arguments = "",
	.summary = "list the images of this host",
	.handler = run_ls,
};

const struct cli_command cmd_image_rm = {
	.name = "image rm",
	.arguments = "NAME...",
	.n_min = 1,
	.n_max = 64,
	.summary = "remove a name from an image",
	.description = "\"runbookctl image prune\" removes images without a name.",
	.handler = run_rm,
};

const struct cli_command cmd_image_prune = {
	.name = "image prune",
	.arguments = "",
	.summary = "remove images without a name, and layers that no image uses",
	.description = "Images that a running step uses stay until the next prune.",
	.handler = run_prune,
};
