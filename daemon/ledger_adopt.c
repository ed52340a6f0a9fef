/* SPDX-License-Identifier: Apache-2.0 */

/* Converts the ledger of another version, older or newer. It is only read, field by field. */

#include "common/cleanup.h"
#include "daemon/kept_memory.h"
#include "daemon/kept_raw.h"
#include "daemon/ledger_parts.h"

#include <errno.h>
#include <string.h>

/* The description of the memory of d2e21e4, which had none of its own. */
static int describe_raw(const struct kept_memory *memory, struct kept_ledger *kept,
			struct error *error)
{
	const struct raw_ledger *raw = (const struct raw_ledger *)(const void *)memory->data;

	if (memory->size < sizeof(*raw) || raw->version != RAW_LEDGER_VERSION ||
	    raw->step_size != sizeof(struct raw_step))
		return error_set(error, EBADMSG, "the ledger of steps is of an unknown version");
	*kept = (struct kept_ledger){.head_at = 0,
				     .head_size = sizeof(*raw),
				     .begun_at = offsetof(struct raw_ledger, begun),
				     .n_orders = RAW_LEDGER_ORDERS,
				     .steps_at = RAW_LEDGER_STEPS_AT,
				     .step_size = RAW_LEDGER_STEP_ROOM,
				     .n_steps = RAW_LEDGER_STEPS};
	return 0;
}

/* Copy which orders were begun. The other version may remember fewer or more of them. */
static void orders_convert(const struct kept_memory *memory, const struct kept_ledger *kept,
			   struct ledger *ledger)
{
	const uint64_t highest = ledger->head->highest;
	const uint64_t first = highest >= LEDGER_ORDERS ? highest - LEDGER_ORDERS + 1 : 0;

	for (uint64_t order = first; order <= highest; order++) {
		uint64_t place = order % kept->n_orders, word;

		memcpy(&word,
		       memory->data + kept->begun_at + place / LEDGER_WORD_BITS * sizeof(word),
		       sizeof(word));
		/* orders that are too old for its memory all count as begun */
		if (order + kept->n_orders <= highest || (word >> (place % LEDGER_WORD_BITS) & 1))
			ledger_order_set(ledger, order);
	}
}

static int steps_convert(const struct kept_memory *memory, const struct kept_ledger *kept,
			 uint64_t n_touched, struct ledger *ledger, struct error *error)
{
	cleanup_free struct ledger_step *step = calloc(1, sizeof(*step));
	struct ledger_head *head = ledger->head;

	if (!step)
		return error_set(error, ENOMEM, "out of memory");
	for (uint64_t i = 0; i < n_touched; i++) {
		const uint8_t *source = memory->data + kept->steps_at + i * kept->step_size;
		int r;

		memset(step, 0, sizeof(*step));
		r = fields_convert(kept->step_layout.data, kept->step_layout.size, source,
				   kept->step_size, &ledger_step_fields, step, error);
		if (r < 0)
			return r;
		if (step->phase == LEDGER_FREE)
			continue;
		if (!ledger_step_known(step))
			return error_set(error, ENOTSUP,
					 "a step is in a phase, or has ended in a way, that only a "
					 "newer version knows");
		if (head->n_touched == LEDGER_STEPS_MAX)
			return error_set(error, ENOSPC, "there are more than %d steps",
					 LEDGER_STEPS_MAX);
		*ledger_step_at(ledger, head->n_touched++) = *step;
	}
	return 0;
}

static int convert(const struct kept_memory *memory, const struct kept_ledger *kept,
		   struct ledger *ledger, struct error *error)
{
	struct ledger_head head = {.n_touched = 0};
	int r;

	if (!kept_memory_has(memory, kept->head_at, kept->head_size, 1) || kept->n_orders == 0 ||
	    kept->step_size == 0 || kept->n_orders % LEDGER_WORD_BITS != 0 ||
	    !kept_memory_has(memory, kept->begun_at, kept->n_orders / 8, 1) ||
	    !kept_memory_has(memory, kept->steps_at, kept->step_size, kept->n_steps))
		return error_set(error, EBADMSG, "the ledger of steps is cut off");
	r = fields_convert(kept->head_layout.data, kept->head_layout.size,
			   memory->data + kept->head_at, kept->head_size, &ledger_head_fields,
			   &head, error);
	if (r < 0)
		return r;
	if (head.n_touched > kept->n_steps || head.instance[0] == '\0')
		return error_set(error, EBADMSG, "the ledger of steps is damaged");
	memcpy(ledger->head->instance, head.instance, sizeof(head.instance));
	ledger->head->highest = head.highest;
	orders_convert(memory, kept, ledger);
	return steps_convert(memory, kept, head.n_touched, ledger, error);
}

int ledger_convert(int fd, struct ledger *ledger, struct error *error)
{
	cleanup_kept_memory struct kept_memory memory = {.data = NULL};
	cleanup_free void *head_layout = NULL;
	cleanup_free void *step_layout = NULL;
	struct kept_ledger kept = {.head_at = 0};
	int r = kept_memory_map(fd, &memory, error);

	if (r < 0)
		return r;
	switch (kept_memory_magic(&memory)) {
	case KEPT_LEDGER_MAGIC:
		r = kept_memory_described(&memory, &kept_ledger_fields, &kept, error);
		break;
	case RAW_LEDGER_MAGIC:
		r = describe_raw(&memory, &kept, error);
		head_layout = kept_layout_of(&raw_ledger_fields, &kept.head_layout);
		step_layout = kept_layout_of(&raw_step_fields, &kept.step_layout);
		if (r == 0 && (!head_layout || !step_layout))
			r = error_set(error, ENOMEM, "out of memory");
		break;
	default:
		r = error_set(error, EBADMSG, "the ledger of steps is of an unknown version");
	}
	return r < 0 ? r : convert(&memory, &kept, ledger, error);
}
