/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/breakout/probe.h"

/* ---- files of the host ---- */

static bool extra_descriptors(const char *unused)
{
	for (int fd = 3; fd < 1024; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			return true;
	}
	return false;
}

static bool chroot_escape(const char *unused)
{
	bool out;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		const char *canary = getenv("CANARY");
		int fd = open("/", O_RDONLY | O_DIRECTORY);

		(void)mkdir("/tmp/jail", 0755);
		if (!canary || fd < 0 || chroot("/tmp/jail") < 0 || fchdir(fd) < 0)
			_exit(0);
		for (int i = 0; i < 64; i++)
			(void)!chdir("..");
		_exit(access(canary + 1, F_OK) == 0);
	}
	(void)waitpid(pid, &status, 0);
	out = WIFEXITED(status) && WEXITSTATUS(status) == 1;
	return out;
}

static bool not_readonly(const char *path)
{
	struct statvfs fs;

	return statvfs(path, &fs) == 0 && !(fs.f_flag & ST_RDONLY);
}

static bool honours_setuid(const char *path)
{
	struct statvfs fs;

	return statvfs(path, &fs) == 0 && !(fs.f_flag & ST_NOSUID);
}

static bool setuid_gains(const char *unused)
{
	char buffer[4096], *argv[] = {"suid", "answer-euid", NULL}, *envp[] = {NULL};
	static const char copy[] = "/tmp/breakout-suid";
	int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int out = open(copy, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0755);
	ssize_t size;
	int status;
	pid_t pid;

	while (in >= 0 && out >= 0 && (size = read(in, buffer, sizeof(buffer))) > 0)
		(void)!write(out, buffer, (size_t)size);
	if (in < 0 || out < 0 || fchmod(out, 04755) < 0)
		return false;
	(void)close(in);
	(void)close(out);
	pid = fork();
	if (pid == 0) {
		if (setresgid(1000, 1000, 1000) < 0 || setresuid(1000, 1000, 1000) < 0)
			_exit(2);
		(void)execve(copy, argv, envp);
		_exit(2);
	}
	(void)waitpid(pid, &status, 0);
	(void)unlink(copy);
	return WIFEXITED(status) && WEXITSTATUS(status) == 42;
}

static bool new_privileges(const char *unused)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1;
}

static bool capability_beyond(const char *unused)
{
	/* chown dac_override fowner fsetid kill setgid setuid setpcap net_bind sys_chroot setfcap */
	static const unsigned long long kept = 0x800405fbULL;
	unsigned long long value = ~0ULL;
	char line[256];
	FILE *file = fopen("/proc/self/status", "re");

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "CapBnd: %llx", &value) == 1)
			break;
	}
	if (file)
		(void)fclose(file);
	return (value & ~kept) != 0;
}

/* ---- devices ---- */

static bool make_node(const char *kind)
{
	bool block = strcmp(kind, "block") == 0;
	static const char path[] = "/tmp/breakout-node";
	int r = mknod(path, (block ? S_IFBLK : S_IFCHR) | 0600,
		      block ? makedev(7, 0) : makedev(1, 1));

	(void)unlink(path);
	return r == 0;
}

static bool foreign_device(const char *unused)
{
	static const char *const known[] = {".",       "..",  "null", "zero",  "full",	 "random",
					    "urandom", "tty", "fd",   "stdin", "stdout", "stderr",
					    "ptmx",    "pts", "shm",  "mqueue"};
	DIR *dir = opendir("/dev");
	struct dirent *entry;
	bool foreign = false;

	while (dir && (entry = readdir(dir))) {
		bool found = false;

		for (size_t i = 0; i < COUNT(known); i++)
			found = found || strcmp(entry->d_name, known[i]) == 0;
		foreign = foreign || !found;
	}
	if (dir)
		(void)closedir(dir);
	return foreign;
}

static bool canary_by_dots(const char *unused)
{
	const char *canary = getenv("CANARY");
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "/../../../../proc/self/root/..%s",
		       canary ? canary : "");
	return canary && open_read(path);
}

/* The root of anybody who is not beneath our own. */
static bool other_roots(const char *unused)
{
	DIR *dir = opendir("/proc");
	const char *canary = getenv("CANARY");
	struct dirent *entry;
	char path[PATH_MAX];
	bool found = false;

	while (canary && dir && (entry = readdir(dir))) {
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%s/root%s", entry->d_name, canary);
		found = found || open_read(path);
		(void)snprintf(path, sizeof(path), "/proc/%s/cwd/..%s", entry->d_name, canary);
		found = found || open_read(path);
	}
	if (dir)
		(void)closedir(dir);
	return found;
}

