/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_JSON_H
#define SCHEDULER_JSON_H

/* Rows of the store as JSON. */

#include "common/json_writer.h"
#include "scheduler/model/scheduler.h"

#define RUN_URL_MAX (URL_MAX + 32)

/** run_url() - the page of @run under the public address @url. Return: false if that is "". */
bool run_url(char *out, size_t size, const char *url, uint64_t run);

/* Rows of the store. Those with an open end are closed by the caller, who may add members. */
void json_run_open(struct json *json, const char *key, const struct store_run *row,
		   const char *url);
void json_step_open(struct json *json, const struct store_step *row,
		    const struct store_attempt *attempt);
void json_attempt(struct json *json, const struct store_attempt *row);
void json_event(struct json *json, const struct store_event *row);

#endif
