/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEBHOOK_HOOKS_H
#define WEBHOOK_HOOKS_H

/*
 * DOC: The configured hooks
 *
 * A hook is the webhook of one project with its secret. The main thread builds a set
 * of hooks from the daemon's configuration and then makes it the current set. A set
 * never changes after that: a reload replaces it, and each request in flight keeps a
 * reference to the set that it began with. So HTTP threads read hooks without a lock,
 * and the last reference wipes the secrets.
 */

#include "webhook/delivery.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

/** struct hook_set - counted by reference; @hooks is sorted by project */
struct hook_set {
	atomic_size_t n_refs;
	struct hook *hooks;
	size_t n_hooks;
};

/** hook_set_new() - an empty set with one reference. NULL when out of memory. */
struct hook_set *hook_set_new(void);
/** hook_set_ref() - one more reference. @set may be NULL. Return: @set. */
struct hook_set *hook_set_ref(struct hook_set *set);
/** hook_set_unref() - drop a reference; the last one frees @set. Return: NULL. */
struct hook_set *hook_set_unref(struct hook_set *set);

/**
 * hook_set_add() - copy one hook into a set that is not current yet
 * @provider: name of the forge; an unknown one is accepted, its deliveries are refused
 * @secret:   copied
 *
 * Return: 0, -EINVAL (bad project name), -EEXIST, -ENOMEM.
 */
int hook_set_add(struct hook_set *set, const char *project, const char *provider,
		 const void *secret, size_t secret_size);
/** hook_set_find() - the hook of @project, or NULL; @set may be NULL */
const struct hook *hook_set_find(const struct hook_set *set, const char *project);

/** struct hook_store - the current set, shared by all threads */
struct hook_store {
	pthread_mutex_t lock;
	struct hook_set *current;
};
#define HOOK_STORE_INIT ((struct hook_store){.lock = PTHREAD_MUTEX_INITIALIZER})

/** hook_store_get() - a new reference to the current set; NULL before the first configuration */
struct hook_set *hook_store_get(struct hook_store *store);
/** hook_store_replace() - make @set (taken over, or NULL) the current one */
void hook_store_replace(struct hook_store *store, struct hook_set *set);

#endif
