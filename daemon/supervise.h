/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_SUPERVISE_H
#define DAEMON_SUPERVISE_H

/*
 * DOC: A supervised sandbox
 *
 * Watches a sandbox from its start until it is gone, and ends it when it has to end.
 *
 *   starting  its inner part is being built, by another thread (supervise_begin())
 *   held      it exists and is not watched: between supervise_adopt() and supervise_resume()
 *   running   its command runs
 *   ending    its command has ended, the kernel takes down the rest of it
 *   none      nothing was started yet, or it is gone
 *
 * The status pipe of runbook-init reports the end of the command, the sandbox's pidfd the
 * end of the whole sandbox. In between the kernel may need seconds to free gigabytes,
 * and a process that waits for a dead file server does not die at all; the loop goes on
 * meanwhile. After that the sandbox is removed, and done() is called, once.
 *
 * The owner embeds struct supervised and decides what its sandbox is for. This module
 * knows neither steps nor layers, and it is the only one in daemon/ that touches the
 * descriptors and the operations of a sandbox.
 */

#include "common/error.h"
#include "common/loop.h"
#include "sandbox/ops.h"

#include <stdbool.h>
#include <stdint.h>

struct supervised;

/** struct supervisor - what the sandboxes of one owner have in common */
struct supervisor {
	struct loop *loop;
	struct sandbox_host *host;
	const struct sandbox_ops *ops;
	struct loop_file launch_file; /* of supervise.c: starts that are done */
};

/**
 * struct supervised_end - how a sandbox ended
 * @outcome: also when it was killed
 * @result:  0; -errno when the command was never started, because the inner part of the
 *           sandbox could not be built
 * @error:   why it was not, or why the command could not be executed; number 0: neither
 */
struct supervised_end {
	struct sandbox_outcome outcome;
	int result;
	struct error error;
};

/**
 * struct supervised_notes - called to write down the state of a sandbox that outlives us
 * @terminating: .cause and .kill_at_usec are set; the signal is sent afterwards
 * @over:        the command ended at .ended_usec
 * @collected:   @end is how; the cgroup and pipe that it was read from are removed afterwards
 *
 * Each is called before the change itself, so that a successor that finds the note can
 * repeat what may be missing.
 */
struct supervised_notes {
	void (*terminating)(struct supervised *supervised);
	void (*over)(struct supervised *supervised);
	void (*collected)(struct supervised *supervised, const struct supervised_end *end);
};

enum supervised_phase {
	SUPERVISED_NONE,
	SUPERVISED_STARTING,
	SUPERVISED_HELD,
	SUPERVISED_RUNNING,
	SUPERVISED_ENDING,
};

/* .grace_usec of a sandbox that gets no SIGTERM: to terminate it is to kill it */
#define SUPERVISE_NO_GRACE UINT64_MAX

/** struct supervised - one sandbox; the first part is filled in by its owner */
struct supervised {
	const struct supervisor *supervisor;
	const char *name; /* for the log; the owner's */
	uint64_t grace_usec;
	const struct supervised_notes *notes; /* NULL: the sandbox does not outlive us */
	/* after supervise_begin(): @result as that of supervise_start() */
	void (*started)(struct supervised *supervised, int result, const struct error *error);
	/* the sandbox is gone; @supervised may be freed or started again */
	void (*done)(struct supervised *supervised, const struct supervised_end *end);

	/* read-only to the owner */
	enum supervised_phase phase;
	bool terminated;
	int cause;	       /* of supervise_terminate(), or of the timeout */
	uint64_t kill_at_usec; /* end of the grace, monotonic */
	uint64_t ended_usec;   /* end of the command, wall clock; 0: not yet */

	/* of supervise.c alone */
	struct sandbox_launch *launch; /* while it is starting */
	struct sandbox sandbox;
	struct loop_file status_file;
	struct loop_file end_file; /* the pidfd, while it is ending */
	struct loop_timer timer;   /* timeout, then the end of the grace */
	int timeout_cause;
};
#define SUPERVISED_NULL                                                                            \
	((struct supervised){.status_file = LOOP_FILE_NULL,                                        \
			     .end_file = LOOP_FILE_NULL,                                           \
			     .timer = LOOP_TIMER_NULL})

/**
 * supervise_start() - build a sandbox and start its command
 *
 * done() is called from the loop only, never from within this function.
 * Return: 0; -errno with @error, everything that was built is removed then.
 */
int supervise_start(struct supervised *supervised, const struct sandbox_request *request,
		    struct error *error);
/**
 * supervise_launches() - let the sandboxes of @supervisor be built by other threads
 *
 * Without this, and if the library has no such threads, supervise_begin() builds them itself.
 */
void supervise_launches(struct supervisor *supervisor);
/** supervise_launches_end() - the opposite, before the loop is freed */
void supervise_launches_end(struct supervisor *supervisor);
/**
 * supervise_begin() - supervise_start() that does not wait until the sandbox is built
 * @request: must stay, with all that it points to, until .started() is called
 *
 * .started() is called later from the loop, or within this function when there are no other
 * threads. Return: 0; -errno with @error, .started() is not called then.
 */
int supervise_begin(struct supervised *supervised, const struct sandbox_request *request,
		    struct error *error);
/** supervise_timeout() - at @at_usec (monotonic) terminate the sandbox for @cause */
void supervise_timeout(struct supervised *supervised, uint64_t at_usec, int cause);
/**
 * supervise_terminate() - send SIGTERM now, kill the whole sandbox after .grace_usec
 * @cause: a number that the owner chooses; .cause from now on
 *
 * Ignored unless it runs and was not terminated yet.
 */
void supervise_terminate(struct supervised *supervised, int cause);
/** supervise_kill() - kill every process in it; done() follows. Ignored unless it runs. */
void supervise_kill(struct supervised *supervised);
/**
 * supervise_abandon() - kill and remove the sandbox, without a call of done()
 * @ret_outcome: NULL is fine
 *
 * Blocks until the kernel has reaped it; one that is starting is built before. Ignored in the
 * phase none.
 */
void supervise_abandon(struct supervised *supervised, struct sandbox_outcome *ret_outcome);

/** supervise_persist() - describe it for a successor, see sandbox_persist(). Return: 0 or -ENOMEM. */
int supervise_persist(const struct supervised *supervised, struct sandbox_kept *ret_kept);
/**
 * supervise_adopt() - take over the sandbox that a predecessor described; it is held then
 * @kept: its descriptors are taken over, also on failure
 *
 * Return: 0; -errno with @error.
 */
int supervise_adopt(struct supervised *supervised, const struct sandbox_kept *kept,
		    struct error *error);
/**
 * supervise_resume() - watch a sandbox that is held
 * @terminated:    a predecessor has terminated it already
 * @cause:         of that termination; otherwise for the timeout
 * @deadline_usec: end of the grace or timeout, monotonic; 0: none
 *
 * Return: 0; -errno, it is still held then.
 */
int supervise_resume(struct supervised *supervised, bool terminated, int cause,
		     uint64_t deadline_usec);

/** supervised_runs() - has the end of its command not been reported yet? */
static inline bool supervised_runs(const struct supervised *supervised)
{
	return supervised->phase == SUPERVISED_RUNNING;
}

#endif
