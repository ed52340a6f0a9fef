/* SPDX-License-Identifier: Apache-2.0 */

/*
 * DOC: PID 1 of a sandbox
 *
 * runbook-init starts inside every namespace of the step except the user namespace: it has an
 * id outside of that, has no capability and is not dumpable, so root inside can neither signal
 * nor trace it. Its id owns the step's user namespace, so its child may join the namespace, and
 * it may signal processes inside. It reaps, and exits when the command has ended
 * (init_watch.h): the kernel then kills all other processes of the step.
 *
 * It also exits when no process has the other end of the status pipe open: a step does not
 * outlive every process that could receive its result.
 */

#include "common/limits.h"
#include "common/memory_guard.h"
#include "common/step_payload.h"
#include "sandbox/init_accounts.h"
#include "sandbox/init_fds.h"
#include "sandbox/init_sys.h"
#include "sandbox/init_tty.h"
#include "sandbox/init_watch.h"
#include "sandbox/status.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#define STACK_BYTES (64 * 1024)
#define FILTER_MAX 1024		      /* instructions */
#define FLAG_WAIT_KILLABLE (1UL << 5) /* SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV */
#define PATH_BYTES 4096
#define NAME_SHOWN_MAX 120
#define SIGNALS 64

/* Capabilities of root inside: own its files, change ids, bind low ports, chroot. */
static const unsigned char kept_capabilities[] = {
	CAP_CHOWN,   CAP_DAC_OVERRIDE, CAP_FOWNER,	     CAP_FSETID,
	CAP_KILL,    CAP_SETGID,       CAP_SETUID,	     CAP_SETPCAP,
	CAP_SETFCAP, CAP_SYS_CHROOT,   CAP_NET_BIND_SERVICE,
};

/* Shared with the command's process, which runs in our address space until it execs. */
struct command {
	const char *workdir;
	unsigned uid, gid;	       /* inside */
	bool report;		       /* denied system calls are reported to a listener */
	bool tty;		       /* the command gets a terminal */
	int tty_sockets[2];	       /* the command's process sends its ends through these */
	struct sandbox_status failure; /* how != 0: it failed before exec */
	char *payload;		       /* mapped by the command's process */
	size_t payload_size;
};

static void put_text(char *text, size_t size, size_t *used, const char *piece, size_t max)
{
	for (size_t i = 0; i < max && piece[i] && *used + 1 < size; i++)
		text[(*used)++] = piece[i];
	text[*used] = '\0';
}

/* Records a failure; the reader of the status, which has a C library, adds strerror(@number). */
static int fail(struct command *command, int how, long number, const char *what, const char *name)
{
	struct sandbox_status *failure = &command->failure;
	size_t used = 0, size = sizeof(failure->text);

	failure->how = how;
	failure->code = (int)number;
	put_text(failure->text, size, &used, what, size);
	if (name) {
		put_text(failure->text, size, &used, " \"", 2);
		put_text(failure->text, size, &used, name, NAME_SHOWN_MAX);
		put_text(failure->text, size, &used, "\"", 1);
	}
	return 1;
}

static int fail_setup(struct command *command, long result, const char *what)
{
	return fail(command, SANDBOX_STATUS_SETUP_FAILED, -result, what, NULL);
}

/* Keeps only kept_capabilities, in the bounding set as well, so that no exec regains others. */
static long drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[2] = {{0}};
	unsigned long long kept = 0;

	for (size_t i = 0; i < sizeof(kept_capabilities); i++)
		kept |= 1ULL << kept_capabilities[i];
	for (int cap = 0; cap < 64; cap++) {
		long result;

		if (kept & (1ULL << cap))
			continue;
		result = init_call(SYS_prctl, PR_CAPBSET_DROP, cap, 0, 0);
		if (result == -EINVAL && cap > CAP_CHECKPOINT_RESTORE)
			break; /* above the last capability of this kernel */
		if (result < 0)
			return result;
	}
	caps[0].effective = caps[0].permitted = (unsigned)kept;
	caps[1].effective = caps[1].permitted = (unsigned)(kept >> 32);
	return init_call(SYS_capset, &header, caps, 0, 0);
}

