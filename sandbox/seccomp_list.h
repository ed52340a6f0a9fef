/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_SECCOMP_LIST_H
#define SANDBOX_SECCOMP_LIST_H

#include <stddef.h>
#include <stdint.h>

/** enum seccomp_rule - what happens to one system call; see seccomp_rules.c */
enum seccomp_rule {
	SECCOMP_RULE_ABSENT = 0, /* ENOSYS: callers fall back; also what the list does not know */
	SECCOMP_RULE_DENY,	 /* EPERM: known, and not for a step */
	SECCOMP_RULE_ALLOW,
	SECCOMP_RULE_KILL,	  /* not the native door */
	SECCOMP_RULE_PRETEND,	  /* nothing is done, and the caller hears that all is well */
	SECCOMP_RULE_CLONE,	  /* no CLONE_NEW* flag */
	SECCOMP_RULE_UNSHARE,	  /* files, fs and semaphore undo only */
	SECCOMP_RULE_SOCKET,	  /* families that stay inside */
	SECCOMP_RULE_SOCKETPAIR,  /* AF_UNIX */
	SECCOMP_RULE_IOCTL,	  /* no input for others, no line discipline */
	SECCOMP_RULE_PERSONALITY, /* what setarch and gdb need */
	SECCOMP_RULE_PRCTL,	  /* not what changes memory maps or shared scheduling */
	SECCOMP_RULE_SETRLIMIT,	  /* not of core files */
	SECCOMP_RULE_PRLIMIT,	  /* not of core files, which may be read */
	SECCOMP_RULE_MMAP,	  /* no huge pages that the administrator set aside */
	SECCOMP_RULE_MEMFD,	  /* neither */
	SECCOMP_NUM_RULES,
};

/** struct seccomp_entry - one system call of x86_64 */
struct seccomp_entry {
	uint16_t number;
	uint16_t rule; /* enum seccomp_rule */
	const char *name;
};

/** struct seccomp_group - calls that are treated alike for one reason */
struct seccomp_group {
	const char *reason;
	const struct seccomp_entry *entries;
	size_t n_entries;
};

extern const struct seccomp_group seccomp_groups[];
extern const size_t seccomp_n_groups;

/* The newest call that this list decided about. */
#define SECCOMP_NEWEST_KNOWN 469

/**
 * seccomp_entry_find() - what the list says about @number
 * @ret_reason: of its group; NULL: not wanted
 *
 * Return: the entry, or NULL for a number that the list does not know.
 */
const struct seccomp_entry *seccomp_entry_find(uint32_t number, const char **ret_reason);

#endif
