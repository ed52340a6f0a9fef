/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MESSAGES_CHANNELS_H
#define COMMON_MESSAGES_CHANNELS_H

/*
 * The beginning of channels. See common/message_fields.h for the tables, common/message_table.h
 * for senders and receivers.
 */

#include "common/message_fields.h"

/*
 * The first message of each side. The other end may be of another version: this message is the
 * same in all versions from 6 on, and its fields accept any number, so that the log can name
 * the version before the channel is closed.
 */
#define HELLO_FIELDS(X, M)                                                                         \
	/* MESSAGE_VERSION */                                                                      \
	X(M, NUMBER, version, UINT64_MAX)                                                          \
	/* enum process_role */                                                                    \
	X(M, NUMBER, role, UINT64_MAX)

/* A new channel to the program @role, which replaces an older one. */
#define CHANNEL_FIELDS(X, M)                                                                       \
	/* enum process_role */                                                                    \
	X(M, NUMBER, role, UINT64_MAX)                                                             \
	X(M, FD, socket)

/*
 * The channel to the program @role is closed and none has replaced it: make another one, if that
 * program lives. Each channel between two children has one end that sends this.
 */
#define CHANNEL_LOST_FIELDS(X, M)                                                                  \
	/* enum process_role */                                                                    \
	X(M, NUMBER, role, UINT64_MAX)

#define MESSAGES_CHANNELS(X)                                                                       \
	X(HELLO, hello)                                                                            \
	X(CHANNEL, channel)                                                                        \
	X(CHANNEL_LOST, channel_lost)

MESSAGES_CHANNELS(MESSAGE_DECLARE)

#endif
