/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/connection.h"

#include "common/cleanup.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/phases.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WATCHDOG_USEC (1 * USEC_PER_SEC)
#define LOG_USEC (10 * USEC_PER_SEC)

struct lingering {
	struct list_node node; /* of table->lingering, then of table->watched */
	struct connection_table *table;
	struct loop_file file;
	int fd;
	uint64_t deadline_usec;
	size_t bytes;
};

static const uint64_t state_seconds[] = {
	[CONNECTION_SILENT] = WEBHOOK_IDLE_SEC,
	[CONNECTION_HEADER] = WEBHOOK_HEADER_DEADLINE_SEC,
	[CONNECTION_BODY] = WEBHOOK_REQUEST_DEADLINE_SEC,
	[CONNECTION_ANSWER] = WEBHOOK_REQUEST_DEADLINE_SEC,
	/* time for the scheduler to accept each of several refs, then to send the answer */
	[CONNECTION_WAITING] = WEBHOOK_ACCEPT_DEADLINE_SEC * 8 + WEBHOOK_REQUEST_DEADLINE_SEC,
};

static void table_wake(struct connection_table *table)
{
	uint64_t one = 1;

	(void)!write(table->wake_fd, &one, sizeof(one));
}

/* ---- admission and eviction ---- */

static void connection_shut(struct connection *connection)
{
	if (connection->dropped)
		return;
	connection->dropped = true;
	(void)shutdown(connection->fd, SHUT_RDWR);
}

/* The rank of a connection for eviction.h, from its state, age and progress. */
static enum eviction_rank connection_rank(const struct connection *connection, uint64_t now)
{
	const uint64_t fresh = WEBHOOK_FRESH_SEC * USEC_PER_SEC;
	uint64_t age = now - connection->since_usec;

	switch (connection->state) {
	case CONNECTION_SILENT:
		return connection->served || age >= fresh ? EVICTION_HEADER : EVICTION_FRESH;
	case CONNECTION_HEADER:
		return age >= fresh ? EVICTION_HEADER : EVICTION_FRESH;
	case CONNECTION_BODY:
	case CONNECTION_ANSWER:
		if (connection->body_bytes > age * WEBHOOK_BODY_RATE_MIN / USEC_PER_SEC)
			return EVICTION_NEVER;
		return age < WEBHOOK_HALTED_SEC * USEC_PER_SEC ? EVICTION_YOUNG : EVICTION_HALTED;
	default:
		return EVICTION_NEVER; /* WAITING: the signature was right */
	}
}

/* Evict one connection of @owner. Return: false when none may be evicted. */
static bool table_evict(struct connection_table *table, const void *owner)
{
	uint64_t now = now_usec();
	struct connection *at;
	size_t n = 0, chosen;

	list_each (at, &table->connections, node) {
		if (at->owner != owner || at->dropped)
			continue;
		if (n == CONNECTIONS_HELD_MAX)
			break;
		table->occupants[n++] = (struct occupant){
			.key = at->key,
			.rank = connection_rank(at, now),
			.since_usec = at->since_usec,
			.userdata = at,
		};
	}
	chosen = eviction_choose(table->occupants, n);
	if (chosen == EVICTION_NONE)
		return false;
	connection_shut(table->occupants[chosen].userdata);
	table->n_evicted++;
	return true;
}

/* With the table locked. */
static bool table_admit(struct connection_table *table, const void *owner,
			const struct address_key *key)
{
	size_t n_places = 0, n_address = 0;
	const struct connection *at;

	list_each (at, &table->connections, node) {
		if (at->dropped)
			continue;
		n_places += at->owner == owner;
		n_address += address_same_network(&at->key, key);
	}
	if (!address_is_local(key) && n_address >= WEBHOOK_CONNECTIONS_PER_ADDRESS)
		return false;
	if (n_places < WEBHOOK_CONNECTIONS_MAX || table_evict(table, owner))
		return true;
	if (n_address < WEBHOOK_CONNECTIONS_FEW &&
	    n_places < WEBHOOK_CONNECTIONS_MAX + WEBHOOK_CONNECTIONS_SPARE)
		return true;
	table->n_refused++;
	return false;
}

bool connection_admit(struct connection_table *table, const void *owner,
		      const struct sockaddr *address, socklen_t length)
{
	struct address_key key = address_key(length < sizeof(sa_family_t) ? NULL : address);
	bool admitted;

	pthread_mutex_lock(&table->lock);
	admitted = table_admit(table, owner, &key);
	pthread_mutex_unlock(&table->lock);
	return admitted;
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
	connection->key = address_key(address);
	connection->since_usec = now_usec();
	connection->deadline_usec =
		connection->since_usec + state_seconds[CONNECTION_HEADER] * USEC_PER_SEC;
	pthread_mutex_lock(&table->lock);
	list_prepend(&table->connections, &connection->node);
	first = table->n_connections++ == 0;
	pthread_mutex_unlock(&table->lock);
	if (first)
		table_wake(table); /* the watchdog's timer is not set while the table is empty */
	return connection;
}

