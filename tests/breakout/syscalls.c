/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes one system call for each line of standard input and compares what the
 * sandbox says to it with what the line expects:
 *
 *   DOOR NUMBER ARG ARG ARG ARG ARG ARG EXPECTED NAME
 *
 * DOOR is "native" or "i386" (int 0x80); EXPECTED is "allow", "killed",
 * "ignored" or the name of an error. Nothing that is allowed is ever executed:
 * each call is made by a process that has a filter of its own, which asks its
 * tracer about just that number. The kernel takes the strictest answer of all
 * filters, so the tracer is asked if, and only if, the sandbox allows the call.
 *
 * With the argument --has-i386 it makes one harmless call by int 0x80 instead: exit
 * status 0 where the kernel has that entry, 1 where it has not (CONFIG_IA32_EMULATION,
 * ia32_emulation=0), which shows as SIGSEGV before any filter is asked.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct probe {
	char door[16];
	uint32_t number;
	uint64_t arguments[6];
	char expected[32], name[64];
};

struct result {
	int done;
	long value;
};

static long native_call(const struct probe *probe)
{
	register long r10 __asm__("r10") = (long)probe->arguments[3];
	register long r8 __asm__("r8") = (long)probe->arguments[4];
	register long r9 __asm__("r9") = (long)probe->arguments[5];
	/* all 64 bits, as the kernel does: a number is an int there */
	long value = (long)(int)probe->number;

	__asm__ volatile("syscall"
			 : "+a"(value)
			 : "D"(probe->arguments[0]), "S"(probe->arguments[1]),
			   "d"(probe->arguments[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return value;
}

static long i386_call(const struct probe *probe)
{
	long value = (long)probe->number;

	__asm__ volatile("int $0x80"
			 : "+a"(value)
			 : "b"(probe->arguments[0]), "c"(probe->arguments[1]),
			   "d"(probe->arguments[2]), "S"(probe->arguments[3]),
			   "D"(probe->arguments[4])
			 : "memory", "r8", "r9", "r10", "r11");
	return value;
}

static void tracee(const struct probe *probe, struct result *result)
{
	int i386 = strcmp(probe->door, "i386") == 0;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, i386 ? AUDIT_ARCH_I386 : AUDIT_ARCH_X86_64, 0,
			 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, probe->number, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		_exit(99);
	result->value = i386 ? i386_call(probe) : native_call(probe);
	result->done = 1;
	_exit(0);
}

/* uretprobe and uprobe pass every filter on kernels that have them, and kill or refuse us. */
static int passes_filters(const struct probe *probe)
{
	return strcmp(probe->door, "native") == 0 && (probe->number == 335 || probe->number == 336);
}

static const char *answer_name(const struct probe *probe, const struct result *result, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return "killed";
	/* a kernel without the i386 door */
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && strcmp(probe->door, "i386") == 0)
		return "killed";
	if (passes_filters(probe) && (WIFSIGNALED(status) || result->value != -EPERM))
		return "allow";
	if (WIFSIGNALED(status))
		return strsignal(WTERMSIG(status));
	if (!result->done)
		return "no answer";
	if (result->value == 0)
		return "ignored";
	return result->value < 0 ? strerrorname_np((int)-result->value) : "a result";
}

static const char *ask(const struct probe *probe, struct result *result)
{
	const long options = PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL;
	int status, allowed = 0;
	pid_t pid;

	memset(result, 0, sizeof(*result));
	pid = fork();
	if (pid == 0)
		tracee(probe, result);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, pid, NULL, options) < 0 ||
	    ptrace(PTRACE_CONT, pid, NULL, NULL) < 0)
		return "cannot trace";
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		/* killed here, it never makes the call */
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8)) {
			allowed = 1;
			(void)kill(pid, SIGKILL);
			continue;
		}
		(void)ptrace(PTRACE_CONT, pid, NULL, (long)WSTOPSIG(status));
	}
	return allowed ? "allow" : answer_name(probe, result, status);
}

static int has_i386(void)
{
	const struct probe probe = {.number = 20}; /* getpid */
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(i386_call(&probe) == getpid() ? 0 : 2);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 2;
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSEGV ? 1 : 2;
	return WEXITSTATUS(status) == 0 ? 0 : 2;
}

int main(int argc, char **argv)
{
	struct result *result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned n_probes = 0, n_wrong = 0;
	char line[512];

	if (result == MAP_FAILED)
		return 2;
	if (argc > 1)
		return strcmp(argv[1], "--has-i386") == 0 ? has_i386() : 2;
	while (fgets(line, sizeof(line), stdin)) {
		struct probe probe = {0};
		uint64_t *a = probe.arguments;
		const char *answer;

		if (sscanf(line,
			   "%15s %" SCNi32 " %" SCNi64 " %" SCNi64 " %" SCNi64 " %" SCNi64
			   " %" SCNi64 " %" SCNi64 " %31s %63s",
			   probe.door, (int32_t *)&probe.number, (int64_t *)&a[0], (int64_t *)&a[1],
			   (int64_t *)&a[2], (int64_t *)&a[3], (int64_t *)&a[4], (int64_t *)&a[5],
			   probe.expected, probe.name) != 10) {
			(void)printf("bad line: %s", line);
			return 2;
		}
		answer = ask(&probe, result);
		n_probes++;
		if (answer && strcmp(answer, probe.expected) == 0)
			continue;
		n_wrong++;
		(void)printf("%s %u %s(%#" PRIx64 ", %#" PRIx64 ", %#" PRIx64
			     "): %s, expected %s\n",
			     probe.door, probe.number, probe.name, a[0], a[1], a[2],
			     answer ? answer : "an unknown error", probe.expected);
	}
	(void)printf("%u probed, %u wrong\n", n_probes, n_wrong);
	return n_wrong ? 1 : 0;
}
