/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_SCHEDULER_WORLD_H
#define TESTS_UNIT_SCHEDULER_WORLD_H

/*
 * The scheduler runs in a process of its own, and the test plays all of its peers. So it can be
 * killed and started again on the same store, as in operation.
 */

#include "common/cleanup.h"
#include "common/message.h"
#include "common/message_table.h"
#include "common/messages/api.h"
#include "common/messages/config.h"
#include "common/messages/deliveries.h"
#include "common/messages/fetching.h"
#include "common/messages/host.h"
#include "common/messages/steps.h"
#include "common/step_usage.h"
#include "scheduler/peers/serve.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/cmocka_headers.h"

#define WAIT_SEC 10
#define COMMIT_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define COMMIT_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

struct world {
	char dir[64];
	char store[96];
	const char *instance;
	uint64_t max_running, timeout_sec;
	uint64_t deliveries_sec, fetch_retry_sec; /* 0: not sent */
	bool sync_first; /* the daemon reports its steps before it sends the configuration */
	pid_t pid;
	int daemon, webhook, fetcher, api; /* our ends of the channels */
	uint64_t serial;
	rlim_t file_limit; /* bytes of a file of the store, 0: no limit; simulates a full disk */
	uint64_t whose;	   /* in the last FETCH, enum fetch_whose */
	const char *view;  /* for FETCHED; NULL: none */
	bool view_objects;
};

/* The contents of a STEP_START. */
struct order {
	uint64_t id, run, attempt, timeout_msec, memory, uid, gid, tty, n_layers;
	char workdir[256], layer[80]; /* the last layer */
	char slug[128], name[256], commit[80], view[80];
	uint64_t objects;
	char command[256];
	char env[4096];	   /* "NAME=value\n" lines */
	char masked[1024]; /* "value\n" lines */
};

int fixture_pair(int *ret_theirs);
void fixture_hello(int fd, enum process_role role);
/* The next message except HELLO and, unless @events, EVENT; NULL after a timeout or at the end. */
struct message *fixture_receive_any(int fd, bool events);
struct message *fixture_receive(int fd, enum message_type type);
bool fixture_quiet(int fd);
int fixture_channel(struct world *world, enum process_role role);
void config_project(struct world *world, const char *name, uint64_t limit, uint64_t weight,
		    uint64_t workspace);
void config_begin(struct world *world);
void config_end(struct world *world);
/* Projects "a", "b" (limit 1) and "w" (workspace). */
void world_configure(struct world *world);
void world_sync(struct world *world);
/* Start the scheduler and play its peers; the caller syncs. */
void world_start_unsynced(struct world *world);
void world_start(struct world *world);
void world_disconnect(struct world *world);
void world_kill(struct world *world);
/* The daemon hangs up: the scheduler must end with 0 (and without leaks, under ASan). */
void world_stop(struct world *world);
struct world *world_new(void);
void world_free(struct world *world);

/* ---- the webhook process ---- */

void trigger_send(struct world *world, const char *project, const char *delivery,
		  const char *after);
uint64_t trigger_accepted(struct world *world, uint64_t want_duplicate);
uint64_t trigger(struct world *world, const char *project, const char *delivery, const char *after);
uint64_t trigger_refused(struct world *world);

/* ---- the fetcher ---- */

/* Wait for a FETCH of @commit. Return: its serial. */
uint64_t fetch_expect(struct world *world, const char *commit);
int text_fd(const char *text);
/* Reply to a fetch with a failure. */
void fetched_failed(struct world *world, uint64_t serial, enum fetch_outcome outcome,
		    const char *error);
/*
 * Reply to a fetch. @runbook NULL: the file is absent; @error not NULL: the fetch failed;
 * @paths: changed paths, one a line; NULL: not known.
 */
void fetched_send_changed(struct world *world, uint64_t serial, const char *commit,
			  const char *runbook, const char *error, const char *paths);
void fetched_send(struct world *world, uint64_t serial, const char *commit, const char *runbook,
		  const char *error);
void fetch_answer(struct world *world, const char *commit, const char *runbook);
/* Start a run of @runbook in project "a", for a new commit. */
uint64_t run_start(struct world *world, const char *runbook);

/* ---- the daemon ---- */

/* The next STEP_START; acknowledgements on the way are skipped. */
void order_expect(struct world *world, struct order *order);
void order_started(struct world *world, uint64_t order);
void order_used(struct world *world, uint64_t order, enum step_result result, uint64_t code,
		const char *reason, const struct step_usage *usage);
void order_result(struct world *world, uint64_t order, enum step_result result, uint64_t code,
		  const char *reason);
void order_exited(struct world *world, uint64_t order, uint64_t code);
/* The order in an acknowledgement. */
uint64_t acked_order(struct message *message);
/* The order in a STEP_CANCEL. */
uint64_t cancelled_order(struct message *message);
/* The order in a STEP_START. */
uint64_t started_order(struct message *message);
void ack_expect(struct world *world, uint64_t order);

/* ---- the api ---- */

struct ask {
	enum api_verb verb;
	const char *project;
	uint64_t run;
	const char *step, *ref, *commit, *env, *name;
	bool failed;
	uint64_t after, limit;
	int fd; /* 0: none */
};

#define ASK(...) (&(const struct ask){__VA_ARGS__})

/* Send a request and return the JSON of the reply, NULL for an error; the caller owns it. */
json_t *ask_status(struct world *world, const struct ask *ask, unsigned *ret_status);
json_t *ask(struct world *world, const struct ask *what);
unsigned ask_refused(struct world *world, const struct ask *what);
const char *member(const json_t *object, const char *key);
json_int_t number(const json_t *object, const char *key);
void run_expect(struct world *world, uint64_t run, const char *state, const char *reason);
void step_expect(struct world *world, uint64_t run, const char *slug, const char *state,
		 const char *reason);

#endif
