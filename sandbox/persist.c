/* SPDX-License-Identifier: Apache-2.0 */

/*
 * DOC: Sandboxes that outlive the process that started them
 *
 * The successor must be able to call sandbox_finish(). That needs descriptors, which hold the
 * locks, and a little data, which is stored as tagged fields (sandbox/kept_fields.h). Only root
 * can write this data; it is checked all the same, because an older or newer version may have
 * written it.
 */

#include "common/cleanup.h"
#include "sandbox/kept_raw.h"
#include "sandbox/sandbox_internal.h"

#include <errno.h>
#include <string.h>

/* ---- the host ---- */

void sandbox_host_persist(const struct sandbox_host *host, int fds[SANDBOX_HOST_FD_NUM])
{
	fds[SANDBOX_HOST_FD_USERS] = user_slots_fd(host->users);
	fds[SANDBOX_HOST_FD_NETWORK] = host_network_fd(host->network);
	fds[SANDBOX_HOST_FD_GATEWAY] = host_network_gateway_fd(host->network);
}

void sandbox_host_inherit(struct sandbox_host *host, int fds[SANDBOX_HOST_FD_NUM])
{
	user_slots_inherit(host->users, fds[SANDBOX_HOST_FD_USERS]);
	host_network_inherit(host->network, fds[SANDBOX_HOST_FD_NETWORK],
			     fds[SANDBOX_HOST_FD_GATEWAY]);
	for (size_t i = 0; i < SANDBOX_HOST_FD_NUM; i++)
		fds[i] = -1;
}

int sandbox_host_settle(struct sandbox_host *host, struct error *error)
{
	user_slots_settle(host->users);
	return host_network_settle(host->network, error);
}

/* ---- one sandbox ---- */

/* The lock on the template that this sandbox uses, wherever it is held. */
static int image_lock(const struct sandbox_private *private)
{
	const struct sandbox_host *host = private->host;
	const struct host_image *image;

	if (private->image_fd >= 0)
		return private->image_fd;
	image = private->slot ? host->shifted[private->slot->index] : NULL;
	return host->shift_by_owner && image ? image->lock_fd : host->image.lock_fd;
}

static void rules_pack(uint8_t *out, const struct network_rule *rules, size_t n)
{
	for (size_t i = 0; i < n; i++)
		network_rule_pack(&rules[i], out + i * NETWORK_RULE_BYTES);
}

/* Copies the open ones of @fds to @kept and their kinds to @kinds. Return: their number. */
static size_t fds_pack(const int fds[KEPT_FDS], struct sandbox_kept *kept, uint16_t *kinds)
{
	for (size_t i = 0; i < KEPT_FDS; i++) {
		if (fds[i] < 0)
			continue;
		kinds[kept->n_fds] = (uint16_t)i;
		kept->fds[kept->n_fds++] = fds[i];
	}
	return kept->n_fds * sizeof(*kinds);
}

int sandbox_persist(const struct sandbox *sandbox, struct sandbox_kept *ret_kept)
{
	const struct sandbox_private *private = sandbox->private;
	const uint32_t magic = SANDBOX_KEPT_MAGIC;
	struct host_network_request lists;
	uint16_t kinds[KEPT_FDS];
	int fds[KEPT_FDS] = {
		[KEPT_PIDFD] = sandbox->pidfd,	    [KEPT_STATUS] = sandbox->status_fd,
		[KEPT_RUN] = private->run_fd,	    [KEPT_GROUP] = private->group_fd,
		[KEPT_IMAGE] = image_lock(private), [KEPT_NETNS] = private->network.netns_fd};
	struct kept_sandbox kept = {.pid = sandbox->pid,
				    .slot = private->slot ? private->slot->index + 1 : 0,
				    .in_force = private->in_force,
				    .rule_bytes = NETWORK_RULE_BYTES,
				    .ids_first = private->slot ? private->slot->base : 0,
				    .ids_range = private->slot ? ID_STEP_RANGE : 0,
				    .fds = {.data = kinds}};
	cleanup_free uint8_t *rules = NULL;

	host_network_step_lists(&private->network, &lists);
	rules = calloc(lists.n_allow + lists.n_only + 1, NETWORK_RULE_BYTES);
	*ret_kept = (struct sandbox_kept){.data = NULL};
	if (!rules)
		return -ENOMEM;
	memcpy(kept.run, private->run, sizeof(kept.run));
	memcpy(kept.id, private->id, sizeof(kept.id));
	host_network_step_persist(&private->network, &kept.network, fds + KEPT_NETWORK);
	kept.allow = (struct field_blob){rules, lists.n_allow * NETWORK_RULE_BYTES};
	kept.only = (struct field_blob){rules + kept.allow.size, lists.n_only * NETWORK_RULE_BYTES};
	rules_pack(rules, lists.allow, lists.n_allow);
	rules_pack(rules + kept.allow.size, lists.only, lists.n_only);
	kept.fds.size = fds_pack(fds, ret_kept, kinds);
	ret_kept->size = sizeof(magic) + fields_pack(&kept_sandbox_fields, &kept, NULL, 0);
	ret_kept->data = malloc(ret_kept->size);
	if (!ret_kept->data)
		return -ENOMEM;
	memcpy(ret_kept->data, &magic, sizeof(magic));
	(void)fields_pack(&kept_sandbox_fields, &kept, (char *)ret_kept->data + sizeof(magic),
			  ret_kept->size - sizeof(magic));
	return 0;
}

