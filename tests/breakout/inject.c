/* SPDX-License-Identifier: Apache-2.0 */

/*
 * DOC: Code inside a process of ours
 *
 * `inject PID` plays whoever took that process over: each line of its input is a
 * system call that the process makes, with its own ids, Landlock rules and filter.
 *
 *   NAME NUMBER [ARGUMENT…]
 *
 * An argument is a number, "$" (the last result), "@TEXT" (a pointer to the text),
 * "sun:PATH", "abstract:NAME" or "in:ADDRESS:PORT" (a pointer to that socket address),
 * or "argv:PATH" (a pointer to an array with just that text). Printed is "NAME RESULT", where the
 * result is a number, the name of an error, or "killed". The process goes on as if
 * nothing had been, unless it was killed.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCRATCH_BYTES 4096

struct victim {
	pid_t pid;
	struct user_regs_struct saved;
	uint64_t call;	  /* address of a syscall instruction */
	uint64_t scratch; /* memory of ours below its stack */
	size_t used;
	long last;
};

static bool copy_in(struct victim *victim, const void *data, size_t size, uint64_t *ret_address)
{
	struct iovec local = {(void *)(uintptr_t)data, size};
	struct iovec remote = {(void *)(uintptr_t)(victim->scratch + victim->used), size};

	if (victim->used + size > SCRATCH_BYTES ||
	    process_vm_writev(victim->pid, &local, 1, &remote, 1, 0) != (ssize_t)size)
		return false;
	*ret_address = victim->scratch + victim->used;
	victim->used += (size + 15) & ~(size_t)15;
	return true;
}

static bool put_address(struct victim *victim, const char *text, uint64_t *ret_value)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	char host[64];
	unsigned port;

	if (sscanf(text, "in:%63[^:]:%u", host, &port) == 2) {
		in.sin_port = htons((uint16_t)port);
		(void)inet_pton(AF_INET, host, &in.sin_addr);
		return copy_in(victim, &in, sizeof(in), ret_value);
	}
	/* an abstract name begins with a zero */
	(void)snprintf(sun.sun_path + (text[0] == 'a'), sizeof(sun.sun_path) - 1, "%s",
		       strchr(text, ':') + 1);
	return copy_in(victim, &sun, sizeof(sun), ret_value);
}

static bool argument(struct victim *victim, const char *text, uint64_t *ret_value)
{
	uint64_t pair[2] = {0};

	if (strcmp(text, "$") == 0) {
		*ret_value = (uint64_t)victim->last;
		return true;
	}
	if (text[0] == '@')
		return copy_in(victim, text + 1, strlen(text), ret_value);
	if (strncmp(text, "argv:", 5) == 0)
		return copy_in(victim, text + 5, strlen(text + 5) + 1, &pair[0]) &&
		       copy_in(victim, pair, sizeof(pair), ret_value);
	if (strncmp(text, "sun:", 4) == 0 || strncmp(text, "in:", 3) == 0 ||
	    strncmp(text, "abstract:", 9) == 0)
		return put_address(victim, text, ret_value);
	*ret_value = (uint64_t)strtoll(text, NULL, 0);
	return true;
}

/* Return: false when the process is no more. */
static bool wait_stop(const struct victim *victim)
{
	int status;

	return waitpid(victim->pid, &status, __WALL) == victim->pid && WIFSTOPPED(status);
}

static bool enter(struct victim *victim)
{
	uint16_t instruction;
	struct iovec local = {&instruction, 2}, remote = {NULL, 2};

	if (ptrace(PTRACE_SEIZE, victim->pid, NULL, NULL) < 0 ||
	    ptrace(PTRACE_INTERRUPT, victim->pid, NULL, NULL) < 0 || !wait_stop(victim) ||
	    ptrace(PTRACE_GETREGS, victim->pid, NULL, &victim->saved) < 0)
		return false;
	victim->call = victim->saved.rip - 2;
	remote.iov_base = (void *)(uintptr_t)victim->call;
	if (process_vm_readv(victim->pid, &local, 1, &remote, 1, 0) != 2 || instruction != 0x050f) {
		(void)fprintf(stderr, "inject: %d waits in no system call\n", victim->pid);
		return false;
	}
	victim->scratch = (victim->saved.rsp - 2 * SCRATCH_BYTES) & ~(uint64_t)15;
	return true;
}

static bool perform(struct victim *victim, long number, const uint64_t arguments[6])
{
	struct user_regs_struct regs = victim->saved;

	regs.rip = victim->call;
	regs.rax = (uint64_t)number;
	regs.orig_rax = (uint64_t)-1; /* what it waits in is not restarted now */
	regs.rdi = arguments[0];
	regs.rsi = arguments[1];
	regs.rdx = arguments[2];
	regs.r10 = arguments[3];
	regs.r8 = arguments[4];
	regs.r9 = arguments[5];
	if (ptrace(PTRACE_SETREGS, victim->pid, NULL, &regs) < 0 ||
	    ptrace(PTRACE_SINGLESTEP, victim->pid, NULL, NULL) < 0 || !wait_stop(victim) ||
	    ptrace(PTRACE_GETREGS, victim->pid, NULL, &regs) < 0)
		return false;
	victim->last = (long)regs.rax;
	return true;
}

int main(int argc, char **argv)
{
	struct victim victim = {.pid = argc > 1 ? atoi(argv[1]) : 0};
	char line[4096];

	if (!enter(&victim)) {
		perror("inject");
		return 1;
	}
	while (fgets(line, sizeof(line), stdin)) {
		uint64_t arguments[6] = {0};
		char *name = strtok(line, " \n"), *number = strtok(NULL, " \n"), *text;

		victim.used = 0;
		for (size_t n = 0; n < 6 && (text = strtok(NULL, " \n")); n++) {
			if (!argument(&victim, text, &arguments[n]))
				return 1;
		}
		if (!name || !number)
			continue;
		if (!perform(&victim, atol(number), arguments)) {
			(void)printf("%s killed\n", name);
			return 0;
		}
		if (victim.last < 0 && victim.last > -4096)
			(void)printf("%s %s\n", name, strerrorname_np((int)-victim.last));
		else
			(void)printf("%s %ld\n", name, victim.last);
		(void)fflush(stdout);
	}
	(void)ptrace(PTRACE_SETREGS, victim.pid, NULL, &victim.saved);
	(void)ptrace(PTRACE_DETACH, victim.pid, NULL, NULL);
	return 0;
}
