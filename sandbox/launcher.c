/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/launcher.h"

#include "common/cleanup.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* more than a job needs: the process that it starts has a stack of its own (sandbox/spawn.h) */
#define THREAD_STACK_BYTES (256 * 1024)

struct launcher {
	pthread_mutex_t lock;
	pthread_cond_t wanted; /* a job is waiting, or the threads shall end */
	pthread_cond_t ended;  /* a job is done */
	struct list waiting, done;
	int event_fd; /* its counter is not 0 while .done is not empty */
	bool ending;
	unsigned n_threads;
	pthread_t threads[];
};

static void event_set(const struct launcher *launcher)
{
	uint64_t one = 1;

	(void)!write(launcher->event_fd, &one, sizeof(one));
}

static void event_clear(const struct launcher *launcher)
{
	uint64_t count;

	(void)!read(launcher->event_fd, &count, sizeof(count));
}

static void *thread_main(void *argument)
{
	struct launcher *launcher = argument;

	(void)pthread_mutex_lock(&launcher->lock);
	for (;;) {
		struct list_node *node = list_pop(&launcher->waiting);
		struct launch *launch;

		if (!node && launcher->ending)
			break;
		if (!node) {
			(void)pthread_cond_wait(&launcher->wanted, &launcher->lock);
			continue;
		}
		launch = list_entry(node, struct launch, node);
		(void)pthread_mutex_unlock(&launcher->lock);
		launch->work(launch);
		(void)pthread_mutex_lock(&launcher->lock);
		launch->done = true;
		if (list_empty(&launcher->done))
			event_set(launcher);
		list_append(&launcher->done, &launch->node);
		(void)pthread_cond_broadcast(&launcher->ended);
	}
	(void)pthread_mutex_unlock(&launcher->lock);
	return NULL;
}

static int threads_start(struct launcher *launcher, unsigned n_threads)
{
	pthread_attr_t attributes;
	sigset_t all, old;
	int r = 0;

	/* signals are for the thread of the event loop */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &old);
	(void)pthread_attr_init(&attributes);
	(void)pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
	for (unsigned i = 0; i < n_threads && r == 0; i++) {
		r = pthread_create(&launcher->threads[i], &attributes, thread_main, launcher);
		launcher->n_threads += r == 0;
	}
	(void)pthread_attr_destroy(&attributes);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}

int launcher_new(struct launcher **ret_launcher, unsigned n_threads, struct error *error)
{
	struct launcher *launcher =
		calloc(1, sizeof(*launcher) + n_threads * sizeof(launcher->threads[0]));
	int r;

	if (!launcher)
		return error_errno(error, ENOMEM, "cannot keep threads");
	(void)pthread_mutex_init(&launcher->lock, NULL);
	(void)pthread_cond_init(&launcher->wanted, NULL);
	(void)pthread_cond_init(&launcher->ended, NULL);
	launcher->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = launcher->event_fd < 0 ? -errno : threads_start(launcher, n_threads);
	if (r < 0) {
		(void)launcher_free(launcher);
		return error_errno(error, -r, "cannot start a thread");
	}
	*ret_launcher = launcher;
	return 0;
}

struct launcher *launcher_free(struct launcher *launcher)
{
	if (!launcher)
		return NULL;
	(void)pthread_mutex_lock(&launcher->lock);
	launcher->ending = true;
	(void)pthread_cond_broadcast(&launcher->wanted);
	(void)pthread_mutex_unlock(&launcher->lock);
	for (unsigned i = 0; i < launcher->n_threads; i++)
		(void)pthread_join(launcher->threads[i], NULL);
	if (launcher->event_fd >= 0)
		(void)close(launcher->event_fd);
	(void)pthread_cond_destroy(&launcher->wanted);
	(void)pthread_cond_destroy(&launcher->ended);
	(void)pthread_mutex_destroy(&launcher->lock);
	free(launcher);
	return NULL;
}

int launcher_fd(const struct launcher *launcher)
{
	return launcher->event_fd;
}

void launcher_put(struct launcher *launcher, struct launch *launch)
{
	launch->done = false;
	(void)pthread_mutex_lock(&launcher->lock);
	list_append(&launcher->waiting, &launch->node);
	(void)pthread_cond_signal(&launcher->wanted);
	(void)pthread_mutex_unlock(&launcher->lock);
}

struct launch *launcher_take(struct launcher *launcher)
{
	struct list_node *node;

	(void)pthread_mutex_lock(&launcher->lock);
	node = list_pop(&launcher->done);
	if (list_empty(&launcher->done))
		event_clear(launcher);
	(void)pthread_mutex_unlock(&launcher->lock);
	return node ? list_entry(node, struct launch, node) : NULL;
}

void launcher_wait(struct launcher *launcher, struct launch *launch)
{
	(void)pthread_mutex_lock(&launcher->lock);
	while (!launch->done)
		(void)pthread_cond_wait(&launcher->ended, &launcher->lock);
	list_remove(&launch->node); /* unless launcher_take() has returned it */
	if (list_empty(&launcher->done))
		event_clear(launcher);
	(void)pthread_mutex_unlock(&launcher->lock);
}
