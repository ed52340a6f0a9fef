/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/init_watch.h"

#include "sandbox/init_sys.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/vfs.h>
#include <sys/wait.h>

/* Writes tagged fields, because runbookd may have been upgraded meanwhile. */
void init_watch_report(const struct sandbox_status *status)
{
	static char text[SANDBOX_STATUS_BYTES_MAX];
	struct sandbox_status_head head = {.magic = SANDBOX_STATUS_MAGIC};

	head.size = (uint32_t)fields_pack(&sandbox_status_fields, status, text + sizeof(head),
					  sizeof(text) - sizeof(head));
	memcpy(text, &head, sizeof(head));
	while (init_call(SYS_write, INIT_FD_STATUS, text, sizeof(head) + head.size, 0) == -EINTR)
		;
}

/* The only measurements where the kernel has no cgroups, or not all controllers. */
static void measure(struct sandbox_status *status)
{
	struct rusage usage = {0};
	struct statfs fs = {0};

	if (init_call(SYS_getrusage, RUSAGE_CHILDREN, &usage, 0, 0) == 0) {
		status->cpu_user_usec = (uint64_t)usage.ru_utime.tv_sec * 1000000 +
					(uint64_t)usage.ru_utime.tv_usec;
		status->cpu_system_usec = (uint64_t)usage.ru_stime.tv_sec * 1000000 +
					  (uint64_t)usage.ru_stime.tv_usec;
		status->process_peak = (uint64_t)usage.ru_maxrss * 1024;
	}
	/* an overlay reports the file system of its upper directory: scratch */
	if (init_call(SYS_statfs, "/", &fs, 0, 0) == 0 && fs.f_bsize > 0) {
		status->disk_bytes = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize;
		status->disk_free = (uint64_t)fs.f_bfree * (uint64_t)fs.f_bsize;
		status->no_files_left = fs.f_files > 0 && fs.f_ffree == 0;
	}
}

static void end(struct init_watch *watch)
{
	init_tty_end(watch->tty);
	init_exit(0);
}

/* Reports the command's end at once: its other processes may need the rest of the grace. */
static void command_ended(struct init_watch *watch, int state)
{
	struct sandbox_status *status = &watch->status;

	status->how = WIFSIGNALED(state) ? INIT_SIGNALED : INIT_EXITED;
	status->code = WIFSIGNALED(state) ? WTERMSIG(state) : WEXITSTATUS(state);
	measure(status);
	init_tty_end(watch->tty);
	init_watch_report(status);
	watch->ended = true;
	if (!watch->terminating)
		end(watch);
}

static void reap(struct init_watch *watch)
{
	for (;;) {
		int state = 0;
		long pid = init_call(SYS_wait4, -1, &state, WNOHANG | __WALL, NULL);

		if (pid == watch->main_pid)
			command_ended(watch, state);
		/* all orphans are our children: without a child, no other process is left */
		if (pid == -ECHILD && watch->ended)
			end(watch);
		if (pid <= 0)
			return;
	}
}

/*
 * SIGTERM goes to all processes in here, including those with a session or process group of
 * their own, as systemd sends it to a whole control group. Other signals go to the command's
 * process group, as from a terminal. We may send them because we own the user namespace.
 */
static void forward(struct init_watch *watch, long number)
{
	long whom = number == SIGTERM ? -1 : -watch->main_pid;

	(void)init_call(SYS_kill, whom, number, 0, 0);
	if (number != SIGTERM && number != SIGINT && number != SIGHUP && number != SIGQUIT)
		return;
	watch->terminating = true;
	/* a stopped process handles the signal only after SIGCONT */
	(void)init_call(SYS_kill, whom, SIGCONT, 0, 0);
}

_Noreturn void init_watch(struct init_watch *watch)
{
	struct pollfd files[] = {
		{.fd = watch->signals_fd, .events = POLLIN},
		{.fd = INIT_FD_STATUS, .events = 0}, /* POLLERR: no reader is left */
		{.fd = -1},			     /* the terminal */
	};

	for (;;) {
		struct signalfd_siginfo info = {0};
		long n_ready;

		init_tty_wanted(watch->tty, &files[2]);
		n_ready = init_call(SYS_poll, files, 3, -1, 0);
		if ((n_ready < 0 && n_ready != -EINTR) || files[1].revents)
			init_exit(1);
		if (n_ready > 0 && files[2].revents)
			init_tty_pump(watch->tty);
		if (!(files[0].revents & POLLIN) ||
		    init_call(SYS_read, watch->signals_fd, &info, sizeof(info), 0) != sizeof(info))
			continue;
		if (info.ssi_signo == SIGCHLD)
			reap(watch);
		else
			forward(watch, info.ssi_signo);
	}
}