/* A working directory outside of the root leads back to the host (CVE-2024-21626). */
static bool unreachable_directory(const char *unused)
{
	char path[PATH_MAX];

	return syscall(SYS_getcwd, path, sizeof(path)) < 0 || path[0] != '/';
}

static bool opens_facts_for_writing(const char *name)
{
	const char *path = getenv(name);

	return path && open_write(path);
}

static bool truncate_file(const char *path)
{
	struct stat st;

	/* to the size it has: nothing is lost where it works */
	return stat(path, &st) == 0 && truncate(path, st.st_size) == 0;
}

static bool change_mode(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && chmod(path, st.st_mode & 07777) == 0;
}

static bool change_owner(const char *path)
{
	return chown(path, (uid_t)-1, 0) == 0;
}

/* A second name of a host's file where one may write. */
static bool link_out(const char *path)
{
	bool done = link(path, "/tmp/breakout-link") == 0;

	(void)unlink("/tmp/breakout-link");
	return done;
}

static bool map_for_writing(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (fd >= 0)
		(void)close(fd);
	if (map == MAP_FAILED)
		return false;
	(void)munmap(map, 4096);
	return true;
}

/*
 * CVE-2022-0847: bytes written into a pipe that refers to a page of a read-only
 * file land in the page, so in every sandbox that shares the file.
 */
static bool dirty_pipe(const char *name)
{
	static char filler[65536];
	const char *path = getenv(name);
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1, ends[2];
	char before[16] = "", after[16] = "", other;
	loff_t offset = 8;

	if (fd < 0 || pipe(ends) < 0 || pread(fd, before, sizeof(before), 0) != sizeof(before))
		return false;
	/* every buffer of the pipe has once been written to, then is empty */
	for (size_t left = sizeof(filler); left > 0;) {
		ssize_t n = write(ends[1], filler, left);
		left -= n > 0 ? (size_t)n : left;
	}
	for (size_t left = sizeof(filler); left > 0;) {
		ssize_t n = read(ends[0], filler, left);
		left -= n > 0 ? (size_t)n : left;
	}
	other = (char)(before[9] ^ 1);
	if (splice(fd, &offset, ends[1], NULL, 1, 0) == 1)
		(void)!write(ends[1], &other, 1);
	(void)!pread(fd, after, sizeof(after), 0);
	(void)close(fd);
	(void)close(ends[0]);
	(void)close(ends[1]);
	return memcmp(before, after, sizeof(before)) != 0;
}

/* ---- everything in /proc and /sys ---- */

static bool writable_found;

static int try_writing(const char *path, const struct stat *st, int type, struct FTW *where)
{
	int fd;

	if (type == FTW_D && where->level == 1 && strncmp(path, "/proc/", 6) == 0 &&
	    ((path[6] >= '0' && path[6] <= '9') || strcmp(path, "/proc/self") == 0))
		return FTW_SKIP_SUBTREE;
	if (type != FTW_F || !S_ISREG(st->st_mode))
		return FTW_CONTINUE;
	fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return FTW_CONTINUE;
	(void)close(fd);
	(void)fprintf(stderr, "writable: %s\n", path);
	writable_found = true;
	return FTW_CONTINUE;
}

/* Masks are the null device, which anybody may write: it is no regular file. */
static bool writable_beneath(const char *path)
{
	writable_found = false;
	(void)nftw(path, try_writing, 32, FTW_PHYS | FTW_ACTIONRETVAL);
	return writable_found;
}

/* CVE-2019-19921, CVE-2025-52881: what looks like /proc is something else. */
static bool proc_is_not_proc(const char *unused)
{
	struct statfs fs;

	return statfs("/proc", &fs) < 0 || fs.f_type != 0x9fa0 || statfs("/proc/sys", &fs) < 0 ||
	       fs.f_type != 0x9fa0;
}

/* ---- privileges of files ---- */

static bool copy_of_self(const char *path, mode_t mode)
{
	char buffer[4096];
	int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int out = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0755);
	ssize_t size;
	bool good = in >= 0 && out >= 0;

	while (good && (size = read(in, buffer, sizeof(buffer))) > 0)
		good = write(out, buffer, (size_t)size) == size;
	good = good && fchmod(out, mode) == 0;
	if (in >= 0)
		(void)close(in);
	if (out >= 0)
		(void)close(out);
	return good;
}

