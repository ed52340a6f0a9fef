/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_LOG_READER_H
#define API_LOG_READER_H

/*
 * DOC: The bytes of a log that may be cut
 *
 * Positions are those of the file, which are those of what was printed. Where a log has
 * a hole (common/log_cut.h) there is a line of text instead, and then what follows the
 * hole. The hole may begin or grow while the log is read: what was read is handed out
 * only if the hole had not come to it by then.
 *
 * A reader that has to know where it is in the log is told of one hole, the one that is
 * there when it begins. If another one comes to it, the reading ends and it has to begin
 * once more.
 */

#include "common/log_cut.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** struct log_reader - of one log; zeroed, then filled by who uses it */
struct log_reader {
	int log_fd, index_fd; /* not owned; an index that is not there is -1: no hole */
	uint64_t offset;
	uint64_t end; /* where reading ends, UINT64_MAX: where the file does */
	bool told;    /* @told_end is what the other side knows */
	bool no_text; /* a hole ends the reading */
	uint64_t told_end;
	char text[LOG_CUT_TEXT_MAX];
	size_t text_size, text_sent;
};

/** log_reader_tell() - the hole that is there now, if it is ahead. Return: whether it is. */
bool log_reader_tell(struct log_reader *reader, struct log_cut *ret_cut);

/**
 * log_reader_log() - some bytes at the position, which its caller moves on
 *
 * Return: how many; 0 at the end or at a hole: then log_reader_text() has something.
 * -ESTALE when the reader was told of another hole; -errno.
 */
ssize_t log_reader_log(struct log_reader *reader, char *buffer, size_t max);
/** log_reader_text() - what is left of the text that stands for the hole. Return: bytes. */
size_t log_reader_text(struct log_reader *reader, char *buffer, size_t max);

#endif
