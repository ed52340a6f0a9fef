/* SPDX-License-Identifier: Apache-2.0 */
/* The event-driven part of common/message.h: struct channel. */
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/message_table.h"
#include "common/messages/channels.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Messages handled per wake-up, so that one busy peer does not starve the others. */
#define CHANNEL_BURST 64

struct channel_packet {
	struct channel_packet *next;
	struct message *message;
};

static void channel_fail(struct channel *channel)
{
	if (!channel->open)
		return;
	channel_close(channel);
	if (channel->closed)
		channel->closed(channel);
}

static const struct message_handler *handler_find(const struct channel *channel, unsigned type)
{
	for (size_t i = 0; i < channel->n_handlers; i++) {
		if (channel->handlers[i].type == type)
			return &channel->handlers[i];
	}
	return NULL;
}

static int on_hello(struct channel *channel, struct message *message)
{
	struct message_hello hello;
	int r = MESSAGE_GET(message, hello, &hello);

	if (r < 0)
		return r;
	if (hello.version != MESSAGE_VERSION || hello.role != channel->peer) {
		log_error("%s: the peer speaks version %llu as role %llu, expected %u as %s",
			  role_name(channel->peer), (unsigned long long)hello.version,
			  (unsigned long long)hello.role, MESSAGE_VERSION,
			  role_name(channel->peer));
		return -EPROTO;
	}
	channel->greeted = true;
	return 0;
}

static int channel_serve(struct channel *channel, struct message *message)
{
	const struct message_info *info = message_info(message->type);
	const struct message_handler *handler;

	if (!(info->from & channel->peer) || !(info->to & channel->self))
		return -EPERM;
	if (message->type == MESSAGE_HELLO) {
		int r = channel->greeted ? -EPROTO : on_hello(channel, message);

		if (r < 0)
			return r;
		handler = handler_find(channel, MESSAGE_HELLO); /* optional */
		return handler ? handler->handle(channel, message) : 0;
	}
	if (!channel->greeted)
		return -EPROTO;
	handler = handler_find(channel, message->type);
	return handler ? handler->handle(channel, message) : -EOPNOTSUPP;
}

/* With RUNBOOK_LOG_LEVEL=debug, logs received messages, without secrets. */
static void message_trace(const struct channel *channel, struct message *message)
{
	char text[1024];

	if (!log_wants(LOG_LEVEL_DEBUG))
		return;
	message_print(message, text, sizeof(text));
	log_debug("%s: from %s: %s", role_name(channel->self), role_name(channel->peer), text);
	message->problem[0] = '\0'; /* the handler will report it, too */
	message->failed = 0;
}

/* Handles received messages. An error of a handler is the sender's, so its channel is closed. */
static void channel_receive(struct channel *channel)
{
	for (int i = 0; i < CHANNEL_BURST && channel->open; i++) {
		cleanup_message struct message *message = NULL;
		int r = message_receive(channel->file.fd, &message);

		if (r == -EAGAIN)
			return;
		if (r == 0) {
			channel_fail(channel);
			return;
		}
		if (r > 0) {
			message_trace(channel, message);
			r = channel_serve(channel, message);
		}
		if (r >= 0 && channel->handled)
			channel->handled(channel);
		if (r < 0) {
			log_error("%s: refused %s from %s: %s; closing its channel",
				  role_name(channel->self),
				  message ? message_info(message->type)->name
					  : "a malformed message",
				  role_name(channel->peer),
				  message && message->problem[0] ? message->problem : strerror(-r));
			channel_fail(channel);
			return;
		}
	}
}

static void output_pop(struct channel *channel)
{
	struct channel_packet *packet = channel->first;

	channel->first = packet->next;
	if (!channel->first)
		channel->last = NULL;
	channel->n_queued--;
	(void)message_free(packet->message);
	free(packet);
}

static void channel_flush(struct channel *channel)
{
	while (channel->first) {
		int r = message_write(channel->file.fd, channel->first->message);

		if (r == -EAGAIN || r == -ENOMEM || r == -ENOBUFS)
			return;
		if (r < 0) {
			channel_fail(channel);
			return;
		}
		output_pop(channel);
	}
	(void)loop_modify(&channel->file, EPOLLIN);
}

static void channel_events(struct loop_file *file, uint32_t events)
{
	struct channel *channel = container_of(file, struct channel, file);

	if (events & EPOLLOUT)
		channel_flush(channel);
	/* read messages that the peer sent before it hung up */
	if (channel->open && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		channel_receive(channel);
}

/* Queues a message that the socket did not accept. */
static int output_push(struct channel *channel, struct message *message)
{
	struct channel_packet *packet;

	if (channel->n_queued >= CHANNEL_QUEUE_MAX) {
		(void)message_free(message);
		log_error("%s: %s does not read its messages; closing its channel",
			  role_name(channel->self), role_name(channel->peer));
		channel_fail(channel);
		return -ENOBUFS;
	}
	packet = calloc(1, sizeof(*packet));
	if (!packet) {
		(void)message_free(message);
		return -ENOMEM;
	}
	packet->message = message;
	if (channel->last)
		channel->last->next = packet;
	else
		channel->first = packet;
	channel->last = packet;
	channel->n_queued++;
	return loop_modify(&channel->file, EPOLLIN | EPOLLOUT);
}

int channel_send(struct channel *channel, struct message *message)
{
	int r;

	if (!message)
		return -ENOMEM;
	if (message->problem[0])
		log_error("%s: not sent to %s: %s", role_name(channel->self),
			  role_name(channel->peer), message->problem);
	if (message->failed || !channel->open) {
		r = message->failed ? message->failed : -ENOTCONN;
		(void)message_free(message);
		return r;
	}
	if (channel->first) /* behind queued messages */
		return output_push(channel, message);
	r = message_write(channel->file.fd, message);
	if (r == -EAGAIN || r == -ENOMEM || r == -ENOBUFS)
		return output_push(channel, message);
	(void)message_free(message);
	/* the next read notices a dead peer, and calls closed() when that is safe */
	return r < 0 ? -ENOTCONN : 0;
}

int channel_open(struct channel *channel, struct loop *loop, int fd, enum process_role self,
		 enum process_role peer, const struct message_handler *handlers, size_t n_handlers,
		 channel_closed_fn closed, void *userdata)
{
	int r;

	*channel = (struct channel){
		.file = LOOP_FILE_NULL,
		.self = self,
		.peer = peer,
		.handlers = handlers,
		.n_handlers = n_handlers,
		.closed = closed,
		.userdata = userdata,
	};
	r = fd_set_nonblock(fd, 1);
	if (r == 0)
		r = fd_set_cloexec(fd, 1);
	if (r == 0)
		r = loop_add(loop, &channel->file, fd, EPOLLIN, channel_events);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	channel->open = true;
	r = channel_send(channel, MESSAGE_NEW(hello, 0, .version = MESSAGE_VERSION, .role = self));
	if (r == -ENOTCONN) /* the peer is gone, which the loop will report */
		return 0;
	if (r < 0)
		channel_close(channel);
	return r;
}

void channel_close(struct channel *channel)
{
	if (!channel->open)
		return;
	channel->open = false;
	channel->greeted = false;
	while (channel->first)
		output_pop(channel);
	loop_remove(&channel->file);
	(void)close(channel->file.fd);
	channel->file.fd = -1;
}
