/* SPDX-License-Identifier: Apache-2.0 */
#include "common/step_usage.h"

#include "common/messages/steps.h"

static const char *const names[] = {
#define STEP_USAGE_NAME(name, word) [STEP_USAGE_##name] = (word),
	STEP_USAGE_TABLE(STEP_USAGE_NAME)
#undef STEP_USAGE_NAME
};

const char *step_usage_name(enum step_usage_kind kind)
{
	return names[kind];
}

size_t step_usage_figures(const struct step_usage *usage, struct message_step_figure *figures)
{
	size_t n = 0;

	for (enum step_usage_kind i = 0; i < STEP_USAGE_NUM; i++) {
		uint64_t value = usage->values[i];

		if (step_usage_has(usage, i))
			figures[n++] = (struct message_step_figure){
				.kind = i,
				.value = value < STEP_FIGURE_MAX ? value : STEP_FIGURE_MAX,
			};
	}
	return n;
}

struct step_usage step_usage_of(const struct message_step_figure *figures, size_t n)
{
	struct step_usage usage = {.known = 0};

	for (size_t i = 0; i < n; i++)
		step_usage_set(&usage, figures[i].kind, figures[i].value);
	return usage;
}
