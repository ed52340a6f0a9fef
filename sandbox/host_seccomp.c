/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/host_seccomp.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "sandbox/seccomp_rules.h"

#include <assert.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <string.h>

/*
 * DOC: From the list to BPF
 *
 * The layout of the program:
 *
 *   kill unless the architecture is the native one
 *   binary search for the rule of the number
 *   code of the rules that look at arguments
 *   one return for each answer
 *
 * At every start of a step the kernel translates the program to machine code, and interprets it
 * once per system call number. So both the number of instructions and the length of each
 * number's path matter. Hence: each answer exists once; neighbours with the same rule are one
 * range; a lone exception within a range is one test for equality instead of two for order; the
 * search is balanced by the count of numbers on each side, and ends in a few tests in a row,
 * each of which needs one jump where a test of the tree may need two.
 */

/*
 * The x32 entry of x86_64: numbers with bit 30 set and the sign bit clear. A number with the
 * sign bit set is a call that a tracer suppresses (proot, gdb, strace --inject): the kernel has
 * no such call and returns ENOSYS. It does not touch the result of -1, which the tracer set;
 * neither does the filter.
 */
#define X32_FIRST 0x40000000U
#define NEGATIVE_FIRST 0x80000000U
#define NUMBER_NONE 0xffffffffU
/* More tests lengthen the path of a number; fewer add jumps at the ends of the tree. */
#define TESTS_IN_A_ROW 3

#define LOAD(offset) ((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset))
#define RETURN(value) ((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, value))
#define JUMP(test, k, yes, no) ((struct sock_filter)BPF_JUMP(BPF_JMP | (test) | BPF_K, k, yes, no))

/* The numbers from .first up to the next range's have one rule. */
struct range {
	uint32_t first;
	enum seccomp_rule rule;
};

/* Neighbouring ranges that are searched one after the other. */
struct item {
	const struct range *ranges;
	size_t n_ranges;
	unsigned weight; /* the count of its existing numbers */
};

struct writer {
	struct sock_filter *out;
	size_t used;
	bool full;
	size_t checks[SECCOMP_NUM_RULES]; /* start of each rule's code */
					  /* jumps to that code, patched once it is written */
	struct {
		uint8_t at;
		bool yes;
		uint8_t rule;
	} fixups[SECCOMP_PROGRAM_MAX];
	size_t n_fixups;
};

/* Turns the list into ranges of numbers, with those above the known ones at the end. */
static size_t ranges_make(struct range *ranges)
{
	uint8_t rules[SECCOMP_NEWEST_KNOWN + 1] = {SECCOMP_RULE_ABSENT};
	size_t n = 0;

	for (size_t i = 0; i < seccomp_n_groups; i++) {
		for (size_t j = 0; j < seccomp_groups[i].n_entries; j++) {
			const struct seccomp_entry *entry = &seccomp_groups[i].entries[j];

			rules[entry->number] = (uint8_t)entry->rule;
		}
	}
	for (uint32_t number = 0; number <= SECCOMP_NEWEST_KNOWN; number++) {
		if (n == 0 || ranges[n - 1].rule != rules[number])
			ranges[n++] = (struct range){number, rules[number]};
	}
	ranges[n++] = (struct range){SECCOMP_NEWEST_KNOWN + 1, SECCOMP_RULE_ABSENT};
#ifdef __x86_64__ /* other architectures have one entry, and no numbers like these */
	ranges[n++] = (struct range){X32_FIRST, SECCOMP_RULE_KILL};
#endif
	ranges[n++] = (struct range){NEGATIVE_FIRST, SECCOMP_RULE_ABSENT};
	ranges[n++] = (struct range){NUMBER_NONE, SECCOMP_RULE_ALLOW};
	return n;
}

/* Is the second of these ranges one number, between two ranges of the first one's rule? */
static bool is_exception(const struct range *ranges, size_t n_ranges)
{
	return n_ranges >= 3 && ranges[2].first == ranges[1].first + 1 &&
	       ranges[2].rule == ranges[0].rule;
}

/* Groups neighbouring ranges into the leaves of the tree. */
static size_t items_make(struct item *items, const struct range *ranges, size_t n_ranges)
{
	size_t n = 0, at = 0;

	while (at < n_ranges) {
		struct item *item = &items[n++];
		uint32_t end;

		*item = (struct item){.ranges = &ranges[at], .n_ranges = 1};
		for (size_t tests = 0; tests < TESTS_IN_A_ROW; tests++) {
			const struct range *last = &item->ranges[item->n_ranges - 1];
			size_t left = n_ranges - at - item->n_ranges + 1;

			if (left > 1)
				item->n_ranges += is_exception(last, left) ? 2 : 1;
		}
		at += item->n_ranges;
		end = at < n_ranges ? ranges[at].first : NUMBER_NONE;
		/* numbers above the known ones are rare: test them last */
		item->weight = end > SECCOMP_NEWEST_KNOWN + 1 ? 1 : end - item->ranges->first;
	}
	return n;
}

static void emit(struct writer *writer, struct sock_filter instruction)
{
	if (writer->used < SECCOMP_PROGRAM_MAX)
		writer->out[writer->used++] = instruction;
	else
		writer->full = true;
}

/* Makes a branch of the instruction at @at lead to the code or label of @rule. */
static void branch_to_rule(struct writer *writer, size_t at, bool yes, enum seccomp_rule rule)
{
	uint8_t *branch = yes ? &writer->out[at].jt : &writer->out[at].jf;

	if (writer->full)
		return;
	if (!seccomp_checks[rule].code) {
		*branch = (uint8_t)seccomp_checks[rule].label;
		return;
	}
	if (writer->n_fixups == ARRAY_SIZE(writer->fixups)) {
		writer->full = true;
		return;
	}
	writer->fixups[writer->n_fixups].at = (uint8_t)at;
	writer->fixups[writer->n_fixups].yes = yes;
	writer->fixups[writer->n_fixups++].rule = (uint8_t)rule;
}

