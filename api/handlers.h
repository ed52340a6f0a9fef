/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_HANDLERS_H
#define API_HANDLERS_H

/*
 * DOC: Handlers
 *
 * The table in routes.c names one of these functions for each path and method. It is
 * called in the thread of the connection when the body has arrived, and queues exactly
 * one answer, which for a stream goes on until the client leaves. A handler may wait for
 * another program. It cannot fail: every error becomes an answer.
 */

#include "api/request.h"

/** handle_query() - send the route's verb with project=, before= or after=, and limit= */
void handle_query(struct http_request *request);
/** handle_command() - send the route's verb with the fields of the body */
void handle_command(struct http_request *request);

/** handle_health() - 200 if the scheduler is there and its store is sound, otherwise 503 */
void handle_health(struct http_request *request);
/** handle_reload() - let runbookd read its configuration again; 400 with its error */
void handle_reload(struct http_request *request);
/** handle_backup() - a copy of the scheduler's store as a file */
void handle_backup(struct http_request *request);
/** handle_gc() - run a pass of retention, or show what it would remove */
void handle_gc(struct http_request *request);

/** handle_events() - the event stream of a run (events.c), or a page with format=json */
void handle_events(struct http_request *request);
/** handle_log() - the log of a step, also while it is written (log_stream.c) */
void handle_log(struct http_request *request);

/** handle_artifacts() - the list of a run's artifacts (artifacts.c) */
void handle_artifacts(struct http_request *request);
/** handle_artifact() - download an artifact */
void handle_artifact(struct http_request *request);
/** handle_artifact_put() - store the uploaded body as an artifact */
void handle_artifact_put(struct http_request *request);

/* images.c; the route has the verb (enum image_verb) */

/** handle_images() - the list of images, or the state of a job */
void handle_images(struct http_request *request);
/** handle_image_change() - pull, remove or prune images */
void handle_image_change(struct http_request *request);
/** upload_image() - import the uploaded archive */
void upload_image(struct http_request *request);

/** handle_secrets() - the names of secrets, the sealing key, or a change of the key (secrets.c) */
void handle_secrets(struct http_request *request);
/** handle_secret_change() - set or remove a secret */
void handle_secret_change(struct http_request *request);

/* the files of the web page, which are built into the program (page.c) */

/** handle_page() - ui/index.html */
void handle_page(struct http_request *request);
/** handle_script() - ui/app.js */
void handle_script(struct http_request *request);
/** handle_log_script() - ui/log.js */
void handle_log_script(struct http_request *request);
/** handle_style() - ui/style.css */
void handle_style(struct http_request *request);

#endif
