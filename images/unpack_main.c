/* SPDX-License-Identifier: Apache-2.0 */
/* runbook-unpack, which runbookd starts inside a sandbox; see unpack.h. */
#include "common/cleanup.h"
#include "common/memory_guard.h"
#include "images/unpack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
	"Usage: runbook-unpack [--digest=HEX] [--layer=HEX] [--bytes=N] [--entries=N] DIRECTORY\n"
	"       runbook-unpack --remove DIRECTORY\n"
	"Unpacks the layer on standard input into DIRECTORY and reports on standard output.\n"
	"Started by runbookd inside a sandbox.\n";

struct options {
	const char *digest, *layer, *directory;
	struct unpack_limits limits;
	bool remove;
};

static int number_parse(const char *text, uint64_t *number)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end || *text < '0' || *text > '9' || value > *number)
		return 2;
	*number = value;
	return -1;
}

/* Return: -1 to continue, or an exit code. */
static int options_parse(struct options *options, int argc, char **argv)
{
	static const struct option table[] = {
		{"digest", required_argument, NULL, 'd'},  {"layer", required_argument, NULL, 'l'},
		{"bytes", required_argument, NULL, 'b'},   {"remove", no_argument, NULL, 'r'},
		{"entries", required_argument, NULL, 'e'}, {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},	   {NULL, 0, NULL, 0},
	};
	int c, r = -1;

	while (r < 0 && (c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (c) {
		case 'd':
			options->digest = optarg;
			break;
		case 'l':
			options->layer = optarg;
			break;
		case 'b':
			r = number_parse(optarg, &options->limits.bytes);
			break;
		case 'e':
			r = number_parse(optarg, &options->limits.entries);
			break;
		case 'r':
			options->remove = true;
			break;
		case 'h':
			(void)fputs(usage, stdout);
			return 0;
		case 'V':
			(void)puts("runbook-unpack " RUNBOOK_VERSION);
			return 0;
		default:
			r = 2;
		}
	}
	if (r < 0 && optind != argc - 1)
		r = 2;
	if (r == 2)
		(void)fputs(usage, stderr);
	options->directory = r < 0 ? argv[optind] : NULL;
	return r;
}

static int run(const struct options *options, int directory_fd)
{
	struct unpack unpack = {
		.directory_fd = directory_fd,
		.report_fd = STDOUT_FILENO,
		.limits = options->limits,
	};
	int r;

	r = unpack_stream(&unpack, STDIN_FILENO, options->digest, options->layer);
	/* runbookd renames the layer into place after this, so it must be on the disk */
	if (r == 0 && syncfs(directory_fd) < 0)
		r = unpack_failed(&unpack, errno, "cannot sync the layer");
	if (r == -ENOMEM)
		(void)unpack_refuse(&unpack, "out of memory");
	/* a refusal is a complete report, too, and so a success of this program */
	return unpack_report(&unpack, '.', "") == 0 && (r == 0 || unpack.failed) ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct options options = {
		.digest = "",
		.layer = "",
		.limits = {.bytes = IMAGE_LAYER_BYTES_MAX, .entries = IMAGE_LAYER_ENTRIES_MAX},
	};
	struct rlimit size;
	int directory_fd, code = options_parse(&options, argc, argv);

	if (code >= 0)
		return code;
	(void)umask(0);
	/* names in a tar are UTF-8; libarchive converts them to the locale's encoding */
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	if (memory_guard() < 0) {
		(void)fputs("runbook-unpack: cannot refuse memory to write and execute\n", stderr);
		return 1;
	}
	size = (struct rlimit){.rlim_cur = options.limits.bytes, .rlim_max = options.limits.bytes};
	(void)signal(SIGXFSZ, SIG_IGN); /* write(2) then fails with EFBIG, which is reported */
	if (setrlimit(RLIMIT_FSIZE, &size) < 0)
		return 1;
	directory_fd = open(options.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory_fd < 0) {
		(void)fprintf(stderr, "runbook-unpack: cannot open %s: %s\n", options.directory,
			      strerror(errno));
		return 1;
	}
	if (options.remove)
		return unpack_remove(directory_fd) < 0;
	return run(&options, directory_fd);
}
