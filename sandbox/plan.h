/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_PLAN_H
#define SANDBOX_PLAN_H

/*
 * DOC: Plan and executor
 *
 * A request becomes a list of operations, plain data that needs no privilege to
 * make, to print (runbook-sandbox --explain) or to compare (golden tests). What
 * is executed are these operations and nothing else, in this order: those of
 * the host by sandbox.c, those of the step by step_attach.c inside the new
 * namespaces, those of the inside by runbook-init.
 *
 * Strings belong to the request, to the facts or to the plan itself, and are
 * valid as long as these are.
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

/** enum plan_presence - what of /proc and /sys there is to mask */
enum plan_presence { PLAN_UNKNOWN, PLAN_ABSENT, PLAN_FILE, PLAN_DIRECTORY };

/** struct plan_view - what a look at the host found, the same for all its steps */
struct plan_view {
	struct plan_host_bind binds[PLAN_HOST_BINDS_MAX];
	size_t n_binds;
	struct plan_host_bind hidden[PLAN_HOST_HIDDEN_MAX]; /* files in them, masked */
	size_t n_hidden;
	/* beside plan_masked() and plan_read_only(): a new /proc has what the host's has */
	enum plan_presence masked[PLAN_MASKED_MAX], read_only[PLAN_MASKED_MAX];
};

/** struct plan_facts - what the plan depends on besides the request */
struct plan_facts {
	uid_t base;	    /* host id of uid 0 inside */
	uid_t init_id;	    /* user of runbook-init */
	const char *root;   /* lower directory: template of image "host", or the image */
	bool root_shifted;  /* files of @root already belong to @base: no id mapping */
	uint64_t scratch;   /* bytes, when the request says nothing */
	const char *cacher; /* path of the cacher client, NULL: none */
	const char *resolv; /* contents of resolv.conf, NULL: none */
	char boot_id[40];   /* a random one, with a newline: shown instead of the machine's */
	const char *hosts;  /* file of the host to see as /etc/hosts, NULL: one of its own */
	bool limit_memory, limit_pids, limit_cpu, limit_io; /* controllers that are there */
	bool cgroup;					    /* cgroup v2 is there at all */
	/* disks that what the step reads and writes lies on */
	struct plan_device {
		unsigned major, minor;
	} io_devices[PLAN_IO_DEVICES_MAX];
	size_t n_io_devices;
	const struct plan_view *view;
};

/** plan_masked() - the path inside that is masked as number @i, NULL after the last one */
const char *plan_masked(size_t i);
/** plan_read_only() - the path inside that is made read-only as number @i, or NULL */
const char *plan_read_only(size_t i);

/*
 * X(NAME, side, word in --explain)
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
 * All of /sys that is shown, beside the step's own group: what programs ask to know how many
 * processors there are and how memory is made up. The rest is hardware, drivers and settings of
 * the host.
 */
#define PLAN_SYS_CPU "devices/system/cpu"
#define PLAN_SYS_NODE "devices/system/node"
#define PLAN_SYS_MM "kernel/mm"

enum plan_side { PLAN_SIDE_HOST, PLAN_SIDE_STEP, PLAN_SIDE_INSIDE };

enum plan_verb {
#define PLAN_ENUM(name, side, word) PLAN_##name,
	PLAN_VERBS(PLAN_ENUM)
#undef PLAN_ENUM
		PLAN_NUM_VERBS,
};

enum plan_flags {
	PLAN_WRITABLE = 1 << 0,
	PLAN_OPTIONAL = 1 << 1,	   /* missing target or file system is no error */
	PLAN_IDMAP_STEP = 1 << 2,  /* 0-65535 on disk are 0-65535 inside */
	PLAN_IDMAP_OWNER = 1 << 3, /* one owner on disk is uid 0 inside */
	PLAN_RECURSIVE = 1 << 4,   /* with what is mounted beneath */
	PLAN_IDMAP_IMAGE = 1 << 5, /* the range of images on disk is 0-65535 inside */
	PLAN_READ_ONLY = 1 << 6,   /* of what is writable otherwise */
};

/**
 * struct plan_op - one operation
 * @source: what; a path on the host, a name, a text, by verb
 * @target: where; an absolute path inside, or a name in scratch
 */
struct plan_op {
	enum plan_verb verb;
	unsigned flags; /* enum plan_flags */
	const char *source;
	const char *target;
	uint64_t value;	 /* mode, size, limit, id, enum plan_presence */
	uid_t owner_uid; /* PLAN_IDMAP_OWNER */
	gid_t owner_gid;
	uid_t inside_uid; /* whose it is inside: of PLAN_IDMAP_OWNER, PLAN_SCRATCH_DIR */
	gid_t inside_gid;
};

struct plan {
	struct plan_op *ops;
	size_t n_ops;
	size_t n_allocated;
	char hosts[512];
	char io_limits[PLAN_IO_DEVICES_MAX][144];
	char hostname[80];
	char lowers[SANDBOX_LAYERS_MAX][4]; /* names in scratch, the topmost first */
};

/**
 * plan_check() - everything about @request that needs no look at the host
 *
 * Return: 0; -EINVAL with @error naming the field and the fix.
 */
int plan_check(const struct sandbox_request *request, struct error *error);

/**
 * plan_new() - what to do for @request
 *
 * Begins with plan_check().
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

/** plan_verb_side() - who executes @verb */
enum plan_side plan_verb_side(enum plan_verb verb);

/** plan_print() - one operation a line, for people and golden files */
void plan_print(const struct plan *plan, FILE *out);

/**
 * plan_print_json() - the same as one JSON object, in the schema that
 * runbook-sandbox(1) promises
 * @warning: what this host cannot apply, or NULL
 * @runs:    whether it would be executed in spite of that
 *
 * Return: 0 or -ENOMEM.
 */
int plan_print_json(const struct plan *plan, const char *warning, bool runs, FILE *out);

#endif
