/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into linux.uml. The 6.1 kernel keeps 2,696 bytes of a guest process's extended
 * registers (up to AVX-512 and PKRU), and the host takes them back only as a whole
 * (PTRACE_SETREGSET of NT_X86_XSTATE: EFAULT otherwise). On a processor with AMX the whole
 * is 11,008 bytes, and the guest's first program dies with "ptrace set fp regs failed". What
 * is missing belongs to components that no guest process may use and whose bits in XSTATE_BV
 * are therefore 0: nothing but zeros, which are added here.
 * (Intel SDM 1, 13.4: the standard format of the XSAVE area.)
 */
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define WHOLE_MAX (64 * 1024)

static long set_whole(pid_t pid, const struct iovec *part)
{
	static char whole[WHOLE_MAX] __attribute__((aligned(64)));
	struct iovec io = {.iov_base = whole, .iov_len = sizeof(whole)};

	/* how much that is: the host says with how many bytes it filled the room */
	if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &io) < 0)
		return -1;
	if (io.iov_len <= part->iov_len) {
		errno = EFAULT;
		return -1;
	}
	memset(whole, 0, io.iov_len);
	memcpy(whole, part->iov_base, part->iov_len);
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, &io);
}

/* The one of the C library, for a program with one thread. */
long ptrace(enum __ptrace_request request, ...)
{
	va_list arguments;
	pid_t pid;
	void *address, *data;
	long word, r;

	va_start(arguments, request);
	pid = va_arg(arguments, pid_t);
	address = va_arg(arguments, void *);
	data = va_arg(arguments, void *);
	va_end(arguments);
	/* the system call stores what the function returns (ptrace(2), "C library/kernel differences") */
	if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER) {
		r = syscall(SYS_ptrace, request, pid, address, &word);
		if (r < 0)
			return r;
		errno = 0;
		return word;
	}
	r = syscall(SYS_ptrace, request, pid, address, data);
	if (r < 0 && errno == EFAULT && request == PTRACE_SETREGSET &&
	    (unsigned long)address == NT_X86_XSTATE)
		return set_whole(pid, data);
	return r;
}
