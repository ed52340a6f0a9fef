/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MESSAGES_CHANNELS_H
#define COMMON_MESSAGES_CHANNELS_H

/*
 * How channels begin. common/message_fields.h says how this is read,
 * common/message_table.h who may say what.
 */

#include "common/message_fields.h"

/*
 * The first message of each side. A program of another version may be there: this message is
 * the same in all versions from 6 on, and any number is accepted as a field, so that the log
 * can name what was found before the channel is closed.
 */
#define HELLO_FIELDS(X, M)                                                                         \
	/* MESSAGE_VERSION */                                                                      \
	X(M, NUMBER, version, UINT64_MAX)                                                          \
	/* enum process_role */                                                                    \
	X(M, NUMBER, role, UINT64_MAX)

/* A new channel to that peer, which replaces the old one. */
#define CHANNEL_FIELDS(X, M)                                                                       \
	/* enum process_role */                                                                    \
	X(M, NUMBER, role, UINT64_MAX)                                                             \
	X(M, FD, socket)

#define MESSAGES_CHANNELS(X)                                                                       \
	X(HELLO, hello)                                                                            \
	X(CHANNEL, channel)

MESSAGES_CHANNELS(MESSAGE_DECLARE)

#endif