/* ---- reading ---- */

/* Reads a record of d2e21e4. Return: 0 or -errno. */
static int raw_read(const struct sandbox_kept *data, struct kept_sandbox *kept, uint16_t *kinds,
		    struct error *error)
{
	const uint8_t *rules = (const uint8_t *)data->data + sizeof(struct raw_sandbox);
	struct raw_sandbox raw;
	size_t n = 0;
	int r;

	if (data->size < sizeof(raw))
		return -EBADMSG;
	memcpy(&raw, data->data, sizeof(raw));
	if (raw.version != RAW_SANDBOX_VERSION || raw.size != sizeof(raw) ||
	    raw.n_allow > NETWORK_RULES_TIDY_MAX || raw.n_only > NETWORK_RULES_TIDY_MAX ||
	    data->size != sizeof(raw) + (size_t)(raw.n_allow + raw.n_only) * NETWORK_RULE_BYTES)
		return -EBADMSG;
	r = raw_convert(&raw_sandbox_fields, &raw, &kept_sandbox_fields, kept, error);
	if (r < 0)
		return r;
	kept->slot = raw.slot == RAW_SANDBOX_NO_SLOT ? 0 : raw.slot + 1;
	kept->rule_bytes = NETWORK_RULE_BYTES;
	kept->allow = (struct field_blob){rules, (size_t)raw.n_allow * NETWORK_RULE_BYTES};
	kept->only = (struct field_blob){rules + kept->allow.size,
					 (size_t)raw.n_only * NETWORK_RULE_BYTES};
	for (size_t i = 0; i < KEPT_FDS; i++) {
		if (raw.fds & (1U << i))
			kinds[n++] = (uint16_t)i;
	}
	kept->fds = (struct field_blob){kinds, n * sizeof(*kinds)};
	return 0;
}

static bool blob_holds_rules(const struct field_blob *blob)
{
	return blob->size % NETWORK_RULE_BYTES == 0 &&
	       blob->size / NETWORK_RULE_BYTES <= NETWORK_RULES_TIDY_MAX;
}

/* If slots map to other ids now, another step could get the ids of this one. */
static bool ids_same(const struct kept_sandbox *kept)
{
	uint32_t first = kept->ids_first, range = kept->ids_range;

	if (kept->slot == 0)
		return true;
	if (range == 0) {
		range = RAW_SANDBOX_IDS_RANGE;
		first = RAW_SANDBOX_IDS_FIRST + (kept->slot - 1) * range;
	}
	return range == ID_STEP_RANGE && first == ID_STEP_FIRST + (kept->slot - 1) * ID_STEP_RANGE;
}

/* Names of groups and files must be single components. */
static bool name_whole(const char *text)
{
	return !strchr(text, '/');
}

int sandbox_kept_read(const struct sandbox_kept *data, struct kept_sandbox *kept,
		      uint16_t kinds[SANDBOX_KEPT_FDS_MAX], struct error *error)
{
	uint32_t magic = 0;
	int r;

	*kept = (struct kept_sandbox){.pid = -1};
	if (data->size >= sizeof(magic))
		memcpy(&magic, data->data, sizeof(magic));
	if (magic == RAW_SANDBOX_MAGIC)
		r = raw_read(data, kept, kinds, error);
	else if (magic == SANDBOX_KEPT_MAGIC)
		r = fields_unpack(&kept_sandbox_fields, (const char *)data->data + sizeof(magic),
				  data->size - sizeof(magic), kept, error);
	else
		r = error_set(error, EBADMSG, "a sandbox is described in an unknown format");
	if (r < 0)
		return r;
	if (kept->fds.size != data->n_fds * sizeof(*kinds) || kept->slot > ID_STEP_SLOTS ||
	    kept->rule_bytes != NETWORK_RULE_BYTES || !blob_holds_rules(&kept->allow) ||
	    !blob_holds_rules(&kept->only) || !name_whole(kept->run) || !name_whole(kept->id) ||
	    !name_whole(kept->network.group))
		return error_set(error, EBADMSG, "the description of a sandbox is malformed");
	if (!ids_same(kept))
		return error_set(error, ENOTSUP,
				 "a sandbox has user ids that this version gives to others");
	if (kept->fds.size > 0)
		memcpy(kinds, kept->fds.data, kept->fds.size);
	kept->fds.data = kinds;
	return 0;
}

