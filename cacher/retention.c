/* SPDX-License-Identifier: Apache-2.0 */
#include "cacher/retention.h"

#include "common/cleanup.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/message_table.h"
#include "common/messages/artifacts.h"
#include "common/names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define REMOVALS_MAX 1024 /* queued; the scheduler requests far fewer at a time */
#define PUTS_MAX 64	  /* runs whose bytes have not been reported to the scheduler yet */
#define KEYS_PER_TURN 64  /* each means to unlink a file or two */

struct removal {
	struct removal *next;
	char project[PROJECT_NAME_MAX + 1];
	uint64_t run;
};

/* A run for which the api stored a key while the scheduler's channel was closed. */
struct put {
	char project[PROJECT_NAME_MAX + 1];
	uint64_t run;
};

struct retention {
	struct loop *loop;
	struct store *store;
	struct channel scheduler;
	struct loop_timer timer;
	struct removal *first, *last;
	unsigned n;
	struct put puts[PUTS_MAX];
	unsigned n_puts;
};

static struct removal *removal_pop(struct retention *retention)
{
	struct removal *removal = retention->first;

	retention->first = removal->next;
	if (!retention->first)
		retention->last = NULL;
	retention->n--;
	return removal;
}

static void removals_drop(struct retention *retention)
{
	while (retention->first)
		free(removal_pop(retention));
	loop_timer_cancel(&retention->timer);
}

static void removal_answer(struct retention *retention, const struct removal *removal, int r)
{
	if (r < 0)
		log_warning("cannot remove the artifacts of run %" PRIu64 " (project %s): %s",
			    removal->run, removal->project, strerror(-r));
	/* on failure the scheduler sends its request again, on a new channel */
	(void)channel_send(&retention->scheduler,
			   MESSAGE_NEW(artifacts_removed, 0, .run = removal->run,
				       .error = r < 0 ? strerror(-r) : ""));
}

static void retention_turn(struct loop_timer *timer)
{
	struct retention *retention = container_of(timer, struct retention, timer);
	struct removal *removal = retention->first;
	int r = store_run_remove(retention->store, removal->project, removal->run, KEYS_PER_TURN);

	if (r != 0) {
		removal_answer(retention, removal, r);
		/* sending may have closed the channel, which drops all removals */
		if (retention->first == removal)
			free(removal_pop(retention));
	}
	if (retention->first)
		(void)loop_timer_set(retention->loop, timer, now_usec(), retention_turn);
}

static int on_remove(struct channel *channel, struct message *message)
{
	struct retention *retention = channel->userdata;
	struct message_artifacts_remove request;
	struct removal *removal;
	int r = MESSAGE_GET(message, artifacts_remove, &request);

	if (r < 0)
		return r;
	if (!project_name_valid(request.project) || request.run == 0 ||
	    retention->n == REMOVALS_MAX)
		return -EBADMSG;
	removal = calloc(1, sizeof(*removal));
	if (!removal)
		return -ENOMEM;
	memcpy(removal->project, request.project, strlen(request.project) + 1);
	removal->run = request.run;
	if (retention->last)
		retention->last->next = removal;
	else
		retention->first = removal;
	retention->last = removal;
	retention->n++;
	if (retention->timer.loop)
		return 0;
	return loop_timer_set(retention->loop, &retention->timer, now_usec(), retention_turn);
}

/* Send the bytes of a run. Return: 0, or -errno when they were not sent. */
static int measured_send(struct retention *retention, uint64_t serial, const char *project,
			 uint64_t run)
{
	uint64_t bytes = 0;

	if (store_run_bytes(retention->store, project, run, &bytes) < 0)
		bytes = UINT64_MAX;
	return channel_send(&retention->scheduler,
			    MESSAGE_NEW(artifacts_measured, serial, .project = project, .run = run,
					.bytes = bytes));
}

static int on_measure(struct channel *channel, struct message *message)
{
	struct retention *retention = channel->userdata;
	struct message_artifacts_measure request;
	int r = MESSAGE_GET(message, artifacts_measure, &request);

	if (r < 0)
		return r;
	if (!project_name_valid(request.project) || request.run == 0)
		return -EBADMSG;
	r = measured_send(retention, message->serial, request.project, request.run);
	return r == -ENOMEM ? r : 0;
}

void retention_put(void *userdata, const char *project, uint64_t run)
{
	struct retention *retention = userdata;
	struct put *put = &retention->puts[retention->n_puts];

	if (retention->scheduler.open && measured_send(retention, 0, project, run) == 0)
		return;
	for (unsigned i = 0; i < retention->n_puts; i++) {
		if (retention->puts[i].run == run)
			return;
	}
	if (retention->n_puts == PUTS_MAX) {
		log_warning("the scheduler is away: it will not know that run %" PRIu64
			    " (project %s) has one more artifact",
			    run, project);
		return;
	}
	put->run = run;
	memcpy(put->project, project, strlen(project) + 1);
	retention->n_puts++;
}

/* Report the runs that changed while the scheduler's channel was closed. */
static void puts_send(struct retention *retention)
{
	while (retention->n_puts > 0) {
		const struct put *put = &retention->puts[retention->n_puts - 1];

		if (measured_send(retention, 0, put->project, put->run) < 0)
			return;
		retention->n_puts--;
	}
}

static const struct message_handler handlers[] = {
	{MESSAGE_ARTIFACTS_REMOVE, on_remove},
	{MESSAGE_ARTIFACTS_MEASURE, on_measure},
};

static void on_scheduler_closed(struct channel *channel)
{
	removals_drop(channel->userdata);
}

int retention_attach(struct retention *retention, int fd)
{
	int r;

	channel_close(&retention->scheduler);
	removals_drop(retention);
	r = channel_open(&retention->scheduler, retention->loop, fd, ROLE_CACHER, ROLE_SCHEDULER,
			 handlers, ARRAY_SIZE(handlers), on_scheduler_closed, retention);
	if (r == 0)
		puts_send(retention);
	return r;
}

int retention_new(struct loop *loop, struct store *store, struct retention **ret_retention)
{
	struct retention *retention = calloc(1, sizeof(*retention));

	if (!retention)
		return -ENOMEM;
	retention->loop = loop;
	retention->store = store;
	retention->timer = LOOP_TIMER_NULL;
	*ret_retention = retention;
	return 0;
}
