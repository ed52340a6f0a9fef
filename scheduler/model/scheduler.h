/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_SCHEDULER_H
#define SCHEDULER_SCHEDULER_H

/*
 * DOC: The scheduler's objects
 *
 * The scheduler is one thread with one loop. Runs that are not final are in memory (struct run
 * with its steps) and in the store; final ones are in the store only.
 *
 * In a turn of the loop, handlers read the messages of the peers, change the objects and write
 * to the open transaction; every message that they send goes to the outbox. turn_end() then
 * claims the steps that may start, commits once, and sends the outbox only after that: an
 * acknowledgement or an order never overtakes its commit. If the commit fails, the process
 * ends, and the next one loads its objects from the last commit.
 */

#include "common/limits.h"
#include "common/loop.h"
#include "common/message.h"
#include "common/name_list.h"
#include "runbook/runbook.h"
#include "scheduler/model/executor.h"
#include "scheduler/model/image_table.h"
#include "scheduler/model/map.h"
#include "scheduler/model/retention_state.h"
#include "scheduler/model/secret_state.h"
#include "scheduler/queue/queue.h"
#include "scheduler/store/states.h"
#include "scheduler/store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROJECT_BUCKETS 1024 /* power of two */
#define SOURCES_ASKED_MAX 4  /* open requests to the fetcher, for each project */

struct scheduler;

struct project {
	struct scheduler *scheduler;
	struct project *next; /* in the same bucket */
	char name[PROJECT_NAME_MAX + 1];
	char *repository;
	uint64_t max_running; /* 0: the global limit */
	uint64_t weight;
	bool configured;
	bool upload; /* not configured: it only gets uploaded working copies */
	bool workspace;
	bool fork_secrets; /* pull requests from forks get secrets too */
	bool paused;
	struct queue_project queue;
	/* runs that wait for their tree; the first n_asked of them have been requested */
	struct list sources;
	struct run *sources_next; /* the first run whose tree was not requested yet, NULL: none */
	size_t n_asked;
	struct list delayed;	  /* runs whose fetch failed and is retried: source_wait */
	uint64_t fetch_retry_sec; /* how long a failed fetch is retried */
	size_t n_removing;  /* open removal requests to the fetcher; nothing is fetched meanwhile */
	struct list groups; /* concurrency_group */
	struct retention_policy retention; /* the project's own limits, see retention.h */
	struct retention_sums retained;
	/* the schedules in the runbook of the default branch, see schedule.h */
	struct schedule *schedules;
	uint64_t schedules_run; /* the run that they were read from */
	char *default_branch;	/* full ref; NULL: not known */
};

struct step {
	struct run *run;
	size_t index;
	enum step_state state;
	uint64_t attempt;
	uint64_t order;	  /* claim of the current attempt, 0: not claimed */
	uint64_t budget;  /* attempt from which the automatic ones are counted */
	size_t n_missing; /* dependencies that are not settled, see step_when.h */
	uint64_t ready_usec;
	uint64_t started_usec;
	uint64_t queued_usec;  /* monotonic: since when it may start, see run_timers.h */
	bool bad_above;	       /* a dependency ended without success */
	bool failed_above;     /* a step above it, at any distance, failed */
	bool notified;	       /* its dependants were notified of its end */
	bool settled;	       /* final, and so are all steps above it */
	bool condition_failed; /* skipped for a condition on what started the run */
	bool confirmed;	       /* its executor has reported the order in this life, or got it */
	bool cancelling;       /* STEP_CANCEL was requested */
	char *instance;	       /* runbookd that an earlier life claimed it for, or NULL */
	struct queue_item item;
	struct list_node changed_node; /* of run->changed_steps, see progress.h */
	bool to_release;	       /* it became ready, and progress() has not released it yet */
	bool to_order;		       /* it is claimed, and its order can be made now */
	struct step *work_next;	       /* worklist of step_propagate() */
	bool work_listed;
	bool retried;		       /* part of the retry that is being made */
	struct image_wait *image_wait; /* the image it is parked for; NULL: not parked */
	uint64_t image_since_usec;     /* monotonic: since when */
	struct list_node image_node;   /* of image_wait->steps */
};

