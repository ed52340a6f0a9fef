/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/breakout/probe.h"

/* ---- mounts and namespaces ---- */

static bool mount_kind(const char *kind)
{
	static const struct {
		const char *kind, *type;
		unsigned long flags;
	} kinds[] = {
		{"tmpfs", "tmpfs", 0},
		{"proc", "proc", 0},
		{"bind", NULL, MS_BIND},
		{"cgroup", "cgroup2", 0},
		{"sysfs", "sysfs", 0},
		{"cgroup1", "cgroup", 0},
		{"overlay", "overlay", 0},
		{"move", NULL, MS_MOVE},
		{"devpts", "devpts", 0},
		{"mqueue", "mqueue", 0},
		{"shared", NULL, MS_SHARED | MS_REC},
	};

	(void)mkdir("/tmp/mount", 0755);
	for (size_t i = 0; i < COUNT(kinds); i++) {
		if (strcmp(kinds[i].kind, kind) != 0)
			continue;
		/* an error of the file system itself comes after the right to mount */
		if (mount("/", kinds[i].flags & MS_SHARED ? "/" : "/tmp/mount", kinds[i].type,
			  kinds[i].flags, NULL) < 0)
			return errno != EPERM && errno != ENOSYS && errno != EACCES;
		(void)umount2("/tmp/mount", MNT_DETACH);
		return true;
	}
	return false;
}

static bool remount_writable(const char *path)
{
	return mount(NULL, path, NULL, MS_REMOUNT | MS_BIND, NULL) == 0;
}

static bool unmount(const char *path)
{
	return umount2(path, MNT_DETACH) == 0;
}

static bool new_mount_api(const char *call)
{
	int fd = -1;

	if (strcmp(call, "fsopen") == 0)
		fd = fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (strcmp(call, "open_tree") == 0)
		fd = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (strcmp(call, "fspick") == 0)
		fd = fspick(AT_FDCWD, "/", FSPICK_CLOEXEC);
	if (strcmp(call, "mount_setattr") == 0) {
		struct mount_attr attr = {.attr_clr = 0};

		return mount_setattr(AT_FDCWD, "/", 0, &attr, sizeof(attr)) == 0;
	}
	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

static bool shared_mount(const char *unused)
{
	char line[4096];
	bool found = false;
	FILE *file = fopen("/proc/self/mountinfo", "re");

	while (file && fgets(line, sizeof(line), file))
		found = found || strstr(line, " shared:") || strstr(line, " master:");
	if (file)
		(void)fclose(file);
	return found;
}

static bool unshare_flag(const char *flag)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(unshare((int)strtol(flag, NULL, 0)) == 0);
	(void)waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

static bool clone_flag(const char *flag)
{
	long pid = syscall(SYS_clone, strtol(flag, NULL, 0) | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		(void)waitpid((pid_t)pid, NULL, 0);
	return pid > 0;
}

static bool clone3_works(const char *unused)
{
	uint64_t args[8] = {CLONE_NEWUSER, 0, 0, 0, SIGCHLD};
	long pid = syscall(SYS_clone3, args, sizeof(args));

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		(void)waitpid((pid_t)pid, NULL, 0);
	/* anything but ENOSYS would keep a libc from falling back */
	return pid > 0 || errno != ENOSYS;
}

static bool enter_namespace(const char *name)
{
	char path[64];
	int fd;
	bool entered;

	(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	entered = fd >= 0 && setns(fd, 0) == 0;
	if (fd >= 0)
		(void)close(fd);
	return entered;
}

static bool set_hostname(const char *unused)
{
	char name[128];

	return gethostname(name, sizeof(name)) == 0 && sethostname(name, strlen(name)) == 0;
}

/* ---- PID 1 and others ---- */

static bool trace_init(const char *unused)
{
	if (ptrace(PTRACE_SEIZE, 1, NULL, NULL) < 0)
		return false;
	(void)ptrace(PTRACE_DETACH, 1, NULL, NULL);
	return true;
}

static bool read_init_memory(const char *unused)
{
	char byte;
	struct iovec local = {&byte, 1}, remote = {(void *)(uintptr_t)0x400000, 1};

	/* ESRCH and EPERM are refusals; EFAULT means that we may look */
	return process_vm_readv(1, &local, 1, &remote, 1, 0) >= 0 || errno == EFAULT;
}

static bool take_init_descriptor(const char *unused)
{
	int pidfd = (int)syscall(SYS_pidfd_open, 1, 0);
	int fd = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, 0, 0);
	bool got = fd >= 0 || (pidfd >= 0 && errno == EBADF);

	if (pidfd >= 0)
		(void)close(pidfd);
	return got;
}

static bool signal_init(const char *number)
{
	return kill(1, atoi(number)) == 0;
}

static bool signal_host(const char *unused)
{
	const char *pid = getenv("HOST_PID");

	return pid && kill(atoi(pid), 0) == 0;
}

static bool signal_init_by_pidfd(const char *unused)
{
	int pidfd = (int)syscall(SYS_pidfd_open, 1, 0);

	return pidfd >= 0 && syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) == 0;
}

static bool foreign_process(const char *unused)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	unsigned n = 0;

	while (dir && (entry = readdir(dir)))
		n += entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
	if (dir)
		(void)closedir(dir);
	return n > 3; /* the init, us, and a shell in between */
}

