/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_ANSWERS_H
#define CACHER_ANSWERS_H

/* What the api process asks about artifacts. */

#include "cacher/store.h"
#include "common/message.h"

/** answer_list() - ARTIFACT_LIST; @channel->userdata is the store. Return: < 0 closes the channel. */
int answer_list(struct channel *channel, struct message *message);
/** answer_open() - ARTIFACT_OPEN, likewise */
int answer_open(struct channel *channel, struct message *message);

#endif
