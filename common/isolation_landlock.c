/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cleanup.h"
#include "common/isolation.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LANDLOCK_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* rights of ABI 1; REFER and TRUNCATE are added when the kernel has them */
#define LANDLOCK_WRITE                                                                             \
	(LANDLOCK_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |           \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |                            \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM)
#define LANDLOCK_HANDLED_1                                                                         \
	(LANDLOCK_WRITE | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |              \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |                             \
	 LANDLOCK_ACCESS_FS_MAKE_BLOCK)
#define LANDLOCK_REFER_RIGHT (1ULL << 13)    /* ABI 2 */
#define LANDLOCK_TRUNCATE_RIGHT (1ULL << 14) /* ABI 3 */

static int landlock_allow(int ruleset, const struct isolation_path *path, uint64_t handled,
			  struct error *error)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = path->write ? LANDLOCK_WRITE | LANDLOCK_REFER_RIGHT |
							LANDLOCK_TRUNCATE_RIGHT
					      : LANDLOCK_READ,
	};
	cleanup_close int fd = open(path->path, O_PATH | O_CLOEXEC);

	if (fd < 0) {
		if (errno == ENOENT && !path->write)
			return 0; /* optional system file: absent is unreachable enough */
		return error_errno(error, errno, "cannot open %s", path->path);
	}
	rule.parent_fd = fd;
	if (path->execute)
		rule.allowed_access |= LANDLOCK_ACCESS_FS_EXECUTE;
	rule.allowed_access &= handled;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0)
		return 0;
	if (errno == EINVAL) { /* @path is a file: directory rights do not apply */
		rule.allowed_access &= LANDLOCK_ACCESS_FS_READ_FILE |
				       LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE |
				       LANDLOCK_TRUNCATE_RIGHT;
		if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) ==
		    0)
			return 0;
	}
	return error_errno(error, errno, "cannot allow %s", path->path);
}

int isolate_filesystem(const struct isolation_path *paths, size_t n_paths, struct error *error)
{
	struct landlock_ruleset_attr attr = {.handled_access_fs = LANDLOCK_HANDLED_1};
	cleanup_close int ruleset = -1;
	long abi;

	abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 0) {
		log_warning("this kernel has no Landlock (%s): file access is bounded by user ids "
			    "only, ignoring",
			    strerror(errno));
		return 0;
	}
	if (abi >= 2)
		attr.handled_access_fs |= LANDLOCK_REFER_RIGHT;
	if (abi >= 3)
		attr.handled_access_fs |= LANDLOCK_TRUNCATE_RIGHT;
	/* ABI 1's size: later fields (network, scopes) stay unhandled */
	ruleset =
		(int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);
	if (ruleset < 0)
		return error_errno(error, errno, "cannot create a Landlock ruleset");
	for (size_t i = 0; i < n_paths; i++) {
		int r = landlock_allow(ruleset, &paths[i], attr.handled_access_fs, error);

		if (r < 0)
			return r;
	}
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return error_errno(error, errno, "cannot enforce the Landlock ruleset");
	return 0;
}
