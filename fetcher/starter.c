/* SPDX-License-Identifier: Apache-2.0 */
#include "fetcher/starter.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/memory_trim.h"
#include "common/message_table.h"
#include "common/messages/starter.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SPACE_LIMITED 0 /* the sanitizer's shadow memory alone takes terabytes */
#else
#define ADDRESS_SPACE_LIMITED 1
#endif

#define CHILD_FILES_MAX 1024
#define SPARE_AFTER_USEC (50 * USEC_PER_MSEC) /* the run of the last fetch starts first */
#define SPARE_KEEP_USEC (600 * USEC_PER_SEC)  /* a host without pushes keeps no process for them */

struct child {
	struct starter *starter;
	struct loop_file exit_file; /* its pidfd */
	pid_t pid;		    /* 0 while none runs; leader of its own process group */
	int pid_fd;
};

struct starter {
	const struct starter_setup *setup;
	const char *root;
	struct loop *loop;
	struct channel service;
	struct child children[FETCH_PARALLEL_MAX];
	struct child spare;	       /* has no job yet */
	int spare_fd;		       /* our end of its socket; -1 without a spare */
	struct loop_timer spare_timer; /* to make it, or to let it go */
};

/* ---- in the new process ---- */

static void limit_set(int resource, uint64_t value)
{
	struct rlimit limit = {.rlim_cur = value, .rlim_max = value};

	if (setrlimit((__rlimit_resource_t)resource, &limit) < 0)
		_exit(1);
}

/*
 * Between fork and exec.
 * Should: leave nothing of the starter but the socket and the program.
 * Mustn't: allocate or log.
 */
static _Noreturn void child_start(const struct starter_setup *setup, int socket_fd, pid_t starter,
				  char *const *argv, char *const *envp)
{
	const struct fetch_limits *limits = setup->limits;
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t none;
	int exe;

	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != starter)
		_exit(1);
	if (ADDRESS_SPACE_LIMITED)
		limit_set(RLIMIT_AS, FETCH_MEMORY_MAX);
	limit_set(RLIMIT_CPU, limits->timeout_sec + 1);
	limit_set(RLIMIT_FSIZE, limits->pack > limits->blob ? limits->pack : limits->blob);
	limit_set(RLIMIT_NOFILE, CHILD_FILES_MAX);
	(void)sigaction(SIGXFSZ, &ignore,
			NULL); /* write(2) then fails with EFBIG, which we report */
	(void)sigaction(SIGPIPE, &ignore, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* move exe away from descriptor 3, which takes the socket that the job's comes by */
	exe = fcntl(setup->exe_fd, F_DUPFD_CLOEXEC, CHANNEL_FD + 1);
	if (exe < 0 || dup2(socket_fd, CHANNEL_FD) < 0)
		_exit(1);
	(void)syscall(SYS_execveat, exe, "", argv, envp, AT_EMPTY_PATH);
	_exit(1);
}

/* ---- in the starter ---- */

/* Return: the child's pid, or -errno. */
static pid_t child_fork(const struct starter *starter, int socket_fd)
{
	const struct fetch_limits *limits = starter->setup->limits;
	char numbers[5][64];
	const char *level = getenv("RUNBOOK_LOG_LEVEL");
	char level_text[64] = "RUNBOOK_LOG_LEVEL=info";
	char *argv[] = {(char *)"runbook-fetcher",
			(char *)"--child",
			(char *)"--root",
			(char *)starter->root,
			numbers[0],
			numbers[1],
			numbers[2],
			numbers[3],
			numbers[4],
			NULL};
	/* the child inherits nothing of our environment, which may have GIT_*, SSL_*, LD_* */
	char *envp[] = {level_text, (char *)"RUNBOOK_LOG_TARGET=stderr", (char *)"LANG=C.UTF-8",
			NULL};
	pid_t self = getpid();
	pid_t pid;

	if (level)
		(void)snprintf(level_text, sizeof(level_text), "RUNBOOK_LOG_LEVEL=%s", level);
	(void)snprintf(numbers[0], 64, "--timeout=%" PRIu64, limits->timeout_sec);
	(void)snprintf(numbers[1], 64, "--pack-max=%" PRIu64, limits->pack);
	(void)snprintf(numbers[2], 64, "--file-max=%" PRIu64, limits->blob);
	(void)snprintf(numbers[3], 64, "--tree-max=%" PRIu64, limits->tree);
	(void)snprintf(numbers[4], 64, "--entries-max=%" PRIu64, limits->tree_entries);
	pid = fork();
	if (pid == 0)
		child_start(starter->setup, socket_fd, self, argv, envp);
	return pid < 0 ? -errno : pid;
}

