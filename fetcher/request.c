/* SPDX-License-Identifier: Apache-2.0 */
#include "fetcher/request.h"

#include "common/message_table.h"
#include "common/messages/fetching.h"
#include "common/names.h"

#include <errno.h>
#include <stdio.h>
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
	/* a request without a commit means the reference as of now, so it is never the same */
	return *a->commit && a->type == b->type && request_fetches(a) && a->whose == b->whose &&
	       strcmp(a->project, b->project) == 0 && strcmp(a->commit, b->commit) == 0 &&
	       strcmp(a->ref, b->ref) == 0 && strcmp(a->before, b->before) == 0 &&
	       strcmp(a->base_ref, b->base_ref) == 0;
}

/* ---- fields ---- */

static void copy(char *out, size_t size, const char *text)
{
	(void)snprintf(out, size, "%s", text);
}
#define COPY(out, text) copy(out, sizeof(out), text)

static int fetch_read(struct message *message, struct request *request)
{
	struct message_fetch fetch;
	int r = MESSAGE_GET(message, fetch, &fetch);

	if (r < 0)
		return r;
	COPY(request->project, fetch.project);
	COPY(request->ref, fetch.ref);
	COPY(request->commit, fetch.commit);
	COPY(request->before, fetch.before);
	COPY(request->base_ref, fetch.base_ref);
	request->whose = fetch.whose;
	request->fresh = fetch.fresh;
	return 0;
}

static int unpack_read(struct message *message, struct request *request)
{
	struct message_unpack unpack;
	int r = MESSAGE_GET(message, unpack, &unpack);

	if (r < 0)
		return r;
	COPY(request->project, unpack.project);
	COPY(request->commit, unpack.id);
	request->fd = message_take_fd(message, unpack.tar);
	return strlen(unpack.id) == UPLOAD_ID_LENGTH ? 0 : -EBADMSG;
}

static int tree_remove_read(struct message *message, struct request *request)
{
	struct message_tree_remove tree_remove;
	int r = MESSAGE_GET(message, tree_remove, &tree_remove);

	if (r < 0)
		return r;
	COPY(request->project, tree_remove.project);
	COPY(request->commit, tree_remove.tree);
	COPY(request->view, tree_remove.view);
	return *tree_remove.tree ? 0 : -EBADMSG;
}

static int mirror_prune_read(struct message *message, struct request *request)
{
	struct message_mirror_prune prune;
	int r = MESSAGE_GET(message, mirror_prune, &prune);

	if (r < 0)
		return r;
	COPY(request->project, prune.project);
	request->fd = message_take_fd(message, prune.kept);
	return 0;
}

static int fields_read(struct message *message, struct request *request)
{
	switch (request->type) {
	case MESSAGE_FETCH:
		return fetch_read(message, request);
	case MESSAGE_UNPACK:
		return unpack_read(message, request);
	case MESSAGE_TREE_REMOVE:
		return tree_remove_read(message, request);
	default:
		return mirror_prune_read(message, request);
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
	    !ref_or_none(request->ref) || !ref_or_none(request->base_ref))
		return false;
	/* a FIFO or a socket would block a child until its deadline */
	return request->fd < 0 || (fstat(request->fd, &st) == 0 && S_ISREG(st.st_mode));
}

int request_read(struct message *message, struct request **ret_request)
{
	struct request *request = calloc(1, sizeof(*request));
	int r;

	if (!request)
		return -ENOMEM;
	request->type = message->type;
	request->serial = message->serial;
	request->fd = -1;
	r = fields_read(message, request);
	if (r == 0 && !fields_valid(request))
		r = -EBADMSG;
	if (r < 0) {
		(void)request_free(request);
		return r;
	}
	*ret_request = request;
	return 0;
}

struct message *request_job(const struct request *request, bool fresh)
{
	switch (request->type) {
	case MESSAGE_FETCH:
		return MESSAGE_NEW(fetch, request->serial, .project = request->project,
				   .ref = request->ref, .commit = request->commit,
				   .before = request->before, .base_ref = request->base_ref,
				   .whose = request->whose, .fresh = fresh);
	case MESSAGE_UNPACK:
		return MESSAGE_NEW(unpack, request->serial, .project = request->project,
				   .id = request->commit, .tar = request->fd);
	case MESSAGE_TREE_REMOVE:
		return MESSAGE_NEW(tree_remove, request->serial, .project = request->project,
				   .tree = request->commit, .view = request->view);
	default:
		return MESSAGE_NEW(mirror_prune, request->serial, .project = request->project,
				   .kept = request->fd);
	}
}

/* ---- the queue ---- */

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
