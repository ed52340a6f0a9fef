/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_SECRETS_H
#define SCHEDULER_SECRETS_H

/*
 * DOC: Secrets
 *
 * The store has ciphertext (secret_crypt.h). Root has the keys in a file or a credential and passes
 * them in SECRET_KEYS; here they are in locked memory. All secrets are always encrypted with one
 * key, whose id and proof the store has as well.
 *
 * Rotation: SECRET_KEY_NEW requests a new key at the front of the file; SECRET_KEYS brings both;
 * every value is encrypted again and the key's id changed in one transaction; after its commit
 * SECRET_KEY_KEEP allows root to drop the old one. If any process dies on the way, the file has
 * both keys until the store names the one in use, and a start with further keys sends
 * SECRET_KEY_KEEP. Keys without the one in use (the file was removed or replaced) also start a
 * rotation, as long as that key is still in memory.
 *
 * Values are decrypted only while a step's payload is made, and then wiped. A step gets the current
 * values, also when it is retried: a value that was changed because it leaked must not come back
 * with an old run.
 */

#include "scheduler/model/scheduler.h"

/** secrets_init() - generate the sealing key pair; no key is known yet. Return: 0 or -ENOMEM. */
int secrets_init(struct secrets *secrets);
/** secrets_clear() - wipe and release all keys */
void secrets_clear(struct secrets *secrets);
/**
 * secrets_check() - after keys arrived or secrets were removed: find the key in use, set
 * secrets.problem
 */
void secrets_check(struct scheduler *scheduler);
/** secrets_key() - the key to encrypt with; NULL with secrets.problem set */
const struct secret_key *secrets_key(const struct scheduler *scheduler);

/* secrets_handle_*() - handlers of the daemon's messages. Return: 0 or -errno, which closes it. */
int secrets_handle_keys(struct channel *channel, struct message *message);
int secrets_handle_config(struct channel *channel, struct message *message);

/**
 * secrets_rekey() - encrypt every secret with keys->keys[0], in the open transaction
 *
 * Return: 0 with the number of secrets, or -errno with nothing changed. If memory runs out on the
 * way, the process ends, so that no part of it is committed.
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
 * step_secrets_get() - decrypt the secrets of @step: those of its project under the value of its
 * ENV
 *
 * Return: 0 (also when there are none), -ENOKEY when there are secrets that cannot be decrypted,
 * -ENOMEM, -EIO; @error has the reason and what to do.
 */
int step_secrets_get(const struct step *step, struct secret_set *ret_set, struct error *error);
/** step_secrets_env() - the value of ENV in the runbook; NULL when it has none: no secrets then */
const char *step_secrets_env(const struct step *step);
/** step_secrets_withheld() - why a step with an ENV gets no secrets; NULL: it gets them */
const char *step_secrets_withheld(const struct step *step);

#endif
