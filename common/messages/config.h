/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MESSAGES_CONFIG_H
#define COMMON_MESSAGES_CONFIG_H

/*
 * What the daemon's children have to know of the configuration: CONFIG_BEGIN, items,
 * CONFIG_END, at which it takes effect as a whole. common/message_fields.h says how this
 * is read, common/message_table.h who may say what.
 */

#include "common/image.h"
#include "common/image_rule.h"
#include "common/limits.h"
#include "common/message_fields.h"
#include "common/remote.h"
#include "common/retention.h"

#include <limits.h>

#define CONFIG_BEGIN_FIELDS(X, M) X(M, NUMBER, generation, UINT64_MAX)
#define CONFIG_END_FIELDS(X, M) X(M, NUMBER, generation, UINT64_MAX)

#define CONFIG_LISTEN_FIELDS(X, M)                                                                 \
	/* as configured, for people */                                                            \
	X(M, TEXT, address, PATH_MAX)                                                              \
	X(M, FD, socket)

/* ---- to runbook-webhook ---- */

#define CONFIG_HOOK_FIELDS(X, M)                                                                   \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, TEXT, provider, EVENT_NAME_MAX)                                                       \
	X(M, BYTES, secret, CONFIG_SECRET_MAX)

/* ---- to runbook-scheduler ---- */

#define CONFIG_SCHEDULER_FIELDS(X, M)                                                              \
	X(M, TEXT, instance, INSTANCE_ID_MAX)                                                      \
	/* steps; 0: one for each processor */                                                     \
	X(M, NUMBER, max_running, UINT64_MAX)                                                      \
	/* what steps may be promised together */                                                  \
	X(M, NUMBER, cpu_milli, UINT64_MAX)                                                        \
	X(M, NUMBER, memory, UINT64_MAX)                                                           \
	X(M, TEXT, url, URL_MAX)                                                                   \
	/* of a step that has none */                                                              \
	X(M, NUMBER, timeout_sec, UINT64_MAX)

#define CONFIG_HOST_FIELDS(X, M)                                                                   \
	/* what a step counts as that declares none; 0: an even share */                           \
	X(M, NUMBER, step_cpu_milli, UINT64_MAX)                                                   \
	X(M, NUMBER, step_memory, UINT64_MAX)                                                      \
	/* separated by blanks */                                                                  \
	X(M, TEXT, labels, HOST_LABELS_MAX)

#define CONFIG_PROJECT_FIELDS(X, M)                                                                \
	X(M, TEXT, name, PROJECT_NAME_MAX)                                                         \
	/* a URL, or the path of a workspace */                                                    \
	X(M, TEXT, repository, PATH_MAX)                                                           \
	/* 0: no limit of its own */                                                               \
	X(M, NUMBER, max_running, UINT64_MAX)                                                      \
	X(M, NUMBER, weight, UINT64_MAX)                                                           \
	X(M, FLAG, workspace)

/* After so many seconds a delivery is forgotten. */
#define CONFIG_DELIVERIES_FIELDS(X, M) X(M, NUMBER, seconds, UINT64_MAX)

/*
 * Those that follow name a project of a CONFIG_PROJECT before. "": what holds for the
 * projects that have none of their own.
 */

#define CONFIG_FETCH_RETRY_FIELDS(X, M)                                                            \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	/* for so long fetching is tried again */                                                  \
	X(M, NUMBER, seconds, UINT64_MAX)

/* Of one kind of what is kept. 0: nothing is said; UINT64_MAX: no limit */
#define CONFIG_KEEP_FIELDS(X, M)                                                                   \
	X(M, NUMBER, age_sec, UINT64_MAX)                                                          \
	X(M, NUMBER, count, UINT64_MAX)                                                            \
	X(M, NUMBER, bytes, UINT64_MAX)

#define CONFIG_RETENTION_FIELDS(X, M)                                                              \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	/* all of enum retention_kind, in its order */                                             \
	X(M, LIST, kinds, config_keep, RETENTION_NUM)

/* Pull requests from forks get its secrets. */
#define CONFIG_FORK_SECRETS_FIELDS(X, M) X(M, TEXT, project, PROJECT_NAME_MAX)

