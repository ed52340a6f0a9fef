/* SPDX-License-Identifier: Apache-2.0 */

/*
 * DOC: PID 1 of a sandbox
 *
 * runbook-init starts inside every namespace of the step but the user
 * namespace: it keeps an id of its own outside of it, has no capability and is
 * not dumpable, so root inside can neither signal nor trace it. That id owns
 * the step's user namespace, which is what lets its one child join it and lets
 * it pass signals on. It reaps, and ends when the command has: the kernel then
 * kills whatever is left of the step.
 *
 * It also ends when nobody holds the other end of the status pipe: a step does
 * not outlive everybody who could hear of its result.
 */

#include "common/cleanup.h"
#include "common/limits.h"
#include "common/step_payload.h"
#include "sandbox/status.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_BYTES (64 * 1024)
#define FILTER_MAX 1024 /* instructions */

/* enum sandbox_exit of sandbox.h, which this program does not include */
enum { HOW_EXITED = 0, HOW_SIGNALED = 1, HOW_EXEC_FAILED = 2 };

/* What root inside may do: own its files, change ids, bind low ports, chroot. */
static const unsigned char kept_capabilities[] = {
	CAP_CHOWN,   CAP_DAC_OVERRIDE, CAP_FOWNER,	     CAP_FSETID,
	CAP_KILL,    CAP_SETGID,       CAP_SETUID,	     CAP_SETPCAP,
	CAP_SETFCAP, CAP_SYS_CHROOT,   CAP_NET_BIND_SERVICE,
};

/* Shared with the command's process until it execs: one address space. */
struct command {
	const char *workdir;
	struct sandbox_status failure; /* how != 0: it never reached exec */
	char *payload;		       /* mapped by the command's process */
	size_t payload_size;
};

static int fail(struct command *command, int how, int number, const char *what, const char *name)
{
	const char *description = strerrordesc_np(number);

	command->failure.how = how;
	command->failure.code = number;
	(void)snprintf(command->failure.text, sizeof(command->failure.text), "%s%s%.120s%s: %s",
		       what, name ? " \"" : "", name ? name : "", name ? "\"" : "",
		       description ? description : "unknown error");
	return 1;
}

static int fail_setup(struct command *command, const char *what)
{
	return fail(command, SANDBOX_STATUS_SETUP_FAILED, errno, what, NULL);
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[2] = {{0}};
	unsigned long long kept = 0;

	for (size_t i = 0; i < sizeof(kept_capabilities); i++)
		kept |= 1ULL << kept_capabilities[i];
	for (int cap = 0; cap < 64; cap++) {
		if (kept & (1ULL << cap))
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
			if (errno == EINVAL && cap > CAP_CHECKPOINT_RESTORE)
				break; /* above the last one that this kernel knows */
			return -1;
		}
	}
	caps[0].effective = caps[0].permitted = (unsigned)kept;
	caps[1].effective = caps[1].permitted = (unsigned)(kept >> 32);
	return (int)syscall(SYS_capset, &header, caps);
}

/* Raw calls: the C library's would tell threads of a process it shares memory with. */
static int become_root_inside(struct command *command)
{
	if (setns(INIT_FD_USERNS, CLONE_NEWUSER) < 0)
		return fail_setup(command, "cannot join the user namespace");
	if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, 0, 0, 0) < 0 ||
	    syscall(SYS_setresuid, 0, 0, 0) < 0)
		return fail_setup(command, "cannot become uid 0 of the user namespace");
	if (drop_capabilities() < 0)
		return fail_setup(command, "cannot drop capabilities");
	/* kernels without keys have none to protect */
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
		return fail_setup(command, "cannot make a session keyring");
	return 0;
}

static int load_filter(struct command *command, struct sock_filter *filter)
{
	ssize_t size = pread(INIT_FD_FILTER, filter, FILTER_MAX * sizeof(*filter), 0);
	struct sock_fprog program;

	if (size <= 0 || (size_t)size % sizeof(*filter) != 0) {
		errno = size < 0 ? errno : EBADMSG;
		return fail_setup(command, "cannot read the seccomp filter");
	}
	program = (struct sock_fprog){.len = (unsigned short)((size_t)size / sizeof(*filter)),
				      .filter = filter};
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return fail_setup(command, "cannot load the seccomp filter");
	return 0;
}

/* The payload's strings and the pointers to them, in one mapping of this process. */
static int read_payload(struct command *command, char ***ret_argv, char ***ret_envp)
{
	struct step_payload_header header;
	size_t n_pointers, size, total;
	char *data;
	ssize_t got = pread(INIT_FD_PAYLOAD, &header, sizeof(header), 0);

	if (got != (ssize_t)sizeof(header) || header.magic != STEP_PAYLOAD_MAGIC ||
	    header.size > STEP_PAYLOAD_MAX || header.n_argv > header.size ||
	    header.n_envp > header.size) {
		errno = EBADMSG;
		return fail_setup(command, "cannot read the command");
	}
	size = sizeof(header) + header.size;
	n_pointers = (size_t)header.n_argv + header.n_envp + 2;
	total = ((size + 15) & ~(size_t)15) + n_pointers * sizeof(char *);
	data = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (data == MAP_FAILED)
		return fail_setup(command, "cannot read the command");
	command->payload = data;
	command->payload_size = total;
	for (size_t used = 0; used < size;) {
		got = pread(INIT_FD_PAYLOAD, data + used, size - used, (off_t)used);
		if (got <= 0) {
			errno = got < 0 ? errno : EBADMSG;
			return fail_setup(command, "cannot read the command");
		}
		used += (size_t)got;
	}
	if (step_payload_parse(data, size, (char **)(void *)(data + ((size + 15) & ~(size_t)15)),
			       n_pointers, ret_argv, ret_envp) < 0) {
		errno = EBADMSG;
		return fail_setup(command, "cannot read the command");
	}
	return 0;
}

