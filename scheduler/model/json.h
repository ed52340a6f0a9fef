/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_JSON_H
#define SCHEDULER_JSON_H

/*
 * DOC: Rows of the store as JSON
 *
 * The JSON form of runs, steps, attempts and events, shared by the replies to the api and by
 * pushed events. The writer remembers a failure (common/json_writer.h), so callers check once.
 */

#include "common/json_writer.h"
#include "scheduler/model/scheduler.h"

#define RUN_URL_MAX (URL_MAX + 32)

/**
 * run_url() - write the address of @run's page under the public address @url. Return: false if @url
 * is "".
 */
bool run_url(char *out, size_t size, const char *url, uint64_t run);

/*
 * json_run_open(), json_step_open() - begin the object of a row
 * @key: name of the member, NULL in an array
 * @url: public address for links, "": none
 *
 * The caller may add members and closes the object.
 */
void json_run_open(struct json *json, const char *key, const struct store_run *row,
		   const char *url);
void json_step_open(struct json *json, const struct store_step *row,
		    const struct store_attempt *attempt);
/* json_attempt(), json_event() - write the whole object of a row */
void json_attempt(struct json *json, const struct store_attempt *row);
void json_event(struct json *json, const struct store_event *row);

#endif
