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

#include "tests/breakout/probe.h"

bool opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

bool open_read(const char *path)
{
	return opens(path, O_RDONLY);
}

/* A mask is the null device, which takes everything: it is not what was looked for. */
bool open_write(const char *path)
{
	struct stat st;

	if (strncmp(path, "/proc/", 6) == 0 && stat(path, &st) == 0 && S_ISCHR(st.st_mode))
		return false;
	return opens(path, O_WRONLY);
}

/* Reads as anything but nothing: a masked file is empty. */
bool has_content(const char *path)
{
	char word[8]; /* what /proc/kpageflags and its like read by */
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool got = fd >= 0 && read(fd, word, sizeof(word)) > 0;

	if (fd >= 0)
		(void)close(fd);
	return got;
}

bool environment_path(const char *name)
{
	const char *path = getenv(name);

	return path && open_read(path);
}

bool create_in(const char *directory)
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

bool read_link_works(const char *path)
{
	char target[PATH_MAX];

	return readlink(path, target, sizeof(target)) >= 0;
}

bool list_directory(const char *path)
{
	DIR *dir = opendir(path);
	bool got = dir && readdir(dir);

	if (dir)
		(void)closedir(dir);
	return got;
}

/* @text: "number a b c": got through unless EPERM or ENOSYS says no. */
bool call(const char *text)
{
	long n[5] = {0};

	if (sscanf(text, "%ld %ld %ld %ld %ld", &n[0], &n[1], &n[2], &n[3], &n[4]) < 1)
		return false;
	return syscall(n[0], n[1], n[2], n[3], n[4], 0) >= 0 || (errno != EPERM && errno != ENOSYS);
}

bool in_child(bool (*act)(const char *argument), const char *argument)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(act(argument) ? 42 : 41);
	(void)waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 42;
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

static bool cannot_read_child(const char *unused)
{
	static char word[] = "child";
	char copy[sizeof(word)] = "";
	struct iovec local = {copy, sizeof(copy)}, remote = {word, sizeof(word)};
	pid_t pid = fork();
	bool got;

	if (pid == 0) {
		(void)pause();
		_exit(0);
	}
	got = process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)sizeof(copy) &&
	      strcmp(copy, word) == 0;
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	return !got;
}

/* What the tracer says of a call that it took away from its child: @number instead of its own. */
static long result_of_skipped(pid_t pid, long number)
{
	struct user_regs_struct regs;
	int status;

	(void)waitpid(pid, &status, 0);
	for (bool entering = true;; entering = !entering) {
		if (ptrace(PTRACE_SYSCALL, pid, 0, 0) < 0 || waitpid(pid, &status, 0) < 0 ||
		    !WIFSTOPPED(status))
			return -ESRCH; /* killed by it */
		(void)ptrace(PTRACE_GETREGS, pid, 0, &regs);
		if (entering && regs.orig_rax == SYS_getppid) {
			regs.orig_rax = (unsigned long long)number;
			regs.rax = 4711;
			(void)ptrace(PTRACE_SETREGS, pid, 0, &regs);
		} else if (!entering && (long)regs.orig_rax == number) {
			return (long)regs.rax;
		}
	}
}

/*
 * proot, gdb and strace --inject take calls away by a negative number. The kernel
 * says ENOSYS to it, except to -1, whose result is the one that the tracer set.
 */
static bool cannot_skip_call(const char *text)
{
	long number = strtol(text, NULL, 0), result;
	pid_t pid = fork();

	if (pid == 0) {
		(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		(void)raise(SIGSTOP);
		(void)syscall(SYS_getppid);
		_exit(0);
	}
	result = result_of_skipped(pid, number);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	return result != (number == -1 ? 4711 : -ENOSYS);
}

static bool cannot_make_fifo(const char *unused)
{
	bool made = mkfifo("/tmp/breakout-fifo", 0600) == 0;

	(void)unlink("/tmp/breakout-fifo");
	return !made;
}

static bool cannot_write_here(const char *directory)
{
	return !create_in(directory);
}

static bool cannot_write_file(const char *path)
{
	return !open_write(path);
}

/* ---- the list ---- */

const struct attack must_work[] = {
	{"must-work", "trace-own-child", own_child_untraceable, NULL},
	{"must-work", "loopback-and-low-port", loopback_down, NULL},
	{"must-work", "change-ids", cannot_change_ids, NULL},
	{"must-work", "write-workspace", cannot_write_here, "/workspace"},
	{"must-work", "write-tmp", cannot_write_here, "/tmp"},
	{"must-work", "write-etc", cannot_write_here, "/etc"},
	{"must-work", "write-shm", cannot_write_here, "/dev/shm"},
	{"must-work", "trace-child-memory", cannot_read_child, NULL},
	{"must-work", "make-fifo", cannot_make_fifo, NULL},
	{"must-work", "skip-call-of-child", cannot_skip_call, "-2"},
	{"must-work", "skip-call-of-child-x32-bit", cannot_skip_call, "-1073741824"},
	{"must-work", "skip-call-of-child-with-result", cannot_skip_call, "-1"},
};
const size_t n_must_work = COUNT(must_work);

/* Only where the image is one's own, and only when asked for. */
static const struct attack must_work_image[] = {
	{"must-work-image", "write-usr-bin", cannot_write_here, "/usr/bin"},
	{"must-work-image", "write-root", cannot_write_here, "/"},
	{"must-work-image", "write-file", cannot_write_file, "/file"},
};

static bool wanted(const char *id, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], id) == 0)
			return true;
	}
	return argc < 2;
}

static void try_all(const struct attack *attacks, size_t n, int argc, char **argv)
{
	for (size_t i = 0; i < n; i++) {
		bool through;

		if (!wanted(attacks[i].id, argc, argv))
			continue;
		through = attacks[i].attack(attacks[i].argument);
		(void)printf("%s %s/%s\n", through ? "OPEN" : "defended", attacks[i].id,
			     attacks[i].name);
		(void)fflush(stdout);
	}
}

/* What a copy of ourselves, started by setuid or with a file capability, has won. */
static int answer(const char *question)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[2] = {{0}};

	if (strcmp(question, "answer-euid") == 0)
		return geteuid() == 0 ? 42 : 0;
	return syscall(SYS_capget, &header, caps) == 0 && caps[0].effective ? 42 : 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strncmp(argv[1], "answer-", 7) == 0)
		return answer(argv[1]);
	if (argc == 2 && strcmp(argv[1], "hold") == 0)
		return share_hold();
	try_all(file_attacks, n_file_attacks, argc, argv);
	try_all(space_attacks, n_space_attacks, argc, argv);
	try_all(call_attacks, n_call_attacks, argc, argv);
	try_all(share_attacks, n_share_attacks, argc, argv);
	try_all(host_attacks, n_host_attacks, argc, argv);
	try_all(must_work, n_must_work, argc, argv);
	if (argc > 1)
		try_all(must_work_image, COUNT(must_work_image), argc, argv);
	return 0;
}
