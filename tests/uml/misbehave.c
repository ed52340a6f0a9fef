/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that nobody wants as neighbours, one a name: what they run into is
 * printed as "NAME: what, how much: error", so that a test can tell a refusal
 * from a success. Static, so that it runs in an image of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARRAY_SIZE(x) (sizeof(x) / sizeof((x)[0]))

static int tell(const char *name, const char *what, unsigned long count)
{
	(void)printf("%s: %s, %lu: %s\n", name, what, count, strerror(errno));
	(void)fflush(stdout);
	return 1;
}

static void *wait_for_ever(void *argument)
{
	for (;;)
		(void)pause();
	return argument;
}

/* ---- bombs ---- */

static int fork_bomb(const char *argument)
{
	while (fork() != -2)
		;
	return 0;
}

static int thread_bomb(const char *argument)
{
	unsigned long n = 0;
	pthread_attr_t small;
	pthread_t thread;

	(void)pthread_attr_init(&small);
	(void)pthread_attr_setstacksize(&small, 16384);
	for (;; n++) {
		errno = pthread_create(&thread, &small, wait_for_ever, NULL);
		if (errno != 0)
			return tell("thread-bomb", "threads", n);
	}
}

static int zombie_bomb(const char *argument)
{
	unsigned long n = 0;

	for (;; n++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		if (pid < 0)
			return tell("zombie-bomb", "zombies", n);
	}
}

/* Every process takes as many as it may, and as many processes as it may. */
static int fd_bomb(const char *argument)
{
	int told[2];
	char byte;

	if (pipe(told) < 0)
		return tell("fd-bomb", "pipe", 0);
	for (int child = 0; child < 16; child++) {
		unsigned long n = 0;

		if (fork() != 0)
			continue;
		while (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0)
			n++;
		(void)tell("fd-bomb", "files", n);
		(void)!write(told[1], "", 1);
		(void)wait_for_ever(NULL);
	}
	/* until all of them hold what they could get */
	for (int child = 0; child < 16; child++)
		(void)!read(told[0], &byte, 1);
	return 1;
}

static int inode_bomb(const char *argument)
{
	char name[64];

	for (unsigned long n = 0;; n++) {
		(void)snprintf(name, sizeof(name), "/tmp/%lu", n);
		int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

		if (fd < 0)
			return tell("inode-bomb", "files", n);
		(void)close(fd);
	}
}

/* Pipes that nobody reads, as large as they get. */
static int pipe_bomb(const char *argument)
{
	static char block[65536];
	unsigned long bytes = 0;
	int ends[2];

	memset(block, 'x', sizeof(block));
	while (pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0) {
		ssize_t put;

		(void)fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
		while ((put = write(ends[1], block, sizeof(block))) > 0)
			bytes += (unsigned long)put;
	}
	return tell("pipe-buffer-bomb", "bytes", bytes);
}

static int memory_bomb(const char *argument)
{
	size_t limit = argument ? strtoul(argument, NULL, 10) << 20 : SIZE_MAX;

	for (size_t got = 0; got < limit; got += 1 << 20) {
		char *block = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (block == MAP_FAILED)
			return tell("mem-bomb", "megabytes", got >> 20);
		memset(block, 'x', 1 << 20);
	}
	(void)puts("mem-bomb: done");
	(void)fflush(stdout);
	(void)wait_for_ever(NULL);
	return 0;
}

