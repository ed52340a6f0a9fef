/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

/*
 * DOC: The sandbox library
 *
 * A struct sandbox_host holds what is prepared once for all sandboxes: the compiled seccomp
 * program, the sealed memfd of runbook-init, root templates, cached user namespaces, the
 * network. sandbox_start() builds one sandbox from a request. The caller then watches two
 * descriptors, so an event loop never blocks:
 *
 *   status_fd  readable/EOF once the command has ended: sandbox_finish() may be called.
 *              After a terminating signal, EOF (POLLHUP) comes only when all processes
 *              that the command started have ended as well: a caller that grants a
 *              grace period waits for that
 *   pidfd      of runbook-init (PID 1 inside)
 *
 * runbookd uses the library for many sandboxes at once, runbook-sandbox for one. The caller is
 * never forked: processes start with clone3(CLONE_VM | CLONE_VFORK), which suspends the thread
 * that calls it until they are built: that of the caller in sandbox_start(), another one after
 * sandbox_launch_begin().
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

/** enum sandbox_limits_policy - what to do if cgroup controllers are missing */
enum sandbox_limits_policy {
	SANDBOX_LIMITS_REQUIRED,    /* refuse to start if a controller is missing */
	SANDBOX_LIMITS_BEST_EFFORT, /* go on without them; see sandbox_host_warning() */
};

/** struct sandbox_host_options - arguments of sandbox_host_new() */
struct sandbox_host_options {
	const char *state_dir;	 /* images/ and steps/ are made in it; NULL: a private tmpfs */
	const char *init_path;	 /* runbook-init */
	const char *cacher_path; /* static cacher client, bound at /run/runbookd/bin; may be NULL */
	const char *cgroup_name; /* group for the steps beneath our own, e.g. "runbookd-steps" */
	const char *cgroup_parent; /* used in place of our own if it exists; may be NULL */
	enum sandbox_limits_policy limits;
	uint64_t memory;   /* bytes for all steps together; 0: all but a sixteenth of the host's */
	unsigned parallel; /* steps that may run at once; 0: one */
	bool once;	   /* for a single sandbox: prepare it now, with .once_network */
	enum step_network once_network;
	const char *const *dns_servers; /* NULL-terminated; NULL: the host's own resolvers */
	unsigned network_pool; /* namespaces of each kind kept ready by sandbox_host_idle() */
	bool gateway;	       /* put one namespace between the host and all steps with egress */
	unsigned launchers;    /* threads for sandbox_launch_begin(); 0: it must not be called */
};

/**
 * sandbox_host_new() - prepare what all sandboxes share
 *
 * Strings of @options are copied. Return: 0 or -errno with @error.
 */
int sandbox_host_new(struct sandbox_host **ret_host, const struct sandbox_host_options *options,
		     struct error *error);
/** sandbox_host_free() - also removes network and cgroups that no step uses. Return: NULL. */
struct sandbox_host *sandbox_host_free(struct sandbox_host *host);
/** sandbox_host_warning() - the limits that best-effort cannot apply, one line, or NULL */
const char *sandbox_host_warning(const struct sandbox_host *host);
/**
 * sandbox_host_idle() - do one small piece of work ahead, such as making a namespace
 *
 * An event loop calls it when it has nothing else to do. Return: whether there is more.
 */
bool sandbox_host_idle(struct sandbox_host *host);
/**
 * sandbox_host_watch_fd() - readable when sandbox_host_watch() must be called
 *
 * Return: a descriptor that stays the same while steps run, owned by @host; -1 before the first
 * step with network "egress".
 */
int sandbox_host_watch_fd(const struct sandbox_host *host);
/**
 * sandbox_host_watch() - load the firewall of steps again if another program removed it
 *
 * Return: whether it was loaded.
 */
bool sandbox_host_watch(struct sandbox_host *host);
/** sandbox_host_sweep() - remove cgroups, scratch and links of killed instances. 0 or -errno. */
int sandbox_host_sweep(struct sandbox_host *host, struct error *error);

/** struct sandbox_bind - a file or directory of the host to show inside */
struct sandbox_bind {
	const char *source; /* path on the host */
	const char *target; /* absolute path inside; directories and files are made as needed */
	bool writable;
	bool idmap; /* map owner_uid:owner_gid to 0:0 inside; else ids stay as they are */
	bool image; /* map the ids of images (from ID_IMAGE_FIRST) to 0-65535 inside */
	uid_t owner_uid;
	gid_t owner_gid;
};

#define SANDBOX_LAYERS_MAX 127
#define SANDBOX_WORKSPACE_LOWERS_MAX 3
#define SANDBOX_PIDS_DEFAULT 4096
#define SANDBOX_ID_MAX 200 /* it names a cgroup directory, at most 255 bytes */

/** struct sandbox_limits - of one step, or of all steps of a run together; 0: no limit */
struct sandbox_limits {
	uint64_t memory; /* bytes */
	uint64_t pids;
	uint64_t cpu_milli;
};

