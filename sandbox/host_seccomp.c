/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/host_seccomp.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "sandbox/seccomp_list.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define X32_FIRST 0x40000000U
#define IOCTL_TIOCSTI 0x5412U
#define IOCTL_TIOCLINUX 0x541cU
#define SOCKET_TYPE_MASK 0xfU
#define PROTOCOL_MPTCP 262U /* older headers lack it */
#define RETURN_ERRNO(number) (SECCOMP_RET_ERRNO | ((number)&SECCOMP_RET_DATA))
/* every namespace flag that clone() knows (CLONE_NEWTIME is a signal bit there) */
#define CLONE_NEW_ALL                                                                              \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET)

#define ARGUMENT_LOW(n) ((uint32_t)(offsetof(struct seccomp_data, args) + 8 * (n)))
#define LOAD(offset) ((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset))
#define RETURN(value) ((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, value))
#define JUMP(test, k, yes, no) ((struct sock_filter)BPF_JUMP(BPF_JMP | (test) | BPF_K, k, yes, no))
#define ALLOWED RETURN(SECCOMP_RET_ALLOW)

/*
 * Argument checks. The kernel takes the low 32 bits of these arguments (they
 * are int or unsigned int), so exactly those are compared: high bits cannot
 * smuggle a value past the test (CVE-2019-10063).
 */
static const struct sock_filter check_clone[] = {
	LOAD(ARGUMENT_LOW(0)),
	JUMP(BPF_JSET, CLONE_NEW_ALL, 0, 1),
	RETURN(RETURN_ERRNO(EPERM)),
	ALLOWED,
};
/*
 * AF_UNIX; of AF_NETLINK the protocol 0, routing (own namespace); of AF_INET and
 * AF_INET6 the everyday types and protocols: asking for another one (SCTP, DCCP,
 * SMC, L2TP) makes the kernel load its module into the host. Who asks is told
 * what a kernel without it says.
 */
static const struct sock_filter check_socket[] = {
	LOAD(ARGUMENT_LOW(0)),
	JUMP(BPF_JEQ, AF_UNIX, 21, 0),
	JUMP(BPF_JEQ, AF_INET, 5, 0),
	JUMP(BPF_JEQ, AF_INET6, 4, 0),
	JUMP(BPF_JEQ, AF_NETLINK, 0, 2),
	LOAD(ARGUMENT_LOW(2)),
	JUMP(BPF_JEQ, 0, 16, 0),
	RETURN(RETURN_ERRNO(EAFNOSUPPORT)),
	/* what the kernel keeps of the type; above are SOCK_CLOEXEC and SOCK_NONBLOCK */
	LOAD(ARGUMENT_LOW(1)),
	BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SOCKET_TYPE_MASK),
	JUMP(BPF_JEQ, SOCK_STREAM, 3, 0),
	JUMP(BPF_JEQ, SOCK_DGRAM, 2, 0),
	JUMP(BPF_JEQ, SOCK_RAW, 1, 0),
	RETURN(RETURN_ERRNO(ESOCKTNOSUPPORT)),
	LOAD(ARGUMENT_LOW(2)),
	JUMP(BPF_JEQ, 0, 7, 0),
	JUMP(BPF_JEQ, IPPROTO_ICMP, 6, 0),
	JUMP(BPF_JEQ, IPPROTO_TCP, 5, 0),
	JUMP(BPF_JEQ, IPPROTO_UDP, 4, 0),
	JUMP(BPF_JEQ, IPPROTO_ICMPV6, 3, 0),
	JUMP(BPF_JEQ, IPPROTO_UDPLITE, 2, 0),
	JUMP(BPF_JEQ, PROTOCOL_MPTCP, 1, 0),
	RETURN(RETURN_ERRNO(EPROTONOSUPPORT)),
	ALLOWED,
};
static const struct sock_filter check_socketpair[] = {
	LOAD(ARGUMENT_LOW(0)),
	JUMP(BPF_JEQ, AF_UNIX, 1, 0),
	RETURN(RETURN_ERRNO(EAFNOSUPPORT)),
	ALLOWED,
};
static const struct sock_filter check_ioctl[] = {
	LOAD(ARGUMENT_LOW(1)),
	JUMP(BPF_JEQ, IOCTL_TIOCSTI, 1, 0),
	JUMP(BPF_JEQ, IOCTL_TIOCLINUX, 0, 1),
	RETURN(RETURN_ERRNO(EPERM)),
	ALLOWED,
};
static const struct sock_filter check_personality[] = {
	LOAD(ARGUMENT_LOW(0)),
	JUMP(BPF_JEQ, PER_LINUX, 4, 0),
	JUMP(BPF_JEQ, ADDR_NO_RANDOMIZE, 3, 0),
	JUMP(BPF_JEQ, UNAME26, 2, 0),
	JUMP(BPF_JEQ, 0xffffffffU, 1, 0),
	RETURN(RETURN_ERRNO(EPERM)),
	ALLOWED,
};
/*
 * The limit of core files is 1 byte, at which the kernel starts no piped core
 * handler, a program of the host that would run as its root. At 0, which many
 * programs ask for, it would. No core is written either way, so who asks is
 * told that all is well.
 */
