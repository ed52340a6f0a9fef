/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/ledger.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LEDGER_MAGIC 0x4c444252u /* "RBDL" */
#define LEDGER_VERSION 1
#define PAGE 4096
#define WORD_BITS 64

struct ledger_head {
	uint32_t magic, version;
	uint64_t step_size;
	char instance[LEDGER_INSTANCE_SIZE];
	uint64_t n_touched; /* steps behind that were never used: no page is made for them */
	uint64_t highest;   /* order that was begun */
	uint64_t begun[LEDGER_ORDERS / WORD_BITS];
};

#define ROUND_UP(n) (((n) + PAGE - 1) / PAGE * PAGE)
#define STEPS_AT ROUND_UP(sizeof(struct ledger_head))
#define STEP_SIZE ROUND_UP(sizeof(struct ledger_step))
#define LEDGER_BYTES (STEPS_AT + (size_t)LEDGER_STEPS_MAX * STEP_SIZE)

struct ledger {
	int fd;
	char *memory;
	struct ledger_head *head;
	uint32_t *free_steps; /* a stack: those used last come first, so that few pages are */
	size_t n_free;
};

static struct ledger_step *step_at(const struct ledger *ledger, size_t index)
{
	return (struct ledger_step *)(void *)(ledger->memory + STEPS_AT + index * STEP_SIZE);
}

/* The memory may be that of a predecessor: what it says is looked at once, here. */
static int memory_check(struct ledger *ledger)
{
	const struct ledger_head *head = ledger->head;

	if (head->magic != LEDGER_MAGIC || head->version != LEDGER_VERSION ||
	    head->step_size != sizeof(struct ledger_step) || head->n_touched > LEDGER_STEPS_MAX ||
	    !memchr(head->instance, '\0', sizeof(head->instance)) || head->instance[0] == '\0')
		return -EBADMSG;
	for (size_t i = 0; i < head->n_touched; i++) {
		const struct ledger_step *step = step_at(ledger, i);

		if (step->phase >= LEDGER_PHASE_NUM ||
		    !memchr(step->project, '\0', sizeof(step->project)) ||
		    !memchr(step->slug, '\0', sizeof(step->slug)) ||
		    !memchr(step->name, '\0', sizeof(step->name)) ||
		    !memchr(step->setup_error, '\0', sizeof(step->setup_error)) ||
		    !memchr(step->report.reason, '\0', sizeof(step->report.reason)))
			return -EBADMSG;
	}
	return 0;
}

static int memory_map(struct ledger *ledger, struct error *error)
{
	struct stat st;

	if (fstat(ledger->fd, &st) < 0 || st.st_size != (off_t)LEDGER_BYTES)
		return error_set(error, EBADMSG, "what a predecessor left is of another version");
	ledger->memory = mmap(NULL, LEDGER_BYTES, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_NORESERVE, ledger->fd, 0);
	if (ledger->memory == MAP_FAILED) {
		ledger->memory = NULL;
		return error_errno(error, errno, "cannot map the ledger of steps");
	}
	ledger->head = (struct ledger_head *)(void *)ledger->memory;
	return 0;
}

static int memory_make(struct ledger *ledger, struct error *error)
{
	ledger->fd = memfd_create("runbookd-ledger", MFD_CLOEXEC);
	if (ledger->fd < 0 || ftruncate(ledger->fd, (off_t)LEDGER_BYTES) < 0)
		return error_errno(error, errno, "cannot make memory for the ledger of steps");
	return 0;
}

int ledger_new(int fd, const char *instance, struct ledger **ret_ledger, struct error *error)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));
	int r = 0;

	if (!ledger) {
		if (fd >= 0)
			(void)close(fd);
		return error_errno(error, ENOMEM, "cannot keep a ledger of steps");
	}
	ledger->fd = fd;
	if (fd < 0)
		r = memory_make(ledger, error);
	if (r == 0)
		r = memory_map(ledger, error);
	assert(r < 0 || ledger->head);
	if (r == 0) {
		ledger->free_steps = calloc(LEDGER_STEPS_MAX, sizeof(*ledger->free_steps));
		if (!ledger->free_steps)
			r = error_errno(error, ENOMEM, "cannot keep a ledger of steps");
	}
	if (r == 0 && fd < 0) {
		ledger->head->step_size = sizeof(struct ledger_step);
		ledger->head->version = LEDGER_VERSION;
		(void)snprintf(ledger->head->instance, sizeof(ledger->head->instance), "%s",
			       instance);
		ledger->head->magic = LEDGER_MAGIC;
	} else if (r == 0) {
		r = memory_check(ledger);
		if (r < 0)
			(void)error_set(error, EBADMSG,
					"what a predecessor left is of another version");
	}
	if (r < 0) {
		(void)ledger_free(ledger);
		return r;
	}
	assert(ledger->free_steps);
	for (size_t i = ledger->head->n_touched; i > 0; i--) {
		if (step_at(ledger, i - 1)->phase == LEDGER_FREE)
			ledger->free_steps[ledger->n_free++] = (uint32_t)(i - 1);
	}
	*ret_ledger = ledger;
	return 0;
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
	__atomic_store_n(&step->phase, (uint32_t)phase, __ATOMIC_SEQ_CST);
}

struct ledger_step *ledger_step_new(struct ledger *ledger)
{
	struct ledger_step *step = NULL;

	if (ledger->n_free > 0)
		step = step_at(ledger, ledger->free_steps[--ledger->n_free]);
	else if (ledger->head->n_touched < LEDGER_STEPS_MAX)
		step = step_at(ledger, ledger->head->n_touched++);
	if (step)
		memset(step, 0, sizeof(*step));
	return step;
}

void ledger_step_free(struct ledger *ledger, struct ledger_step *step)
{
	if (!step)
		return;
	ledger_phase_set(step, LEDGER_FREE);
	ledger->free_steps[ledger->n_free++] =
		(uint32_t)(((char *)step - ledger->memory - STEPS_AT) / STEP_SIZE);
}

struct ledger_step *ledger_step_next(const struct ledger *ledger, const struct ledger_step *step)
{
	size_t index =
		step ? ((size_t)((const char *)step - ledger->memory) - STEPS_AT) / STEP_SIZE + 1
		     : 0;

	for (; index < ledger->head->n_touched; index++) {
		if (step_at(ledger, index)->phase != LEDGER_FREE)
			return step_at(ledger, index);
	}
	return NULL;
}

/* ---- orders ---- */

static uint64_t *word_of(const struct ledger *ledger, uint64_t order)
{
	return &ledger->head->begun[order % LEDGER_ORDERS / WORD_BITS];
}

void ledger_order_note(struct ledger *ledger, uint64_t order)
{
	uint64_t highest = ledger->head->highest;
	uint64_t bit = 1ULL << (order % WORD_BITS);

	if (order + LEDGER_ORDERS <= highest)
		return; /* counts as begun anyway */
	/* places of orders that have become too old are those of the ones to come */
	if (order > highest + LEDGER_ORDERS)
		memset(ledger->head->begun, 0, sizeof(ledger->head->begun));
	else
		for (uint64_t at = highest + 1; at < order; at++)
			*word_of(ledger, at) &= ~(1ULL << (at % WORD_BITS));
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
	       (*word_of(ledger, order) & (1ULL << (order % WORD_BITS))) != 0;
}
