/* SPDX-License-Identifier: Apache-2.0 */
#include "cacher/service.h"

#include "cacher/connection.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/limits.h"
#include "common/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define THREAD_STACK_BYTES (256u * 1024u)

struct listener;

struct service {
	struct loop *loop;
	struct store *store;
	struct loop_file wake;	/* an eventfd: a thread has finished */
	struct loop_timer rest; /* accept again after descriptors ran out */
	struct listener *listeners;
	unsigned n_listeners;
	pthread_mutex_t lock; /* guards the lists of workers */
};

/* A connection that a thread serves. */
struct worker {
	struct listener *listener;
	struct worker *next;
	int fd;
	bool finished; /* guarded by service->lock */
};

struct listener {
	struct service *service;
	struct listener *next;
	struct loop_file file;
	struct store_run *run;
	uint64_t order;
	int fd; /* -1: the step has ended; its threads may still run */
	atomic_bool cancelled;
	struct worker *workers;
	unsigned n_workers;
	int waiting[SERVICE_WAITING_PER_STEP]; /* ring of accepted connections without a thread */
	unsigned first_waiting, n_waiting;
};

/* ---- threads ---- */

static void *worker_main(void *userdata)
{
	struct worker *worker = userdata;
	struct service *service = worker->listener->service;
	struct connection connection = {.fd = worker->fd,
					.run = worker->listener->run,
					.cancelled = &worker->listener->cancelled};
	const uint64_t one = 1;

	connection_serve(&connection);
	(void)pthread_mutex_lock(&service->lock);
	(void)close(worker->fd); /* locked, so that no shutdown(2) hits a reused descriptor */
	worker->fd = -1;
	worker->finished = true;
	(void)pthread_mutex_unlock(&service->lock);
	if (write(service->wake.fd, &one, sizeof(one)) < 0)
		log_warning("cannot wake the loop: %s", strerror(errno));
	return NULL;
}

static int worker_start(struct listener *listener, int fd)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	pthread_attr_t attributes;
	pthread_t thread;
	int r;

	if (!worker)
		return -ENOMEM;
	worker->listener = listener;
	worker->fd = fd;
	(void)pthread_attr_init(&attributes);
	(void)pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
	(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&thread, &attributes, worker_main, worker);
	(void)pthread_attr_destroy(&attributes);
	if (r != 0) {
		free(worker);
		return -r;
	}
	worker->next = listener->workers;
	listener->workers = worker;
	listener->n_workers++;
	return 0;
}

/* Free the records of threads that have finished. */
static void workers_reap(struct listener *listener)
{
	struct worker **place = &listener->workers;

	(void)pthread_mutex_lock(&listener->service->lock);
	while (*place) {
		struct worker *worker = *place;

		if (!worker->finished) {
			place = &worker->next;
			continue;
		}
		*place = worker->next;
		listener->n_workers--;
		free(worker);
	}
	(void)pthread_mutex_unlock(&listener->service->lock);
}

/* ---- accepting, and shares of the threads ---- */

/* How many threads a step may have at present. */
static unsigned share(const struct service *service)
{
	unsigned equal = SERVICE_THREADS_MAX / (service->n_listeners ? service->n_listeners : 1);

	if (equal > CACHER_CONNECTIONS_PER_STEP)
		equal = CACHER_CONNECTIONS_PER_STEP;
	return equal ? equal : 1;
}

/* Serve accepted connections while the step has threads left, and accept more if there is room. */
static void listener_start_waiting(struct listener *listener)
{
	while (listener->n_waiting > 0 && listener->n_workers < share(listener->service)) {
		int fd = listener->waiting[listener->first_waiting];
		int r = worker_start(listener, fd);

		if (r < 0) {
			log_warning("cannot start a thread: %s; a client repeats its request",
				    strerror(-r));
			(void)close(fd);
		}
		listener->first_waiting = (listener->first_waiting + 1) % SERVICE_WAITING_PER_STEP;
		listener->n_waiting--;
	}
	if (listener->fd >= 0 && listener->file.loop)
		(void)loop_modify(&listener->file,
				  listener->n_waiting < SERVICE_WAITING_PER_STEP ? EPOLLIN : 0);
}

static void listener_free(struct listener *listener)
{
	struct listener **place = &listener->service->listeners;

	while (*place != listener)
		place = &(*place)->next;
	*place = listener->next;
	listener->service->n_listeners--;
	(void)store_run_close(listener->run);
	free(listener);
}

