/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_HANDLERS_H
#define API_HANDLERS_H

/* Who answers the lines of the table in routes.c. Each queues one answer. */

#include "api/request.h"

/* questions that the scheduler answers whole */
void handle_query(struct http_request *request);
void handle_command(struct http_request *request);

void handle_health(struct http_request *request);
void handle_reload(struct http_request *request);
void handle_backup(struct http_request *request);
void handle_gc(struct http_request *request);

/* streams: events.c, log.c */
void handle_events(struct http_request *request);
void handle_log(struct http_request *request);

/* artifacts: artifacts.c */
void handle_artifacts(struct http_request *request);
void handle_artifact(struct http_request *request);
void handle_artifact_put(struct http_request *request);

/* images: images.c; the lines of the table say which verb (enum image_verb) */
void handle_images(struct http_request *request);
void handle_image_change(struct http_request *request);
void upload_image(struct http_request *request);

/* secrets: secrets.c */
void handle_secrets(struct http_request *request);
void handle_secret_change(struct http_request *request);

/* the web page: page.c */
void handle_page(struct http_request *request);
void handle_script(struct http_request *request);
void handle_log_script(struct http_request *request);
void handle_style(struct http_request *request);

#endif
