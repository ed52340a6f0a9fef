/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/engine/wait_reason.h"

#include "scheduler/engine/admission.h"
#include "scheduler/engine/concurrency.h"
#include "scheduler/engine/images.h"
#include "scheduler/model/steps.h"

#include <stdio.h>

static void pending_reason(const struct step *step, char *out, size_t size)
{
	const struct runbook_step *text = step_text(step);
	const char *first = NULL;
	size_t n = 0;

	for (size_t i = 0; i < text->n_depends_on; i++) {
		const struct step *dependency = &step->run->steps[text->depends_on[i]];

		if (dependency->settled)
			continue;
		if (n++ == 0)
			first = step_text(dependency)->name;
	}
	if (n == 1)
		(void)snprintf(out, size, "waits for \"%s\"", first);
	else if (n > 1)
		(void)snprintf(out, size, "waits for \"%s\" and %zu more", first, n - 1);
}

const char *step_wait_reason(const struct step *step, char *out, size_t size)
{
	const char *wait;

	out[0] = '\0';
	if (step->state == STEP_STATE_PENDING) {
		pending_reason(step, out, size);
		return "dependency";
	}
	if (step->state != STEP_STATE_READY)
		return queue_wait_name(QUEUE_WAIT_NOT);
	if (step->run->row.held) {
		concurrency_reason(step->run, out, size);
		return "concurrency";
	}
	wait = executors_wait_reason(step->run->scheduler, out, size);
	if (wait)
		return wait;
	if (step->image_wait) {
		images_reason(step, out, size);
		return "image";
	}
	return admission_reason(step, out, size);
}
