/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_SECCOMP_LIST_H
#define SANDBOX_SECCOMP_LIST_H

#include <stddef.h>
#include <stdint.h>

/** enum seccomp_rule - what happens to one system call */
enum seccomp_rule {
	SECCOMP_RULE_DENY = 0, /* EPERM: known, and not for a step */
	SECCOMP_RULE_ALLOW,
	SECCOMP_RULE_ABSENT,	  /* ENOSYS: callers fall back */
	SECCOMP_RULE_CLONE,	  /* no CLONE_NEW* flag */
	SECCOMP_RULE_SOCKET,	  /* families that stay inside */
	SECCOMP_RULE_SOCKETPAIR,  /* AF_UNIX */
	SECCOMP_RULE_IOCTL,	  /* not TIOCSTI, TIOCLINUX */
	SECCOMP_RULE_PERSONALITY, /* what setarch and gdb need */
	SECCOMP_RULE_SETRLIMIT,	  /* not of core files */
	SECCOMP_RULE_PRLIMIT,	  /* not of core files, which may be read */
	SECCOMP_RULE_NUM,
};

struct seccomp_entry {
	uint16_t number;
	uint16_t rule; /* enum seccomp_rule */
};

extern const struct seccomp_entry seccomp_entries[];
extern const size_t seccomp_n_entries;

/* The newest call that this list knows of and decided about; above it: ENOSYS. */
#define SECCOMP_NEWEST_KNOWN 466

#endif
