/* SPDX-License-Identifier: Apache-2.0 */

/*
 * runbook-cacher: the service behind cacher(1).
 *
 * Started by runbookd with its channel on descriptor 3. Listening sockets come
 * from there, one for each step; the api process may look and read.
 */

#include "cacher/answers.h"
#include "cacher/retention.h"
#include "cacher/service.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/isolation.h"
#include "common/log.h"
#include "common/message.h"
#include "common/names.h"
#include "common/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

struct cacher {
	struct loop *loop;
	struct store *store;
	struct service *service;
	struct answers *answers;
	struct retention *retention;
	struct channel daemon, api;
	struct store_limits limits; /* of a configuration that is being received */
	struct project_limit {
		char name[PROJECT_NAME_MAX + 1];
		uint64_t bytes;
	} * projects; /* the same */
	size_t n_projects, max_projects;
};

static const char usage[] = "usage: runbook-cacher [--root DIR]\n"
			    "\n"
			    "Keeps the artifacts of runs. Started by runbookd, not by hand.\n"
			    "  --root DIR   all paths are beneath DIR\n"
			    "  --help, --version\n";

/* ---- messages ---- */

static const struct message_handler api_handlers[] = {
	{MESSAGE_ARTIFACT_LIST, answer_list},
	{MESSAGE_ARTIFACT_OPEN, answer_open},
	{MESSAGE_ARTIFACT_PUT, answer_put},
};

static void api_closed(struct channel *channel)
{
	answers_attach(channel->userdata, NULL);
	log_debug("the api is away");
}

static int on_channel(struct channel *channel, struct message *message)
{
	struct cacher *cacher = channel->userdata;
	uint64_t peer = message_get_u64(message);
	int fd = message_get_fd(message);
	int r;

	if (message_end(message) < 0 || (peer != ROLE_API && peer != ROLE_SCHEDULER)) {
		if (fd >= 0)
			(void)close(fd);
		return -EBADMSG;
	}
	if (peer == ROLE_SCHEDULER) {
		r = retention_attach(cacher->retention, fd);
		if (r < 0)
			log_warning("cannot serve the scheduler: %s", strerror(-r));
		return 0;
	}
	channel_close(&cacher->api);
	r = channel_open(&cacher->api, cacher->loop, fd, ROLE_CACHER, ROLE_API, api_handlers,
			 ARRAY_SIZE(api_handlers), api_closed, cacher->answers);
	answers_attach(cacher->answers, r < 0 ? NULL : &cacher->api);
	if (r < 0)
		log_warning("cannot serve the api: %s", strerror(-r));
	return 0;
}

static int on_config_begin(struct channel *channel, struct message *message)
{
	struct cacher *cacher = channel->userdata;

	(void)message_get_u64(message); /* generation */
	cacher->limits = STORE_LIMITS_DEFAULT;
	cacher->n_projects = 0;
	return message_end(message);
}

static int on_config_cacher(struct channel *channel, struct message *message)
{
	struct cacher *cacher = channel->userdata;

	cacher->limits.bytes_per_run = message_get_u64(message);
	cacher->limits.count_per_run = message_get_u64(message);
	cacher->limits.bytes_stored = message_get_u64(message);
	cacher->limits.bytes_per_project = message_get_u64(message);
	return message_end(message);
}

static int on_config_artifacts(struct channel *channel, struct message *message)
{
	struct cacher *cacher = channel->userdata;
	const char *project = message_get_string(message, PROJECT_NAME_MAX);
	uint64_t bytes = message_get_u64(message);

	if (message_end(message) < 0 || !project_name_valid(project))
		return -EBADMSG;
	if (cacher->n_projects == cacher->max_projects) {
		size_t max = cacher->max_projects ? 2 * cacher->max_projects : 16;
		struct project_limit *projects =
			reallocarray(cacher->projects, max, sizeof(*projects));

		if (!projects)
			return -ENOMEM;
		cacher->projects = projects;
		cacher->max_projects = max;
	}
	(void)snprintf(cacher->projects[cacher->n_projects].name, PROJECT_NAME_MAX + 1, "%s",
		       project);
	cacher->projects[cacher->n_projects++].bytes = bytes;
	return 0;
}

static int on_config_end(struct channel *channel, struct message *message)
{
	struct cacher *cacher = channel->userdata;

	(void)message_get_u64(message); /* generation */
	if (message_end(message) < 0)
		return -EBADMSG;
	store_set_limits(cacher->store, &cacher->limits);
	for (size_t i = 0; i < cacher->n_projects; i++)
		if (store_limit_project(cacher->store, cacher->projects[i].name,
					cacher->projects[i].bytes) < 0)
			return -ENOMEM;
	return 0;
}

static int on_listen(struct channel *channel, struct message *message)
{
	struct cacher *cacher = channel->userdata;
	uint64_t order = message_get_u64(message);
	const char *project = message_get_string(message, PROJECT_NAME_MAX);
	uint64_t run = message_get_u64(message);
	const char *slug = message_get_string(message, STEP_SLUG_MAX);
	cleanup_close int fd = message_get_fd(message);
	int r = message_end(message);

	if (r < 0 || !project_name_valid(project) || !step_slug_valid(slug))
		return -EBADMSG;
	r = service_listen(cacher->service, order, project, run, fd);
	if (r == 0)
		(void)TAKE_FD(fd);
	else
		log_error("cannot serve artifacts to step %s of run %s/%llu: %s", slug, project,
			  (unsigned long long)run, strerror(-r));
	return r == -EBADMSG ? r : 0;
}

