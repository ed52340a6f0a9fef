/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox.h"

#include "common/cleanup.h"
#include "sandbox/host_disks.h"
#include "sandbox/host_group.h"
#include "sandbox/host_mounts.h"
#include "sandbox/host_seccomp.h"
#include "sandbox/launcher.h"
#include "sandbox/sandbox_internal.h"
#include "sandbox/spawn.h"
#include "sandbox/status_read.h"
#include "sandbox/step_attach.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define VIEW_SECONDS 1

/* The state of sandbox_start() until the step runs. */
struct builder {
	struct sandbox_host *host;
	const struct sandbox_request *request;
	struct sandbox_private *private;
	struct plan_facts facts; /* the plan points into it */
	struct plan *plan;
	int *op_fds;
	int status_fds[2];
	int null_fd;
	int filter_fd; /* of a report, -1: the host's */
	/* from here on, of launch_run(), which may run in another thread */
	uint64_t flags;
	struct attach attach;
	pid_t pid;
	int pidfd;
};

struct sandbox_launch {
	struct launch launch;
	struct builder builder;
	void *userdata;
};

/* ---- preparing, as data and descriptors ---- */

/* A module that is loaded later may add files to /proc: refresh, but not for each step. */
static const struct plan_view *view_of(struct sandbox_host *host)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec - host->view_time.tv_sec > VIEW_SECONDS || host->view_time.tv_sec == 0) {
		host_view_probe(&host->view);
		host->view_time = now;
	}
	return &host->view;
}

/* A random UUID as the kernel writes it; version and variant of RFC 4122 are in it. */
static void boot_id_make(char *text, size_t size)
{
	uint8_t b[16] = {0};

	(void)!getrandom(b, sizeof(b), GRND_NONBLOCK);
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	(void)snprintf(text, size,
		       "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x\n",
		       b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11],
		       b[12], b[13], b[14], b[15]);
}

/* Collects the plan's input that depends on this host and on the resources of this step. */
static int facts_gather(struct builder *builder, struct error *error)
{
	struct plan_facts *facts = &builder->facts;
	struct sandbox_host *host = builder->host;
	const struct user_slot *slot = builder->private->slot;
	const struct host_image *image;
	int r;

	*facts = (struct plan_facts){
		.base = slot->base,
		.init_id = slot->init_id,
		.root = builder->request->image,
		.scratch = host->scratch,
		.cacher = host->cacher_path,
		.cgroup = host->cgroup.group_fd >= 0,
		.limit_memory = host->cgroup.memory,
		.limit_pids = host->cgroup.pids,
		.limit_cpu = host->cgroup.cpu,
		.limit_io = host->cgroup.io,
		.view = view_of(host),
	};
	boot_id_make(facts->boot_id, sizeof(facts->boot_id));
	if (builder->request->network == STEP_NETWORK_EGRESS) {
		facts->resolv = host_network_resolv(host->network, error);
		if (!facts->resolv)
			return error ? -error->number : -EIO;
	}
	facts->hosts = host_network_step_hosts(&builder->private->network);
	if (builder->request->n_layers == 0 && builder->request->image &&
	    strcmp(builder->request->image, "host") == 0) {
		r = host_image_of(host, slot, &image, error);
		if (r < 0)
			return r;
		facts->root = image->path;
		facts->root_shifted = host->shift_by_owner;
	}
	return host_disks_find(builder->request, facts, host->cgroup.required, error);
}

/* Records the limits that were written, not those requested, for texts about the outcome. */
static void limits_keep(struct builder *builder)
{
	const struct sandbox_request *request = builder->request;
	const struct plan_facts *facts = &builder->facts;
	struct sandbox_outcome *in_force = &builder->private->in_force;

	in_force->disk = request->disk ? request->disk : facts->scratch;
	if (facts->limit_memory)
		in_force->limits.memory = request->memory;
	if (facts->limit_pids)
		in_force->limits.pids = request->pids ? request->pids : SANDBOX_PIDS_DEFAULT;
	if (request->group)
		in_force->run_limits = request->group_limits;
}

static bool verb_needs_mount(enum plan_verb verb)
{
	return verb == PLAN_LAYER || verb == PLAN_BIND || verb == PLAN_DEVICES;
}

static void op_fds_close(struct builder *builder)
{
	for (size_t i = 0; builder->op_fds && i < builder->plan->n_ops; i++) {
		if (builder->op_fds[i] >= 0)
			(void)close(builder->op_fds[i]);
	}
	free(builder->op_fds);
	builder->op_fds = NULL;
}

