/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the system except for the kernel. */

#include "cli/doctor.h"

#include "cli/client.h"
#include "cli/json.h"
#include "cli/text.h"
#include "common/cleanup.h"
#include "common/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define DISK_FREE_MIN (1 * GIB)
#define INODES_FREE_MIN 10000

/* Host ids for steps and their inits, which sandbox/host_users.h assigns. */
#define STEP_ID_FIRST 0x70000000UL
#define STEP_ID_LAST 0x7fffffffUL

static void check_root(struct cli *cli, struct doctor_finding *finding)
{
	if (geteuid() == 0)
		doctor_ok(finding, "yes");
	else
		doctor_bad(finding, DOCTOR_WARNING, "sudo runbookctl doctor",
			   "no: some checks cannot be tried");
}

static int try_git(void *user)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
		return -EIO;
	(void)execlp("git", "git", "--version", (char *)NULL);
	return -errno;
}

static void check_git(struct cli *cli, struct doctor_finding *finding)
{
	if (doctor_try(try_git, NULL) == 0)
		doctor_ok(finding, "\"runbookctl run\" finds branch and commit with it");
	else
		doctor_bad(finding, DOCTOR_WARNING, "apt-get install git",
			   "not installed: \"runbookctl run\" cannot find branch and commit");
}

static void check_skopeo(struct cli *cli, struct doctor_finding *finding)
{
	/* where runbook-image looks for it */
	cleanup_fclose FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	char scope[8] = "0";

	if (file && fgets(scope, sizeof(scope), file) && scope[0] > '1')
		doctor_bad(finding, DOCTOR_WARNING, "sysctl kernel.yama.ptrace_scope=1",
			   "kernel.yama.ptrace_scope is %.1s: the destinations of a pull cannot be "
			   "checked, so nothing is pulled",
			   scope);
	else if (access("/usr/bin/skopeo", X_OK) == 0 || access("/usr/local/bin/skopeo", X_OK) == 0)
		doctor_ok(finding, "\"runbookctl image pull\" fetches images with it");
	else
		doctor_bad(finding, DOCTOR_WARNING, "apt-get install skopeo",
			   "not installed: images can be imported, but not pulled");
}

static void check_journald(struct cli *cli, struct doctor_finding *finding)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX,
				      .sun_path = "/run/systemd/journal/socket"};
	cleanup_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		doctor_ok(finding, "messages go to the journal, with fields");
	else
		doctor_bad(finding, DOCTOR_WARNING, "",
			   "not running: messages go to standard error");
}

static void check_disk(struct cli *cli, struct doctor_finding *finding)
{
	char path[PATH_MAX], text[32];
	struct statvfs vfs;
	uint64_t bytes;

	(void)snprintf(path, sizeof(path), "%s", cli->paths.lib);
	while (access(path, F_OK) < 0 && strrchr(path, '/') != path)
		*strrchr(path, '/') = '\0';
	if (statvfs(access(path, F_OK) == 0 ? path : "/", &vfs) < 0) {
		doctor_bad(finding, DOCTOR_WARNING, "", "cannot check %s: %s", path,
			   strerror(errno));
		return;
	}
	bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	format_bytes(text, sizeof(text), bytes);
	if (bytes < DISK_FREE_MIN)
		doctor_bad(finding, DOCTOR_FAILED,
			   "make room, or mount more at "
			   "/var/lib/runbookd",
			   "only %s free for %s", text, cli->paths.lib);
	else if (vfs.f_files > 0 && vfs.f_favail < INODES_FREE_MIN)
		doctor_bad(finding, DOCTOR_FAILED, "make room: too many small files",
			   "only %lu inodes free for %s", (unsigned long)vfs.f_favail,
			   cli->paths.lib);
	else
		doctor_ok(finding, "%s free for %s", text, cli->paths.lib);
}

static void check_users(struct cli *cli, struct doctor_finding *finding)
{
	static const char *const users[] = {"runbook",	      "runbook-webhook", "runbook-fetcher",
					    "runbook-cacher", "runbook-api",	 "runbook-image"};

	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		if (getpwnam(users[i]))
			continue;
		doctor_bad(finding, DOCTOR_WARNING,
			   "systemd-sysusers (the package does), fine for a checkout",
			   "no user %s: ids of a private range are used", users[i]);
		return;
	}
	doctor_ok(finding, "runbook, runbook-webhook, -fetcher, -cacher, -api and -image");
}

/* Does a line "name:first:count" of the file at @path overlap the steps' range of ids? */
static bool range_taken(const char *path, char *owner, size_t size)
{
	cleanup_fclose FILE *file = fopen(path, "re");
	char line[512], name[128];
	unsigned long first, count;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%127[^:]:%lu:%lu", name, &first, &count) != 3 || count == 0)
			continue;
		if (first <= STEP_ID_LAST && first + count - 1 >= STEP_ID_FIRST) {
			(void)snprintf(owner, size, "%s in %s", name, path);
			return true;
		}
	}
	return false;
}

static void check_ids(struct cli *cli, struct doctor_finding *finding)
{
	char owner[256] = "";
	struct passwd *entry;
	bool taken = range_taken("/etc/subuid", owner, sizeof(owner)) ||
		     range_taken("/etc/subgid", owner, sizeof(owner));

	setpwent();
	while (!taken && (entry = getpwent())) {
		taken = entry->pw_uid >= STEP_ID_FIRST && entry->pw_uid <= STEP_ID_LAST;
		if (taken)
			(void)snprintf(owner, sizeof(owner), "user %.200s", entry->pw_name);
	}
	endpwent();
	if (taken)
		doctor_bad(finding, DOCTOR_FAILED,
			   "assign other ids to it: steps have those from 1879048192 to 2147483647",
			   "ids for steps belong to %s", owner);
	else
		doctor_ok(finding, "1879048192 to 2147483647 are free for steps");
}

static void check_daemon(struct cli *cli, struct doctor_finding *finding)
{
	struct error error = ERROR_INIT;
	cleanup_json json_t *status = NULL;

	if (!client_reachable(cli->client, &error)) {
		doctor_bad(finding, DOCTOR_WARNING,
			   error.number == EACCES ? "join the group of the socket, or use sudo"
						  : "systemctl start runbookd",
			   "%s",
			   error.number == EACCES ? "its socket may not be opened"
						  : "no runbookd answers");
		return;
	}
	if (client_get_json(cli->client, &status, &error, "/api/v1/status") != CLI_OK)
		doctor_bad(finding, DOCTOR_FAILED, "see its log: journalctl -u runbookd", "%.200s",
			   error.text);
	else
		doctor_ok(finding, "runbookd %.32s answers at %.200s", json_text(status, "version"),
			  client_socket(cli->client));
}

const struct doctor_check doctor_host_checks[] = {
	{"root", check_root},	       {"daemon", check_daemon},     {"disk space", check_disk},
	{"system users", check_users}, {"step ids", check_ids},	     {"git", check_git},
	{"skopeo", check_skopeo},      {"journald", check_journald}, {NULL, NULL},
};