static int on_close(struct channel *channel, struct message *message)
{
	struct cacher *cacher = channel->userdata;
	uint64_t order = message_get_u64(message);

	if (message_end(message) < 0)
		return -EBADMSG;
	service_close(cacher->service, order);
	return 0;
}

static const struct message_handler daemon_handlers[] = {
	{MESSAGE_CHANNEL, on_channel},
	{MESSAGE_CONFIG_BEGIN, on_config_begin},
	{MESSAGE_CONFIG_CACHER, on_config_cacher},
	{MESSAGE_CONFIG_ARTIFACTS, on_config_artifacts},
	{MESSAGE_CONFIG_END, on_config_end},
	{MESSAGE_CACHER_LISTEN, on_listen},
	{MESSAGE_CACHER_CLOSE, on_close},
};

static void daemon_closed(struct channel *channel)
{
	loop_exit(((struct cacher *)channel->userdata)->loop, 0);
}

/* ---- start ---- */

/* The store's directory; runbookd makes it, but a first start may come before that. */
static int prepare_directory(const char *path, struct role_user user, struct error *error)
{
	struct stat status;

	if (lstat(path, &status) == 0)
		return S_ISDIR(status.st_mode)
			       ? 0
			       : error_set(error, ENOTDIR, "%s is no directory: move it away",
					   path);
	if (make_directories(AT_FDCWD, path, 0755) < 0 || chmod(path, 0700) < 0 ||
	    (geteuid() == 0 && lchown(path, user.uid, user.gid) < 0))
		return error_errno(error, errno, "cannot make %s", path);
	return 0;
}

/* One descriptor for each connection that waits or is served, and one for each step. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int passport(const struct paths *paths, char *store_path, size_t size, struct error *error)
{
	static const char *const syscalls[] = {
		"openat",	   "mkdirat",	"renameat", "unlinkat", "getdents64",
		"fsync",	   "fchmod",	"fstatfs",  "accept4",	"getsockname",
		"sync_file_range", "ftruncate", NULL};
	struct role_user user = role_user(ROLE_CACHER);
	int r;

	if (snprintf(store_path, size, "%s/artifacts", paths->lib) >= (int)size)
		return error_set(error, ENAMETOOLONG, "%s is too long a path", paths->lib);
	raise_descriptors();
	r = prepare_directory(store_path, user, error);
	if (r == 0)
		r = isolate_user(user, error);
	if (r == 0)
		r = isolate_filesystem(&(struct isolation_path){store_path, true}, 1, error);
	if (r == 0)
		r = isolate_syscalls(syscalls, error);
	return r;
}

/* Return: exit code, or -1 to go on. */
static int parse_options(int argc, char **argv, const char **ret_root)
{
	static const struct option options[] = {{"root", required_argument, NULL, 'r'},
						{"help", no_argument, NULL, 'h'},
						{"version", no_argument, NULL, 'V'},
						{0}};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'r':
			*ret_root = optarg;
			break;
		case 'h':
			return fputs(usage, stdout) < 0;
		case 'V':
			return printf("runbook-cacher %s\n", RUNBOOK_VERSION) < 0;
		default:
			(void)fputs(usage, stderr);
			return 2;
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "runbook-cacher: unexpected argument \"%s\"\n%s",
			      argv[optind], usage);
		return 2;
	}
	return -1;
}

static int serve(struct cacher *cacher, const char *store_path, struct error *error)
{
	int r = loop_new(&cacher->loop);

	if (r < 0)
		return error_errno(error, -r, "cannot make an event loop");
	r = store_open(store_path, &cacher->store, error);
	if (r < 0)
		return r;
	r = service_new(cacher->loop, cacher->store, &cacher->service);
	if (r == 0)
		r = answers_new(cacher->loop, cacher->store, &cacher->answers);
	if (r == 0)
		r = retention_new(cacher->loop, cacher->store, &cacher->retention);
	if (r == 0)
		answers_notify(cacher->answers, retention_put, cacher->retention);
	if (r == 0)
		r = channel_open(&cacher->daemon, cacher->loop, CHANNEL_FD, ROLE_CACHER,
				 ROLE_DAEMON, daemon_handlers, ARRAY_SIZE(daemon_handlers),
				 daemon_closed, cacher);
	if (r < 0)
		return error_errno(error, -r,
				   "cannot use the channel on descriptor %d; runbookd starts this "
				   "program",
				   CHANNEL_FD);
	return loop_run(cacher->loop);
}

int main(int argc, char **argv)
{
	static struct cacher cacher;
	struct error error = ERROR_INIT;
	char store_path[PATH_MAX];
	const char *root = NULL;
	struct paths paths;
	int code = parse_options(argc, argv, &root);
	int r;

	if (code >= 0)
		return code;
	r = isolate_fds(CHANNEL_FD, &error);
	log_open("runbook-cacher");
	(void)signal(SIGPIPE, SIG_IGN);
	if (r == 0)
		r = paths_init(&paths, root, &error);
	if (r == 0)
		r = passport(&paths, store_path, sizeof(store_path), &error);
	if (r == 0)
		r = serve(&cacher, store_path, &error);
	if (r < 0) {
		log_error("%s", error.number ? error.text : strerror(-r));
		return 1;
	}
	return r;
}
