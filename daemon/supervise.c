/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/supervise.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/phases.h"

#include <assert.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>

static void phase_set(struct supervised *supervised, enum supervised_phase to)
{
	static const unsigned next[] = {
		[SUPERVISED_NONE] = PHASE(SUPERVISED_HELD) | PHASE(SUPERVISED_STARTING),
		[SUPERVISED_STARTING] = PHASE(SUPERVISED_HELD) | PHASE(SUPERVISED_NONE),
		/* none: it was abandoned */
		[SUPERVISED_HELD] = PHASE(SUPERVISED_RUNNING) | PHASE(SUPERVISED_NONE),
		[SUPERVISED_RUNNING] = PHASE(SUPERVISED_ENDING) | PHASE(SUPERVISED_NONE),
		[SUPERVISED_ENDING] = PHASE(SUPERVISED_NONE),
	};

	assert(phase_may_follow(next, ARRAY_SIZE(next), supervised->phase, to));
	supervised->phase = to;
}

static const struct sandbox_ops *ops_of(const struct supervised *supervised)
{
	return supervised->supervisor->ops;
}

static void kill_now(struct supervised *supervised)
{
	int r = ops_of(supervised)->kill(&supervised->sandbox);

	if (r < 0)
		log_error("cannot kill %s: %s", supervised->name, strerror(-r));
}

/* ---- the end ---- */

/* All processes of the sandbox have ended: collect the outcome, and remove the sandbox. */
static void sandbox_gone(struct loop_file *file, uint32_t events)
{
	struct supervised *supervised = container_of(file, struct supervised, end_file);
	const struct sandbox_ops *ops = ops_of(supervised);
	struct supervised_end end = {.outcome = {.how = SANDBOX_LOST}, .error = ERROR_INIT};

	loop_remove(file);
	if (supervised->notes) {
		end.result = ops->collect(&supervised->sandbox, &end.outcome, &end.error);
		supervised->notes->collected(supervised, &end);
		(void)ops->finish(&supervised->sandbox, &end.outcome, NULL);
	} else {
		end.result = ops->finish(&supervised->sandbox, &end.outcome, &end.error);
	}
	phase_set(supervised, SUPERVISED_NONE);
	supervised->done(supervised, &end);
}

/* The command has ended: kill the rest of the sandbox, and wait for its pidfd. */
static void status_reported(struct loop_file *file, uint32_t events)
{
	struct supervised *supervised = container_of(file, struct supervised, status_file);

	/* processes that the command started have the rest of the grace, which the timer ends.
	 * Wait for the hang-up of the pipe, which epoll reports even for no events */
	if (supervised->terminated && !(events & (EPOLLHUP | EPOLLERR)) &&
	    loop_modify(file, 0) == 0)
		return;
	loop_remove(file);
	loop_timer_cancel(&supervised->timer);
	supervised->ended_usec = wall_usec();
	if (supervised->notes)
		supervised->notes->over(supervised);
	phase_set(supervised, SUPERVISED_ENDING);
	if (loop_add(supervised->supervisor->loop, &supervised->end_file, supervised->sandbox.pidfd,
		     EPOLLIN, sandbox_gone) == 0)
		kill_now(supervised);
	else
		sandbox_gone(&supervised->end_file, EPOLLIN); /* finish() kills it and waits */
}

/* ---- ending it ---- */

static void grace_over(struct loop_timer *timer)
{
	kill_now(container_of(timer, struct supervised, timer));
}

void supervise_terminate(struct supervised *supervised, int cause)
{
	uint64_t now = now_usec();
	bool at_once = supervised->grace_usec == SUPERVISE_NO_GRACE;
	int r;

	if (!supervised_runs(supervised) || supervised->terminated)
		return;
	supervised->terminated = true;
	supervised->cause = cause;
	supervised->kill_at_usec = at_once ? now : now + supervised->grace_usec;
	if (supervised->notes)
		supervised->notes->terminating(supervised);
	if (at_once) {
		kill_now(supervised);
		return;
	}
	r = ops_of(supervised)->signal(&supervised->sandbox, SIGTERM);
	if (r < 0)
		log_warning("cannot signal %s: %s", supervised->name, strerror(-r));
	(void)loop_timer_set(supervised->supervisor->loop, &supervised->timer,
			     r < 0 ? now : supervised->kill_at_usec, grace_over);
}

static void timeout_over(struct loop_timer *timer)
{
	struct supervised *supervised = container_of(timer, struct supervised, timer);

	supervise_terminate(supervised, supervised->timeout_cause);
}

void supervise_timeout(struct supervised *supervised, uint64_t at_usec, int cause)
{
	if (!supervised_runs(supervised) || supervised->terminated)
		return; /* the timer is in use for the grace */
	supervised->timeout_cause = cause;
	(void)loop_timer_set(supervised->supervisor->loop, &supervised->timer, at_usec,
			     timeout_over);
}

void supervise_kill(struct supervised *supervised)
{
	if (supervised_runs(supervised))
		kill_now(supervised);
}