/* Joins the user namespace, where the command's process is root with few capabilities. */
static int become_root_inside(struct command *command)
{
	long result = init_call(SYS_setns, INIT_FD_USERNS, CLONE_NEWUSER, 0, 0);

	if (result < 0)
		return fail_setup(command, result, "cannot join the user namespace");
	result = init_call(SYS_setgroups, 0, NULL, 0, 0);
	if (result == 0)
		result = init_call(SYS_setresgid, 0, 0, 0, 0);
	if (result == 0)
		result = init_call(SYS_setresuid, 0, 0, 0, 0);
	if (result < 0)
		return fail_setup(command, result, "cannot become uid 0 of the user namespace");
	result = drop_capabilities();
	if (result < 0)
		return fail_setup(command, result, "cannot drop capabilities");
	/* kernels without keyrings have none to protect */
	result = init_call(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0);
	if (result < 0 && result != -ENOSYS)
		return fail_setup(command, result, "cannot make a session keyring");
	return 0;
}

static long set_filter(const struct command *command, const struct sock_fprog *program)
{
	unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	int listener_fd;
	long result;

	if (!command->report)
		return init_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program, 0);
	/* a signal must not make a call notify twice; kernels before 5.19 lack the flag */
	result = init_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags | FLAG_WAIT_KILLABLE,
			   program, 0);
	if (result == -EINVAL)
		result = init_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program, 0);
	if (result < 0)
		return result;
	/* the only message that a process inside sends there; exec closes the socket */
	listener_fd = (int)result;
	return init_fds_send(INIT_FD_REPORT, &listener_fd, 1);
}

static int load_filter(struct command *command, struct sock_filter *filter)
{
	long size = init_call(SYS_pread64, INIT_FD_FILTER, filter, FILTER_MAX * sizeof(*filter), 0);
	struct sock_fprog program;
	long result;

	if (size <= 0 || (size_t)size % sizeof(*filter) != 0)
		return fail_setup(command, size < 0 ? size : -EBADMSG,
				  "cannot read the seccomp filter");
	program = (struct sock_fprog){.len = (unsigned short)((size_t)size / sizeof(*filter)),
				      .filter = filter};
	result = set_filter(command, &program);
	return result < 0 ? fail_setup(command, result, "cannot load the seccomp filter") : 0;
}

static long read_all(int fd, char *data, size_t size)
{
	for (size_t used = 0; used < size;) {
		long got = init_call(SYS_pread64, fd, data + used, size - used, used);

		if (got <= 0)
			return got < 0 ? got : -EBADMSG;
		used += (size_t)got;
	}
	return 0;
}

