/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_SECRETS_H
#define SCHEDULER_SECRETS_H

/*
 * DOC: Secrets
 *
 * The store has ciphertext (secret_crypt.h), root has the keys in a file or a
 * credential and hands them over in SECRET_KEYS; here they are in locked memory.
 * All secrets are always encrypted with one key, whose id and proof the store
 * has too.
 *
 * Rotation: SECRET_KEY_NEW asks root to put a new key in front of the file;
 * SECRET_KEYS brings both; every value is encrypted again and the key's id
 * changed in one transaction; after its commit SECRET_KEY_KEEP lets root forget
 * the old one. Whoever dies on the way: the file has both keys until the store
 * says which one counts, and a start with more keys than that one says KEEP.
 * Keys without the one in use (its file was removed or replaced) are a rotation,
 * too, while we have that one in memory.
 *
 * Values are decrypted for the moment in which a step's payload is made, and
 * wiped. They are the current ones, also for a retry: what was rotated because
 * it leaked must not come back from an old run.
 */

#include "scheduler/model/scheduler.h"

/** secrets_init() - nothing is known yet. Return: 0 or -ENOMEM. */
int secrets_init(struct secrets *secrets);
/** secrets_clear() - wipe and release what is held */
void secrets_clear(struct secrets *secrets);
/** secrets_check() - which key counts now, and is it there? After keys came or secrets went. */
void secrets_check(struct scheduler *scheduler);
/** secrets_key() - what to encrypt with; NULL with secrets.problem set */
const struct secret_key *secrets_key(const struct scheduler *scheduler);

/* messages of the daemon */
int secrets_handle_keys(struct channel *channel, struct message *message);
int secrets_handle_config(struct channel *channel, struct message *message);

/**
 * secrets_rekey() - encrypt every secret with keys->keys[0], in the open transaction
 *
 * Return: 0 with the number of secrets, or -errno with nothing changed. Without
 * memory on the way the process ends, so that nothing of it is committed.
 */
int secrets_rekey(struct scheduler *scheduler, size_t *ret_n, struct error *error);

/* ---- for a step ---- */

/** struct secret_value - "NAME=value", @length bytes without the NUL behind it */
struct secret_value {
	char *string;
	size_t n_name, length;
};

struct secret_set {
	struct secret_value *items;
	size_t n, room;
};

/** secret_set_clear() - wipe and release; usable as a cleanup attribute */
void secret_set_clear(struct secret_set *set);
#define cleanup_secret_set __attribute__((cleanup(secret_set_clear)))

/**
 * step_secrets_get() - what @step gets: the secrets of the value of its ENV
 *
 * Return: 0 (none is fine), -ENOKEY when there are some and they cannot be
 * decrypted, -ENOMEM, -EIO; @error says why and what to do.
 */
int step_secrets_get(const struct step *step, struct secret_set *ret_set, struct error *error);
/** step_secrets_env() - the value of its ENV, NULL when it has none: then it gets no secrets */
const char *step_secrets_env(const struct step *step);
/** step_secrets_withheld() - why a step with an ENV gets none nevertheless; NULL: it gets them */
const char *step_secrets_withheld(const struct step *step);

#endif
