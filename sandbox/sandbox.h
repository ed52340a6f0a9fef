/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

/*
 * DOC: The sandbox library
 *
 * A struct sandbox_host is what is prepared once: the compiled seccomp program,
 * the init's sealed memfd, root templates, cached user namespaces, the network.
 * sandbox_start() builds one sandbox from a request; what follows is watched
 * through descriptors, so a caller with an event loop never blocks:
 *
 *   status_fd  readable/EOF once the command has ended: sandbox_finish() may be called.
 *              After a signal that asks for the end, EOF (POLLHUP) comes when all that
 *              the command started has ended, too: who gives a grace waits for that
 *   pidfd      of runbook-init (PID 1 inside)
 *
 * Used by runbookd (many at once, no fork of the caller ever: clone3 with
 * CLONE_VM | CLONE_VFORK) and by runbook-sandbox (one).
 */

#include "common/error.h"
#include "common/network_rule.h"
#include "common/step.h"
#include "common/step_usage.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sandbox_host;

enum sandbox_limits_policy {
	SANDBOX_LIMITS_REQUIRED,    /* missing controllers: refuse to start, say what to do */
	SANDBOX_LIMITS_BEST_EFFORT, /* go on without, and say so once */
};

struct sandbox_host_options {
	const char *state_dir;	 /* images/, steps/ are made beneath; NULL: a private tmpfs */
	const char *init_path;	 /* runbook-init */
	const char *cacher_path; /* static cacher client, bound at /run/runbookd/bin; may be NULL */
	const char *cgroup_name; /* group for the steps beneath our own, e.g. "runbookd-steps" */
	const char *cgroup_parent; /* beneath this one instead, where it exists; may be NULL */
	enum sandbox_limits_policy limits;
	uint64_t memory;   /* bytes for all steps together; 0: leave a sixteenth to the host */
	unsigned parallel; /* steps that may run at once; 0: one */
	bool once; /* for a single sandbox, with .once_network: begin at once with what it needs */
	enum step_network once_network;
	const char *const *dns_servers; /* NULL-terminated; NULL: the host's own resolvers */
	unsigned network_pool; /* namespaces of each kind kept ready by sandbox_host_idle() */
};

int sandbox_host_new(struct sandbox_host **ret_host, const struct sandbox_host_options *options,
		     struct error *error);
/** sandbox_host_free() - also removes the network and cgroups it made, when no step is left */
struct sandbox_host *sandbox_host_free(struct sandbox_host *host);
/** sandbox_host_warning() - what best-effort left out, one line, or NULL */
const char *sandbox_host_warning(const struct sandbox_host *host);
/**
 * sandbox_host_idle() - one small piece of work that no step waits for
 *
 * For whoever has an event loop, when nothing else is to be done.
 * Return: whether there is more.
 */
bool sandbox_host_idle(struct sandbox_host *host);
/**
 * sandbox_host_watch_fd() - readable when sandbox_host_watch() wants to be called
 *
 * Return: a descriptor that stays the same as long as steps run, owned by @host;
 * -1 before the first step with network "egress".
 */
int sandbox_host_watch_fd(const struct sandbox_host *host);
/** sandbox_host_watch() - see whether somebody removed the firewall of steps, and bring it
 * back. Return: true when it had to. */
bool sandbox_host_watch(struct sandbox_host *host);
/** sandbox_host_sweep() - remove what an earlier, killed instance left (cgroups, scratch, links) */
int sandbox_host_sweep(struct sandbox_host *host, struct error *error);

struct sandbox_bind {
	const char *source; /* path on the host */
	const char *target; /* absolute path inside; directories and files are made as needed */
	bool writable;
	bool idmap; /* files of owner_uid:owner_gid appear as uid 0 inside; else as they are */
	bool image; /* files belong to the range of images (ID_IMAGE_FIRST), which is 0-65535 inside */
	uid_t owner_uid;
	gid_t owner_gid;
};

#define SANDBOX_LAYERS_MAX 127
#define SANDBOX_PIDS_DEFAULT 4096
#define SANDBOX_ID_MAX 200 /* a cgroup is a directory: its name has at most 255 bytes */

