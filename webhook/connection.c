/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/connection.h"

#include "common/cleanup.h"
#include "common/limits.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WATCHDOG_USEC (1 * USEC_PER_SEC)

struct lingering {
	struct lingering *next;
	struct connection_table *table;
	struct loop_file file;
	int fd;
	uint64_t deadline_usec;
	size_t bytes;
};

static const uint64_t state_seconds[] = {
	[CONNECTION_SILENT] = WEBHOOK_REQUEST_DEADLINE_SEC,
	[CONNECTION_BUSY] = WEBHOOK_REQUEST_DEADLINE_SEC,
	/* the scheduler's time for each of several refs, then the answer's */
	[CONNECTION_WAITING] = WEBHOOK_ACCEPT_DEADLINE_SEC * 8 + WEBHOOK_REQUEST_DEADLINE_SEC,
};

static void table_wake(struct connection_table *table)
{
	uint64_t one = 1;

	(void)!write(table->wake_fd, &one, sizeof(one));
}

/* ---- addresses ---- */

/* Sixteen bytes that stand for who connects. Return: false when it is not counted. */
static bool address_key(const struct sockaddr *address, uint8_t key[16])
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	memset(key, 0, 16);
	if (address && address->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)address;

		memcpy(key, mapped, 12);
		memcpy(key + 12, &in->sin_addr, 4);
		return key[12] != 127;
	}
	if (address && address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)address;

		memcpy(key, &in6->sin6_addr, 16);
		if (memcmp(key, mapped, 12) == 0)
			return key[12] != 127;
		if (IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr))
			return false;
		memset(key + 8, 0, 8); /* a network has 2^64 addresses to come from */
		return true;
	}
	return false;
}

bool connection_admit(struct connection_table *table, const struct sockaddr *address,
		      socklen_t length)
{
	uint8_t key[16];
	size_t n = 0;

	if (length < sizeof(sa_family_t) || !address_key(address, key))
		return true;
	pthread_mutex_lock(&table->lock);
	for (const struct connection *at = table->first; at; at = at->next)
		n += at->counted && memcmp(at->address, key, sizeof(key)) == 0;
	pthread_mutex_unlock(&table->lock);
	return n < WEBHOOK_CONNECTIONS_PER_ADDRESS;
}

/* ---- the table ---- */

struct connection *connection_open(struct connection_table *table, const void *owner, int fd,
				   const struct sockaddr *address)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	bool first;

	if (!connection)
		return NULL;
	connection->table = table;
	connection->owner = owner;
	connection->fd = fd;
	connection->counted = address_key(address, connection->address);
	connection->since_usec = now_usec();
	connection->deadline_usec =
		connection->since_usec + state_seconds[CONNECTION_SILENT] * USEC_PER_SEC;
	pthread_mutex_lock(&table->lock);
	connection->next = table->first;
	if (table->first)
		table->first->previous = connection;
	table->first = connection;
	first = table->n_connections++ == 0;
	pthread_mutex_unlock(&table->lock);
	if (first)
		table_wake(table); /* the watchdog sleeps while nobody is connected */
	return connection;
}

void connection_set_state(struct connection *connection, enum connection_state state)
{
	uint64_t now = now_usec();

	pthread_mutex_lock(&connection->table->lock);
	connection->state = state;
	connection->since_usec = now;
	connection->deadline_usec = now + state_seconds[state] * USEC_PER_SEC;
	pthread_mutex_unlock(&connection->table->lock);
}

void connection_set_linger(struct connection *connection)
{
	pthread_mutex_lock(&connection->table->lock);
	connection->linger = true;
	pthread_mutex_unlock(&connection->table->lock);
}

/* A second descriptor keeps the socket when the HTTP library closes its own. */
static struct lingering *lingering_new(struct connection *connection)
{
	struct lingering *lingering = calloc(1, sizeof(*lingering));

	if (!lingering)
		return NULL;
	lingering->table = connection->table;
	lingering->file = LOOP_FILE_NULL;
	lingering->deadline_usec = now_usec() + LINGER_SEC * USEC_PER_SEC;
	lingering->fd = fcntl(connection->fd, F_DUPFD_CLOEXEC, 3);
	if (lingering->fd >= 0)
		return lingering;
	free(lingering);
	return NULL;
}

void connection_close(struct connection *connection)
{
	struct connection_table *table = connection->table;
	struct lingering *lingering = NULL;

	pthread_mutex_lock(&table->lock);
	if (connection->next)
		connection->next->previous = connection->previous;
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		table->first = connection->next;
	table->n_connections--;
	if (connection->linger && !connection->dropped && table->n_lingering < LINGER_MAX)
		lingering = lingering_new(connection);
	if (lingering) {
		lingering->next = table->lingering;
		table->lingering = lingering;
		table->n_lingering++;
	}
	pthread_mutex_unlock(&table->lock);
	if (lingering)
		table_wake(table);
	free(connection);
}