/** struct sandbox_io - per second and block device; 0: no limit */
struct sandbox_io {
	uint64_t read, write;	      /* bytes */
	uint64_t read_ops, write_ops; /* operations */
};

/** struct sandbox_request - the sandbox to build */
struct sandbox_request {
	const char *id; /* unique while it runs: name of its cgroup, [A-Za-z0-9._-] */
	/* cgroup of its run, named like an id, and with an isolated network the bridge that its
	 * sandboxes share; NULL: none */
	const char *group;
	struct sandbox_limits group_limits;
	const char *image; /* "host" or an absolute directory; ignored if there are layers */
	/* unpacked layers of an image, absolute directories, lowest first, with ids of images */
	const char *const *layers;
	size_t n_layers;
	const char *hostname;  /* NULL: id */
	const char *workspace; /* directory shown copy-on-write as /workspace; NULL: empty */
			       /* overlay layer above workspace, of the same owner; NULL: none */
	const char *workspace_view;
	/* overlay layers beneath workspace, of the same owner, topmost first */
	const char *const *workspace_lowers;
	size_t n_workspace_lowers;
	uid_t workspace_uid; /* its owner on the host, who appears as uid 0 inside */
	gid_t workspace_gid;
	const char *workdir; /* NULL: /workspace; made when it is not there */
	uid_t uid;	     /* the command's, inside; the workspace belongs to it */
	gid_t gid;
	const struct sandbox_bind *binds;
	size_t n_binds;
	enum step_network network;
	const char *network_name;	  /* isolated: name for its group; NULL: hostname */
	const struct network_rule *allow; /* egress: reachable despite the blocked ranges */
	size_t n_allow;
	bool limited; /* egress: only .only is reachable, in blocked ranges also by .allow */
	const struct network_rule *only;
	size_t n_only;
	uint64_t memory;    /* bytes, 0: no limit */
	uint64_t pids;	    /* 0: SANDBOX_PIDS_DEFAULT */
	uint64_t cpu_milli; /* thousandths of a processor, 0: no limit */
	uint64_t disk;	    /* bytes for everything the step writes; 0: a share of the memory */
	struct sandbox_io io;
	int payload_fd;			    /* common/step_payload.h; stays the caller's */
	int stdin_fd, stdout_fd, stderr_fd; /* stay the caller's; stdin_fd -1: /dev/null */
	bool tty; /* the command gets a terminal for all three; its output goes to stdout_fd */
	/*
	 * Report each system call that is not allowed: the listener of the filter
	 * (seccomp_unotify(2)) is sent to report_fd, a unix socket that stays the caller's.
	 * Its holder must answer for as long as the sandbox lives.
	 */
	bool seccomp_report;
	int report_fd;
};

/** struct sandbox - a running sandbox; embed it, fields are read-only to callers */
struct sandbox {
	pid_t pid; /* runbook-init, as the host sees it */
	int pidfd;
	int status_fd; /* what runbook-init writes: sandbox/status.h */
	struct sandbox_private *private;
};

/** enum sandbox_exit - how the command ended, with the numbers that runbook-init writes */
enum sandbox_exit {
	SANDBOX_EXITED = 0,
	SANDBOX_SIGNALED = 1,
	SANDBOX_EXEC_FAILED = 2, /* code: errno; 126/127 by its value */
	SANDBOX_LOST = 3,	 /* init died without a status (killed) */
};

/** enum sandbox_memory_scope - whose memory limit the step met */
enum sandbox_memory_scope {
	SANDBOX_MEMORY_STEP,  /* its own */
	SANDBOX_MEMORY_RUN,   /* its run's */
	SANDBOX_MEMORY_STEPS, /* that of all steps together */
	SANDBOX_MEMORY_HOST,  /* none of ours: the host or a group above ours ran out */
};

/** struct sandbox_outcome - how the command ended, what it used, and the limits that it met */
struct sandbox_outcome {
	enum sandbox_exit how;
	int code;	   /* exit code, signal or errno */
	bool memory_limit; /* the group's memory.events counted an oom kill */
	enum sandbox_memory_scope memory_scope;
	uint64_t steps_memory;	/* the limit of all steps together, 0: none */
	uint64_t forks_refused; /* forks and clones refused by pids.max */
	bool disk_full;		/* at the command's end hardly a byte or an inode was free */
	struct step_usage usage;
	/* the limits in force, for texts about the outcome */
	struct sandbox_limits limits, run_limits;
	uint64_t disk; /* bytes */
};

/**
 * sandbox_start() - build a sandbox and start its command
 *
 * Return: 0; -errno with @error naming the part that failed and why. On failure nothing is left
 * behind.
 */
int sandbox_start(struct sandbox_host *host, const struct sandbox_request *request,
		  struct sandbox *ret_sandbox, struct error *error);

struct sandbox_launch;
/**
 * sandbox_launch_begin() - the same without waiting for the step's side, which a thread builds
 * @request:    must stay, with all that it points to, until sandbox_launch_end()
 * @userdata:   what sandbox_launch_next() returns for it
 *
 * @host has launchers. Return: 0; -errno with @error, nothing is left behind then.
 */
