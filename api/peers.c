/* SPDX-License-Identifier: Apache-2.0 */
#include "api/peers.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/message_table.h"
#include "common/messages/api.h"
#include "common/messages/channels.h"
#include "common/messages/host.h"
#include "common/messages/images.h"
#include "common/text.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>

enum { LINK_DAEMON, LINK_SCHEDULER, LINK_CACHER, LINK_IMAGE, NUM_LINKS };

static const enum process_role link_roles[NUM_LINKS] = {
	[LINK_DAEMON] = ROLE_DAEMON,
	[LINK_SCHEDULER] = ROLE_SCHEDULER,
	[LINK_CACHER] = ROLE_CACHER,
	[LINK_IMAGE] = ROLE_IMAGE,
};

/* One call; on the stack of the calling thread. */
struct call {
	struct call *next;
	enum process_role role;
	uint64_t serial;
	struct message *message; /* NULL as soon as the loop's thread has taken it */
	struct peer_reply *reply;
	bool done;
	int result;
};

struct link {
	struct channel own;	      /* opened by peers_attach() */
	struct channel *channel;      /* NULL while the peer is away */
	struct loop_timer lost_timer; /* set from then on for cacher and image, see on_lost() */
	struct peers *peers;
};

struct peers {
	struct loop *loop;
	struct loop_file wake; /* an eventfd: a message is to be sent */
	pthread_mutex_t lock;
	pthread_cond_t changed; /* a call is done, or a peer connected or went away */
	struct link links[NUM_LINKS];
	struct call *calls;
	uint64_t next_serial;
};

static struct link *link_of(struct peers *peers, enum process_role role)
{
	for (size_t i = 0; i < NUM_LINKS; i++)
		if (link_roles[i] == role)
			return &peers->links[i];
	return NULL;
}

static void call_finish(struct call *call, int result)
{
	call->done = true;
	call->result = result;
}

/* ---- the loop's thread ---- */

