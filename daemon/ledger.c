/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/ledger_parts.h"

#include "common/cleanup.h"
#include "common/phases.h"
#include "daemon/kept_memory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROUND_UP(n) (((n) + LEDGER_PAGE - 1) / LEDGER_PAGE * LEDGER_PAGE)
#define HEAD_AT KEPT_DESCRIBED_MAX
#define BEGUN_AT (HEAD_AT + ROUND_UP(sizeof(struct ledger_head)))
#define STEPS_AT (BEGUN_AT + ROUND_UP(LEDGER_ORDERS / 8))
#define STEP_SIZE ROUND_UP(sizeof(struct ledger_step))
#define LEDGER_BYTES (STEPS_AT + (size_t)LEDGER_STEPS_MAX * STEP_SIZE)

struct ledger_step *ledger_step_at(const struct ledger *ledger, size_t index)
{
	return (struct ledger_step *)(void *)(ledger->steps + index * STEP_SIZE);
}

/* Make the description of a ledger of this version. Return: its size; 0 without memory. */
static size_t describe(char *out)
{
	struct kept_ledger kept = {.head_at = HEAD_AT,
				   .head_size = sizeof(struct ledger_head),
				   .begun_at = BEGUN_AT,
				   .n_orders = LEDGER_ORDERS,
				   .steps_at = STEPS_AT,
				   .step_size = STEP_SIZE,
				   .n_steps = LEDGER_STEPS_MAX};

	return kept_describe(&kept_ledger_fields, &kept, KEPT_LEDGER_MAGIC,
			     (const struct kept_layout[]){
				     {&kept.head_layout, &ledger_head_fields},
				     {&kept.step_layout, &ledger_step_fields},
			     },
			     2, out);
}

bool ledger_step_known(const struct ledger_step *step)
{
	return step->phase < LEDGER_PHASE_NUM && step->cause < STEP_RESULT_NUM &&
	       (unsigned)step->report.result < STEP_RESULT_NUM &&
	       (unsigned)step->outcome.how <= SANDBOX_LOST &&
	       (unsigned)step->outcome.memory_scope <= SANDBOX_MEMORY_HOST;
}

/* The memory may be that of a predecessor: check its values once, here. */
static int memory_check(struct ledger *ledger, struct error *error)
{
	const struct ledger_head *head = ledger->head;
	bool right = head->n_touched <= LEDGER_STEPS_MAX &&
		     memchr(head->instance, '\0', sizeof(head->instance)) &&
		     head->instance[0] != '\0';

	for (size_t i = 0; right && i < head->n_touched; i++) {
		const struct ledger_step *step = ledger_step_at(ledger, i);

		right = ledger_step_known(step) &&
			memchr(step->project, '\0', sizeof(step->project)) &&
			memchr(step->slug, '\0', sizeof(step->slug)) &&
			memchr(step->name, '\0', sizeof(step->name)) &&
			memchr(step->setup_error, '\0', sizeof(step->setup_error)) &&
			memchr(step->report.reason, '\0', sizeof(step->report.reason));
	}
	return right ? 0 : error_set(error, EBADMSG, "the ledger of steps is damaged");
}

static int memory_map(struct ledger *ledger, struct error *error)
{
	ledger->memory = mmap(NULL, LEDGER_BYTES, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_NORESERVE, ledger->fd, 0);
	if (ledger->memory == MAP_FAILED) {
		ledger->memory = NULL;
		return error_errno(error, errno, "cannot map the ledger of steps");
	}
	ledger->head = (struct ledger_head *)(void *)(ledger->memory + HEAD_AT);
	ledger->begun = (uint64_t *)(void *)(ledger->memory + BEGUN_AT);
	ledger->steps = ledger->memory + STEPS_AT;
	return 0;
}

bool ledger_memory_ours(int fd)
{
	char ours[KEPT_DESCRIBED_MAX], theirs[KEPT_DESCRIBED_MAX];
	size_t size = describe(ours);
	struct stat st;

	return size > 0 && fstat(fd, &st) == 0 && st.st_size == (off_t)LEDGER_BYTES &&
	       pread(fd, theirs, size, 0) == (ssize_t)size && memcmp(ours, theirs, size) == 0;
}

