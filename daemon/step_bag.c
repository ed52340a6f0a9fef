/* SPDX-License-Identifier: Apache-2.0 */

/* All open descriptors of a running step, and the data that belongs to them, in one descriptor. */

#include "common/cleanup.h"
#include "daemon/daemon.h"
#include "daemon/kept_fields.h"
#include "daemon/kept_raw.h"
#include "daemon/step_keep.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

_Static_assert(STEP_BAG_FDS + 1 + SANDBOX_KEPT_FDS_MAX <= FD_BAG_FDS_MAX, "a bag is too small");

void step_keep_name(uint64_t order, char *out)
{
	(void)snprintf(out, FD_STORE_NAME_MAX, FD_STORE_PREFIX "s%llu", (unsigned long long)order);
}

/* ---- packing ---- */

static void add(int *fds, uint16_t *kinds, size_t *n, int fd, uint16_t kind)
{
	fds[*n] = fd;
	kinds[(*n)++] = kind;
}

/* Return: the number of descriptors. @fds, @kinds: FD_BAG_FDS_MAX. */
static size_t fds_gather(const struct step *step, const struct step_setup *setup,
			 const struct sandbox_kept *sandbox, int *fds, uint16_t *kinds)
{
	size_t n = 0;

	add(fds, kinds, &n, setup->log_fd, STEP_BAG_LOG);
	add(fds, kinds, &n, setup->index_fd, STEP_BAG_INDEX);
	add(fds, kinds, &n, setup->stdout_pipe[0], STEP_BAG_STDOUT);
	add(fds, kinds, &n, setup->stderr_pipe[0], STEP_BAG_STDERR);
	add(fds, kinds, &n, setup->cacher_fd, STEP_BAG_CACHER);
	if (step->order.mask_fd >= 0)
		add(fds, kinds, &n, step->order.mask_fd, STEP_BAG_MASK);
	for (size_t i = 0; i < sandbox->n_fds; i++)
		add(fds, kinds, &n, sandbox->fds[i], STEP_BAG_SANDBOX);
	return n;
}

/* Return: descriptor or -errno. */
static int pack(const struct step *step, const struct step_setup *setup,
		const struct sandbox_kept *sandbox)
{
	const uint32_t magic = KEPT_BAG_MAGIC;
	const struct step_order *order = &step->order;
	uint16_t kinds[FD_BAG_FDS_MAX];
	int fds[FD_BAG_FDS_MAX];
	size_t n_fds = fds_gather(step, setup, sandbox, fds, kinds);
	const struct kept_bag kept = {
		.order = order->order,
		.layers = {order->layers, order->n_layers * IMAGE_ID_SIZE},
		.fds = {kinds, n_fds * sizeof(*kinds)},
		.sandbox = {sandbox->data, sandbox->size},
	};
	size_t size = sizeof(magic) + fields_pack(&kept_bag_fields, &kept, NULL, 0);
	cleanup_free char *data = malloc(size);

	if (!data)
		return -ENOMEM;
	memcpy(data, &magic, sizeof(magic));
	(void)fields_pack(&kept_bag_fields, &kept, data + sizeof(magic), size - sizeof(magic));
	return fd_bag_make(data, size, fds, n_fds);
}

int step_bag_make(const struct step *step, const struct step_setup *setup)
{
	struct sandbox_kept sandbox = {.data = NULL};
	int r = supervise_keep(&step->supervised, &sandbox);

	if (r == 0)
		r = pack(step, setup, &sandbox);
	free(sandbox.data);
	return r;
}

/* ---- opening ---- */

/* A bag of d2e21e4, in which the kinds of descriptors follow from their order. */
static int raw_read(const uint8_t *data, size_t size, size_t n_fds, struct kept_bag *kept,
		    uint16_t *kinds)
{
	struct raw_bag raw;
	size_t layers_size;

	if (size < sizeof(raw))
		return -EBADMSG;
	memcpy(&raw, data, sizeof(raw));
	if (raw.version != RAW_BAG_VERSION || raw.n_layers > IMAGE_LAYERS_MAX ||
	    raw.sandbox_size > FD_BAG_BYTES_MAX || n_fds < STEP_BAG_FDS + (raw.has_mask != 0))
		return -EBADMSG;
	layers_size = raw.n_layers * RAW_BAG_LAYER_SIZE;
	if (size != sizeof(raw) + layers_size + raw.sandbox_size)
		return -EBADMSG;
	for (size_t i = 0; i < n_fds; i++)
		kinds[i] = i < STEP_BAG_FDS ? (uint16_t)i : STEP_BAG_SANDBOX;
	if (raw.has_mask)
		kinds[STEP_BAG_FDS] = STEP_BAG_MASK;
	*kept = (struct kept_bag){
		.order = raw.order,
		.layers = {data + sizeof(raw), layers_size},
		.fds = {kinds, n_fds * sizeof(*kinds)},
		.sandbox = {data + sizeof(raw) + layers_size, raw.sandbox_size},
	};
	return 0;
}

static int layers_read(const struct field_blob *blob, struct step_bag *bag)
{
	/* a blob that is absent has no data */
	const char *at = blob->size > 0 ? blob->data : "";
	const char *end = at + blob->size;

	bag->layers = calloc(IMAGE_LAYERS_MAX, IMAGE_ID_SIZE);
	if (!bag->layers)
		return -ENOMEM;
	while (at < end) {
		size_t length = strnlen(at, (size_t)(end - at));

		if (at + length == end || length >= IMAGE_ID_SIZE || !image_id_valid(at) ||
		    bag->n_layers == IMAGE_LAYERS_MAX)
			return -EBADMSG;
		memcpy(bag->layers + bag->n_layers++ * IMAGE_ID_SIZE, at, length + 1);
		at += length + 1;
	}
	return 0;
}

