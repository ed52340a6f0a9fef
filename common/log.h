/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

/*
 * DOC: Logging
 *
 * Messages go to journald by its native protocol if its socket exists
 * (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/), to standard error otherwise. log_open()
 * connects the socket before the lock-down, so that logging needs no file system afterwards.
 * Control characters in untrusted text are escaped: a branch name cannot forge a log line.
 */

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

/** enum log_level - the levels of syslog(3) that are used */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/** struct log_field - one journald field, e.g. { "RUNBOOK_RUN", "42" } */
struct log_field {
	const char *name;
	const char *value;
};

/**
 * log_open() - name this program in its messages and connect to journald
 * @program: static string, e.g. "runbook-scheduler"
 *
 * $RUNBOOK_LOG_LEVEL (error, warning, notice, info, debug; default info) sets the threshold;
 * with $RUNBOOK_LOG_TARGET=stderr journald is not used.
 */
void log_open(const char *program);

/** log_set_level() - drop messages above @level */
void log_set_level(enum log_level level);
/** log_wants() - would a message of @level be written? For messages that are costly to make. */
bool log_wants(enum log_level level);

/**
 * log_fields() - log one message with structured fields
 * @fields:   @n_fields names and values; fields whose value is NULL are omitted
 */
void log_fields(enum log_level level, const struct log_field *fields, size_t n_fields,
		const char *format, ...) __attribute__((format(printf, 4, 5)));

#define log_at(level, ...) log_fields((level), NULL, 0, __VA_ARGS__)
#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_at(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

/**
 * notify_ready() - report that the service is ready
 * @line: printed on standard error, e.g. "ready"
 *
 * Sends READY=1 to $NOTIFY_SOCKET if it is set (sd_notify(3)).
 */
void notify_ready(const char *line);

/** notify_state() - send @state ("STOPPING=1", "RELOADING=1\n...") to $NOTIFY_SOCKET */
void notify_state(const char *state);
/** notify_fd() - the same with a descriptor ("FDSTORE=1\n..."). Return: 0 or -errno. */
int notify_fd(const char *state, int fd);

#endif