int sandbox_launch_begin(struct sandbox_host *host, const struct sandbox_request *request,
			 void *userdata, struct sandbox_launch **ret_launch, struct error *error);
/** sandbox_launch_fd() - readable while sandbox_launch_next() has something; -1: no launchers */
int sandbox_launch_fd(const struct sandbox_host *host);
/** sandbox_launch_next() - @userdata of a launch to be ended now, each once. NULL: there is none. */
void *sandbox_launch_next(struct sandbox_host *host);
/**
 * sandbox_launch_end() - finish a start; waits for it, unless sandbox_launch_next() named it
 *
 * Frees @launch. Return: as sandbox_start().
 */
int sandbox_launch_end(struct sandbox_launch *launch, struct sandbox *ret_sandbox,
		       struct error *error);
/**
 * sandbox_signal() - send @signal_number into it (through init)
 *
 * SIGTERM goes to all its processes, other signals to the command's process group.
 * Return: 0 or -errno.
 */
int sandbox_signal(struct sandbox *sandbox, int signal_number);
/** sandbox_kill() - kill every process in it (cgroup.kill, or its init). Return: 0 or -errno. */
int sandbox_kill(struct sandbox *sandbox);
/**
 * sandbox_collect() - end the sandbox and compute its outcome, removing nothing yet
 *
 * For a caller that stores the outcome before sandbox_finish() removes the cgroup that it is
 * read from. Optional. Return: as sandbox_finish().
 */
int sandbox_collect(struct sandbox *sandbox, struct sandbox_outcome *ret_outcome,
		    struct error *error);
/**
 * sandbox_finish() - collect the outcome and remove everything of the sandbox
 *
 * Return: 0, also when the command could not be executed (SANDBOX_EXEC_FAILED;
 * @error then names what and why); -errno with @error when the inner part of the sandbox could
 * not be built, so the command never started.
 *
 * Kills what still runs. Blocks only while the kernel reaps; slow teardown (network namespaces)
 * goes on in the background.
 */
int sandbox_finish(struct sandbox *sandbox, struct sandbox_outcome *ret_outcome,
		   struct error *error);

/* ---- sandboxes that outlive the process that started them ---- */

/**
 * enum sandbox_host_fd - open files that a host process passes to its successor
 *
 * Their locks belong to the open file description, so they last while any process has it open.
 */
enum sandbox_host_fd {
	SANDBOX_HOST_FD_USERS,	 /* locks of the ranges of user ids */
	SANDBOX_HOST_FD_NETWORK, /* locks of addresses and table; -1 before "egress" is set up */
	SANDBOX_HOST_FD_GATEWAY, /* of the namespace between the host and the steps; -1: none */
	SANDBOX_HOST_FD_NUM,
};

/**
 * sandbox_host_persist() - fill in @fds, which stay @host's
 *
 * The gateway changes when its link was removed from outside; others never.
 */
void sandbox_host_persist(const struct sandbox_host *host, int fds[SANDBOX_HOST_FD_NUM]);
/**
 * sandbox_host_inherit() - take a predecessor's @fds over (-1: none)
 *
 * Must be called before any sandbox is started or adopted.
 */
void sandbox_host_inherit(struct sandbox_host *host, int fds[SANDBOX_HOST_FD_NUM]);
/**
 * sandbox_host_settle() - finish an adoption, after the last sandbox_adopt()
 *
 * Releases what the predecessor held for sandboxes that were not adopted, and loads the
 * firewall table again if it is gone. Return: 0 or -errno with @error.
 */
int sandbox_host_settle(struct sandbox_host *host, struct error *error);

#define SANDBOX_KEPT_FDS_MAX 12

/**
 * struct sandbox_kept - a running sandbox as data and descriptors
 * @data: malloc'ed; tagged fields, for any version of this library on this host
 * @fds:  sandbox_persist(): the sandbox's own, not to be closed
 */
struct sandbox_kept {
	void *data;
	size_t size;
	int fds[SANDBOX_KEPT_FDS_MAX];
	size_t n_fds;
};

/** sandbox_persist() - describe @sandbox; the caller frees .data. Return: 0 or -ENOMEM. */
int sandbox_persist(const struct sandbox *sandbox, struct sandbox_kept *ret_kept);
/**
 * sandbox_kept_check() - would sandbox_adopt() accept the description?
 *
 * Reads .data only. Return: 0; -EBADMSG, -ENOTSUP, -ERANGE with @error.
 */
int sandbox_kept_check(const struct sandbox_kept *kept, struct error *error);
/**
 * sandbox_adopt() - take over a running sandbox that another process started
 *
 * .fds are taken over, also on failure; .data is not.
 * Return: 0; -EBADMSG for what sandbox_persist() did not write; -errno with @error.
 */
int sandbox_adopt(struct sandbox_host *host, const struct sandbox_kept *kept,
		  struct sandbox *ret_sandbox, struct error *error);

#endif
