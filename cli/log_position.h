/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LOG_POSITION_H
#define CLI_LOG_POSITION_H

/*
 * DOC: The position of a stream in a log
 *
 * When the stream of a log breaks, another one goes on at the same offset. To know it, the
 * bytes of the log itself are counted here. The stream also has times in front of lines, if
 * they were requested, and a line of text in place of the hole of a log that was cut. The
 * header "Runbook-Log-Cut: FIRST-LAST/LENGTH" of the answer has the place of the hole and the
 * length of the text (api/log_stream.c).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_CUT_HEADER "Runbook-Log-Cut"

struct log_position {
	bool timestamps;
	uint64_t offset;	     /* in the log */
	bool started;		     /* log_position_begin() was called for this answer */
	bool in_stamp;		     /* the next byte belongs to the time in front of a line */
	uint64_t cut_first, cut_end; /* the hole */
	uint64_t text_left;	     /* bytes of the text that have not arrived */
	bool cut_ahead;		     /* the hole is not behind the position */
};

/** log_position_begin() - a new answer begins at .offset; @header: LOG_CUT_HEADER, or NULL */
void log_position_begin(struct log_position *position, const char *header);
/** log_position_count() - @data arrived */
void log_position_count(struct log_position *position, const char *data, size_t size);

#endif
