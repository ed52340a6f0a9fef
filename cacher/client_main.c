/* SPDX-License-Identifier: Apache-2.0 */

/*
 * cacher(1): passes files and directories from step to step of one run.
 *
 * It is a static program without libraries, because it runs within images of all kinds.
 */

#include "cacher/client_extract.h"
#include "cacher/client_request.h"
#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATIENCE_SEC 30
#define GET_TRIES 5 /* of a packed artifact whose pipe ends early, because the service died */

enum exit_code {
	EXIT_OK = 0,
	EXIT_USAGE = 2,
	EXIT_NO_KEY = 3,
	EXIT_OVER_LIMIT = 4,
	EXIT_UNAVAILABLE = 5,
};

static const char usage[] =
	"usage: cacher put KEY SOURCE    store a file or a directory\n"
	"       cacher get KEY DEST      fetch it\n"
	"       cacher delete KEY        forget it\n"
	"       cacher ls                list the keys of this run\n"
	"\n"
	"Keys are 1 to 255 letters, digits and . _ - / and belong to the run: every step\n"
	"of the run sees them, no other run does. SOURCE and DEST may be - for standard\n"
	"input and output when it is a file.\n"
	"\n"
	"exit codes: 0 done, 2 usage or a path that cannot be read or written, 3 no such\n"
	"key, 4 over a limit, 5 service unavailable\n";

static const char *socket_path(void)
{
	const char *path = getenv("CACHER_SOCKET");

	return path && *path ? path : CACHER_SOCKET_DEFAULT;
}

static unsigned patience(void)
{
	const char *text = getenv("CACHER_PATIENCE_SEC");
	char *end = NULL;
	unsigned long seconds = text ? strtoul(text, &end, 10) : PATIENCE_SEC;

	return text && (end == text || *end || seconds > 3600) ? PATIENCE_SEC : (unsigned)seconds;
}

/* Send a request; print an error. Return: exit code; 0: @answer is filled. */
static int ask(const struct client_request *request, struct client_answer *answer)
{
	static const int codes[CACHER_NUM_STATUS] = {
		[CACHER_OK] = EXIT_OK,
		[CACHER_INVALID] = EXIT_USAGE,
		[CACHER_NO_KEY] = EXIT_NO_KEY,
		[CACHER_OVER_LIMIT] = EXIT_OVER_LIMIT,
		[CACHER_FAILED] = EXIT_UNAVAILABLE,
		[CACHER_HELLO] = EXIT_UNAVAILABLE,
	};
	struct error error = ERROR_INIT;

	switch (client_request(socket_path(), patience(), request, answer, &error)) {
	case CLIENT_ANSWERED:
		break;
	case CLIENT_LOCAL:
		(void)fprintf(stderr, "cacher: %s\n", error.text);
		return EXIT_USAGE;
	default:
		(void)fprintf(stderr,
			      "cacher: service unavailable: %s; in a step of a run it is there, "
			      "elsewhere set CACHER_SOCKET\n",
			      error.text);
		return EXIT_UNAVAILABLE;
	}
	if (answer->head.status != CACHER_OK)
		(void)fprintf(stderr, "cacher: %s\n", answer->text);
	return codes[answer->head.status];
}

static int command_put(char **arguments)
{
	struct client_request request = {
		.verb = CACHER_PUT, .key = arguments[0], .file_fd = -1, .directory_fd = -1};
	const char *source = arguments[1];
	bool standard = strcmp(source, "-") == 0;
	cleanup_close int fd = standard
				       ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
				       : open(source, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct client_answer answer = {.fd = -1};
	struct stat status;
	int code;

	if (fd < 0 || fstat(fd, &status) < 0) {
		(void)fprintf(stderr, "cacher: cannot put %s: %s: %s\n", arguments[0], source,
			      strerror(errno));
		return EXIT_USAGE;
	}
	if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
		(void)fprintf(stderr,
			      "cacher: cannot put %s: %s is neither a file nor a directory; write "
			      "it to a file first\n",
			      arguments[0], source);
		return EXIT_USAGE;
	}
	request.source = source;
	request.mode = status.st_mode & 07777;
	request.kind = S_ISDIR(status.st_mode) ? CACHER_KIND_DIRECTORY : CACHER_KIND_FILE;
	*(S_ISDIR(status.st_mode) ? &request.directory_fd : &request.file_fd) = fd;
	code = ask(&request, &answer);
	if (answer.fd >= 0)
		(void)close(answer.fd);
	return code;
}

