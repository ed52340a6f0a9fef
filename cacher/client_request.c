/* SPDX-License-Identifier: Apache-2.0 */
#include "cacher/client_request.h"

#include "cacher/client_pax.h"
#include "common/cleanup.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>

#define RETRY_NSEC (100 * 1000000L)

/* Result of an attempt; -errno is a failure of the client's own files. */
enum { ATTEMPT_ANSWERED = 0, ATTEMPT_AGAIN = 1 };

static uint64_t now_msec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int connect_service(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* Write all @parts, without SIGPIPE when the service dies. Return: 0 or -errno. */
static int send_all(int fd, struct iovec *parts, size_t n_parts, int pass_fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = n_parts};
	ssize_t n;

	if (pass_fd >= 0) {
		struct cmsghdr *head;

		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(head), &pass_fd, sizeof(int));
	}
	while (message.msg_iovlen > 0) {
		n = sendmsg(fd, &message, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		message.msg_control = NULL;
		message.msg_controllen = 0;
		while (message.msg_iovlen > 0 && (size_t)n >= message.msg_iov->iov_len) {
			n -= (ssize_t)message.msg_iov->iov_len;
			message.msg_iov++;
			message.msg_iovlen--;
		}
		if (message.msg_iovlen > 0) {
			message.msg_iov->iov_base = (char *)message.msg_iov->iov_base + n;
			message.msg_iov->iov_len -= (size_t)n;
		}
	}
	return 0;
}

/* Read exactly @size bytes, and a descriptor if one comes with them. Return: 0 or -errno. */
static int receive_all(int fd, void *data, size_t size, int *passed_fd)
{
	size_t done = 0;

	while (done < size) {
		union {
			struct cmsghdr align;
			char bytes[CMSG_SPACE(sizeof(int))];
		} control;
		struct iovec part = {(char *)data + done, size - done};
		struct msghdr message = {.msg_iov = &part,
					 .msg_iovlen = 1,
					 .msg_control = control.bytes,
					 .msg_controllen = sizeof(control.bytes)};
		ssize_t n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
		struct cmsghdr *head;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ECONNRESET;
		head = CMSG_FIRSTHDR(&message);
		if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
			int received;

			memcpy(&received, CMSG_DATA(head), sizeof(received));
			if (passed_fd && *passed_fd < 0)
				*passed_fd = received;
			else
				(void)close(received);
		}
		done += (size_t)n;
	}
	return 0;
}

static int receive_answer(int fd, struct client_answer *answer)
{
	int r = receive_all(fd, &answer->head, sizeof(answer->head), &answer->fd);

	if (r < 0)
		return r;
	if (answer->head.magic != CACHER_MAGIC || answer->head.version != CACHER_VERSION ||
	    answer->head.status >= CACHER_NUM_STATUS || answer->head.text_length > CACHER_TEXT_MAX)
		return -EPROTO;
	answer->text[answer->head.text_length] = '\0';
	return receive_all(fd, answer->text, answer->head.text_length, &answer->fd);
}

/* Collects small parts of an archive into chunks. */
struct chunk_writer {
	int fd;
	uint32_t used;
	uint8_t *bytes;
};

#define CHUNK_BYTES (256u * 1024u)

static int chunk_flush(struct chunk_writer *writer)
{
	struct iovec parts[2] = {{&writer->used, sizeof(writer->used)},
				 {writer->bytes, writer->used}};
	int r = writer->used ? send_all(writer->fd, parts, 2, -1) : 0;

	writer->used = 0;
	return r;
}

