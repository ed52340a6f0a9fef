/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LOG_NOTE_H
#define CLI_LOG_NOTE_H

/*
 * What "logs --timestamps" says around the output of an attempt: in which container it ran, and
 * how it ended. Each is a line that begins with its time, as those of the output do, then "# ".
 */

#include "cli/text.h"

/** log_note_started() - append "TIME # container NAME"; nothing when @at_usec is 0 */
void log_note_started(struct text_buffer *out, const char *prefix, uint64_t at_usec,
		      const char *container);
/**
 * log_note_ended() - append "TIME # STATE, exit code N", or ": REASON" where that is not the code
 * @exit_code: -1: not known; nothing is appended when @at_usec is 0
 */
void log_note_ended(struct text_buffer *out, const char *prefix, uint64_t at_usec,
		    const char *state, int exit_code, const char *reason);

#endif
