/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_HOOKS_H
#define WEBHOOK_HOOKS_H

/*
 * The configured hooks. A set never changes once it is in force: a reload makes
 * a new one, and requests in flight keep the set that they began with.
 */

#include "webhook/delivery.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

struct hook_set {
	atomic_size_t n_refs;
	struct hook *hooks;
	size_t n_hooks;
};

/** hook_set_new() - an empty set, one reference. NULL when out of memory. */
struct hook_set *hook_set_new(void);
struct hook_set *hook_set_ref(struct hook_set *set);
/** hook_set_unref() - the last one wipes the secrets. Return: NULL. */
struct hook_set *hook_set_unref(struct hook_set *set);

/**
 * hook_set_add() - copy one hook into a set that is not in force yet
 *
 * Return: 0, -EINVAL (bad project name), -EEXIST, -ENOMEM.
 */
int hook_set_add(struct hook_set *set, const char *project, const char *provider,
		 const void *secret, size_t secret_size);
/** hook_set_find() - NULL if there is none */
const struct hook *hook_set_find(const struct hook_set *set, const char *project);

/** struct hook_store - the set in force, shared by all threads */
struct hook_store {
	pthread_mutex_t lock;
	struct hook_set *current;
};
#define HOOK_STORE_INIT ((struct hook_store){.lock = PTHREAD_MUTEX_INITIALIZER})

/** hook_store_get() - a reference for the caller, NULL before the first configuration */
struct hook_set *hook_store_get(struct hook_store *store);
/** hook_store_replace() - @set (taken over) is in force from now on */
void hook_store_replace(struct hook_store *store, struct hook_set *set);

#endif