/* CVE-2022-0492: whoever mounts cgroup v1 names a program that the host's root runs. */
static bool release_agent(const char *unused)
{
	(void)mkdir("/tmp/cgroup", 0755);
	if (mount("cgroup", "/tmp/cgroup", "cgroup", 0, "rdma") < 0 &&
	    mount("cgroup", "/tmp/cgroup", "cgroup", 0, "none,name=breakout") < 0)
		return false;
	(void)umount2("/tmp/cgroup", MNT_DETACH);
	return true;
}

static bool file_has(const char *path, bool (*line_has)(const char *line))
{
	char line[4096];
	bool found = false;
	FILE *file = fopen(path, "re");

	while (file && fgets(line, sizeof(line), file))
		found = found || line_has(line);
	if (file)
		(void)fclose(file);
	return found;
}

/* "0::/name" tells where on the host the step is; the version 2 line is the one with 0. */
static bool is_below_root(const char *line)
{
	return strncmp(line, "0::", 3) == 0 && strcmp(line, "0::/\n") != 0;
}

static bool group_shown(const char *unused)
{
	return file_has("/proc/self/cgroup", is_below_root);
}

static bool other_groups(const char *unused)
{
	const char *name = getenv("GROUP_OF_OTHERS");
	DIR *dir = opendir("/sys/fs/cgroup");
	struct dirent *entry;
	bool found = name && access(name, F_OK) == 0;

	/* a step's own group has no groups in it */
	while (dir && (entry = readdir(dir)))
		found = found || (entry->d_type == DT_DIR && entry->d_name[0] != '.');
	if (dir)
		(void)closedir(dir);
	return found;
}

static bool pivot(const char *unused)
{
	errno = 0;
	return syscall(SYS_pivot_root, "/tmp", "/tmp") == 0 || errno != EPERM;
}

static bool mount_in_child(const char *unused)
{
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
	       mount("tmpfs", "/tmp", "tmpfs", 0, NULL) == 0;
}

static bool mount_after_unshare(const char *unused)
{
	return in_child(mount_in_child, NULL);
}

static bool enter_init(const char *unused)
{
	int pidfd = (int)syscall(SYS_pidfd_open, 1, 0);
	bool entered = pidfd >= 0 && setns(pidfd, CLONE_NEWNS | CLONE_NEWUTS) == 0;

	if (pidfd >= 0)
		(void)close(pidfd);
	return entered;
}

static bool set_domainname(const char *unused)
{
	char name[128];

	return getdomainname(name, sizeof(name)) == 0 && setdomainname(name, strlen(name)) == 0;
}

