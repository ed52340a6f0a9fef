/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_LOG_READER_H
#define API_LOG_READER_H

/*
 * DOC: Reading a log that may be cut
 *
 * log_stream.c reads logs through this module, which hides the hole of a log that was cut
 * (common/log_cut.h): in its place the reader gets a line of text, and then the bytes
 * behind the hole. Positions are offsets in the file, which count all that was printed.
 * The hole may begin or grow while the log is read. So the hole is read again after the
 * bytes, and bytes that it may have reached by then are not used.
 *
 * A client has to know its position in the log, so the header of the answer announces the
 * hole (log_reader_announce()). If the hole changes before the client reaches it, the
 * reading ends with -ESTALE, and the client has to send another request.
 */

#include "common/log_cut.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** struct log_reader - position in one log; the user zeroes it and sets what it needs */
struct log_reader {
	int log_fd, index_fd; /* not owned; without an index, -1, there is no hole */
	uint64_t offset;
	uint64_t end;	/* offset at which to stop; UINT64_MAX: the end of the file */
	bool announced; /* the client knows the hole that ends at @announced_end */
	bool no_text;	/* stop with -ESTALE at a hole */
	uint64_t announced_end;
	char text[LOG_CUT_TEXT_MAX]; /* in place of the hole */
	size_t text_size, text_sent;
};

/**
 * log_reader_announce() - get the present hole, for the header of the answer
 * @ret_cut: the hole of the log
 *
 * Return: true if the log has a hole at or after the position.
 */
bool log_reader_announce(struct log_reader *reader, struct log_cut *ret_cut);

/**
 * log_reader_log() - read at the position, which the caller advances
 *
 * Return: number of bytes; 0 at the end, or at a hole, whose text log_reader_text() then
 * has; -ESTALE when the hole is not the announced one; -errno.
 */
ssize_t log_reader_log(struct log_reader *reader, char *buffer, size_t max);
/** log_reader_text() - take the rest of the text in place of the hole. Return: bytes. */
size_t log_reader_text(struct log_reader *reader, char *buffer, size_t max);

#endif
