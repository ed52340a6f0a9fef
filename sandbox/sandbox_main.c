/* SPDX-License-Identifier: Apache-2.0 */

/*
 * DOC: runbook-sandbox: one sandbox from the command line
 *
 * The same library as in the daemon, without the daemon. Exits with the
 * command's status, or 124 (timeout), 125 (the sandbox could not be built), 126
 * (not executable), 127 (not found), 128+n (signal n).
 */

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/names.h"
#include "common/paths.h"
#include "common/step_payload.h"
#include "sandbox/host.h"
#include "sandbox/host_disks.h"
#include "sandbox/outcome_text.h"
#include "sandbox/plan.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
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

enum {
	EXIT_USAGE = 2,
	EXIT_TIMEOUT = 124,
	EXIT_SANDBOX = 125,
	EXIT_NOT_EXECUTABLE = 126,
	EXIT_NOT_FOUND = 127,
	EXIT_SIGNAL = 128,
};

#define CGROUP_NAME "runbook-sandbox"
#define GRACE_DEFAULT_SEC 10
#define BINDS_MAX 64
#define ENV_MAX 1024
#define DEFAULT_PATH                                                                               \
	"PATH=/run/runbookd/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* ---- options ---- */

struct options {
	const char *root;
	const char *image;
	const char *workspace;
	const char *workdir;
	const char *hostname;
	enum step_network network;
	uint64_t memory, pids, cpu_milli, disk, timeout_sec, grace_sec;
	struct sandbox_io io;
	struct sandbox_bind binds[BINDS_MAX];
	size_t n_binds;
	char *env[ENV_MAX + 1];
	size_t n_env;
	bool explain;
};

typedef int (*option_fn)(struct options *options, const char *value);

static int set_root(struct options *options, const char *value)
{
	options->root = value;
	return 0;
}

static int set_image(struct options *options, const char *value)
{
	options->image = strcmp(value, "host") == 0 ? "host" : realpath(value, NULL);
	return options->image ? 0 : -errno;
}

static int set_workspace(struct options *options, const char *value)
{
	options->workspace = realpath(value, NULL);
	return options->workspace ? 0 : -errno;
}

static int set_workdir(struct options *options, const char *value)
{
	options->workdir = value;
	return 0;
}

static int set_hostname(struct options *options, const char *value)
{
	options->hostname = value;
	return 0;
}

