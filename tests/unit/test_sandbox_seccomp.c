/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter, executed by a small interpreter: every system call number is compared with the
 * list, and the argument checks are tried with boundary values.
 */
#include "sandbox/host_seccomp.h"
#include "sandbox/seccomp_list.h"
#include "tests/unit/cmocka_headers.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define EPERM_ANSWER (SECCOMP_RET_ERRNO | EPERM)
#define ENOSYS_ANSWER (SECCOMP_RET_ERRNO | ENOSYS)
#define FAMILY_ANSWER (SECCOMP_RET_ERRNO | EAFNOSUPPORT)
#define TYPE_ANSWER (SECCOMP_RET_ERRNO | ESOCKTNOSUPPORT)
#define PROTOCOL_ANSWER (SECCOMP_RET_ERRNO | EPROTONOSUPPORT)

static struct sock_filter program[SECCOMP_PROGRAM_MAX];
static int program_length;

/* Interprets the instructions that the filter uses. */
static uint32_t interpret(const struct seccomp_data *data)
{
	uint32_t accumulator = 0;

	for (int at = 0; at < program_length;) {
		const struct sock_filter *in = &program[at++];

		switch (in->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(in->k % 4 == 0 && in->k + 4 <= sizeof(*data));
			memcpy(&accumulator, (const char *)data + in->k, 4);
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			accumulator &= in->k;
			break;
		case BPF_JMP | BPF_JA:
			at += (int)in->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			at += accumulator == in->k ? in->jt : in->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			at += accumulator > in->k ? in->jt : in->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			at += accumulator >= in->k ? in->jt : in->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			at += accumulator & in->k ? in->jt : in->jf;
			break;
		case BPF_RET | BPF_K:
			return in->k;
		default:
			fail_msg("instruction 0x%x", in->code);
		}
	}
	fail_msg("the program has no end");
	return 0;
}

static uint32_t ask(int number, uint64_t a, uint64_t b, uint64_t c)
{
	struct seccomp_data data = {.nr = number, .arch = AUDIT_ARCH_X86_64, .args = {a, b, c}};

	return interpret(&data);
}

static enum seccomp_rule rule_of(uint16_t number)
{
	const struct seccomp_entry *entry = seccomp_entry_find(number, NULL);

	return entry ? (enum seccomp_rule)entry->rule : SECCOMP_RULE_ABSENT;
}

static void test_every_number(void **state)
{
	static const uint64_t arguments[] = {0, 1, 2, 0x5412, 1ULL << 31, 1ULL << 40, ~0ULL};

	for (uint16_t number = 0; number < 2000; number++) {
		for (size_t i = 0; i < sizeof(arguments) / sizeof(arguments[0]); i++) {
			uint64_t value = arguments[i];
			uint32_t answer = ask(number, value, value, value);

			switch (rule_of(number)) {
			case SECCOMP_RULE_ALLOW:
				assert_int_equal(answer, SECCOMP_RET_ALLOW);
				break;
			case SECCOMP_RULE_DENY:
				assert_int_equal(answer, EPERM_ANSWER);
				break;
			case SECCOMP_RULE_ABSENT:
				assert_int_equal(answer, ENOSYS_ANSWER);
				break;
			case SECCOMP_RULE_PRETEND:
				assert_int_equal(answer, SECCOMP_RET_ERRNO);
				break;
			default:
				break; /* below */
			}
		}
	}
}

static void test_no_number_twice(void **state)
{
	int seen[SECCOMP_NEWEST_KNOWN + 1] = {0};

	for (size_t i = 0; i < seccomp_n_groups; i++) {
		assert_true(strlen(seccomp_groups[i].reason) > 0);
		for (size_t j = 0; j < seccomp_groups[i].n_entries; j++) {
			const struct seccomp_entry *entry = &seccomp_groups[i].entries[j];

			assert_true(entry->number <= SECCOMP_NEWEST_KNOWN);
			assert_true(entry->rule < SECCOMP_NUM_RULES);
			assert_int_equal(seen[entry->number]++, 0);
		}
	}
	assert_int_equal(seen[SECCOMP_NEWEST_KNOWN], 1);
}

/* The list has every call that libseccomp has a name for, with the same name. */
static void test_no_number_forgotten(void **state)
{
	for (int number = 0; number <= SECCOMP_NEWEST_KNOWN; number++) {
		const struct seccomp_entry *entry = seccomp_entry_find((uint32_t)number, NULL);
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, number);

		if (name && !entry)
			fail_msg("%s (%d) is in no group", name, number);
		if (name && strcmp(name, entry->name) != 0)
			fail_msg("%d is %s, not %s", number, name, entry->name);
		free(name);
	}
}

