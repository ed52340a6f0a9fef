/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/status_read.h"

#include "common/cleanup.h"
#include "sandbox/kept_raw.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

static int parse_raw(const void *data, size_t size, struct sandbox_status *status)
{
	struct raw_status raw;

	if (size != sizeof(raw))
		return -EBADMSG;
	memcpy(&raw, data, sizeof(raw));
	raw.text[sizeof(raw.text) - 1] = '\0';
	return raw_convert(&raw_status_fields, &raw, &sandbox_status_fields, status, NULL);
}

int status_parse(const void *data, size_t size, struct sandbox_status *status)
{
	struct sandbox_status_head head;
	int r = -EBADMSG;

	memset(status, 0, sizeof(*status));
	if (size >= sizeof(head)) {
		memcpy(&head, data, sizeof(head));
		if (head.magic == RAW_STATUS_MAGIC)
			r = parse_raw(data, size, status);
		else if (head.magic == SANDBOX_STATUS_MAGIC && head.size == size - sizeof(head))
			r = fields_unpack(&sandbox_status_fields, (const char *)data + sizeof(head),
					  head.size, status, NULL);
	}
	if (r < 0)
		memset(status, 0, sizeof(*status));
	return r;
}

bool status_read(int status_fd, struct sandbox_status *status)
{
	struct pollfd file = {.fd = status_fd, .events = POLLIN};
	char data[SANDBOX_STATUS_BYTES_MAX];
	ssize_t size = -1;
	int copy[2];

	if (poll(&file, 1, 0) <= 0 || !(file.revents & POLLIN))
		return false;
	if (pipe2(copy, O_CLOEXEC | O_NONBLOCK) < 0)
		return false;
	if (tee(status_fd, copy[1], sizeof(data), SPLICE_F_NONBLOCK) > 0)
		size = read(copy[0], data, sizeof(data));
	(void)close(copy[0]);
	(void)close(copy[1]);
	return size > 0 && status_parse(data, (size_t)size, status) == 0;
}
