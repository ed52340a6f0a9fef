/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MESSAGES_STEPS_H
#define COMMON_MESSAGES_STEPS_H

/*
 * Steps, between the scheduler and the daemon. docs/restart.md describes the order of messages.
 * See common/message_fields.h for the tables, common/message_table.h for senders and receivers.
 */

#include "common/image.h"
#include "common/limits.h"
#include "common/message_fields.h"
#include "common/runbook_name.h"
#include "common/step.h"
#include "common/step_usage.h"

#include <limits.h>

#define STEP_LAYER_FIELDS(X, M) X(M, TEXT, id, IMAGE_ID_SIZE - 1)

/*
 * Start a step; order is the number of this attempt. daemon/requests.c checks values that a
 * person may have caused, and replies with STEP_EXITED. A resource of 0 is unlimited.
 */
#define STEP_START_FIELDS(X, M)                                                                    \
	X(M, NUMBER, order, UINT64_MAX)                                                            \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, NUMBER, run, UINT64_MAX)                                                              \
	X(M, TEXT, slug, STEP_SLUG_MAX)                                                            \
	X(M, NUMBER, attempt, UINT64_MAX)                                                          \
	X(M, TEXT, name, STEP_NAME_MAX)                                                            \
	X(M, TEXT, commit, COMMIT_HEX_MAX)                                                         \
	/* the view laid over the commit's tree, see fetcher/view.h; "": none */                   \
	X(M, TEXT, view, COMMIT_HEX_MAX)                                                           \
	X(M, ENUM, objects, step_objects, STEP_OBJECTS_NUM)                                        \
	/* for people; the step gets the layers, or image "host" */                                \
	X(M, TEXT, image, IMAGE_NAME_MAX)                                                          \
	/* lowest first; none for image "host" */                                                  \
	X(M, LIST, layers, step_layer, IMAGE_LAYERS_MAX)                                           \
	X(M, ENUM, network, step_network, STEP_NETWORK_NUM)                                        \
	X(M, NUMBER, memory, UINT64_MAX)                                                           \
	X(M, NUMBER, pids, UINT64_MAX)                                                             \
	X(M, NUMBER, cpu_milli, UINT64_MAX)                                                        \
	X(M, NUMBER, disk, UINT64_MAX)                                                             \
	/* bytes and operations, per second and disk */                                            \
	X(M, NUMBER, io_read, UINT64_MAX)                                                          \
	X(M, NUMBER, io_write, UINT64_MAX)                                                         \
	X(M, NUMBER, io_read_ops, UINT64_MAX)                                                      \
	X(M, NUMBER, io_write_ops, UINT64_MAX)                                                     \
	X(M, NUMBER, timeout_msec, UINT64_MAX)                                                     \
	X(M, NUMBER, grace_msec, UINT64_MAX)                                                       \
	/* with a terminal */                                                                      \
	X(M, FLAG, tty)                                                                            \
	/* made if it does not exist; "": the workspace */                                         \
	X(M, TEXT, workdir, PATH_MAX - 1)                                                          \
	X(M, NUMBER, uid, UINT64_MAX)                                                              \
	X(M, NUMBER, gid, UINT64_MAX)                                                              \
	/* command and environment, see common/step_payload.h */                                   \
	X(M, FD, payload)                                                                          \
	/* values that its log must not show, see common/step_mask.h */                            \
	X(M, FD_OR_NONE, mask)

/* End a step. why: STEP_RESULT_CANCELLED or STEP_RESULT_TIMEOUT */
#define STEP_CANCEL_FIELDS(X, M)                                                                   \
	X(M, NUMBER, order, UINT64_MAX)                                                            \
	X(M, ENUM, why, step_result, STEP_RESULT_NUM)

/* The result of the step is committed: the daemon may forget it. */
#define STEP_ACK_FIELDS(X, M) X(M, NUMBER, order, UINT64_MAX)

/* The step's sandbox runs. */
#define STEP_STARTED_FIELDS(X, M)                                                                  \
	X(M, NUMBER, order, UINT64_MAX)                                                            \
	X(M, TEXT, container, CONTAINER_ID_MAX)                                                    \
	X(M, NUMBER, started_usec, UINT64_MAX)

#define STEP_FIGURE_FIELDS(X, M)                                                                   \
	X(M, ENUM, kind, step_usage_kind, STEP_USAGE_NUM)                                          \
	X(M, NUMBER, value, STEP_FIGURE_MAX)

/*
 * The step has ended, or was refused: then started_usec is 0. figures: those that the host can
 * measure.
 */
#define STEP_EXITED_FIELDS(X, M)                                                                   \
	X(M, NUMBER, order, UINT64_MAX)                                                            \
	X(M, ENUM, result, step_result, STEP_RESULT_NUM)                                           \
	X(M, NUMBER, exit_code, UINT64_MAX)                                                        \
	X(M, NUMBER, signal, UINT64_MAX)                                                           \
	X(M, SENTENCE, reason, REASON_MAX)                                                         \
	X(M, NUMBER, started_usec, UINT64_MAX)                                                     \
	X(M, NUMBER, ended_usec, UINT64_MAX)                                                       \
	X(M, NUMBER, log_bytes, UINT64_MAX)                                                        \
	X(M, LIST, figures, step_figure, STEP_USAGE_NUM)

/*
 * The daemon of this instance has reported all steps that it knows: a claimed order that was
 * not among them never arrived.
 */
#define STEP_SYNCED_FIELDS(X, M) X(M, TEXT, instance, INSTANCE_ID_MAX)

/* The daemon is about to exit and starts no more steps. */
#define STEPS_STOPPING_FIELDS(X, M)

/* Open runbook.yml of a project that is a workspace. WORKSPACE_OPENED has the same serial. */
#define WORKSPACE_OPEN_FIELDS(X, M)                                                                \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, NUMBER, run, UINT64_MAX)

#define WORKSPACE_OPENED_FIELDS(X, M)                                                              \
	/* "" if it was found */                                                                   \
	X(M, SENTENCE, error, ERROR_TEXT_MAX)                                                      \
	/* the name of a file that looks like an absent runbook.yml */                             \
	X(M, TEXT, misnamed, RUNBOOK_NAME_MAX)                                                     \
	/* runbook.yml, none if it is absent */                                                    \
	X(M, FD_OR_NONE, runbook)

#define MESSAGES_STEPS_RECORDS(X)                                                                  \
	X(STEP_LAYER, step_layer)                                                                  \
	X(STEP_FIGURE, step_figure)
#define MESSAGES_STEPS(X)                                                                          \
	X(STEP_START, step_start)                                                                  \
	X(STEP_CANCEL, step_cancel)                                                                \
	X(STEP_ACK, step_ack)                                                                      \
	X(STEP_STARTED, step_started)                                                              \
	X(STEP_EXITED, step_exited)                                                                \
	X(STEP_SYNCED, step_synced)                                                                \
	X(STEPS_STOPPING, steps_stopping)                                                          \
	X(WORKSPACE_OPEN, workspace_open)                                                          \
	X(WORKSPACE_OPENED, workspace_opened)

MESSAGES_STEPS_RECORDS(MESSAGE_RECORD)
MESSAGES_STEPS(MESSAGE_DECLARE)

#endif
