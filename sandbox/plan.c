/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/plan.h"

#include "common/cleanup.h"
#include "common/limits.h"
#include "common/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BOOT_ID_FILE "boot-id"
#define HOSTNAME_MAX 64 /* the maximum of sethostname(2) */
#define BINDS_MAX 256
/*
 * The value of CLOCK_MONOTONIC and CLOCK_BOOTTIME when a step starts, so that they do not
 * reveal the host's uptime. Not 0: some programs subtract an hour and expect a result above 0.
 */
#define CLOCKS_BEGIN_SEC 86400

/* ---- fixed parts, as data ---- */

/* Namespaces that clone3 makes from outside; the user namespace is joined last. */
static const char namespaces[] = "mount pid ipc uts network cgroup";

/*
 * Files that reveal facts about the host or control it, as container runtimes mask them. They
 * are masked although they are unreadable, because one kernel bug may bypass uid checks.
 */
static const char *const masked[] = {
	"/proc/acpi",	       "/proc/asound",	    "/proc/bus",	 "/proc/cmdline",
	"/proc/devices",       "/proc/diskstats",   "/proc/fs",		 "/proc/interrupts",
	"/proc/irq",	       "/proc/kallsyms",    "/proc/kcore",	 "/proc/keys",
	"/proc/latency_stats", "/proc/locks",	    "/proc/mdstat",	 "/proc/modules",
	"/proc/partitions",    "/proc/pressure",    "/proc/sched_debug", "/proc/schedstat",
	"/proc/scsi",	       "/proc/softirqs",    "/proc/swaps",	 "/proc/sysrq-trigger",
	"/proc/timer_list",    "/proc/timer_stats",
};

static const char *const read_only[] = {"/proc/sys"};
_Static_assert(ARRAY_SIZE(masked) <= PLAN_MASKED_MAX && ARRAY_SIZE(read_only) <= PLAN_MASKED_MAX,
	       "what is known of each fits");

const char *plan_masked(size_t i)
{
	return i < ARRAY_SIZE(masked) ? masked[i] : NULL;
}

const char *plan_read_only(size_t i)
{
	return i < ARRAY_SIZE(read_only) ? read_only[i] : NULL;
}

static const char sys_shown[] = PLAN_SYS_CPU " " PLAN_SYS_NODE " " PLAN_SYS_MM ", nothing else";

/* Directories of the scratch file system. The step owns them, but no path inside leads to
 * upper, work or lower: only directories that are bound from here are visible. */
static const struct {
	const char *name;
	unsigned mode;
} scratch_dirs[] = {
	{"lower", 0755}, {"upper", 0755}, {"work", 0755},      {"root", 0755},	    {"tmp", 01777},
	{"run", 0755},	 {"shm", 01777},  {"upper/etc", 0755}, {"run/lock", 01777}, {"sysfs", 0755},
};

/* For --explain only: runbook-init's child does this last part without the plan. */
static const char inside_capabilities[] =
	"keep capabilities chown dac_override fowner fsetid kill setfcap setgid setpcap setuid "
	"sys_chroot net_bind_service; bounding set too";
static const char inside_session[] = "new session, new session keyring";
static const char *const inside[] = {
	"join the user namespace, uid 0, gid 0, no other groups",
	inside_capabilities,
	inside_session,
	"in /etc/passwd the home of the command's user is its $HOME",
	"seccomp: default deny, see seccomp_list.c",
	"exec the command with exactly its environment",
};

/* ---- building ---- */

static struct plan_op *add(struct plan *plan, enum plan_verb verb, const char *source,
			   const char *target)
{
	static struct plan_op
		nowhere; /* target of writes when the list is full; plan_new() then fails */
	struct plan_op *op = &nowhere;

	if (plan->n_ops < plan->n_allocated)
		op = &plan->ops[plan->n_ops];
	plan->n_ops++;
	*op = (struct plan_op){.verb = verb, .source = source, .target = target};
	return op;
}

static void add_value(struct plan *plan, enum plan_verb verb, const char *source,
		      const char *target, uint64_t value)
{
	add(plan, verb, source, target)->value = value;
}

/* microseconds of processor time in each 100 ms */
#define CPU_MAX(milli) ((milli)*100)

