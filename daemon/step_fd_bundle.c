/* SPDX-License-Identifier: Apache-2.0 */

/* All open descriptors of a running step, and the data that belongs to them, in one descriptor. */

#include "common/cleanup.h"
#include "daemon/daemon.h"
#include "daemon/kept_fields.h"
#include "daemon/kept_raw.h"
#include "daemon/step_persist.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

_Static_assert(STEP_FD_NUM + 1 + SANDBOX_KEPT_FDS_MAX <= FD_BUNDLE_FDS_MAX, "all of a step fit");

void step_fd_bundle_name(uint64_t order, char *out)
{
	(void)snprintf(out, FD_STORE_NAME_MAX, FD_STORE_PREFIX "s%llu", (unsigned long long)order);
}

/* ---- packing ---- */

static void add(int *fds, uint16_t *kinds, size_t *n, int fd, uint16_t kind)
{
	fds[*n] = fd;
	kinds[(*n)++] = kind;
}

/* Return: the number of descriptors. @fds, @kinds: FD_BUNDLE_FDS_MAX. */
static size_t fds_gather(const struct step *step, const struct step_setup *setup,
			 const struct sandbox_kept *sandbox, int *fds, uint16_t *kinds)
{
	size_t n = 0;

	add(fds, kinds, &n, setup->log_fd, STEP_FD_LOG);
	add(fds, kinds, &n, setup->index_fd, STEP_FD_INDEX);
	add(fds, kinds, &n, setup->stdout_pipe[0], STEP_FD_STDOUT);
	add(fds, kinds, &n, setup->stderr_pipe[0], STEP_FD_STDERR);
	add(fds, kinds, &n, setup->cacher_fd, STEP_FD_CACHER);
	if (step->order.mask_fd >= 0)
		add(fds, kinds, &n, step->order.mask_fd, STEP_FD_MASK);
	for (size_t i = 0; i < sandbox->n_fds; i++)
		add(fds, kinds, &n, sandbox->fds[i], STEP_FD_SANDBOX);
	return n;
}

/* Return: descriptor or -errno. */
static int pack(const struct step *step, const struct step_setup *setup,
		const struct sandbox_kept *sandbox)
{
	const uint32_t magic = KEPT_FD_BUNDLE_MAGIC;
	const struct step_order *order = &step->order;
	uint16_t kinds[FD_BUNDLE_FDS_MAX];
	int fds[FD_BUNDLE_FDS_MAX];
	size_t n_fds = fds_gather(step, setup, sandbox, fds, kinds);
	const struct kept_fd_bundle kept = {
		.order = order->order,
		.layers = {order->layers, order->n_layers * IMAGE_ID_SIZE},
		.fds = {kinds, n_fds * sizeof(*kinds)},
		.sandbox = {sandbox->data, sandbox->size},
	};
	size_t size = sizeof(magic) + fields_pack(&kept_fd_bundle_fields, &kept, NULL, 0);
	cleanup_free char *data = malloc(size);

	if (!data)
		return -ENOMEM;
	memcpy(data, &magic, sizeof(magic));
	(void)fields_pack(&kept_fd_bundle_fields, &kept, data + sizeof(magic),
			  size - sizeof(magic));
	return fd_bundle_make(data, size, fds, n_fds);
}

int step_fd_bundle_make(const struct step *step, const struct step_setup *setup)
{
	struct sandbox_kept sandbox = {.data = NULL};
	int r = supervise_persist(&step->supervised, &sandbox);

	if (r == 0)
		r = pack(step, setup, &sandbox);
	free(sandbox.data);
	return r;
}

/* ---- opening ---- */

/* An fd bundle of d2e21e4, in which the kinds of descriptors follow from their order. */
static int raw_read(const uint8_t *data, size_t size, size_t n_fds, struct kept_fd_bundle *kept,
		    uint16_t *kinds)
{
	struct raw_fd_bundle raw;
	size_t layers_size;

	if (size < sizeof(raw))
		return -EBADMSG;
	memcpy(&raw, data, sizeof(raw));
	if (raw.version != RAW_FD_BUNDLE_VERSION || raw.n_layers > IMAGE_LAYERS_MAX ||
	    raw.sandbox_size > FD_BUNDLE_BYTES_MAX || n_fds < STEP_FD_NUM + (raw.has_mask != 0))
		return -EBADMSG;
	layers_size = raw.n_layers * RAW_FD_BUNDLE_LAYER_SIZE;
	if (size != sizeof(raw) + layers_size + raw.sandbox_size)
		return -EBADMSG;
	for (size_t i = 0; i < n_fds; i++)
		kinds[i] = i < STEP_FD_NUM ? (uint16_t)i : STEP_FD_SANDBOX;
	if (raw.has_mask)
		kinds[STEP_FD_NUM] = STEP_FD_MASK;
	*kept = (struct kept_fd_bundle){
		.order = raw.order,
		.layers = {data + sizeof(raw), layers_size},
		.fds = {kinds, n_fds * sizeof(*kinds)},
		.sandbox = {data + sizeof(raw) + layers_size, raw.sandbox_size},
	};
	return 0;
}

static int layers_read(const struct field_blob *blob, struct step_fd_bundle *bundle)
{
	/* a blob that is absent has no data */
	const char *at = blob->size > 0 ? blob->data : "";
	const char *end = at + blob->size;

	bundle->layers = calloc(IMAGE_LAYERS_MAX, IMAGE_ID_SIZE);
	if (!bundle->layers)
		return -ENOMEM;
	while (at < end) {
		size_t length = strnlen(at, (size_t)(end - at));

		if (at + length == end || length >= IMAGE_ID_SIZE || !image_id_valid(at) ||
		    bundle->n_layers == IMAGE_LAYERS_MAX)
			return -EBADMSG;
		memcpy(bundle->layers + bundle->n_layers++ * IMAGE_ID_SIZE, at, length + 1);
		at += length + 1;
	}
	return 0;
}

