/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_SECCOMP_RULES_H
#define SANDBOX_SECCOMP_RULES_H

/*
 * DOC: Rules as pieces of BPF
 *
 * Each rule of enum seccomp_rule is a label or a piece of BPF that ends in labels. The compiler
 * (host_seccomp.c) places each piece once and turns labels into jumps.
 */

#include "sandbox/seccomp_list.h"

#include <linux/filter.h>

/*
 * Jump offsets of this value and above name an answer instead of a distance: each answer is one
 * instruction at the end of the program.
 */
#define SECCOMP_LABEL_FIRST 0xe0

/** enum seccomp_label - the answers of the filter */
enum seccomp_label {
	SECCOMP_TO_ALLOW = SECCOMP_LABEL_FIRST,
	SECCOMP_TO_EPERM,
	SECCOMP_TO_ENOSYS,
	SECCOMP_TO_KILL,
	SECCOMP_TO_PRETEND, /* returns 0 without executing the call */
	SECCOMP_TO_EINVAL,
	SECCOMP_TO_ENOMEM,
	SECCOMP_TO_FAMILY,   /* EAFNOSUPPORT */
	SECCOMP_TO_TYPE,     /* ESOCKTNOSUPPORT */
	SECCOMP_TO_PROTOCOL, /* EPROTONOSUPPORT */
	SECCOMP_LABEL_END,
};
#define SECCOMP_NUM_LABELS (SECCOMP_LABEL_END - SECCOMP_LABEL_FIRST)

/** seccomp_label_answers - the SECCOMP_RET_* value of each label */
extern const uint32_t seccomp_label_answers[SECCOMP_NUM_LABELS];

/**
 * struct seccomp_check - the code of a rule
 * @code:   tests arguments and ends in labels; NULL: the answer is always @label
 * @reason: why it denies a call; NULL: the reason of the group
 */
struct seccomp_check {
	const struct sock_filter *code;
	size_t length;
	enum seccomp_label label;
	const char *reason;
};

extern const struct seccomp_check seccomp_checks[SECCOMP_NUM_RULES];

#endif