static void plan_run(struct plan *plan, const struct sandbox_request *request,
		     const struct plan_facts *facts)
{
	const struct sandbox_limits *limits = &request->group_limits;

	if (!request->group)
		return;
	add(plan, PLAN_RUN_GROUP, NULL, request->group);
	if (facts->limit_memory && limits->memory) {
		add_value(plan, PLAN_RUN_LIMIT, NULL, "memory.swap.max", 0);
		add_value(plan, PLAN_RUN_LIMIT, NULL, "memory.max", limits->memory);
	}
	if (facts->limit_pids && limits->pids)
		add_value(plan, PLAN_RUN_LIMIT, NULL, "pids.max", limits->pids);
	if (facts->limit_cpu && limits->cpu_milli)
		add_value(plan, PLAN_RUN_LIMIT, NULL, "cpu.max", CPU_MAX(limits->cpu_milli));
}

static bool io_limited(const struct sandbox_io *io)
{
	return io->read || io->write || io->read_ops || io->write_ops;
}

/* One write to io.max for each disk: "8:0 rbps=… wbps=… riops=… wiops=…". */
static void plan_io(struct plan *plan, const struct sandbox_io *io, const struct plan_facts *facts)
{
	const struct {
		const char *key;
		uint64_t value;
	} limits[] = {
		{"rbps", io->read},
		{"wbps", io->write},
		{"riops", io->read_ops},
		{"wiops", io->write_ops},
	};

	if (!io_limited(io) || !facts->limit_io)
		return;
	for (size_t i = 0; i < facts->n_io_devices; i++) {
		char *text = plan->io_limits[i];
		size_t size = sizeof(plan->io_limits[i]);
		size_t used = (size_t)snprintf(text, size, "%u:%u", facts->io_devices[i].major,
					       facts->io_devices[i].minor);

		for (size_t j = 0; j < ARRAY_SIZE(limits); j++) {
			if (limits[j].value)
				used += (size_t)snprintf(text + used, size - used, " %s=%llu",
							 limits[j].key,
							 (unsigned long long)limits[j].value);
		}
		add(plan, PLAN_LIMIT, text, "io.max");
	}
}

static void plan_host(struct plan *plan, const struct sandbox_request *request,
		      const struct plan_facts *facts)
{
	add_value(plan, PLAN_IDS, NULL, NULL, facts->base);
	if (facts->cgroup) {
		plan_run(plan, request, facts);
		add(plan, PLAN_GROUP, NULL, request->id);
		if (facts->limit_memory) {
			add_value(plan, PLAN_LIMIT, NULL, "memory.swap.max", 0);
			add_value(plan, PLAN_LIMIT, NULL, "memory.oom.group", 1);
			if (request->memory)
				add_value(plan, PLAN_LIMIT, NULL, "memory.max", request->memory);
		}
		if (facts->limit_pids)
			add_value(plan, PLAN_LIMIT, NULL, "pids.max",
				  request->pids ? request->pids : SANDBOX_PIDS_DEFAULT);
		if (facts->limit_cpu && request->cpu_milli)
			add_value(plan, PLAN_LIMIT, NULL, "cpu.max", CPU_MAX(request->cpu_milli));
		plan_io(plan, &request->io, facts);
	}
	add(plan, PLAN_NAMESPACES, namespaces, NULL);
}

static void plan_outer(struct plan *plan, const struct sandbox_request *request,
		       const struct plan_facts *facts)
{
	static const char *const networks[] = {[STEP_NETWORK_EGRESS] = "egress",
					       [STEP_NETWORK_NONE] = "none",
					       [STEP_NETWORK_ISOLATED] = "isolated"};
	struct plan_op *op;

	add(plan, PLAN_CGROUP_NS, NULL, NULL);
	op = add(plan, PLAN_CLOCKS, "monotonic boottime", NULL);
	op->flags = PLAN_OPTIONAL;
	op->value = CLOCKS_BEGIN_SEC;
	add_value(plan, PLAN_NETWORK, networks[request->network], NULL, request->network);
	/* granted by the namespace: capabilities inside do not apply to it */
	add(plan, PLAN_SYSCTL, "0 2147483647", "/proc/sys/net/ipv4/ping_group_range");
	add(plan, PLAN_SYSCTL, "0", "/proc/sys/net/ipv4/ip_unprivileged_port_start");
	add(plan, PLAN_HOSTNAME, plan->hostname, NULL);
	add(plan, PLAN_OOM_SCORE, "500", NULL);
	/* from here on no path leads to the host's files */
	add(plan, PLAN_PRIVATE, NULL, "/");
}