/* Makes a detached mount for every operation that binds a tree of the host. */
static int mounts_prepare(struct builder *builder, size_t *ret_failed, struct error *error)
{
	struct plan *plan = builder->plan;

	assert(plan);
	builder->op_fds = malloc(plan->n_ops * sizeof(int));
	if (!builder->op_fds)
		return error_errno(error, ENOMEM, "cannot prepare the mounts");
	for (size_t i = 0; i < plan->n_ops; i++)
		builder->op_fds[i] = -1;
	for (size_t i = 0; i < plan->n_ops; i++) {
		const struct plan_op *op = &plan->ops[i];
		int fd;

		if (!verb_needs_mount(op->verb))
			continue;
		fd = op->verb == PLAN_DEVICES ? host_dev_clone(&builder->host->dev, error)
					      : host_mount_clone(op, builder->private->slot, error);
		if (fd < 0) {
			*ret_failed = i;
			return fd;
		}
		builder->op_fds[i] = fd;
	}
	return 0;
}

/*
 * The template of image "host" may be on a file system without id-mapped mounts (tmpfs before
 * Linux 6.3): then each slot gets a template whose files belong to its ids.
 */
static bool shift_otherwise(struct builder *builder, size_t failed_op, int r)
{
	const struct plan_op *op;

	assert(builder->plan);
	op = &builder->plan->ops[failed_op];
	if (r != -EINVAL || builder->host->shift_by_owner || !(op->flags & PLAN_IDMAP_STEP) ||
	    strcmp(builder->request->image, "host") != 0)
		return false;
	op_fds_close(builder);
	builder->plan = plan_free(builder->plan);
	builder->host->shift_by_owner = true;
	return true;
}

static int plan_and_mounts(struct builder *builder, struct error *error)
{
	for (;;) {
		size_t failed_op = 0;
		int r = facts_gather(builder, error);

		if (r == 0)
			r = plan_new(&builder->plan, builder->request, &builder->facts, error);
		if (r < 0)
			return r;
		r = mounts_prepare(builder, &failed_op, error);
		if (r == 0 || !shift_otherwise(builder, failed_op, r))
			return r;
		if (error)
			*error = ERROR_INIT;
	}
}

static int limit_apply(const struct cgroup_host *host, int group_fd, const struct plan_op *op,
		       struct error *error)
{
	if (op->source)
		return cgroup_step_limit_text(group_fd, op->target, op->source, error);
	return cgroup_step_limit(host, group_fd, op->target, op->value, error);
}

/* Executes the operations about cgroups: step_attach.c then starts inside the step's group. */
static int group_prepare(struct builder *builder, struct error *error)
{
	struct cgroup_host *host = &builder->host->cgroup;
	struct sandbox_private *private = builder->private;
	const struct plan *plan = builder->plan;
	bool made = false;
	int r = 0;

	assert(plan);
	for (size_t i = 0; i < plan->n_ops && r >= 0; i++) {
		const struct plan_op *op = &plan->ops[i];

		switch (op->verb) {
		case PLAN_RUN_GROUP:
			r = private->run_fd = cgroup_run_join(host, op->target, &made, error);
			break;
		case PLAN_RUN_LIMIT:
			/* earlier steps of the run have written them */
			if (made)
				r = limit_apply(host, private->run_fd, op, error);
			break;
		case PLAN_GROUP:
			r = private->group_fd =
				cgroup_step_make(host, private->run_fd, op->target, error);
			break;
		case PLAN_LIMIT:
			r = limit_apply(host, private->group_fd, op, error);
			break;
		default:
			break;
		}
	}
	return r < 0 ? r : 0;
}

/*
 * A directory of the host among the three would be a way out (CVE-2024-21626). An anonymous
 * pipe gets a mode, but not the step as owner, since other processes may write to it, too: so
 * it can be opened again inside, as /dev/stdout, only in its own direction.
 */
static int standard_prepare(int fd, const char *name, mode_t access, struct error *error)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(error, errno, "cannot use %s", name);
	if (S_ISDIR(st.st_mode))
		return error_set(error, EISDIR, "%s is a directory, which is refused", name);
	/* on failure the step only cannot open it again; the descriptor itself works */
	if (fstatfs(fd, &fs) == 0 && fs.f_type == PIPEFS_MAGIC)
		(void)fchmod(fd, (st.st_mode & 07777) | access);
	return 0;
}

/* Makes a filter of its own, which sends denied calls to the listener. */
static int report_prepare(struct builder *builder, struct error *error)
{
	if (!builder->request->seccomp_report)
		return 0;
	builder->filter_fd = seccomp_program_seal(true, error);
	return builder->filter_fd < 0 ? builder->filter_fd : 0;
}

