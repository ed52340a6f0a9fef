/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_PLAN_H
#define SANDBOX_PLAN_H

/*
 * DOC: Plan and executor
 *
 * A request becomes a list of operations: plain data that can be made, printed (runbook-sandbox
 * --explain) and compared (golden tests) without privilege. Exactly these operations are
 * executed, in this order: those of the host by sandbox.c, those of the step by step_attach.c
 * inside the new namespaces, those of the inside by runbook-init.
 *
 * Strings belong to the request, to the facts or to the plan itself, and are valid for as long
 * as these.
 */

#include "sandbox/sandbox.h"

#include <stdio.h>

#define PLAN_HOST_BINDS_MAX 16
#define PLAN_HOST_HIDDEN_MAX 4
#define PLAN_MASKED_MAX 32
#define PLAN_IO_DEVICES_MAX 16

/** struct plan_host_bind - one directory of the host that image "host" shows read-only */
struct plan_host_bind {
	char path[64];
};

/** enum plan_presence - whether and as what a path of /proc or /sys exists */
enum plan_presence { PLAN_UNKNOWN, PLAN_ABSENT, PLAN_FILE, PLAN_DIRECTORY };

/** struct plan_view - facts about the host that hold for all its steps */
struct plan_view {
	struct plan_host_bind binds[PLAN_HOST_BINDS_MAX];
	size_t n_binds;
	struct plan_host_bind hidden[PLAN_HOST_HIDDEN_MAX]; /* masked files in these */
	size_t n_hidden;
	/* for plan_masked() and plan_read_only(), by index: a new /proc has the host's files */
	enum plan_presence masked[PLAN_MASKED_MAX], read_only[PLAN_MASKED_MAX];
};

/** struct plan_facts - input of the plan besides the request */
struct plan_facts {
	uid_t base;	    /* host id of uid 0 inside */
	uid_t init_id;	    /* user of runbook-init */
	const char *root;   /* lower directory: template of image "host", or the image */
	bool root_shifted;  /* files of @root already belong to @base: no id mapping */
	uint64_t scratch;   /* bytes, used if the request gives none */
	const char *cacher; /* path of the cacher client, NULL: none */
	const char *resolv; /* contents of resolv.conf, NULL: none */
	char boot_id[40];   /* a random one, with a newline, in place of the host's */
	const char *hosts;  /* host file shown as /etc/hosts, NULL: one of its own */
	bool limit_memory, limit_pids, limit_cpu, limit_io; /* available controllers */
	bool cgroup;					    /* cgroup v2 is available */
	/* disks that hold the files which the step reads and writes */
	struct plan_device {
		unsigned major, minor;
	} io_devices[PLAN_IO_DEVICES_MAX];
	size_t n_io_devices;
	const struct plan_view *view;
};

/** plan_masked() - the masked path number @i, inside the sandbox; NULL after the last one */
const char *plan_masked(size_t i);
/** plan_read_only() - the same for paths that are made read-only */
const char *plan_read_only(size_t i);

/*
 * The kinds of operations: X(NAME, side that executes it, word in --explain)
 */
#define PLAN_VERBS(X)                                                                              \
	X(IDS, HOST, "ids")                                                                        \
	X(RUN_GROUP, HOST, "run-cgroup")                                                           \
	X(RUN_LIMIT, HOST, "run-limit")                                                            \
	X(GROUP, HOST, "cgroup")                                                                   \
	X(LIMIT, HOST, "limit")                                                                    \
	X(NAMESPACES, HOST, "namespaces")                                                          \
	X(PRIVATE, STEP, "private")                                                                \
	X(CGROUP_NS, STEP, "cgroup-root")                                                          \
	X(CLOCKS, STEP, "clocks")                                                                  \
	X(NETWORK, STEP, "network")                                                                \
	X(SYSCTL, STEP, "sysctl")                                                                  \
	X(HOSTNAME, STEP, "hostname")                                                              \
	X(OOM_SCORE, STEP, "oom-score")                                                            \
	X(SCRATCH, STEP, "scratch")                                                                \
	X(SCRATCH_DIR, STEP, "scratch-dir")                                                        \
	X(SCRATCH_FILE, STEP, "scratch-file")                                                      \
	X(LAYER, STEP, "layer")                                                                    \
	X(ROOT, STEP, "root")                                                                      \
	X(OVERLAY, STEP, "overlay")                                                                \
	X(BIND, STEP, "bind")                                                                      \
	X(SCRATCH_BIND, STEP, "scratch-bind")                                                      \
	X(DEVICES, STEP, "devices")                                                                \
	X(FILESYSTEM, STEP, "mount")                                                               \
	X(MASK, STEP, "mask")                                                                      \
	X(READONLY, STEP, "read-only")                                                             \
	X(NARROW, STEP, "narrow")                                                                  \
	X(PIVOT, STEP, "pivot")                                                                    \
	X(RLIMIT, STEP, "rlimit")                                                                  \
	X(BECOME_INIT, STEP, "become")                                                             \
	X(INSIDE, INSIDE, "inside")