static int chunk_sink(void *userdata, const void *data, size_t size)
{
	struct chunk_writer *writer = userdata;
	const uint8_t *bytes = data;

	while (size > 0) {
		size_t n = CHUNK_BYTES - writer->used;
		int r;

		if (n > size)
			n = size;
		memcpy(writer->bytes + writer->used, bytes, n);
		writer->used += (uint32_t)n;
		bytes += n;
		size -= n;
		r = writer->used == CHUNK_BYTES ? chunk_flush(writer) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * Send a directory as chunks. Return: 0; 1 when the service has stopped reading (its reply, if it
 * is alive, has the reason); -errno with @error set for a failure of the directory's files.
 */
static int send_directory(int fd, const struct client_request *request, struct error *error)
{
	cleanup_free uint8_t *bytes = malloc(CHUNK_BYTES);
	struct chunk_writer writer = {.fd = fd, .bytes = bytes};
	uint32_t last = 0;
	struct iovec end = {&last, sizeof(last)};
	int r;

	if (!bytes)
		return error_set(error, ENOMEM, "out of memory");
	error->number = 0;
	r = pax_write_directory(request->directory_fd, request->source, chunk_sink, &writer, error);
	if (r < 0 && error->number) {
		last = CACHER_CHUNK_ABORT;
		(void)send_all(fd, &end, 1, -1);
		return r;
	}
	if (r == 0)
		r = chunk_flush(&writer);
	if (r == 0)
		r = send_all(fd, &end, 1, -1);
	return r < 0 ? 1 : 0;
}

/* Wait until the service has accepted. Return: 0, -ETIMEDOUT or another -errno. */
static int await_hello(int fd, struct client_answer *answer, uint64_t deadline_msec)
{
	uint64_t now = now_msec();
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	int r = poll(&poll_fd, 1, now < deadline_msec ? (int)(deadline_msec - now) : 0);

	if (r < 0)
		return -errno;
	if (r == 0)
		return -ETIMEDOUT;
	r = receive_answer(fd, answer);
	return r == 0 && answer->head.status != CACHER_HELLO ? -EPROTO : r;
}

/* Connect, send the request and receive the reply once. Return: as above. */
static int attempt(const char *path, uint64_t deadline_msec, const struct client_request *request,
		   struct client_answer *answer, struct error *error)
{
	struct cacher_request head = {
		.magic = CACHER_MAGIC,
		.version = CACHER_VERSION,
		.verb = (uint8_t)request->verb,
		.kind = (uint8_t)request->kind,
		.key_length = request->key ? (uint32_t)strlen(request->key) : 0,
		.mode = request->mode,
	};
	struct iovec parts[2] = {{&head, sizeof(head)}, {(void *)request->key, head.key_length}};
	cleanup_close int fd = connect_service(path);
	int r;

	if (fd < 0) {
		(void)error_errno(error, -fd, "%s", path);
		return ATTEMPT_AGAIN;
	}
	r = await_hello(fd, answer, deadline_msec);
	if (r < 0) {
		(void)error_errno(error, -r, "the service at %s does not answer", path);
		return ATTEMPT_AGAIN;
	}
	r = send_all(fd, parts, 2, request->file_fd);
	if (r == 0 && request->directory_fd >= 0) {
		r = send_directory(fd, request, error);
		if (r < 0)
			return r;
	}
	/* the service may refuse before everything was sent, so read its reply in any case */
	r = receive_answer(fd, answer);
	if (r < 0) {
		(void)error_errno(error, -r, "the service at %s went away", path);
		return ATTEMPT_AGAIN;
	}
	return ATTEMPT_ANSWERED;
}

enum client_outcome client_request(const char *socket_path, unsigned patience_sec,
				   const struct client_request *request,
				   struct client_answer *ret_answer, struct error *error)
{
	const struct timespec pause = {.tv_nsec = RETRY_NSEC};
	uint64_t failing_since = 0;
	uint64_t began;
	int r;

	for (;;) {
		began = now_msec();
		*ret_answer = (struct client_answer){.fd = -1};
		r = attempt(socket_path,
			    (failing_since ? failing_since : began) + patience_sec * 1000ULL,
			    request, ret_answer, error);
		if (r == ATTEMPT_ANSWERED)
			return CLIENT_ANSWERED;
		if (ret_answer->fd >= 0)
			(void)close(ret_answer->fd);
		ret_answer->fd = -1;
		if (r < 0)
			return CLIENT_LOCAL;
		/* the service was back for a while: the timeout starts anew */
		if (!failing_since ||
		    (ret_answer->head.status == CACHER_HELLO && now_msec() - began >= 1000))
			failing_since = now_msec();
		if (now_msec() - failing_since >= patience_sec * 1000ULL)
			return CLIENT_UNAVAILABLE;
		(void)nanosleep(&pause, NULL);
	}
}
