/* SPDX-License-Identifier: Apache-2.0 */

/*
 * runbookd: the only process that stays root. It reads its own configuration,
 * starts and confines the others, and builds sandboxes. It parses no input from
 * outside.
 */

#include "common/cleanup.h"
#include "common/isolation.h"
#include "common/log.h"
#include "common/memory_guard.h"
#include "daemon/adopt.h"
#include "daemon/daemon.h"
#include "daemon/layers.h"
#include "daemon/listen_persist.h"
#include "daemon/log_remove.h"
#include "daemon/requests.h"
#include "daemon/sandboxes.h"
#include "daemon/space.h"
#include "daemon/state_dirs.h"
#include "daemon/successor.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#define FAILED_START_PAUSE_SEC 3

static const char usage[] =
	"Usage: runbookd [--root DIR] [--config-test [--adopt-test]]\n"
	"Run the runbookd service in the foreground until SIGTERM or SIGINT.\n"
	"\n"
	"  --root DIR      keep all configuration, state, logs and sockets beneath DIR\n"
	"                  (also $RUNBOOK_ROOT)\n"
	"  --config-test   check the configuration, report what is wrong, and exit\n"
	"  --adopt-test    check as well whether this program can go on with running steps;\n"
	"                  runbookd does this before it executes a new version\n"
	"  --help          print this and exit\n"
	"  --version       print the version and exit\n"
	"\n"
	"SIGHUP reads the configuration again, SIGUSR2 starts the program anew in the same\n"
	"process, steps go on meanwhile. See runbookd(8) and runbookd.conf(5).\n";

struct arguments {
	const char *root;
	bool config_test, adopt_test;
};

/* Return: -1 to go on, otherwise the exit code. */
static int options_parse(int argc, char **argv, struct arguments *arguments)
{
	enum {
		OPTION_ROOT = 256,
		OPTION_CONFIG_TEST,
		OPTION_ADOPT_TEST,
		OPTION_HELP,
		OPTION_VERSION
	};
	static const struct option options[] = {
		{"root", required_argument, NULL, OPTION_ROOT},
		{"config-test", no_argument, NULL, OPTION_CONFIG_TEST},
		{"adopt-test", no_argument, NULL, OPTION_ADOPT_TEST},
		{"help", no_argument, NULL, OPTION_HELP},
		{"version", no_argument, NULL, OPTION_VERSION},
		{NULL, 0, NULL, 0},
	};

	for (;;) {
		int option = getopt_long(argc, argv, "", options, NULL);

		switch (option) {
		case -1:
			if (optind == argc)
				return -1;
			fprintf(stderr, "runbookd: unexpected argument \"%s\", see --help\n",
				argv[optind]);
			return 2;
		case OPTION_ROOT:
			arguments->root = optarg;
			break;
		case OPTION_CONFIG_TEST:
			arguments->config_test = true;
			break;
		case OPTION_ADOPT_TEST:
			arguments->adopt_test = true;
			break;
		case OPTION_HELP:
			(void)fputs(usage, stdout);
			return 0;
		case OPTION_VERSION:
			(void)puts("runbookd " RUNBOOK_VERSION);
			return 0;
		default: /* getopt named the option */
			(void)fputs("runbookd: see --help\n", stderr);
			return 2;
		}
	}
}

static int config_test(const struct paths *paths)
{
	struct error error = ERROR_INIT;
	struct config *config;

	if (config_load(paths, &config, &error) < 0) {
		fprintf(stderr, "runbookd: %s\n", error.text);
		return 1;
	}
	printf("configuration in %s is fine: %zu projects\n", paths->etc, config->n_projects);
	(void)config_free(config);
	return 0;
}

/* Could we go on with the fd store of our parent, which is to execute us? Return: exit code. */
static int adopt_test(struct fd_store *fds)
{
	struct error error = ERROR_INIT;

	if (adopt_check(fds, &error) < 0) {
		fprintf(stderr, "runbookd: cannot go on with running steps: %s\n", error.text);
		return SUCCESSOR_EXIT_STEPS;
	}
	return 0;
}

/* Each running step holds about twenty descriptors; the children get their own limits. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int open_api_socket(struct daemon *daemon, struct error *error)
{
	char path[PATH_MAX + 16];

	(void)snprintf(path, sizeof(path), "%s/api.sock", daemon->paths.run);
	daemon->api_socket =
		listen_persist_unix(daemon->fds, path, API_SOCKET_MODE, daemon_api_group(), error);
	return daemon->api_socket < 0 ? daemon->api_socket : 0;
}

/* Will a service manager start another runbookd, with our descriptors and for our steps? */
static bool has_successor(const struct daemon *daemon)
{
	return fd_store_outlives(daemon->fds) &&
	       steps_running(daemon->steps) + steps_unacknowledged(daemon->steps) > 0;
}