/*
 * All of /sys that a step sees, besides its own cgroup: files that programs read to find the
 * number of processors and the memory nodes. The rest concerns hardware, drivers and settings
 * of the host.
 */
#define PLAN_SYS_CPU "devices/system/cpu"
#define PLAN_SYS_NODE "devices/system/node"
#define PLAN_SYS_MM "kernel/mm"

/** enum plan_side - the process that executes an operation */
enum plan_side { PLAN_SIDE_HOST, PLAN_SIDE_STEP, PLAN_SIDE_INSIDE };

/** enum plan_verb - the kinds of operations, in the order of PLAN_VERBS() */
enum plan_verb {
#define PLAN_ENUM(name, side, word) PLAN_##name,
	PLAN_VERBS(PLAN_ENUM)
#undef PLAN_ENUM
		PLAN_NUM_VERBS,
};

/** enum plan_flags - modifiers of an operation */
enum plan_flags {
	PLAN_WRITABLE = 1 << 0,
	PLAN_OPTIONAL = 1 << 1,	   /* a missing target or file system is accepted */
	PLAN_IDMAP_STEP = 1 << 2,  /* 0-65535 on disk are 0-65535 inside */
	PLAN_IDMAP_OWNER = 1 << 3, /* one owner on disk is uid 0 inside */
	PLAN_RECURSIVE = 1 << 4,   /* with the mounts beneath it */
	PLAN_IDMAP_IMAGE = 1 << 5, /* the range of images on disk is 0-65535 inside */
	PLAN_READ_ONLY = 1 << 6,   /* otherwise this verb mounts writable */
};

/**
 * struct plan_op - one operation
 * @source: by verb a path on the host, a name or a text
 * @target: an absolute path inside, or a name in scratch
 */
struct plan_op {
	enum plan_verb verb;
	unsigned flags; /* enum plan_flags */
	const char *source;
	const char *target;
	uint64_t value;	 /* mode, size, limit, id, enum plan_presence */
	uid_t owner_uid; /* PLAN_IDMAP_OWNER */
	gid_t owner_gid;
	uid_t inside_uid; /* owner inside, for PLAN_IDMAP_OWNER and PLAN_SCRATCH_DIR */
	gid_t inside_gid;
};

/** struct plan - the operations, and strings that they point to */
struct plan {
	struct plan_op *ops;
	size_t n_ops;
	size_t n_allocated;
	char hosts[512];
	char io_limits[PLAN_IO_DEVICES_MAX][144];
	char hostname[80];
	char lowers[SANDBOX_LAYERS_MAX][4]; /* names in scratch, topmost first */
	char workspace_layers[96]; /* of the workspace's overlay: the same, joined with ':' */
};

/**
 * plan_check() - check everything of @request that does not depend on the host
 *
 * Return: 0; -EINVAL with @error naming the field and the fix.
 */
int plan_check(const struct sandbox_request *request, struct error *error);

/**
 * plan_new() - turn @request into operations, after plan_check()
 *
 * Return: 0; -EINVAL with @error naming the field and the fix; -ENOMEM.
 */
int plan_new(struct plan **ret_plan, const struct sandbox_request *request,
	     const struct plan_facts *facts, struct error *error);
/** plan_free() - NULL is fine. Return: NULL. */
struct plan *plan_free(struct plan *plan);
static inline void plan_free_fn(struct plan **plan)
{
	(void)plan_free(*plan);
}
#define cleanup_plan __attribute__((cleanup(plan_free_fn)))

/** plan_verb_side() - the process that executes @verb */
enum plan_side plan_verb_side(enum plan_verb verb);

/** plan_print() - one operation a line, for people and golden files */
void plan_print(const struct plan *plan, FILE *out);

/**
 * plan_print_json() - the same as one JSON object, in the schema of runbook-sandbox(1)
 * @warning: names what this host cannot apply, or NULL
 * @runs:    whether the plan would be executed in spite of that
 *
 * Return: 0 or -ENOMEM.
 */
int plan_print_json(const struct plan *plan, const char *warning, bool runs, FILE *out);

#endif
