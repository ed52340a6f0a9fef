/* SPDX-License-Identifier: Apache-2.0 */
#include "common/log.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LOG_TEXT_MAX 4096
#define LOG_PACKET_MAX 16384

static struct {
	const char *program;
	enum log_level level;
	int journal_fd; /* connected to journald, or -1 */
} arg_log = {.program = "runbook", .level = LOG_LEVEL_INFO, .journal_fd = -1};

static const struct {
	const char *name;
	enum log_level level;
} level_names[] = {
	{"error", LOG_LEVEL_ERROR}, {"warning", LOG_LEVEL_WARNING}, {"notice", LOG_LEVEL_NOTICE},
	{"info", LOG_LEVEL_INFO},   {"debug", LOG_LEVEL_DEBUG},
};

static int socket_connect(const char *path, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	cleanup_close int fd = -1;
	socklen_t length;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
	if (path[0] == '@') { /* an abstract socket, as in $NOTIFY_SOCKET */
		address.sun_path[0] = '\0';
		length--;
	}
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, length) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/*
 * systemd sets $JOURNAL_STREAM to device and inode of the socket that it connects to a
 * service's standard error (systemd.exec(5)). If standard error was redirected since, the
 * numbers differ, and messages go there.
 */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char actual[64];
	struct stat info;

	if (!stream || fstat(STDERR_FILENO, &info) < 0)
		return false;
	(void)snprintf(actual, sizeof(actual), "%ju:%ju", (uintmax_t)info.st_dev,
		       (uintmax_t)info.st_ino);
	return strcmp(stream, actual) == 0;
}

void log_open(const char *program)
{
	const char *level = getenv("RUNBOOK_LOG_LEVEL");
	const char *target = getenv("RUNBOOK_LOG_TARGET");

	arg_log.program = program;
	for (size_t i = 0; level && i < ARRAY_SIZE(level_names); i++) {
		if (strcmp(level, level_names[i].name) == 0)
			arg_log.level = level_names[i].level;
	}
	if (target ? strcmp(target, "journal") != 0 : !stderr_is_journal())
		return;
	arg_log.journal_fd = socket_connect("/run/systemd/journal/socket", SOCK_DGRAM);
}

void log_set_level(enum log_level level)
{
	arg_log.level = level;
}

bool log_wants(enum log_level level)
{
	return level <= arg_log.level;
}

/* Writes one field: NAME=value\n. Escaped values contain no newline. */
static size_t packet_field(char *packet, size_t used, const char *name, const char *value)
{
	int n = snprintf(packet + used, LOG_PACKET_MAX - used, "%s=%s\n", name, value);

	if (n < 0 || (size_t)n >= LOG_PACKET_MAX - used) {
		packet[used] = '\0'; /* omit a field that does not fit */
		return used;
	}
	return used + (size_t)n;
}

static int journal_send(enum log_level level, const struct log_field *fields, size_t n_fields,
			const char *text)
{
	char packet[LOG_PACKET_MAX];
	char number[16];
	char value[LOG_TEXT_MAX];
	size_t used = 0;

	(void)snprintf(number, sizeof(number), "%d", (int)level);
	used = packet_field(packet, used, "PRIORITY", number);
	used = packet_field(packet, used, "SYSLOG_IDENTIFIER", arg_log.program);
	used = packet_field(packet, used, "MESSAGE", text);
	for (size_t i = 0; i < n_fields; i++) {
		if (!fields[i].value)
			continue;
		text_escape(value, sizeof(value), fields[i].value);
		used = packet_field(packet, used, fields[i].name, value);
	}
	if (send(arg_log.journal_fd, packet, used, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return -errno;
	return 0;
}

void log_fields(enum log_level level, const struct log_field *fields, size_t n_fields,
		const char *format, ...)
{
	char raw[LOG_TEXT_MAX / 2];
	char text[LOG_TEXT_MAX];
	char line[LOG_TEXT_MAX + 64];
	va_list args;
	int saved = errno;
	int n;

	if (level > arg_log.level)
		return;
	va_start(args, format);
	(void)vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	text_escape(text, sizeof(text), raw);
	if (arg_log.journal_fd >= 0 && journal_send(level, fields, n_fields, text) == 0) {
		errno = saved;
		return;
	}
	n = snprintf(line, sizeof(line), "%s: %s%s\n", arg_log.program,
		     level == LOG_LEVEL_ERROR	  ? "error: "
		     : level == LOG_LEVEL_WARNING ? "warning: "
						  : "",
		     text);
	if (n > 0)
		(void)fd_write_all(STDERR_FILENO, line, (size_t)n);
	errno = saved;
}

void notify_state(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	cleanup_close int fd = -1;

	if (!path || !*path)
		return;
	fd = socket_connect(path, SOCK_DGRAM);
	if (fd < 0) {
		log_warning("cannot reach the service manager at %s: %s, ignoring", path,
			    strerror(-fd));
		return;
	}
	(void)send(fd, state, strlen(state), MSG_NOSIGNAL);
}

int notify_fd(const char *state, int fd)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct iovec vector = {.iov_base = (void *)state, .iov_len = strlen(state)};
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr header; /* for its alignment */
	} control = {.bytes = {0}};
	struct msghdr message = {.msg_iov = &vector,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	cleanup_close int socket_fd = path && *path ? socket_connect(path, SOCK_DGRAM) : -ENOENT;

	if (socket_fd < 0)
		return socket_fd;
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	return sendmsg(socket_fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

void notify_ready(const char *line)
{
	notify_state("READY=1");
	(void)dprintf(STDERR_FILENO, "%s\n", line);
}