static bool open_and_map(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool mapped = fd >= 0 && write(fd, "0 0 1\n", 6) == 6;

	if (fd >= 0)
		(void)close(fd);
	return mapped;
}

static bool maps_host_root(const char *line)
{
	unsigned inside, outside, count;

	return sscanf(line, "%u %u %u", &inside, &outside, &count) != 3 || outside == 0;
}

/* Above what users of the host, services and containers have. */
#define FIRST_OF_STEPS 0x70000000U

static bool maps_host_user(const char *line)
{
	unsigned inside, outside, count;

	return sscanf(line, "%u %u %u", &inside, &outside, &count) != 3 ||
	       outside < FIRST_OF_STEPS || outside + count - 1 < outside;
}

static bool host_root_mapped(const char *unused)
{
	return file_has("/proc/self/uid_map", maps_host_root) ||
	       file_has("/proc/self/gid_map", maps_host_root);
}

static bool host_user_mapped(const char *unused)
{
	return file_has("/proc/self/uid_map", maps_host_user) ||
	       file_has("/proc/self/gid_map", maps_host_user);
}

static bool attach_in_child(const char *unused)
{
	if (ptrace(PTRACE_ATTACH, 1, NULL, NULL) < 0)
		return false;
	(void)waitpid(1, NULL, __WALL);
	(void)ptrace(PTRACE_DETACH, 1, NULL, NULL);
	return true;
}

static bool attach_init(const char *unused)
{
	return in_child(attach_in_child, NULL);
}

static bool write_init_memory(const char *unused)
{
	char byte = 0;
	struct iovec local = {&byte, 1}, remote = {(void *)(uintptr_t)16, 1};

	return process_vm_writev(1, &local, 1, &remote, 1, 0) >= 0 || errno == EFAULT;
}

static bool limit_init(const char *unused)
{
	struct rlimit limit;

	return syscall(SYS_prlimit64, 1, RLIMIT_NOFILE, NULL, &limit) == 0;
}

static bool lower_init(const char *unused)
{
	return setpriority(PRIO_PROCESS, 1, 19) == 0;
}

static bool trace_host(const char *unused)
{
	const char *pid = getenv("HOST_PID");
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%s/environ", pid ? pid : "0");
	return pid && file_has(path, is_below_root);
}

static bool queue_init(const char *unused)
{
	siginfo_t info = {.si_signo = SIGTERM, .si_code = SI_QUEUE};

	return syscall(SYS_rt_sigqueueinfo, 1, SIGTERM, &info) == 0;
}

static bool thread_signal_init(const char *unused)
{
	return syscall(SYS_tgkill, 1, 1, SIGTERM) == 0 || syscall(SYS_tkill, 1, SIGTERM) == 0;
}

static bool pidfd_kill_init(const char *unused)
{
	int pidfd = (int)syscall(SYS_pidfd_open, 1, 0);

	return pidfd >= 0 && syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) == 0;
}

/* The kernel sends it for us, and must ask whether we could have. It is PID 1 that must live. */
static bool io_signal_init(const char *unused)
{
	int ends[2];

	if (pipe(ends) < 0)
		return false;
	(void)fcntl(ends[0], F_SETSIG, SIGKILL);
	(void)fcntl(ends[0], F_SETOWN, 1);
	(void)fcntl(ends[0], F_SETFL, O_ASYNC);
	(void)!write(ends[1], "", 1);
	(void)close(ends[0]);
	(void)close(ends[1]);
	return access("/proc/1/status", F_OK) < 0;
}

/* The group of who started the sandbox: setsid() has to have left it. */
static bool group_signal(const char *unused)
{
	return getpgrp() == 0 || getsid(0) == 0;
}

/* A file cannot be made in there, not even by the host's root. */
static bool make_group(const char *parent)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/.breakout", parent);
	if (mkdir(path, 0700) < 0)
		return false;
	(void)rmdir(path);
	return true;
}

