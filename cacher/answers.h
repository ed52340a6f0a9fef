/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_ANSWERS_H
#define CACHER_ANSWERS_H

/*
 * DOC: What the api process asks about artifacts
 *
 * Lists and lookups are answered at once. What takes as long as an artifact is large,
 * storing one and unpacking one into a pipe, is done by a thread each, of which there
 * is a bounded number; beyond it, the api is asked to try again.
 */

#include "cacher/store.h"
#include "common/loop.h"
#include "common/message.h"

#define ANSWERS_FEEDS_MAX 64u
#define ANSWERS_PUTS_MAX 8u

struct answers;

/** answers_new() - @loop and @store must outlive it. Return: 0 or -errno. */
int answers_new(struct loop *loop, struct store *store, struct answers **ret_answers);
typedef void (*answers_put_fn)(void *userdata, const char *project, uint64_t run);
/** answers_notify() - call @on_put after each key that the api put, before the api is answered */
void answers_notify(struct answers *answers, answers_put_fn on_put, void *userdata);
/** answers_attach() - @channel is the api's now; NULL: it is away, and asks again */
void answers_attach(struct answers *answers, struct channel *channel);

/** answers_on_list() - ARTIFACT_LIST; @channel->userdata is a struct answers. Return: < 0 closes the channel. */
int answers_on_list(struct channel *channel, struct message *message);
/** answers_on_open() - ARTIFACT_OPEN, likewise */
int answers_on_open(struct channel *channel, struct message *message);
/** answers_on_put() - ARTIFACT_PUT, likewise */
int answers_on_put(struct channel *channel, struct message *message);

#endif
