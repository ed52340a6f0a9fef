/* SPDX-License-Identifier: Apache-2.0 */
#include "images/answers.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/messages/images.h"
#include "common/messages/layers.h"
#include "common/names.h"
#include "images/service.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/** struct asked - a request and its reply */
struct asked {
	struct service *service;
	struct message *message; /* has the fields below */
	const char *name, *source;
	uint64_t job;
	int fd; /* -1: none */
	/* the reply: JSON, or else a sentence */
	json_t *json;
	char text[ERROR_TEXT_MAX];
};

static uint64_t refuse(struct asked *asked, uint64_t status, const char *text)
{
	(void)snprintf(asked->text, sizeof(asked->text), "%s", text);
	return status;
}

/* ---- list ---- */

struct listing {
	json_t *images; /* array */
	json_t *named;	/* object: id to true */
	struct service *service;
};

static json_t *describe_image(struct listing *listing, const char *name, const char *id)
{
	cleanup_free char *data = NULL;
	cleanup_free struct image_record *record = malloc(sizeof(*record));
	bool whole = true;
	size_t size;

	if (!record || store_image_get(listing->service->store, id, &data, &size, record) < 0)
		return NULL;
	for (size_t i = 0; i < record->n_layers; i++)
		whole = whole && service_layer_known(listing->service, record->layers[i]);
	return json_pack("{s:s?, s:s, s:s, s:I, s:I, s:I, s:b}", "name", name, "id", id, "source",
			 record->source, "created_usec", (json_int_t)record->created_usec, "bytes",
			 (json_int_t)record->bytes, "layers", (json_int_t)record->n_layers,
			 "usable", (int)whole);
}

static int list_name(void *userdata, const char *name, const char *id)
{
	struct listing *listing = userdata;
	json_t *image = describe_image(listing, name, id);

	if (!image)
		return 0;
	(void)json_object_set_new(listing->named, id, json_true());
	return json_array_append_new(listing->images, image) < 0 ? -ENOMEM : 0;
}

static int list_nameless(void *userdata, const struct image_record *record, const char *data,
			 size_t size)
{
	struct listing *listing = userdata;
	json_t *image;

	if (json_object_get(listing->named, record->id))
		return 0;
	image = describe_image(listing, NULL, record->id);
	return image && json_array_append_new(listing->images, image) < 0 ? -ENOMEM : 0;
}

static uint64_t answer_list(struct asked *asked)
{
	struct listing listing = {
		.images = json_array(), .named = json_object(), .service = asked->service};
	int r = store_each_name(asked->service->store, list_name, &listing);

	if (r == 0)
		r = store_each_image(asked->service->store, list_nameless, &listing);
	json_decref(listing.named);
	asked->json = json_pack("{s:o}", "images", listing.images);
	return r == 0 && asked->json ? 200 : refuse(asked, 500, "the images cannot be listed");
}

/* ---- pull and import ---- */

static uint64_t begin(struct asked *asked, enum job_kind kind, const char *name, const char *source,
		      int fd)
{
	struct error error = ERROR_INIT;
	const struct job_request request = {
		.kind = kind, .name = name, .source = source, .upload_fd = fd};
	uint64_t job;

	if (jobs_add(asked->service->jobs, &request, &job, &error) < 0)
		return refuse(asked, 503, error.text);
	asked->json = json_pack("{s:I, s:s}", "job", (json_int_t)job, "name", name);
	return asked->json ? 202 : refuse(asked, 503, "out of memory");
}

static uint64_t answer_pull(struct asked *asked)
{
	char reference[IMAGE_NAME_MAX + 16];
	const char *source = image_name_strip(asked->source);

	if (source == asked->source)
		return refuse(asked, 400,
			      "the source of a pull is written docker://REGISTRY/NAME:TAG");
	image_name_default(source, reference, sizeof(reference));
	if (!image_name_valid(reference))
		return refuse(asked, 400,
			      "that is not a reference of an image: write docker://NAME:TAG");
	if (*asked->name && (!image_name_valid(asked->name) || strcmp(asked->name, "host") == 0))
		return refuse(asked, 400, "that is not a name for an image");
	return begin(asked, JOB_PULL, *asked->name ? asked->name : reference, reference, -1);
}