static void child_kill(const struct child *child)
{
	if (kill(-child->pid, SIGKILL) < 0) /* it does not lead its own group yet */
		(void)kill(child->pid, SIGKILL);
}

/* Return: the wait status. */
static int child_reap(struct child *child)
{
	int status = 0;

	(void)kill(-child->pid, SIGKILL); /* processes that it may have started */
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	loop_remove(&child->exit_file);
	if (child->pid_fd >= 0)
		(void)close(child->pid_fd);
	child->pid_fd = -1;
	child->pid = 0;
	return status;
}

static void ended_send(struct starter *starter, uint64_t number, int error, int status)
{
	int r = channel_send(&starter->service,
			     MESSAGE_NEW(fetch_child_ended, 0, .child = number,
					 .error = (uint64_t)error, .status = (uint64_t)status));

	if (r == 0 || r == -ENOTCONN)
		return;
	log_error("cannot report the end of a fetching process: %s: ending", strerror(-r));
	loop_exit(starter->loop, 1);
}

/* Return: 0 or -errno. */
static int child_watch(struct child *child, loop_file_fn on_exit)
{
	if (child->pid_fd < 0) {
		child->pid_fd = (int)syscall(SYS_pidfd_open, child->pid, 0);
		if (child->pid_fd < 0 || fcntl(child->pid_fd, F_SETFD, FD_CLOEXEC) < 0)
			return -errno;
	}
	return loop_add(child->starter->loop, &child->exit_file, child->pid_fd, EPOLLIN, on_exit);
}

/* Start @child, which waits for its job at the other end of @ret_fd. Return: 0 or -errno. */
static int child_make(struct child *child, loop_file_fn on_exit, int *ret_fd)
{
	cleanup_close int ours = -1, theirs = -1;
	int fds[2];
	int r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	ours = fds[0];
	theirs = fds[1];
	r = child_fork(child->starter, theirs);
	if (r < 0)
		return r;
	child->pid = r;
	r = child_watch(child, on_exit);
	if (r < 0) {
		child_kill(child);
		(void)child_reap(child);
		return r;
	}
	*ret_fd = TAKE_FD(ours);
	return 0;
}

/* ---- the spare child ---- */

/*
 * To load a fetching process and its libraries takes longer than a small fetch. So a process is made
 * ahead when the last one has ended, and waits for a job.
 */

static void on_spare_exit(struct loop_file *file, uint32_t events)
{
	struct child *spare = container_of(file, struct child, exit_file);
	struct starter *starter = spare->starter;

	(void)child_reap(spare);
	if (starter->spare_fd >= 0)
		(void)close(starter->spare_fd);
	starter->spare_fd = -1;
}

/* It ends when the other end of its socket is closed, and on_spare_exit() reaps it. */
static void spare_let_go(struct loop_timer *timer)
{
	struct starter *starter = container_of(timer, struct starter, spare_timer);

	if (starter->spare_fd >= 0)
		(void)close(starter->spare_fd);
	starter->spare_fd = -1;
}

static void spare_make(struct loop_timer *timer)
{
	struct starter *starter = container_of(timer, struct starter, spare_timer);

	/* on failure the next job gets a new process */
	if (starter->spare.pid == 0 &&
	    child_make(&starter->spare, on_spare_exit, &starter->spare_fd) == 0)
		(void)loop_timer_set(starter->loop, timer, now_usec() + SPARE_KEEP_USEC,
				     spare_let_go);
}

