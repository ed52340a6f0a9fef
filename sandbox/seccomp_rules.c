/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/seccomp_rules.h"

#include "common/cleanup.h"

#include <errno.h>
#include <linux/memfd.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

/*
 * The kernel uses the low 32 bits of these arguments (they are int or unsigned int), so exactly
 * those are compared: high bits cannot smuggle a value past the test (CVE-2019-10063). Each
 * piece ends in labels; see enum seccomp_label.
 */

#define IOCTL_TIOCSTI 0x5412U
#define IOCTL_TIOCLINUX 0x541cU
#define IOCTL_TIOCSETD 0x5423U
#define SOCKET_TYPE_MASK 0xfU
/* missing in older headers */
#define PROTOCOL_MPTCP 262U
#define PRCTL_SET_MEMORY_MERGE 67U
#define PRCTL_NEWEST_KNOWN 79U
#define PRCTL_SET_VMA 0x53564d41U
#define RETURN_ERRNO(number) (SECCOMP_RET_ERRNO | ((number)&SECCOMP_RET_DATA))
/* every namespace flag of clone() (CLONE_NEWTIME is a signal bit there) */
#define CLONE_NEW_ALL                                                                              \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET)
/* Personas that only change what uname reports, or disable ASLR of the program itself. */
#define PERSONALITY_HARMLESS (PER_LINUX32 | UNAME26 | ADDR_NO_RANDOMIZE)

#define ARGUMENT_LOW(n) ((uint32_t)(offsetof(struct seccomp_data, args) + 8 * (n)))
#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define MASK(bits) BPF_STMT(BPF_ALU | BPF_AND | BPF_K, bits)
#define JUMP(test, k, yes, no) BPF_JUMP(BPF_JMP | (test) | BPF_K, k, yes, no)

static const struct sock_filter check_clone[] = {
	LOAD(ARGUMENT_LOW(0)),
	JUMP(BPF_JSET, CLONE_NEW_ALL, SECCOMP_TO_EPERM, SECCOMP_TO_ALLOW),
};
static const struct sock_filter check_unshare[] = {
	LOAD(ARGUMENT_LOW(0)),
	JUMP(BPF_JSET, ~(uint32_t)(CLONE_FILES | CLONE_FS | CLONE_SYSVSEM), SECCOMP_TO_EPERM,
	     SECCOMP_TO_ALLOW),
};
/*
 * Allowed: AF_UNIX; AF_NETLINK with protocol 0, routing (own namespace); AF_INET and AF_INET6
 * with the common types and protocols. A socket of another protocol (SCTP, DCCP, SMC, L2TP)
 * would make the kernel load a module, so it gets the error of a kernel without that protocol.
 */
