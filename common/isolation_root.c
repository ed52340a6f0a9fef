/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of isolation.h that root calls, too, in a file that links without libseccomp. */
#include "common/isolation.h"

#include "common/cleanup.h"
#include "common/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

static const struct {
	enum process_role role;
	const char *user;
	unsigned offset;
} role_users[] = {
	{ROLE_SCHEDULER, "runbook", 1},	      {ROLE_WEBHOOK, "runbook-webhook", 2},
	{ROLE_FETCHER, "runbook-fetcher", 3}, {ROLE_CACHER, "runbook-cacher", 4},
	{ROLE_API, "runbook-api", 5},	      {ROLE_IMAGE, "runbook-image", 6},
};

struct role_user role_user(enum process_role role)
{
	for (size_t i = 0; i < ARRAY_SIZE(role_users); i++) {
		const struct passwd *entry;

		if (role_users[i].role != role)
			continue;
		entry = getpwnam(role_users[i].user);
		if (entry && entry->pw_uid != 0)
			return (struct role_user){.uid = entry->pw_uid, .gid = entry->pw_gid};
		return (struct role_user){
			.uid = ID_PROCESS_FIRST + role_users[i].offset,
			.gid = ID_PROCESS_FIRST + role_users[i].offset,
		};
	}
	return (struct role_user){.uid = 0, .gid = 0};
}

int isolate_fds(int keep, struct error *error)
{
	for (int fd = 0; fd < 3; fd++) {
		int opened;

		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		opened = open("/dev/null", O_RDWR);
		if (opened != fd)
			return error_set(error, EBADF, "cannot open /dev/null as descriptor %d",
					 fd);
	}
	if (close_range((unsigned)keep + 1, ~0U, 0) < 0)
		return error_errno(error, errno, "cannot close inherited descriptors");
	return 0;
}
