/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LOG_POSITION_H
#define CLI_LOG_POSITION_H

/*
 * Where in a step's log a stream is, so that another one can go on there. What arrives
 * are the log's own bytes, perhaps with times in front of lines, and a line of text
 * in the place of what is missing from a log that was cut. The head of the answer says
 * where that is: "Runbook-Log-Cut: FIRST-LAST/LENGTH".
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_CUT_HEADER "Runbook-Log-Cut"

struct log_position {
	bool timestamps;
	uint64_t offset; /* of the log's own bytes */
	bool started;	 /* log_position_begin() was called for this answer */
	bool in_stamp;	 /* inside the time in front of a line */
	uint64_t cut_first, cut_end;
	uint64_t text_left; /* of the text, once the position is at the hole */
	bool cut_ahead;
};

/** log_position_begin() - a new answer, which begins at .offset; @header: NULL when absent */
void log_position_begin(struct log_position *position, const char *header);
/** log_position_count() - @data arrived */
void log_position_count(struct log_position *position, const char *data, size_t size);

#endif