/* Read all of a bag but its descriptors. @kinds: FD_BAG_FDS_MAX. */
static int data_read(const uint8_t *data, size_t size, size_t n_fds, uint64_t order,
		     struct step_bag *bag, uint16_t *kinds, struct error *error)
{
	struct kept_bag kept = {.order = 0};
	uint32_t magic = 0;
	int r = -EBADMSG;

	if (size >= sizeof(magic))
		memcpy(&magic, data, sizeof(magic));
	if (magic == RAW_BAG_MAGIC)
		r = raw_read(data, size, n_fds, &kept, kinds);
	else if (magic == KEPT_BAG_MAGIC)
		r = fields_unpack(&kept_bag_fields, data + sizeof(magic), size - sizeof(magic),
				  &kept, error);
	if (r == 0 && (kept.order != order || kept.fds.size != n_fds * sizeof(*kinds)))
		r = -EBADMSG;
	if (r == 0) {
		if (kept.fds.size > 0)
			memcpy(kinds, kept.fds.data, kept.fds.size);
		r = layers_read(&kept.layers, bag);
	}
	if (r < 0)
		return r;
	bag->sandbox.data = malloc(kept.sandbox.size + 1);
	if (!bag->sandbox.data)
		return -ENOMEM;
	if (kept.sandbox.size > 0)
		memcpy(bag->sandbox.data, kept.sandbox.data, kept.sandbox.size);
	bag->sandbox.size = kept.sandbox.size;
	return 0;
}

/* The member of @bag for a descriptor of @kind. Return: NULL when @kind is unknown. */
static int *place_of(struct step_bag *bag, uint16_t kind)
{
	if (kind < STEP_BAG_FDS)
		return &bag->fds[kind];
	if (kind == STEP_BAG_MASK)
		return &bag->mask_fd;
	if (kind == STEP_BAG_SANDBOX && bag->sandbox.n_fds < SANDBOX_KEPT_FDS_MAX)
		return &bag->sandbox.fds[bag->sandbox.n_fds++];
	return NULL;
}

/* Put descriptors into @bag; close those whose kind is unknown or occurs twice. */
static int fds_place(struct step_bag *bag, const int *fds, const uint16_t *kinds, size_t n_fds)
{
	for (size_t i = 0; i < SANDBOX_KEPT_FDS_MAX; i++)
		bag->sandbox.fds[i] = -1;
	for (size_t i = 0; i < n_fds; i++) {
		int *place = place_of(bag, kinds[i]);

		if (place && *place < 0)
			*place = fds[i];
		else
			(void)close(fds[i]);
	}
	for (size_t i = 0; i < STEP_BAG_FDS; i++) {
		if (bag->fds[i] < 0)
			return -EBADMSG;
	}
	return 0;
}

int step_bag_open(const struct fd_store *store, uint64_t order, struct step_bag *ret_bag,
		  struct error *error)
{
	cleanup_free uint8_t *data = malloc(FD_BAG_BYTES_MAX);
	struct step_bag bag = {.mask_fd = -1};
	struct error why = ERROR_INIT;
	uint16_t kinds[FD_BAG_FDS_MAX] = {0};
	char name[FD_STORE_NAME_MAX];
	int fds[FD_BAG_FDS_MAX];
	size_t n_fds = 0;
	ssize_t size;
	int r;

	step_keep_name(order, name);
	if (!data)
		return error_set(error, ENOMEM, "out of memory");
	if (fd_store_get(store, name) < 0)
		/* cppcheck-suppress memleak ; it is freed with its scope */
		return error_errno(error, ENOENT, "%s", name);
	size = fd_bag_open(fd_store_get(store, name), data, FD_BAG_BYTES_MAX, fds, &n_fds);
	if (size < 0)
		return error_errno(error, (int)-size, "cannot read %s", name);
	for (size_t i = 0; i < STEP_BAG_FDS; i++)
		bag.fds[i] = -1;
	r = data_read(data, (size_t)size, n_fds, order, &bag, kinds, &why);
	for (size_t i = 0; r < 0 && i < n_fds; i++)
		(void)close(fds[i]);
	if (r == 0)
		r = fds_place(&bag, fds, kinds, n_fds);
	if (r == 0) {
		*ret_bag = bag;
		return 0;
	}
	step_bag_close(&bag);
	return why.number ? error_set(error, -r, "cannot read %s: %s", name, why.text)
			  : error_errno(error, -r, "cannot read %s", name);
}

void step_bag_close(struct step_bag *bag)
{
	for (size_t i = 0; i < STEP_BAG_FDS; i++) {
		if (bag->fds[i] >= 0)
			(void)close(bag->fds[i]);
		bag->fds[i] = -1;
	}
	if (bag->mask_fd >= 0)
		(void)close(bag->mask_fd);
	bag->mask_fd = -1;
	while (bag->sandbox.n_fds > 0)
		(void)close(bag->sandbox.fds[--bag->sandbox.n_fds]);
	free(bag->sandbox.data);
	free(bag->layers);
	bag->sandbox.data = NULL;
	bag->layers = NULL;
}