static void on_wake(struct loop_file *file, uint32_t events)
{
	struct service *service = container_of(file, struct service, wake);
	struct listener *next;
	uint64_t count;

	if (read(file->fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_warning("cannot read an eventfd: %s, ignoring", strerror(errno));
	for (struct listener *listener = service->listeners; listener; listener = next) {
		next = listener->next;
		workers_reap(listener);
		if (listener->fd >= 0)
			listener_start_waiting(listener);
		else if (listener->n_workers == 0)
			listener_free(listener);
	}
}

static void on_rested(struct loop_timer *timer)
{
	struct service *service = container_of(timer, struct service, rest);

	for (struct listener *listener = service->listeners; listener; listener = listener->next)
		if (listener->fd >= 0)
			listener_start_waiting(listener);
}

static void on_connection(struct loop_file *file, uint32_t events)
{
	struct listener *listener = container_of(file, struct listener, file);

	while (listener->n_waiting < SERVICE_WAITING_PER_STEP) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
		unsigned place;

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0) {
			if (errno == EAGAIN)
				break;
			/* the connection stays in the backlog; trying again at once would spin */
			log_warning("cannot accept a connection of a step: %s, pausing",
				    strerror(errno));
			(void)loop_modify(&listener->file, 0);
			(void)loop_timer_set(listener->service->loop, &listener->service->rest,
					     now_usec() + USEC_PER_SEC, on_rested);
			return;
		}
		if (connection_hello(fd) < 0) {
			(void)close(fd);
			continue;
		}
		place = (listener->first_waiting + listener->n_waiting) % SERVICE_WAITING_PER_STEP;
		listener->waiting[place] = fd;
		listener->n_waiting++;
		listener_start_waiting(listener);
	}
	listener_start_waiting(listener);
}

/* ---- steps ---- */

static bool is_listening_socket(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t size = sizeof(address);
	int type = 0;
	int accepts = 0;
	socklen_t length = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0)
		return false;
	length = sizeof(accepts);
	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &length) == 0 && accepts &&
	       type == SOCK_STREAM && getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
	       address.ss_family == AF_UNIX;
}

int service_listen(struct service *service, uint64_t order, const char *project, uint64_t run,
		   int fd)
{
	struct listener *listener;
	int r;

	if (!is_listening_socket(fd))
		return -EBADMSG;
	service_close(service, order);
	listener = calloc(1, sizeof(*listener));
	if (!listener)
		return -ENOMEM;
	listener->service = service;
	listener->order = order;
	listener->fd = fd;
	listener->file = LOOP_FILE_NULL;
	r = store_run_open(service->store, project, run, &listener->run);
	if (r == 0)
		r = fd_set_nonblock(fd, 1);
	if (r == 0)
		r = loop_add(service->loop, &listener->file, fd, EPOLLIN, on_connection);
	if (r < 0) {
		(void)store_run_close(listener->run);
		free(listener);
		return r;
	}
	listener->next = service->listeners;
	service->listeners = listener;
	service->n_listeners++;
	return 0;
}

void service_close(struct service *service, uint64_t order)
{
	struct listener *listener = service->listeners;

	while (listener && (listener->order != order || listener->fd < 0))
		listener = listener->next;
	if (!listener)
		return;
	loop_remove(&listener->file);
	(void)close(listener->fd);
	listener->fd = -1;
	while (listener->n_waiting > 0) {
		(void)close(listener->waiting[listener->first_waiting]);
		listener->first_waiting = (listener->first_waiting + 1) % SERVICE_WAITING_PER_STEP;
		listener->n_waiting--;
	}
	atomic_store(&listener->cancelled, true);
	(void)pthread_mutex_lock(&service->lock);
	for (struct worker *worker = listener->workers; worker; worker = worker->next)
		if (worker->fd >= 0)
			(void)shutdown(worker->fd, SHUT_RDWR);
	(void)pthread_mutex_unlock(&service->lock);
	workers_reap(listener);
	if (listener->n_workers == 0)
		listener_free(listener);
}

int service_new(struct loop *loop, struct store *store, struct service **ret_service)
{
	struct service *service = calloc(1, sizeof(*service));
	int fd, r;

	if (!service)
		return -ENOMEM;
	service->loop = loop;
	service->store = store;
	service->wake = LOOP_FILE_NULL;
	service->rest = LOOP_TIMER_NULL;
	(void)pthread_mutex_init(&service->lock, NULL);
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = fd < 0 ? -errno : loop_add(loop, &service->wake, fd, EPOLLIN, on_wake);
	if (r < 0) {
		if (fd >= 0)
			(void)close(fd);
		free(service);
		return r;
	}
	*ret_service = service;
	return 0;
}
