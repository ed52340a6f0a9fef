/* SPDX-License-Identifier: Apache-2.0 */

/*
 * DOC: The prisoner
 *
 * Runs as uid 0 inside a sandbox and tries to get out, one attack a line:
 *
 *   defended ID/NAME
 *   OPEN ID/NAME
 *
 * `probe ID…` runs the attacks of these ids of threats, `probe` all of them. The
 * runner also runs it outside of a sandbox, where most must be OPEN: an attack
 * that fails everywhere proves nothing. Attacks change nothing that is not the
 * prisoner's own: files are opened and not written, signals are number 0.
 */

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/keyctl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* An attack returns true when it got through. */
typedef bool (*attack_fn)(const char *argument);

static bool opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

static bool open_read(const char *path)
{
	return opens(path, O_RDONLY);
}

static bool open_write(const char *path)
{
	return opens(path, O_WRONLY);
}

/* Reads as anything but nothing: a masked file is empty. */
static bool has_content(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool got = fd >= 0 && read(fd, &byte, 1) == 1;

	if (fd >= 0)
		(void)close(fd);
	return got;
}

/* ---- files of the host ---- */

static bool environment_path(const char *name)
{
	const char *path = getenv(name);

	return path && open_read(path);
}

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

static bool create_in(const char *directory)
{
	char path[PATH_MAX];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/.breakout", directory);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	(void)close(fd);
	(void)unlink(path);
	return true;
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

static bool inject_input(const char *number)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave;
	unsigned long request = strtoul(number, NULL, 0);
	bool done = false;
	pid_t pid;
	int status;

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		return false;
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	pid = fork();
	if (pid == 0) {
		/* TIOCLINUX 0x541c on a pty is ENOTTY unless filtered: EPERM means filtered */
		char byte = '\n';
		bool through;

		(void)setsid();
		(void)ioctl(slave, TIOCSCTTY, 0);
		through = syscall(SYS_ioctl, (long)slave, request, &byte) == 0 || errno != EPERM;
		_exit(through);
	}
	(void)waitpid(pid, &status, 0);
	done = WIFEXITED(status) && WEXITSTATUS(status) == 1;
	(void)close(master);
	(void)close(slave);
	return done;
}

/* ---- mounts and namespaces ---- */