/* The payload's strings and the pointers to them, in one mapping of this process. */
static long read_payload(struct command *command, char ***ret_argv, char ***ret_envp)
{
	struct step_payload_header header = {0};
	size_t n_pointers, size, start, total;
	long result = read_all(INIT_FD_PAYLOAD, (char *)&header, sizeof(header));

	if (result < 0)
		return result;
	if (header.magic != STEP_PAYLOAD_MAGIC || header.size > STEP_PAYLOAD_MAX ||
	    header.n_argv > header.size || header.n_envp > header.size)
		return -EBADMSG;
	size = sizeof(header) + header.size;
	start = (size + 15) & ~(size_t)15;
	n_pointers = (size_t)header.n_argv + header.n_envp + 2;
	total = start + n_pointers * sizeof(char *);
	result = init_call6(SYS_mmap, 0, (long)total, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (result < 0)
		return result;
	command->payload = (char *)result;
	command->payload_size = total;
	result = read_all(INIT_FD_PAYLOAD, command->payload, size);
	if (result < 0)
		return result;
	return step_payload_parse(command->payload, size,
				  (char **)(void *)(command->payload + start), n_pointers, ret_argv,
				  ret_envp);
}

/* The value of @entry if it begins with @name, which ends with "="; else NULL. */
static const char *value_of(const char *entry, const char *name)
{
	while (*name && *entry == *name) {
		entry++;
		name++;
	}
	return *name ? NULL : entry;
}

static bool has_slash(const char *text)
{
	while (*text && *text != '/')
		text++;
	return *text != '\0';
}

/* execvp(3) with the PATH of the command's environment, without its shell fallback. */
static int exec_command(struct command *command, char **argv, char **envp)
{
	const char *search = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	long number = ENOENT;

	if (has_slash(argv[0])) {
		number = -init_call(SYS_execve, argv[0], argv, envp, 0);
		return fail(command, INIT_EXEC_FAILED, number, "cannot execute", argv[0]);
	}
	for (char **entry = envp; *entry; entry++) {
		const char *value = value_of(*entry, "PATH=");

		search = value ? value : search;
	}
	while (argv[0][0]) {
		size_t length = 0, used = 0;
		char path[PATH_BYTES] = "";

		while (search[length] && search[length] != ':')
			length++;
		put_text(path, sizeof(path), &used, length ? search : ".", length ? length : 1);
		put_text(path, sizeof(path), &used, "/", 1);
		put_text(path, sizeof(path), &used, argv[0], sizeof(path));
		if (used + 1 < sizeof(path)) {
			long result = init_call(SYS_execve, path, argv, envp, 0);

			/* EACCES is more useful to report than ENOENT of a later directory */
			if (result != -ENOENT && result != -ENOTDIR)
				number = -result;
		}
		if (!search[length])
			break;
		search += length + 1;
	}
	return fail(command, INIT_EXEC_FAILED, number, "cannot execute", argv[0]);
}

/*
 * Signals that the caller ignores stay ignored over exec, also with CLONE_CLEAR_SIGHAND:
 * without this, `yes | head` would never end by SIGPIPE.
 */
static void default_signals(void)
{
	/* the kernel's struct sigaction: SIG_DFL is zero */
	static const unsigned long action[4];

	for (int number = 1; number <= SIGNALS; number++)
		(void)init_call(SYS_rt_sigaction, number, action, NULL, sizeof(uint64_t));
}

/* Makes all missing directories of the path; they belong to the command's user. */
static long make_workdir(const struct command *command)
{
	char path[PATH_BYTES] = "";
	size_t used = 0;

	for (const char *at = command->workdir; *at && used + 1 < sizeof(path); at++) {
		path[used++] = *at;
		path[used] = '\0';
		if (used > 1 && (at[1] == '/' || at[1] == '\0')) {
			long result = init_call(SYS_mkdir, path, 0755, 0, 0);

			if (result == 0)
				result = init_call(SYS_lchown, path, command->uid, command->gid, 0);
			if (result < 0 && result != -EEXIST)
				return result;
		}
	}
	return init_call(SYS_chdir, command->workdir, 0, 0, 0);
}

/* Makes the working directory if it is missing, as Docker does. */
static int enter_workdir(struct command *command)
{
	long result = init_call(SYS_chdir, command->workdir, 0, 0, 0);

	if (result == -ENOENT)
		result = make_workdir(command);
	return result < 0 ? fail(command, SANDBOX_STATUS_SETUP_FAILED, -result,
				 "cannot enter the working directory", command->workdir)
			  : 0;
}

/* Makes getpwuid(3) return the home that $HOME names. */
static int set_home(struct command *command, char **envp)
{
	const char *home = NULL;
	long result;

	for (; *envp; envp++) {
		const char *value = value_of(*envp, "HOME=");

		home = value ? value : home;
	}
	result = home ? init_accounts_set_home(home, command->uid, command->gid) : 0;
	return result < 0 ? fail_setup(command, result,
				       "cannot write the home directory into /etc/passwd")
			  : 0;
}

/* Changes to the user of the image or the step; a uid other than 0 loses all capabilities. */
static int become_user(struct command *command)
{
	long uid = command->uid, gid = command->gid, result = 0;

	if (gid != 0)
		result = init_call(SYS_setresgid, gid, gid, gid, 0);
	if (result == 0 && uid != 0)
		result = init_call(SYS_setresuid, uid, uid, uid, 0);
	return result < 0 ? fail_setup(command, result, "cannot become the command's user") : 0;
}

/* The command's process, up to exec. The filter is last: it would deny some of these calls. */
static int command_main(void *argument)
{
	struct command *command = argument;
	struct sock_filter filter[FILTER_MAX];
	const uint64_t none = 0;
	char **argv, **envp;
	long result;

	(void)init_call(SYS_setsid, 0, 0, 0, 0);
	result = read_payload(command, &argv, &envp);
	if (result < 0)
		return fail_setup(command, result, "cannot read the command");
	if (become_root_inside(command) || enter_workdir(command) || set_home(command, envp) ||
	    become_user(command))
		return 1;
	if (command->tty) {
		result = init_tty_become(command->tty_sockets[1]);
		if (result < 0)
			return fail_setup(command, result, "cannot make a terminal");
	}
	default_signals();
	(void)init_call(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none));
	result = init_call(SYS_close_range, 3, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */, 0);
	if (result < 0)
		return fail_setup(command, result, "cannot close descriptors");
	if (load_filter(command, filter))
		return 1;
	return exec_command(command, argv, envp);
}

/*
 * Before Linux 6.2 exec does not enter a time namespace, and a process that is to enter one may
 * not share memory. There the command's process is a forked copy, and reports a failure in a
 * shared mapping.
 */
