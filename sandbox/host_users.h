/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_USERS_H
#define SANDBOX_HOST_USERS_H

/*
 * DOC: User ids of steps on the host
 *
 * Every running step owns a slot: 65,536 host ids from ID_STEP_FIRST up that no other process
 * uses, plus one id for its runbook-init. Root of the host is never mapped.
 *
 * Ids inside from 65,536 on are mapped to those from ID_LARGE_FIRST on, the same for all steps:
 * archives contain owners like 1000660000, and there are not enough ids to give each step its
 * own. Two steps never share a place where such an id could matter: files are on scratch file
 * systems of their own, processes in process namespaces.
 *
 * A slot is held by a byte-range lock on a file that all programs of all instances share, so no
 * two of them use the same slot, and a killed program leaves nothing to clean up.
 *
 * Each slot caches the step's user namespace and one for the id-mapped mounts of its workspace,
 * because making them costs more than the rest of the set-up.
 */

#include "common/error.h"
#include "common/limits.h"
#include "sandbox/plan.h"
#include "sandbox/spawn.h"

#include <stdbool.h>
#include <sys/types.h>

/** struct user_slot - a range of host ids, and the namespaces cached for it */
struct user_slot {
	unsigned index;
	bool taken;
	uid_t base;	/* host id of uid 0 inside; also the group id */
	uid_t init_id;	/* user and group of runbook-init */
	int userns_fd;	/* maps 0-65535 and the large ids; -1: none yet */
	int mapping_fd; /* of the two maps below, for one owner; -1: none yet */
	struct id_map mapped_users, mapped_groups;
	struct userns_job *job; /* makes or has made userns_fd, see user_slots_begin() */
	int image_fd;		/* maps the ids of images to 0-65535 inside; -1: none yet */
};

struct user_slots;

/** user_slots_new() - open the shared lock file. Return: 0 or -errno with @error. */
int user_slots_new(struct user_slots **ret_slots, struct error *error);
/** user_slots_free() - release all slots. @slots may be NULL. Return: NULL. */
struct user_slots *user_slots_free(struct user_slots *slots);

/**
 * user_slots_begin() - start preparing a slot in a process of its own, for user_slot_take()
 *
 * For a program that starts one sandbox and has other things to prepare meanwhile. After a
 * failure here user_slot_take() tries again, and reports.
 */
void user_slots_begin(struct user_slots *slots);

/** user_slot_take() - lock a free slot and make its user namespace. Return: 0 or -errno. */
int user_slot_take(struct user_slots *slots, struct user_slot **ret_slot, struct error *error);
/** user_slots_fd() - the open file that holds the locks, owned by @slots */
int user_slots_fd(const struct user_slots *slots);
/** user_slots_inherit() - use a predecessor's lock file; owns @fd. Before user_slot_take() only. */
void user_slots_inherit(struct user_slots *slots, int fd);
/** user_slot_adopt() - take slot @index of a predecessor's step. Return: 0; -EBUSY; -errno. */
int user_slot_adopt(struct user_slots *slots, unsigned index, struct user_slot **ret_slot);
/** user_slots_settle() - unlock the predecessor's slots that were not adopted */
void user_slots_settle(const struct user_slots *slots);
/**
 * user_slot_started() - give back what only the start of its sandbox needed
 *
 * The process that made the user namespace was killed before, and has ended by now.
 */
void user_slot_started(struct user_slot *slot);
/** user_slot_release() - unlock the slot for other steps. @slot may be NULL. */
void user_slot_release(struct user_slots *slots, struct user_slot *slot);

/**
 * user_slot_mapping() - the user namespace for an id-mapped mount that shows @op's owner on
 * disk as its owner inside
 *
 * Return: descriptor, owned by the slot, or -errno.
 */
int user_slot_mapping(struct user_slot *slot, const struct plan_op *op, struct error *error);
/** user_slot_image_mapping() - the same for files of the range of images */
int user_slot_image_mapping(struct user_slot *slot, struct error *error);

#endif
