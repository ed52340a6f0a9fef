/* SPDX-License-Identifier: Apache-2.0 */

/*
 * runbook-api: HTTP for people and their programs.
 *
 * Started by runbookd with its channel on descriptor 3. It holds no state of
 * its own: questions go to the scheduler and the cacher, logs are read from
 * their files.
 */

#include "api/http.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/isolation.h"
#include "common/log.h"
#include "common/names.h"
#include "common/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define LISTENERS_MAX 16

struct listener {
	uint64_t cookie; /* tells one socket from another */
	char address[128];
	int fd; /* -1 once it is served */
	struct http_server *server;
};

struct program {
	struct loop *loop;
	struct channel daemon;
	struct api api;
	struct listener listeners[LISTENERS_MAX]; /* in force */
	size_t n_listeners;
	struct listener next[LISTENERS_MAX]; /* of a configuration that is being received */
	size_t n_next;
};

static struct program program = {.api = {.log_fd = -1, .upload_fd = -1}};

static const char usage[] = "usage: runbook-api [--root DIR]\n"
			    "\n"
			    "Serves the HTTP API and the web page. Started by runbookd, not by "
			    "hand.\n"
			    "  --root DIR   all paths are beneath DIR\n"
			    "  --help, --version\n";

/* ---- messages ---- */

static int on_answer(struct channel *channel, struct message *message)
{
	return peers_answer(program.api.peers, message);
}

static int on_event(struct channel *channel, struct message *message)
{
	uint64_t id = message_get_u64(message);
	uint64_t run = message_get_u64(message);
	const char *json = message_get_string(message, MESSAGE_BYTES_MAX);

	if (message_end(message) < 0 || !utf8_valid(json, strlen(json)))
		return -EBADMSG;
	return hub_publish(program.api.hub, id, run, json);
}

static const struct message_handler scheduler_handlers[] = {
	{MESSAGE_API_ANSWER, on_answer},
	{MESSAGE_EVENT, on_event},
};

static const struct message_handler cacher_handlers[] = {
	{MESSAGE_ARTIFACT_LISTED, on_answer},
	{MESSAGE_ARTIFACT_OPENED, on_answer},
	{MESSAGE_ARTIFACT_KEPT, on_answer},
};

static const struct message_handler image_handlers[] = {
	{MESSAGE_IMAGE_ANSWER, on_answer},
};

static int on_channel(struct channel *channel, struct message *message)
{
	uint64_t peer = message_get_u64(message);
	cleanup_close int fd = message_get_fd(message);
	int r = message_end(message);

	if (r < 0)
		return r;
	if (peer == ROLE_SCHEDULER)
		r = peers_attach(program.api.peers, ROLE_SCHEDULER, TAKE_FD(fd), scheduler_handlers,
				 ARRAY_SIZE(scheduler_handlers));
	else if (peer == ROLE_CACHER)
		r = peers_attach(program.api.peers, ROLE_CACHER, TAKE_FD(fd), cacher_handlers,
				 ARRAY_SIZE(cacher_handlers));
	else if (peer == ROLE_IMAGE)
		r = peers_attach(program.api.peers, ROLE_IMAGE, TAKE_FD(fd), image_handlers,
				 ARRAY_SIZE(image_handlers));
	else
		return -EBADMSG;
	if (r < 0)
		log_warning("cannot use the channel to %s: %s", role_name((enum process_role)peer),
			    strerror(-r));
	return 0;
}

static void next_clear(void)
{
	while (program.n_next > 0)
		if (program.next[--program.n_next].fd >= 0)
			(void)close(program.next[program.n_next].fd);
}

static int on_config_begin(struct channel *channel, struct message *message)
{
	(void)message_get_u64(message); /* generation */
	next_clear();
	return message_end(message);
}

static int on_config_listen(struct channel *channel, struct message *message)
{
	struct listener listener = {.fd = -1};
	const char *address = message_get_string(message, 4096);
	cleanup_close int fd = message_get_fd(message);
	socklen_t size = sizeof(listener.cookie);
	int r = message_end(message);

	if (r < 0)
		return r;
	text_escape(listener.address, sizeof(listener.address), address);
	if (program.n_next == LISTENERS_MAX) {
		log_warning("more than %d addresses to serve: %s is left out", LISTENERS_MAX,
			    listener.address);
		return 0;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &listener.cookie, &size) < 0)
		return -EBADMSG;
	listener.fd = TAKE_FD(fd);
	program.next[program.n_next++] = listener;
	return 0;
}

static struct listener *listener_find(struct listener *listeners, size_t n, uint64_t cookie)
{
	for (size_t i = 0; i < n; i++)
		if (listeners[i].cookie == cookie)
			return &listeners[i];
	return NULL;
}

