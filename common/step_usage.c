/* SPDX-License-Identifier: Apache-2.0 */
#include "common/step_usage.h"

#include "common/message.h"

#include <errno.h>

#define FIGURE_MAX (1ULL << 53) /* they travel on as JSON numbers */

static const char *const names[] = {
#define STEP_USAGE_NAME(name, word) [STEP_USAGE_##name] = (word),
	STEP_USAGE_TABLE(STEP_USAGE_NAME)
#undef STEP_USAGE_NAME
};

const char *step_usage_name(enum step_usage_kind kind)
{
	return names[kind];
}

void step_usage_put(struct message *message, const struct step_usage *usage)
{
	message_put_u64(message, usage->known);
	for (unsigned i = 0; i < STEP_USAGE_NUM; i++) {
		if (step_usage_has(usage, i))
			message_put_u64(message, usage->values[i] < FIGURE_MAX ? usage->values[i]
									       : FIGURE_MAX);
	}
}

int step_usage_get(struct message *message, struct step_usage *usage)
{
	*usage = (struct step_usage){.known = message_get_u64(message)};
	if (usage->known >> STEP_USAGE_NUM)
		return -EBADMSG;
	for (unsigned i = 0; i < STEP_USAGE_NUM; i++) {
		if (!step_usage_has(usage, i))
			continue;
		usage->values[i] = message_get_u64(message);
		if (usage->values[i] > FIGURE_MAX)
			return -EBADMSG;
	}
	return 0;
}