static int descriptors_prepare(struct builder *builder, struct error *error)
{
	const struct sandbox_request *request = builder->request;
	int r = 0;

	if (pipe2(builder->status_fds, O_CLOEXEC) < 0)
		return error_errno(error, errno, "cannot make a pipe");
	if (request->stdin_fd < 0) {
		builder->null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (builder->null_fd < 0)
			return error_errno(error, errno, "cannot open /dev/null");
	} else {
		r = standard_prepare(request->stdin_fd, "standard input", 0444, error);
	}
	if (r == 0)
		r = standard_prepare(request->stdout_fd, "standard output", 0222, error);
	if (r == 0)
		r = standard_prepare(request->stderr_fd, "standard error", 0222, error);
	return r;
}

/* ---- starting ---- */

/* Fills in the input of the step's side. */
static void attach_prepare(struct builder *builder)
{
	const struct sandbox_request *request = builder->request;
	struct sandbox_private *private = builder->private;
	struct attach *attach = &builder->attach;

	*attach = (struct attach){
		.plan = builder->plan,
		.op_fds = builder->op_fds,
		.base_fd = host_base_get(&builder->host->base, NULL),
		.stage = HOST_BASE_STAGE,
		.base = private->slot->base,
		.netns_fd = private->network.netns_fd,
		.stdio_fds = {request->stdin_fd < 0 ? builder->null_fd : request->stdin_fd,
			      request->stdout_fd, request->stderr_fd},
		.status_fd = builder->status_fds[1],
		.userns_fd = private->slot->userns_fd,
		.filter_fd =
			builder->filter_fd >= 0 ? builder->filter_fd : builder->host->filter_fd,
		.payload_fd = request->payload_fd,
		.init_fd = builder->host->init_fd,
		.report_fd = request->seccomp_report ? request->report_fd : -1,
		.workdir = request->workdir ? request->workdir : "/workspace",
		.tty = request->tty,
		.stage_fd = -1,
		.scratch_fd = -1,
		.root_fd = -1,
		.dev_fd = -1,
	};
	builder->flags = CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
	if (attach->base_fd < 0) {
		builder->flags |= CLONE_NEWNS;
		attach->stage = builder->host->stage_dir;
	}
	(void)snprintf(attach->ids, sizeof(attach->ids), "%u:%u", request->uid, request->gid);
	if (private->network.netns_fd < 0)
		builder->flags |= CLONE_NEWNET;
}

/* Starts the step's side in its namespaces; it returns here when runbook-init is executed. */
static void launch_run(struct builder *builder)
{
	builder->pid = spawn_vfork(builder->flags, builder->private->group_fd, &builder->pidfd,
				   step_attach_main, &builder->attach);
}

static int launch_result(const struct builder *builder, struct sandbox *sandbox,
			 struct error *error)
{
	const struct attach *attach = &builder->attach;

	if (builder->pid < 0)
		return error_errno(error, -builder->pid,
				   "cannot start a process in new namespaces");
	if (attach->error.number != 0) {
		(void)spawn_wait(builder->pidfd);
		(void)close(builder->pidfd);
		if (error)
			*error = attach->error;
		return -attach->error.number;
	}
	sandbox->pid = builder->pid;
	sandbox->pidfd = builder->pidfd;
	user_slot_started(builder->private->slot);
	return 0;
}

void sandbox_private_free(struct sandbox_private *private)
{
	struct sandbox_host *host = private->host;

	host_network_step_free(host->network, &private->network);
	if (private->group_fd >= 0) {
		(void)close(private->group_fd);
		(void)cgroup_step_remove(&host->cgroup, private->run_fd, private->id);
	}
	if (private->run_fd >= 0)
		cgroup_run_leave(&host->cgroup, private->run, private->run_fd);
	if (private->image_fd >= 0)
		(void)close(private->image_fd);
	user_slot_release(host->users, private->slot);
	free(private);
}

static int network_prepare(struct builder *builder, struct error *error)
{
	const struct sandbox_request *request = builder->request;
	const char *hostname = request->hostname ? request->hostname : request->id;
	const struct host_network_request network = {
		.kind = request->network,
		.group = request->group ? request->group : request->id,
		.name = request->network_name ? request->network_name : hostname,
		.hostname = hostname,
		.allow = request->allow,
		.n_allow = request->n_allow,
		.only = request->only,
		.n_only = request->n_only,
		.limited = request->limited,
	};

	return host_network_step_new(builder->host->network, &network, &builder->private->network,
				     error);
}