static long start_apart(struct command *command)
{
	long pid, address = init_call6(SYS_mmap, 0, sizeof(*command), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct command *shared;

	if (address <= 0) /* user addresses are never negative */
		return address < 0 ? address : -ENOMEM;
	shared = (struct command *)address;
	*shared = *command;
	pid = init_fork(command_main, shared);
	command->failure = shared->failure;
	(void)init_call(SYS_munmap, shared, sizeof(*shared), 0, 0);
	return pid;
}

static long start_process(struct command *command, void *stack_end)
{
	long pid = init_vfork(command_main, command, stack_end);

	return pid == -EINVAL ? start_apart(command) : pid;
}

/* With a terminal, the command's process opens it and has sent us its ends when it execs. */
static long start(struct command *command, void *stack_end, struct init_tty *tty)
{
	long pid, result;

	if (!command->tty)
		return start_process(command, stack_end);
	result = init_call(SYS_socketpair, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0,
			   command->tty_sockets);
	if (result < 0)
		return result;
	pid = start_process(command, stack_end);
	if (pid > 0 && command->failure.how == 0)
		result = init_tty_take(tty, command->tty_sockets[0]);
	(void)init_call(SYS_close, command->tty_sockets[0], 0, 0, 0);
	(void)init_call(SYS_close, command->tty_sockets[1], 0, 0, 0);
	return result < 0 ? result : pid;
}

/* Parses "1000:100", which the sandbox library wrote. */
static void read_ids(const char *text, struct command *command)
{
	unsigned *number = &command->uid;

	for (; *text; text++) {
		if (*text == ':')
			number = &command->gid;
		else
			*number = *number * 10 + (unsigned)(*text - '0');
	}
}

int init_main(int argc, char **argv);

int init_main(int argc, char **argv)
{
	static const char by_hand[] = "runbook-init: part of runbookd, it is not started by hand\n";
	static _Alignas(4096) char stack[STACK_BYTES];
	struct command command = {.workdir = argc > 1 ? argv[1] : "/"};
	static struct init_tty tty = {.master_fd = -1, .slave_fd = -1};
	struct init_watch watch = {.tty = &tty};
	const uint64_t all = ~0ULL;
	long signals_fd, pid;

	if (argc > 2)
		read_ids(argv[2], &command);
	for (int i = 3; i < argc; i++) {
		command.report = command.report || argv[i][0] == 'r'; /* "report" */
		command.tty = command.tty || argv[i][0] == 't';	      /* "tty" */
	}
	/* before any process of the step exists */
	if (init_call(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0) < 0 ||
	    init_call(SYS_getpid, 0, 0, 0, 0) != 1) {
		(void)init_call(SYS_write, 2, by_hand, sizeof(by_hand) - 1, 0);
		return 2;
	}
	(void)init_call(SYS_prctl, PR_SET_NAME, "runbook-init", 0, 0);
	/* for this process only (memory_guard.h): the command may be a JIT compiler */
	(void)init_call(SYS_prctl, MEMORY_GUARD_OPTION, MEMORY_GUARD_SELF, 0, 0);
	(void)init_call(SYS_rt_sigprocmask, SIG_BLOCK, &all, NULL, sizeof(all));
	signals_fd = init_call(SYS_signalfd4, -1, &all, sizeof(all), SFD_CLOEXEC);
	pid = signals_fd < 0 ? signals_fd : start(&command, stack + sizeof(stack), &tty);
	if (pid < 0)
		(void)fail_setup(&command, pid, "cannot start a process for the command");
	/* the command's process has its own memory now, and this one waits as long as it runs */
	(void)init_call(SYS_madvise, stack, sizeof(stack), MADV_DONTNEED, 0);
	/* the environment may contain secrets: this process keeps no copy */
	if (command.payload)
		(void)init_call(SYS_munmap, command.payload, command.payload_size, 0, 0);
	if (command.failure.how != 0) {
		init_watch_report(&command.failure);
		init_exit(0);
	}
	/* close the command's three, except a terminal's output, and its other descriptors */
	(void)init_call(SYS_close, 0, 0, 0, 0);
	(void)init_call(SYS_close_range, tty.master_fd < 0 ? 1 : 2, 2, 0, 0);
	(void)init_call(SYS_close_range, INIT_FD_USERNS, INIT_FD_PAYLOAD, 0, 0);
	if (command.report)
		(void)init_call(SYS_close, INIT_FD_REPORT, 0, 0, 0);
	watch.main_pid = pid;
	watch.signals_fd = (int)signals_fd;
	init_watch(&watch);
}