static void emit_item(struct writer *writer, const struct item *item)
{
	for (size_t i = 0; i + 1 < item->n_ranges;) {
		const struct range *range = &item->ranges[i];
		bool exception = is_exception(range, item->n_ranges - i);
		size_t next = exception ? i + 2 : i + 1;
		size_t at = writer->used;

		if (exception) {
			emit(writer, JUMP(BPF_JEQ, range[1].first, 0, 0));
			branch_to_rule(writer, at, true, range[1].rule);
		} else {
			emit(writer, JUMP(BPF_JGE, range[1].first, 0, 0));
			branch_to_rule(writer, at, false, range->rule);
		}
		if (next + 1 == item->n_ranges)
			branch_to_rule(writer, at, !exception, item->ranges[next].rule);
		i = next;
	}
}

/* The index that best halves the weight of the items. */
static size_t items_split(const struct item *items, size_t n)
{
	unsigned total = 0, below = 0, best = ~0U;
	size_t half = 1;

	for (size_t i = 0; i < n; i++)
		total += items[i].weight;
	for (size_t i = 1; i < n; i++) {
		unsigned difference;

		below += items[i - 1].weight;
		difference = 2 * below > total ? 2 * below - total : total - 2 * below;
		if (difference < best) {
			best = difference;
			half = i;
		}
	}
	return half;
}

/*
 * Writes the tree over @n items: a test, the items below it, the items above. The recursion is
 * at most as deep as there are items, which are fewer than instructions.
 */
static void emit_tree(struct writer *writer, const struct item *items, size_t n)
{
	size_t half, test;

	assert(n > 0);
	if (n == 1) {
		emit_item(writer, items);
		return;
	}
	half = items_split(items, n);
	test = writer->used;
	emit(writer, JUMP(BPF_JGE, items[half].ranges->first, 0, 0));
	if (half == 1 && items->n_ranges == 1)
		branch_to_rule(writer, test, false, items->ranges->rule);
	else
		emit_tree(writer, items, half);
	if (writer->full)
		return;
	if (n - half == 1 && items[half].n_ranges == 1) {
		branch_to_rule(writer, test, true, items[half].ranges->rule);
		return;
	}
	/* a distance that looks like a label is too far in any case: resolve() fails */
	writer->full = writer->used - test - 1 >= SECCOMP_LABEL_FIRST;
	writer->out[test].jt = (uint8_t)(writer->used - test - 1);
	emit_tree(writer, items + half, n - half);
}

static void emit_checks(struct writer *writer)
{
	for (size_t rule = 0; rule < SECCOMP_NUM_RULES; rule++) {
		const struct seccomp_check *check = &seccomp_checks[rule];

		writer->checks[rule] = writer->used;
		for (size_t i = 0; i < check->length; i++)
			emit(writer, check->code[i]);
	}
}

static void emit_answers(struct writer *writer, bool report)
{
	for (size_t i = 0; i < SECCOMP_NUM_LABELS; i++) {
		uint32_t answer = seccomp_label_answers[i];

		if (report && answer != SECCOMP_RET_ALLOW)
			answer = SECCOMP_RET_USER_NOTIF;
		emit(writer, RETURN(answer));
	}
}

/* Turns labels into distances, which are never negative: BPF only jumps forward. */
static void resolve(struct writer *writer)
{
	size_t answers = writer->used - SECCOMP_NUM_LABELS;

	for (size_t i = 0; i < answers; i++) {
		struct sock_filter *in = &writer->out[i];
		uint8_t *branches[] = {&in->jt, &in->jf};

		for (size_t j = 0; BPF_CLASS(in->code) == BPF_JMP && j < 2; j++) {
			if (*branches[j] >= SECCOMP_LABEL_FIRST)
				*branches[j] = (uint8_t)(answers + *branches[j] -
							 SECCOMP_LABEL_FIRST - i - 1);
		}
	}
	for (size_t i = 0; i < writer->n_fixups; i++) {
		size_t at = writer->fixups[i].at;
		uint8_t distance = (uint8_t)(writer->checks[writer->fixups[i].rule] - at - 1);

		if (writer->fixups[i].yes)
			writer->out[at].jt = distance;
		else
			writer->out[at].jf = distance;
	}
}

int seccomp_program_build(struct sock_filter *out, bool report)
{
	struct range ranges[SECCOMP_NEWEST_KNOWN + 5] = {{0}};
	struct item items[ARRAY_SIZE(ranges)];
	struct writer writer = {.out = out};
	size_t n = ranges_make(ranges);

	n = items_make(items, ranges, n);
	emit(&writer, LOAD(offsetof(struct seccomp_data, arch)));
	emit(&writer, JUMP(BPF_JEQ, AUDIT_ARCH_X86_64, 0, SECCOMP_TO_KILL));
	emit(&writer, LOAD(offsetof(struct seccomp_data, nr)));
	emit_tree(&writer, items, n);
	emit_checks(&writer);
	emit_answers(&writer, report);
	if (writer.full)
		return -E2BIG;
	resolve(&writer);
	return (int)writer.used;
}

int seccomp_program_seal(bool report, struct error *error)
{
	struct sock_filter program[SECCOMP_PROGRAM_MAX];
	int n = seccomp_program_build(program, report);
	int fd;

	if (n < 0)
		return error_errno(error, -n, "cannot build the seccomp filter");
	fd = memfd_sealed("runbook-seccomp", program, (size_t)n * sizeof(program[0]));
	if (fd < 0)
		return error_errno(error, -fd, "cannot keep the seccomp filter");
	return fd;
}