/* With a report the filter notifies the listener exactly where it otherwise denies. */
static void test_report_mode(void **state)
{
	struct sock_filter report[SECCOMP_PROGRAM_MAX];
	int n = seccomp_program_build(report, true), n_differing = 0;

	assert_int_equal(n, program_length);
	for (int i = 0; i < n; i++) {
		if (memcmp(&report[i], &program[i], sizeof(report[i])) == 0)
			continue;
		assert_int_equal(report[i].code, BPF_RET | BPF_K);
		assert_int_equal(report[i].k, SECCOMP_RET_USER_NOTIF);
		assert_int_not_equal(program[i].k, SECCOMP_RET_ALLOW);
		n_differing++;
	}
	assert_true(n_differing >= 5);
}

/* The kernel compiles every instruction at every start of a step. */
static void test_short(void **state)
{
	if (program_length > 136)
		fail_msg("the filter has %d instructions", program_length);
}

/* A step cannot use up resources with one limit for the whole machine. */
static void test_host_wide(void **state)
{
	static const uint16_t aio[] = {SYS_io_setup,  SYS_io_destroy,	SYS_io_submit,
				       SYS_io_cancel, SYS_io_getevents, SYS_io_pgetevents};
	const uint32_t enomem = SECCOMP_RET_ERRNO | ENOMEM;

	for (size_t i = 0; i < sizeof(aio) / sizeof(aio[0]); i++)
		assert_int_equal(ask(aio[i], 1, 0, 0), ENOSYS_ANSWER);
	assert_int_equal(ask(SYS_sync, 0, 0, 0), SECCOMP_RET_ERRNO);
	assert_int_equal(ask(SYS_syncfs, 0, 0, 0), SECCOMP_RET_ERRNO);
	assert_int_equal(ask(SYS_fsync, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(SYS_memfd_create, 0, MFD_CLOEXEC, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(SYS_memfd_create, 0, MFD_HUGETLB | MFD_CLOEXEC, 0), enomem);
	for (uint64_t high = 0; high < 2; high++) {
		struct seccomp_data data = {.nr = SYS_mmap, .arch = AUDIT_ARCH_X86_64};

		data.args[3] = high << 32 | MAP_PRIVATE | MAP_ANONYMOUS;
		assert_int_equal(interpret(&data), SECCOMP_RET_ALLOW);
		data.args[3] |= MAP_HUGETLB;
		assert_int_equal(interpret(&data), enomem);
	}
}

static void test_other_doors(void **state)
{
	struct seccomp_data data = {.nr = SYS_read, .arch = AUDIT_ARCH_I386};

	assert_int_equal(interpret(&data), SECCOMP_RET_KILL_PROCESS);
	data.arch = AUDIT_ARCH_AARCH64;
	assert_int_equal(interpret(&data), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(ask(0x40000000, 0, 0, 0), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(ask(0x40000000 | SYS_read, 0, 0, 0), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(ask(0x7fffffff, 0, 0, 0), SECCOMP_RET_KILL_PROCESS);
	/* a tracer sets these to skip a call: no entry of the kernel, whatever their bits are */
	assert_int_equal(ask(-2, 0, 0, 0), ENOSYS_ANSWER);
	assert_int_equal(ask(INT32_MIN, 0, 0, 0), ENOSYS_ANSWER);
	assert_int_equal(ask((int)0xc0000000, 0, 0, 0), ENOSYS_ANSWER);
	assert_int_equal(ask((int)(0xc0000000 | SYS_read), 0, 0, 0), ENOSYS_ANSWER);
	assert_int_equal(ask(-1, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(0x3fffffff, 0, 0, 0), ENOSYS_ANSWER);
}

static void test_clone(void **state)
{
	static const uint64_t denied[] = {CLONE_NEWNS,	CLONE_NEWUTS, CLONE_NEWIPC,   CLONE_NEWUSER,
					  CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP};

	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++) {
		assert_int_equal(ask(SYS_clone, denied[i], 0, 0), EPERM_ANSWER);
		assert_int_equal(ask(SYS_clone, denied[i] | CLONE_VM | 17, 0, 0), EPERM_ANSWER);
		assert_int_equal(ask(SYS_clone, denied[i] | 1ULL << 40, 0, 0), EPERM_ANSWER);
	}
	assert_int_equal(ask(SYS_clone, 17, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(SYS_clone, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_THREAD, 0, 0),
			 SECCOMP_RET_ALLOW);
	assert_int_equal(ask(SYS_clone3, 0, 0, 0), ENOSYS_ANSWER);
	assert_int_equal(ask(SYS_setns, 0, 0, 0), EPERM_ANSWER);
}

static void test_unshare(void **state)
{
	static const uint64_t harmless[] = {0,
					    CLONE_FILES,
					    CLONE_FS,
					    CLONE_SYSVSEM,
					    CLONE_FILES | CLONE_FS | CLONE_SYSVSEM,
					    1ULL << 32};

	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		assert_int_equal(ask(SYS_unshare, harmless[i], 0, 0), SECCOMP_RET_ALLOW);
	for (int bit = 0; bit < 32; bit++) {
		uint64_t flag = 1ULL << bit;
		bool fine = flag == CLONE_FILES || flag == CLONE_FS || flag == CLONE_SYSVSEM;

		assert_int_equal(ask(SYS_unshare, flag, 0, 0),
				 fine ? SECCOMP_RET_ALLOW : EPERM_ANSWER);
		assert_int_equal(ask(SYS_unshare, flag | CLONE_FILES | 1ULL << 50, 0, 0),
				 fine ? SECCOMP_RET_ALLOW : EPERM_ANSWER);
	}
}

static void test_sockets(void **state)
{
	for (uint64_t family = 0; family < 64; family++) {
		bool fine = family == 1 || family == 2 || family == 10 || family == 16;

		assert_int_equal(ask(SYS_socket, family, 1, 0),
				 fine ? SECCOMP_RET_ALLOW : FAMILY_ANSWER);
		/* the kernel ignores the upper half, so the filter must, too */
		assert_int_equal(ask(SYS_socket, family | 1ULL << 32, 1, 0),
				 fine ? SECCOMP_RET_ALLOW : FAMILY_ANSWER);
		assert_int_equal(ask(SYS_socketpair, family, 1, 0),
				 family == 1 ? SECCOMP_RET_ALLOW : FAMILY_ANSWER);
	}
	for (uint64_t protocol = 1; protocol < 32; protocol++)
		assert_int_equal(ask(SYS_socket, 16, 3, protocol), FAMILY_ANSWER);
}

/* Types and protocols for which the kernel would load a module. */
static void test_internet_sockets(void **state)
{
	static const uint64_t families[] = {2, 10}, flags = 02004000; /* cloexec, nonblock */
	static const uint64_t fine[] = {0, 1, 6, 17, 58, 136, 262};

	for (size_t i = 0; i < 2; i++) {
		for (uint64_t type = 0; type < 16; type++) {
			uint32_t wanted = type >= 1 && type <= 3 ? SECCOMP_RET_ALLOW : TYPE_ANSWER;

			assert_int_equal(ask(SYS_socket, families[i], type, 0), wanted);
			assert_int_equal(ask(SYS_socket, families[i], type | flags, 6), wanted);
			assert_int_equal(ask(SYS_socket, families[i], type | 1ULL << 32, 17),
					 wanted);
		}
		for (uint64_t protocol = 0; protocol < 1000; protocol++) {
			bool known = false;
			uint32_t wanted;

			for (size_t j = 0; j < sizeof(fine) / sizeof(fine[0]); j++)
				known = known || fine[j] == protocol;
			wanted = known ? SECCOMP_RET_ALLOW : PROTOCOL_ANSWER;
			for (uint64_t type = 1; type <= 3; type++) {
				assert_int_equal(ask(SYS_socket, families[i], type, protocol),
						 wanted);
				assert_int_equal(ask(SYS_socket, families[i], type | flags,
						     protocol | 1ULL << 32),
						 wanted);
			}
			/* SOCK_SEQPACKET is SCTP's, SOCK_DCCP, and SOCK_PACKET another family's */
			assert_int_equal(ask(SYS_socket, families[i], 5, protocol), TYPE_ANSWER);
			assert_int_equal(ask(SYS_socket, families[i], 6, protocol), TYPE_ANSWER);
			assert_int_equal(ask(SYS_socket, families[i], 10, protocol), TYPE_ANSWER);
		}
	}
	/* other families have their own types and protocols */
	assert_int_equal(ask(SYS_socket, 1, 5, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(SYS_socket, 16, 3 | flags, 0), SECCOMP_RET_ALLOW);
}

static void test_ioctl(void **state)
{
	static const uint64_t denied[] = {0x5412, 0x541c, 0x5423, 0x100005412ULL,
					  0xffffffff0000541cULL};
	static const uint64_t allowed[] = {0x5401, 0x5411, 0x5413,	  0x541b,
					   0x541d, 0x8912, 0x541200005401};

	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++)
		assert_int_equal(ask(SYS_ioctl, 0, denied[i], 0), EPERM_ANSWER);
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		assert_int_equal(ask(SYS_ioctl, 0, allowed[i], 0), SECCOMP_RET_ALLOW);
}

static void test_personality(void **state)
{
	static const uint64_t harmless = 0x40000 | 0x20000 | 8;

	for (int bit = 0; bit < 32; bit++)
		assert_int_equal(ask(SYS_personality, 1ULL << bit, 0, 0),
				 harmless & 1ULL << bit ? SECCOMP_RET_ALLOW : EPERM_ANSWER);
	assert_int_equal(ask(SYS_personality, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(SYS_personality, harmless, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(SYS_personality, 0xffffffffULL, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(SYS_personality, 0x400000 | harmless, 0, 0), EPERM_ANSWER);
	assert_int_equal(ask(SYS_personality, 0xfffffffeULL, 0, 0), EPERM_ANSWER);
}

static void test_prctl(void **state)
{
	static const int denied[] = {35, 57, 62, 67};

	for (int option = 0; option < 1000; option++) {
		uint32_t wanted = option < 80 ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | EINVAL;

		for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++)
			wanted = option == denied[i] ? EPERM_ANSWER : wanted;
		assert_int_equal(ask(SYS_prctl, (uint64_t)option, 0, 0), wanted);
		assert_int_equal(ask(SYS_prctl, (uint64_t)option | 1ULL << 33, 0, 0), wanted);
	}
	assert_int_equal(ask(SYS_prctl, 0x53564d41, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(SYS_prctl, 0x59616d61, ~0ULL, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(SYS_prctl, 0xffffffff, 0, 0), SECCOMP_RET_ERRNO | EINVAL);
}

static void test_core_limit(void **state)
{
	static const uint64_t core = RLIMIT_CORE, files = RLIMIT_NOFILE, other_half = 1ULL << 32;

	assert_int_equal(ask(SYS_setrlimit, core, 1, 0), SECCOMP_RET_ERRNO);
	assert_int_equal(ask(SYS_setrlimit, core | other_half, 1, 0), SECCOMP_RET_ERRNO);
	assert_int_equal(ask(SYS_setrlimit, files, 1, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(SYS_prlimit64, 0, core, 1), SECCOMP_RET_ERRNO);
	assert_int_equal(ask(SYS_prlimit64, 0, core, other_half), SECCOMP_RET_ERRNO);
	assert_int_equal(ask(SYS_prlimit64, 0, core | other_half, 1), SECCOMP_RET_ERRNO);
	assert_int_equal(ask(SYS_prlimit64, 0, core, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(ask(SYS_prlimit64, 0, files, 1), SECCOMP_RET_ALLOW);
}

/* Calls that must never be allowed, named here independently of the list. */
static void test_never(void **state)
{
	static const int never[] = {
		SYS_mount,
		SYS_umount2,
		SYS_pivot_root,
		SYS_fsopen,
		SYS_fsmount,
		SYS_fsconfig,
		SYS_open_tree,
		SYS_move_mount,
		SYS_mount_setattr,
		SYS_fspick,
		SYS_bpf,
		SYS_perf_event_open,
		SYS_userfaultfd,
		SYS_io_uring_setup,
		SYS_io_uring_enter,
		SYS_io_uring_register,
		SYS_keyctl,
		SYS_add_key,
		SYS_request_key,
		SYS_init_module,
		SYS_finit_module,
		SYS_delete_module,
		SYS_kexec_load,
		SYS_kexec_file_load,
		SYS_reboot,
		SYS_swapon,
		SYS_swapoff,
		SYS_acct,
		SYS_quotactl,
		SYS_quotactl_fd,
		SYS_syslog,
		SYS_open_by_handle_at,
		SYS_name_to_handle_at,
		SYS_lookup_dcookie,
		SYS_move_pages,
		SYS_migrate_pages,
		SYS_mbind,
		SYS_set_mempolicy,
		SYS_settimeofday,
		SYS_clock_settime,
		SYS_iopl,
		SYS_ioperm,
		SYS_modify_ldt,
		SYS_uselib,
		SYS_ustat,
		SYS_sysfs,
		SYS__sysctl,
		SYS_nfsservctl,
		SYS_vhangup,
		SYS_pidfd_getfd,
		SYS_kcmp,
		SYS_process_madvise,
		SYS_fanotify_init,
		SYS_setns,
		SYS_sethostname,
		SYS_setdomainname,
	};

	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		if (ask(never[i], 0, 0, 0) != EPERM_ANSWER)
			fail_msg("system call %d is not denied", never[i]);
	}
}

static int setup(void **state)
{
	program_length = seccomp_program_build(program, false);
	return program_length > 0 ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_number),
		cmocka_unit_test(test_no_number_twice),
		cmocka_unit_test(test_other_doors),
		cmocka_unit_test(test_host_wide),
		cmocka_unit_test(test_clone),
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_internet_sockets),
		cmocka_unit_test(test_ioctl),
		cmocka_unit_test(test_personality),
		cmocka_unit_test(test_core_limit),
		cmocka_unit_test(test_never),
		cmocka_unit_test(test_unshare),
		cmocka_unit_test(test_prctl),
		cmocka_unit_test(test_no_number_forgotten),
		cmocka_unit_test(test_report_mode),
		cmocka_unit_test(test_short),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
