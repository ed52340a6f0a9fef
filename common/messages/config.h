/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MESSAGES_CONFIG_H
#define COMMON_MESSAGES_CONFIG_H

/*
 * The configuration, from the daemon to each child, as far as the child needs it: CONFIG_BEGIN,
 * items, CONFIG_END, at which it takes effect as a whole. See common/message_fields.h for the
 * tables, common/message_table.h for senders and receivers.
 */

#include "common/image.h"
#include "common/image_rule.h"
#include "common/limits.h"
#include "common/message_fields.h"
#include "common/remote.h"
#include "common/retention.h"

#include <limits.h>

/* generation: increases with each configuration */
#define CONFIG_BEGIN_FIELDS(X, M) X(M, NUMBER, generation, UINT64_MAX)
#define CONFIG_END_FIELDS(X, M) X(M, NUMBER, generation, UINT64_MAX)

/* A listening socket to serve. */
#define CONFIG_LISTEN_FIELDS(X, M)                                                                 \
	/* as configured, for logs */                                                              \
	X(M, TEXT, address, PATH_MAX)                                                              \
	X(M, FD, socket)

/* ---- to runbook-webhook ---- */

/* The forge of a project and the key of its signatures. */
#define CONFIG_HOOK_FIELDS(X, M)                                                                   \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, TEXT, provider, EVENT_NAME_MAX)                                                       \
	X(M, BYTES, secret, CONFIG_SECRET_MAX)

/* ---- to runbook-scheduler ---- */

/* Settings of the whole service. */
#define CONFIG_SCHEDULER_FIELDS(X, M)                                                              \
	X(M, TEXT, instance, INSTANCE_ID_MAX)                                                      \
	/* steps at once; 0: one for each processor */                                             \
	X(M, NUMBER, max_running, UINT64_MAX)                                                      \
	/* resources to share among running steps */                                               \
	X(M, NUMBER, cpu_milli, UINT64_MAX)                                                        \
	X(M, NUMBER, memory, UINT64_MAX)                                                           \
	X(M, TEXT, url, URL_MAX)                                                                   \
	/* of a step that gives none */                                                            \
	X(M, NUMBER, timeout_sec, UINT64_MAX)

/* Settings of the host that runs steps. */
#define CONFIG_HOST_FIELDS(X, M)                                                                   \
	/* what a step without declared resources is counted as; 0: an even share */               \
	X(M, NUMBER, step_cpu_milli, UINT64_MAX)                                                   \
	X(M, NUMBER, step_memory, UINT64_MAX)                                                      \
	/* separated by blanks */                                                                  \
	X(M, TEXT, labels, HOST_LABELS_MAX)

#define CONFIG_PROJECT_FIELDS(X, M)                                                                \
	X(M, TEXT, name, PROJECT_NAME_MAX)                                                         \
	/* a URL; with .workspace the path of a directory */                                       \
	X(M, TEXT, repository, PATH_MAX)                                                           \
	/* 0: no limit of its own */                                                               \
	X(M, NUMBER, max_running, UINT64_MAX)                                                      \
	X(M, NUMBER, weight, UINT64_MAX)                                                           \
	X(M, FLAG, workspace)

/* Time after which a delivery is forgotten. */
#define CONFIG_DELIVERIES_FIELDS(X, M) X(M, NUMBER, seconds, UINT64_MAX)

/*
 * The next three messages name a project of an earlier CONFIG_PROJECT. "": the default for
 * projects without a message of their own.
 */

/* Time during which failed fetches are retried. */
#define CONFIG_FETCH_RETRY_FIELDS(X, M)                                                            \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	/* 0: failed fetches are not retried */                                                    \
	X(M, NUMBER, seconds, UINT64_MAX)

/* Limits of one enum retention_kind. 0: not configured; UINT64_MAX: no limit */
#define CONFIG_KEEP_FIELDS(X, M)                                                                   \
	X(M, NUMBER, age_sec, UINT64_MAX)                                                          \
	X(M, NUMBER, count, UINT64_MAX)                                                            \
	X(M, NUMBER, bytes, UINT64_MAX)

#define CONFIG_RETENTION_FIELDS(X, M)                                                              \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	/* one for each enum retention_kind, in its order */                                       \
	X(M, LIST, kinds, config_keep, RETENTION_NUM)

/* Pull requests from forks get the secrets of this project. */
#define CONFIG_FORK_SECRETS_FIELDS(X, M) X(M, TEXT, project, PROJECT_NAME_MAX)

/* ---- to runbook-fetcher, and from it to its children ---- */

/* The remote of a project and its credentials. */
#define CONFIG_REPOSITORY_FIELDS(X, M)                                                             \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, TEXT, url, URL_MAX)                                                                   \
	X(M, TEXT, user, REMOTE_USER_MAX)                                                          \
	/* or a token */                                                                           \
	X(M, BYTES, password, CONFIG_SECRET_MAX)                                                   \
	X(M, BYTES, ssh_key, CONFIG_SSH_KEY_MAX)                                                   \
	/* contents of the known_hosts file */                                                     \
	X(M, TEXT, known_hosts, CONFIG_KNOWN_HOSTS_MAX)

/* ---- to runbook-cacher ---- */

/* Limits of artifacts. */
#define CONFIG_CACHER_FIELDS(X, M)                                                                 \
	X(M, NUMBER, bytes_per_run, UINT64_MAX)                                                    \
	X(M, NUMBER, count_per_run, UINT64_MAX)                                                    \
	/* on disk, of all projects together */                                                    \
	X(M, NUMBER, bytes_stored, UINT64_MAX)                                                     \
	X(M, NUMBER, bytes_per_project, UINT64_MAX)

/* A project's own limit, in place of bytes_per_project. */
#define CONFIG_ARTIFACTS_FIELDS(X, M)                                                              \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, NUMBER, bytes, UINT64_MAX)

/* ---- to runbook-image ---- */

/* of all their names, separated by blanks */
#define CONFIG_REGISTRIES_MAX (IMAGE_RULES_MAX * (IMAGE_NAME_MAX + 1))

/* Settings for all projects. */
#define CONFIG_IMAGES_FIELDS(X, M)                                                                 \
	/* credentials, in the format of containers-auth.json(5) */                                \
	X(M, BYTES, auth, CONFIG_AUTH_MAX)                                                         \
	/* registries without TLS */                                                               \
	X(M, TEXT, insecure, CONFIG_REGISTRIES_MAX)                                                \
	/* pull missing images */                                                                  \
	X(M, FLAG, pull)

/* A rule about images; any number of them. value: a name or a pattern */
#define CONFIG_IMAGE_RULE_FIELDS(X, M)                                                             \
	X(M, ENUM, rule, image_rule, IMAGE_NUM_RULES)                                              \
	X(M, TEXT, value, IMAGE_NAME_MAX)

/* Credentials of one project. */
#define CONFIG_IMAGE_AUTH_FIELDS(X, M)                                                             \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, BYTES, auth, CONFIG_AUTH_MAX)

/* A layer that is unpacked; CONFIG_BEGIN to CONFIG_END has all of them. */
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