int ledger_memory_make(struct ledger *ledger, struct error *error)
{
	char described[KEPT_DESCRIBED_MAX];
	size_t size = describe(described);
	int r;

	if (size == 0)
		return error_errno(error, ENOMEM, "cannot describe the ledger of steps");
	ledger->fd = memfd_create("runbookd-ledger", MFD_CLOEXEC);
	if (ledger->fd < 0 || ftruncate(ledger->fd, (off_t)LEDGER_BYTES) < 0)
		return error_errno(error, errno, "cannot make memory for the ledger of steps");
	r = memory_map(ledger, error);
	assert(r < 0 || ledger->memory);
	if (r == 0)
		memcpy(ledger->memory, described, size);
	return r;
}

/* Use memory of our own layout as it is; convert memory of another version. Takes @fd over. */
static int memory_inherit(struct ledger *ledger, int fd, struct error *error)
{
	int r;

	if (ledger_memory_ours(fd)) {
		ledger->fd = fd;
		r = memory_map(ledger, error);
		assert(r < 0 || ledger->head);
		return r == 0 ? memory_check(ledger, error) : r;
	}
	r = ledger_memory_make(ledger, error);
	if (r == 0)
		r = ledger_convert(fd, ledger, error);
	ledger->converted = true;
	(void)close(fd);
	return r;
}

int ledger_new(int fd, const char *instance, struct ledger **ret_ledger, struct error *error)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));
	int r;

	if (!ledger) {
		if (fd >= 0)
			(void)close(fd);
		return error_errno(error, ENOMEM, "cannot keep a ledger of steps");
	}
	ledger->fd = -1;
	r = fd < 0 ? ledger_memory_make(ledger, error) : memory_inherit(ledger, fd, error);
	assert(r < 0 || ledger->head);
	if (r == 0) {
		ledger->free_steps = calloc(LEDGER_STEPS_MAX, sizeof(*ledger->free_steps));
		if (!ledger->free_steps)
			r = error_errno(error, ENOMEM, "cannot keep a ledger of steps");
	}
	if (r < 0) {
		(void)ledger_free(ledger);
		return r;
	}
	assert(ledger->free_steps);
	if (fd < 0)
		(void)snprintf(ledger->head->instance, sizeof(ledger->head->instance), "%s",
			       instance);
	for (size_t i = ledger->head->n_touched; i > 0; i--) {
		if (ledger_step_at(ledger, i - 1)->phase == LEDGER_FREE)
			ledger->free_steps[ledger->n_free++] = (uint32_t)(i - 1);
	}
	*ret_ledger = ledger;
	return 0;
}

bool ledger_converted(const struct ledger *ledger)
{
	return ledger->converted;
}

struct ledger *ledger_free(struct ledger *ledger)
{
	if (!ledger)
		return NULL;
	if (ledger->memory)
		(void)munmap(ledger->memory, LEDGER_BYTES);
	if (ledger->fd >= 0)
		(void)close(ledger->fd);
	free(ledger->free_steps);
	free(ledger);
	return NULL;
}

int ledger_fd(const struct ledger *ledger)
{
	return ledger->fd;
}

const char *ledger_instance(const struct ledger *ledger)
{
	return ledger->head->instance;
}

/* ---- steps ---- */

