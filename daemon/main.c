/* SPDX-License-Identifier: Apache-2.0 */

/*
 * runbookd: the only process that stays root. It reads its own configuration,
 * starts and confines the others, and builds sandboxes. It parses nothing that
 * came from outside.
 */

#include "common/cleanup.h"
#include "common/isolation.h"
#include "common/log.h"
#include "daemon/daemon.h"
#include "daemon/layers.h"
#include "daemon/sandboxes.h"
#include "daemon/space.h"
#include "daemon/state_dirs.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const char usage[] =
	"Usage: runbookd [--root DIR]\n"
	"Run the runbookd service in the foreground until SIGTERM.\n"
	"\n"
	"  --root DIR      keep all configuration, state, logs and sockets beneath DIR\n"
	"                  (also $RUNBOOK_ROOT)\n"
	"  --config-test   read the configuration, say what is wrong with it, and exit\n"
	"  --help          print this and exit\n"
	"  --version       print the version and exit\n"
	"\n"
	"SIGHUP reads the configuration again. See runbookd(8) and runbookd.conf(5).\n";

struct arguments {
	const char *root;
	bool config_test;
};

/* Return: -1 to go on, otherwise the exit code. */
static int parse_arguments(int argc, char **argv, struct arguments *arguments)
{
	enum { OPTION_ROOT = 256, OPTION_CONFIG_TEST, OPTION_HELP, OPTION_VERSION };
	static const struct option options[] = {
		{"root", required_argument, NULL, OPTION_ROOT},
		{"config-test", no_argument, NULL, OPTION_CONFIG_TEST},
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

static int make_instance_id(char *out, struct error *error)
{
	unsigned char random[(INSTANCE_ID_SIZE - 1) / 2];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return error_errno(error, errno, "cannot get random bytes");
	for (size_t i = 0; i < sizeof(random); i++)
		(void)snprintf(out + 2 * i, 3, "%02x", random[i]);
	return 0;
}

/* Each running step holds about ten descriptors; the children get their own limits. */
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
	gid_t group = geteuid() == 0 ? role_user(ROLE_API).gid : getegid();

	(void)snprintf(path, sizeof(path), "%s/api.sock", daemon->paths.run);
	daemon->api_socket = listen_unix(path, 0660, group, error);
	return daemon->api_socket < 0 ? daemon->api_socket : 0;
}

static void handle_signal(void *userdata, int signal_number)
{
	struct daemon *daemon = userdata;
	struct error error = ERROR_INIT;

	if (signal_number == SIGHUP) {
		notify_state("RELOADING=1");
		(void)daemon_reload(daemon, &error);
		notify_state("READY=1");
		return;
	}
	daemon_stop(daemon);
}

/* Where images are is decided once: steps and layers hold on to it. */
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
	return layers_new(daemon, daemon->sandbox_host, &sandboxes_library, &daemon->layers, error);
}

static int daemon_start(struct daemon *daemon, struct error *error)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, 0};
	int r;

	if (state_dirs_make(&daemon->paths, error) < 0)
		return -error->number;
	daemon->lock_fd = state_lock(&daemon->paths, error);
	if (daemon->lock_fd < 0 || make_instance_id(daemon->instance_id, error) < 0)
		return -error->number;
	r = loop_new(&daemon->loop);
	if (r == 0)
		r = loop_signals(daemon->loop, signals, handle_signal, daemon);
	if (r < 0)
		return error_errno(error, -r, "cannot make the event loop");
	if (daemon_reload(daemon, error) < 0 || open_api_socket(daemon, error) < 0)
		return -error->number;
	/* before the children: this process may move into a leaf of its cgroup, and children are
	 * born where their parent is */
	if (sandboxes_prepare(daemon, &daemon->sandbox_host, error) < 0 ||
	    steps_new(daemon, daemon->sandbox_host, &sandboxes_library, &daemon->steps, error) <
		    0 ||
	    images_prepare(daemon, error) < 0)
		return -error->number;
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
	if (daemon->lock_fd >= 0)
		(void)close(daemon->lock_fd);
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
	int code = parse_arguments(argc, argv, &arguments);

	if (code >= 0)
		return code;
	if (isolate_fds(2, &error) < 0 || paths_init(&daemon.paths, arguments.root, &error) < 0) {
		fprintf(stderr, "runbookd: %s\n", error.text);
		return 1;
	}
	(void)umask(022);
	if (arguments.config_test)
		return config_test(&daemon.paths);
	if (geteuid() != 0) {
		(void)fputs("runbookd: must be started as root, because it builds sandboxes for "
			    "steps and starts its own parts under other users: use sudo\n",
			    stderr);
		return 1;
	}
	log_open("runbookd");
	/* keys, tokens and payloads pass through this memory */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	raise_descriptor_limit();
	(void)signal(SIGPIPE, SIG_IGN);
	code = daemon_start(&daemon, &error);
	if (code == 0)
		code = loop_run(daemon.loop);
	else
		log_error("%s", error.text);
	daemon_end(&daemon);
	return code == 0 ? 0 : 1;
}