void connection_set_state(struct connection *connection, enum connection_state state)
{
	/* each state may be followed by SILENT, when the request or its connection has ended */
	static const unsigned next[] = {
		[CONNECTION_SILENT] = PHASE(CONNECTION_HEADER),
		[CONNECTION_HEADER] = PHASE(CONNECTION_BODY) | PHASE(CONNECTION_SILENT),
		[CONNECTION_BODY] = PHASE(CONNECTION_ANSWER) | PHASE(CONNECTION_WAITING) |
				    PHASE(CONNECTION_SILENT),
		[CONNECTION_ANSWER] = PHASE(CONNECTION_SILENT),
		[CONNECTION_WAITING] = PHASE(CONNECTION_ANSWER) | PHASE(CONNECTION_SILENT),
	};
	uint64_t now = now_usec();

	pthread_mutex_lock(&connection->table->lock);
	assert(phase_may_follow(next, ARRAY_SIZE(next), connection->state, state));
	connection->state = state;
	connection->body_bytes = 0;
	/* the time for the header of the first request began with the connection */
	if (state != CONNECTION_HEADER || connection->served) {
		connection->since_usec = now;
		connection->deadline_usec = now + state_seconds[state] * USEC_PER_SEC;
	}
	if (state == CONNECTION_SILENT)
		connection->served = true;
	pthread_mutex_unlock(&connection->table->lock);
}

void connection_progress(struct connection *connection, size_t bytes)
{
	pthread_mutex_lock(&connection->table->lock);
	connection->body_bytes += bytes;
	pthread_mutex_unlock(&connection->table->lock);
}

void connection_set_linger(struct connection *connection)
{
	pthread_mutex_lock(&connection->table->lock);
	connection->linger = true;
	pthread_mutex_unlock(&connection->table->lock);
}

/* A duplicate descriptor keeps the socket open after the HTTP library closes its own. */
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
	list_remove(&connection->node);
	table->n_connections--;
	if (connection->linger && !connection->dropped && table->n_lingering < LINGER_MAX)
		lingering = lingering_new(connection);
	if (lingering) {
		list_prepend(&table->lingering, &lingering->node);
		table->n_lingering++;
	}
	pthread_mutex_unlock(&table->lock);
	if (lingering)
		table_wake(table);
	free(connection);
}

size_t connection_count(struct connection_table *table, const void *owner)
{
	const struct connection *at;
	size_t n = 0;

	pthread_mutex_lock(&table->lock);
	list_each (at, &table->connections, node)
		n += !owner || at->owner == owner;
	pthread_mutex_unlock(&table->lock);
	return n;
}

void connection_drop(struct connection_table *table, const void *owner, uint64_t silent_usec)
{
	uint64_t now = now_usec();
	struct connection *at;

	pthread_mutex_lock(&table->lock);
	list_each (at, &table->connections, node) {
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

	list_remove(&lingering->node);
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

/* Return: the next socket that connection_close() handed over, or NULL. */
static struct lingering *lingering_take(struct connection_table *table)
{
	struct list_node *node;

	pthread_mutex_lock(&table->lock);
	node = list_pop(&table->lingering);
	pthread_mutex_unlock(&table->lock);
	return list_entry(node, struct lingering, node);
}

static void lingering_watch(struct connection_table *table)
{
	struct lingering *lingering;

	while ((lingering = lingering_take(table))) {
		list_prepend(&table->watched, &lingering->node);
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

/* Log at most one line every LOG_USEC, however many connections an attack opens. */
static void table_log(struct connection_table *table, uint64_t now)
{
	size_t n_evicted, n_refused;

	pthread_mutex_lock(&table->lock);
	n_evicted = table->n_evicted;
	n_refused = table->n_refused;
	if (now - table->logged_usec < LOG_USEC || n_evicted + n_refused == 0) {
		pthread_mutex_unlock(&table->lock);
		return;
	}
	table->logged_usec = now;
	table->n_evicted = table->n_refused = 0;
	pthread_mutex_unlock(&table->lock);
	log_warning("all %d connections of a listener were in use: %zu without a complete header "
		    "or with a halted body were closed, %zu new ones refused",
		    WEBHOOK_CONNECTIONS_MAX, n_evicted, n_refused);
}

/* Once a second while there are connections: shut down those whose deadline has passed. */
static void watchdog_tick(struct loop_timer *timer)
{
	struct connection_table *table = container_of(timer, struct connection_table, timer);
	struct lingering *lingering, *next;
	struct connection *at;
	uint64_t now = now_usec();
	size_t n_dropped = 0;
	bool full;

	pthread_mutex_lock(&table->lock);
	full = table->n_connections > table->capacity / 4 * 3;
	list_each (at, &table->connections, node) {
		bool shed = full && at->state == CONNECTION_SILENT &&
			    now - at->since_usec >= CONNECTION_SHED_SEC * USEC_PER_SEC;

		if (at->dropped || (now < at->deadline_usec && !shed))
			continue;
		connection_shut(at);
		n_dropped++;
	}
	pthread_mutex_unlock(&table->lock);
	list_each_safe (lingering, next, &table->watched, node) {
		if (now >= lingering->deadline_usec)
			lingering_end(lingering);
	}
	table_log(table, now);
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
	table->occupants = calloc(CONNECTIONS_HELD_MAX, sizeof(*table->occupants));
	if (!table->occupants)
		return -ENOMEM;
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
	struct lingering *lingering, *next;

	lingering_watch(table);
	list_each_safe (lingering, next, &table->watched, node)
		lingering_end(lingering);
	loop_timer_cancel(&table->timer);
	loop_remove(&table->wake);
	free(table->occupants);
}
