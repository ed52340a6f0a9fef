/* SPDX-License-Identifier: Apache-2.0 */
#include "fetcher/request.h"

#include "common/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UPLOAD_ID_LENGTH 40

struct request *request_free(struct request *request)
{
	if (!request)
		return NULL;
	if (request->fd >= 0)
		(void)close(request->fd);
	free(request);
	return NULL;
}

bool request_fetches(const struct request *request)
{
	return request->type == MESSAGE_FETCH || request->type == MESSAGE_UNPACK;
}

bool request_same(const struct request *a, const struct request *b)
{
	/* without a commit each request means "now" */
	return *a->commit && a->type == b->type && request_fetches(a) && a->whose == b->whose &&
	       strcmp(a->project, b->project) == 0 && strcmp(a->commit, b->commit) == 0 &&
	       strcmp(a->ref, b->ref) == 0 && strcmp(a->before, b->before) == 0 &&
	       strcmp(a->base_ref, b->base_ref) == 0;
}

/* ---- fields ---- */

static void field_read(struct message *message, char *out, size_t size)
{
	const char *text = message_get_string(message, size - 1);

	memcpy(out, text, strlen(text) + 1);
}

static void fields_read(struct message *message, struct request *request)
{
	uint64_t whose;

	field_read(message, request->project, sizeof(request->project));
	switch (request->type) {
	case MESSAGE_FETCH:
		field_read(message, request->ref, sizeof(request->ref));
		field_read(message, request->commit, sizeof(request->commit));
		field_read(message, request->before, sizeof(request->before));
		field_read(message, request->base_ref, sizeof(request->base_ref));
		whose = message_get_u64(message);
		request->whose =
			whose < FETCH_WHOSE_NUM ? (enum fetch_whose)whose : FETCH_WHOSE_NUM;
		request->fresh = message_get_u64(message) == 1;
		break;
	case MESSAGE_UNPACK:
		field_read(message, request->commit, sizeof(request->commit));
		request->fd = message_get_fd(message);
		break;
	case MESSAGE_TREE_REMOVE:
		field_read(message, request->commit, sizeof(request->commit));
		field_read(message, request->view, sizeof(request->view));
		break;
	default:
		request->fd = message_get_fd(message);
		break;
	}
}

static bool id_or_none(const char *id)
{
	return !*id || commit_valid(id);
}

static bool ref_or_none(const char *ref)
{
	return !*ref || ref_name_valid(ref);
}

static bool fields_valid(const struct request *request)
{
	struct stat st;

	if (!project_name_valid(request->project) || !id_or_none(request->commit) ||
	    !id_or_none(request->before) || !id_or_none(request->view) ||
	    !ref_or_none(request->ref) || !ref_or_none(request->base_ref) ||
	    request->whose >= FETCH_WHOSE_NUM)
		return false;
	if (request->type == MESSAGE_TREE_REMOVE && !*request->commit)
		return false;
	if (request->type == MESSAGE_UNPACK && strlen(request->commit) != UPLOAD_ID_LENGTH)
		return false;
	/* a FIFO or a socket would keep a child until its deadline */
	return request->fd < 0 || (fstat(request->fd, &st) == 0 && S_ISREG(st.st_mode));
}

int request_read(struct message *message, struct request **ret_request)
{
	struct request *request = calloc(1, sizeof(*request));

	if (!request)
		return -ENOMEM;
	request->type = message->type;
	request->serial = message->serial;
	request->fd = -1;
	fields_read(message, request);
	if (message_end(message) < 0 || !fields_valid(request)) {
		(void)request_free(request);
		return -EBADMSG;
	}
	*ret_request = request;
	return 0;
}

struct message *request_job(const struct request *request, bool fresh)
{
	struct message *message = message_new(request->type, request->serial);

	if (!message)
		return NULL;
	message_put_string(message, request->project);
	if (request->type == MESSAGE_FETCH)
		message_put_string(message, request->ref);
	if (request->type != MESSAGE_MIRROR_PRUNE)
		message_put_string(message, request->commit);
	if (request->type == MESSAGE_TREE_REMOVE)
		message_put_string(message, request->view);
	if (request->type == MESSAGE_FETCH) {
		message_put_string(message, request->before);
		message_put_string(message, request->base_ref);
		message_put_u64(message, request->whose);
		message_put_u64(message, fresh);
	}
	if (request->fd >= 0)
		message_put_fd(message, request->fd);
	return message;
}

/* ---- the line ---- */

void requests_push(struct requests *requests, struct request *request)
{
	request->next = NULL;
	if (requests->last)
		requests->last->next = request;
	else
		requests->first = request;
	requests->last = request;
	requests->n++;
}

void requests_push_front(struct requests *requests, struct request *request)
{
	request->next = requests->first;
	requests->first = request;
	if (!requests->last)
		requests->last = request;
	requests->n++;
}

struct request *requests_take(struct requests *requests, struct request *before)
{
	struct request **link = before ? &before->next : &requests->first;
	struct request *request = *link;

	*link = request->next;
	if (requests->last == request)
		requests->last = before;
	requests->n--;
	return request;
}

void requests_drop(struct requests *requests)
{
	while (requests->first)
		(void)request_free(requests_take(requests, NULL));
}
