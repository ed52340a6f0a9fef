/* SPDX-License-Identifier: Apache-2.0 */

/*
 * DOC: runbook-sandbox: one sandbox from the command line
 *
 * Runs one command with the sandbox library, without the daemon. Exits with the command's
 * status, or 124 (timeout), 125 (the sandbox could not be built), 126 (not executable), 127
 * (not found), 128+n (signal n).
 */

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/names.h"
#include "common/paths.h"
#include "common/step_payload.h"
#include "common/step_user.h"
#include "sandbox/host.h"
#include "sandbox/host_disks.h"
#include "sandbox/outcome_text.h"
#include "sandbox/plan.h"
#include "sandbox/sandbox_options.h"
#include "sandbox/sandbox_report.h"
#include "sandbox/stored_image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CGROUP_NAME "runbook-sandbox"
#define GRACE_DEFAULT_SEC 10
#define DEFAULT_PATH                                                                               \
	"PATH=/run/runbookd/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* ---- running ---- */

static int64_t now_msec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct runner {
	struct sandbox_host *host;
	struct sandbox sandbox;
	struct seccomp_report *report; /* NULL: not wanted */
	int signals_fd;
	int64_t deadline_msec; /* 0: none */
	int64_t grace_msec;
	int64_t grace_end_msec; /* of the last forwarded signal; 0: none */
	bool timed_out;
	bool ended; /* the command has ended; its other processes have the rest of the grace */
	unsigned n_signals;
};

