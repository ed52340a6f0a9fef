/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_RUN_TIMERS_H
#define SCHEDULER_RUN_TIMERS_H

/*
 * DOC: Timeouts of a run
 *
 * "timeout" begins when the run does (its first step starts, or a step is retried and the run is
 * not held), "queue_timeout" when a step is ready and its run is not held. Both follow the
 * monotonic clock while the process lives. Over a restart, the time that passed is the difference
 * of two wall times in the store, clamped to [0, the whole time]: a clock that was set back
 * meanwhile grants the time once more, one that was set forward ends it.
 */

struct run;
struct step;

/** run_timers_started() - @run is running from now on: start its timeout */
void run_timers_started(struct run *run);
/** run_timers_ready() - @step may start from now on: start its time in the queue */
void run_timers_ready(struct step *step);
/** run_timers_restore() - after a restart: continue both timeouts */
void run_timers_restore(struct run *run);
/** run_timers_stop() - @run is final or freed from memory: stop both */
void run_timers_stop(struct run *run);

#endif