static const struct sock_filter check_setrlimit[] = {
	LOAD(ARGUMENT_LOW(0)),
	JUMP(BPF_JEQ, RLIMIT_CORE, 0, 1),
	RETURN(RETURN_ERRNO(0)),
	ALLOWED,
};
/* the third argument is the new limit, a pointer: both halves 0 when it is only read */
static const struct sock_filter check_prlimit[] = {
	LOAD(ARGUMENT_LOW(1)),	   JUMP(BPF_JEQ, RLIMIT_CORE, 0, 5),
	LOAD(ARGUMENT_LOW(2)),	   JUMP(BPF_JEQ, 0, 0, 2),
	LOAD(ARGUMENT_LOW(2) + 4), JUMP(BPF_JEQ, 0, 1, 0),
	RETURN(RETURN_ERRNO(0)),   ALLOWED,
};
static const struct sock_filter answer_allow[] = {ALLOWED};
static const struct sock_filter answer_deny[] = {RETURN(RETURN_ERRNO(EPERM))};
static const struct sock_filter answer_absent[] = {RETURN(RETURN_ERRNO(ENOSYS))};

#define BLOCK(code)                                                                                \
	{                                                                                          \
		code, ARRAY_SIZE(code)                                                             \
	}
static const struct {
	const struct sock_filter *code;
	size_t length;
} blocks[] = {
	[SECCOMP_RULE_DENY] = BLOCK(answer_deny),
	[SECCOMP_RULE_ALLOW] = BLOCK(answer_allow),
	[SECCOMP_RULE_ABSENT] = BLOCK(answer_absent),
	[SECCOMP_RULE_CLONE] = BLOCK(check_clone),
	[SECCOMP_RULE_SOCKET] = BLOCK(check_socket),
	[SECCOMP_RULE_SOCKETPAIR] = BLOCK(check_socketpair),
	[SECCOMP_RULE_IOCTL] = BLOCK(check_ioctl),
	[SECCOMP_RULE_PERSONALITY] = BLOCK(check_personality),
	[SECCOMP_RULE_SETRLIMIT] = BLOCK(check_setrlimit),
	[SECCOMP_RULE_PRLIMIT] = BLOCK(check_prlimit),
};
_Static_assert(ARRAY_SIZE(blocks) == SECCOMP_RULE_NUM, "every rule has its code");

/* Numbers from @first up to the next range's share a rule. */
struct range {
	uint32_t first;
	enum seccomp_rule rule;
};

static size_t make_ranges(struct range *ranges)
{
	uint8_t rules[SECCOMP_NEWEST_KNOWN + 1] = {0}; /* SECCOMP_RULE_DENY */
	size_t n = 0;

	for (size_t i = 0; i < seccomp_n_entries; i++)
		rules[seccomp_entries[i].number] = (uint8_t)seccomp_entries[i].rule;
	for (uint32_t number = 0; number <= SECCOMP_NEWEST_KNOWN; number++) {
		if (n == 0 || ranges[n - 1].rule != rules[number])
			ranges[n++] = (struct range){number, rules[number]};
	}
	ranges[n++] = (struct range){SECCOMP_NEWEST_KNOWN + 1, SECCOMP_RULE_ABSENT};
	return n;
}

struct writer {
	struct sock_filter *out;
	size_t used;
	bool full;
};

static void emit(struct writer *writer, struct sock_filter instruction)
{
	if (writer->used < SECCOMP_PROGRAM_MAX)
		writer->out[writer->used++] = instruction;
	else
		writer->full = true;
}

/*
 * The tree over @n ranges: a test, the lower half, the upper half. A leaf is its
 * rule's code. Jumps reach 255 instructions; beyond that a BPF_JA helps.
 */
static void emit_tree(struct writer *writer, const struct range *ranges, size_t n)
{
	size_t half = n / 2, test, distance;

	if (n == 1) {
		for (size_t i = 0; i < blocks[ranges->rule].length; i++)
			emit(writer, blocks[ranges->rule].code[i]);
		return;
	}
	test = writer->used;
	emit(writer, JUMP(BPF_JGE, ranges[half].first, 0, 1));
	emit(writer, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
	emit_tree(writer, ranges, half);
	if (writer->full)
		return;
	distance = writer->used - test - 2;
	writer->out[test + 1].k = (uint32_t)distance;
	if (distance + 1 <= 255) {
		/* near enough: the test jumps itself and the helper is never reached */
		writer->out[test].jt = (uint8_t)(distance + 1);
		writer->out[test].jf = 1;
	}
	emit_tree(writer, ranges + half, n - half);
}

int seccomp_program_build(struct sock_filter *out)
{
	struct range ranges[SECCOMP_NEWEST_KNOWN + 2] = {{0}};
	struct writer writer = {.out = out};
	size_t n = make_ranges(ranges);

	emit(&writer, LOAD(offsetof(struct seccomp_data, arch)));
	emit(&writer, JUMP(BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0));
	emit(&writer, RETURN(SECCOMP_RET_KILL_PROCESS));
	emit(&writer, LOAD(offsetof(struct seccomp_data, nr)));
	/* -1 is what a tracer sets to skip a call */
	emit(&writer, JUMP(BPF_JEQ, 0xffffffffU, 0, 1));
	emit(&writer, RETURN(RETURN_ERRNO(ENOSYS)));
	emit(&writer, JUMP(BPF_JGE, X32_FIRST, 0, 1));
	emit(&writer, RETURN(SECCOMP_RET_KILL_PROCESS));
	emit_tree(&writer, ranges, n);
	return writer.full ? -E2BIG : (int)writer.used;
}

int seccomp_program_seal(struct error *error)
{
	struct sock_filter program[SECCOMP_PROGRAM_MAX];
	int n = seccomp_program_build(program);
	int fd;

	if (n < 0)
		return error_errno(error, -n, "cannot build the seccomp filter");
	fd = memfd_sealed("runbook-seccomp", program, (size_t)n * sizeof(program[0]));
	if (fd < 0)
		return error_errno(error, -fd, "cannot keep the seccomp filter");
	return fd;
}
