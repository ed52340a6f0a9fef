/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_RUN_TIMERS_H
#define SCHEDULER_RUN_TIMERS_H

/*
 * DOC: The time that a run has
 *
 * "timeout" begins when the run does (its first step starts, or one is retried and
 * the run is not held), "queue_timeout" when a step is ready and its run is not
 * held. Both are kept by the monotonic clock while we live. What passes while nobody is there is the
 * difference of two wall times that are in the store, within [0, the whole time]:
 * a clock that was set back in between gives the time once more, one that was set
 * forward takes it away.
 */

struct run;
struct step;

/** run_timers_started() - @run is running from now on: its timeout begins */
void run_timers_started(struct run *run);
/** run_timers_ready() - @step may start from now on: its time in the queue begins */
void run_timers_ready(struct step *step);
/** run_timers_restore() - go on with both after a restart */
void run_timers_restore(struct run *run);
/** run_timers_stop() - @run is final, or released from memory */
void run_timers_stop(struct run *run);

#endif