/* ---- to runbook-fetcher, and in the same words from it to its children ---- */

#define CONFIG_REPOSITORY_FIELDS(X, M)                                                             \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, TEXT, url, URL_MAX)                                                                   \
	X(M, TEXT, user, REMOTE_USER_MAX)                                                          \
	/* or a token */                                                                           \
	X(M, BYTES, password, CONFIG_SECRET_MAX)                                                   \
	X(M, BYTES, ssh_key, CONFIG_SSH_KEY_MAX)                                                   \
	/* the contents of the file */                                                             \
	X(M, TEXT, known_hosts, CONFIG_KNOWN_HOSTS_MAX)

/* ---- to runbook-cacher ---- */

#define CONFIG_CACHER_FIELDS(X, M)                                                                 \
	X(M, NUMBER, bytes_per_run, UINT64_MAX)                                                    \
	X(M, NUMBER, count_per_run, UINT64_MAX)                                                    \
	/* on disk, of all */                                                                      \
	X(M, NUMBER, bytes_stored, UINT64_MAX)                                                     \
	X(M, NUMBER, bytes_per_project, UINT64_MAX)

/* Instead of bytes_per_project. */
#define CONFIG_ARTIFACTS_FIELDS(X, M)                                                              \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, NUMBER, bytes, UINT64_MAX)

/* ---- to runbook-image ---- */

/* separated by blanks */
#define CONFIG_REGISTRIES_MAX (IMAGE_RULES_MAX * (IMAGE_NAME_MAX + 1))

#define CONFIG_IMAGES_FIELDS(X, M)                                                                 \
	/* of all projects, as in containers-auth.json(5) */                                       \
	X(M, BYTES, auth, CONFIG_AUTH_MAX)                                                         \
	/* registries without TLS */                                                               \
	X(M, TEXT, insecure, CONFIG_REGISTRIES_MAX)                                                \
	/* what is missing */                                                                      \
	X(M, FLAG, pull)

/* Any number of them; value: a name or a pattern. */
#define CONFIG_IMAGE_RULE_FIELDS(X, M)                                                             \
	X(M, ENUM, rule, image_rule, IMAGE_NUM_RULES)                                              \
	X(M, TEXT, value, IMAGE_NAME_MAX)

/* A project's own. */
#define CONFIG_IMAGE_AUTH_FIELDS(X, M)                                                             \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, BYTES, auth, CONFIG_AUTH_MAX)

/* It is unpacked; all of them between CONFIG_BEGIN and CONFIG_END. */
#define CONFIG_LAYER_FIELDS(X, M) X(M, TEXT, layer, IMAGE_ID_SIZE - 1)

#define MESSAGES_CONFIG_RECORDS(X) X(CONFIG_KEEP, config_keep)
#define MESSAGES_CONFIG(X)                                                                         \
	X(CONFIG_BEGIN, config_begin)                                                              \
	X(CONFIG_END, config_end)                                                                  \
	X(CONFIG_LISTEN, config_listen)                                                            \
	X(CONFIG_HOOK, config_hook)                                                                \
	X(CONFIG_SCHEDULER, config_scheduler)                                                      \
	X(CONFIG_HOST, config_host)                                                                \
	X(CONFIG_PROJECT, config_project)                                                          \
	X(CONFIG_FETCH_RETRY, config_fetch_retry)                                                  \
	X(CONFIG_RETENTION, config_retention)                                                      \
	X(CONFIG_FORK_SECRETS, config_fork_secrets)                                                \
	X(CONFIG_DELIVERIES, config_deliveries)                                                    \
	X(CONFIG_REPOSITORY, config_repository)                                                    \
	X(CONFIG_CACHER, config_cacher)                                                            \
	X(CONFIG_ARTIFACTS, config_artifacts)                                                      \
	X(CONFIG_IMAGES, config_images)                                                            \
	X(CONFIG_IMAGE_RULE, config_image_rule)                                                    \
	X(CONFIG_IMAGE_AUTH, config_image_auth)                                                    \
	X(CONFIG_LAYER, config_layer)

MESSAGES_CONFIG_RECORDS(MESSAGE_RECORD)
MESSAGES_CONFIG(MESSAGE_DECLARE)

#endif