static void handle_signal(struct runner *runner)
{
	struct signalfd_siginfo info;

	if (read(runner->signals_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	/* the third signal kills at once */
	if (++runner->n_signals >= 3)
		(void)sandbox_kill(&runner->sandbox);
	else
		(void)sandbox_signal(&runner->sandbox, (int)info.ssi_signo);
	runner->grace_end_msec = now_msec() + runner->grace_msec;
}

/*
 * The command has ended. If a signal was forwarded, the processes that the command started have
 * until the end of the grace period, which began with the signal. Return: whether to wait for
 * them.
 */
static bool wait_for_rest(struct runner *runner)
{
	if (runner->ended || runner->grace_end_msec == 0)
		return false;
	runner->ended = true;
	runner->deadline_msec = runner->grace_end_msec;
	return true;
}

static void handle_deadline(struct runner *runner)
{
	if (runner->timed_out || runner->ended) {
		(void)sandbox_kill(&runner->sandbox);
		runner->deadline_msec = 0;
		return;
	}
	runner->timed_out = true;
	(void)sandbox_signal(&runner->sandbox, SIGTERM);
	runner->deadline_msec = runner->grace_end_msec = now_msec() + runner->grace_msec;
}

static int complain(int code, const char *text)
{
	(void)fprintf(stderr, "runbook-sandbox: %s\n", text);
	return code;
}

/* Waits for the command's end; after a signal for all its processes or the end of the grace. */
static void wait_for_end(struct runner *runner)
{
	struct pollfd files[] = {{.fd = runner->sandbox.status_fd, .events = POLLIN},
				 {.fd = runner->signals_fd, .events = POLLIN},
				 {.fd = -1, .events = POLLIN},
				 {.fd = sandbox_host_watch_fd(runner->host), .events = POLLIN}};

	for (;;) {
		int64_t left = runner->deadline_msec ? runner->deadline_msec - now_msec() : -1;

		if (runner->deadline_msec && left <= 0) {
			handle_deadline(runner);
			continue;
		}
		if (runner->report)
			files[2].fd = seccomp_report_fd(runner->report);
		if (poll(files, ARRAY_SIZE(files), left > INT32_MAX ? INT32_MAX : (int)left) < 0)
			continue;
		if (files[0].revents & (POLLHUP | POLLERR))
			return;
		if (files[0].revents && !wait_for_rest(runner))
			return;
		if (runner->ended)
			files[0].events = 0; /* POLLHUP is always reported */
		if (files[1].revents)
			handle_signal(runner);
		if (files[2].revents)
			seccomp_report_handle(runner->report);
		if (files[3].revents && sandbox_host_watch(runner->host))
			(void)complain(0,
				       "the firewall table of sandboxes was removed: it is there "
				       "again");
	}
}

static int exit_code(const struct runner *runner, const struct sandbox_outcome *outcome)
{
	if (runner->timed_out)
		return EXIT_TIMEOUT;
	switch (outcome->how) {
	case SANDBOX_EXITED:
		return outcome->code;
	case SANDBOX_SIGNALED:
		return EXIT_SIGNAL + outcome->code;
	case SANDBOX_EXEC_FAILED:
		return outcome->code == ENOENT || outcome->code == ENOTDIR ? EXIT_NOT_FOUND
									   : EXIT_NOT_EXECUTABLE;
	case SANDBOX_LOST:
		break;
	}
	return EXIT_SIGNAL + SIGKILL;
}

/* Prints the limits that the step met, in addition to its status. */
static void complain_limits(const struct sandbox_outcome *outcome)
{
	char text[256];

	if (outcome->memory_limit) {
		sandbox_outcome_memory(outcome, text, sizeof(text));
		(void)complain(0, text);
	}
	if (outcome->how == SANDBOX_EXITED && outcome->code == 0)
		return;
	sandbox_outcome_hint(outcome, text, sizeof(text));
	if (text[0])
		(void)complain(0, text);
}

static int run(struct sandbox_host *host, struct sandbox_request *request,
	       const struct options *options, struct seccomp_report *report)
{
	struct runner runner = {.host = host, .report = report};
	struct sandbox_outcome outcome;
	struct error error = ERROR_INIT;
	sigset_t handled;
	int r;

	(void)sigemptyset(&handled);
	(void)sigaddset(&handled, SIGINT);
	(void)sigaddset(&handled, SIGTERM);
	(void)sigaddset(&handled, SIGHUP);
	(void)sigaddset(&handled, SIGQUIT);
	(void)sigprocmask(SIG_BLOCK, &handled, NULL);
	runner.signals_fd = signalfd(-1, &handled, SFD_CLOEXEC);
	if (runner.signals_fd < 0)
		return complain(EXIT_SANDBOX, "cannot receive signals");
	if (report) {
		request->seccomp_report = true;
		request->report_fd = seccomp_report_socket(report);
	}
	if (sandbox_start(host, request, &runner.sandbox, &error) < 0)
		return complain(EXIT_SANDBOX, error.text);
	if (report)
		seccomp_report_started(report);
	runner.grace_msec = (int64_t)options->grace_sec * 1000;
	if (options->timeout_sec)
		runner.deadline_msec = now_msec() + (int64_t)options->timeout_sec * 1000;
	wait_for_end(&runner);
	r = sandbox_finish(&runner.sandbox, &outcome, &error);
	(void)close(runner.signals_fd);
	if (r < 0)
		return complain(EXIT_SANDBOX, error.text);
	if (error.number)
		(void)complain(0, error.text);
	if (runner.timed_out)
		(void)fprintf(stderr, "runbook-sandbox: timeout after %" PRIu64 " s\n",
			      options->timeout_sec);
	complain_limits(&outcome);
	return exit_code(&runner, &outcome);
}

/* Creates the file before the command runs, so that an unwritable report fails early. */
static int run_and_report(struct sandbox_host *host, struct sandbox_request *request,
			  const struct options *options)
{
	const char *path = options->seccomp_report_file;
	struct seccomp_report *report = NULL;
	struct error error = ERROR_INIT;
	FILE *file = NULL;
	bool failed;
	int code;

	if (!options->seccomp_report)
		return run(host, request, options, NULL);
	if (path) {
		file = fopen(path, "we");
		if (!file)
			return complain(EXIT_SANDBOX, "cannot write the file of --seccomp-report");
	}
	code = seccomp_report_new(&report, &error);
	code = code < 0 ? complain(EXIT_SANDBOX, error.text) : run(host, request, options, report);
	if (report && !file)
		seccomp_report_print(report, stderr);
	failed = report && file && seccomp_report_print_json(report, file) < 0;
	if (file && (fclose(file) != 0 || failed) && code == 0)
		code = complain(EXIT_SANDBOX, "cannot write the file of --seccomp-report");
	(void)seccomp_report_free(report);
	return code;
}

/* Variables that most programs need come first, so that --env can replace them. */
static int payload_make(struct options *options, char **argv)
{
	const char *const defaults[] = {DEFAULT_PATH, "HOME=/workspace", "LANG=C.UTF-8",
					options->user ? "" : "USER=root"};
	char *env[ENV_MAX + ARRAY_SIZE(defaults) + 2];
	const char *term = getenv("TERM");
	char term_entry[80];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
		size_t length = strcspn(defaults[i], "=") + 1;
		bool given = defaults[i][0] == '\0';

		for (size_t j = 0; j < options->n_env; j++)
			given = given || strncmp(options->env[j], defaults[i], length) == 0;
		if (!given)
			env[n++] = (char *)defaults[i];
	}
	if (options->tty)
		term = "xterm"; /* the sandbox's terminal, not the caller's */
	if (term && strlen(term) < 64) {
		(void)snprintf(term_entry, sizeof(term_entry), "TERM=%s", term);
		env[n++] = term_entry;
	}
	for (size_t i = 0; i < options->n_env; i++)
		env[n++] = options->env[i];
	env[n] = NULL;
	return step_payload_new(argv, env);
}

static bool io_given(const struct sandbox_io *io)
{
	return io->read || io->write || io->read_ops || io->write_ops;
}

static bool limits_given(const struct options *options)
{
	return options->memory || options->pids || options->cpu_milli || io_given(&options->io);
}

static int explain(const struct sandbox_request *request, const struct options *options)
{
	struct cgroup_host limits;
	bool groups = cgroup_host_probe(&limits, CGROUP_NAME);
	struct plan_view view;
	struct plan_facts facts = {
		.base = ID_STEP_FIRST,
		.init_id = ID_INIT_FIRST,
		.root = strcmp(request->image, "host") == 0 ? "(template)" : request->image,
		.scratch = host_disk_default(host_memory_default(), 1),
		.resolv = request->network == STEP_NETWORK_EGRESS ? "" : NULL,
		.cgroup = groups,
		.limit_memory = limits.memory,
		.limit_pids = limits.pids,
		.limit_cpu = limits.cpu,
		.limit_io = limits.io,
		.view = &view,
	};
	cleanup_plan struct plan *plan = NULL;
	struct error error = ERROR_INIT, no_disk = ERROR_INIT;
	const char *warning = NULL;
	bool runs = true;

	host_view_probe(&view);
	if (host_disks_find(request, &facts, true, &no_disk) < 0)
		facts.n_io_devices = 0;
	if (plan_new(&plan, request, &facts, &error) < 0)
		return complain(EXIT_SANDBOX, error.text);
	if (limits.warning[0]) {
		warning = limits.warning;
		runs = !limits_given(options);
	} else if (no_disk.number) {
		warning = no_disk.text;
		runs = false;
	}
	if (options->json)
		return plan_print_json(plan, warning, runs, stdout) < 0
			       ? complain(EXIT_SANDBOX, "out of memory")
			       : 0;
	plan_print(plan, stdout);
	if (warning)
		(void)printf("%s: %s\n", runs ? "not here" : "refused, nothing would run", warning);
	return 0;
}

/* In a build tree it is beside this program, after installation in libexec. */
static void find_init(char *path, size_t size)
{
	ssize_t length = readlink("/proc/self/exe", path, size - 1);
	char *slash;

	path[length < 0 ? 0 : length] = '\0';
	slash = strrchr(path, '/');
	if (slash)
		(void)snprintf(slash + 1, size - (size_t)(slash + 1 - path), "runbook-init");
	if (!slash || access(path, R_OK) < 0)
		(void)snprintf(path, size, "%s/runbook-init", RUNBOOK_LIBEXECDIR);
}

static int state_dir_find(const struct options *options, char *path, size_t size)
{
	struct error error = ERROR_INIT;
	struct paths paths;

	if (paths_init(&paths, options->root, &error) < 0)
		return complain(-EXIT_SANDBOX, error.text);
	if ((size_t)snprintf(path, size, "%s", paths.lib) >= size)
		return complain(-EXIT_SANDBOX, "the path of --root is too long");
	return make_directories(AT_FDCWD, path, 0755);
}

static int build_and_run(struct options *options, struct sandbox_request *request)
{
	char init_path[PATH_MAX], state_dir[PATH_MAX];
	struct sandbox_host_options host_options = {
		.init_path = init_path,
		.cgroup_name = CGROUP_NAME,
		.once = true,
		.once_network = request->network,
		.gateway = options->gateway,
		.limits = limits_given(options) ? SANDBOX_LIMITS_REQUIRED
						: SANDBOX_LIMITS_BEST_EFFORT,
	};
	struct sandbox_host *host = NULL;
	struct error error = ERROR_INIT;
	struct stat st;
	int code;

	if (options->workspace) {
		if (stat(options->workspace, &st) < 0)
			return complain(EXIT_SANDBOX, "cannot look at the workspace");
		request->workspace_uid = st.st_uid;
		request->workspace_gid = st.st_gid;
	}
	find_init(init_path, sizeof(init_path));
	code = state_dir_find(options, state_dir, sizeof(state_dir));
	if (code == -EXIT_SANDBOX)
		return EXIT_SANDBOX;
	/* without a writable directory for templates (a read-only system) make a temporary one */
	host_options.state_dir = code < 0 ? NULL : state_dir;
	if (sandbox_host_new(&host, &host_options, &error) < 0)
		return complain(EXIT_SANDBOX, error.text);
	code = run_and_report(host, request, options);
	(void)sandbox_host_free(host);
	return code;
}

static bool env_given(const struct options *options, const char *entry)
{
	size_t length = strcspn(entry, "=") + 1;

	for (size_t i = 0; i < options->n_env; i++) {
		if (strncmp(options->env[i], entry, length) == 0)
			return true;
	}
	return false;
}

/* Options of the command line take precedence over the image's. */
static int use_stored(struct options *options, struct sandbox_request *request)
{
	static struct stored_image image;
	const struct image_record *record = &image.record;
	struct error error = ERROR_INIT;
	struct paths paths;

	if (paths_init(&paths, options->root, &error) < 0 ||
	    stored_image_find(paths.lib, options->stored, &image, &error) < 0)
		return complain(-EXIT_SANDBOX, error.text);
	for (size_t i = 0; i < record->n_env && options->n_env < ENV_MAX; i++) {
		if (!env_given(options, record->env[i]))
			options->env[options->n_env++] = (char *)record->env[i];
	}
	request->layers = (const char *const *)image.layers;
	request->n_layers = record->n_layers;
	request->uid = record->uid;
	request->gid = record->gid;
	options->passwd = record->passwd;
	options->group = record->group;
	if (!request->workdir && record->workdir[0] != '\0')
		request->workdir = record->workdir;
	return 0;
}

/*
 * Names are resolved by the stored image. /etc/passwd of an image directory is not read: this
 * program is root and reads no files that other users may have written.
 */
static int use_user(const struct options *options, struct sandbox_request *request)
{
	bool host = !options->stored && strcmp(options->image, "host") == 0;
	struct error error = ERROR_INIT;

	if (step_user_resolve(options->user, host ? step_user_host_passwd : options->passwd,
			      host ? step_user_host_group : options->group, &request->uid,
			      &request->gid, &error) == 0)
		return 0;
	if (!host && !options->stored)
		return complain(-EXIT_SANDBOX,
				"--user: with a directory as image, give numbers (UID:GID)");
	(void)error_wrap(&error, "--user");
	return complain(-EXIT_SANDBOX, error.text);
}

/* If one of the three is closed, the next file we open would become the command's. */
static void standard_fill(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	while (fd >= 0 && fd <= STDERR_FILENO)
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		(void)close(fd);
}

int main(int argc, char **argv)
{
	/* static, because on the stack the zeros would be written, forty KiB of them */
	static struct options options = {
		.image = "host", .network = STEP_NETWORK_NONE, .grace_sec = GRACE_DEFAULT_SEC};
	char id[64];
	int command = sandbox_options_parse(&options, argc, argv);

	if (command <= 0)
		return -command;
	if (options.seccomp_list) {
		seccomp_list_print(stdout);
		return 0;
	}
	standard_fill();
	(void)snprintf(id, sizeof(id), "sandbox-%d", (int)getpid());
	struct sandbox_request request = {
		.id = options.explain ? "sandbox" : id,
		.image = options.image,
		.hostname = options.hostname ? options.hostname : "sandbox",
		.workspace = options.workspace,
		.workdir = options.workdir,
		.binds = options.binds,
		.n_binds = options.n_binds,
		.network = options.network,
		.allow = options.allow,
		.n_allow = options.n_allow,
		.only = options.only,
		.n_only = options.n_only,
		.limited = options.n_only > 0,
		.memory = options.memory,
		.pids = options.pids,
		.cpu_milli = options.cpu_milli,
		.disk = options.disk,
		.io = options.io,
		.tty = options.tty,
		.stdin_fd = STDIN_FILENO,
		.stdout_fd = STDOUT_FILENO,
		.stderr_fd = STDERR_FILENO,
	};
	if (options.stored && use_stored(&options, &request) < 0)
		return EXIT_SANDBOX;
	if (options.user && use_user(&options, &request) < 0)
		return EXIT_SANDBOX;
	if (options.explain)
		return explain(&request, &options);
	cleanup_close int payload_fd = payload_make(&options, argv + command);

	if (payload_fd < 0)
		return complain(EXIT_SANDBOX, "cannot keep the command: too long");
	request.payload_fd = payload_fd;
	return build_and_run(&options, &request);
}