/* All but the step's side. On failure the caller releases the parts that were made by then. */
static int build(struct builder *builder, struct error *error)
{
	struct sandbox_private *private = builder->private;
	int r = plan_check(builder->request, error);

	if (r == 0)
		r = user_slot_take(builder->host->users, &private->slot, error);
	if (r == 0)
		r = network_prepare(builder, error);
	if (r == 0)
		r = plan_and_mounts(builder, error);
	if (r == 0) {
		limits_keep(builder);
		r = group_prepare(builder, error);
	}
	if (r == 0)
		r = descriptors_prepare(builder, error);
	if (r == 0)
		r = report_prepare(builder, error);
	if (r == 0)
		r = host_network_join(builder->host->network, &private->network, error);
	if (r == 0)
		attach_prepare(builder);
	return r;
}

static int builder_init(struct builder *builder, struct sandbox_host *host,
			const struct sandbox_request *request, struct error *error)
{
	struct sandbox_private *private = calloc(1, sizeof(*private));

	*builder = (struct builder){.host = host,
				    .request = request,
				    .private = private,
				    .status_fds = {-1, -1},
				    .null_fd = -1,
				    .filter_fd = -1};
	if (!private)
		return error_errno(error, ENOMEM, "cannot keep a sandbox");
	private->host = host;
	private->run_fd = private->group_fd = private->image_fd = -1;
	private->network = HOST_NETWORK_STEP_NULL;
	(void)snprintf(private->id, sizeof(private->id), "%s",
		       request->id ? request->id : ""); /* the plan refuses longer ones */
	(void)snprintf(private->run, sizeof(private->run), "%s",
		       request->group ? request->group : "");
	return 0;
}

/* Releases what only the start needs, and after a failure (@r < 0) the rest. */
static void builder_done(struct builder *builder, int r, struct sandbox *sandbox)
{
	if (builder->plan)
		op_fds_close(builder);
	(void)plan_free(builder->plan);
	if (builder->null_fd >= 0)
		(void)close(builder->null_fd);
	if (builder->filter_fd >= 0)
		(void)close(builder->filter_fd);
	if (builder->status_fds[1] >= 0)
		(void)close(builder->status_fds[1]);
	if (r < 0) {
		if (builder->status_fds[0] >= 0)
			(void)close(builder->status_fds[0]);
		sandbox_private_free(builder->private);
		return;
	}
	sandbox->status_fd = builder->status_fds[0];
	sandbox->private = builder->private;
}

int sandbox_start(struct sandbox_host *host, const struct sandbox_request *request,
		  struct sandbox *ret_sandbox, struct error *error)
{
	struct sandbox sandbox = {.pid = -1, .pidfd = -1, .status_fd = -1};
	struct builder builder;
	int r = builder_init(&builder, host, request, error);

	if (r < 0)
		return r;
	r = build(&builder, error);
	if (r == 0) {
		launch_run(&builder);
		r = launch_result(&builder, &sandbox, error);
	}
	builder_done(&builder, r, &sandbox);
	if (r == 0)
		*ret_sandbox = sandbox;
	return r;
}

/* ---- starting without waiting ---- */

static void launch_work(struct launch *launch)
{
	launch_run(&container_of(launch, struct sandbox_launch, launch)->builder);
}

int sandbox_launch_begin(struct sandbox_host *host, const struct sandbox_request *request,
			 void *userdata, struct sandbox_launch **ret_launch, struct error *error)
{
	struct sandbox_launch *launch = calloc(1, sizeof(*launch));
	int r;

	if (!launch)
		return error_errno(error, ENOMEM, "cannot keep a sandbox");
	launch->launch.work = launch_work;
	launch->userdata = userdata;
	r = builder_init(&launch->builder, host, request, error);
	if (r == 0) {
		r = build(&launch->builder, error);
		if (r < 0)
			builder_done(&launch->builder, r, NULL);
	}
	if (r < 0) {
		free(launch);
		return r;
	}
	launcher_put(host->launcher, &launch->launch);
	*ret_launch = launch;
	return 0;
}

int sandbox_launch_fd(const struct sandbox_host *host)
{
	return host->launcher ? launcher_fd(host->launcher) : -1;
}

void *sandbox_launch_next(struct sandbox_host *host)
{
	struct launch *launch = launcher_take(host->launcher);

	return launch ? container_of(launch, struct sandbox_launch, launch)->userdata : NULL;
}

int sandbox_launch_end(struct sandbox_launch *launch, struct sandbox *ret_sandbox,
		       struct error *error)
{
	struct sandbox sandbox = {.pid = -1, .pidfd = -1, .status_fd = -1};
	struct builder *builder = &launch->builder;
	int r;