static int set_network(struct options *options, const char *value)
{
	static const char *const names[STEP_NETWORK_NUM] = {[STEP_NETWORK_EGRESS] = "egress",
							    [STEP_NETWORK_NONE] = "none",
							    [STEP_NETWORK_ISOLATED] = "isolated"};

	for (int i = 0; i < STEP_NETWORK_NUM; i++) {
		if (strcmp(value, names[i]) == 0) {
			options->network = (enum step_network)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int set_memory(struct options *options, const char *value)
{
	return parse_size(value, &options->memory);
}

static int set_disk(struct options *options, const char *value)
{
	return parse_size(value, &options->disk);
}

static int set_pids(struct options *options, const char *value)
{
	char *end;

	errno = 0;
	options->pids = strtoull(value, &end, 10);
	return errno || *end || end == value || *value == '-' || options->pids == 0 ? -EINVAL : 0;
}

static int set_cpus(struct options *options, const char *value)
{
	return parse_cpus(value, &options->cpu_milli);
}

/* 20M for both directions, or parts of read=20M,write=5M,read_ops=500,write_ops=100. */
static int set_io(struct options *options, const char *value)
{
	struct sandbox_io *io = &options->io;
	char *const words[] = {(char *)"read", (char *)"write", (char *)"read_ops",
			       (char *)"write_ops", NULL};
	uint64_t *const fields[] = {&io->read, &io->write, &io->read_ops, &io->write_ops};
	cleanup_free char *copy = strdup(value);
	char *rest = copy, *text;

	if (!copy)
		return -ENOMEM;
	if (!strchr(value, '=')) {
		int r = parse_size(value, &io->read);

		io->write = io->read;
		return r < 0 || io->read == 0 ? -EINVAL : 0;
	}
	while (*rest) {
		int which = getsubopt(&rest, words, &text);

		/* a number of operations is a number, but 2K of them is clear, too */
		if (which < 0 || !text || parse_size(text, fields[which]) < 0 ||
		    *fields[which] == 0)
			return -EINVAL;
	}
	return 0;
}

static int set_timeout(struct options *options, const char *value)
{
	return parse_duration(value, &options->timeout_sec);
}

static int set_grace(struct options *options, const char *value)
{
	return parse_duration(value, &options->grace_sec);
}

/* SRC:DST[:ro]. A writable one shows its owner's files as root's, so that they can be changed. */
static int add_bind(struct options *options, const char *value)
{
	char *copy = strdup(value);
	char *target = copy ? strchr(copy, ':') : NULL;
	char *mode = target ? strchr(target + 1, ':') : NULL;
	struct sandbox_bind *bind = &options->binds[options->n_binds];
	struct stat st;

	if (!target || options->n_binds == BINDS_MAX) {
		free(copy);
		return -EINVAL;
	}
	*target++ = '\0';
	if (mode)
		*mode++ = '\0';
	bind->source = realpath(copy, NULL);
	bind->target = target; /* keeps the copy */
	if (!bind->source || stat(bind->source, &st) < 0)
		return -errno;
	if (mode && strcmp(mode, "ro") != 0 && strcmp(mode, "rw") != 0)
		return -EINVAL;
	bind->writable = !mode || strcmp(mode, "rw") == 0;
	bind->idmap = bind->writable;
	bind->owner_uid = st.st_uid;
	bind->owner_gid = st.st_gid;
	options->n_binds++;
	return 0;
}

static int add_env(struct options *options, const char *value)
{
	const char *equals = strchr(value, '=');
	char name[300];

	if (!equals || (size_t)(equals - value) >= sizeof(name) || options->n_env == ENV_MAX)
		return -EINVAL;
	(void)snprintf(name, sizeof(name), "%.*s", (int)(equals - value), value);
	if (!env_name_valid(name))
		return -EINVAL;
	options->env[options->n_env++] = (char *)value;
	return 0;
}

static int set_explain(struct options *options, const char *value)
{
	options->explain = true;
	return 0;
}

static const struct {
	const char *name;
	const char *argument; /* NULL: a switch */
	option_fn set;
	const char *help;
} option_table[] = {
	{"image", "IMAGE", set_image, "\"host\" (default) or a directory with a root file system"},
	{"network", "NETWORK", set_network, "none (default) or egress"},
	{"workspace", "DIR", set_workspace, "show DIR as /workspace, copy-on-write"},
	{"memory", "SIZE", set_memory, "hard limit, such as 512M (default none)"},
	{"pids", "N", set_pids,
	 "most processes and threads at once (default 4096, where the host can)"},
	{"cpus", "N", set_cpus, "processors, such as 1.5 (default all)"},
	{"io", "LIMIT", set_io,
	 "bytes per second and disk, such as 20M or read=20M,write_ops=100 (default none)"},
	{"disk", "SIZE", set_disk,
	 "most bytes it may write; they are kept in memory (default half of it)"},
	{"bind", "SRC:DST[:ro]", add_bind, "show SRC of the host at DST"},
	{"env", "NAME=VALUE", add_env, "add to the environment"},
	{"workdir", "DIR", set_workdir, "start there (default /workspace)"},
	{"hostname", "NAME", set_hostname, "name of the host inside"},
	{"timeout", "TIME", set_timeout, "end it after TIME, such as 90s or 15m; exit 124"},
	{"grace", "TIME", set_grace,
	 "after that, wait TIME between SIGTERM and kill (default 10s)"},
	{"root", "DIR", set_root, "keep state beneath DIR (or $RUNBOOK_ROOT)"},
	{"explain", NULL, set_explain, "print what would be done, and do nothing"},
};

static void print_help(void)
{
	(void)printf("Usage: runbook-sandbox [OPTION]... [--] COMMAND [ARGUMENT]...\n"
		     "Run COMMAND in a sandbox of its own.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(option_table); i++) {
		char left[40];

		(void)snprintf(left, sizeof(left), "--%s %s", option_table[i].name,
			       option_table[i].argument ? option_table[i].argument : "");
		(void)printf("  %-24s %s\n", left, option_table[i].help);
	}
	(void)printf(
		"  --help, --version\n\n"
		"A given --memory, --pids, --cpus or --io that this host cannot apply is refused\n"
		"with status 125; --explain shows which it can apply.\n\n"
		"Exit status: the command's; 124 timeout, 125 the sandbox could not be built,\n"
		"126 not executable, 127 not found, 128+N ended by signal N.\n");
}

static int usage(const char *problem, const char *name, const char *value)
{
	(void)fprintf(stderr, "runbook-sandbox: %s%s%s%s%s; see runbook-sandbox --help\n", problem,
		      name, value ? ": bad value \"" : "", value ? value : "", value ? "\"" : "");
	return -EXIT_USAGE;
}

/* Return: index of the command in @argv, 0 when there is nothing left to do, -exit code. */
static int parse_options(struct options *options, int argc, char **argv)
{
	struct option table[ARRAY_SIZE(option_table) + 3] = {{0}};
	size_t n = ARRAY_SIZE(option_table);
	int c;

	for (size_t i = 0; i < n; i++)
		table[i] = (struct option){
			option_table[i].name,
			option_table[i].argument ? required_argument : no_argument, NULL, (int)i};
	table[n] = (struct option){"help", no_argument, NULL, 'h'};
	table[n + 1] = (struct option){"version", no_argument, NULL, 'V'};
	_Static_assert(ARRAY_SIZE(option_table) < 'A', "indexes do not meet letters");
	while ((c = getopt_long(argc, argv, "+", table, NULL)) != -1) {
		if (c == 'h') {
			print_help();
			return 0;
		}
		if (c == 'V') {
			(void)printf("runbook-sandbox " RUNBOOK_VERSION "\n");
			return 0;
		}
		if (c == '?') {
			(void)fprintf(stderr, "see runbook-sandbox --help\n");
			return -EXIT_USAGE;
		}
		if (option_table[c].set(options, optarg) < 0)
			return usage("option --", option_table[c].name, optarg);
	}
	if (optind >= argc)
		return usage("no command given", "", NULL);
	return optind;
}

/* ---- running ---- */

static int64_t now_msec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct runner {
	struct sandbox sandbox;
	int signals_fd;
	int64_t deadline_msec; /* 0: none */
	int64_t grace_msec;
	bool timed_out;
	unsigned n_signals;
};

static void handle_signal(struct runner *runner)
{
	struct signalfd_siginfo info;

	if (read(runner->signals_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	/* who asks three times means it */
	if (++runner->n_signals >= 3)
		(void)sandbox_kill(&runner->sandbox);
	else
		(void)sandbox_signal(&runner->sandbox, (int)info.ssi_signo);
}

static void handle_deadline(struct runner *runner)
{
	if (runner->timed_out) {
		(void)sandbox_kill(&runner->sandbox);
		runner->deadline_msec = 0;
		return;
	}
	runner->timed_out = true;
	(void)sandbox_signal(&runner->sandbox, SIGTERM);
	runner->deadline_msec = now_msec() + runner->grace_msec;
}

/* Until the command has ended. */
static void wait_for_end(struct runner *runner)
{
	struct pollfd files[] = {{.fd = runner->sandbox.status_fd, .events = POLLIN},
				 {.fd = runner->signals_fd, .events = POLLIN}};

	for (;;) {
		int64_t left = runner->deadline_msec ? runner->deadline_msec - now_msec() : -1;

		if (runner->deadline_msec && left <= 0) {
			handle_deadline(runner);
			continue;
		}
		if (poll(files, ARRAY_SIZE(files), left > INT32_MAX ? INT32_MAX : (int)left) < 0)
			continue;
		if (files[0].revents)
			return;
		if (files[1].revents)
			handle_signal(runner);
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

static int complain(int code, const char *text)
{
	(void)fprintf(stderr, "runbook-sandbox: %s\n", text);
	return code;
}

/* The limits that it met: beside its status, never instead of it. */
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

static int run(struct sandbox_host *host, const struct sandbox_request *request,
	       const struct options *options)
{
	struct runner runner = {0};
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
	if (sandbox_start(host, request, &runner.sandbox, &error) < 0)
		return complain(EXIT_SANDBOX, error.text);
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

/* Programs that run inside need these; what --env says comes later and wins. */
static int payload_make(struct options *options, char **argv)
{
	static const char *const defaults[] = {DEFAULT_PATH, "HOME=/workspace", "USER=root",
					       "LANG=C.UTF-8"};
	char *env[ENV_MAX + ARRAY_SIZE(defaults) + 2];
	const char *term = getenv("TERM");
	char term_entry[80];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
		size_t length = strcspn(defaults[i], "=") + 1;
		bool given = false;

		for (size_t j = 0; j < options->n_env; j++)
			given = given || strncmp(options->env[j], defaults[i], length) == 0;
		if (!given)
			env[n++] = (char *)defaults[i];
	}
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
	bool groups = cgroup_host_look(&limits, CGROUP_NAME);
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

	host_view_look(&view);
	if (host_disks_find(request, &facts, true, &no_disk) < 0)
		facts.n_io_devices = 0;
	if (plan_new(&plan, request, &facts, &error) < 0)
		return complain(EXIT_SANDBOX, error.text);
	plan_print(plan, stdout);
	if (limits.warning[0])
		(void)printf("%s: %s\n",
			     limits_given(options) ? "refused, nothing would run" : "not here",
			     limits.warning);
	else if (no_disk.number)
		(void)printf("refused, nothing would run: %s\n", no_disk.text);
	return 0;
}

/* Beside this program in a build tree, in libexec when installed. */
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
	/* nowhere to keep templates (a read-only system): make one for this run */
	host_options.state_dir = code < 0 ? NULL : state_dir;
	if (sandbox_host_new(&host, &host_options, &error) < 0)
		return complain(EXIT_SANDBOX, error.text);
	code = run(host, request, options);
	(void)sandbox_host_free(host);
	return code;
}

/* Where one of the three is closed, the next file of ours would take its place, and be shown. */
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
	struct options options = {
		.image = "host", .network = STEP_NETWORK_NONE, .grace_sec = GRACE_DEFAULT_SEC};
	char id[64];
	int command = parse_options(&options, argc, argv);

	if (command <= 0)
		return -command;
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
		.memory = options.memory,
		.pids = options.pids,
		.cpu_milli = options.cpu_milli,
		.disk = options.disk,
		.io = options.io,
		.stdin_fd = STDIN_FILENO,
		.stdout_fd = STDOUT_FILENO,
		.stderr_fd = STDERR_FILENO,
	};
	if (options.explain)
		return explain(&request, &options);
	cleanup_close int payload_fd = payload_make(&options, argv + command);

	if (payload_fd < 0)
		return complain(EXIT_SANDBOX, "cannot keep the command: too long");
	request.payload_fd = payload_fd;
	return build_and_run(&options, &request);
}
