/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/step_attach.h"

#include "common/cleanup.h"
#include "sandbox/status.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NOFILE_HARD 524288

static int attach_cgroup_ns(struct attach *attach, const struct plan_op *op, int fd)
{
	/* not by clone3: its root would be the group of the caller */
	if (unshare(CLONE_NEWCGROUP) < 0)
		return error_errno(&attach->error, errno, "cannot make a cgroup namespace");
	return 0;
}

static int attach_network(struct attach *attach, const struct plan_op *op, int fd)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	cleanup_close int socket_fd = -1;

	if (attach->netns_fd >= 0) {
		if (setns(attach->netns_fd, CLONE_NEWNET) < 0)
			return error_errno(&attach->error, errno, "cannot join the network");
		return 0; /* a prepared namespace has its loopback up */
	}
	socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (socket_fd < 0 || ioctl(socket_fd, SIOCSIFFLAGS, &request) < 0)
		return error_errno(&attach->error, errno, "cannot bring the loopback up");
	return 0;
}

static int write_text(const char *path, const char *text)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

/*
 * Makes the step's time namespace, which runbook-init enters by its exec. It belongs to the
 * host's user namespace, so no process inside can change its offsets.
 */
static int attach_clocks(struct attach *attach, const struct plan_op *op, int fd)
{
	static const struct {
		clockid_t id;
		const char *name;
	} clocks[] = {{CLOCK_MONOTONIC, "monotonic"}, {CLOCK_BOOTTIME, "boottime"}};
	char text[128];
	size_t used = 0;
	int r;

	if (unshare(CLONE_NEWTIME) < 0) {
		if (errno == EINVAL)
			return 0; /* a kernel without time namespaces */
		return error_errno(&attach->error, errno, "cannot make a time namespace");
	}
	for (size_t i = 0; i < ARRAY_SIZE(clocks); i++) {
		struct timespec now = {0};

		(void)clock_gettime(clocks[i].id, &now);
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s %lld 0\n",
					 clocks[i].name,
					 (long long)op->value - (long long)now.tv_sec);
	}
	r = write_text("/proc/self/timens_offsets", text);
	/* without CAP_SYS_TIME (we are in a container) the clocks equal the host's */
	if (r == -EPERM)
		return 0;
	return r < 0 ? error_errno(&attach->error, -r, "cannot set the clocks of a step") : 0;
}

static int attach_sysctl(struct attach *attach, const struct plan_op *op, int fd)
{
	int r;

	if (attach->netns_fd >= 0)
		return 0; /* set when the namespace was made */
	r = write_text(op->target, op->source);
	return r < 0 ? error_errno(&attach->error, -r, "cannot set %s", op->target) : 0;
}

static int attach_hostname(struct attach *attach, const struct plan_op *op, int fd)
{
	if (sethostname(op->source, strlen(op->source)) < 0)
		return error_errno(&attach->error, errno, "cannot set the host name");
	return 0;
}

static int attach_oom_score(struct attach *attach, const struct plan_op *op, int fd)
{
	int r = write_text("/proc/self/oom_score_adj", op->source);

	return r < 0 ? error_errno(&attach->error, -r, "cannot set the oom score") : 0;
}

static int attach_devices(struct attach *attach, const struct plan_op *op, int fd)
{
	attach->dev_fd = fd;
	return step_mount_bind(attach, op, fd);
}

static int attach_rlimit(struct attach *attach, const struct plan_op *op, int fd)
{
	static const struct {
		const char *name;
		int resource;
		rlim_t hard;
	} limits[] = {
		{"core", RLIMIT_CORE, 0}, /* 0: like the soft limit */
		{"nofile", RLIMIT_NOFILE, NOFILE_HARD},
		{"rtprio", RLIMIT_RTPRIO, 0},
		{"nice", RLIMIT_NICE, 0},
	};
	struct rlimit limit;
	rlim_t hard;
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(limits) && strcmp(limits[i].name, op->source) != 0)
		i++;
	if (getrlimit(limits[i].resource, &limit) < 0)
		return error_errno(&attach->error, errno, "cannot read the limit %s", op->source);
	/* never above our own limit: raising a hard limit needs CAP_SYS_RESOURCE */
	hard = limits[i].hard ? limits[i].hard : op->value;
	limit.rlim_max = limit.rlim_max < hard ? limit.rlim_max : hard;
	limit.rlim_cur = limit.rlim_max < op->value ? limit.rlim_max : op->value;
	if (setrlimit(limits[i].resource, &limit) < 0)
		return error_errno(&attach->error, errno, "cannot set the limit %s", op->source);
	return 0;
}

/*
 * Puts runbook-init's descriptors at their numbers. First duplicates all of them above these
 * numbers, so that no dup2() closes one that is still needed.
 */
