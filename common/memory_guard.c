/* SPDX-License-Identifier: Apache-2.0 */
#include "common/memory_guard.h"

#include "common/cleanup.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
/* Offset of the low half of an argument, which has the mapping flags. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LOAD_ARGUMENT(n) LOAD(args[n])
#else
#define LOAD_ARGUMENT(n)                                                                           \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[n]) + 4)
#endif
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
#define REFUSE RETURN(SECCOMP_RET_ERRNO | EACCES) /* the error of PR_SET_MDWE */
/* The next five instructions are for system call @number. */
#define FOR_CALL(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 5)
/* Deny the call if all @bits are set, else go on to the end; five instructions. */
#define REFUSE_ALL_OF(argument, bits)                                                              \
	LOAD_ARGUMENT(argument), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, bits),                        \
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, bits, 0, 1), REFUSE, RETURN(SECCOMP_RET_ALLOW)

int memory_guard_filter(void)
{
	static const struct sock_filter filter[] = {
		LOAD(nr),
		FOR_CALL(SYS_mmap),
		REFUSE_ALL_OF(2, PROT_WRITE | PROT_EXEC),
		/* whether memory was writable is unknown here, so it never becomes executable */
		FOR_CALL(SYS_mprotect),
		REFUSE_ALL_OF(2, PROT_EXEC),
		FOR_CALL(SYS_pkey_mprotect),
		REFUSE_ALL_OF(2, PROT_EXEC),
		FOR_CALL(SYS_shmat),
		REFUSE_ALL_OF(2, SHM_EXEC),
		RETURN(SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {
		.len = ARRAY_SIZE(filter),
		.filter = (struct sock_filter *)(void *)filter,
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return -errno;
	return 0;
}

int memory_guard(void)
{
	if (prctl(MEMORY_GUARD_OPTION, MEMORY_GUARD_ALL, 0, 0, 0) == 0)
		return 0;
	/* EPERM: it is already set, without inheritance */
	return errno == EINVAL || errno == EPERM ? memory_guard_filter() : -errno;
}

bool memory_guard_self(void)
{
	return prctl(MEMORY_GUARD_OPTION, MEMORY_GUARD_SELF, 0, 0, 0) == 0;
}
