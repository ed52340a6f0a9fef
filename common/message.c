/* SPDX-License-Identifier: Apache-2.0 */
#include "common/message.h"

#include "common/cleanup.h"
#include "common/message_fields.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGE_MAGIC 0x314b4252u /* "RBK1" */

struct message_header {
	uint32_t magic;
	uint16_t type;
	uint16_t n_fds;
	uint32_t length;
	uint32_t reserved;
	uint64_t serial;
};
_Static_assert(sizeof(struct message_header) == 24, "the wire format has no padding");

struct message *message_new(unsigned type, uint64_t serial)
{
	struct message *message = calloc(1, sizeof(*message));

	if (!message)
		return NULL;
	message->type = (uint16_t)type;
	message->serial = serial;
	for (size_t i = 0; i < MESSAGE_FDS_MAX; i++)
		message->fds[i] = -1;
	return message;
}

struct message *message_free(struct message *message)
{
	if (!message)
		return NULL;
	for (size_t i = 0; i < MESSAGE_FDS_MAX; i++) {
		if (message->fds[i] >= 0)
			(void)close(message->fds[i]);
	}
	(void)fields_memory_free(message->memory);
	free(message->payload);
	free(message);
	return NULL;
}

/* ---- the wire ---- */

static struct message_header header_of(const struct message *message)
{
	return (struct message_header){
		.magic = MESSAGE_MAGIC,
		.type = message->type,
		.n_fds = message->n_fds,
		.length = message->length,
		.serial = message->serial,
	};
}

int message_encode(const struct message *message, uint8_t **ret_data, size_t *ret_size)
{
	struct message_header header = header_of(message);
	uint8_t *data;

	if (message->failed)
		return message->failed;
	data = malloc(sizeof(header) + message->length);
	if (!data)
		return -ENOMEM;
	memcpy(data, &header, sizeof(header));
	if (message->length > 0)
		memcpy(data + sizeof(header), message->payload, message->length);
	*ret_data = data;
	*ret_size = sizeof(header) + message->length;
	return 0;
}

int message_decode(const void *data, size_t size, const int *fds, size_t n_fds,
		   struct message **ret_message)
{
	struct message_header header;
	const struct message_format *format;
	cleanup_message struct message *message = NULL;

	if (size < sizeof(header))
		return -EBADMSG;
	memcpy(&header, data, sizeof(header));
	if (header.magic != MESSAGE_MAGIC || header.reserved != 0 ||
	    header.length != size - sizeof(header) || header.n_fds != n_fds)
		return -EBADMSG;
	format = message_format(header.type);
	if (!format)
		return -EOPNOTSUPP;
	if (header.length > format->length_max || header.n_fds > format->n_fds)
		return -EBADMSG;
	message = message_new(header.type, header.serial);
	if (!message)
		return -ENOMEM;
	message->payload = malloc(header.length > 0 ? header.length : 1);
	if (!message->payload)
		return -ENOMEM;
	memcpy(message->payload, (const uint8_t *)data + sizeof(header), header.length);
	message->length = header.length;
	for (size_t i = 0; i < n_fds; i++)
		message->fds[message->n_fds++] = fds[i];
	*ret_message = TAKE_PTR(message);
	return 0;
}

/* Return: 0; -errno (-EAGAIN if the socket is full). */
static int packet_send(int fd, const void *data, size_t size, const int *fds, size_t n_fds)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * MESSAGE_FDS_MAX)];
	} control;
	struct iovec iov = {.iov_base = (void *)data, .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (n_fds > 0) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * n_fds);
	}
	do
		n = sendmsg(fd, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static void fds_close(const int *fds, size_t n_fds)
{
	for (size_t i = 0; i < n_fds; i++)
		(void)close(fds[i]);
}

/* Return: 1 and a message; 0 at the end; -errno (-EAGAIN if there is none). */
static int packet_receive(int fd, int flags, struct message **ret_message)
{
	/* not on the stack nor in each thread's own memory: of this only what a message fills exists */
	const size_t size_max = sizeof(struct message_header) + MESSAGE_BYTES_MAX;
	cleanup_free uint8_t *buffer = malloc(size_max);
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int) * MESSAGE_FDS_MAX)];
	} control;
	struct iovec iov = {.iov_base = buffer, .iov_len = size_max};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fds[MESSAGE_FDS_MAX];
	size_t n_fds = 0;
	ssize_t n;
	int r;

	if (!buffer)
		return -ENOMEM;
	do
		n = recvmsg(fd, &msg, flags | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(c), n_fds * sizeof(int));
	}
	if (n == 0 && n_fds == 0)
		return 0;
	if (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		r = -EBADMSG;
	else
		r = message_decode(buffer, (size_t)n, fds, n_fds, ret_message);
	if (r < 0) {
		fds_close(fds, n_fds);
		return r;
	}
	return 1;
}

int message_receive(int fd, struct message **ret_message)
{
	return packet_receive(fd, 0, ret_message);
}

int message_write(int fd, const struct message *message)
{
	cleanup_free uint8_t *data = NULL;
	size_t size = 0;
	int r;

	r = message_encode(message, &data, &size);
	if (r < 0)
		return r;
	return packet_send(fd, data, size, message->fds, message->n_fds);
}

int message_transmit(int fd, struct message *message)
{
	cleanup_message struct message *owned = message;

	return owned ? message_write(fd, owned) : -ENOMEM;
}
