/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/layers.h"

#include "common/beneath.h"
#include "common/cleanup.h"
#include "common/image.h"
#include "common/log.h"
#include "common/messages/layers.h"
#include "daemon/daemon.h"
#include "daemon/layer_remove.h"
#include "daemon/layer_sandbox.h"
#include "daemon/program_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#define UNPACKS_MAX 4

/** struct unpack - a layer that is being unpacked, or waits for its commit */
struct unpack {
	struct layers *layers;
	struct unpack *next;
	uint64_t number; /* of the job, chosen by runbook-image */
	bool unpacked;	 /* the sandbox has succeeded, runbook-image checks its report */
	bool abandoned;	 /* runbook-image has ended: the result is discarded */
	struct dir_claim dir;
	struct supervised supervised;
};

struct layers {
	struct daemon *daemon;
	struct dir_store *store;
	struct layer_sandboxes sandboxes;
	struct layer_remover *remover;
	struct unpack *unpacks;
	size_t n_running;
	bool stopping;
};

/* ---- replies ---- */

/* Dropped while there is no runbook-image: a new one does not know the job. */
static void answer(struct layers *layers, struct message *message)
{
	(void)link_send(layers->daemon, CHILD_IMAGE, message);
}

static void answer_unpacked(struct layers *layers, uint64_t job, const struct error *error)
{
	answer(layers, MESSAGE_NEW(layer_unpacked, 0, .job = job, .number = (uint64_t)error->number,
				   .error = error->text));
}

static void answer_committed(struct layers *layers, uint64_t job, const struct error *error)
{
	answer(layers, MESSAGE_NEW(layer_committed, 0, .job = job,
				   .number = (uint64_t)error->number, .error = error->text));
}

/* ---- unpacking ---- */

static struct unpack *unpack_find(struct layers *layers, uint64_t number)
{
	for (struct unpack *unpack = layers->unpacks; unpack; unpack = unpack->next) {
		if (unpack->number == number && !unpack->abandoned)
			return unpack;
	}
	return NULL;
}

static void unpack_free(struct unpack *unpack)
{
	struct unpack **link = &unpack->layers->unpacks;

	while (*link != unpack)
		link = &(*link)->next;
	*link = unpack->next;
	dir_claim_drop(&unpack->dir);
	free(unpack);
}

/* Have the directory removed; without memory for that, the next start does it. */
static void unpack_discard(struct unpack *unpack)
{
	(void)layer_remover_add(unpack->layers->remover, &unpack->dir);
	unpack_free(unpack);
}

static void unpack_done(struct supervised *supervised, const struct supervised_end *end)
{
	struct unpack *unpack = container_of(supervised, struct unpack, supervised);
	struct layers *layers = unpack->layers;
	struct error failure;

	layers->n_running--;
	layer_sandbox_failure(supervised, end, &failure);
	if (!unpack->abandoned)
		answer_unpacked(layers, unpack->number, &failure);
	if (unpack->abandoned || failure.number != 0)
		unpack_discard(unpack);
	else
		unpack->unpacked = true;
	daemon_changed(layers->daemon);
}

static struct unpack *unpack_new(struct layers *layers, uint64_t number)
{
	struct unpack *unpack = calloc(1, sizeof(*unpack));

	if (!unpack)
		return NULL;
	unpack->layers = layers;
	unpack->number = number;
	unpack->dir = DIR_CLAIM_NULL;
	layer_sandbox_init(&layers->sandboxes, &unpack->supervised, unpack_done);
	unpack->next = layers->unpacks;
	layers->unpacks = unpack;
	return unpack;
}

/* ---- requests of runbook-image ---- */

void layers_unpack(struct layers *layers, uint64_t number, const char *digest, const char *layer,
		   int blob_fd)
{
	static char program[] = LAYER_SANDBOX_PROGRAM, directory[] = LAYER_SANDBOX_LAYER;
	char digest_option[IMAGE_ID_SIZE + 16], layer_option[IMAGE_ID_SIZE + 16];
	char *const arguments[] = {program, digest_option, layer_option, directory, NULL};
	cleanup_close int read_fd = -1, write_fd = -1;
	struct error error = ERROR_INIT;
	struct unpack *unpack = NULL;
	int pair[2];
	size_t n = 0;

	(void)snprintf(digest_option, sizeof(digest_option), "--digest=%s", digest);
	(void)snprintf(layer_option, sizeof(layer_option), "--layer=%s", layer);
	for (const struct unpack *other = layers->unpacks; other; other = other->next)
		n++;
	if (layers->stopping || n >= UNPACKS_MAX || unpack_find(layers, number))
		(void)error_set(&error, EBUSY, "too many layers are being unpacked");
	else if (pipe2(pair, O_CLOEXEC) < 0)
		(void)error_errno(&error, errno, "cannot make a pipe");
	else
		unpack = unpack_new(layers, number);
	if (unpack) {
		read_fd = pair[0];
		write_fd = pair[1];
		if (dir_store_make(layers->store, ID_IMAGE_FIRST, &unpack->dir, &error) == 0)
			(void)layer_sandbox_start(&layers->sandboxes, &unpack->supervised,
						  &unpack->dir, arguments, blob_fd, write_fd,
						  &error);
	} else if (error.number == 0) {
		(void)error_set(&error, ENOMEM, "out of memory");
	}
	if (error.number == 0) {
		layers->n_running++;
		answer(layers, MESSAGE_NEW(layer_unpacking, 0, .job = number, .report = read_fd));
		return;
	}
	answer_unpacked(layers, number, &error);
	if (unpack)
		unpack_discard(unpack);
}