static int launch_end(struct supervised *supervised, struct error *error)
{
	int r = ops_of(supervised)
			->launch_end(TAKE_PTR(supervised->launch), &supervised->sandbox, error);

	phase_set(supervised, r < 0 ? SUPERVISED_NONE : SUPERVISED_HELD);
	return r;
}

void supervise_abandon(struct supervised *supervised, struct sandbox_outcome *ret_outcome)
{
	struct sandbox_outcome ignored;

	if (supervised->phase == SUPERVISED_STARTING && launch_end(supervised, NULL) < 0)
		return;
	if (supervised->phase == SUPERVISED_NONE)
		return;
	loop_remove(&supervised->status_file);
	loop_remove(&supervised->end_file);
	loop_timer_cancel(&supervised->timer);
	(void)ops_of(supervised)
		->finish(&supervised->sandbox, ret_outcome ? ret_outcome : &ignored, NULL);
	phase_set(supervised, SUPERVISED_NONE);
}

/* ---- starting and taking over ---- */

/* A new sandbox: reset the state of an earlier one. */
static void begin(struct supervised *supervised, enum supervised_phase phase)
{
	phase_set(supervised, phase);
	supervised->terminated = false;
	supervised->cause = 0;
	supervised->ended_usec = 0;
}

static int watch(struct supervised *supervised)
{
	int r = loop_add(supervised->supervisor->loop, &supervised->status_file,
			 supervised->sandbox.status_fd, EPOLLIN, status_reported);

	if (r == 0)
		phase_set(supervised, SUPERVISED_RUNNING);
	return r;
}

int supervise_start(struct supervised *supervised, const struct sandbox_request *request,
		    struct error *error)
{
	int r = ops_of(supervised)
			->start(supervised->supervisor->host, request, &supervised->sandbox, error);

	if (r < 0)
		return r;
	begin(supervised, SUPERVISED_HELD);
	r = watch(supervised);
	if (r == 0)
		return 0;
	/* it runs, but its end could not be noticed: take it down again */
	supervise_abandon(supervised, NULL);
	return error_errno(error, -r, "cannot watch the sandbox");
}

/* ---- starting without waiting ---- */

static void launch_over(struct supervised *supervised)
{
	struct error error = ERROR_INIT;
	int r = launch_end(supervised, &error);

	if (r == 0) {
		r = watch(supervised);
		if (r < 0) {
			supervise_abandon(supervised, NULL);
			(void)error_errno(&error, -r, "cannot watch the sandbox");
		}
	}
	supervised->started(supervised, r, &error);
}

static void launches_over(struct loop_file *file, uint32_t events)
{
	struct supervisor *supervisor = container_of(file, struct supervisor, launch_file);
	struct supervised *supervised;

	while ((supervised = supervisor->ops->launch_next(supervisor->host)) != NULL)
		launch_over(supervised);
}

void supervise_launches(struct supervisor *supervisor)
{
	const struct sandbox_ops *ops = supervisor->ops;
	int fd = ops->launch_fd ? ops->launch_fd(supervisor->host) : -1;

	if (fd >= 0 &&
	    loop_add(supervisor->loop, &supervisor->launch_file, fd, EPOLLIN, launches_over) < 0)
		log_warning(
			"sandboxes are built one after the other: their starts cannot be watched");
}

void supervise_launches_end(struct supervisor *supervisor)
{
	loop_remove(&supervisor->launch_file);
}

int supervise_begin(struct supervised *supervised, const struct sandbox_request *request,
		    struct error *error)
{
	struct sandbox_launch *launch;
	int r;

	if (!supervised->supervisor->launch_file.loop) {
		r = supervise_start(supervised, request, error);
		if (r == 0)
			supervised->started(supervised, 0, NULL);
		return r;
	}
	r = ops_of(supervised)
		    ->launch_begin(supervised->supervisor->host, request, supervised, &launch,
				   error);
	if (r < 0)
		return r;
	begin(supervised, SUPERVISED_STARTING);
	supervised->launch = launch;
	return 0;
}

int supervise_persist(const struct supervised *supervised, struct sandbox_kept *ret_kept)
{
	return ops_of(supervised)->persist(&supervised->sandbox, ret_kept);
}

int supervise_adopt(struct supervised *supervised, const struct sandbox_kept *kept,
		    struct error *error)
{
	int r = ops_of(supervised)
			->adopt(supervised->supervisor->host, kept, &supervised->sandbox, error);

	if (r == 0)
		begin(supervised, SUPERVISED_HELD);
	return r;
}

int supervise_resume(struct supervised *supervised, bool terminated, int cause,
		     uint64_t deadline_usec)
{
	int r = watch(supervised);

	if (r < 0)
		return r;
	supervised->terminated = terminated;
	supervised->cause = terminated ? cause : 0;
	supervised->timeout_cause = cause;
	supervised->kill_at_usec = terminated ? deadline_usec : 0;
	if (deadline_usec > 0)
		(void)loop_timer_set(supervised->supervisor->loop, &supervised->timer,
				     deadline_usec, terminated ? grace_over : timeout_over);
	return 0;
}