/* Send the messages of all new calls. A call whose message cannot be sent fails. */
static void on_wake(struct loop_file *file, uint32_t events)
{
	struct peers *peers = container_of(file, struct peers, wake);
	uint64_t count;

	if (read(file->fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_warning("cannot read an eventfd: %s, ignoring", strerror(errno));
	for (;;) {
		struct message *message = NULL;
		struct channel *channel = NULL;
		uint64_t serial = 0;
		struct call *call;
		int r;

		(void)pthread_mutex_lock(&peers->lock);
		for (call = peers->calls; call && !message; call = call->next)
			if (call->message) {
				message = TAKE_PTR(call->message);
				channel = link_of(peers, call->role)->channel;
				serial = call->serial;
			}
		(void)pthread_mutex_unlock(&peers->lock);
		if (!message)
			return;
		/* without the lock: a channel that fails calls peers_lost() */
		if (channel) {
			r = channel_send(channel, message);
		} else {
			(void)message_free(message);
			r = -ENOTCONN;
		}
		if (r == 0)
			continue;
		(void)pthread_mutex_lock(&peers->lock);
		for (call = peers->calls; call; call = call->next)
			if (call->serial == serial && !call->done)
				call_finish(call, r);
		(void)pthread_cond_broadcast(&peers->changed);
		(void)pthread_mutex_unlock(&peers->lock);
	}
}

/* ---- answers ---- */

static int read_api_answer(struct message *message, struct peer_reply *reply)
{
	struct message_api_answer answer;
	int r = MESSAGE_GET(message, api_answer, &answer);

	if (r < 0)
		return r;
	reply->status = answer.status;
	reply->fd = message_take_fd(message, answer.content);
	return text_copy(reply->text, sizeof(reply->text), answer.error);
}

static int read_artifact_listed(struct message *message, struct peer_reply *reply)
{
	struct message_artifact_listed listed;
	int r = MESSAGE_GET(message, artifact_listed, &listed);

	if (r < 0)
		return r;
	reply->status = listed.status;
	reply->fd = message_take_fd(message, listed.list);
	return 0;
}

static int read_artifact_opened(struct message *message, struct peer_reply *reply)
{
	struct message_artifact_opened opened;
	int r = MESSAGE_GET(message, artifact_opened, &opened);

	if (r < 0)
		return r;
	reply->status = opened.status;
	reply->size = opened.size;
	reply->form = opened.form;
	reply->fd = message_take_fd(message, opened.content);
	return text_copy(reply->kind, sizeof(reply->kind), opened.kind);
}

static int read_artifact_kept(struct message *message, struct peer_reply *reply)
{
	struct message_artifact_kept kept;
	int r = MESSAGE_GET(message, artifact_kept, &kept);

	if (r < 0)
		return r;
	reply->status = kept.status;
	return text_copy(reply->text, sizeof(reply->text), kept.error);
}

static int read_image_answer(struct message *message, struct peer_reply *reply)
{
	struct message_image_answer answer;
	int r = MESSAGE_GET(message, image_answer, &answer);

	if (r < 0)
		return r;
	reply->status = answer.status;
	reply->fd = message_take_fd(message, answer.content);
	return text_copy(reply->text, sizeof(reply->text), answer.error);
}

static int read_reloaded(struct message *message, struct peer_reply *reply)
{
	struct message_reloaded reloaded;
	int r = MESSAGE_GET(message, reloaded, &reloaded);

	if (r < 0)
		return r;
	reply->status = reloaded.error[0] ? 400 : 200;
	return text_copy(reply->text, sizeof(reply->text), reloaded.error);
}

static const struct {
	enum message_type type;
	int (*read)(struct message *message, struct peer_reply *reply);
} readers[] = {
	{MESSAGE_API_ANSWER, read_api_answer},
	{MESSAGE_IMAGE_ANSWER, read_image_answer},
	{MESSAGE_RELOADED, read_reloaded},
	{MESSAGE_ARTIFACT_LISTED, read_artifact_listed},
	{MESSAGE_ARTIFACT_OPENED, read_artifact_opened},
	{MESSAGE_ARTIFACT_KEPT, read_artifact_kept},
};

static int reply_read(struct message *message, struct peer_reply *reply)
{
	int r = -EBADMSG;

	reply->fd = -1;
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
		if (readers[i].type == message->type)
			r = readers[i].read(message, reply);
	if (r < 0 && reply->fd >= 0)
		(void)close(reply->fd);
	return r;
}

int peers_answer(struct peers *peers, struct message *message)
{
	struct peer_reply *reply = calloc(1, sizeof(*reply));
	struct call *call;
	int r = reply ? reply_read(message, reply) : -ENOMEM;

	if (r == 0) {
		(void)pthread_mutex_lock(&peers->lock);
		for (call = peers->calls; call; call = call->next)
			if (call->serial == message->serial && !call->done && !call->message) {
				*call->reply = *reply;
				reply->fd = -1;
				call_finish(call, 0);
				break;
			}
		(void)pthread_cond_broadcast(&peers->changed);
		(void)pthread_mutex_unlock(&peers->lock);
		if (reply->fd >= 0) /* no call took it: the caller has stopped waiting */
			(void)close(reply->fd);
	}
	free(reply);
	return r;
}

void peers_adopt(struct peers *peers, enum process_role role, struct channel *channel)
{
	(void)pthread_mutex_lock(&peers->lock);
	link_of(peers, role)->channel = channel;
	(void)pthread_cond_broadcast(&peers->changed);
	(void)pthread_mutex_unlock(&peers->lock);
}

void peers_lost(struct peers *peers, enum process_role role)
{
	(void)pthread_mutex_lock(&peers->lock);
	link_of(peers, role)->channel = NULL;
	for (struct call *call = peers->calls; call; call = call->next)
		if (call->role == role && !call->done && !call->message)
			call_finish(call, -ENOTCONN);
	(void)pthread_cond_broadcast(&peers->changed);
	(void)pthread_mutex_unlock(&peers->lock);
}

/*
 * A peer that was started again gets its channel without a request. If it lives, and the channel
 * was closed for a message that is not allowed, this end has to request another one; of the channel
 * to the scheduler, the scheduler does it.
 */
static void on_lost(struct loop_timer *timer)
{
	struct link *link = container_of(timer, struct link, lost_timer);
	struct channel *daemon = link_of(link->peers, ROLE_DAEMON)->channel;

	if (daemon)
		(void)channel_send(daemon, MESSAGE_NEW(channel_lost, 0, .role = link->own.peer));
	(void)loop_timer_set(link->peers->loop, &link->lost_timer,
			     now_usec() + CHANNEL_LOST_SEC * USEC_PER_SEC, on_lost);
}

static void on_link_closed(struct channel *channel)
{
	struct peers *peers = channel->userdata;
	struct link *link = link_of(peers, channel->peer);

	log_info("the %s is away", role_name(channel->peer));
	peers_lost(peers, channel->peer);
	if (channel->peer != ROLE_SCHEDULER)
		(void)loop_timer_set(peers->loop, &link->lost_timer,
				     now_usec() + CHANNEL_LOST_SEC * USEC_PER_SEC, on_lost);
}

int peers_attach(struct peers *peers, enum process_role role, int fd,
		 const struct message_handler *handlers, size_t n_handlers)
{
	struct link *link = link_of(peers, role);
	int r;

	if (link->own.open) {
		channel_close(&link->own);
		peers_lost(peers, role);
	}
	r = channel_open(&link->own, peers->loop, fd, ROLE_API, role, handlers, n_handlers,
			 on_link_closed, peers);
	if (r == 0) {
		loop_timer_cancel(&link->lost_timer);
		peers_adopt(peers, role, &link->own);
	}
	return r;
}

int peers_new(struct loop *loop, struct peers **ret_peers)
{
	struct peers *peers = calloc(1, sizeof(*peers));
	pthread_condattr_t attributes;
	int fd, r;

	if (!peers)
		return -ENOMEM;
	peers->loop = loop;
	peers->wake = LOOP_FILE_NULL;
	peers->next_serial = 1;
	for (size_t i = 0; i < NUM_LINKS; i++) {
		peers->links[i].peers = peers;
		peers->links[i].lost_timer = LOOP_TIMER_NULL;
	}
	(void)pthread_mutex_init(&peers->lock, NULL);
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&peers->changed, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = fd < 0 ? -errno : loop_add(loop, &peers->wake, fd, EPOLLIN, on_wake);
	if (r < 0) {
		if (fd >= 0)
			(void)close(fd);
		free(peers);
		return r;
	}
	*ret_peers = peers;
	return 0;
}

struct peers *peers_free(struct peers *peers)
{
	if (!peers)
		return NULL;
	for (size_t i = 0; i < NUM_LINKS; i++) {
		channel_close(&peers->links[i].own);
		loop_timer_cancel(&peers->links[i].lost_timer);
	}
	loop_remove(&peers->wake);
	(void)close(peers->wake.fd);
	(void)pthread_cond_destroy(&peers->changed);
	(void)pthread_mutex_destroy(&peers->lock);
	free(peers);
	return NULL;
}

/* ---- other threads ---- */

static struct timespec timespec_at(uint64_t usec)
{
	return (struct timespec){.tv_sec = (time_t)(usec / USEC_PER_SEC),
				 .tv_nsec = (long)(usec % USEC_PER_SEC) * 1000};
}

static void call_remove(struct peers *peers, struct call *call)
{
	struct call **place = &peers->calls;

	while (*place != call)
		place = &(*place)->next;
	*place = call->next;
	call->message = message_free(call->message);
}

int peer_call(struct peers *peers, enum process_role role, struct message *message,
	      struct peer_reply *ret_reply)
{
	return peer_call_long(peers, role, message, ret_reply, PEER_DEADLINE_USEC);
}

int peer_call_long(struct peers *peers, enum process_role role, struct message *message,
		   struct peer_reply *ret_reply, uint64_t timeout_usec)
{
	struct timespec away = timespec_at(now_usec() + PEER_AWAY_USEC);
	struct timespec deadline = timespec_at(now_usec() + timeout_usec);
	struct call call = {.role = role, .message = message, .reply = ret_reply};
	const uint64_t one = 1;
	int r = 0;

	*ret_reply = (struct peer_reply){.fd = -1};
	if (!message)
		return -ENOMEM;
	(void)pthread_mutex_lock(&peers->lock);
	while (!link_of(peers, role)->channel && r == 0)
		r = pthread_cond_timedwait(&peers->changed, &peers->lock, &away);
	if (!link_of(peers, role)->channel) {
		(void)pthread_mutex_unlock(&peers->lock);
		(void)message_free(message);
		return -ENOTCONN;
	}
	call.serial = message->serial = peers->next_serial++;
	call.next = peers->calls;
	peers->calls = &call; /* cppcheck-suppress autoVariables ; removed before returning */
	if (write(peers->wake.fd, &one, sizeof(one)) < 0)
		log_warning("cannot wake the loop: %s", strerror(errno));
	r = 0;
	while (!call.done && r == 0)
		r = pthread_cond_timedwait(&peers->changed, &peers->lock, &deadline);
	call_remove(peers, &call);
	r = call.done ? call.result : -ETIMEDOUT;
	(void)pthread_mutex_unlock(&peers->lock);
	return r;
}

bool peer_connected(struct peers *peers, enum process_role role)
{
	bool connected;

	(void)pthread_mutex_lock(&peers->lock);
	connected = link_of(peers, role)->channel != NULL;
	(void)pthread_mutex_unlock(&peers->lock);
	return connected;
}