static const char *const workspace_lower_names[] = {"workspace-lower1", "workspace-lower2",
						    "workspace-lower3"};
_Static_assert(ARRAY_SIZE(workspace_lower_names) == SANDBOX_WORKSPACE_LOWERS_MAX,
	       "every layer beneath the workspace has a name in scratch");

/* How many layers there are beneath the workspace; plan_check() has refused more. */
static size_t workspace_lowers(const struct sandbox_request *request)
{
	size_t n = request->n_workspace_lowers;

	return n < SANDBOX_WORKSPACE_LOWERS_MAX ? n : SANDBOX_WORKSPACE_LOWERS_MAX;
}

static void plan_scratch(struct plan *plan, const struct sandbox_request *request,
			 const struct plan_facts *facts)
{
	struct plan_op *op;

	add_value(plan, PLAN_SCRATCH, NULL, NULL, request->disk ? request->disk : facts->scratch);
	for (size_t i = 0; i < ARRAY_SIZE(scratch_dirs); i++)
		add_value(plan, PLAN_SCRATCH_DIR, NULL, scratch_dirs[i].name, scratch_dirs[i].mode);
	op = add(plan, PLAN_SCRATCH_DIR, NULL, "workspace");
	op->value = 0755;
	op->inside_uid = request->uid;
	op->inside_gid = request->gid;
	if (request->workspace) {
		add_value(plan, PLAN_SCRATCH_DIR, NULL, "workspace-lower", 0755);
		add_value(plan, PLAN_SCRATCH_DIR, NULL, "workspace-work", 0755);
	}
	for (size_t i = 0; i < workspace_lowers(request); i++)
		add_value(plan, PLAN_SCRATCH_DIR, NULL, workspace_lower_names[i], 0755);
	if (request->workspace_view)
		add_value(plan, PLAN_SCRATCH_DIR, NULL, "workspace-view", 0755);
	for (size_t i = 0; i < request->n_layers; i++)
		add_value(plan, PLAN_SCRATCH_DIR, NULL, plan->lowers[i], 0755);
	add(plan, PLAN_SCRATCH_FILE, plan->hosts, "upper/etc/hosts");
	add(plan, PLAN_SCRATCH_FILE, plan->hostname, "upper/etc/hostname");
	add(plan, PLAN_SCRATCH_FILE, facts->boot_id, BOOT_ID_FILE);
	if (facts->resolv)
		add(plan, PLAN_SCRATCH_FILE, facts->resolv, "upper/etc/resolv.conf");
}

static void plan_layers(struct plan *plan, const struct sandbox_request *request)
{
	for (size_t i = 0; i < request->n_layers; i++) {
		const char *layer = request->layers[request->n_layers - 1 - i];

		add(plan, PLAN_LAYER, layer, plan->lowers[i])->flags = PLAN_IDMAP_IMAGE;
	}
}

static void plan_root(struct plan *plan, const struct sandbox_request *request,
		      const struct plan_facts *facts)
{
	struct plan_op *op;

	if (request->n_layers > 0) {
		plan_layers(plan, request);
		add(plan, PLAN_ROOT, NULL, "/");
		return;
	}
	op = add(plan, PLAN_LAYER, facts->root, "lower");
	op->flags = facts->root_shifted ? 0 : PLAN_IDMAP_STEP;
	add(plan, PLAN_ROOT, NULL, "/");
	if (strcmp(request->image, "host") != 0)
		return;
	for (size_t i = 0; i < facts->view->n_binds; i++) {
		const char *path = facts->view->binds[i].path;

		add(plan, PLAN_BIND, path, path)->flags = PLAN_RECURSIVE;
	}
}

/* An existing path may disappear (a module is unloaded), so its absence is accepted. */
static void add_mask(struct plan *plan, const char *path, enum plan_presence presence)
{
	struct plan_op *op = add(plan, PLAN_MASK, NULL, path);

	op->flags = PLAN_OPTIONAL;
	op->value = presence;
}