/* Serve what is new, stop accepting on what is gone, leave the rest alone. */
static int on_config_end(struct channel *channel, struct message *message)
{
	(void)message_get_u64(message); /* generation */
	if (message_end(message) < 0)
		return -EBADMSG;
	for (size_t i = 0; i < program.n_listeners; i++)
		if (!listener_find(program.next, program.n_next, program.listeners[i].cookie) &&
		    program.listeners[i].server)
			http_quiesce(program.listeners[i].server);
	for (size_t i = 0; i < program.n_next; i++) {
		struct listener *listener = &program.next[i];
		struct listener *old =
			listener_find(program.listeners, program.n_listeners, listener->cookie);
		int r;

		if (old) {
			listener->server = old->server;
			(void)close(TAKE_FD(listener->fd));
			continue;
		}
		r = http_listen(&program.api, listener->address, listener->fd, &listener->server);
		if (r < 0) {
			log_error("cannot serve %s: %s", listener->address, strerror(-r));
			(void)close(listener->fd);
		}
		listener->fd = -1;
	}
	memcpy(program.listeners, program.next, sizeof(program.listeners));
	program.n_listeners = program.n_next;
	program.n_next = 0;
	return 0;
}

static const struct message_handler daemon_handlers[] = {
	{MESSAGE_CHANNEL, on_channel},
	{MESSAGE_CONFIG_BEGIN, on_config_begin},
	{MESSAGE_CONFIG_LISTEN, on_config_listen},
	{MESSAGE_CONFIG_END, on_config_end},
	{MESSAGE_RELOADED, on_answer},
};

static void daemon_closed(struct channel *channel)
{
	loop_exit(program.loop, 0);
}

/* ---- start ---- */

/* runbookd makes these directories; a first start may come before that. */
static int open_directory(const char *path, struct role_user owner, mode_t mode)
{
	if (mkdir(path, mode) == 0 && geteuid() == 0 && lchown(path, owner.uid, owner.gid) < 0)
		return -errno;
	return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int open_directories(const struct paths *paths, char *upload_path, size_t size,
			    struct error *error)
{
	struct role_user user = role_user(ROLE_API);

	if (snprintf(upload_path, size, "%s/api", paths->lib) >= (int)size)
		return error_set(error, ENAMETOOLONG, "%s is too long a path", paths->lib);
	(void)make_directories(AT_FDCWD, paths->lib, 0755); /* what fails is told below */
	(void)make_directories(AT_FDCWD, paths->log, 0755);
	program.api.log_fd = open(paths->log, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (program.api.log_fd < 0)
		return error_errno(error, errno, "cannot open the log directory %s", paths->log);
	program.api.upload_fd = open_directory(upload_path, user, 0700);
	if (program.api.upload_fd < 0)
		log_warning("cannot open %s: uploads are kept in memory", upload_path);
	return 0;
}

static int passport(const struct paths *paths, struct error *error)
{
	static const char *const syscalls[] = {"openat",   "openat2", "accept4", "accept",
					       "sendfile", "fstatfs", "madvise", NULL};
	char upload_path[PATH_MAX];
	struct rlimit limit;
	int r = open_directories(paths, upload_path, sizeof(upload_path), error);

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (r == 0)
		r = isolate_user(role_user(ROLE_API), error);
	if (r == 0)
		r = isolate_filesystem(
			(struct isolation_path[]){{.path = paths->log},
						  {.path = upload_path, .write = true}},
			program.api.upload_fd >= 0 ? 2 : 1, error);
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
			return printf("runbook-api %s\n", RUNBOOK_VERSION) < 0;
		default:
			(void)fputs(usage, stderr);
			return 2;
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "runbook-api: unexpected argument \"%s\"\n%s", argv[optind],
			      usage);
		return 2;
	}
	return -1;
}

static int serve(struct error *error)
{
	int r = loop_new(&program.loop);

	if (r == 0)
		r = hub_new(&program.api.hub);
	if (r == 0)
		r = peers_new(program.loop, &program.api.peers);
	if (r < 0)
		return error_errno(error, -r, "cannot start");
	r = channel_open(&program.daemon, program.loop, CHANNEL_FD, ROLE_API, ROLE_DAEMON,
			 daemon_handlers, ARRAY_SIZE(daemon_handlers), daemon_closed, NULL);
	if (r < 0)
		return error_errno(error, -r,
				   "cannot use the channel on descriptor %d; runbookd starts this "
				   "program",
				   CHANNEL_FD);
	peers_adopt(program.api.peers, ROLE_DAEMON, &program.daemon);
	return loop_run(program.loop);
}

int main(int argc, char **argv)
{
	struct error error = ERROR_INIT;
	const char *root = NULL;
	struct paths paths;
	int code = parse_options(argc, argv, &root);
	int r;

	if (code >= 0)
		return code;
	r = isolate_fds(CHANNEL_FD, &error);
	log_open("runbook-api");
	(void)signal(SIGPIPE, SIG_IGN);
	if (r == 0)
		r = paths_init(&paths, root, &error);
	if (r == 0)
		r = passport(&paths, &error);
	if (r == 0)
		r = serve(&error);
	if (r < 0)
		log_error("%s", error.number ? error.text : strerror(-r));
	/* threads may still serve streams: the process ends with them, nothing is freed */
	_exit(r < 0 ? 1 : r);
}
