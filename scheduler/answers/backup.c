/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/answers/backup.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "scheduler/model/outbox.h"
#include "scheduler/store/store_backup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* pause between two pieces of work, so that deliveries and results go first */
#define PAUSE_USEC USEC_PER_MSEC

struct backup_job {
	struct scheduler *scheduler;
	struct store_backup *work;
	struct loop_timer timer;
	uint64_t serial;     /* of the request */
	uint64_t generation; /* of the api that sent it */
};

void backup_stop(struct scheduler *scheduler)
{
	struct backup_job *job = scheduler->backup;

	if (!job)
		return;
	scheduler->backup = NULL;
	loop_timer_cancel(&job->timer);
	(void)store_backup_free(job->work);
	free(job);
}

static void backup_reply(struct backup_job *job)
{
	struct scheduler *scheduler = job->scheduler;
	const struct request request = {.scheduler = scheduler, .serial = job->serial};
	cleanup_close int fd = store_backup_take(job->work);

	if (fd < 0) {
		reply_error(&request, 500, "the backup cannot be opened: %s", strerror(-fd));
		return;
	}
	outbox_put(&scheduler->api,
		   MESSAGE_NEW(api_answer, job->serial, .status = 200, .content = fd));
	log_info("a backup was made");
}

static void backup_failed(struct backup_job *job, int r, const struct error *error)
{
	const struct request request = {.scheduler = job->scheduler, .serial = job->serial};

	log_error("no backup: %s", error->text);
	if (r == -EUCLEAN)
		reply_error(&request, 500,
			    "the database is damaged (%s): keep the backups that you have, and "
			    "`runbookctl restore` the newest",
			    error->text);
	else
		reply_error(&request, r == -ENOSPC ? 507 : 500, "%s%s", error->text,
			    r == -ENOSPC ? ": a copy needs as much room as the database" : "");
}

static void backup_timer(struct loop_timer *timer)
{
	struct backup_job *job = container_of(timer, struct backup_job, timer);
	struct scheduler *scheduler = job->scheduler;
	struct error error = ERROR_INIT;
	int r = 0;

	if (scheduler->api.generation != job->generation || !scheduler->api.channel.open) {
		backup_stop(scheduler); /* the api that sent the request has ended */
		return;
	}
	/* an open transaction may still be rolled back */
	if (!store_dirty(scheduler->store))
		r = store_backup_continue(job->work, &error);
	if (r == 0) {
		(void)loop_timer_set(scheduler->loop, timer, now_usec() + PAUSE_USEC, backup_timer);
		return;
	}
	if (r < 0)
		backup_failed(job, r, &error);
	else
		backup_reply(job);
	backup_stop(scheduler);
}

void answer_backup(const struct request *request)
{
	struct scheduler *scheduler = request->scheduler;
	struct store_manifest manifest = {.created_usec = wall_usec()};
	struct error error = ERROR_INIT;
	struct backup_job *job;
	int r;

	if (scheduler->backup && scheduler->backup->generation != scheduler->api.generation)
		backup_stop(scheduler);
	job = scheduler->backup ? NULL : calloc(1, sizeof(*job));
	if (!job) {
		reply_error(request, scheduler->backup ? 409 : 503, "%s",
			    scheduler->backup ? "a backup is being made already: wait for it"
					      : "not enough memory: try again");
		return;
	}
	(void)snprintf(manifest.version, sizeof(manifest.version), "%s", RUNBOOK_VERSION);
	(void)snprintf(manifest.instance, sizeof(manifest.instance), "%s",
		       executor_home(scheduler)->config.instance);
	r = store_backup_begin(scheduler->store, &manifest, &job->work, &error);
	*job = (struct backup_job){
		.scheduler = scheduler,
		.work = job->work,
		.timer = LOOP_TIMER_NULL,
		.serial = request->serial,
		.generation = scheduler->api.generation,
	};
	if (r == 0)
		r = loop_timer_set(scheduler->loop, &job->timer, now_usec(), backup_timer);
	if (r < 0) {
		backup_failed(job, r, &error);
		(void)store_backup_free(job->work);
		free(job);
		return;
	}
	scheduler->backup = job;
}