static int tmpfs_bomb(const char *argument)
{
	static char block[1 << 20];
	int fd = open("/tmp/big", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	unsigned long n = 0;

	memset(block, 'x', sizeof(block));
	/* the last one is cut short, and the one after that refused */
	for (; write(fd, block, sizeof(block)) > 0; n++)
		;
	return tell("tmpfs-bomb", "megabytes", n);
}

/* No newline, for ever. */
static int log_bomb(const char *argument)
{
	static char block[65536];

	memset(block, 'x', sizeof(block));
	while (write(1, block, sizeof(block)) > 0)
		;
	return 1;
}

static int spin(const char *argument)
{
	int n = argument ? atoi(argument) : 1;

	for (int i = 1; i < n; i++) {
		if (fork() == 0)
			break;
	}
	for (volatile unsigned long i = 1; i != 0; i = i + 1)
		;
	return 0;
}

/* ---- those that do not want to end ---- */

static void ignore_all(void)
{
	for (int number = 1; number < NSIG; number++)
		(void)signal(number, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
}

static int deaf(const char *argument)
{
	ignore_all();
	if (fork() == 0 && setsid() > 0 && fork() == 0)
		(void)setsid();
	(void)wait_for_ever(NULL);
	return 0;
}

static int stopped(const char *argument)
{
	ignore_all();
	(void)fork();
	(void)kill(getpid(), SIGSTOP);
	(void)wait_for_ever(NULL);
	return 0;
}

/* The parent sleeps in the kernel until a child lets go that has stopped itself. */
static int vfork_stopped(const char *argument)
{
	static pid_t child;

	ignore_all();
	child = vfork();
	if (child == 0) {
		(void)kill(getpid(), SIGSTOP);
		_exit(0);
	}
	(void)wait_for_ever(NULL);
	return 0;
}

static int traced(const char *argument)
{
	pid_t child;

	ignore_all();
	child = fork();
	if (child == 0) {
		(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		(void)kill(getpid(), SIGSTOP);
		(void)wait_for_ever(NULL);
	}
	(void)waitpid(child, NULL, 0);
	/* it stays in its stop, and what it is sent comes to us first */
	(void)ptrace(PTRACE_SETOPTIONS, child, NULL, (void *)0x100000 /* PTRACE_O_EXITKILL */);
	(void)wait_for_ever(NULL);
	return 0;
}

static int many(const char *argument)
{
	int n = argument ? atoi(argument) : 1000;

	ignore_all();
	for (int i = 0; i < n; i++) {
		if (fork() == 0)
			(void)wait_for_ever(NULL);
	}
	(void)puts("many: born");
	(void)fflush(stdout);
	(void)wait_for_ever(NULL);
	return 0;
}

/* A frozen group cannot be told anything; may it be done from inside? */
static int frozen(const char *argument)
{
	static const char *const files[] = {
		"/sys/fs/cgroup/cgroup.freeze", "/sys/fs/cgroup/cgroup.procs",
		"/sys/fs/cgroup/memory.max",	"/sys/fs/cgroup/pids.max",
		"/sys/fs/cgroup/cpu.max",	"/sys/fs/cgroup/cgroup.kill",
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int fd = open(files[i], O_WRONLY | O_CLOEXEC);

		if (fd >= 0 && write(fd, "1", 1) == 1)
			(void)printf("frozen: wrote %s\n", files[i]);
		else
			(void)tell("frozen", files[i], 0);
	}
	if (mkdir("/sys/fs/cgroup/own", 0755) == 0)
		(void)puts("frozen: made a group");
	else
		(void)tell("frozen", "mkdir", 0);
	return 0;
}

/* ---- somebody decent ---- */

static int answer(const char *argument)
{
	char line[256];

	while (fgets(line, sizeof(line), stdin)) {
		(void)printf("alive %s", line);
		(void)fflush(stdout);
	}
	return 0;
}

static int show(const char *argument)
{
	static char block[65536];
	int fd = open(argument, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return tell("show", argument, 0);
	while ((got = read(fd, block, sizeof(block))) > 0) {
		if (write(1, block, (size_t)got) != got)
			return 1;
	}
	return got < 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*function)(const char *argument);
	} table[] = {
		{"fork", fork_bomb},	  {"thread", thread_bomb}, {"zombie", zombie_bomb},
		{"fd", fd_bomb},	  {"inode", inode_bomb},   {"pipe", pipe_bomb},
		{"memory", memory_bomb},  {"tmpfs", tmpfs_bomb},   {"log", log_bomb},
		{"spin", spin},		  {"deaf", deaf},	   {"stopped", stopped},
		{"vfork", vfork_stopped}, {"traced", traced},	   {"many", many},
		{"frozen", frozen},	  {"answer", answer},	   {"show", show},
	};

	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(table); i++) {
		if (strcmp(argv[1], table[i].name) == 0)
			return table[i].function(argc > 2 ? argv[2] : NULL);
	}
	return 2;
}