static void spare_wanted(struct starter *starter)
{
	for (size_t i = 0; i < ARRAY_SIZE(starter->children); i++) {
		if (starter->children[i].pid)
			return;
	}
	(void)loop_timer_set(starter->loop, &starter->spare_timer, now_usec() + SPARE_AFTER_USEC,
			     spare_make);
}

static void on_child_exit(struct loop_file *file, uint32_t events)
{
	struct child *child = container_of(file, struct child, exit_file);
	struct starter *starter = child->starter;
	int status = child_reap(child);

	ended_send(starter, (uint64_t)(child - starter->children), 0, status);
	spare_wanted(starter);
}

/* Make the spare, if there is one, @child. Return: 0 and @ret_fd; -ENOENT; -errno. */
static int spare_take(struct child *child, int *ret_fd)
{
	struct starter *starter = child->starter;
	int r;

	if (starter->spare_fd < 0)
		return -ENOENT;
	loop_remove(&starter->spare.exit_file);
	child->pid = starter->spare.pid;
	child->pid_fd = starter->spare.pid_fd;
	starter->spare.pid = 0;
	starter->spare.pid_fd = -1;
	*ret_fd = TAKE_FD(starter->spare_fd);
	loop_timer_cancel(&starter->spare_timer);
	r = child_watch(child, on_child_exit);
	if (r == 0)
		return 0;
	(void)close(*ret_fd);
	child_kill(child);
	(void)child_reap(child);
	return r;
}

/* ---- orders ---- */

/* Return: 0; -errno when the child died before it had a job. */
static int job_pass(int fd, const struct message_fetch_child_start *start)
{
	return message_transmit(
		fd, MESSAGE_NEW(fetch_child_start, 0, .child = start->child, .job = start->job));
}

/* Start a child; a failure to do so is reported like a child's end. */
static int on_start(struct channel *channel, struct message *message)
{
	struct starter *starter = channel->userdata;
	struct message_fetch_child_start start;
	cleanup_close int fd = -1;
	struct child *child;
	int r = MESSAGE_GET(message, fetch_child_start, &start);

	if (r < 0)
		return r;
	child = &starter->children[start.child];
	if (child->pid)
		return -EBADMSG;
	if (spare_take(child, &fd) == 0) {
		if (job_pass(fd, &start) == 0)
			return 0;
		(void)close(TAKE_FD(fd));
		child_kill(child);
		(void)child_reap(child);
	}
	r = child_make(child, on_child_exit, &fd);
	/* a child that is gone already is reported by on_child_exit() */
	if (r == 0)
		(void)job_pass(fd, &start);
	else
		ended_send(starter, start.child, -r, 0);
	return 0;
}

static int on_kill(struct channel *channel, struct message *message)
{
	struct starter *starter = channel->userdata;
	struct message_fetch_child_kill order;
	int r = MESSAGE_GET(message, fetch_child_kill, &order);

	if (r == 0 && starter->children[order.child].pid)
		child_kill(&starter->children[order.child]);
	return r;
}

static const struct message_handler handlers[] = {
	{MESSAGE_FETCH_CHILD_START, on_start},
	{MESSAGE_FETCH_CHILD_KILL, on_kill},
};

static void on_service_gone(struct channel *channel)
{
	const struct starter *starter = channel->userdata;

	loop_exit(starter->loop, 0);
}

int starter_run(struct process *process)
{
	static struct starter starter;
	int r;

	starter.setup = process->userdata;
	starter.root = *process->paths.root ? process->paths.root : "/";
	for (size_t i = 0; i < ARRAY_SIZE(starter.children); i++)
		starter.children[i] = (struct child){
			.starter = &starter, .exit_file = LOOP_FILE_NULL, .pid_fd = -1};
	starter.spare = starter.children[0];
	starter.spare_fd = -1;
	starter.spare_timer = LOOP_TIMER_NULL;
	r = loop_new(&starter.loop);
	if (r == 0)
		r = channel_open(&starter.service, starter.loop, CHANNEL_FD, ROLE_STARTER,
				 ROLE_FETCHER, handlers, ARRAY_SIZE(handlers), on_service_gone,
				 &starter);
	memory_trim();
	if (r == 0)
		r = loop_run(starter.loop);
	channel_close(&starter.service);
	return r;
}
