/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sandboxes that outlive the process that started them. What sandbox_finish()
 * needs is descriptors, which hold the locks, and a little plain data. Root wrote
 * it and root alone could change it; it is looked at all the same, because a
 * version of yesterday may have written it.
 */

#include "common/cleanup.h"
#include "sandbox/private.h"

#include <errno.h>
#include <string.h>

#define KEPT_MAGIC 0x4b534252u /* "RBSK" */
#define KEPT_VERSION 1

/* In the order of .fds. */
enum kept_fd {
	KEPT_PIDFD,
	KEPT_STATUS,
	KEPT_RUN,
	KEPT_GROUP,
	KEPT_IMAGE,
	KEPT_NETNS,
	KEPT_NETWORK, /* and the two behind it */
	KEPT_FDS = KEPT_NETWORK + NETWORK_KEPT_FDS,
};
_Static_assert(KEPT_FDS <= SANDBOX_KEPT_FDS_MAX, "no room for the descriptors");

/* Followed by the rules, NETWORK_RULE_BYTES each: what is allowed, then what only. */
struct kept_head {
	uint32_t magic, version;
	uint64_t size; /* of this structure */
	int32_t pid;
	uint32_t slot;
	uint32_t fds; /* bit i: enum kept_fd i is there */
	uint32_t n_allow, n_only;
	char run[SANDBOX_ID_MAX + 1];
	char id[SANDBOX_ID_MAX + 1];
	struct sandbox_outcome in_force;
	struct host_network_kept network;
};

/* ---- the host ---- */

void sandbox_host_keep(const struct sandbox_host *host, int fds[SANDBOX_HOST_FD_NUM])
{
	fds[SANDBOX_HOST_FD_USERS] = user_slots_fd(host->users);
	fds[SANDBOX_HOST_FD_NETWORK] = host_network_fd(host->network);
}

void sandbox_host_inherit(struct sandbox_host *host, int fds[SANDBOX_HOST_FD_NUM])
{
	user_slots_inherit(host->users, fds[SANDBOX_HOST_FD_USERS]);
	host_network_inherit(host->network, fds[SANDBOX_HOST_FD_NETWORK]);
	for (size_t i = 0; i < SANDBOX_HOST_FD_NUM; i++)
		fds[i] = -1;
}

int sandbox_host_settle(struct sandbox_host *host, struct error *error)
{
	user_slots_settle(host->users);
	return host_network_settle(host->network, error);
}

/* ---- one sandbox ---- */

static int image_lock(const struct sandbox_private *private)
{
	const struct sandbox_host *host = private->host;
	const struct host_image *image = private->slot ? host->shifted[private->slot->index] : NULL;

	if (private->image_fd >= 0)
		return private->image_fd;
	return host->shift_by_owner && image ? image->lock_fd : host->image.lock_fd;
}

static void rules_pack(uint8_t *out, const struct network_rule *rules, size_t n)
{
	for (size_t i = 0; i < n; i++)
		network_rule_pack(&rules[i], out + i * NETWORK_RULE_BYTES);
}

int sandbox_keep(const struct sandbox *sandbox, struct sandbox_kept *ret_kept)
{
	const struct sandbox_private *private = sandbox->private;
	struct host_network_wish lists;
	int fds[KEPT_FDS] = {
		[KEPT_PIDFD] = sandbox->pidfd,	    [KEPT_STATUS] = sandbox->status_fd,
		[KEPT_RUN] = private->run_fd,	    [KEPT_GROUP] = private->group_fd,
		[KEPT_IMAGE] = image_lock(private), [KEPT_NETNS] = private->network.netns_fd};
	struct kept_head *head;
	uint8_t *rules;

	host_network_step_lists(&private->network, &lists);
	*ret_kept = (struct sandbox_kept){.size = sizeof(*head) + (lists.n_allow + lists.n_only) *
									  NETWORK_RULE_BYTES};
	head = calloc(1, ret_kept->size);
	if (!head)
		return -ENOMEM;
	head->magic = KEPT_MAGIC;
	head->version = KEPT_VERSION;
	head->size = sizeof(*head);
	head->pid = sandbox->pid;
	head->slot = private->slot ? private->slot->index : ID_STEP_SLOTS;
	head->n_allow = (uint32_t)lists.n_allow;
	head->n_only = (uint32_t)lists.n_only;
	memcpy(head->run, private->run, sizeof(head->run));
	memcpy(head->id, private->id, sizeof(head->id));
	head->in_force = private->in_force;
	host_network_step_keep(&private->network, &head->network, fds + KEPT_NETWORK);
	rules = (uint8_t *)(head + 1);
	rules_pack(rules, lists.allow, lists.n_allow);
	rules_pack(rules + lists.n_allow * NETWORK_RULE_BYTES, lists.only, lists.n_only);
	for (size_t i = 0; i < KEPT_FDS; i++) {
		if (fds[i] < 0)
			continue;
		head->fds |= 1U << i;
		ret_kept->fds[ret_kept->n_fds++] = fds[i];
	}
	ret_kept->data = head;
	return 0;
}