static void plan_masks(struct plan *plan, const struct plan_view *view)
{
	for (size_t i = 0; i < ARRAY_SIZE(masked); i++) {
		if (view->masked[i] != PLAN_ABSENT)
			add_mask(plan, masked[i], view->masked[i]);
	}
	for (size_t i = 0; i < view->n_hidden; i++)
		add_mask(plan, view->hidden[i].path, PLAN_FILE);
	for (size_t i = 0; i < ARRAY_SIZE(read_only); i++) {
		if (view->read_only[i] != PLAN_ABSENT)
			add(plan, PLAN_READONLY, NULL, read_only[i])->flags = PLAN_OPTIONAL;
	}
	/* the step's own: the real one identifies the machine and its last boot */
	add(plan, PLAN_SCRATCH_BIND, BOOT_ID_FILE, "/proc/sys/kernel/random/boot_id")->flags =
		PLAN_READ_ONLY;
}

static void plan_system(struct plan *plan, const struct plan_facts *facts)
{
	add(plan, PLAN_DEVICES, NULL, "/dev");
	add(plan, PLAN_FILESYSTEM, "proc", "/proc");
	add(plan, PLAN_NARROW, sys_shown, "/sys");
	add(plan, PLAN_FILESYSTEM, "cgroup2", "/sys/fs/cgroup")->flags = PLAN_OPTIONAL;
	plan_masks(plan, facts->view);
	/* after the masks, because masks of directories bind the still empty /dev/pts */
	add(plan, PLAN_FILESYSTEM, "devpts", "/dev/pts");
	add(plan, PLAN_FILESYSTEM, "mqueue", "/dev/mqueue")->flags = PLAN_OPTIONAL;
	add(plan, PLAN_SCRATCH_BIND, "shm", "/dev/shm");
	add(plan, PLAN_SCRATCH_BIND, "tmp", "/tmp");
	add(plan, PLAN_SCRATCH_BIND, "run", "/run");
}

/* Add a layer of the workspace's overlay beneath those that were added before. */
static void plan_workspace_layer(struct plan *plan, const struct sandbox_request *request,
				 const char *source, const char *target)
{
	struct plan_op *op = add(plan, PLAN_LAYER, source, target);
	size_t used = strlen(plan->workspace_layers);

	op->flags = PLAN_IDMAP_OWNER;
	op->owner_uid = request->workspace_uid;
	op->owner_gid = request->workspace_gid;
	op->inside_uid = request->uid;
	op->inside_gid = request->gid;
	(void)snprintf(plan->workspace_layers + used, sizeof(plan->workspace_layers) - used, "%s%s",
		       used > 0 ? ":" : "", target);
}

static void plan_workspace(struct plan *plan, const struct sandbox_request *request)
{
	if (!request->workspace) {
		add(plan, PLAN_SCRATCH_BIND, "workspace", "/workspace");
		return;
	}
	if (request->workspace_view)
		plan_workspace_layer(plan, request, request->workspace_view, "workspace-view");
	plan_workspace_layer(plan, request, request->workspace, "workspace-lower");
	for (size_t i = 0; i < workspace_lowers(request); i++)
		plan_workspace_layer(plan, request, request->workspace_lowers[i],
				     workspace_lower_names[i]);
	add(plan, PLAN_OVERLAY, "workspace", "/workspace");
}

static void plan_binds(struct plan *plan, const struct sandbox_request *request,
		       const struct plan_facts *facts)
{
	if (facts->hosts)
		(void)add(plan, PLAN_BIND, facts->hosts, "/etc/hosts");
	if (facts->cacher)
		(void)add(plan, PLAN_BIND, facts->cacher, "/run/runbookd/bin/cacher");
	for (size_t i = 0; i < request->n_binds; i++) {
		const struct sandbox_bind *bind = &request->binds[i];
		struct plan_op *op = add(plan, PLAN_BIND, bind->source, bind->target);

		if (bind->writable)
			op->flags |= PLAN_WRITABLE;
		if (bind->image) {
			op->flags |= PLAN_IDMAP_IMAGE;
		} else if (bind->idmap) {
			op->flags |= PLAN_IDMAP_OWNER;
			op->owner_uid = bind->owner_uid;
			op->owner_gid = bind->owner_gid;
		} else {
			op->flags |= PLAN_RECURSIVE;
		}
	}
}