/** struct sandbox_limits - of a step, or of a run over all its steps together; 0: none */
struct sandbox_limits {
	uint64_t memory; /* bytes */
	uint64_t pids;
	uint64_t cpu_milli;
};

/** struct sandbox_io - per second and block device; 0: none */
struct sandbox_io {
	uint64_t read, write;	      /* bytes */
	uint64_t read_ops, write_ops; /* operations */
};

struct sandbox_request {
	const char *id;	   /* unique while it runs: name of its cgroup, [A-Za-z0-9._-] */
	const char *group; /* of its run, named like an id; NULL: none */
	struct sandbox_limits group_limits;
	const char *image; /* "host" or an absolute directory; not looked at if there are layers */
	/* unpacked layers of an image, absolute directories, the lowest first; their files belong to
	 * the range of images */
	const char *const *layers;
	size_t n_layers;
	const char *hostname;  /* NULL: id */
	const char *workspace; /* directory shown copy-on-write as /workspace; NULL: empty */
	/* directory of the same owner that is laid over it: its files are seen first; NULL: none */
	const char *workspace_view;
	uid_t workspace_uid; /* its owner on the host: becomes uid 0 inside */
	gid_t workspace_gid;
	const char *workdir; /* NULL: /workspace; made when it is not there */
	uid_t uid;	     /* who the command is inside; the workspace belongs to it */
	gid_t gid;
	const struct sandbox_bind *binds;
	size_t n_binds;
	enum step_network network;
	const char *network_name; /* isolated: steps of one group see it by this; NULL: hostname */
	const struct network_rule *allow; /* egress: reached although it is private */
	size_t n_allow;
	bool limited; /* egress: nothing but .only (and within it .allow) is reached */
	const struct network_rule *only;
	size_t n_only;
	uint64_t memory;    /* bytes, 0: none */
	uint64_t pids;	    /* 0: SANDBOX_PIDS_DEFAULT */
	uint64_t cpu_milli; /* 0: none */
	uint64_t disk;	    /* bytes for everything the step writes; 0: a share of the memory */
	struct sandbox_io io;
	int payload_fd;			    /* common/step_payload.h; not taken */
	int stdin_fd, stdout_fd, stderr_fd; /* not taken; stdin_fd -1: /dev/null */
	bool tty; /* a terminal is the command's three instead; what it prints goes to stdout_fd */
	/*
	 * Ask about each system call that is not allowed: the listener of the filter
	 * (seccomp_unotify(2)) is sent to report_fd, a unix socket; not taken. Who
	 * holds it must answer for as long as the sandbox lives.
	 */
	bool seccomp_report;
	int report_fd;
};

/** struct sandbox - a running one; embed it, fields are read-only to callers */
struct sandbox {
	pid_t pid; /* runbook-init, as the host sees it */
	int pidfd;
	int status_fd; /* what runbook-init writes: sandbox/status.h */
	struct sandbox_private *private;
};

/** enum sandbox_exit - matches what runbook-init writes */
enum sandbox_exit {
	SANDBOX_EXITED = 0,
	SANDBOX_SIGNALED = 1,
	SANDBOX_EXEC_FAILED = 2, /* code: errno; 126/127 by its value */
	SANDBOX_LOST = 3,	 /* init died without a status (killed) */
};

/** enum sandbox_memory_scope - whose memory limit it met */
enum sandbox_memory_scope {
	SANDBOX_MEMORY_STEP,  /* its own */
	SANDBOX_MEMORY_RUN,   /* that of its run */
	SANDBOX_MEMORY_STEPS, /* that of all steps together */
	SANDBOX_MEMORY_HOST,  /* none: the host, or what surrounds us, has no more */
};

struct sandbox_outcome {
	enum sandbox_exit how;
	int code;	   /* exit code, signal or errno */
	bool memory_limit; /* the group's memory.events counted an oom kill */
	enum sandbox_memory_scope memory_scope;
	uint64_t steps_memory;	/* the limit of all steps together, 0: none */
	uint64_t forks_refused; /* processes and threads that a limit did not let come to be */
	bool disk_full;		/* when the command ended: hardly room for another byte or file */
	struct step_usage usage;
	/* what was in force, for those who explain the outcome */
	struct sandbox_limits limits, run_limits;
	uint64_t disk; /* bytes */
};