void ledger_phase_set(struct ledger_step *step, enum ledger_phase phase)
{
	static const unsigned next[] = {
		[LEDGER_FREE] = PHASE(LEDGER_BEGUN),
		/* ended: its sandbox could not be built, or runbookd died while it was built */
		[LEDGER_BEGUN] = PHASE(LEDGER_RUNNING) | PHASE(LEDGER_ENDED) | PHASE(LEDGER_FREE),
		/* finished: a successor could not watch it; ended: it could not take it over */
		[LEDGER_RUNNING] = PHASE(LEDGER_COLLECTED) | PHASE(LEDGER_FINISHED) |
				   PHASE(LEDGER_ENDED) | PHASE(LEDGER_FREE),
		[LEDGER_COLLECTED] =
			PHASE(LEDGER_FINISHED) | PHASE(LEDGER_ENDED) | PHASE(LEDGER_FREE),
		/* finished again: by a successor, which goes on with its output */
		[LEDGER_FINISHED] =
			PHASE(LEDGER_FINISHED) | PHASE(LEDGER_ENDED) | PHASE(LEDGER_FREE),
		[LEDGER_ENDED] = PHASE(LEDGER_FREE),
	};
	static_assert(ARRAY_SIZE(next) == LEDGER_PHASE_NUM, "a phase without its successors");

	assert(phase_may_follow(next, ARRAY_SIZE(next), step->phase, phase));
	__atomic_store_n(&step->phase, (uint32_t)phase, __ATOMIC_SEQ_CST);
}

/* Records that were never made have no memory yet, and get none here. */
static void step_clear(struct ledger_step *step)
{
	const size_t records = offsetof(struct ledger_step, log.records);
	const size_t after = records + sizeof(step->log.records);

	memset(step, 0, records);
	memset((char *)step + after, 0, sizeof(*step) - after);
}

struct ledger_step *ledger_step_new(struct ledger *ledger)
{
	struct ledger_step *step = NULL;

	if (ledger->n_free > 0)
		step = ledger_step_at(ledger, ledger->free_steps[--ledger->n_free]);
	else if (ledger->head->n_touched < LEDGER_STEPS_MAX)
		step = ledger_step_at(ledger, ledger->head->n_touched++);
	if (step)
		step_clear(step);
	return step;
}

void ledger_step_free(struct ledger *ledger, struct ledger_step *step)
{
	if (!step)
		return;
	ledger_phase_set(step, LEDGER_FREE);
	ledger->free_steps[ledger->n_free++] =
		(uint32_t)((size_t)((char *)step - ledger->steps) / STEP_SIZE);
}

struct ledger_step *ledger_step_next(const struct ledger *ledger, const struct ledger_step *step)
{
	size_t index = step ? (size_t)((const char *)step - ledger->steps) / STEP_SIZE + 1 : 0;

	for (; index < ledger->head->n_touched; index++) {
		if (ledger_step_at(ledger, index)->phase != LEDGER_FREE)
			return ledger_step_at(ledger, index);
	}
	return NULL;
}

/* ---- orders ---- */

static uint64_t *word_of(const struct ledger *ledger, uint64_t order)
{
	return &ledger->begun[order % LEDGER_ORDERS / LEDGER_WORD_BITS];
}

void ledger_order_set(struct ledger *ledger, uint64_t order)
{
	*word_of(ledger, order) |= 1ULL << (order % LEDGER_WORD_BITS);
}

void ledger_order_note(struct ledger *ledger, uint64_t order)
{
	uint64_t highest = ledger->head->highest;
	uint64_t bit = 1ULL << (order % LEDGER_WORD_BITS);

	if (order + LEDGER_ORDERS <= highest)
		return; /* such a low number counts as begun anyway */
	/* the bits of numbers between are those of orders that are too old now: clear them */
	if (order > highest + LEDGER_ORDERS)
		memset(ledger->begun, 0, LEDGER_ORDERS / 8);
	else
		for (uint64_t at = highest + 1; at < order; at++)
			*word_of(ledger, at) &= ~(1ULL << (at % LEDGER_WORD_BITS));
	__atomic_or_fetch(word_of(ledger, order), bit, __ATOMIC_SEQ_CST);
	if (order > highest)
		__atomic_store_n(&ledger->head->highest, order, __ATOMIC_SEQ_CST);
}

bool ledger_order_known(const struct ledger *ledger, uint64_t order)
{
	uint64_t highest = ledger->head->highest;

	if (order > highest)
		return false;
	return order + LEDGER_ORDERS <= highest ||
	       (*word_of(ledger, order) & (1ULL << (order % LEDGER_WORD_BITS))) != 0;
}
