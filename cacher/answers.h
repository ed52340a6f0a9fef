/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_ANSWERS_H
#define CACHER_ANSWERS_H

/*
 * DOC: The api's requests for artifacts
 *
 * The api process lists artifacts, opens one for a download, and stores one that a person
 * uploads. Lists and lookups are answered at once. Storing an artifact and unpacking one into a
 * pipe take time in proportion to its size, so each runs in a thread of its own; when all threads
 * are busy, the api gets "try again". Replies for a channel that has been closed are dropped,
 * because the api sends its requests again on the next one.
 */

#include "cacher/store.h"
#include "common/loop.h"
#include "common/message.h"

#define ANSWERS_FEEDS_MAX 64u /* threads that unpack */
#define ANSWERS_PUTS_MAX 8u   /* threads that store */

struct answers;

/** answers_new() - @loop and @store must outlive it. Return: 0 or -errno. */
int answers_new(struct loop *loop, struct store *store, struct answers **ret_answers);
typedef void (*answers_put_fn)(void *userdata, const char *project, uint64_t run);
/** answers_notify() - call @on_put after each key that the api stored, before the api's reply */
void answers_notify(struct answers *answers, answers_put_fn on_put, void *userdata);
/** answers_attach() - send replies to @channel, the api's, from now on; NULL: it is closed */
void answers_attach(struct answers *answers, struct channel *channel);

/** answers_on_list() - ARTIFACT_LIST; userdata: a struct answers. Return: < 0 closes @channel */
int answers_on_list(struct channel *channel, struct message *message);
/** answers_on_open() - ARTIFACT_OPEN, as answers_on_list() */
int answers_on_open(struct channel *channel, struct message *message);
/** answers_on_put() - ARTIFACT_PUT, as answers_on_list() */
int answers_on_put(struct channel *channel, struct message *message);

#endif