/* ---- the list ---- */

const struct attack space_attacks[] = {
	{"cgroup-escape", "leave", open_write, "/sys/fs/cgroup/cgroup.procs"},
	{"cgroup-escape", "make", make_group, "/sys/fs/cgroup"},
	{"cgroup-escape", "mount", mount_kind, "cgroup"},
	{"cgroup-escape", "mount-v1", mount_kind, "cgroup1"},
	{"cgroup-escape", "release-agent", release_agent, NULL},
	{"cgroup-escape", "own-memory-limit", open_write, "/sys/fs/cgroup/memory.max"},
	{"cgroup-escape", "own-process-limit", open_write, "/sys/fs/cgroup/pids.max"},
	{"cgroup-escape", "kill", open_write, "/sys/fs/cgroup/cgroup.kill"},
	{"cgroup-escape", "freeze", open_write, "/sys/fs/cgroup/cgroup.freeze"},
	{"cgroup-escape", "controllers", open_write, "/sys/fs/cgroup/cgroup.subtree_control"},
	{"cgroup-escape", "group-of-host", group_shown, NULL},
	{"cgroup-escape", "groups-of-others", other_groups, NULL},
	{"mount-tricks", "tmpfs", mount_kind, "tmpfs"},
	{"mount-tricks", "proc", mount_kind, "proc"},
	{"mount-tricks", "sysfs", mount_kind, "sysfs"},
	{"mount-tricks", "bind", mount_kind, "bind"},
	{"mount-tricks", "remount-usr", remount_writable, "/usr"},
	{"mount-tricks", "remount-proc-sys", remount_writable, "/proc/sys"},
	{"mount-tricks", "unmount-proc-sys", unmount, "/proc/sys"},
	{"mount-tricks", "unmount-mask", unmount, "/proc/keys"},
	{"mount-tricks", "unmount-dev", unmount, "/dev/shm"},
	{"mount-tricks", "fsopen", new_mount_api, "fsopen"},
	{"mount-tricks", "open-tree", new_mount_api, "open_tree"},
	{"mount-tricks", "fspick", new_mount_api, "fspick"},
	{"mount-tricks", "mount-setattr", new_mount_api, "mount_setattr"},
	{"mount-tricks", "propagation", shared_mount, NULL},
	{"mount-tricks", "overlay", mount_kind, "overlay"},
	{"mount-tricks", "move", mount_kind, "move"},
	{"mount-tricks", "devpts", mount_kind, "devpts"},
	{"mount-tricks", "mqueue", mount_kind, "mqueue"},
	{"mount-tricks", "make-shared", mount_kind, "shared"},
	{"mount-tricks", "unmount-sys", unmount, "/sys"},
	{"mount-tricks", "unmount-usr", unmount, "/usr"},
	{"mount-tricks", "remount-sys", remount_writable, "/sys"},
	{"mount-tricks", "remount-root-suid", remount_writable, "/"},
	{"mount-tricks", "pivot-root", pivot, NULL},
	{"mount-tricks", "move-mount", call, "429 -100 0 -100 0"},
	{"mount-tricks", "fsconfig", call, "431 -1 6"},
	{"mount-tricks", "fsmount", call, "432 -1"},
	{"mount-tricks", "open-tree-attr", call, "467 -100"},
	{"mount-tricks", "in-own-user-namespace", mount_after_unshare, NULL},
	{"mount-tricks", "unmount-proc", unmount, "/proc"},
	/* takes the ground away where it works: last */
	{"mount-tricks", "unmount-root", unmount, "/"},
	{"userns-nest", "unshare-user", unshare_flag, "0x10000000"},
	{"userns-nest", "unshare-mount", unshare_flag, "0x20000"},
	{"userns-nest", "unshare-net", unshare_flag, "0x40000000"},
	{"userns-nest", "unshare-pid", unshare_flag, "0x20000000"},
	{"userns-nest", "unshare-uts", unshare_flag, "0x4000000"},
	{"userns-nest", "unshare-ipc", unshare_flag, "0x8000000"},
	{"userns-nest", "unshare-cgroup", unshare_flag, "0x2000000"},
	{"userns-nest", "unshare-time", unshare_flag, "0x80"},
	{"userns-nest", "clone-user", clone_flag, "0x10000000"},
	{"userns-nest", "clone-mount", clone_flag, "0x20000"},
	{"userns-nest", "clone-net", clone_flag, "0x40000000"},
	{"userns-nest", "clone3-falls-back", clone3_works, NULL},
	{"userns-nest", "setns-net", enter_namespace, "net"},
	{"userns-nest", "setns-uts", enter_namespace, "uts"},
	{"userns-nest", "sethostname", set_hostname, NULL},
	{"userns-nest", "clone-pid", clone_flag, "0x20000000"},
	{"userns-nest", "clone-uts", clone_flag, "0x4000000"},
	{"userns-nest", "clone-ipc", clone_flag, "0x8000000"},
	{"userns-nest", "clone-cgroup", clone_flag, "0x2000000"},
	{"userns-nest", "clone-user-mount", clone_flag, "0x10020000"},
	{"userns-nest", "unshare-user-mount", unshare_flag, "0x10020000"},
	{"userns-nest", "setns-mount", enter_namespace, "mnt"},
	{"userns-nest", "setns-pid", enter_namespace, "pid"},
	{"userns-nest", "setns-ipc", enter_namespace, "ipc"},
	{"userns-nest", "setns-cgroup", enter_namespace, "cgroup"},
	{"userns-nest", "setns-init", enter_init, NULL},
	{"userns-nest", "setdomainname", set_domainname, NULL},
	{"userns-nest", "uid-map", open_and_map, "/proc/self/uid_map"},
	{"userns-nest", "host-root-mapped", host_root_mapped, NULL},
	{"userns-nest", "host-user-mapped", host_user_mapped, NULL},
	{"ptrace-init", "seize", trace_init, NULL},
	{"ptrace-init", "read-memory", read_init_memory, NULL},
	{"ptrace-init", "mem", open_read, "/proc/1/mem"},
	{"ptrace-init", "maps", has_content, "/proc/1/maps"},
	{"ptrace-init", "descriptors", list_directory, "/proc/1/fd"},
	{"ptrace-init", "take-descriptor", take_init_descriptor, NULL},
	{"ptrace-init", "environ", has_content, "/proc/1/environ"},
	{"ptrace-init", "attach", attach_init, NULL},
	{"ptrace-init", "write-memory", write_init_memory, NULL},
	{"ptrace-init", "syscall", has_content, "/proc/1/syscall"},
	{"ptrace-init", "auxv", has_content, "/proc/1/auxv"},
	{"ptrace-init", "root-link", read_link_works, "/proc/1/root"},
	{"ptrace-init", "namespace-link", read_link_works, "/proc/1/ns/mnt"},
	{"ptrace-init", "oom-score", open_write, "/proc/1/oom_score_adj"},
	{"ptrace-init", "limits", limit_init, NULL},
	{"ptrace-init", "priority", lower_init, NULL},
	{"ptrace-init", "host-process", trace_host, NULL},
	{"signals", "kill-init-0", signal_init, "0"},
	{"signals", "kill-init-9", signal_init, "9"},
	{"signals", "kill-init-15", signal_init, "15"},
	{"signals", "pidfd-init", signal_init_by_pidfd, NULL},
	{"signals", "host-process", signal_host, NULL},
	{"signals", "foreign-processes", foreign_process, NULL},
	{"signals", "queue-init", queue_init, NULL},
	{"signals", "thread-init", thread_signal_init, NULL},
	{"signals", "pidfd-init-kill", pidfd_kill_init, NULL},
	{"signals", "io-owner-init", io_signal_init, NULL},
	{"signals", "process-group-0", group_signal, NULL},
};
const size_t n_space_attacks = COUNT(space_attacks);