/**
 * sandbox_start() - build it and start its command
 *
 * Return: 0; -errno with @error saying which part failed and why. On failure
 * nothing is left behind.
 */
int sandbox_start(struct sandbox_host *host, const struct sandbox_request *request,
		  struct sandbox *ret_sandbox, struct error *error);
/**
 * sandbox_signal() - send @signal_number into it (through init)
 *
 * SIGTERM goes to all its processes, others to the command's process group.
 */
int sandbox_signal(struct sandbox *sandbox, int signal_number);
/** sandbox_kill() - end every process in it, now (cgroup.kill, or init's death) */
int sandbox_kill(struct sandbox *sandbox);
/**
 * sandbox_collect() - end it and see how it ended, removing nothing yet
 *
 * For who writes the outcome down before sandbox_finish() takes away what it is
 * read from. May be left out. Return: as sandbox_finish().
 */
int sandbox_collect(struct sandbox *sandbox, struct sandbox_outcome *ret_outcome,
		    struct error *error);
/**
 * sandbox_finish() - collect the outcome and remove everything of it
 *
 * Return: 0, also when the command could not be executed (SANDBOX_EXEC_FAILED;
 * @error then says what and why); -errno with @error when the inner part of the
 * sandbox could not be built, so the command never started.
 *
 * Kills what still runs. Does not block for longer than the kernel needs to
 * reap; slow teardown (network namespaces) goes on in the background.
 */
int sandbox_finish(struct sandbox *sandbox, struct sandbox_outcome *ret_outcome,
		   struct error *error);

/* ---- sandboxes that outlive the process that started them ---- */

/*
 * What a host process hands to its successor, beside its sandboxes. They are held
 * through open file descriptions, locks included, by whoever keeps them open.
 */
enum sandbox_host_fd {
	SANDBOX_HOST_FD_USERS,	 /* ranges of user ids */
	SANDBOX_HOST_FD_NETWORK, /* addresses and the table; -1 before the first "egress" */
	SANDBOX_HOST_FD_NUM,
};

/** sandbox_host_keep() - fill in @fds, owned by @host; they stay the same once they are there */
void sandbox_host_keep(const struct sandbox_host *host, int fds[SANDBOX_HOST_FD_NUM]);
/**
 * sandbox_host_inherit() - take a predecessor's @fds over (-1: none)
 *
 * Before any sandbox is started or adopted.
 */
void sandbox_host_inherit(struct sandbox_host *host, int fds[SANDBOX_HOST_FD_NUM]);
/**
 * sandbox_host_settle() - all are adopted that there are
 *
 * Gives up what the predecessor held for others, brings the firewall table back
 * if it is gone. Return: 0 or -errno with @error.
 */
int sandbox_host_settle(struct sandbox_host *host, struct error *error);

#define SANDBOX_KEPT_FDS_MAX 12

/**
 * struct sandbox_kept - a running sandbox as data and descriptors
 * @data: malloc'ed; tagged fields, for any version of this library on this host
 * @fds:  sandbox_keep(): the sandbox's own, not to be closed
 */
struct sandbox_kept {
	void *data;
	size_t size;
	int fds[SANDBOX_KEPT_FDS_MAX];
	size_t n_fds;
};

/** sandbox_keep() - describe @sandbox; free() .data. Return: 0 or -ENOMEM. */
int sandbox_keep(const struct sandbox *sandbox, struct sandbox_kept *ret_kept);
/**
 * sandbox_kept_check() - could sandbox_adopt() go on with it?
 *
 * Looks at .data only. Return: 0; -EBADMSG, -ENOTSUP, -ERANGE with @error.
 */
int sandbox_kept_check(const struct sandbox_kept *kept, struct error *error);
/**
 * sandbox_adopt() - the same sandbox again, in a process that did not start it
 *
 * .fds are taken over, also on failure; .data is not.
 * Return: 0; -EBADMSG for what sandbox_keep() did not write; -errno with @error.
 */
int sandbox_adopt(struct sandbox_host *host, const struct sandbox_kept *kept,
		  struct sandbox *ret_sandbox, struct error *error);

#endif
