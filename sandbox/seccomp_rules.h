/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_SECCOMP_RULES_H
#define SANDBOX_SECCOMP_RULES_H

#include "sandbox/seccomp_list.h"

#include <linux/filter.h>

/*
 * Jump offsets of this value and above name an answer instead of a distance: it
 * stands once, at the end of the program.
 */
#define SECCOMP_LABEL_FIRST 0xe0

/** enum seccomp_label - the answers of the filter */
enum seccomp_label {
	SECCOMP_TO_ALLOW = SECCOMP_LABEL_FIRST,
	SECCOMP_TO_EPERM,
	SECCOMP_TO_ENOSYS,
	SECCOMP_TO_KILL,
	SECCOMP_TO_PRETEND, /* nothing is done, and the caller is told that all is well */
	SECCOMP_TO_EINVAL,
	SECCOMP_TO_ENOMEM,
	SECCOMP_TO_FAMILY,   /* EAFNOSUPPORT */
	SECCOMP_TO_TYPE,     /* ESOCKTNOSUPPORT */
	SECCOMP_TO_PROTOCOL, /* EPROTONOSUPPORT */
	SECCOMP_LABEL_END,
};
#define SECCOMP_NUM_LABELS (SECCOMP_LABEL_END - SECCOMP_LABEL_FIRST)

/** seccomp_label_answers - what each label returns to the kernel */
extern const uint32_t seccomp_label_answers[SECCOMP_NUM_LABELS];

/**
 * struct seccomp_check - what a rule does
 * @code:   looks at arguments and ends in labels; NULL: @label decides alone
 * @reason: of what it denies; NULL: that of the group
 */
struct seccomp_check {
	const struct sock_filter *code;
	size_t length;
	enum seccomp_label label;
	const char *reason;
};

extern const struct seccomp_check seccomp_checks[SECCOMP_NUM_RULES];

#endif
