/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cmocka_headers.h"

#include "common/cleanup.h"
#include "common/message_table.h"
#include "common/messages/channels.h"
#include "common/messages/config.h"
#include "common/messages/deliveries.h"
#include "common/messages/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void test_round_trip(void **state)
{
	int pair[2];
	int file = open("/dev/null", O_RDONLY | O_CLOEXEC), fd;
	struct message *message =
		MESSAGE_NEW(config_listen, 77, .address = "127.0.0.1:80", .socket = file);
	struct message *received = NULL;
	struct message_config_listen listen;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(message_transmit(pair[0], message), 0);
	assert_int_equal(message_receive(pair[1], &received), 1);
	assert_int_equal(received->type, MESSAGE_CONFIG_LISTEN);
	assert_int_equal(received->serial, 77);
	assert_int_equal(MESSAGE_GET(received, config_listen, &listen), 0);
	assert_string_equal(listen.address, "127.0.0.1:80");
	fd = message_take_fd(received, listen.socket);
	assert_true(fd > file);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	close(file);
	message_free(received);
	close(pair[0]);
	assert_int_equal(message_receive(pair[1], &received), 0);
	close(pair[1]);
}

static struct message *ack_new(uint64_t order)
{
	return MESSAGE_NEW(step_ack, 0, .order = order);
}

static int decode(const void *data, size_t size)
{
	struct message *message = NULL;
	int r = message_decode(data, size, NULL, 0, &message);

	message_free(message);
	return r;
}

static void test_decode_refuses(void **state)
{
	struct message *message = ack_new(1);
	cleanup_free uint8_t *data = NULL;
	size_t size;
	uint8_t *copy;

	assert_int_equal(message_encode(message, &data, &size), 0);
	message_free(message);
	assert_int_equal(decode(data, size), 0);
	for (size_t cut = 0; cut < size; cut++)
		assert_int_equal(decode(data, cut), -EBADMSG);
	copy = malloc(size);
	memcpy(copy, data, size);
	copy[0] ^= 1; /* magic */
	assert_int_equal(decode(copy, size), -EBADMSG);
	memcpy(copy, data, size);
	copy[4] = 0xff; /* type */
	assert_int_equal(decode(copy, size), -EOPNOTSUPP);
	memcpy(copy, data, size);
	copy[6] = 1; /* claims a descriptor */
	assert_int_equal(decode(copy, size), -EBADMSG);
	memcpy(copy, data, size);
	copy[12] = 1; /* reserved */
	assert_int_equal(decode(copy, size), -EBADMSG);
	free(copy);
}

static void test_table_limits_length(void **state)
{
	struct message *message = ack_new(1);
	cleanup_free uint8_t *data = NULL;
	size_t size;

	message->payload = realloc(message->payload, message->length + 1);
	message->payload[message->length++] = 0; /* one byte above the maximum of its fields */
	assert_int_equal(message_encode(message, &data, &size), 0);
	assert_int_equal(decode(data, size), -EBADMSG);
	message_free(message);
}

/* ---- channels ---- */

struct side {
	struct channel channel;
	struct loop *loop;
	unsigned n_acks;
	uint64_t last;
	unsigned n_closed;
	unsigned wanted;
};

static int on_ack(struct channel *channel, struct message *message)
{
	struct side *side = channel->userdata;
	struct message_step_ack ack;
	int r = MESSAGE_GET(message, step_ack, &ack);

	if (r < 0)
		return r;
	assert_int_equal(ack.order, side->last + 1); /* in order, none lost */
	side->last = ack.order;
	if (++side->n_acks == side->wanted)
		loop_exit(side->loop, 0);
	return 0;
}

static void on_closed(struct channel *channel)
{
	struct side *side = channel->userdata;

	side->n_closed++;
	loop_exit(side->loop, 0);
}

static const struct message_handler daemon_handlers[] = {
	{MESSAGE_STEP_ACK, on_ack},
};

