/* SPDX-License-Identifier: Apache-2.0 */
/* What a machine has once for all its users, and what it tells about itself. */
#include "tests/breakout/probe.h"

#include <linux/aio_abi.h>

/* ---- counters ---- */

/* kernel.pty.max is shared by all mounts of devpts: a step has a part of it. */
static bool takes_ptys(const char *text)
{
	int most = atoi(text), n = 0, fds[512];

	while (n <= most && n < (int)COUNT(fds)) {
		fds[n] = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
		if (fds[n] < 0)
			break;
		n++;
	}
	for (int i = 0; i < n; i++)
		(void)close(fds[i]);
	/* without any, terminals would not work at all */
	return n > most || n == 0;
}

static bool aio_context(const char *unused)
{
	aio_context_t context = 0;

	if (syscall(SYS_io_setup, 1, &context) < 0)
		return false;
	(void)syscall(SYS_io_destroy, context);
	return true;
}

static bool huge_page(const char *unused)
{
	size_t size = 2UL << 20;
	void *page = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (page == MAP_FAILED)
		return false;
	(void)munmap(page, size);
	return true;
}

static bool huge_page_file(const char *unused)
{
	int fd = memfd_create("breakout", MFD_CLOEXEC | MFD_HUGETLB);

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

/* The kernel that looks at the descriptor would write out a whole file system of the host. */
static bool syncs_host(const char *unused)
{
	return syscall(SYS_syncfs, -1) < 0 && errno == EBADF;
}

static bool write_score(int score)
{
	char text[16];
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	int n = snprintf(text, sizeof(text), "%d", score);
	bool done = fd >= 0 && write(fd, text, (size_t)n) == n;

	if (fd >= 0)
		(void)close(fd);
	return done;
}

/*
 * OOM_FLOOR: what the kernel lets it have at least. It is the step's own score where who
 * starts it may raise such a floor (CAP_SYS_RESOURCE), else the starter's.
 */
static bool lower_in_child(const char *unused)
{
	const char *floor = getenv("OOM_FLOOR");
	int least = floor ? atoi(floor) : 500;
	bool done = false;

	for (int score = -1000; score < least; score += 100)
		done = done || write_score(score);
	return done || write_score(least - 1);
}

static bool lower_oom_score(const char *unused)
{
	return in_child(lower_in_child, NULL);
}

static bool real_time_in_child(const char *policy)
{
	struct sched_param parameter = {.sched_priority = 1};

	return sched_setscheduler(0, atoi(policy), &parameter) == 0;
}

static bool real_time(const char *policy)
{
	return in_child(real_time_in_child, policy);
}

static bool nicer_in_child(const char *unused)
{
	return setpriority(PRIO_PROCESS, 0, -20) == 0;
}

static bool nicer(const char *unused)
{
	return in_child(nicer_in_child, NULL);
}

/* ---- what is told ---- */

static bool has_entries(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool found = false;

	while (dir && (entry = readdir(dir)))
		found = found || entry->d_name[0] != '.';
	if (dir)
		(void)closedir(dir);
	return found;
}

/* "PATH name name": a directory has others than these. */
static bool has_others(const char *text)
{
	char copy[256], *rest = copy, *path;
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	(void)snprintf(copy, sizeof(copy), "%s ", text);
	path = strsep(&rest, " ");
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		char word[280];

		(void)snprintf(word, sizeof(word), "%s ", entry->d_name);
		found = found || (entry->d_name[0] != '.' && !strstr(rest, word));
	}
	if (dir)
		(void)closedir(dir);
	return found;
}

const struct attack host_attacks[] = {
	{"host-counters", "ptys", takes_ptys, "64"},
	{"host-counters", "aio", aio_context, NULL},
	{"host-counters", "huge-pages", huge_page, NULL},
	{"host-counters", "huge-pages-memfd", huge_page_file, NULL},
	{"host-counters", "syncfs", syncs_host, NULL},
	{"host-counters", "oom-score", lower_oom_score, NULL},
	{"host-counters", "real-time-fifo", real_time, "1"},
	{"host-counters", "real-time-rr", real_time, "2"},
	{"host-counters", "nice", nicer, NULL},
	{"info-leak", "cmdline", has_content, "/proc/cmdline"},
	{"info-leak", "devices", has_content, "/proc/devices"},
	{"info-leak", "diskstats", has_content, "/proc/diskstats"},
	{"info-leak", "locks", has_content, "/proc/locks"},
	{"info-leak", "modules", has_content, "/proc/modules"},
	{"info-leak", "partitions", has_content, "/proc/partitions"},
	{"info-leak", "softirqs", has_content, "/proc/softirqs"},
	{"info-leak", "swaps", has_content, "/proc/swaps"},
	{"info-leak", "irq", has_entries, "/proc/irq"},
	{"info-leak", "bus", has_entries, "/proc/bus"},
	{"info-leak", "proc-fs", has_entries, "/proc/fs"},
	{"info-leak", "pressure", has_entries, "/proc/pressure"},
	{"info-leak", "sys-block", has_entries, "/sys/block"},
	{"info-leak", "sys-bus", has_entries, "/sys/bus"},
	{"info-leak", "sys-firmware", has_entries, "/sys/firmware"},
	{"info-leak", "sys-module", has_entries, "/sys/module"},
	{"info-leak", "sys-class", has_others, "/sys/class net"},
	{"info-leak", "sys-net", has_entries, "/sys/class/net"},
	{"info-leak", "sys-devices", has_others, "/sys/devices system"},
	{"info-leak", "sys-system", has_others, "/sys/devices/system cpu node"},
	{"info-leak", "sys-kernel", has_others, "/sys/kernel mm"},
	{"info-leak", "sys-fs", has_others, "/sys/fs cgroup"},
	{"info-leak", "dmi", has_content, "/sys/devices/virtual/dmi/id/sys_vendor"},
	{"info-leak", "vmcoreinfo", has_content, "/sys/kernel/vmcoreinfo"},
};
const size_t n_host_attacks = COUNT(host_attacks);
