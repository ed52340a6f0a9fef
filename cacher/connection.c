/* SPDX-License-Identifier: Apache-2.0 */
#include "cacher/connection.h"

#include "cacher/feed.h"
#include "cacher/file_put.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/names.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* The result of a request. */
struct outcome {
	enum cacher_status status;
	struct store_entry entry;
	int fd;			 /* sent with the reply; owned, or -1 */
	int packed_fd, write_fd; /* feed @packed_fd into the pipe @write_fd; owned, or -1 */
};

/* ---- bytes with deadlines ---- */

/* Wait for @events. Return: 0, -ECANCELED when the step has ended, -ETIMEDOUT, or -errno. */
static int wait_for(const struct connection *connection, short events, uint64_t deadline_usec)
{
	struct pollfd poll_fd = {.fd = connection->fd, .events = events};

	for (;;) {
		uint64_t now = now_usec();
		int r;

		if (atomic_load(connection->cancelled))
			return -ECANCELED;
		if (now >= deadline_usec)
			return -ETIMEDOUT;
		r = poll(&poll_fd, 1, (int)((deadline_usec - now) / USEC_PER_MSEC + 1));
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r > 0)
			return 0;
	}
}

/* Take the descriptor from a control message; the buffer has room for only one. */
static void take_fd(struct msghdr *message, int *ret_fd)
{
	struct cmsghdr *head = CMSG_FIRSTHDR(message);
	int fd;

	if (!head || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS ||
	    head->cmsg_len < CMSG_LEN(sizeof(int)))
		return;
	memcpy(&fd, CMSG_DATA(head), sizeof(fd));
	if (ret_fd && *ret_fd < 0)
		*ret_fd = fd;
	else
		(void)close(fd);
}