static void plan_end(struct plan *plan, const struct sandbox_request *request,
		     const struct plan_facts *facts)
{
	add(plan, PLAN_PIVOT, NULL, "/");
	/* 1, not 0: then the kernel does not start the host's piped core handler either */
	add_value(plan, PLAN_RLIMIT, "core", NULL, 1);
	add_value(plan, PLAN_RLIMIT, "nofile", NULL, 65536);
	/* steps must not outrank the host by real-time priority, even if our caller may */
	add_value(plan, PLAN_RLIMIT, "rtprio", NULL, 0);
	add_value(plan, PLAN_RLIMIT, "nice", NULL, 0);
	add_value(plan, PLAN_BECOME_INIT, "runbook-init", NULL, facts->init_id);
	for (size_t i = 0; i < ARRAY_SIZE(inside); i++) {
		add(plan, PLAN_INSIDE, inside[i], NULL);
		if (inside[i] == inside_session && request->tty)
			add(plan, PLAN_INSIDE,
			    "a terminal of 80x24 as standard input, output and error", NULL);
	}
}

/* ---- checking ---- */

static bool name_valid(const char *name, size_t max)
{
	size_t length = name ? strlen(name) : 0;

	return length > 0 && length <= max && name[0] != '.' && name[0] != '-' &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
		       length;
}

/* Absolute, without "..", ".", empty components or control characters. */
static bool path_valid(const char *path)
{
	if (!path || path[0] != '/' || strlen(path) >= 4096)
		return false;
	for (const char *part = path; *part;) {
		size_t length;

		part++;
		length = strcspn(part, "/");
		if (length == 0 && (*part || part > path + 1))
			return false;
		if ((length == 1 && part[0] == '.') || (length == 2 && !memcmp(part, "..", 2)))
			return false;
		part += length;
	}
	for (const char *byte = path; *byte; byte++) {
		if ((unsigned char)*byte < 0x20 || *byte == 0x7f)
			return false;
	}
	return true;
}

static int check_bind(const struct sandbox_bind *bind, struct error *error)
{
	static const char *const reserved[] = {"/", "/proc", "/sys", "/dev"};

	if (!path_valid(bind->source) || !path_valid(bind->target))
		return error_set(
			error, EINVAL, "bind %s:%s: both must be absolute paths without \"..\"",
			bind->source ? bind->source : "", bind->target ? bind->target : "");
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
		size_t length = strlen(reserved[i]);

		if (strcmp(bind->target, reserved[i]) == 0 ||
		    (length > 1 && strncmp(bind->target, reserved[i], length) == 0 &&
		     bind->target[length] == '/'))
			return error_set(error, EINVAL,
					 "bind to %s: %s belongs to the sandbox itself",
					 bind->target, reserved[i]);
	}
	return 0;
}

/* The kernel rejects a quota below a millisecond. */
static bool cpus_valid(uint64_t milli)
{
	return milli == 0 || (milli >= 10 && milli <= UINT64_MAX / 1000);
}

static int check_workspace(const struct sandbox_request *request, struct error *error)
{
	if (request->workspace && !path_valid(request->workspace))
		return error_set(error, EINVAL, "workspace: must be an absolute path");
	if (request->workspace_view &&
	    (!request->workspace || !path_valid(request->workspace_view)))
		return error_set(error, EINVAL,
				 "workspace view: must be an absolute path, beside a workspace");
	for (size_t i = 0; i < request->n_workspace_lowers; i++) {
		if (i >= SANDBOX_WORKSPACE_LOWERS_MAX || !request->workspace ||
		    !path_valid(request->workspace_lowers[i]))
			return error_set(error, EINVAL,
					 "workspace lowers: at most %d absolute paths, beside a "
					 "workspace",
					 SANDBOX_WORKSPACE_LOWERS_MAX);
	}
	return 0;
}

