/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cleanup.h"
#include "common/isolation.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LANDLOCK_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* rights of ABI 1; later[] has those of newer kernels */
#define LANDLOCK_WRITE                                                                             \
	(LANDLOCK_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |           \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |                            \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM)
#define LANDLOCK_HANDLED_1                                                                         \
	(LANDLOCK_WRITE | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |              \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |                             \
	 LANDLOCK_ACCESS_FS_MAKE_BLOCK)

/*
 * struct landlock_ruleset_attr of ABI 6, since the headers of the build may be older. The size
 * passed to the kernel selects the members that it knows.
 */
struct ruleset {
	uint64_t handled_fs;
	uint64_t handled_net; /* ABI 4 */
	uint64_t scoped;      /* ABI 6 */
};

struct port_rule {
	uint64_t allowed;
	uint64_t port;
};

#define RULE_NET_PORT 2
#define RIGHT_REFER (1ULL << 13)
#define RIGHT_TRUNCATE (1ULL << 14)
#define RIGHT_IOCTL_DEV (1ULL << 15)
#define RIGHT_BIND_TCP (1ULL << 0)
#define RIGHT_CONNECT_TCP (1ULL << 1)
#define SCOPE_ABSTRACT_SOCKETS (1ULL << 0)
#define SCOPE_SIGNALS (1ULL << 1)

/* Access rights by the ABI that introduced them; denied unless a rule allows them. */
static const struct {
	long abi;
	struct ruleset adds;
} later[] = {
	{2, {.handled_fs = RIGHT_REFER}},
	{3, {.handled_fs = RIGHT_TRUNCATE}},
	{4, {.handled_net = RIGHT_BIND_TCP | RIGHT_CONNECT_TCP}},
	{5, {.handled_fs = RIGHT_IOCTL_DEV}},
	/* abstract sockets of, and signals to, processes that are not its descendants */
	{6, {.scoped = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS}},
};

static struct ruleset ruleset_for(long abi, const struct isolation_network *network)
{
	struct ruleset ruleset = {.handled_fs = LANDLOCK_HANDLED_1};

	for (size_t i = 0; i < ARRAY_SIZE(later) && later[i].abi <= abi; i++) {
		ruleset.handled_fs |= later[i].adds.handled_fs;
		ruleset.handled_net |= later[i].adds.handled_net;
		ruleset.scoped |= later[i].adds.scoped;
	}
	/* a rule cannot allow all ports, so do not restrict them */
	if (network->connects_anywhere)
		ruleset.handled_net &= ~RIGHT_CONNECT_TCP;
	return ruleset;
}

/* The size for this kernel, which rejects members that it does not know. */
static size_t ruleset_size(long abi)
{
	return abi >= 6	  ? sizeof(struct ruleset)
	       : abi >= 4 ? offsetof(struct ruleset, scoped)
			  : offsetof(struct ruleset, handled_net);
}

static int port_allow(int ruleset, uint64_t right, uint16_t port, struct error *error)
{
	const struct port_rule rule = {.allowed = right, .port = port};

	if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0) < 0)
		return error_errno(error, errno, "cannot allow port %u", port);
	return 0;
}

static int ports_allow(int ruleset, uint64_t handled, const struct isolation_network *network,
		       struct error *error)
{
	int r = 0;

	if (network->binds_free_port && (handled & RIGHT_BIND_TCP))
		r = port_allow(ruleset, RIGHT_BIND_TCP, 0, error);
	for (size_t i = 0; r == 0 && (handled & RIGHT_CONNECT_TCP) &&
			   i < ARRAY_SIZE(network->connects) && network->connects[i];
	     i++)
		r = port_allow(ruleset, RIGHT_CONNECT_TCP, network->connects[i], error);
	return r;
}

static int landlock_allow(int ruleset, const struct isolation_path *path, uint64_t handled,
			  struct error *error)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access =
			path->write ? LANDLOCK_WRITE | RIGHT_REFER | RIGHT_TRUNCATE : LANDLOCK_READ,
	};
	cleanup_close int fd = open(path->path, O_PATH | O_CLOEXEC);

	if (fd < 0) {
		if (errno == ENOENT && !path->write)
			return 0; /* an absent system file needs no rule */
		return error_errno(error, errno, "cannot open %s", path->path);
	}
	rule.parent_fd = fd;
	if (path->whiteouts)
		rule.allowed_access |= LANDLOCK_ACCESS_FS_MAKE_CHAR;
	if (path->execute)
		rule.allowed_access |= LANDLOCK_ACCESS_FS_EXECUTE;
	rule.allowed_access &= handled;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0)
		return 0;
	if (errno == EINVAL) { /* @path is a file: directory rights do not apply */
		rule.allowed_access &= LANDLOCK_ACCESS_FS_READ_FILE |
				       LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE |
				       RIGHT_TRUNCATE;
		if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) ==
		    0)
			return 0;
	}
	return error_errno(error, errno, "cannot allow %s", path->path);
}

int isolate_reach(const struct isolation_path *paths, size_t n_paths,
		  const struct isolation_network *network, struct error *error)
{
	struct ruleset attr;
	cleanup_close int ruleset = -1;
	long abi;
	int r;

	abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 0) {
		log_warning("this kernel has no Landlock (%s): file access is bounded by user ids "
			    "only, ignoring",
			    strerror(errno));
		return 0;
	}
	attr = ruleset_for(abi, network);
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, ruleset_size(abi), 0);
	if (ruleset < 0)
		return error_errno(error, errno, "cannot create a Landlock ruleset");
	for (size_t i = 0; i < n_paths; i++) {
		r = landlock_allow(ruleset, &paths[i], attr.handled_fs, error);
		if (r < 0)
			return r;
	}
	r = ports_allow(ruleset, attr.handled_net, network, error);
	if (r < 0)
		return r;
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return error_errno(error, errno, "cannot enforce the Landlock ruleset");
	return 0;
}
