/* SPDX-License-Identifier: Apache-2.0 */
#include "cacher/feed.h"

#include "cacher/frames.h"
#include "common/cleanup.h"
#include "common/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#define PIPE_BYTES (256 * 1024)
#define LOOK_MSEC 1000 /* interval at which @cancelled is checked */

int feed_pipe(int *ret_read_fd, int *ret_write_fd)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	/* only the write end: the read end has its own flags, and its reader blocks */
	if (fcntl(fds[1], F_SETFL, O_NONBLOCK) < 0) {
		(void)close(fds[0]);
		(void)close(fds[1]);
		return -EIO;
	}
	(void)fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES); /* a smaller pipe works as well */
	*ret_read_fd = fds[0];
	*ret_write_fd = fds[1];
	return 0;
}

/* Wait for room in the pipe. Return: 0, -ECANCELED, -ETIMEDOUT, or -errno. */
static int wait_writable(int fd, uint64_t deadline_usec, const atomic_bool *cancelled)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};

	for (;;) {
		int r;

		if (atomic_load(cancelled))
			return -ECANCELED;
		if (now_usec() >= deadline_usec)
			return -ETIMEDOUT;
		r = poll(&poll_fd, 1, LOOK_MSEC);
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r > 0)
			return 0;
	}
}

/* Write all bytes; each write that makes progress restarts the time limit. */
static int write_all(int fd, const uint8_t *data, size_t size, const atomic_bool *cancelled)
{
	uint64_t deadline = now_usec() + FEED_STALL_SEC * USEC_PER_SEC;
	int r;

	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n < 0) {
			r = wait_writable(fd, deadline, cancelled);
			if (r < 0)
				return r;
			continue;
		}
		data += n;
		size -= (size_t)n;
		deadline = now_usec() + FEED_STALL_SEC * USEC_PER_SEC;
	}
	return 0;
}

int feed_content(int fd, uint64_t size, int write_fd, const atomic_bool *cancelled)
{
	cleanup_free uint8_t *content = malloc(FRAME_CONTENT_MAX);
	struct frame_reader reader;
	ssize_t n = 0;
	int r = content ? frame_reader_init(&reader, fd, size) : -ENOMEM;

	if (r < 0)
		/* cppcheck-suppress memleak ; cleanup_free frees it */
		return r;
	while (r == 0 && (n = frame_read(&reader, content)) > 0)
		r = write_all(write_fd, content, (size_t)n, cancelled);
	frame_reader_done(&reader);
	return r < 0 ? r : (int)n;
}