static void become_begin(struct daemon *daemon)
{
	struct error error = ERROR_INIT;

	if (successor_try(daemon, &error) < 0)
		log_error("the program stays the one that it is: %s", error.text);
	else
		daemon_leave(daemon, DAEMON_BECOMING);
}

static void handle_signal(void *userdata, int signal_number)
{
	struct daemon *daemon = userdata;
	struct error error = ERROR_INIT;

	/* the signal is passed to the program that we become */
	if (daemon->state == DAEMON_BECOMING &&
	    (signal_number == SIGTERM || signal_number == SIGINT)) {
		if (daemon->stop_signal != SIGINT)
			daemon->stop_signal = signal_number;
		return;
	}
	switch (signal_number) {
	case SIGHUP:
		notify_state("RELOADING=1");
		(void)daemon_reload(daemon, &error);
		notify_state("READY=1");
		return;
	case SIGUSR2:
		if (!daemon_state_ends(daemon->state))
			become_begin(daemon);
		return;
	case SIGTERM:
		if (daemon_state_leaves(daemon->state))
			return;
		if (!daemon_state_ends(daemon->state) && has_successor(daemon)) {
			daemon_leave(daemon, DAEMON_LEAVING);
			return;
		}
		/* a service manager sends SIGTERM after SIGINT as well: that is not a second
		 * request, which would kill steps */
		if (daemon_state_ends(daemon->state) && fd_store_outlives(daemon->fds))
			return;
		break;
	default:
		break;
	}
	if (!daemon_state_leaves(daemon->state))
		daemon_stop(daemon);
}

/*
 * The service manager starts us again and again, until the cause of the failure is repaired; the
 * steps wait for that. Wait here, so that it does not happen many times a second.
 */
static void fail_slowly(void)
{
	const struct timespec pause = {.tv_sec = FAILED_START_PAUSE_SEC};
	sigset_t ends;

	(void)sigemptyset(&ends);
	(void)sigaddset(&ends, SIGTERM);
	(void)sigaddset(&ends, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &ends, NULL);
	(void)sigtimedwait(&ends, NULL, &pause);
}

/* The place of images is decided once, at the start, because steps and layers use its paths. */
static int images_prepare(struct daemon *daemon, struct error *error)
{
	const char *configured = daemon->config->images_directory;
	int length;

	if (configured)
		length = snprintf(daemon->images_dir, sizeof(daemon->images_dir), "%s", configured);
	else
		length = snprintf(daemon->images_dir, sizeof(daemon->images_dir), "%s/images",
				  daemon->paths.lib);
	if (length >= (int)sizeof(daemon->images_dir))
		return error_set(error, ENAMETOOLONG, "the path of the images is too long");
	if (state_dirs_make_images(daemon->images_dir, error) < 0)
		return -error->number;
	return layers_new(daemon, daemon->sandbox_host, &sandbox_library, &daemon->layers, error);
}

static int daemon_start(struct daemon *daemon, struct error *error)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR2, 0};
	int r;

	daemon->changed = daemon_progress;
	daemon->child_hooks = (struct child_hooks){
		.requests = requests_table,
		.n_requests = requests_table_size,
		.greeted = daemon_child_greeted,
		.gone = daemon_child_gone,
	};
	if (state_dirs_make(&daemon->paths, error) < 0)
		return -error->number;
	daemon->lock_fd = state_lock(&daemon->paths, daemon->fds, error);
	if (daemon->lock_fd < 0 || adopt_ledger(daemon, error) < 0)
		return -error->number;
	r = loop_new(&daemon->loop);
	if (r == 0)
		r = loop_signals(daemon->loop, signals, handle_signal, daemon);
	if (r < 0)
		return error_errno(error, -r, "cannot make the event loop");
	if (daemon_reload(daemon, error) < 0 || open_api_socket(daemon, error) < 0)
		return -error->number;
	/* before the children: this process may move into a leaf of its cgroup, and children start
	 * in the cgroup of their parent */
	if (sandboxes_prepare(daemon, error) < 0 ||
	    steps_new(daemon, daemon->sandbox_host, &sandbox_library, &daemon->steps, error) < 0 ||
	    images_prepare(daemon, error) < 0)
		return -error->number;
	if (log_remover_new(daemon, &daemon->log_remover) < 0)
		return error_errno(error, ENOMEM, "cannot make the log remover");
	adopt_steps(daemon);
	loop_idle_set(daemon->loop, sandboxes_idle, daemon);
	space_watch(daemon);
	children_start(daemon);
	return 0;
}