/** enum run_due - the next phase of a run, which progress.c calls */
enum run_due {
	RUN_DUE_NOTHING,
	RUN_DUE_TREE,	   /* request its tree */
	RUN_DUE_RUNBOOK,   /* read its runbook: run->text, or the frozen text */
	RUN_DUE_SCHEDULES, /* its tree has no runbook, and so its branch no schedules */
};

struct run {
	struct scheduler *scheduler;
	struct project *project;
	struct store_run row; /* owns its texts; .reason is always NULL here */
	struct runbook *runbook;
	struct step *steps;
	size_t n_steps, n_final;
	struct queue_group *groups; /* one for each matrix of the runbook */
	/* dependants[dependants_start[i] .. dependants_start[i + 1]] depend on step i */
	size_t *dependants_start, *dependants;
	/* while the run waits for its tree */
	bool sourcing;
	int upload_fd;		      /* tar of a working copy, -1: none */
	uint64_t serial;	      /* of the open request to the fetcher, 0: none */
	struct list_node source_node; /* of project->sources */
	struct source_wait *wait;     /* NULL: its fetch is not delayed */
	/* what came with the tree, until the steps are made */
	char *text; /* runbook.yml, malloc'ed; NULL: it is frozen already */
	size_t text_size;
	bool paths_known;
	struct name_list paths;
	struct concurrency_group *group; /* NULL: none */
	struct list_node group_node;
	struct loop_timer timeout_timer, queue_timer;
	struct run_image *images; /* what image names stand for in this run */
	/* changes whose consequences progress() has to draw */
	struct list_node changed_node; /* of scheduler->changed */
	struct list changed_steps;
	enum run_due due;
	enum run_state followed; /* the state whose consequences were drawn */
	struct run *final_next;	 /* in the list of runs to forget at the end of the turn */
	bool final_listed;
};

struct outbox_entry {
	struct list_node node;
	struct peer *peer;
	uint64_t generation; /* of the peer, when the message was queued */
	struct message *message;
};

/** struct scheduler_config - the part of the configuration that does not describe a host */
struct scheduler_config {
	char url[URL_MAX + 1];
	uint64_t timeout_sec;
	uint64_t
		fetch_retry_sec; /* CONFIG_FETCH_RETRY, for projects without a value of their own */
	uint64_t deliveries_sec; /* CONFIG_DELIVERIES: how long they are kept, 0: forever */
	struct retention_policy retention; /* CONFIG_RETENTION */
};

/** struct staged_project - a CONFIG_PROJECT that takes effect at CONFIG_END */
struct staged_project {
	struct staged_project *next;
	char name[PROJECT_NAME_MAX + 1];
	char *repository;
	uint64_t max_running, weight;
	uint64_t fetch_retry_sec;
	bool own_retry, workspace, fork_secrets;
	struct retention_policy retention;
};

struct scheduler {
	struct loop *loop;
	struct store *store;
	struct list executors; /* the first one is home, see executor.h */
	struct peer webhook, fetcher, api, image, cacher;
	uint64_t started_usec;

	struct scheduler_config config, staged_config;
	struct staged_project *staged;
	struct executor *staging; /* between its CONFIG_BEGIN and CONFIG_END; NULL otherwise */
	struct executor_config staged_executor;
	bool configured; /* a configuration is in force */

	struct project *projects[PROJECT_BUCKETS];
	size_t n_projects;  /* configured ones */
	struct map runs;    /* by id: runs that are not final */
	struct map orders;  /* by order number: running steps */
	struct map serials; /* by serial: runs with an open request to the fetcher */
	uint64_t last_serial;
	struct queue queue;
	struct images images;
	struct secrets secrets;
	uint64_t run_counts[RUN_STATE_NUM];
	struct retention retention;

	/* the turn */
	void (*turn_end)(struct scheduler *scheduler); /* see outbox.h */
	struct loop_timer turn_timer;
	struct list changed; /* runs with undrawn consequences, see progress.h */
	struct list outbox;
	struct run *final_runs;

	struct backup_job *backup; /* the backup that is being made, NULL: none */

	/* events for the api */
	uint64_t event_sent; /* id of the last one given to the outbox */
	size_t n_turn_events;
	bool events_behind; /* the api is slow: the rest is sent from the store, later */
	struct loop_timer events_timer;
	struct loop_timer schedule_timer;
	struct loop_timer deliveries_timer;
};

#endif
