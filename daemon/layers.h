/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LAYERS_H
#define DAEMON_LAYERS_H

/*
 * DOC: Unpacked layers of images
 *
 * <store>/layers/<id> holds one unpacked layer, <id> being the digest of its tar.
 * The files belong to the range of ids that images have (common/limits.h), the
 * directory above is root's alone. runbook-image says what to unpack; a sandbox
 * does it (runbook-unpack, unprivileged, without network), and what comes out is
 * renamed into place when runbook-image is content with the report:
 *
 *   LAYER_UNPACK -> .tmp-<n>, sandbox runs -> LAYER_UNPACKED
 *                -> LAYER_OPAQUE…, LAYER_COMMIT -> <id> -> LAYER_COMMITTED
 *
 * Who uses a layer holds a shared lock on its directory, also other instances and
 * runbook-sandbox; who removes one must get the exclusive lock. A directory that
 * is being written is locked, too, so that a start knows what is left over from
 * a killed instance. Removing is done inside a sandbox as well: the daemon
 * renames the directory and later removes an empty one.
 */

#include "common/error.h"
#include "common/message.h"
#include "sandbox/ops.h"

struct daemon;
struct layers;

/**
 * layers_new() - open <store>/layers and start removing what a killed instance left
 *
 * Return: 0 or -errno with @error.
 */
int layers_new(struct daemon *daemon, struct sandbox_host *host, const struct sandbox_ops *ops,
	       struct layers **ret_layers, struct error *error);
/** layers_free() - what runs ends. NULL is fine. Return: NULL. */
struct layers *layers_free(struct layers *layers);

/** layers_announce() - give @send the id of every layer that is there */
void layers_announce(struct layers *layers, void (*send)(void *userdata, const char *layer),
		     void *userdata);

/* what runbook-image asks; answers go to its channel. The caller has checked the values. */
void layers_unpack(struct layers *layers, uint64_t job, const char *digest, const char *layer,
		   int blob_fd);
void layers_opaque(struct layers *layers, uint64_t job, const char *path);
void layers_commit(struct layers *layers, uint64_t job, const char *layer);
void layers_forget(struct layers *layers, const char *layer);
/** layers_abandon() - runbook-image is gone: end and throw away what it asked for */
void layers_abandon(struct layers *layers);
/** layers_stop() - end everything that runs, the daemon goes */
void layers_stop(struct layers *layers);
/** layers_resume() - take layers_stop() back */
void layers_resume(struct layers *layers);
/** layers_busy() - sandboxes that still run */
bool layers_busy(const struct layers *layers);

/**
 * layers_use() - keep @layer from being removed while a step uses it
 * @out: its path, PATH_MAX bytes
 *
 * Return: 0, or -ENOENT. Each use is ended by layers_release().
 */
int layers_use(struct layers *layers, const char *layer, char *out);
void layers_release(struct layers *layers, const char *layer);

#endif