static void daemon_end(struct daemon *daemon)
{
	if (daemon->loop)
		loop_idle_set(daemon->loop, NULL, NULL);
	loop_remove(&daemon->network_file);
	loop_timer_cancel(&daemon->space_timer);
	daemon->log_remover = log_remover_free(daemon->log_remover);
	daemon->steps = steps_free(daemon->steps);
	daemon->layers = layers_free(daemon->layers);
	if (daemon->sandbox_host)
		daemon->sandbox_host = sandbox_host_free(daemon->sandbox_host);
	listener_set_close(&daemon->webhook_listeners);
	listener_set_close(&daemon->api_listeners);
	if (daemon->api_socket >= 0)
		(void)close(daemon->api_socket);
	daemon->config = config_free(daemon->config);
	daemon->loop = loop_free(daemon->loop);
	/* all steps have ended, so there is nothing for a successor */
	fd_store_clear(daemon->fds);
	daemon->ledger = ledger_free(daemon->ledger);
	daemon->fds = fd_store_free(daemon->fds);
	if (daemon->lock_fd >= 0)
		(void)close(daemon->lock_fd);
}

/* Return: the exit code. Does not return when this process became its successor. */
static int run(struct daemon *daemon, char **argv)
{
	struct error error = ERROR_INIT;

	for (;;) {
		int code = loop_run(daemon->loop);

		if (daemon->state != DAEMON_BECOMING || code != 0)
			return code;
		/* the signal is blocked, so it stays pending for our successor */
		if (daemon->stop_signal)
			(void)kill(getpid(), daemon->stop_signal);
		daemon->stop_signal = 0;
		(void)successor_become(daemon, argv, &error);
		log_error("%s; going on as before", error.text);
		daemon_stay(daemon);
	}
}

int main(int argc, char **argv)
{
	struct daemon daemon = {.lock_fd = -1,
				.api_socket = -1,
				.network_file = LOOP_FILE_NULL,
				.reload_timer = LOOP_TIMER_NULL,
				.space_timer = LOOP_TIMER_NULL,
				.stop_timer = LOOP_TIMER_NULL};
	struct arguments arguments = {.root = NULL};
	struct error error = ERROR_INIT;
	int highest = 2;
	int code = options_parse(argc, argv, &arguments);

	if (code >= 0)
		return code;
	successor_remember();
	if (!arguments.config_test)
		daemon.fds = fd_store_inherit(&highest);
	else if (arguments.adopt_test)
		daemon.fds = fd_store_borrow(&highest);
	if (isolate_fds(highest, &error) < 0 ||
	    paths_init(&daemon.paths, arguments.root, &error) < 0) {
		fprintf(stderr, "runbookd: %s\n", error.text);
		return 1;
	}
	(void)umask(022);
	if (arguments.config_test) {
		code = config_test(&daemon.paths);
		if (code == 0 && arguments.adopt_test)
			code = adopt_test(daemon.fds);
		(void)fd_store_free(daemon.fds);
		return code;
	}
	if (geteuid() != 0) {
		(void)fputs("runbookd: must be started as root, because it builds sandboxes for "
			    "steps and starts its own parts under other users: use sudo\n",
			    stderr);
		return 1;
	}
	log_open("runbookd");
	if (!daemon.fds) {
		(void)fputs("runbookd: out of memory\n", stderr);
		return 1;
	}
	/* keys, tokens and payloads pass through this memory */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)memory_guard_self();
	raise_descriptor_limit();
	(void)signal(SIGPIPE, SIG_IGN);
	code = daemon_start(&daemon, &error);
	if (code < 0)
		log_error("%s", error.text);
	/* steps in the fd store wait for a start that succeeds */
	if (code < 0 && fd_store_outlives(daemon.fds)) {
		fail_slowly();
		return 1;
	}
	if (code == 0)
		code = run(&daemon, argv);
	if (daemon_state_leaves(daemon.state))
		return code == 0 ? 0 : 1; /* the steps go on, so take nothing down */
	daemon_end(&daemon);
	return code == 0 ? 0 : 1;
}