/* execvp(3) with the PATH of the environment to be, without its shell fallback. */
static int exec_command(struct command *command, char **argv, char **envp)
{
	const char *search = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	int number = ENOENT;
	char path[4096];

	if (strchr(argv[0], '/')) {
		(void)execve(argv[0], argv, envp);
		return fail(command, HOW_EXEC_FAILED, errno, "cannot execute", argv[0]);
	}
	for (char **entry = envp; *entry; entry++) {
		if (strncmp(*entry, "PATH=", 5) == 0)
			search = *entry + 5;
	}
	while (argv[0][0]) {
		size_t length = strcspn(search, ":");
		int used = snprintf(path, sizeof(path), "%.*s/%s", (int)length,
				    length ? search : ".", argv[0]);

		if (used > 0 && (size_t)used < sizeof(path)) {
			(void)execve(path, argv, envp);
			/* "found but not allowed" says more than "not found further on" */
			if (errno != ENOENT && errno != ENOTDIR)
				number = errno;
		}
		if (!search[length])
			break;
		search += length + 1;
	}
	return fail(command, HOW_EXEC_FAILED, number, "cannot execute", argv[0]);
}

/*
 * What the caller ignores stays ignored over exec, and clone3's
 * CLONE_CLEAR_SIGHAND leaves it so: `yes | head` would never end by SIGPIPE.
 */
static void default_signals(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL};

	for (int number = 1; number < NSIG; number++)
		(void)sigaction(number, &action, NULL);
}

static int command_main(void *argument)
{
	struct command *command = argument;
	struct sock_filter filter[FILTER_MAX];
	char **argv, **envp;
	sigset_t none;

	(void)setsid();
	if (read_payload(command, &argv, &envp) || become_root_inside(command))
		return 1;
	if (chdir(command->workdir) < 0)
		return fail(command, SANDBOX_STATUS_SETUP_FAILED, errno,
			    "cannot enter the working directory", command->workdir);
	default_signals();
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */) < 0)
		return fail_setup(command, "cannot close descriptors");
	if (load_filter(command, filter))
		return 1;
	return exec_command(command, argv, envp);
}

static void report(const struct sandbox_status *status)
{
	while (write(INIT_FD_STATUS, status, sizeof(*status)) < 0 && errno == EINTR)
		;
	_exit(0);
}

static void reap(pid_t main_pid, struct sandbox_status *status)
{
	int state;

	for (;;) {
		pid_t pid = waitpid(-1, &state, WNOHANG | __WALL);

		if (pid <= 0)
			return;
		if (pid != main_pid)
			continue;
		status->how = WIFSIGNALED(state) ? HOW_SIGNALED : HOW_EXITED;
		status->code = WIFSIGNALED(state) ? WTERMSIG(state) : WEXITSTATUS(state);
		report(status);
	}
}

/* To the command's process group; the owner of a user namespace may signal what is in it. */
static void forward(pid_t main_pid, int number)
{
	(void)kill(-main_pid, number);
	/* a stopped process sees the others only when it goes on */
	if (number == SIGTERM || number == SIGINT || number == SIGHUP || number == SIGQUIT)
		(void)kill(-main_pid, SIGCONT);
}

static void serve(pid_t main_pid, int signals_fd, struct sandbox_status *status)
{
	struct pollfd files[] = {
		{.fd = signals_fd, .events = POLLIN},
		{.fd = INIT_FD_STATUS, .events = 0}, /* POLLERR: no reader is left */
	};

	for (;;) {
		struct signalfd_siginfo info;

		if (poll(files, ARRAY_SIZE(files), -1) < 0 && errno != EINTR)
			_exit(1);
		if (files[1].revents)
			_exit(1);
		if (!(files[0].revents & POLLIN) ||
		    read(signals_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
			continue;
		if (info.ssi_signo == SIGCHLD)
			reap(main_pid, status);
		else
			forward(main_pid, (int)info.ssi_signo);
	}
}

int main(int argc, char **argv)
{
	static _Alignas(16) char stack[STACK_BYTES];
	struct sandbox_status status = {.magic = SANDBOX_STATUS_MAGIC};
	struct command command = {.workdir = argc > 1 ? argv[1] : "/"};
	sigset_t all;
	int signals_fd;
	pid_t pid;

	/* before anything of the step exists */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || getpid() != 1) {
		(void)fprintf(stderr,
			      "runbook-init: part of runbookd, it is not started by hand\n");
		return 2;
	}
	(void)prctl(PR_SET_NAME, "runbook-init", 0, 0, 0);
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	signals_fd = signalfd(-1, &all, SFD_CLOEXEC);
	pid = clone(command_main, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD,
		    &command);
	if (pid < 0 || signals_fd < 0)
		(void)fail_setup(&command, "cannot start a process for the command");
	/* the environment may hold secrets: this process keeps no copy */
	if (command.payload)
		(void)munmap(command.payload, command.payload_size);
	if (command.failure.how != 0) {
		command.failure.magic = SANDBOX_STATUS_MAGIC;
		report(&command.failure);
	}
	(void)close(0);
	(void)close(1);
	(void)close(2);
	(void)syscall(SYS_close_range, (unsigned)INIT_FD_USERNS, (unsigned)INIT_FD_PAYLOAD, 0U);
	serve(pid, signals_fd, &status);
	return 0;
}