size_t connection_count(struct connection_table *table, const void *owner)
{
	size_t n = 0;

	pthread_mutex_lock(&table->lock);
	for (const struct connection *at = table->first; at; at = at->next)
		n += !owner || at->owner == owner;
	pthread_mutex_unlock(&table->lock);
	return n;
}

static void connection_shut(struct connection *connection)
{
	if (connection->dropped)
		return;
	connection->dropped = true;
	(void)shutdown(connection->fd, SHUT_RDWR);
}

void connection_drop(struct connection_table *table, const void *owner, uint64_t silent_usec)
{
	uint64_t now = now_usec();

	pthread_mutex_lock(&table->lock);
	for (struct connection *at = table->first; at; at = at->next) {
		if (at->owner == owner && at->state == CONNECTION_SILENT &&
		    now - at->since_usec >= silent_usec)
			connection_shut(at);
	}
	pthread_mutex_unlock(&table->lock);
}

/* ---- lingering sockets ---- */

static void lingering_end(struct lingering *lingering)
{
	struct connection_table *table = lingering->table;

	for (struct lingering **at = &table->watched; *at; at = &(*at)->next) {
		if (*at == lingering) {
			*at = lingering->next;
			break;
		}
	}
	loop_remove(&lingering->file);
	(void)close(lingering->fd);
	free(lingering);
	pthread_mutex_lock(&table->lock);
	table->n_lingering--;
	pthread_mutex_unlock(&table->lock);
}

static void lingering_readable(struct loop_file *file, uint32_t events)
{
	struct lingering *lingering = container_of(file, struct lingering, file);
	static char waste[64 * KIB]; /* main thread only */
	ssize_t n = recv(lingering->fd, waste, sizeof(waste), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		lingering->bytes += (size_t)n;
	if (n <= 0 || lingering->bytes > LINGER_BYTES)
		lingering_end(lingering);
}

static void lingering_watch(struct connection_table *table)
{
	struct lingering *lingering, *next;

	pthread_mutex_lock(&table->lock);
	lingering = table->lingering;
	table->lingering = NULL;
	pthread_mutex_unlock(&table->lock);
	for (; lingering; lingering = next) {
		next = lingering->next;
		lingering->next = table->watched;
		table->watched = lingering;
		(void)shutdown(lingering->fd, SHUT_WR);
		if (loop_add(table->loop, &lingering->file, lingering->fd, EPOLLIN,
			     lingering_readable) < 0)
			lingering_end(lingering);
	}
}

/* ---- the watchdog ---- */

static void watchdog_tick(struct loop_timer *timer);

static void watchdog_arm(struct connection_table *table)
{
	size_t n;

	pthread_mutex_lock(&table->lock);
	n = table->n_connections + table->n_lingering;
	pthread_mutex_unlock(&table->lock);
	if (n > 0 && !table->timer.loop)
		(void)loop_timer_set(table->loop, &table->timer, now_usec() + WATCHDOG_USEC,
				     watchdog_tick);
}

static void watchdog_tick(struct loop_timer *timer)
{
	struct connection_table *table = container_of(timer, struct connection_table, timer);
	struct lingering *lingering, *next;
	uint64_t now = now_usec();
	size_t n_dropped = 0;
	bool full;

	pthread_mutex_lock(&table->lock);
	full = table->n_connections > table->capacity / 4 * 3;
	for (struct connection *at = table->first; at; at = at->next) {
		bool shed = full && at->state == CONNECTION_SILENT &&
			    now - at->since_usec >= CONNECTION_SHED_SEC * USEC_PER_SEC;

		if (at->dropped || (now < at->deadline_usec && !shed))
			continue;
		connection_shut(at);
		n_dropped++;
	}
	pthread_mutex_unlock(&table->lock);
	for (lingering = table->watched; lingering; lingering = next) {
		next = lingering->next;
		if (now >= lingering->deadline_usec)
			lingering_end(lingering);
	}
	if (n_dropped > 0)
		log_info("dropped %zu connections that did not finish in time", n_dropped);
	watchdog_arm(table);
}

static void table_woken(struct loop_file *file, uint32_t events)
{
	struct connection_table *table = container_of(file, struct connection_table, wake);
	uint64_t count;

	(void)!read(table->wake_fd, &count, sizeof(count));
	lingering_watch(table);
	watchdog_arm(table);
}

int connection_table_init(struct connection_table *table, struct loop *loop)
{
	*table = (struct connection_table){.loop = loop};
	table->wake = LOOP_FILE_NULL;
	table->timer = LOOP_TIMER_NULL;
	pthread_mutex_init(&table->lock, NULL);
	table->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (table->wake_fd < 0)
		return -errno;
	return loop_add(loop, &table->wake, table->wake_fd, EPOLLIN, table_woken);
}

void connection_table_grow(struct connection_table *table, long places)
{
	pthread_mutex_lock(&table->lock);
	table->capacity += (size_t)places;
	pthread_mutex_unlock(&table->lock);
}

void connection_table_close(struct connection_table *table)
{
	lingering_watch(table);
	while (table->watched)
		lingering_end(table->watched);
	loop_timer_cancel(&table->timer);
	loop_remove(&table->wake);
}