	launcher_wait(builder->host->launcher, &launch->launch);
	r = launch_result(builder, &sandbox, error);
	builder_done(builder, r, &sandbox);
	free(launch);
	if (r == 0)
		*ret_sandbox = sandbox;
	return r;
}

/* ---- afterwards ---- */

int sandbox_signal(struct sandbox *sandbox, int signal_number)
{
	if (signal_number == SIGKILL || signal_number == SIGSTOP)
		return -EINVAL; /* these would hit runbook-init itself */
	return syscall(SYS_pidfd_send_signal, sandbox->pidfd, signal_number, NULL, 0) < 0 ? -errno
											  : 0;
}

/* Ends the whole pid namespace, with or without a cgroup. */
static int pid1_kill(const struct sandbox *sandbox)
{
	if (syscall(SYS_pidfd_send_signal, sandbox->pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		return -errno;
	return 0;
}

int sandbox_kill(struct sandbox *sandbox)
{
	if (sandbox->private->group_fd >= 0)
		(void)cgroup_step_kill(sandbox->private->group_fd);
	return pid1_kill(sandbox);
}

/* Adds the measurements of runbook-init, except those that the cgroup has, too. */
static void usage_fill(struct sandbox_outcome *outcome, const struct sandbox_status *status)
{
	struct step_usage *usage = &outcome->usage;
	uint64_t used = status->disk_bytes - status->disk_free;

	if (!step_usage_has(usage, STEP_USAGE_CPU)) {
		step_usage_set(usage, STEP_USAGE_CPU,
			       status->cpu_user_usec + status->cpu_system_usec);
		step_usage_set(usage, STEP_USAGE_CPU_USER, status->cpu_user_usec);
		step_usage_set(usage, STEP_USAGE_CPU_SYSTEM, status->cpu_system_usec);
	}
	if (!step_usage_has(usage, STEP_USAGE_MEMORY_PEAK))
		step_usage_set(usage, STEP_USAGE_PROCESS_PEAK, status->process_peak);
	if (status->disk_bytes == 0)
		return;
	step_usage_set(usage, STEP_USAGE_DISK_USED, used);
	outcome->disk_full = status->disk_free < status->disk_bytes / 256 || status->no_files_left;
}

static int outcome_fill(struct sandbox_outcome *outcome, const struct sandbox_status *status,
			bool known, struct error *error)
{
	outcome->how = SANDBOX_LOST;
	if (!known)
		return 0;
	if (status->how == SANDBOX_STATUS_SETUP_FAILED)
		return error_errno(error, status->code > 0 ? status->code : EIO, "%s",
				   status->text);
	if (status->how != SANDBOX_EXEC_FAILED)
		usage_fill(outcome, status);
	outcome->how = (enum sandbox_exit)status->how;
	outcome->code = status->code;
	if (status->how == SANDBOX_EXEC_FAILED)
		(void)error_errno(error, status->code, "%s", status->text);
	return 0;
}

/* A child of a predecessor cannot be reaped here: only wait for its end. */
static void wait_gone(int pidfd)
{
	struct pollfd file = {.fd = pidfd, .events = POLLIN};

	if (spawn_wait(pidfd) != -ECHILD)
		return;
	while (poll(&file, 1, -1) < 0 && errno == EINTR)
		;
}

int sandbox_collect(struct sandbox *sandbox, struct sandbox_outcome *ret_outcome,
		    struct error *error)
{
	struct sandbox_private *private = sandbox->private;
	struct sandbox_status status = {0};
	bool known = status_read(sandbox->status_fd, &status);

	if (!private->collected) {
		private->outcome = private->in_force;
		/* PID 1 takes all others along, and has ended itself if it wrote its status */
		(void)pid1_kill(sandbox);
		wait_gone(sandbox->pidfd);
		if (!known)
			known = status_read(sandbox->status_fd, &status);
		if (private->group_fd >= 0)
			cgroup_step_outcome(&private->host->cgroup, private->run_fd,
					    private->group_fd, &private->outcome);
		private->collected_result = outcome_fill(&private->outcome, &status, known, error);
		private->collected = true;
	}
	if (ret_outcome)
		*ret_outcome = private->outcome;
	return private->collected_result;
}

int sandbox_finish(struct sandbox *sandbox, struct sandbox_outcome *ret_outcome,
		   struct error *error)
{
	int r = sandbox_collect(sandbox, ret_outcome, error);

	(void)close(sandbox->pidfd);
	(void)close(sandbox->status_fd);
	sandbox_private_free(sandbox->private);
	*sandbox = (struct sandbox){.pid = -1, .pidfd = -1, .status_fd = -1};
	return r;
}
