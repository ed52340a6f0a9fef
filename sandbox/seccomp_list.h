/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_SECCOMP_LIST_H
#define SANDBOX_SECCOMP_LIST_H

/*
 * DOC: The list of system calls
 *
 * Every system call of x86_64 that the list decides about, in groups that share a rule and a
 * reason. host_seccomp.c compiles it; runbook-sandbox prints it with its reasons. A number that
 * is missing here is answered with ENOSYS.
 */

#include <stddef.h>
#include <stdint.h>

/** enum seccomp_rule - what happens to one system call; see seccomp_rules.c */
enum seccomp_rule {
	SECCOMP_RULE_ABSENT = 0, /* ENOSYS: callers fall back; also calls outside the list */
	SECCOMP_RULE_DENY,	 /* EPERM: not for a step */
	SECCOMP_RULE_ALLOW,
	SECCOMP_RULE_KILL,	  /* an entry that is not native */
	SECCOMP_RULE_PRETEND,	  /* returns 0 without executing the call */
	SECCOMP_RULE_CLONE,	  /* no CLONE_NEW* flag */
	SECCOMP_RULE_UNSHARE,	  /* CLONE_FILES, CLONE_FS and CLONE_SYSVSEM only */
	SECCOMP_RULE_SOCKET,	  /* address families that reach only the step's network */
	SECCOMP_RULE_SOCKETPAIR,  /* AF_UNIX */
	SECCOMP_RULE_IOCTL,	  /* neither TIOCSTI and its like nor line disciplines */
	SECCOMP_RULE_PERSONALITY, /* only what setarch and gdb use */
	SECCOMP_RULE_PRCTL,	  /* not PR_SET_MM, PR_SCHED_CORE and their like */
	SECCOMP_RULE_SETRLIMIT,	  /* not RLIMIT_CORE */
	SECCOMP_RULE_PRLIMIT,	  /* RLIMIT_CORE may only be read */
	SECCOMP_RULE_MMAP,	  /* not MAP_HUGETLB, whose pages the administrator reserved */
	SECCOMP_RULE_MEMFD,	  /* not MFD_HUGETLB, likewise */
	SECCOMP_NUM_RULES,
};

/** struct seccomp_entry - one system call of x86_64 */
struct seccomp_entry {
	uint16_t number;
	uint16_t rule; /* enum seccomp_rule */
	const char *name;
};

/** struct seccomp_group - calls with one rule, for one reason */
struct seccomp_group {
	const char *reason;
	const struct seccomp_entry *entries;
	size_t n_entries;
};

extern const struct seccomp_group seccomp_groups[];
extern const size_t seccomp_n_groups;

/* The newest call of the kernel that was considered for this list. */
#define SECCOMP_NEWEST_KNOWN 469

/**
 * seccomp_entry_find() - look @number up in the list
 * @ret_reason: reason of its group; may be NULL
 *
 * Return: the entry, or NULL if the list does not contain it.
 */
const struct seccomp_entry *seccomp_entry_find(uint32_t number, const char **ret_reason);

#endif
