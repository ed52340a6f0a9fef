/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_SCHEDULER_WORLD_H
#define TESTS_FUZZ_SCHEDULER_WORLD_H

/* DOC: A scheduler with its own store, in this process; its peers send records of the input. */

#include "common/message_table.h"
#include "common/remove_tree.h"
#include "scheduler/peers/serve.h"
#include "tests/fuzz/peers.h"

#include <stdio.h>
#include <sys/stat.h>

enum peer_index { PEER_DAEMON, PEER_WEBHOOK, PEER_FETCHER, PEER_API, PEER_IMAGE, PEER_CACHER };

enum { VERB_RECONNECT = MESSAGE_NUM_TYPES };
static const char *const verbs[] = {"reconnect"};

static char top[] = "/tmp/fuzz_scheduler.XXXXXX";
static char store_path[64];

/* A copy of an empty store, since making one takes longer than handling most inputs. */
static struct {
	char path[72];
	char *data;
	size_t size;
} files[2];

static struct {
	struct scheduler *scheduler;
	struct input input;
	unsigned n_records;
	struct fuzz_peer peers[PEERS_MAX];
} world;

/* Replaces that of the C library: on tmpfs, reserving space for the store would take longest. */
int fallocate(int fd, int mode, off_t offset, off_t length)
{
	return 0;
}

static inline void finish(void)
{
	(void)remove_tree(AT_FDCWD, top);
}

static inline void start(void)
{
	struct error error = ERROR_INIT;
	struct store *store = NULL;

	program_prepare();
	if (access("/dev/shm", W_OK) == 0)
		memcpy(top, "/dev/shm/fuzz_s.XXXXXX", sizeof("/dev/shm/fuzz_s.XXXXXX"));
	if (!mkdtemp(top) || atexit(finish) != 0)
		abort();
	(void)snprintf(store_path, sizeof(store_path), "%s/runbookd.db", top);
	(void)snprintf(files[0].path, sizeof(files[0].path), "%s", store_path);
	(void)snprintf(files[1].path, sizeof(files[1].path), "%s.state", store_path);
	if (store_open(store_path, &store, &error) < 0)
		abort();
	(void)store_close(store);
	for (unsigned i = 0; i < ARRAY_SIZE(files); i++) {
		cleanup_close int fd = open(files[i].path, O_RDONLY | O_CLOEXEC);

		if (fd_read_file(fd, SIZE_MAX / 4, &files[i].data, &files[i].size) < 0)
			abort();
	}
}

static inline void store_empty(void)
{
	if (!store_path[0])
		start();
	if (remove_tree(AT_FDCWD, top) < 0 || mkdir(top, 0700) < 0)
		abort();
	for (unsigned i = 0; i < ARRAY_SIZE(files); i++) {
		cleanup_close int fd =
			open(files[i].path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

		if (fd_write_all(fd, files[i].data, files[i].size) < 0)
			abort();
	}
}

/* The daemon sends the scheduler a channel to the peer. */
static inline void peer_introduce(struct fuzz_peer *peer)
{
	int theirs = peer_connect(peer);
	struct message *message = MESSAGE_NEW(channel, 0, .role = peer->role, .socket = theirs);

	if (!message)
		abort();
	(void)close(theirs);
	(void)message_transmit(world.peers[PEER_DAEMON].fd, message);
}

/* Send a record whenever the scheduler is idle. */
static inline bool feed(void *userdata)
{
	struct fuzz_peer *peer;
	unsigned type;

	for (unsigned i = 0; i < PEERS_MAX; i++)
		peer_drain(&world.peers[i], MESSAGE_STEP_START);
	if (world.input.size == 0 || ++world.n_records > RECORDS_MAX) {
		peer_hang_up(&world.peers[PEER_DAEMON]); /* ends the scheduler */
		return false;
	}
	peer = &world.peers[input_byte(&world.input) % PEERS_MAX];
	type = input_type(&world.input, peer->role, ROLE_SCHEDULER, verbs, ARRAY_SIZE(verbs));
	if (type == VERB_RECONNECT && peer != &world.peers[PEER_DAEMON])
		peer_introduce(peer);
	else if (type < MESSAGE_NUM_TYPES)
		input_send(&world.input, peer, type);
	return true;
}

/* Run a scheduler with @input. Return: its exit status; -1: the store cannot be read. */
static inline int run(struct input input)
{
	static const enum process_role roles[PEERS_MAX] = {
		[PEER_DAEMON] = ROLE_DAEMON,   [PEER_WEBHOOK] = ROLE_WEBHOOK,
		[PEER_FETCHER] = ROLE_FETCHER, [PEER_API] = ROLE_API,
		[PEER_IMAGE] = ROLE_IMAGE,     [PEER_CACHER] = ROLE_CACHER,
	};
	struct error error = ERROR_INIT;
	struct store *store = NULL;
	int code;

	if (store_open(store_path, &store, &error) < 0)
		return -1;
	world.scheduler = scheduler_new(store);
	if (!world.scheduler)
		abort();
	for (unsigned i = 0; i < PEERS_MAX; i++)
		world.peers[i] = (struct fuzz_peer){.role = roles[i], .fd = -1};
	(void)peer_open(&executor_home(world.scheduler)->peer,
			peer_connect(&world.peers[PEER_DAEMON]));
	for (unsigned i = PEER_WEBHOOK; i < PEERS_MAX; i++)
		peer_introduce(&world.peers[i]);
	world.input = input;
	world.n_records = 0;
	loop_idle_set(world.scheduler->loop, feed, NULL);
	code = scheduler_run(world.scheduler);
	for (unsigned i = 0; i < PEERS_MAX; i++)
		peer_hang_up(&world.peers[i]);
	return code;
}

#endif