/* Copy @size bytes of @fd, or all of it, to standard output. */
static int print_file(int fd, uint64_t size)
{
	char buffer[65536];
	uint64_t printed = 0;
	ssize_t n = 0;
	bool written = true;

	while (written && (n = read(fd, buffer, sizeof(buffer))) > 0) {
		written = fwrite(buffer, 1, (size_t)n, stdout) == (size_t)n;
		printed += (uint64_t)n;
	}
	if (!written || n < 0 || fflush(stdout) != 0) {
		(void)fprintf(stderr, "cacher: cannot write to standard output: %s\n",
			      strerror(errno));
		return EXIT_USAGE;
	}
	if (printed < size) {
		(void)fprintf(stderr,
			      "cacher: the service went away in the middle: get it again\n");
		return EXIT_UNAVAILABLE;
	}
	return EXIT_OK;
}

/* Did the pipe of a packed artifact end early, because the service died? */
static bool cut_short(int fd, const struct error *error)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) &&
	       (error->number == EPIPE || error->number == EBADMSG);
}

static int command_get(char **arguments)
{
	const struct client_request request = {
		.verb = CACHER_GET, .key = arguments[0], .file_fd = -1, .directory_fd = -1};
	struct error error = ERROR_INIT;

	for (int i = 1;; i++) {
		struct client_answer answer = {.fd = -1};
		int code = ask(&request, &answer);
		cleanup_close int fd = answer.fd;
		int r;

		if (code != EXIT_OK)
			return code;
		if (fd < 0) {
			(void)fprintf(stderr, "cacher: the service sent nothing for %s\n",
				      arguments[0]);
			return EXIT_UNAVAILABLE;
		}
		if (strcmp(arguments[1], "-") == 0)
			return print_file(fd, answer.head.size);
		r = answer.head.kind == CACHER_KIND_DIRECTORY
			    ? client_place_directory(fd, arguments[1], &error)
			    : client_place_file(fd, &answer.head, arguments[1], &error);
		if (r == 0)
			return EXIT_OK;
		if (i < GET_TRIES && cut_short(fd, &error))
			continue;
		(void)fprintf(stderr, "cacher: cannot get %s: %s\n", arguments[0], error.text);
		return EXIT_USAGE;
	}
}

static int command_delete(char **arguments)
{
	const struct client_request request = {
		.verb = CACHER_DELETE, .key = arguments[0], .file_fd = -1, .directory_fd = -1};
	struct client_answer answer = {.fd = -1};
	int code = ask(&request, &answer);

	if (answer.fd >= 0)
		(void)close(answer.fd);
	return code;
}

static int command_ls(char **arguments)
{
	const struct client_request request = {
		.verb = CACHER_LS, .file_fd = -1, .directory_fd = -1};
	struct client_answer answer = {.fd = -1};
	cleanup_close int fd = -1;
	int code = ask(&request, &answer);

	fd = answer.fd;
	return code == EXIT_OK && fd >= 0 ? print_file(fd, 0) : code;
}

static const struct {
	const char *name;
	int n_arguments;
	int (*run)(char **arguments);
} commands[] = {
	{"put", 2, command_put},
	{"get", 2, command_get},
	{"delete", 1, command_delete},
	{"ls", 0, command_ls},
};

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {0}};
	int option;

	while ((option = getopt_long(argc, argv, "+hV", options, NULL)) != -1) {
		if (option == 'h')
			return fputs(usage, stdout) < 0;
		if (option == 'V')
			return printf("cacher %s\n", RUNBOOK_VERSION) < 0;
		(void)fputs(usage, stderr);
		return EXIT_USAGE;
	}
	argc -= optind;
	argv += optind;
	for (size_t i = 0; argc > 0 && i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[0], commands[i].name) != 0)
			continue;
		if (argc - 1 == commands[i].n_arguments)
			return commands[i].run(argv + 1);
		(void)fprintf(stderr, "cacher: %s takes %d argument%s, not %d\n\n%s", argv[0],
			      commands[i].n_arguments, commands[i].n_arguments == 1 ? "" : "s",
			      argc - 1, usage);
		return EXIT_USAGE;
	}
	if (argc > 0)
		(void)fprintf(stderr, "cacher: unknown command \"%s\"\n\n", argv[0]);
	(void)fputs(usage, stderr);
	return EXIT_USAGE;
}