int sandbox_kept_check(const struct sandbox_kept *data, struct error *error)
{
	uint16_t kinds[SANDBOX_KEPT_FDS_MAX];
	struct kept_sandbox kept;

	return sandbox_kept_read(data, &kept, kinds, error);
}

/* Moves each descriptor to its place in @fds, and closes those of unknown kinds. */
static int fds_place(const struct sandbox_kept *data, const uint16_t *kinds, int fds[KEPT_FDS])
{
	int r = 0;

	for (size_t i = 0; i < data->n_fds; i++) {
		if (!kinds || kinds[i] >= KEPT_FDS || fds[kinds[i]] >= 0)
			(void)close(data->fds[i]);
		else
			fds[kinds[i]] = data->fds[i];
	}
	if (fds[KEPT_PIDFD] < 0 || fds[KEPT_STATUS] < 0)
		r = -EBADMSG;
	return r;
}

static int rules_unpack(const uint8_t *data, size_t n, struct network_rule *out)
{
	for (size_t i = 0; i < n; i++) {
		int r = network_rule_unpack(data + i * NETWORK_RULE_BYTES, &out[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Adopts the network, which owns the network's descriptors in @fds from then on. */
static int network_adopt(struct sandbox_private *private, const struct kept_sandbox *kept,
			 int fds[KEPT_FDS])
{
	const size_t n_allow = kept->allow.size / NETWORK_RULE_BYTES;
	const size_t n_only = kept->only.size / NETWORK_RULE_BYTES;
	cleanup_free struct network_rule *rules = calloc(n_allow + n_only + 1, sizeof(*rules));
	const struct host_network_request lists = {.kind = STEP_NETWORK_EGRESS,
						   .allow = rules,
						   .n_allow = n_allow,
						   .only = rules ? rules + n_allow : NULL,
						   .n_only = n_only};
	int r;

	if (!rules)
		return -ENOMEM;
	r = rules_unpack(kept->allow.data, n_allow, rules);
	if (r == 0)
		r = rules_unpack(kept->only.data, n_only, rules + n_allow);
	if (r < 0)
		return -EBADMSG;
	r = host_network_step_adopt(private->host->network, &kept->network, &lists, fds[KEPT_NETNS],
				    fds + KEPT_NETWORK, &private->network);
	for (size_t i = KEPT_NETNS; i < KEPT_FDS; i++)
		fds[i] = -1;
	return r;
}

static void private_fill(struct sandbox_private *private, const struct kept_sandbox *kept,
			 const int fds[KEPT_FDS])
{
	private->run_fd = fds[KEPT_RUN];
	private->group_fd = fds[KEPT_GROUP];
	private->image_fd = fds[KEPT_IMAGE];
	private->in_force = kept->in_force;
	memcpy(private->run, kept->run, sizeof(private->run));
	memcpy(private->id, kept->id, sizeof(private->id));
	/* if another step has the slot by now, sandbox_finish() must not release it */
	if (kept->slot > 0)
		(void)user_slot_adopt(private->host->users, kept->slot - 1, &private->slot);
}

int sandbox_adopt(struct sandbox_host *host, const struct sandbox_kept *data,
		  struct sandbox *ret_sandbox, struct error *error)
{
	struct sandbox_private *private = calloc(1, sizeof(*private));
	struct error why = ERROR_INIT;
	uint16_t kinds[SANDBOX_KEPT_FDS_MAX];
	struct kept_sandbox kept;
	int fds[KEPT_FDS];
	int r = sandbox_kept_read(data, &kept, kinds, &why);
	int placed;

	for (size_t i = 0; i < KEPT_FDS; i++)
		fds[i] = -1;
	placed = fds_place(data, r == 0 ? kinds : NULL, fds);
	if (r == 0)
		r = private ? placed : -ENOMEM;
	if (r == 0) {
		private->host = host;
		private->network = HOST_NETWORK_STEP_NULL;
		private->run_fd = private->group_fd = private->image_fd = -1;
		r = network_adopt(private, &kept, fds);
	}
	if (r < 0) {
		for (size_t i = 0; i < KEPT_FDS; i++) {
			if (fds[i] >= 0)
				(void)close(fds[i]);
		}
		if (private && private->host)
			sandbox_private_free(private);
		else
			free(private);
		return why.number ? error_set(error, -r, "cannot take a running sandbox over: %s",
					      why.text)
				  : error_errno(error, -r, "cannot take a running sandbox over");
	}
	private_fill(private, &kept, fds);
	*ret_sandbox = (struct sandbox){.pid = kept.pid,
					.pidfd = fds[KEPT_PIDFD],
					.status_fd = fds[KEPT_STATUS],
					.private = private};
	return 0;
}
