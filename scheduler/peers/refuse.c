/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler when its store is damaged, missing or of a newer version: it keeps its channels,
 * refuses deliveries to the webhook process (so that forges send them again, or show them as
 * failed), and replies to people what is wrong and how to repair it. Results of steps are not
 * acknowledged, so the daemon keeps them for the scheduler that starts after the repair.
 */
#include "common/cleanup.h"
#include "common/log.h"
#include "common/message_table.h"
#include "common/messages/api.h"
#include "common/messages/channels.h"
#include "common/messages/deliveries.h"
#include "scheduler/peers/serve.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define N_PEERS 5

struct refusal {
	struct loop *loop;
	const char *sentence;
	struct channel daemon;
	struct channel peers[N_PEERS];
};

/* The message is not read: without a store it changes nothing. */
static int handle_nothing(struct channel *channel, struct message *message)
{
	(void)channel;
	(void)message;
	return 0;
}

static int handle_trigger(struct channel *channel, struct message *message)
{
	/* this reason is sent to the Internet: it contains no paths */
	(void)channel_send(
		channel,
		MESSAGE_NEW(trigger_refused, message->serial, .status = 503,
			    .reason = "the server's database is damaged: its administrator "
				      "has to repair it, then deliver again"));
	return 0;
}

static int handle_request(struct channel *channel, struct message *message)
{
	const struct refusal *refusal = channel->userdata;
	(void)channel_send(channel, MESSAGE_NEW(api_answer, message->serial, .status = 500,
						.error = refusal->sentence));
	return 0;
}

static void peer_gone(struct channel *channel)
{
	/* the daemon makes a new channel when it is back */
	(void)channel;
}

static void daemon_gone(struct channel *channel)
{
	struct refusal *refusal = channel->userdata;

	loop_exit(refusal->loop, 0);
}

#define IGNORE_PEER(peer, name, from, to)                                                          \
	{((from) & (peer)) && ((to)&ROLE_SCHEDULER) ? MESSAGE_##name : MESSAGE_INVALID,            \
	 handle_nothing},
#define IGNORE_FETCHER(name, from, to, fds) IGNORE_PEER(ROLE_FETCHER, name, from, to)
#define IGNORE_IMAGE(name, from, to, fds) IGNORE_PEER(ROLE_IMAGE, name, from, to)
#define IGNORE_CACHER(name, from, to, fds) IGNORE_PEER(ROLE_CACHER, name, from, to)
#define IGNORE_DAEMON(name, from, to, fds) IGNORE_PEER(ROLE_DAEMON, name, from, to)

static int handle_channel(struct channel *channel, struct message *message)
{
	static const struct message_handler webhook_handlers[] = {
		{MESSAGE_TRIGGER, handle_trigger}};
	static const struct message_handler api_handlers[] = {
		{MESSAGE_API_REQUEST, handle_request}};
	static const struct message_handler fetcher_handlers[] = {MESSAGE_TABLE(IGNORE_FETCHER)};
	static const struct message_handler image_handlers[] = {MESSAGE_TABLE(IGNORE_IMAGE)};
	static const struct message_handler cacher_handlers[] = {MESSAGE_TABLE(IGNORE_CACHER)};
	static const struct {
		enum process_role role;
		const struct message_handler *handlers;
		size_t n_handlers;
	} peers[N_PEERS] = {
		{ROLE_WEBHOOK, webhook_handlers, ARRAY_SIZE(webhook_handlers)},
		{ROLE_API, api_handlers, ARRAY_SIZE(api_handlers)},
		{ROLE_FETCHER, fetcher_handlers, ARRAY_SIZE(fetcher_handlers)},
		{ROLE_IMAGE, image_handlers, ARRAY_SIZE(image_handlers)},
		{ROLE_CACHER, cacher_handlers, ARRAY_SIZE(cacher_handlers)},
	};
	struct refusal *refusal = channel->userdata;
	struct message_channel peer;
	int r = MESSAGE_GET(message, channel, &peer);

	if (r < 0)
		return r;
	for (size_t i = 0; i < N_PEERS; i++) {
		if (peers[i].role != peer.role)
			continue;
		channel_close(&refusal->peers[i]);
		r = channel_open(&refusal->peers[i], refusal->loop,
				 message_take_fd(message, peer.socket), ROLE_SCHEDULER,
				 peers[i].role, peers[i].handlers, peers[i].n_handlers, peer_gone,
				 refusal);
		if (r < 0)
			log_error("cannot open a channel: %s", strerror(-r));
		return 0;
	}
	return -EINVAL;
}

int scheduler_refuse(int channel_fd, const char *sentence)
{
	/* the first matching entry counts; the others ignore every other message of the daemon */
	static const struct message_handler daemon_handlers[] = {{MESSAGE_CHANNEL, handle_channel},
								 MESSAGE_TABLE(IGNORE_DAEMON)};
	struct refusal refusal = {.sentence = sentence};
	int r = loop_new(&refusal.loop);

	if (r < 0) {
		(void)close(channel_fd);
		log_error("cannot make the event loop: %s", strerror(-r));
		return 1;
	}
	r = channel_open(&refusal.daemon, refusal.loop, channel_fd, ROLE_SCHEDULER, ROLE_DAEMON,
			 daemon_handlers, ARRAY_SIZE(daemon_handlers), daemon_gone, &refusal);
	if (r == 0)
		r = loop_run(refusal.loop);
	for (size_t i = 0; i < N_PEERS; i++)
		channel_close(&refusal.peers[i]);
	channel_close(&refusal.daemon);
	refusal.loop = loop_free(refusal.loop);
	return r < 0 ? 1 : r;
}