static bool text_whole(const char *text, size_t size)
{
	return memchr(text, '\0', size) && !strchr(text, '/');
}

static bool head_valid(const struct sandbox_kept *kept)
{
	const struct kept_head *head = kept->data;

	return kept->size >= sizeof(*head) && head->magic == KEPT_MAGIC &&
	       head->version == KEPT_VERSION && head->size == sizeof(*head) &&
	       head->slot <= ID_STEP_SLOTS && head->n_allow <= NETWORK_RULES_TIDY_MAX &&
	       head->n_only <= NETWORK_RULES_TIDY_MAX &&
	       kept->size == sizeof(*head) +
				     (size_t)(head->n_allow + head->n_only) * NETWORK_RULE_BYTES &&
	       head->fds < 1U << KEPT_FDS && (size_t)__builtin_popcount(head->fds) == kept->n_fds &&
	       (head->fds & (1U << KEPT_PIDFD)) && (head->fds & (1U << KEPT_STATUS)) &&
	       text_whole(head->run, sizeof(head->run)) && text_whole(head->id, sizeof(head->id)) &&
	       text_whole(head->network.group, sizeof(head->network.group));
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

static int network_adopt(struct sandbox_private *private, const struct kept_head *head,
			 int fds[KEPT_FDS])
{
	cleanup_free struct network_rule *rules =
		calloc((size_t)head->n_allow + head->n_only + 1, sizeof(*rules));
	const struct host_network_wish lists = {.kind = STEP_NETWORK_EGRESS,
						.allow = rules,
						.n_allow = head->n_allow,
						.only = rules ? rules + head->n_allow : NULL,
						.n_only = head->n_only};
	int r;

	if (!rules)
		return -ENOMEM;
	r = rules_unpack((const uint8_t *)(head + 1), (size_t)head->n_allow + head->n_only, rules);
	if (r == 0)
		r = host_network_step_adopt(private->host->network, &head->network, &lists,
					    fds[KEPT_NETNS], fds + KEPT_NETWORK, &private->network);
	if (r == -EINVAL)
		return -EBADMSG;
	for (size_t i = KEPT_NETNS; i < KEPT_FDS; i++)
		fds[i] = -1;
	return r;
}

int sandbox_adopt(struct sandbox_host *host, const struct sandbox_kept *kept,
		  struct sandbox *ret_sandbox, struct error *error)
{
	const struct kept_head *head = kept->data;
	struct sandbox_private *private = NULL;
	bool valid = head_valid(kept);
	int fds[KEPT_FDS];
	int r = valid ? 0 : -EBADMSG;

	for (size_t i = 0, next = 0; i < KEPT_FDS; i++)
		fds[i] = valid && (head->fds & (1U << i)) ? kept->fds[next++] : -1;
	for (size_t i = 0; !valid && i < kept->n_fds; i++)
		(void)close(kept->fds[i]);
	if (r == 0)
	private = calloc(1, sizeof(*private));
	if (r == 0 && !private)
		r = -ENOMEM;
	if (r == 0) {
		private->host = host;
		private->network = HOST_NETWORK_STEP_NULL;
		private->run_fd = private->group_fd = private->image_fd = -1;
		r = network_adopt(private, head, fds);
	}
	if (r < 0) {
		for (size_t i = 0; i < KEPT_FDS; i++) {
			if (fds[i] >= 0)
				(void)close(fds[i]);
		}
		if (private)
			sandbox_private_free(private);
		return error_errno(error, -r, "cannot take a running sandbox over");
	}
	private->run_fd = fds[KEPT_RUN];
	private->group_fd = fds[KEPT_GROUP];
	private->image_fd = fds[KEPT_IMAGE];
	private->in_force = head->in_force;
	memcpy(private->run, head->run, sizeof(private->run));
	memcpy(private->id, head->id, sizeof(private->id));
	/* another's by now: then it is no more ours to give back */
	if (head->slot < ID_STEP_SLOTS)
		(void)user_slot_adopt(host->users, head->slot, &private->slot);
	*ret_sandbox = (struct sandbox){.pid = head->pid,
					.pidfd = fds[KEPT_PIDFD],
					.status_fd = fds[KEPT_STATUS],
					.private = private};
	return 0;
}
