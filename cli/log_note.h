/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LOG_NOTE_H
#define CLI_LOG_NOTE_H

/*
 * DOC: Notes around the output of an attempt
 *
 * "logs --timestamps" prints a line before the output of an attempt with its container, and one
 * after it with its result. Both begin with a time, as the lines of the output do, then "# ".
 */

#include "cli/text.h"

/** log_note_started() - append "TIME # container NAME", or nothing if @at_usec is 0 */
void log_note_started(struct text_buffer *out, const char *prefix, uint64_t at_usec,
		      const char *container);
/**
 * log_note_ended() - append "TIME # STATE, exit code N", with ": REASON" if that says more
 * @at_usec:   wall clock; nothing is appended if it is 0
 * @exit_code: -1 if it is unknown
 */
void log_note_ended(struct text_buffer *out, const char *prefix, uint64_t at_usec,
		    const char *state, int exit_code, const char *reason);

#endif
