/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cmocka_headers.h"

#include "api/hub.h"
#include "api/peers.h"
#include "common/cleanup.h"
#include "common/message_table.h"
#include "common/messages/api.h"
#include "common/messages/channels.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- hub ---- */

static void test_hub_order(void **state)
{
	struct hub_event event;
	uint64_t cursor, other;
	struct hub *hub;

	assert_int_equal(hub_new(&hub), 0);
	assert_int_equal(hub_publish(hub, 1, 42, "before"), 0);
	cursor = other = hub_cursor(hub);
	assert_int_equal(hub_next(hub, &cursor, 42, now_usec(), &event), HUB_TIMEOUT);
	assert_int_equal(hub_publish(hub, 2, 42, "two\nlines\r"), 0);
	assert_int_equal(hub_publish(hub, 3, 7, "other run"), 0);
	assert_int_equal(hub_publish(hub, 4, 42, "four"), 0);
	assert_int_equal(hub_next(hub, &cursor, 42, now_usec(), &event), HUB_EVENT);
	assert_int_equal(event.id, 2);
	assert_string_equal(event.json, "two lines ");
	free(event.json);
	assert_int_equal(hub_next(hub, &cursor, 42, now_usec(), &event), HUB_EVENT);
	assert_int_equal(event.id, 4);
	free(event.json);
	assert_int_equal(hub_next(hub, &other, 7, now_usec(), &event), HUB_EVENT);
	assert_int_equal(event.id, 3);
	free(event.json);
	hub_free(hub);
}

static void test_hub_behind(void **state)
{
	struct hub_event event;
	struct hub *hub;
	uint64_t cursor;

	assert_int_equal(hub_new(&hub), 0);
	cursor = hub_cursor(hub);
	for (uint64_t i = 1; i <= HUB_EVENTS; i++)
		assert_int_equal(hub_publish(hub, i, 42, "{}"), 0);
	assert_int_equal(hub_next(hub, &cursor, 42, now_usec(), &event), HUB_EVENT);
	assert_int_equal(event.id, 1);
	free(event.json);
	cursor = 0;
	assert_int_equal(hub_publish(hub, HUB_EVENTS + 1, 42, "{}"), 0);
	assert_int_equal(hub_next(hub, &cursor, 42, now_usec(), &event), HUB_BEHIND);
	assert_int_equal(hub_next(hub, &cursor, 42, now_usec(), &event), HUB_TIMEOUT);
	assert_int_equal(hub_publish(hub, HUB_EVENTS + 2, 42, "{}"), 0);
	assert_int_equal(hub_next(hub, &cursor, 42, now_usec(), &event), HUB_EVENT);
	assert_int_equal(event.id, HUB_EVENTS + 2);
	free(event.json);
	hub_free(hub);
}

/* ---- calls ---- */

static struct peers *peers;
static struct loop *loop;
static int remote_fd; /* the scheduler's end */

static int on_answer(struct channel *channel, struct message *message)
{
	return peers_answer(peers, message);
}

static const struct message_handler handlers[] = {{MESSAGE_API_ANSWER, on_answer}};

static void attach(void)
{
	struct message *hello =
		MESSAGE_NEW(hello, 0, .version = MESSAGE_VERSION, .role = ROLE_SCHEDULER);
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(peers_attach(peers, ROLE_SCHEDULER, pair[0], handlers, 1), 0);
	remote_fd = pair[1];
	assert_int_equal(message_transmit(remote_fd, hello), 0);
}

/* The next request at the scheduler's end. */
static struct message *next_request(void)
{
	struct message *message = NULL;

	for (;;) {
		assert_int_equal(message_receive(remote_fd, &message), 1);
		if (message->type == MESSAGE_API_REQUEST)
			return message;
		message_free(message);
	}
}

static struct message *request_new(uint64_t verb)
{
	return MESSAGE_NEW(api_request, 0, .verb = verb);
}

struct asking {
	pthread_t thread;
	uint64_t verb;
	struct peer_reply reply;
	int result;
};

static void *ask(void *userdata)
{
	struct asking *asking = userdata;

	asking->result =
		peer_call(peers, ROLE_SCHEDULER, request_new(asking->verb), &asking->reply);
	return NULL;
}

static void answer(uint64_t serial, uint64_t status, const char *text)
{
	struct message *message = MESSAGE_NEW(api_answer, serial, .status = status, .error = text);

	assert_int_equal(message_transmit(remote_fd, message), 0);
}

static void *run_loop(void *userdata)
{
	return (void *)(intptr_t)loop_run(loop);
}

static int stop_pipe[2];

static void on_stop(struct loop_file *file, uint32_t events)
{
	loop_exit(loop, 0);
}

/* Answers in another order, an unexpected answer, a peer that dies and comes back. */
static void test_calls(void **state)
{
	struct asking askings[4];
	struct loop_file stop = LOOP_FILE_NULL;
	uint64_t serials[4] = {0};
	pthread_t thread;

	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(peers_new(loop, &peers), 0);
	assert_int_equal(pipe(stop_pipe), 0);
	assert_int_equal(loop_add(loop, &stop, stop_pipe[0], 1, on_stop), 0);
	attach();
	assert_true(peer_connected(peers, ROLE_SCHEDULER));
	assert_false(peer_connected(peers, ROLE_CACHER));
	assert_int_equal(pthread_create(&thread, NULL, run_loop, NULL), 0);

	for (size_t i = 0; i < ARRAY_SIZE(askings); i++) {
		askings[i].verb = i;
		assert_int_equal(pthread_create(&askings[i].thread, NULL, ask, &askings[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(askings); i++) {
		struct message *message = next_request();
		struct message_api_request request;

		assert_int_equal(MESSAGE_GET(message, api_request, &request), 0);
		serials[request.verb] = message->serial;
		message_free(message);
	}
	answer(999999, 200, "nobody asked");
	for (size_t i = 3; i > 0; i--) {
		char text[16];

		(void)snprintf(text, sizeof(text), "answer %zu", i);
		answer(serials[i], 200 + i, text);
		assert_int_equal(pthread_join(askings[i].thread, NULL), 0);
		assert_int_equal(askings[i].result, 0);
		assert_int_equal(askings[i].reply.status, 200 + i);
		assert_string_equal(askings[i].reply.text, text);
		assert_int_equal(askings[i].reply.fd, -1);
	}
	/* the peer received the first call but never answered it */
	close(remote_fd);
	assert_int_equal(pthread_join(askings[0].thread, NULL), 0);
	assert_int_equal(askings[0].result, -ENOTCONN);
	assert_false(peer_connected(peers, ROLE_SCHEDULER));

	assert_int_equal(write(stop_pipe[1], "x", 1), 1);
	assert_int_equal(pthread_join(thread, NULL), 0);
	/* the peer stays away: a call gives up after PEER_AWAY_USEC */
	assert_int_equal(pthread_create(&askings[0].thread, NULL, ask, &askings[0]), 0);
	assert_int_equal(pthread_join(askings[0].thread, NULL), 0);
	assert_int_equal(askings[0].result, -ENOTCONN);
	loop_remove(&stop);
	peers_free(peers);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hub_order),
		cmocka_unit_test(test_hub_behind),
		cmocka_unit_test(test_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