/* Runs a copy of ourselves as an ordinary user; true if it says 42. */
static bool copy_says(const char *path, const char *question)
{
	char *argv[] = {(char[]){"copy"}, (char *)(uintptr_t)question, NULL}, *envp[] = {NULL};
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		if (setresgid(1000, 1000, 1000) < 0 || setresuid(1000, 1000, 1000) < 0)
			_exit(2);
		(void)execve(path, argv, envp);
		_exit(2);
	}
	(void)waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 42;
}

static bool file_capability_gains(const char *unused)
{
	static const char copy[] = "/tmp/breakout-fcap";
	/* revision 2, effective; permitted: chown */
	static const uint32_t attribute[5] = {0x02000001, 1, 0, 0, 0};
	bool gained = copy_of_self(copy, 0755) &&
		      setxattr(copy, "security.capability", attribute, sizeof(attribute), 0) == 0 &&
		      copy_says(copy, "answer-capability");

	(void)unlink(copy);
	return gained;
}

static bool capability_regained(const char *unused)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[2] = {{0}};

	if (syscall(SYS_capget, &header, caps) < 0)
		return true;
	caps[0].permitted |= 1U << CAP_SYS_ADMIN;
	caps[0].effective |= 1U << CAP_SYS_ADMIN;
	return syscall(SYS_capset, &header, caps) == 0;
}

static bool capability_ambient(const char *unused)
{
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0) == 0;
}

/* Groups of whoever started the sandbox would open the host's files. */
static bool supplementary_groups(const char *unused)
{
	return getgroups(0, NULL) != 0;
}

static bool block_device(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool found = false;

	while (dir && (entry = readdir(dir)))
		found = found || entry->d_type == DT_BLK;
	if (dir)
		(void)closedir(dir);
	return found;
}

/* A node that whoever made the image put into it (and the runner into one of ours). */
static bool device_file_opens(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISCHR(st.st_mode) && open_read(path);
}

/* ---- what is told about the host ---- */

static bool file_mentions(const char *path, const char *word)
{
	static char text[1 << 20];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = 0, n;

	while (fd >= 0 && (n = read(fd, text + size, sizeof(text) - (size_t)size)) > 0)
		size += n;
	if (fd >= 0)
		(void)close(fd);
	return size > 0 && memmem(text, (size_t)size, word, strlen(word));
}

/* Paths of the host appear as the roots of what is bound; nothing else may. */
static bool foreign_mounts(const char *unused)
{
	const char *state = getenv("STATE_DIR");

	return (state && file_mentions("/proc/self/mountinfo", state)) ||
	       file_mentions("/proc/self/mountinfo", " /etc ") ||
	       file_mentions("/proc/self/mountinfo", " /home ") ||
	       file_mentions("/proc/self/mountinfo", " /boot ");
}

static bool host_name_known(const char *unused)
{
	const char *name = getenv("HOST_NAME");
	char here[128];

	return name && gethostname(here, sizeof(here)) == 0 && strcmp(here, name) == 0;
}

static bool names_in_command_lines(const char *unused)
{
	const char *mark = getenv("COMMAND_MARK");
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	char path[PATH_MAX];
	bool found = false;

	while (mark && dir && (entry = readdir(dir))) {
		(void)snprintf(path, sizeof(path), "/proc/%s/cmdline", entry->d_name);
		if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
			found = found || file_mentions(path, mark);
	}
	if (dir)
		(void)closedir(dir);
	return found;
}

static bool secret_in_environment(const char *unused)
{
	return getenv("LEAKED_SECRET") || file_mentions("/proc/1/environ", "LEAKED_SECRET");
}

static bool kernel_pointer(const char *path)
{
	return file_mentions(path, "ffffffff") || file_mentions(path, "ffff8") ||
	       file_mentions(path, "ffff9");
}

static bool page_frame_numbers(const char *unused)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	bool got = fd >= 0 && pread(fd, &entry, 8, (off_t)((uintptr_t)&entry / 4096 * 8)) == 8;

	if (fd >= 0)
		(void)close(fd);
	return got && (entry & ((1ULL << 55) - 1)) != 0;
}

/* ---- the list ---- */

