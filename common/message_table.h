/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MESSAGE_TABLE_H
#define COMMON_MESSAGE_TABLE_H

/*
 * DOC: Senders and receivers of messages
 *
 * This table is the whole trust graph: a message that it does not list, or that comes from
 * another role than listed, closes its sender's channel. The fields of each message are in the
 * header of its channel, common/messages/.
 *
 * A release that changes any message increases MESSAGE_VERSION. Since version 6 fields are
 * defined by tables.
 */

#include "common/process_role.h"

#define MESSAGE_VERSION 6

/*
 * X(NAME, roles that send it, roles that receive it, maximum of descriptors)
 */
#define MESSAGE_TABLE(X)                                                                           \
	/* -- how channels begin: common/messages/channels.h -- */                                 \
	X(HELLO, ROLE_ANY, ROLE_ANY, 0)                                                            \
	X(CHANNEL, ROLE_DAEMON, ROLE_ANY_CHILD, 1)                                                 \
	X(CHANNEL_LOST, (ROLE_SCHEDULER | ROLE_API), ROLE_DAEMON, 0)                               \
                                                                                                   \
	/* -- configuration: CONFIG_BEGIN, items, CONFIG_END: common/messages/config.h -- */       \
	X(CONFIG_BEGIN, ROLE_DAEMON, ROLE_ANY_CHILD, 0)                                            \
	X(CONFIG_END, ROLE_DAEMON, ROLE_ANY_CHILD, 0)                                              \
	X(CONFIG_LISTEN, ROLE_DAEMON, (ROLE_WEBHOOK | ROLE_API), 1)                                \
	X(CONFIG_HOOK, ROLE_DAEMON, ROLE_WEBHOOK, 0)                                               \
	X(CONFIG_SCHEDULER, ROLE_DAEMON, ROLE_SCHEDULER, 0)                                        \
	X(CONFIG_HOST, ROLE_DAEMON, ROLE_SCHEDULER, 0)                                             \
	X(CONFIG_PROJECT, ROLE_DAEMON, ROLE_SCHEDULER, 0)                                          \
	X(CONFIG_FETCH_RETRY, ROLE_DAEMON, ROLE_SCHEDULER, 0)                                      \
	X(CONFIG_RETENTION, ROLE_DAEMON, ROLE_SCHEDULER, 0)                                        \
	X(CONFIG_FORK_SECRETS, ROLE_DAEMON, ROLE_SCHEDULER, 0)                                     \
	X(CONFIG_DELIVERIES, ROLE_DAEMON, ROLE_SCHEDULER, 0)                                       \
	X(CONFIG_REPOSITORY, ROLE_DAEMON, ROLE_FETCHER, 0)                                         \
	X(CONFIG_CACHER, ROLE_DAEMON, ROLE_CACHER, 0)                                              \
	X(CONFIG_ARTIFACTS, ROLE_DAEMON, ROLE_CACHER, 0)                                           \
	X(CONFIG_IMAGES, ROLE_DAEMON, ROLE_IMAGE, 0)                                               \
	X(CONFIG_IMAGE_RULE, ROLE_DAEMON, ROLE_IMAGE, 0)                                           \
	X(CONFIG_IMAGE_AUTH, ROLE_DAEMON, ROLE_IMAGE, 0)                                           \
	X(CONFIG_LAYER, ROLE_DAEMON, ROLE_IMAGE, 0)                                                \
                                                                                                   \
	/* -- the host: common/messages/host.h -- */                                               \
	X(HOST_SPACE, ROLE_DAEMON, ROLE_SCHEDULER, 0)                                              \
	X(HOST_SHORT, ROLE_DAEMON, ROLE_SCHEDULER, 0)                                              \
	X(LOG_REMOVE, ROLE_SCHEDULER, ROLE_DAEMON, 0)                                              \
	X(LOG_REMOVED, ROLE_DAEMON, ROLE_SCHEDULER, 0)                                             \
	X(SECRET_KEYS, ROLE_DAEMON, ROLE_SCHEDULER, 1)                                             \
	X(SECRET_KEY_NEW, ROLE_SCHEDULER, ROLE_DAEMON, 0)                                          \
	X(SECRET_KEY_KEEP, ROLE_SCHEDULER, ROLE_DAEMON, 0)                                         \
	X(RELOAD, ROLE_API, ROLE_DAEMON, 0)                                                        \
	X(RELOADED, ROLE_DAEMON, ROLE_API, 0)                                                      \
                                                                                                   \
	/* -- steps: common/messages/steps.h -- */                                                 \
	X(STEP_START, ROLE_SCHEDULER, ROLE_DAEMON, 2)                                              \
	X(STEP_CANCEL, ROLE_SCHEDULER, ROLE_DAEMON, 0)                                             \
	X(STEP_ACK, ROLE_SCHEDULER, ROLE_DAEMON, 0)                                                \
	X(STEP_STARTED, ROLE_DAEMON, ROLE_SCHEDULER, 0)                                            \
	X(STEP_EXITED, ROLE_DAEMON, ROLE_SCHEDULER, 0)                                             \
	X(STEP_SYNCED, ROLE_DAEMON, ROLE_SCHEDULER, 0)                                             \
	X(STEPS_STOPPING, ROLE_DAEMON, ROLE_SCHEDULER, 0)                                          \
	X(WORKSPACE_OPEN, ROLE_SCHEDULER, ROLE_DAEMON, 0)                                          \
	X(WORKSPACE_OPENED, ROLE_DAEMON, ROLE_SCHEDULER, 1)                                        \
                                                                                                   \
	/* -- artifacts: common/messages/artifacts.h -- */                                         \
	X(CACHER_LISTEN, ROLE_DAEMON, ROLE_CACHER, 1)                                              \
	X(CACHER_CLOSE, ROLE_DAEMON, ROLE_CACHER, 0)                                               \
	X(ARTIFACT_LIST, ROLE_API, ROLE_CACHER, 0)                                                 \
	X(ARTIFACT_LISTED, ROLE_CACHER, ROLE_API, 1)                                               \
	X(ARTIFACT_OPEN, ROLE_API, ROLE_CACHER, 0)                                                 \
	X(ARTIFACT_OPENED, ROLE_CACHER, ROLE_API, 1)                                               \
	X(ARTIFACT_PUT, ROLE_API, ROLE_CACHER, 1)                                                  \
	X(ARTIFACT_KEPT, ROLE_CACHER, ROLE_API, 0)                                                 \
	X(ARTIFACTS_MEASURE, ROLE_SCHEDULER, ROLE_CACHER, 0)                                       \
	X(ARTIFACTS_MEASURED, ROLE_CACHER, ROLE_SCHEDULER, 0)                                      \
	X(ARTIFACTS_REMOVE, ROLE_SCHEDULER, ROLE_CACHER, 0)                                        \
	X(ARTIFACTS_REMOVED, ROLE_CACHER, ROLE_SCHEDULER, 0)                                       \
                                                                                                   \
	/* -- deliveries of webhooks: common/messages/deliveries.h -- */                           \
	X(TRIGGER, ROLE_WEBHOOK, ROLE_SCHEDULER, 0)                                                \
	X(TRIGGER_ACCEPTED, ROLE_SCHEDULER, ROLE_WEBHOOK, 0)                                       \
	X(TRIGGER_REFUSED, ROLE_SCHEDULER, ROLE_WEBHOOK, 0)                                        \
                                                                                                   \
	/* -- trees and mirrors: common/messages/fetching.h -- */                                  \
	X(FETCH, ROLE_SCHEDULER, ROLE_FETCHER, 0)                                                  \
	X(UNPACK, ROLE_SCHEDULER, ROLE_FETCHER, 1)                                                 \
	X(FETCHED, ROLE_FETCHER, ROLE_SCHEDULER, 2)                                                \
	X(TREE_REMOVE, ROLE_SCHEDULER, ROLE_FETCHER, 0)                                            \
	X(TREE_REMOVED, ROLE_FETCHER, ROLE_SCHEDULER, 0)                                           \
	X(MIRROR_PRUNE, ROLE_SCHEDULER, ROLE_FETCHER, 1)                                           \
	X(MIRROR_PRUNED, ROLE_FETCHER, ROLE_SCHEDULER, 1)                                          \
                                                                                                   \
	/* -- processes that fetch: common/messages/starter.h -- */                                \
	X(FETCH_CHILD_START, ROLE_FETCHER, ROLE_STARTER, 1)                                        \
	X(FETCH_CHILD_KILL, ROLE_FETCHER, ROLE_STARTER, 0)                                         \
	X(FETCH_CHILD_ENDED, ROLE_STARTER, ROLE_FETCHER, 0)                                        \
                                                                                                   \
	/* -- layers, unpacked by the daemon in a sandbox: common/messages/layers.h -- */          \
	X(LAYER_UNPACK, ROLE_IMAGE, ROLE_DAEMON, 1)                                                \
	X(LAYER_UNPACKING, ROLE_DAEMON, ROLE_IMAGE, 1)                                             \
	X(LAYER_UNPACKED, ROLE_DAEMON, ROLE_IMAGE, 0)                                              \
	X(LAYER_OPAQUE, ROLE_IMAGE, ROLE_DAEMON, 0)                                                \
	X(LAYER_COMMIT, ROLE_IMAGE, ROLE_DAEMON, 0)                                                \
	X(LAYER_COMMITTED, ROLE_DAEMON, ROLE_IMAGE, 0)                                             \
	X(LAYER_FORGET, ROLE_IMAGE, ROLE_DAEMON, 0)                                                \
	X(LAYER_FORGOTTEN, ROLE_DAEMON, ROLE_IMAGE, 0)                                             \
                                                                                                   \
	/* -- images: common/messages/images.h -- */                                               \
	X(IMAGES_BEGIN, ROLE_IMAGE, ROLE_SCHEDULER, 0)                                             \
	X(IMAGE_KNOWN, ROLE_IMAGE, ROLE_SCHEDULER, 0)                                              \
	X(IMAGE_NAMED, ROLE_IMAGE, ROLE_SCHEDULER, 0)                                              \
	X(IMAGES_END, ROLE_IMAGE, ROLE_SCHEDULER, 0)                                               \
	X(IMAGE_WANTED, ROLE_SCHEDULER, ROLE_IMAGE, 0)                                             \
	X(IMAGE_MISSING, ROLE_IMAGE, ROLE_SCHEDULER, 0)                                            \
	X(IMAGE_REQUEST, ROLE_API, ROLE_IMAGE, 1)                                                  \
	X(IMAGE_ANSWER, ROLE_IMAGE, ROLE_API, 1)                                                   \
                                                                                                   \
	/* -- people: common/messages/api.h -- */                                                  \
	X(API_REQUEST, ROLE_API, ROLE_SCHEDULER, 1)                                                \
	X(API_ANSWER, ROLE_SCHEDULER, ROLE_API, 1)                                                 \
	X(EVENT, ROLE_SCHEDULER, ROLE_API, 0)

/** enum message_type - MESSAGE_<NAME> for each line of the table */
enum message_type {
	MESSAGE_INVALID = 0,
#define MESSAGE_ENUM(name, from, to, fds) MESSAGE_##name,
	MESSAGE_TABLE(MESSAGE_ENUM)
#undef MESSAGE_ENUM
		MESSAGE_NUM_TYPES,
};

struct message_info {
	const char *name;
	unsigned from, to; /* masks of enum process_role */
	unsigned fds_max;
};

/** message_info() - the line of @type in the table, NULL for an unknown type */
const struct message_info *message_info(unsigned type);

#endif
