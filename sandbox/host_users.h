/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_USERS_H
#define SANDBOX_HOST_USERS_H

/*
 * DOC: Who a step is, seen from the host
 *
 * Every running step owns a slot: 65,536 host ids that nobody else uses, from
 * ID_STEP_FIRST up, plus one id of its own for its runbook-init. Root of the
 * host is never mapped. Ids inside from 65,536 on are those from ID_LARGE_FIRST on
 * for all steps: there are not enough of them for each, and archives keep owners
 * like 1000660000. Two steps never meet where such an id could matter: files are on
 * scratch file systems of their own, processes in process namespaces. A slot is held by a byte-range lock on a file that all
 * programs of all instances share, so two of them cannot meet, and a killed one
 * leaves nothing to clean.
 *
 * Kept per slot, because they cost more than the rest of a user's set-up: the
 * step's user namespace and one for the id-mapped mounts of its workspace.
 */

#include "common/error.h"
#include "common/limits.h"
#include "sandbox/plan.h"
#include "sandbox/spawn.h"

#include <stdbool.h>
#include <sys/types.h>

struct user_slot {
	unsigned index;
	bool taken;
	uid_t base;	/* host id of uid 0 inside; also the group id */
	uid_t init_id;	/* user and group of runbook-init */
	int userns_fd;	/* 0-65535 inside, and the large ids */
	int mapping_fd; /* of @mapped_users and @mapped_groups, for one owner; -1: none yet */
	struct id_map mapped_users, mapped_groups;
	struct userns_job *job; /* makes or has made userns_fd, see user_slots_begin() */
	int image_fd;		/* the range of images on disk is 0-65535 inside; -1: none yet */
};

struct user_slots;

/** user_slots_new() - open the shared lock file. Return: 0, or -errno with @error. */
int user_slots_new(struct user_slots **ret_slots, struct error *error);
/** user_slots_free() - give all slots back. NULL is fine. Return: NULL. */
struct user_slots *user_slots_free(struct user_slots *slots);

/**
 * user_slots_begin() - make a first slot ready beside us, for the next user_slot_take()
 *
 * For who is going to start one sandbox and has other things to prepare as well.
 * What fails here is done again, and reported, by user_slot_take().
 */
void user_slots_begin(struct user_slots *slots);

/** user_slot_take() - lock a free slot and make its user namespace ready. Return: 0 or -errno. */
int user_slot_take(struct user_slots *slots, struct user_slot **ret_slot, struct error *error);
/** user_slots_fd() - the open file that holds the locks, owned by @slots */
int user_slots_fd(const struct user_slots *slots);
/** user_slots_inherit() - go on with a predecessor's; takes @fd over. Before any slot is taken. */
void user_slots_inherit(struct user_slots *slots, int fd);
/** user_slot_adopt() - take the very slot that a predecessor had. Return: 0; -EBUSY; -errno. */
int user_slot_adopt(struct user_slots *slots, unsigned index, struct user_slot **ret_slot);
/** user_slots_settle() - unlock what the predecessor had and nobody adopted */
void user_slots_settle(const struct user_slots *slots);
/** user_slot_release() - NULL is fine */
void user_slot_release(struct user_slots *slots, struct user_slot *slot);

/**
 * user_slot_mapping() - the namespace for an id-mapped mount that shows @op's owner as who it is
 * inside
 *
 * Return: descriptor, owned by the slot, or -errno.
 */
int user_slot_mapping(struct user_slot *slot, const struct plan_op *op, struct error *error);
/** user_slot_image_mapping() - the same for files that belong to the range of images */
int user_slot_image_mapping(struct user_slot *slot, struct error *error);

#endif