static uint64_t answer_import(struct asked *asked)
{
	enum job_kind kind = job_kind_parse(asked->source);
	struct stat st;

	if (kind == JOB_NUM_KINDS)
		return refuse(asked, 400,
			      "an import is a rootfs, a docker-archive or an oci-archive");
	if (strchr(asked->source, ':') && !image_name_valid(strchr(asked->source, ':') + 1))
		return refuse(asked, 400, "that is not a tag");
	if (!image_name_valid(asked->name) || strcmp(asked->name, "host") == 0)
		return refuse(
			asked, 400,
			"that is not a name for an image: letters, digits and ._/:@- only, and "
			"not \"host\"");
	if (asked->fd < 0 || fstat(asked->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return refuse(asked, 400, "there is nothing to import");
	return begin(asked, kind, asked->name, asked->source,
		     message_take_fd(asked->message, asked->fd));
}

static uint64_t answer_job(struct asked *asked)
{
	asked->json = jobs_describe(asked->service->jobs, asked->job);
	return asked->json ? 200
			   : refuse(asked, 404, "this pull is no longer known: start it again");
}

/* ---- remove and prune ---- */

static uint64_t answer_remove(struct asked *asked)
{
	char complete[IMAGE_NAME_MAX + 16];
	const char *name = image_name_strip(asked->name);
	int r;

	if (!image_name_valid(name))
		return refuse(asked, 400, "that is not a name of an image");
	r = store_name_remove(asked->service->store, name);
	if (r == -ENOENT) {
		image_name_default(name, complete, sizeof(complete));
		if (image_name_valid(complete))
			r = store_name_remove(asked->service->store, complete);
	}
	if (r == -ENOENT)
		return refuse(asked, 404, "there is no image of that name");
	if (r < 0)
		return refuse(asked, 500, "the name cannot be removed");
	service_publish(asked->service);
	asked->json = json_pack("{s:s}", "removed", asked->name);
	return 200;
}

struct forgetting {
	struct service *service;
	uint64_t n;
};

static void forget(void *userdata, const char *layer)
{
	struct forgetting *forgetting = userdata;

	if (channel_send(forgetting->service->daemon,
			 MESSAGE_NEW(layer_forget, 0, .layer = layer)) == 0)
		forgetting->n++;
}

static uint64_t answer_prune(struct asked *asked)
{
	struct service *service = asked->service;
	struct forgetting forgetting = {.service = service};
	uint64_t n_images = 0;
	int r;

	if (jobs_busy(service->jobs) || store_lock(service->store, true) < 0)
		return refuse(asked, 409, "an image is being pulled: prune when that is done");
	r = store_prune(service->store, forget, &forgetting, &n_images);
	/* layers whose facts are missing are the rest of a prune that a crash ended */
	for (size_t i = 0; r == 0 && i < service->config.n_layers; i++) {
		struct store_layer facts;

		if (store_layer_get(service->store, service->config.layers[i], &facts) < 0)
			forget(&forgetting, service->config.layers[i]);
		else
			store_layer_clear(&facts);
	}
	store_unlock(service->store);
	if (r < 0)
		return refuse(asked, 500, "the store cannot be pruned");
	service_publish(service);
	asked->json = json_pack("{s:I}", "images", (json_int_t)n_images);
	return 200;
}

/* ---- the table ---- */

static uint64_t (*const verbs[IMAGE_NUM_VERBS])(struct asked *asked) = {
	[IMAGE_LIST] = answer_list,	[IMAGE_PULL] = answer_pull,
	[IMAGE_IMPORT] = answer_import, [IMAGE_REMOVE] = answer_remove,
	[IMAGE_PRUNE] = answer_prune,	[IMAGE_JOB] = answer_job,
};

static void answer_send(struct asked *asked, uint64_t status)
{
	cleanup_free char *text = asked->json ? json_dumps(asked->json, JSON_COMPACT) : NULL;
	cleanup_close int fd = text ? memfd_sealed("answer", text, strlen(text)) : -1;

	if (asked->json && fd < 0)
		status = refuse(asked, 503, "out of memory");
	(void)channel_send(&asked->service->api,
			   MESSAGE_NEW(image_answer, asked->message->serial, .status = status,
				       .content = fd, .error = fd >= 0 ? "" : asked->text));
}

int answers_on_request(struct channel *channel, struct message *message)
{
	struct asked asked = {.service = channel->userdata, .message = message};
	struct message_image_request request;
	uint64_t status;
	int r = MESSAGE_GET(message, image_request, &request);

	if (r < 0)
		return r;
	asked.name = request.name;
	asked.source = request.source;
	asked.job = request.job;
	asked.fd = request.content;
	status = asked.service->configured
			 ? verbs[request.verb](&asked)
			 : refuse(&asked, 503, "runbook-image is starting: try again");
	answer_send(&asked, status);
	json_decref(asked.json);
	return 0;
}
