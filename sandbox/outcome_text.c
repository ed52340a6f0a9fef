/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/outcome_text.h"

#include "common/names.h"

#include <inttypes.h>
#include <stdio.h>

void sandbox_outcome_memory(const struct sandbox_outcome *outcome, char *out, size_t size)
{
	const struct step_usage *usage = &outcome->usage;
	char limit[32], peak[32] = "unknown";

	if (step_usage_has(usage, STEP_USAGE_MEMORY_PEAK))
		text_bytes(peak, sizeof(peak), usage->values[STEP_USAGE_MEMORY_PEAK]);
	switch (outcome->memory_scope) {
	case SANDBOX_MEMORY_STEP:
		text_bytes(limit, sizeof(limit), outcome->limits.memory);
		/* the disk is a tmpfs: a writer may exceed the memory limit before it is full */
		(void)snprintf(out, size,
			       "out of memory: limit %s, peak %s (files that it wrote count)",
			       limit, peak);
		return;
	case SANDBOX_MEMORY_RUN:
		text_bytes(limit, sizeof(limit), outcome->run_limits.memory);
		(void)snprintf(out, size,
			       "out of memory: limit %s for all steps of the run, of which this "
			       "one took %s",
			       limit, peak);
		return;
	case SANDBOX_MEMORY_STEPS:
		text_bytes(limit, sizeof(limit), outcome->steps_memory);
		(void)snprintf(out, size,
			       "out of memory: limit %s for all steps of this host, of which this "
			       "one took %s",
			       limit, peak);
		return;
	case SANDBOX_MEMORY_HOST:
		break;
	}
	(void)snprintf(out, size, "out of memory: the host has no more, peak %s", peak);
}

void sandbox_outcome_hint(const struct sandbox_outcome *outcome, char *out, size_t size)
{
	uint64_t pids = outcome->limits.pids, run_pids = outcome->run_limits.pids;
	size_t used = 0;
	char limit[32];

	out[0] = '\0';
	if (outcome->forks_refused) {
		bool of_run = run_pids && run_pids < pids;

		used += (size_t)snprintf(
			out, size,
			"process limit %" PRIu64 "%s reached: %" PRIu64 " fork%s refused",
			of_run ? run_pids : pids, of_run ? " of the run" : "",
			outcome->forks_refused, outcome->forks_refused == 1 ? "" : "s");
	}
	if (outcome->disk_full && used < size) {
		text_bytes(limit, sizeof(limit), outcome->disk);
		(void)snprintf(out + used, size - used, "%sthe step's disk is full: limit %s",
			       used ? "; " : "", limit);
	}
}