static const struct sock_filter check_socket[] = {
	LOAD(ARGUMENT_LOW(0)),
	JUMP(BPF_JEQ, AF_UNIX, SECCOMP_TO_ALLOW, 0),
	JUMP(BPF_JEQ, AF_INET, 4, 0),
	JUMP(BPF_JEQ, AF_INET6, 3, 0),
	JUMP(BPF_JEQ, AF_NETLINK, 0, SECCOMP_TO_FAMILY),
	LOAD(ARGUMENT_LOW(2)),
	JUMP(BPF_JEQ, 0, SECCOMP_TO_ALLOW, SECCOMP_TO_FAMILY),
	/* bits of the type; SOCK_CLOEXEC and SOCK_NONBLOCK are above them */
	LOAD(ARGUMENT_LOW(1)),
	MASK(SOCKET_TYPE_MASK),
	JUMP(BPF_JGT, SOCK_RAW, SECCOMP_TO_TYPE, 0),
	JUMP(BPF_JGE, SOCK_STREAM, 0, SECCOMP_TO_TYPE),
	LOAD(ARGUMENT_LOW(2)),
	JUMP(BPF_JEQ, 0, SECCOMP_TO_ALLOW, 0),
	JUMP(BPF_JEQ, IPPROTO_TCP, SECCOMP_TO_ALLOW, 0),
	JUMP(BPF_JEQ, IPPROTO_UDP, SECCOMP_TO_ALLOW, 0),
	JUMP(BPF_JEQ, IPPROTO_ICMP, SECCOMP_TO_ALLOW, 0),
	JUMP(BPF_JEQ, IPPROTO_ICMPV6, SECCOMP_TO_ALLOW, 0),
	JUMP(BPF_JEQ, IPPROTO_UDPLITE, SECCOMP_TO_ALLOW, 0),
	JUMP(BPF_JEQ, PROTOCOL_MPTCP, SECCOMP_TO_ALLOW, SECCOMP_TO_PROTOCOL),
};
static const struct sock_filter check_socketpair[] = {
	LOAD(ARGUMENT_LOW(0)),
	JUMP(BPF_JEQ, AF_UNIX, SECCOMP_TO_ALLOW, SECCOMP_TO_FAMILY),
};
/* Denied: injecting input into a terminal; line disciplines, which would load modules. */
static const struct sock_filter check_ioctl[] = {
	LOAD(ARGUMENT_LOW(1)),
	JUMP(BPF_JEQ, IOCTL_TIOCSTI, SECCOMP_TO_EPERM, 0),
	JUMP(BPF_JEQ, IOCTL_TIOCLINUX, SECCOMP_TO_EPERM, 0),
	JUMP(BPF_JEQ, IOCTL_TIOCSETD, SECCOMP_TO_EPERM, SECCOMP_TO_ALLOW),
};
static const struct sock_filter check_personality[] = {
	LOAD(ARGUMENT_LOW(0)),
	/* all ones only queries the current persona */
	JUMP(BPF_JEQ, 0xffffffffU, SECCOMP_TO_ALLOW, 0),
	JUMP(BPF_JSET, ~(uint32_t)PERSONALITY_HARMLESS, SECCOMP_TO_EPERM, SECCOMP_TO_ALLOW),
};
/*
 * PR_SET_MM changes what /proc shows of a process, including its executable; core scheduling
 * and merged pages affect other processes; an IO flusher may use memory that is reserved for
 * emergencies of the machine. An option newer than this list gets EINVAL, as from a kernel
 * without it.
 */
static const struct sock_filter check_prctl[] = {
	LOAD(ARGUMENT_LOW(0)),
	JUMP(BPF_JGE, PRCTL_NEWEST_KNOWN + 1, 4, 0),
	JUMP(BPF_JEQ, PR_SET_MM, SECCOMP_TO_EPERM, 0),
	JUMP(BPF_JEQ, PR_SET_IO_FLUSHER, SECCOMP_TO_EPERM, 0),
	JUMP(BPF_JEQ, PR_SCHED_CORE, SECCOMP_TO_EPERM, 0),
	JUMP(BPF_JEQ, PRCTL_SET_MEMORY_MERGE, SECCOMP_TO_EPERM, SECCOMP_TO_ALLOW),
	JUMP(BPF_JEQ, PRCTL_SET_VMA, SECCOMP_TO_ALLOW, 0),
	JUMP(BPF_JEQ, PR_SET_PTRACER, SECCOMP_TO_ALLOW, SECCOMP_TO_EINVAL),
};
/*
 * The limit of core files is 1 byte, at which the kernel does not start a piped core handler, a
 * program that would run as root of the host. At 0, which many programs set, it would. Neither
 * value writes a core file, so the call returns 0 without effect.
 */
static const struct sock_filter check_setrlimit[] = {
	LOAD(ARGUMENT_LOW(0)),
	JUMP(BPF_JEQ, RLIMIT_CORE, SECCOMP_TO_PRETEND, SECCOMP_TO_ALLOW),
};
/* the third argument points to the new limit: both halves are 0 if the call only reads */
static const struct sock_filter check_prlimit[] = {
	LOAD(ARGUMENT_LOW(1)),	   JUMP(BPF_JEQ, RLIMIT_CORE, 0, SECCOMP_TO_ALLOW),
	LOAD(ARGUMENT_LOW(2)),	   JUMP(BPF_JEQ, 0, 0, SECCOMP_TO_PRETEND),
	LOAD(ARGUMENT_LOW(2) + 4), JUMP(BPF_JEQ, 0, SECCOMP_TO_ALLOW, SECCOMP_TO_PRETEND),
};