/* Read all of an fd bundle but its descriptors. @kinds: FD_BUNDLE_FDS_MAX. */
static int data_read(const uint8_t *data, size_t size, size_t n_fds, uint64_t order,
		     struct step_fd_bundle *bundle, uint16_t *kinds, struct error *error)
{
	struct kept_fd_bundle kept = {.order = 0};
	uint32_t magic = 0;
	int r = -EBADMSG;

	if (size >= sizeof(magic))
		memcpy(&magic, data, sizeof(magic));
	if (magic == RAW_FD_BUNDLE_MAGIC)
		r = raw_read(data, size, n_fds, &kept, kinds);
	else if (magic == KEPT_FD_BUNDLE_MAGIC)
		r = fields_unpack(&kept_fd_bundle_fields, data + sizeof(magic),
				  size - sizeof(magic), &kept, error);
	if (r == 0 && (kept.order != order || kept.fds.size != n_fds * sizeof(*kinds)))
		r = -EBADMSG;
	if (r == 0) {
		if (kept.fds.size > 0)
			memcpy(kinds, kept.fds.data, kept.fds.size);
		r = layers_read(&kept.layers, bundle);
	}
	if (r < 0)
		return r;
	bundle->sandbox.data = malloc(kept.sandbox.size + 1);
	if (!bundle->sandbox.data)
		return -ENOMEM;
	if (kept.sandbox.size > 0)
		memcpy(bundle->sandbox.data, kept.sandbox.data, kept.sandbox.size);
	bundle->sandbox.size = kept.sandbox.size;
	return 0;
}

/* The member of @bundle for a descriptor of @kind. Return: NULL when @kind is unknown. */
static int *place_of(struct step_fd_bundle *bundle, uint16_t kind)
{
	if (kind < STEP_FD_NUM)
		return &bundle->fds[kind];
	if (kind == STEP_FD_MASK)
		return &bundle->mask_fd;
	if (kind == STEP_FD_SANDBOX && bundle->sandbox.n_fds < SANDBOX_KEPT_FDS_MAX)
		return &bundle->sandbox.fds[bundle->sandbox.n_fds++];
	return NULL;
}

/* Put descriptors into @bundle; close those whose kind is unknown or occurs twice. */
static int fds_place(struct step_fd_bundle *bundle, const int *fds, const uint16_t *kinds,
		     size_t n_fds)
{
	for (size_t i = 0; i < SANDBOX_KEPT_FDS_MAX; i++)
		bundle->sandbox.fds[i] = -1;
	for (size_t i = 0; i < n_fds; i++) {
		int *place = place_of(bundle, kinds[i]);

		if (place && *place < 0)
			*place = fds[i];
		else
			(void)close(fds[i]);
	}
	for (size_t i = 0; i < STEP_FD_NUM; i++) {
		if (bundle->fds[i] < 0)
			return -EBADMSG;
	}
	return 0;
}

int step_fd_bundle_open(const struct fd_store *store, uint64_t order,
			struct step_fd_bundle *ret_bundle, struct error *error)
{
	cleanup_free uint8_t *data = malloc(FD_BUNDLE_BYTES_MAX);
	struct step_fd_bundle bundle = {.mask_fd = -1};
	struct error why = ERROR_INIT;
	uint16_t kinds[FD_BUNDLE_FDS_MAX] = {0};
	char name[FD_STORE_NAME_MAX];
	int fds[FD_BUNDLE_FDS_MAX];
	size_t n_fds = 0;
	ssize_t size;
	int r;

	step_fd_bundle_name(order, name);
	if (!data)
		return error_set(error, ENOMEM, "out of memory");
	if (fd_store_get(store, name) < 0)
		/* cppcheck-suppress memleak ; it is freed with its scope */
		return error_errno(error, ENOENT, "%s", name);
	size = fd_bundle_open(fd_store_get(store, name), data, FD_BUNDLE_BYTES_MAX, fds, &n_fds);
	if (size < 0)
		return error_errno(error, (int)-size, "cannot read %s", name);
	for (size_t i = 0; i < STEP_FD_NUM; i++)
		bundle.fds[i] = -1;
	r = data_read(data, (size_t)size, n_fds, order, &bundle, kinds, &why);
	for (size_t i = 0; r < 0 && i < n_fds; i++)
		(void)close(fds[i]);
	if (r == 0)
		r = fds_place(&bundle, fds, kinds, n_fds);
	if (r == 0) {
		*ret_bundle = bundle;
		return 0;
	}
	step_fd_bundle_close(&bundle);
	return why.number ? error_set(error, -r, "cannot read %s: %s", name, why.text)
			  : error_errno(error, -r, "cannot read %s", name);
}

void step_fd_bundle_close(struct step_fd_bundle *bundle)
{
	for (size_t i = 0; i < STEP_FD_NUM; i++) {
		if (bundle->fds[i] >= 0)
			(void)close(bundle->fds[i]);
		bundle->fds[i] = -1;
	}
	if (bundle->mask_fd >= 0)
		(void)close(bundle->mask_fd);
	bundle->mask_fd = -1;
	while (bundle->sandbox.n_fds > 0)
		(void)close(bundle->sandbox.fds[--bundle->sandbox.n_fds]);
	free(bundle->sandbox.data);
	free(bundle->layers);
	bundle->sandbox.data = NULL;
	bundle->layers = NULL;
}