static int arrange_descriptors(struct attach *attach)
{
	const int wanted[] = {attach->stdio_fds[0], attach->stdio_fds[1], attach->stdio_fds[2],
			      attach->status_fd,    attach->userns_fd,	  attach->filter_fd,
			      attach->payload_fd,   attach->init_fd,	  attach->report_fd};
	size_t n = attach->report_fd >= 0 ? ARRAY_SIZE(wanted) : INIT_FD_REPORT;
	int high[ARRAY_SIZE(wanted)];

	_Static_assert(ARRAY_SIZE(wanted) == INIT_FD_REPORT + 1, "in the order of their numbers");
	for (size_t i = 0; i < n; i++) {
		high[i] = fcntl(wanted[i], F_DUPFD_CLOEXEC, (int)ARRAY_SIZE(wanted));
		if (high[i] < 0)
			return error_errno(&attach->error, errno, "cannot arrange descriptors");
	}
	for (size_t i = 0; i < n; i++) {
		int flags = i == INIT_FD_SELF ? O_CLOEXEC : 0;

		if (dup3(high[i], (int)i, flags) < 0)
			return error_errno(&attach->error, errno, "cannot arrange descriptors");
	}
	if (syscall(SYS_close_range, (unsigned)n, ~0U, 0U) < 0)
		return error_errno(&attach->error, errno, "cannot close descriptors");
	return 0;
}

/**
 * attach_become_init() - drop all privileges and exec runbook-init
 *
 * Should: leave an id of its own, no group, no capability, no descriptor except the init's, and
 * no way to regain privileges by exec.
 *
 * Mustn't: use the C library's set*id(), which signal the threads of the process whose memory
 * we share.
 */
static int attach_become_init(struct attach *attach, const struct plan_op *op, int fd)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};
	const char *argv[6] = {"runbook-init", attach->workdir, attach->ids};
	const char *envp[] = {NULL};
	long id = (long)op->value;
	size_t n = 3;
	int r;

	if (attach->report_fd >= 0)
		argv[n++] = "report";
	if (attach->tty)
		argv[n++] = "tty";
	(void)umask(022);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno(&attach->error, errno, "cannot set no_new_privs");
	r = arrange_descriptors(attach);
	if (r < 0)
		return r;
	if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, id, id, id) < 0 ||
	    syscall(SYS_setresuid, id, id, id) < 0 || syscall(SYS_capset, &header, none) < 0)
		return error_errno(&attach->error, errno, "cannot become user %ld", id);
	(void)syscall(SYS_execveat, INIT_FD_SELF, "", argv, envp, AT_EMPTY_PATH);
	return error_errno(&attach->error, errno, "cannot execute runbook-init");
}

typedef int (*attach_fn)(struct attach *attach, const struct plan_op *op, int fd);

static const attach_fn handlers[PLAN_NUM_VERBS] = {
	[PLAN_PRIVATE] = step_mount_private,
	[PLAN_CGROUP_NS] = attach_cgroup_ns,
	[PLAN_CLOCKS] = attach_clocks,
	[PLAN_NETWORK] = attach_network,
	[PLAN_SYSCTL] = attach_sysctl,
	[PLAN_HOSTNAME] = attach_hostname,
	[PLAN_OOM_SCORE] = attach_oom_score,
	[PLAN_SCRATCH] = step_mount_scratch,
	[PLAN_SCRATCH_DIR] = step_mount_scratch_dir,
	[PLAN_SCRATCH_FILE] = step_mount_scratch_file,
	[PLAN_LAYER] = step_mount_layer,
	[PLAN_ROOT] = step_mount_root,
	[PLAN_OVERLAY] = step_mount_overlay,
	[PLAN_BIND] = step_mount_bind,
	[PLAN_SCRATCH_BIND] = step_mount_scratch_bind,
	[PLAN_DEVICES] = attach_devices,
	[PLAN_FILESYSTEM] = step_mount_filesystem,
	[PLAN_MASK] = step_mount_mask,
	[PLAN_READONLY] = step_mount_readonly,
	[PLAN_NARROW] = step_mount_narrow,
	[PLAN_PIVOT] = step_mount_pivot,
	[PLAN_RLIMIT] = attach_rlimit,
	[PLAN_BECOME_INIT] = attach_become_init,
};

/* Files in scratch are made with the step's ids, so that they need no chown. */
static void become_step(struct attach *attach, enum plan_verb verb)
{
	bool wanted = verb == PLAN_SCRATCH_DIR || verb == PLAN_SCRATCH_FILE;
	uid_t id = wanted ? attach->base : 0;

	if (wanted == attach->as_step)
		return;
	(void)syscall(SYS_setfsgid, id);
	(void)syscall(SYS_setfsuid, id);
	attach->as_step = wanted;
}

int step_attach_main(void *argument)
{
	struct attach *attach = argument;

	/* so that files get exactly the mode in the plan */
	(void)umask(0);
	for (size_t i = 0; i < attach->plan->n_ops; i++) {
		const struct plan_op *op = &attach->plan->ops[i];

		if (plan_verb_side(op->verb) != PLAN_SIDE_STEP)
			continue;
		become_step(attach, op->verb);
		if (handlers[op->verb](attach, op, attach->op_fds[i]) < 0)
			return 1;
	}
	return 1;
}