void layers_opaque(struct layers *layers, uint64_t number, const char *path)
{
	struct unpack *unpack = unpack_find(layers, number);
	cleanup_close int fd = -1;

	if (!unpack || !unpack->unpacked)
		return;
	/*
	 * overlayfs reads trusted.* attributes, which only root can set. The path comes from the
	 * unpacker and is not trusted: it is resolved beneath the layer and through no link, so
	 * at worst it is another directory of the same layer.
	 */
	fd = open_beneath(unpack->dir.fd, path, O_RDONLY | O_DIRECTORY | O_NONBLOCK, 0);
	if (fd < 0 || fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0 || fsync(fd) < 0) {
		struct error error = ERROR_INIT;
		int failure = fd < 0 ? -fd : errno;

		(void)error_set(&error, failure,
				"cannot mark a directory of the layer: %s (the store must be on a "
				"file system with trusted.* attributes)",
				strerror(failure));
		answer_committed(layers, number, &error);
		unpack_discard(unpack);
	}
}

void layers_commit(struct layers *layers, uint64_t number, const char *layer)
{
	struct unpack *unpack = unpack_find(layers, number);
	struct error error = ERROR_INIT;
	int r;

	if (!unpack || !unpack->unpacked)
		return;
	if (layer[0] == '\0') {
		unpack_discard(unpack);
		return;
	}
	/* the unpacker has synced what it wrote */
	r = dir_store_commit(layers->store, &unpack->dir, layer, &error);
	/* the same layer was unpacked by another job meanwhile, which is fine */
	if (r == -EEXIST)
		error = ERROR_INIT;
	answer_committed(layers, number, &error);
	if (unpack->dir.fd >= 0) {
		unpack_discard(unpack);
		return;
	}
	unpack_free(unpack);
}

void layers_forget(struct layers *layers, const char *layer)
{
	struct dir_claim claim;
	int r = dir_store_take_out(layers->store, layer, &claim);

	if (r == 0)
		(void)layer_remover_add(layers->remover, &claim);
	answer(layers,
	       MESSAGE_NEW(layer_forgotten, 0, .layer = layer, .used = r < 0 && r != -ENOENT));
}

void layers_abandon(struct layers *layers)
{
	for (struct unpack *unpack = layers->unpacks, *next; unpack; unpack = next) {
		next = unpack->next;
		unpack->abandoned = true;
		if (unpack->unpacked)
			unpack_discard(unpack);
		else
			supervise_kill(&unpack->supervised);
	}
}

void layers_stop(struct layers *layers)
{
	layers->stopping = true;
	for (struct unpack *unpack = layers->unpacks; unpack; unpack = unpack->next)
		supervise_kill(&unpack->supervised);
	layer_remover_stop(layers->remover);
}

void layers_resume(struct layers *layers)
{
	layers->stopping = false;
	layer_remover_resume(layers->remover);
}

bool layers_busy(const struct layers *layers)
{
	return layers && (layers->n_running > 0 || layer_remover_busy(layers->remover));
}

int layers_use(struct layers *layers, const char *layer, char *out)
{
	return dir_store_use(layers->store, layer, out);
}

void layers_release(struct layers *layers, const char *layer)
{
	dir_store_release(layers->store, layer);
}

/* ---- life ---- */

static bool leftover_found(void *userdata, struct dir_claim *claim)
{
	struct layers *layers = userdata;

	return layer_remover_add(layers->remover, claim) == 0;
}

int layers_new(struct daemon *daemon, struct sandbox_host *host, const struct sandbox_ops *ops,
	       struct layers **ret_layers, struct error *error)
{
	struct layers *layers = calloc(1, sizeof(*layers));
	struct error missing = ERROR_INIT;
	char path[PATH_MAX + 16];

	if (!layers)
		return error_set(error, ENOMEM, "out of memory");
	layers->daemon = daemon;
	(void)snprintf(path, sizeof(path), "%s/layers", daemon->images_dir);
	if (dir_store_open(path, daemon->instance_id, &layers->store, error) == 0 &&
	    layer_remover_new(daemon, &layers->sandboxes, &layers->remover) < 0)
		(void)error_set(error, ENOMEM, "out of memory");
	if (!layers->remover) {
		(void)layers_free(layers);
		return -error->number;
	}
	layers->sandboxes.supervisor =
		(struct supervisor){.loop = daemon->loop, .host = host, .ops = ops};
	layers->sandboxes.store = layers->store;
	layers->sandboxes.instance = daemon->instance_id;
	if (program_path_find("runbook-unpack", layers->sandboxes.program, &missing) < 0)
		log_warning("images cannot be unpacked: %s", missing.text);
	*ret_layers = layers;
	dir_store_sweep(layers->store, leftover_found, layers);
	return 0;
}

struct layers *layers_free(struct layers *layers)
{
	if (!layers)
		return NULL;
	while (layers->unpacks) {
		supervise_abandon(&layers->unpacks->supervised, NULL);
		unpack_free(layers->unpacks);
	}
	layers->remover = layer_remover_free(layers->remover);
	layers->store = dir_store_close(layers->store);
	free(layers);
	return NULL;
}

struct announcement {
	void (*send)(void *userdata, const char *layer);
	void *userdata;
};

static void announce(void *userdata, const char *name)
{
	const struct announcement *announcement = userdata;

	if (image_id_valid(name))
		announcement->send(announcement->userdata, name);
}

void layers_announce(struct layers *layers, void (*send)(void *userdata, const char *layer),
		     void *userdata)
{
	struct announcement announcement = {.send = send, .userdata = userdata};

	dir_store_list(layers->store, announce, &announcement);
}