int plan_check(const struct sandbox_request *request, struct error *error)
{
	int r;

	if (!name_valid(request->id, SANDBOX_ID_MAX))
		return error_set(error, EINVAL,
				 "id: letters, digits and ._- only, at most %d bytes",
				 SANDBOX_ID_MAX);
	if (request->group && !name_valid(request->group, SANDBOX_ID_MAX))
		return error_set(error, EINVAL,
				 "group: letters, digits and ._- only, at most %d bytes",
				 SANDBOX_ID_MAX);
	if (!name_valid(request->hostname ? request->hostname : request->id, HOSTNAME_MAX))
		return error_set(error, EINVAL,
				 "hostname: letters, digits and ._- only, at most %d bytes",
				 HOSTNAME_MAX);
	if (request->n_layers > SANDBOX_LAYERS_MAX)
		return error_set(error, EINVAL, "an image of more than %d layers",
				 SANDBOX_LAYERS_MAX);
	for (size_t i = 0; i < request->n_layers; i++) {
		if (!path_valid(request->layers[i]))
			return error_set(error, EINVAL, "layer: must be an absolute directory");
	}
	if (request->n_layers == 0 && (!request->image || (strcmp(request->image, "host") != 0 &&
							   !path_valid(request->image))))
		return error_set(error, EINVAL,
				 "image \"%s\": must be \"host\" or an absolute directory",
				 request->image ? request->image : "");
	r = check_workspace(request, error);
	if (r < 0)
		return r;
	if (request->uid >= ID_STEP_RANGE || request->gid >= ID_STEP_RANGE)
		return error_set(error, EINVAL, "user: ids inside are below %u", ID_STEP_RANGE);
	if (request->workdir && !path_valid(request->workdir))
		return error_set(error, EINVAL, "workdir: must be an absolute path inside");
	if ((unsigned)request->network >= STEP_NETWORK_NUM)
		return error_set(error, EINVAL, "network: unknown value %d", (int)request->network);
	if (request->network_name && !step_slug_valid(request->network_name))
		return error_set(error, EINVAL,
				 "network name: letters, digits and ._- only, at most %d bytes",
				 STEP_SLUG_MAX);
	if (request->network != STEP_NETWORK_EGRESS &&
	    (request->n_allow > 0 || request->limited || request->n_only > 0))
		return error_set(error, EINVAL,
				 "destinations can be listed for network \"egress\" only");
	if (request->n_allow > NETWORK_RULES_MAX || request->n_only > NETWORK_RULES_MAX)
		return error_set(error, EINVAL, "more than %d destinations", NETWORK_RULES_MAX);
	if (request->n_binds > BINDS_MAX)
		return error_set(error, EINVAL, "more than %d binds", BINDS_MAX);
	if (!cpus_valid(request->cpu_milli) || !cpus_valid(request->group_limits.cpu_milli))
		return error_set(error, EINVAL, "cpus: must be at least 0.01");
	for (size_t i = 0; i < request->n_binds; i++) {
		r = check_bind(&request->binds[i], error);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Names are short: without "lowerdir+" (Linux 6.8) all of them share 255 bytes. */
static void name_lowers(struct plan *plan, size_t n_layers)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz"
				     "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	const size_t base = sizeof(digits) - 1;

	for (size_t i = 0; i < n_layers && i < SANDBOX_LAYERS_MAX; i++) {
		char *name = plan->lowers[i];

		if (i >= base)
			*name++ = digits[i / base];
		*name = digits[i % base];
	}
}

static struct plan *plan_allocate(size_t n_ops)
{
	struct plan *plan = calloc(1, sizeof(*plan));

	if (!plan)
		return NULL;
	plan->n_allocated = n_ops;
	plan->ops = calloc(n_ops, sizeof(*plan->ops));
	return plan->ops ? plan : plan_free(plan);
}

int plan_new(struct plan **ret_plan, const struct sandbox_request *request,
	     const struct plan_facts *facts, struct error *error)
{
	cleanup_plan struct plan *plan = NULL;
	int r = plan_check(request, error);

	if (r < 0)
		return r;
	plan = plan_allocate(128 + request->n_binds + 2 * request->n_layers);
	if (!plan)
		return error_errno(error, ENOMEM, "cannot plan a sandbox");
	name_lowers(plan, request->n_layers);
	(void)snprintf(plan->hostname, sizeof(plan->hostname), "%s",
		       request->hostname ? request->hostname : request->id);
	(void)snprintf(plan->hosts, sizeof(plan->hosts),
		       "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
		       "127.0.1.1\t%s\n",
		       plan->hostname);
	plan_host(plan, request, facts);
	plan_outer(plan, request, facts);
	plan_scratch(plan, request, facts);
	plan_root(plan, request, facts);
	plan_system(plan, facts);
	plan_workspace(plan, request);
	plan_binds(plan, request, facts);
	plan_end(plan, request, facts);
	if (plan->n_ops > plan->n_allocated)
		return error_set(error, ENOSPC, "a plan of %zu operations is too long",
				 plan->n_ops);
	*ret_plan = TAKE_PTR(plan);
	return 0;
}

struct plan *plan_free(struct plan *plan)
{
	if (!plan)
		return NULL;
	free(plan->ops);
	free(plan);
	return NULL;
}