static void sides_open(struct loop **loop, struct side *daemon, struct side *scheduler)
{
	int pair[2];

	assert_int_equal(loop_new(loop), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	*daemon = (struct side){.loop = *loop};
	*scheduler = (struct side){.loop = *loop};
	assert_int_equal(channel_open(&daemon->channel, *loop, pair[0], ROLE_DAEMON, ROLE_SCHEDULER,
				      daemon_handlers, ARRAY_SIZE(daemon_handlers), on_closed,
				      daemon),
			 0);
	assert_int_equal(channel_open(&scheduler->channel, *loop, pair[1], ROLE_SCHEDULER,
				      ROLE_DAEMON, NULL, 0, on_closed, scheduler),
			 0);
}

static void sides_close(struct loop *loop, struct side *daemon, struct side *scheduler)
{
	channel_close(&daemon->channel);
	channel_close(&scheduler->channel);
	loop_free(loop);
}

static void test_channel_queues_in_order(void **state)
{
	struct loop *loop;
	struct side daemon, scheduler;

	sides_open(&loop, &daemon, &scheduler);
	daemon.wanted = 20000; /* far more than fit into a socket buffer */
	for (uint64_t i = 1; i <= daemon.wanted; i++)
		assert_int_equal(channel_send(&scheduler.channel, ack_new(i)), 0);
	assert_true(scheduler.channel.n_queued > 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(daemon.n_acks, daemon.wanted);
	assert_int_equal(daemon.n_closed, 0);
	sides_close(loop, &daemon, &scheduler);
}

static void test_channel_refuses_wrong_direction(void **state)
{
	struct loop *loop;
	struct side daemon, scheduler;
	struct message *message;

	sides_open(&loop, &daemon, &scheduler);
	message = MESSAGE_NEW(trigger_accepted, 0, .run = 1); /* scheduler to webhook only */
	assert_int_equal(channel_send(&scheduler.channel, message), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(daemon.n_closed, 1); /* the receiver has closed its channel */
	assert_false(daemon.channel.open);
	sides_close(loop, &daemon, &scheduler);
}

static void test_channel_refuses_stuck_peer(void **state)
{
	struct loop *loop;
	struct side daemon, scheduler;
	int r = 0;

	sides_open(&loop, &daemon, &scheduler);
	for (uint64_t i = 1; r == 0 && i <= 2 * CHANNEL_QUEUE_MAX; i++)
		r = channel_send(&scheduler.channel, ack_new(i));
	assert_int_equal(r, -ENOBUFS);
	assert_int_equal(scheduler.n_closed, 1);
	assert_int_equal(channel_send(&scheduler.channel, ack_new(1)), -ENOTCONN);
	sides_close(loop, &daemon, &scheduler);
}

static void test_channel_survives_garbage(void **state)
{
	struct loop *loop;
	struct side daemon, scheduler;
	int pair[2];

	sides_open(&loop, &daemon, &scheduler);
	channel_close(&daemon.channel);
	channel_close(&scheduler.channel);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(channel_open(&daemon.channel, loop, pair[0], ROLE_DAEMON, ROLE_SCHEDULER,
				      daemon_handlers, 1, on_closed, &daemon),
			 0);
	assert_int_equal(send(pair[1], "garbage", 7, 0), 7);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(daemon.n_closed, 1);
	close(pair[1]);
	sides_close(loop, &daemon, &scheduler);
}

static void test_channel_wants_a_greeting(void **state)
{
	struct loop *loop;
	struct side daemon = {.n_closed = 0};
	int pair[2];

	assert_int_equal(loop_new(&loop), 0);
	daemon.loop = loop;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(channel_open(&daemon.channel, loop, pair[0], ROLE_DAEMON, ROLE_SCHEDULER,
				      daemon_handlers, 1, on_closed, &daemon),
			 0);
	assert_int_equal(message_transmit(pair[1], ack_new(1)), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(daemon.n_closed, 1);
	assert_int_equal(daemon.n_acks, 0);
	close(pair[1]);
	loop_free(loop);
}

/* Return: whether the daemon's side handles messages after @hello, or closes the channel. */
static bool greeted_by(struct message *hello)
{
	struct loop *loop;
	struct side daemon = {.wanted = 1};
	int pair[2];

	assert_int_equal(loop_new(&loop), 0);
	daemon.loop = loop;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(channel_open(&daemon.channel, loop, pair[0], ROLE_DAEMON, ROLE_SCHEDULER,
				      daemon_handlers, 1, on_closed, &daemon),
			 0);
	assert_int_equal(message_transmit(pair[1], hello), 0);
	assert_int_equal(message_transmit(pair[1], ack_new(1)), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(daemon.n_acks + daemon.n_closed, 1);
	close(pair[1]);
	channel_close(&daemon.channel);
	loop_free(loop);
	return daemon.n_acks == 1;
}

static struct message *hello_new(uint64_t version, uint64_t role)
{
	return MESSAGE_NEW(hello, 0, .version = version, .role = role);
}

static void test_channel_wants_our_version(void **state)
{
	struct message *longer = hello_new(MESSAGE_VERSION, ROLE_SCHEDULER);

	assert_true(greeted_by(hello_new(MESSAGE_VERSION, ROLE_SCHEDULER)));
	assert_false(greeted_by(hello_new(MESSAGE_VERSION - 1, ROLE_SCHEDULER)));
	assert_false(greeted_by(hello_new(MESSAGE_VERSION + 1, ROLE_SCHEDULER)));
	assert_false(greeted_by(hello_new(UINT64_MAX, ROLE_SCHEDULER)));
	assert_false(greeted_by(hello_new(MESSAGE_VERSION, ROLE_API)));
	assert_false(greeted_by(hello_new(MESSAGE_VERSION, ROLE_SCHEDULER | ROLE_API)));
	assert_false(greeted_by(hello_new(MESSAGE_VERSION, UINT64_MAX)));
	/* a field of a later version, which the format allows */
	longer->payload = realloc(longer->payload, (size_t)longer->length + 8);
	memcpy(longer->payload + longer->length, "\3\0\1\0\0\0\0\0", 8);
	longer->length += 8;
	assert_false(greeted_by(longer));
}

static int thread_memory(struct dl_phdr_info *object, size_t size, void *userdata)
{
	size_t *bytes = userdata;

	for (size_t i = 0; i < object->dlpi_phnum; i++) {
		if (object->dlpi_phdr[i].p_type == PT_TLS)
			*bytes = object->dlpi_phdr[i].p_memsz;
	}
	return 1; /* this program is the first of the objects */
}

/* Each thread begins with writing zeros to all thread-local memory. */
static void test_threads_are_small(void **state)
{
	size_t bytes = 0;

	assert_int_equal(dl_iterate_phdr(thread_memory, &bytes), 1);
	assert_true(bytes < 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_decode_refuses),
		cmocka_unit_test(test_table_limits_length),
		cmocka_unit_test(test_channel_queues_in_order),
		cmocka_unit_test(test_channel_refuses_wrong_direction),
		cmocka_unit_test(test_channel_refuses_stuck_peer),
		cmocka_unit_test(test_channel_survives_garbage),
		cmocka_unit_test(test_channel_wants_a_greeting),
		cmocka_unit_test(test_channel_wants_our_version),
		cmocka_unit_test(test_threads_are_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
