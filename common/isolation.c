/* SPDX-License-Identifier: Apache-2.0 */
#include "common/isolation.h"

#include "common/memory_guard.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static int drop_capabilities(struct error *error)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}, {0}};

	for (int cap = 0; cap <= 63; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno == EINVAL)
			break; /* above the last capability of this kernel */
	}
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &header, data) < 0)
		return error_errno(error, errno, "cannot drop capabilities");
	return 0;
}

int isolate_user(struct role_user user, struct error *error)
{
	struct rlimit no_core = {0, 0};
	int r;

	if (geteuid() == 0) {
		if (user.uid == 0 || user.gid == 0)
			return error_set(error, EINVAL, "refusing to stay root");
		/* the bounding set first, which needs CAP_SETPCAP */
		for (int cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0;)
			cap++;
		if (setgroups(0, NULL) < 0 || setresgid(user.gid, user.gid, user.gid) < 0 ||
		    setresuid(user.uid, user.uid, user.uid) < 0)
			return error_errno(error, errno, "cannot become uid %u", user.uid);
	}
	r = drop_capabilities(error);
	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno(error, errno, "cannot set no_new_privs");
	r = memory_guard();
	if (r < 0)
		return error_errno(error, -r, "cannot refuse memory to write and execute");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return error_errno(error, errno, "cannot become undumpable");
	/* a stopped process would not notice the hang-up of its channel; a change of ids clears
	 * the setting, hence here */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	(void)setrlimit(RLIMIT_CORE, &no_core);
	return 0;
}