static bool mount_kind(const char *kind)
{
	static const struct {
		const char *kind, *type;
		unsigned long flags;
	} kinds[] = {
		{"tmpfs", "tmpfs", 0},	  {"proc", "proc", 0},	 {"bind", NULL, MS_BIND},
		{"cgroup", "cgroup2", 0}, {"sysfs", "sysfs", 0},
	};

	(void)mkdir("/tmp/mount", 0755);
	for (size_t i = 0; i < COUNT(kinds); i++) {
		if (strcmp(kinds[i].kind, kind) != 0)
			continue;
		if (mount("/", "/tmp/mount", kinds[i].type, kinds[i].flags, NULL) < 0)
			return false;
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

static bool read_link_works(const char *path)
{
	char target[PATH_MAX];

	return readlink(path, target, sizeof(target)) >= 0;
}

static bool list_directory(const char *path)
{
	DIR *dir = opendir(path);
	bool got = dir && readdir(dir);

	if (dir)
		(void)closedir(dir);
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

/* ---- system calls ---- */

/* @text: "number a b c": got through unless EPERM or ENOSYS says no. */
static bool call(const char *text)
{
	long n[5] = {0};

	if (sscanf(text, "%ld %ld %ld %ld %ld", &n[0], &n[1], &n[2], &n[3], &n[4]) < 1)
		return false;
	return syscall(n[0], n[1], n[2], n[3], n[4], 0) >= 0 || (errno != EPERM && errno != ENOSYS);
}

static bool unknown_is_not_enosys(const char *number)
{
	return syscall(strtol(number, NULL, 0)) >= 0 || errno != ENOSYS;
}

/* In a child, for the defence is its death. */
static bool survives(long (*act)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct rlimit none = {0, 0};

		(void)setrlimit(RLIMIT_CORE, &none);
		_exit(act() > 0 ? 42 : 41);
	}
	(void)waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 42;
}

static long getpid_x32(void)
{
	return syscall(0x40000000L | SYS_getpid);
}

static long getpid_i386(void)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(20L)
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
}

static bool x32_entry(const char *unused)
{
	return survives(getpid_x32);
}

static bool i386_entry(const char *unused)
{
	return survives(getpid_i386);
}

static bool personality_odd(const char *unused)
{
	return personality(READ_IMPLIES_EXEC) != -1;
}

static bool set_clock(const char *unused)
{
	struct timespec now;

	/* a set to the time it is: nobody's clock is harmed where it works */
	return clock_gettime(CLOCK_REALTIME, &now) == 0 && clock_settime(CLOCK_REALTIME, &now) == 0;
}

static bool tune_clock(const char *unused)
{
	struct timex same = {.modes = 0};
	struct timex change = {.modes = ADJ_STATUS};

	if (adjtimex(&same) < 0)
		return false;
	change.status = same.status;
	return adjtimex(&change) >= 0;
}

/* Only at 1 the kernel starts no piped handler of the host: at 0 it does. */
static bool core_allowed(const char *unused)
{
	struct rlimit limit = {0};

	(void)setrlimit(RLIMIT_CORE, &limit);
	return getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur != 1;
}

/* ---- sockets and networks ---- */

static bool socket_opens(const char *text)
{
	int family, type, protocol, fd;

	if (sscanf(text, "%d %d %d", &family, &type, &protocol) != 3)
		return false;
	fd = (int)syscall(SYS_socket, (long)family, (long)type, (long)protocol);
	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

/*
 * Whether the kernel saw the request at all, also where it then refuses it: it
 * looks for a module first. Such requests here are chosen so that no kernel
 * answers with the errors that the filter gives.
 */
static bool socket_asks_kernel(const char *text)
{
	errno = 0;
	return socket_opens(text) || (errno != EPROTONOSUPPORT && errno != ESOCKTNOSUPPORT);
}

static bool socket_high_bits(const char *unused)
{
	/* AF_VSOCK with bits that a careless comparison would see and the kernel does not */
	return syscall(SYS_socket, (1L << 32) | 40, (long)SOCK_STREAM, 0L) >= 0;
}

static bool abstract_connects(const char *unused)
{
	const char *name = getenv("ABSTRACT");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t length = name ? strlen(name) : 0;
	bool connected;

	if (!name || length + 1 > sizeof(address.sun_path))
		return false;
	memcpy(address.sun_path + 1, name, length);
	connected = connect(fd, (struct sockaddr *)&address,
			    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length)) == 0;
	(void)close(fd);
	return connected;
}

static bool tcp_connects(const char *variable)
{
	const char *text = getenv(variable);
	struct sockaddr_in address = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval patience = {.tv_sec = 2};
	char host[64];
	unsigned port;
	bool connected;

	if (!text || sscanf(text, "%63[^:]:%u", host, &port) != 2)
		return false;
	address.sin_port = htons((uint16_t)port);
	(void)inet_pton(AF_INET, host, &address.sin_addr);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	connected = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	(void)close(fd);
	return connected;
}

static bool other_interface(const char *unused)
{
	struct if_nameindex *list = if_nameindex();
	bool other = false;

	for (struct if_nameindex *one = list; one && one->if_index; one++)
		other = other || strcmp(one->if_name, "lo") != 0;
	if_freenameindex(list);
	return other;
}

/* ---- shared things of the host ---- */

static bool shared_memory(const char *unused)
{
	const char *key = getenv("SHM_KEY");

	return key && shmget((key_t)strtol(key, NULL, 0), 0, 0) >= 0;
}

static bool host_name_known(const char *unused)
{
	const char *name = getenv("HOST_NAME");
	char here[128];

	return name && gethostname(here, sizeof(here)) == 0 && strcmp(here, name) == 0;
}

static bool environment_of_init(const char *unused)
{
	return has_content("/proc/1/environ");
}

/* ---- what must work all the same: a defence that breaks builds is none ---- */

static bool own_child_untraceable(const char *unused)
{
	pid_t pid = fork();
	int status;
	bool traced;

	if (pid == 0) {
		(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		(void)raise(SIGSTOP);
		_exit(0);
	}
	traced = waitpid(pid, &status, 0) == pid && WIFSTOPPED(status);
	(void)ptrace(PTRACE_CONT, pid, NULL, NULL);
	(void)waitpid(pid, &status, 0);
	return !traced;
}

static bool loopback_down(const char *unused)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};
	struct sockaddr_in peer = address;
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool works;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	/* port 80: low ports are the step's own */
	works = bind(server, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		listen(server, 1) == 0 &&
		connect(client, (struct sockaddr *)&peer, sizeof(peer)) == 0;
	(void)close(server);
	(void)close(client);
	return !works;
}

static bool cannot_change_ids(const char *unused)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(setresgid(1000, 1000, 1000) < 0 || setresuid(1000, 1000, 1000) < 0);
	(void)waitpid(pid, &status, 0);
	return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static bool cannot_write_here(const char *directory)
{
	return !create_in(directory);
}

/* ---- the list ---- */

static const struct {
	const char *id, *name;
	attack_fn attack;
	const char *argument;
} attacks[] = {
	{"fs-host-read", "etc-shadow", has_content, "/etc/shadow"},
	{"fs-host-read", "gshadow", has_content, "/etc/gshadow"},
	{"fs-host-read", "root-home", open_read, "/root/.bashrc"},
	{"fs-host-read", "canary", environment_path, "CANARY"},
	{"fs-host-read", "file-of-host-root", environment_path, "ROOT_FILE"},
	{"fs-host-read", "proc-1-root", list_directory, "/proc/1/root/"},
	{"fs-host-read", "proc-1-cwd", list_directory, "/proc/1/cwd/"},
	{"fs-host-read", "inherited-descriptors", extra_descriptors, NULL},
	{"fs-host-read", "chroot-escape", chroot_escape, NULL},
	{"fs-host-write", "usr", create_in, "/usr"},
	{"fs-host-write", "usr-bin", create_in, "/usr/bin"},
	{"fs-host-write", "usr-read-only", not_readonly, "/usr"},
	{"fs-host-write", "dev", create_in, "/dev"},
	{"fs-host-write", "proc-sys", create_in, "/proc/sys"},
	{"exe-overwrite", "init-write", open_write, "/proc/1/exe"},
	{"exe-overwrite", "init-read", open_read, "/proc/1/exe"},
	{"exe-overwrite", "init-link", read_link_works, "/proc/1/exe"},
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
	{"sys-write", "read-only", not_readonly, "/sys"},
	{"sys-write", "uevent-helper", open_write, "/sys/kernel/uevent_helper"},
	{"sys-write", "firmware", list_directory, "/sys/firmware/acpi"},
	{"sys-write", "mm", open_write, "/sys/kernel/mm/transparent_hugepage/enabled"},
	{"sys-write", "debug", list_directory, "/sys/kernel/debug/tracing"},
	{"sys-write", "bpffs", create_in, "/sys/fs/bpf"},
	{"cgroup-escape", "leave", open_write, "/sys/fs/cgroup/cgroup.procs"},
	{"cgroup-escape", "make", create_in, "/sys/fs/cgroup"},
	{"cgroup-escape", "mount", mount_kind, "cgroup"},
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
	{"ptrace-init", "seize", trace_init, NULL},
	{"ptrace-init", "read-memory", read_init_memory, NULL},
	{"ptrace-init", "mem", open_read, "/proc/1/mem"},
	{"ptrace-init", "maps", has_content, "/proc/1/maps"},
	{"ptrace-init", "descriptors", list_directory, "/proc/1/fd"},
	{"ptrace-init", "take-descriptor", take_init_descriptor, NULL},
	{"ptrace-init", "environ", environment_of_init, NULL},
	{"signals", "kill-init-0", signal_init, "0"},
	{"signals", "kill-init-9", signal_init, "9"},
	{"signals", "kill-init-15", signal_init, "15"},
	{"signals", "pidfd-init", signal_init_by_pidfd, NULL},
	{"signals", "host-process", signal_host, NULL},
	{"signals", "foreign-processes", foreign_process, NULL},
	{"setuid", "no-new-privs", new_privileges, NULL},
	{"setuid", "capabilities", capability_beyond, NULL},
	{"setuid", "binary", setuid_gains, NULL},
	{"setuid", "root-nosuid", honours_setuid, "/"},
	{"setuid", "usr-nosuid", honours_setuid, "/usr"},
	{"setuid", "workspace-nosuid", honours_setuid, "/workspace"},
	{"devices", "mknod-char", make_node, "char"},
	{"devices", "mknod-block", make_node, "block"},
	{"devices", "mem", open_read, "/dev/mem"},
	{"devices", "kmsg", open_read, "/dev/kmsg"},
	{"devices", "kvm", open_read, "/dev/kvm"},
	{"devices", "fuse", open_read, "/dev/fuse"},
	{"devices", "loop-control", open_read, "/dev/loop-control"},
	{"devices", "foreign", foreign_device, NULL},
	{"tiocsti", "tiocsti", inject_input, "0x5412"},
	{"tiocsti", "tiocsti-high-bits", inject_input, "0x100005412"},
	{"tiocsti", "tioclinux", inject_input, "0x541c"},
	{"syscalls", "keyctl", call, "250 0 -3 0"},
	{"syscalls", "add-key", call, "248"},
	{"syscalls", "request-key", call, "249"},
	{"syscalls", "bpf", call, "321 0 0 0"},
	{"syscalls", "perf-event-open", call, "298"},
	{"syscalls", "userfaultfd", call, "323 1"},
	{"syscalls", "io-uring-setup", call, "425 1 0"},
	{"syscalls", "io-uring-enter", call, "426 -1"},
	{"syscalls", "io-uring-register", call, "427 -1"},
	{"syscalls", "kexec-load", call, "246"},
	{"syscalls", "kexec-file-load", call, "320 -1 -1"},
	{"syscalls", "init-module", call, "175"},
	{"syscalls", "finit-module", call, "313 -1"},
	{"syscalls", "delete-module", call, "176"},
	{"syscalls", "swapon", call, "167"},
	{"syscalls", "acct", call, "163 1"},
	{"syscalls", "quotactl", call, "179 -1"},
	{"syscalls", "open-by-handle-at", call, "304 -1"},
	{"syscalls", "name-to-handle-at", call, "303 -1"},
	{"syscalls", "lookup-dcookie", call, "212"},
	{"syscalls", "move-pages", call, "279 0 0"},
	{"syscalls", "mbind", call, "237 0 0 0"},
	{"syscalls", "set-mempolicy", call, "238 0 0 0"},
	{"syscalls", "migrate-pages", call, "256 0 0"},
	{"syscalls", "iopl", call, "172 0"},
	{"syscalls", "ioperm", call, "173 0 1 0"},
	{"syscalls", "modify-ldt", call, "154 0 0 0"},
	{"syscalls", "syslog", call, "103 10 0 0"},
	{"syscalls", "vhangup", call, "153"},
	{"syscalls", "kcmp", call, "312 1 1 0"},
	{"syscalls", "process-madvise", call, "440 -1"},
	{"syscalls", "pidfd-getfd", call, "438 -1"},
	{"syscalls", "fanotify-init", call, "300 0 0"},
	{"syscalls", "personality", personality_odd, NULL},
	{"syscalls", "unknown-500", unknown_is_not_enosys, "500"},
	{"syscalls", "unknown-1000", unknown_is_not_enosys, "1000"},
	{"syscalls", "x32", x32_entry, NULL},
	{"syscalls", "i386", i386_entry, NULL},
	{"sockets", "alg", socket_opens, "38 5 0"},
	{"sockets", "vsock", socket_opens, "40 1 0"},
	{"sockets", "vsock-high-bits", socket_high_bits, NULL},
	{"sockets", "packet", socket_opens, "17 3 3"},
	{"sockets", "raw", socket_opens, "2 3 1"},
	{"sockets", "raw6", socket_opens, "10 3 58"},
	{"sockets", "xdp", socket_opens, "44 3 0"},
	{"sockets", "key", socket_opens, "15 3 2"},
	{"sockets", "netlink-audit", socket_opens, "16 3 9"},
	{"sockets", "netlink-netfilter", socket_opens, "16 3 12"},
	{"sockets", "netlink-uevent", socket_opens, "16 3 15"},
	/* an id of their own: on the host these would load a module */
	{"socket-modules", "sctp", socket_opens, "2 1 132"},
	{"socket-modules", "sctp-seqpacket", socket_opens, "2 5 132"},
	{"socket-modules", "sctp6", socket_opens, "10 1 132"},
	{"socket-modules", "dccp", socket_opens, "2 6 33"},
	{"socket-modules", "smc", socket_opens, "2 1 256"},
	{"socket-modules", "l2tp", socket_opens, "2 2 115"},
	{"sockets", "protocol-sctp", socket_asks_kernel, "2 3 132"},
	{"sockets", "protocol-dccp6", socket_asks_kernel, "10 3 33"},
	{"sockets", "type-packet", socket_asks_kernel, "2 10 768"},
	{"sockets", "abstract", abstract_connects, NULL},
	{"net-host", "interfaces", other_interface, NULL},
	{"net-host", "loopback-of-host", tcp_connects, "HOST_SERVICE"},
	{"keyring", "session-keyring", call, "250 0 -3 0"},
	{"time-host", "clock-settime", set_clock, NULL},
	{"time-host", "adjtimex", tune_clock, NULL},
	{"shm-ipc", "system-v", shared_memory, NULL},
	{"shm-ipc", "dev-shm", environment_path, "SHM_FILE"},
	{"core-dump", "limit", core_allowed, NULL},
	{"info-leak", "host-name", host_name_known, NULL},
	{"info-leak", "machine-id", has_content, "/etc/machine-id"},
	{"info-leak", "init-environment", environment_of_init, NULL},
	{"info-leak", "dmesg", call, "103 3 0 0"},
	{"must-work", "trace-own-child", own_child_untraceable, NULL},
	{"must-work", "loopback-and-low-port", loopback_down, NULL},
	{"must-work", "change-ids", cannot_change_ids, NULL},
	{"must-work", "write-workspace", cannot_write_here, "/workspace"},
	{"must-work", "write-tmp", cannot_write_here, "/tmp"},
	{"must-work", "write-etc", cannot_write_here, "/etc"},
	{"must-work", "write-shm", cannot_write_here, "/dev/shm"},
};

static bool wanted(const char *id, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], id) == 0)
			return true;
	}
	return argc < 2;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "answer-euid") == 0)
		return geteuid() == 0 ? 42 : 0;
	for (size_t i = 0; i < COUNT(attacks); i++) {
		if (!wanted(attacks[i].id, argc, argv))
			continue;
		(void)printf("%s %s/%s\n",
			     attacks[i].attack(attacks[i].argument) ? "OPEN" : "defended",
			     attacks[i].id, attacks[i].name);
		(void)fflush(stdout);
	}
	return 0;
}