/*
 * Any process can take huge pages from the machine's pool (vm.nr_hugepages), without limit.
 * Transparent huge pages are memory like any other. The error is that of a kernel with an empty
 * pool.
 */
static const struct sock_filter check_mmap[] = {
	LOAD(ARGUMENT_LOW(3)),
	JUMP(BPF_JSET, MAP_HUGETLB, SECCOMP_TO_ENOMEM, SECCOMP_TO_ALLOW),
};
static const struct sock_filter check_memfd[] = {
	LOAD(ARGUMENT_LOW(1)),
	JUMP(BPF_JSET, MFD_HUGETLB, SECCOMP_TO_ENOMEM, SECCOMP_TO_ALLOW),
};

#define CHECK(code, reason)                                                                        \
	{                                                                                          \
		code, ARRAY_SIZE(code), SECCOMP_TO_EPERM, reason                                   \
	}
const struct seccomp_check seccomp_checks[SECCOMP_NUM_RULES] = {
	[SECCOMP_RULE_ABSENT] = {.label = SECCOMP_TO_ENOSYS},
	[SECCOMP_RULE_DENY] = {.label = SECCOMP_TO_EPERM},
	[SECCOMP_RULE_ALLOW] = {.label = SECCOMP_TO_ALLOW},
	[SECCOMP_RULE_KILL] = {.label = SECCOMP_TO_KILL},
	[SECCOMP_RULE_PRETEND] = {.label = SECCOMP_TO_PRETEND},
	[SECCOMP_RULE_CLONE] = CHECK(check_clone, "namespaces are made by the host"),
	[SECCOMP_RULE_UNSHARE] = CHECK(check_unshare, "namespaces are made by the host"),
	[SECCOMP_RULE_SOCKET] = CHECK(
		check_socket,
		"only unix, internet and routing sockets, of the everyday types and protocols"),
	[SECCOMP_RULE_SOCKETPAIR] = CHECK(check_socketpair, "only unix sockets"),
	[SECCOMP_RULE_IOCTL] = CHECK(check_ioctl, "no input for others, no line discipline"),
	[SECCOMP_RULE_PERSONALITY] =
		CHECK(check_personality, "only linux32, uname26 and no address randomisation"),
	[SECCOMP_RULE_PRCTL] =
		CHECK(check_prctl, "reaches other processes, or changes what /proc shows"),
	[SECCOMP_RULE_SETRLIMIT] =
		CHECK(check_setrlimit, "no core files, by no handler of the host"),
	[SECCOMP_RULE_PRLIMIT] = CHECK(check_prlimit, "no core files, by no handler of the host"),
	[SECCOMP_RULE_MMAP] = CHECK(check_mmap, "no pages of the machine's pool of huge pages"),
	[SECCOMP_RULE_MEMFD] = CHECK(check_memfd, "no pages of the machine's pool of huge pages"),
};

#define ANSWER(label) [SECCOMP_TO_##label - SECCOMP_LABEL_FIRST]
const uint32_t seccomp_label_answers[SECCOMP_NUM_LABELS] = {
	ANSWER(ALLOW) = SECCOMP_RET_ALLOW,
	ANSWER(EPERM) = RETURN_ERRNO(EPERM),
	ANSWER(ENOSYS) = RETURN_ERRNO(ENOSYS),
	ANSWER(KILL) = SECCOMP_RET_KILL_PROCESS,
	ANSWER(PRETEND) = RETURN_ERRNO(0),
	ANSWER(EINVAL) = RETURN_ERRNO(EINVAL),
	ANSWER(ENOMEM) = RETURN_ERRNO(ENOMEM),
	ANSWER(FAMILY) = RETURN_ERRNO(EAFNOSUPPORT),
	ANSWER(TYPE) = RETURN_ERRNO(ESOCKTNOSUPPORT),
	ANSWER(PROTOCOL) = RETURN_ERRNO(EPROTONOSUPPORT),
};