/* Read exactly @size bytes. @ret_fd: NULL, or for a descriptor with them. Return: 0 or -errno. */
static int receive_all(const struct connection *connection, void *data, size_t size, int *ret_fd,
		       uint64_t deadline_usec)
{
	size_t done = 0;

	while (done < size) {
		union {
			struct cmsghdr align;
			char bytes[CMSG_SPACE(sizeof(int))];
		} control;
		struct iovec part = {(uint8_t *)data + done, size - done};
		struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
		ssize_t n;
		int r;

		if (ret_fd) {
			message.msg_control = control.bytes;
			message.msg_controllen = sizeof(control.bytes);
		}
		n = recvmsg(connection->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n < 0 && errno == EAGAIN) {
			r = wait_for(connection, POLLIN, deadline_usec);
			if (r < 0)
				return r;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ECONNRESET;
		if (ret_fd)
			take_fd(&message, ret_fd);
		done += (size_t)n;
	}
	return 0;
}

static int send_answer(const struct connection *connection, const struct cacher_answer *head,
		       const char *text, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec parts[2] = {{(void *)head, sizeof(*head)}, {(void *)text, head->text_length}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	uint64_t deadline = now_usec() + CONNECTION_STALL_SEC * USEC_PER_SEC;
	ssize_t n;
	int r;

	if (fd >= 0) {
		struct cmsghdr *control_head;

		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		control_head = CMSG_FIRSTHDR(&message);
		control_head->cmsg_level = SOL_SOCKET;
		control_head->cmsg_type = SCM_RIGHTS;
		control_head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(control_head), &fd, sizeof(int));
	}
	/* a reply is far smaller than the socket's buffer, so it is sent whole or not at all */
	for (;;) {
		n = sendmsg(connection->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		r = wait_for(connection, POLLOUT, deadline);
		if (r < 0)
			return r;
	}
}

int connection_hello(int fd)
{
	const struct cacher_answer hello = {
		.magic = CACHER_MAGIC, .status = CACHER_HELLO, .version = CACHER_VERSION};
	ssize_t n = send(fd, &hello, sizeof(hello), MSG_NOSIGNAL | MSG_DONTWAIT);

	return n < 0 ? -errno : 0;
}

/* ---- requests ---- */

int request_parse(const struct cacher_request *head, const char *key,
		  struct parsed_request *ret_request, struct error *error)
{
	struct parsed_request request = {
		.verb = (enum cacher_verb)head->verb,
		.kind = (enum cacher_kind)head->kind,
		.mode = head->mode & 07777,
	};
	bool needs_key = head->verb != CACHER_LS;
	bool needs_kind = head->verb == CACHER_PUT;

	if (head->magic != CACHER_MAGIC)
		return error_set(error, EINVAL, "this is not a request of cacher");
	if (head->version != CACHER_VERSION)
		return error_set(error, EINVAL,
				 "this cacher speaks version %u, the service %u: use the cacher "
				 "that runbookd installed",
				 head->version, CACHER_VERSION);
	if (head->verb == 0 || head->verb >= CACHER_NUM_VERBS || head->reserved ||
	    head->kind >= CACHER_NUM_KINDS || (head->kind != CACHER_KIND_NONE) != needs_kind)
		return error_set(error, EINVAL, "malformed request");
	if (head->key_length > ARTIFACT_KEY_MAX)
		return error_set(error, EINVAL, "a key has at most %d bytes, not %u",
				 ARTIFACT_KEY_MAX, head->key_length);
	memcpy(request.key, key, head->key_length);
	if (!needs_key && head->key_length)
		return error_set(error, EINVAL, "malformed request");
	if (needs_key &&
	    (memchr(key, '\0', head->key_length) || !artifact_key_valid(request.key))) {
		char shown[4 * ARTIFACT_KEY_MAX + 1];

		text_escape(shown, 200, request.key);
		return error_set(
			error, EINVAL,
			"\"%s\" is not a key: use 1 to %d letters, digits and . _ - / without "
			"\"..\", such as build/app",
			shown, ARTIFACT_KEY_MAX);
	}
	*ret_request = request;
	return 0;
}

static enum cacher_status status_of(int outcome)
{
	switch (outcome) {
	case 0:
		return CACHER_OK;
	case STORE_E_NO_KEY:
		return CACHER_NO_KEY;
	case STORE_E_OVER_LIMIT:
		return CACHER_OVER_LIMIT;
	case -EINVAL:
	case -ESTALE:
		return CACHER_INVALID;
	default:
		return CACHER_FAILED;
	}
}

/* ---- put ---- */

static int put_file(const struct connection *connection, const struct parsed_request *request,
		    int fd, struct error *error)
{
	if (fd < 0)
		return error_set(error, EINVAL, "no file was passed with the request");
	return file_put(connection->run, request->key, fd, NULL, connection->cancelled, error);
}

/* Store the chunks of an archive. Return: 0, an outcome of the store, -ECONNRESET if cut off. */
static int copy_chunks(const struct connection *connection, struct store_put *put,
		       struct error *error)
{
	uint32_t length;
	int r;

	for (;;) {
		uint64_t deadline = now_usec() + CONNECTION_STALL_SEC * USEC_PER_SEC;

		r = receive_all(connection, &length, sizeof(length), NULL, deadline);
		if (r < 0)
			return error_errno(error, -r, "the archive was not received");
		if (length == 0)
			return 0;
		if (length == CACHER_CHUNK_ABORT)
			return error_set(error, ECONNRESET, "the client gave up");
		if (length > CACHER_CHUNK_MAX)
			return error_set(error, EINVAL, "malformed archive chunk");
		while (length > 0) {
			size_t part;
			void *room = store_put_room(put, &part);

			if (part > length)
				part = length;
			r = receive_all(connection, room, part, NULL, deadline);
			if (r < 0)
				return error_errno(error, -r, "the archive was not received");
			r = store_put_filled(put, part, error);
			if (r != 0)
				return r;
			length -= (uint32_t)part;
		}
	}
}

static int put_directory(const struct connection *connection, const struct parsed_request *request,
			 struct error *error)
{
	struct timespec now = {.tv_sec = (time_t)(wall_usec() / USEC_PER_SEC)};
	struct store_put *put;
	int r;

	r = store_put_begin(connection->run, request->key, CACHER_KIND_DIRECTORY, request->mode,
			    now, 0, &put, error);
	if (r != 0)
		return r;
	r = copy_chunks(connection, put, error);
	if (r != 0) {
		(void)store_put_abort(put);
		return r;
	}
	return store_put_commit(put, error);
}

/* ---- ls, delete and get ---- */

static int list_line(void *userdata, const char *key, const struct store_entry *entry)
{
	static const char *const kinds[CACHER_NUM_KINDS] = {"none", "file", "directory"};

	return fprintf(userdata, "%s\t%s\t%llu\n", key, kinds[entry->kind],
		       (unsigned long long)entry->size) < 0
		       ? -ENOMEM
		       : 0;
}

static int list(const struct connection *connection, struct outcome *outcome, struct error *error)
{
	cleanup_free char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	int r = stream ? store_list(connection->run, list_line, stream) : -ENOMEM;

	if (stream && fclose(stream) != 0)
		r = -ENOMEM;
	if (r == 0)
		outcome->fd = memfd_sealed("artifact-list", text, size);
	if (r < 0 || outcome->fd < 0)
		return error_set(error, EIO, "the list of artifacts cannot be made");
	outcome->entry.size = size;
	return 0;
}

/* Reply with a file; a packed one goes through a pipe, which is fed after the reply. */
static int get(const struct connection *connection, const struct parsed_request *request,
	       struct outcome *outcome, struct error *error)
{
	int r = store_get(connection->run, request->key, &outcome->fd, &outcome->entry, error);

	if (r != 0 || !outcome->entry.packed)
		return r;
	outcome->packed_fd = outcome->fd;
	outcome->fd = -1;
	r = feed_pipe(&outcome->fd, &outcome->write_fd);
	return r < 0 ? error_errno(error, -r, "cannot make a pipe") : 0;
}

static int perform(const struct connection *connection, const struct parsed_request *request,
		   int fd, struct outcome *outcome, struct error *error)
{
	switch (request->verb) {
	case CACHER_PUT:
		if (request->kind == CACHER_KIND_DIRECTORY)
			return put_directory(connection, request, error);
		return put_file(connection, request, fd, error);
	case CACHER_GET:
		return get(connection, request, outcome, error);
	case CACHER_DELETE:
		return store_delete(connection->run, request->key, error);
	case CACHER_LS:
		return list(connection, outcome, error);
	default:
		return error_set(error, EINVAL, "malformed request");
	}
}

/* Send the reply; the text is the key, and the error after it. */
static void answer(const struct connection *connection, const struct parsed_request *request,
		   const struct outcome *outcome, const struct error *error)
{
	char text[CACHER_TEXT_MAX + 1] = "";
	struct cacher_answer head = {
		.magic = CACHER_MAGIC,
		.version = CACHER_VERSION,
		.status = (uint16_t)outcome->status,
		.kind = (uint8_t)outcome->entry.kind,
		.mode = outcome->entry.mode,
		.size = outcome->entry.size,
		.mtime_sec = outcome->entry.mtime.tv_sec,
		.mtime_nsec = (uint32_t)outcome->entry.mtime.tv_nsec,
	};

	if (outcome->status != CACHER_OK) {
		bool named = request->key[0] && !strstr(error->text, request->key);

		(void)snprintf(text, sizeof(text), "%s%s%.700s", named ? request->key : "",
			       named ? ": " : "", error->text);
		head.text_length = (uint32_t)strlen(text);
	}
	(void)send_answer(connection, &head, text, outcome->fd); /* the client may be gone */
}

static void feed(const struct connection *connection, const struct parsed_request *request,
		 const struct outcome *outcome)
{
	int r = feed_content(outcome->packed_fd, outcome->entry.size, outcome->write_fd,
			     connection->cancelled);

	/* a reader that closed the pipe is not a failure */
	if (r < 0 && r != -EPIPE && r != -ECANCELED)
		log_warning("the stored artifact \"%s\" cannot be sent: %s", request->key,
			    strerror(-r));
}

void connection_serve(struct connection *connection)
{
	uint64_t deadline = now_usec() + CONNECTION_REQUEST_SEC * USEC_PER_SEC;
	struct parsed_request request = {.key = ""};
	struct outcome outcome = {.fd = -1, .packed_fd = -1, .write_fd = -1};
	struct error error = ERROR_INIT;
	char key[ARTIFACT_KEY_MAX + 1];
	struct cacher_request head;
	cleanup_close int fd = -1;
	int r;

	if (receive_all(connection, &head, sizeof(head), &fd, deadline) < 0)
		return;
	if (head.magic == CACHER_MAGIC && head.key_length <= ARTIFACT_KEY_MAX &&
	    receive_all(connection, key, head.key_length, &fd, deadline) < 0)
		return;
	r = request_parse(&head, key, &request, &error);
	if (r == 0)
		r = perform(connection, &request, fd, &outcome, &error);
	if (r == -ECONNRESET || r == -ECANCELED)
		return;
	outcome.status = status_of(r);
	answer(connection, &request, &outcome, &error);
	if (outcome.fd >= 0)
		(void)close(outcome.fd); /* of a pipe, the client has the only read end then */
	if (outcome.write_fd >= 0 && r == 0)
		feed(connection, &request, &outcome);
	if (outcome.write_fd >= 0)
		(void)close(outcome.write_fd);
	if (outcome.packed_fd >= 0)
		(void)close(outcome.packed_fd);
}