const struct attack file_attacks[] = {
	{"fs-host-read", "etc-shadow", has_content, "/etc/shadow"},
	{"fs-host-read", "gshadow", has_content, "/etc/gshadow"},
	{"fs-host-read", "root-home", open_read, "/root/.bashrc"},
	{"fs-host-read", "canary", environment_path, "CANARY"},
	{"fs-host-read", "file-of-host-root", environment_path, "ROOT_FILE"},
	{"fs-host-read", "proc-1-root", list_directory, "/proc/1/root/"},
	{"fs-host-read", "proc-1-cwd", list_directory, "/proc/1/cwd/"},
	{"fs-host-read", "inherited-descriptors", extra_descriptors, NULL},
	{"fs-host-read", "chroot-escape", chroot_escape, NULL},
	{"fs-host-read", "dot-dot", canary_by_dots, NULL},
	{"fs-host-read", "other-roots", other_roots, NULL},
	{"fs-host-read", "working-directory", unreachable_directory, NULL},
	{"fs-host-read", "ssh-host-key", open_read, "/etc/ssh/ssh_host_ed25519_key"},
	{"fs-host-read", "own-configuration", list_directory, "/etc/runbookd"},
	{"fs-host-read", "own-state", list_directory, "/var/lib/runbookd"},
	{"fs-host-read", "own-logs", list_directory, "/var/log/runbookd"},
	{"fs-host-read", "own-steps", list_directory, "/run/runbookd/steps"},
	{"fs-host-read", "root-shown", list_directory, "/proc/self/root/boot"},
	{"fs-host-write", "usr", create_in, "/usr"},
	{"fs-host-write", "usr-bin", create_in, "/usr/bin"},
	{"fs-host-write", "usr-read-only", not_readonly, "/usr"},
	{"fs-host-write", "dev", create_in, "/dev"},
	{"fs-host-write", "dev-read-only", not_readonly, "/dev"},
	{"fs-host-write", "proc-sys", create_in, "/proc/sys"},
	{"fs-host-write", "shown-file", opens_facts_for_writing, "CANARY"},
	{"fs-host-write", "usr-file", open_write, "/usr/bin/env"},
	{"fs-host-write", "usr-truncate", truncate_file, "/usr/bin/env"},
	{"fs-host-write", "usr-chmod", change_mode, "/usr/bin/env"},
	{"fs-host-write", "usr-owner", change_owner, "/usr/bin/env"},
	{"fs-host-write", "usr-link-out", link_out, "/usr/bin/env"},
	{"fs-host-write", "usr-mapping", map_for_writing, "/usr/bin/env"},
	{"fs-host-write", "shared-page", dirty_pipe, "VICTIM"},
	{"exe-overwrite", "init-write", open_write, "/proc/1/exe"},
	{"exe-overwrite", "init-read", open_read, "/proc/1/exe"},
	{"exe-overwrite", "init-link", read_link_works, "/proc/1/exe"},
	{"exe-overwrite", "own-program", open_write, "/proc/self/exe"},
	{"exe-overwrite", "init-map-files", list_directory, "/proc/1/map_files"},
	{"proc-write", "core-pattern", open_write, "/proc/sys/kernel/core_pattern"},
	{"proc-write", "modprobe", open_write, "/proc/sys/kernel/modprobe"},
	{"proc-write", "hostname", open_write, "/proc/sys/kernel/hostname"},
	{"proc-write", "ip-forward", open_write, "/proc/sys/net/ipv4/ip_forward"},
	{"proc-write", "panic", open_write, "/proc/sys/kernel/panic"},
	{"proc-write", "overcommit", open_write, "/proc/sys/vm/overcommit_memory"},
	{"proc-write", "drop-caches", open_write, "/proc/sys/vm/drop_caches"},
	{"proc-write", "sys-read-only", not_readonly, "/proc/sys"},
	{"proc-write", "irq-read-only", not_readonly, "/proc/irq"},
	{"proc-write", "fs-read-only", not_readonly, "/proc/fs"},
	{"proc-write", "bus-read-only", not_readonly, "/proc/bus"},
	{"proc-write", "irq", open_write, "/proc/irq/default_smp_affinity"},
	{"proc-write", "kcore", has_content, "/proc/kcore"},
	{"proc-write", "kmsg", open_read, "/proc/kmsg"},
	{"proc-write", "kallsyms", has_content, "/proc/kallsyms"},
	{"proc-write", "interrupts", has_content, "/proc/interrupts"},
	{"proc-write", "timer-list", has_content, "/proc/timer_list"},
	{"proc-write", "keys", has_content, "/proc/keys"},
	{"proc-write", "sysrq", open_write, "/proc/sysrq-trigger"},
	{"proc-write", "binfmt", open_write, "/proc/sys/fs/binfmt_misc/register"},
	{"proc-write", "mtrr", open_write, "/proc/mtrr"},
	{"proc-write", "pressure", open_write, "/proc/pressure/memory"},
	{"proc-write", "slabinfo", open_write, "/proc/slabinfo"},
	{"proc-write", "any-file", writable_beneath, "/proc"},
	{"proc-write", "through-task", open_write,
	 "/proc/self/task/self/../../../sys/kernel/core_pattern"},
	{"proc-write", "bound-elsewhere", proc_is_not_proc, NULL},
	{"sys-write", "read-only", not_readonly, "/sys"},
	{"sys-write", "processors-read-only", not_readonly, "/sys/devices/system/cpu"},
	{"sys-write", "uevent-helper", open_write, "/sys/kernel/uevent_helper"},
	{"sys-write", "firmware", list_directory, "/sys/firmware/acpi"},
	{"sys-write", "mm", open_write, "/sys/kernel/mm/transparent_hugepage/enabled"},
	{"sys-write", "debug", list_directory, "/sys/kernel/debug/tracing"},
	{"sys-write", "bpffs", create_in, "/sys/fs/bpf"},
	{"sys-write", "any-file", writable_beneath, "/sys"},
	{"sys-write", "tracing", list_directory, "/sys/kernel/tracing/events"},
	{"sys-write", "modules", open_write, "/sys/module/overlay/parameters/redirect_max"},
	{"sys-write", "power", open_write, "/sys/power/state"},
	{"sys-write", "security", create_in, "/sys/kernel/security"},
	{"setuid", "no-new-privs", new_privileges, NULL},
	{"setuid", "capabilities", capability_beyond, NULL},
	{"setuid", "binary", setuid_gains, NULL},
	{"setuid", "root-nosuid", honours_setuid, "/"},
	{"setuid", "usr-nosuid", honours_setuid, "/usr"},
	{"setuid", "workspace-nosuid", honours_setuid, "/workspace"},
	{"setuid", "file-capability", file_capability_gains, NULL},
	{"setuid", "regained", capability_regained, NULL},
	{"setuid", "ambient", capability_ambient, NULL},
	{"setuid", "group-of-host", supplementary_groups, NULL},
	{"devices", "mknod-char", make_node, "char"},
	{"devices", "mknod-block", make_node, "block"},
	{"devices", "mem", open_read, "/dev/mem"},
	{"devices", "kmsg", open_read, "/dev/kmsg"},
	{"devices", "kvm", open_read, "/dev/kvm"},
	{"devices", "fuse", open_read, "/dev/fuse"},
	{"devices", "loop-control", open_read, "/dev/loop-control"},
	{"devices", "foreign", foreign_device, NULL},
	{"devices", "any-block", block_device, "/dev"},
	{"devices", "tty-of-host", open_read, "/dev/tty"},
	{"devices", "console", open_read, "/dev/console"},
	{"devices", "rtc", open_read, "/dev/rtc0"},
	{"devices", "tun", open_read, "/dev/net/tun"},
	{"devices", "vsock", open_read, "/dev/vsock"},
	{"devices", "image-node", device_file_opens, "/node"},
	{"info-leak", "host-name", host_name_known, NULL},
	{"info-leak", "machine-id", has_content, "/etc/machine-id"},
	{"info-leak", "init-environment", has_content, "/proc/1/environ"},
	{"info-leak", "dmesg", call, "103 3 0 0"},
	{"info-leak", "mounts", foreign_mounts, NULL},
	{"info-leak", "command-lines", names_in_command_lines, NULL},
	{"info-leak", "environment", secret_in_environment, NULL},
	{"info-leak", "kmsg", open_read, "/dev/kmsg"},
	{"info-leak", "pointers-modules", kernel_pointer, "/proc/modules"},
	{"info-leak", "pointers-sockets", kernel_pointer, "/proc/net/unix"},
	{"info-leak", "pointers-memory", kernel_pointer, "/proc/iomem"},
	{"info-leak", "pointers-stack", has_content, "/proc/1/stack"},
	{"info-leak", "vmallocinfo", has_content, "/proc/vmallocinfo"},
	{"info-leak", "kpageflags", has_content, "/proc/kpageflags"},
	{"info-leak", "pagemap", page_frame_numbers, NULL},
	{"info-leak", "serial-number", has_content, "/sys/class/dmi/id/product_serial"},
};
const size_t n_file_attacks = COUNT(file_attacks);
