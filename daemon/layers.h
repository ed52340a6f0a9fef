/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_LAYERS_H
#define DAEMON_LAYERS_H

/*
 * DOC: Unpacked layers of images
 *
 * <store>/layers/<id> has one unpacked layer; <id> is the digest of its tar archive. The
 * files belong to the range of ids that images have (common/limits.h); the directory
 * above can be entered by root only. runbook-image requests an unpacking; a sandbox
 * (daemon/layer_sandbox.h) does it, and the result is renamed into place when
 * runbook-image accepts the report of the sandbox:
 *
 *   LAYER_UNPACK -> .tmp-<n>, sandbox runs -> LAYER_UNPACKED
 *                -> LAYER_OPAQUE…, LAYER_COMMIT -> <id> -> LAYER_COMMITTED
 *
 * daemon/dir_store.h describes the locks on layers that are in use, being written or
 * being removed. Removing is done inside a sandbox, too: runbookd renames the directory,
 * and later removes an empty one (daemon/layer_remove.h).
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
/** layers_free() - kills sandboxes that run. NULL is fine. Return: NULL. */
struct layers *layers_free(struct layers *layers);

/** layers_announce() - call @send with the id of every complete layer */
void layers_announce(struct layers *layers, void (*send)(void *userdata, const char *layer),
		     void *userdata);

/*
 * Requests of runbook-image, which gets replies on its channel. The caller has checked the
 * values; @job is a number that runbook-image chose. An unknown job is ignored.
 */

/**
 * layers_unpack() - unpack an archive: LAYER_UNPACKING, later LAYER_UNPACKED
 * @digest: of the archive as it is in @blob_fd; "": not checked
 * @layer:  the id that the layer must have; "": not known yet
 * @blob_fd: the archive, owned by the caller
 */
void layers_unpack(struct layers *layers, uint64_t job, const char *digest, const char *layer,
		   int blob_fd);
/** layers_opaque() - mark directory @path of the unpacked layer as opaque for overlayfs */
void layers_opaque(struct layers *layers, uint64_t job, const char *path);
/** layers_commit() - rename the layer into place: LAYER_COMMITTED; @layer "": discard it */
void layers_commit(struct layers *layers, uint64_t job, const char *layer);
/** layers_forget() - remove @layer unless it is in use: LAYER_FORGOTTEN */
void layers_forget(struct layers *layers, const char *layer);
/** layers_abandon() - runbook-image has ended: end and discard its jobs */
void layers_abandon(struct layers *layers);
/** layers_stop() - kill all sandboxes and start no others, because the daemon ends */
void layers_stop(struct layers *layers);
/** layers_resume() - undo layers_stop() */
void layers_resume(struct layers *layers);
/** layers_busy() - does any sandbox run? NULL is fine. */
bool layers_busy(const struct layers *layers);

/**
 * layers_use() - lock @layer while a step uses it, so that it is not removed
 * @out: its path, PATH_MAX bytes
 *
 * Return: 0; -ENOENT and others of dir_store_use(). Each use is ended by layers_release().
 */
int layers_use(struct layers *layers, const char *layer, char *out);
/** layers_release() - end one use of @layer */
void layers_release(struct layers *layers, const char *layer);

#endif
