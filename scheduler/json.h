/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_JSON_H
#define SCHEDULER_JSON_H

/*
 * Rows of the store as JSON. Times are integers in keys that end in _usec;
 * what is absent is null. New references belong to the caller; NULL means out
 * of memory.
 */

#include "scheduler/scheduler.h"

#include <jansson.h>

#define RUN_URL_MAX (URL_MAX + 32)

/** run_url() - the page of @run under the public address @url. Return: false if that is "". */
bool run_url(char *out, size_t size, const char *url, uint64_t run);

/** json_text() - a string; bytes that are no UTF-8 are escaped, NULL is null */
json_t *json_text(const char *text);
/** json_number_or_null() - 0 is null */
json_t *json_number_or_null(uint64_t number);
/** json_run() - a run without its steps; @url is the page of the installation, "" if unknown */
json_t *json_run(const struct store_run *row, const char *url);
/** json_step() - a step with its current attempt; "depends_on" and "attempts" are empty lists */
json_t *json_step(const struct store_step *row, const struct store_attempt *attempt);
json_t *json_attempt(const struct store_attempt *row);
json_t *json_event(const struct store_event *row);
/** json_event_text() - the same as text; malloc'ed */
char *json_event_text(const struct store_event *row);

#endif
