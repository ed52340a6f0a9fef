/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_SECRET_STATE_H
#define SCHEDULER_SECRET_STATE_H

/* What the scheduler holds of keys; see secrets.h. */

#include "common/error.h"
#include "common/limits.h"
#include "common/secret_keys.h"
#include "scheduler/model/secret_crypt.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/** struct secrets - part of struct scheduler */
struct secrets {
	struct secret_keys *keys;	     /* locked memory; NULL: none came yet */
	bool fixed;			     /* they are a credential: not changed from here */
	char source[PATH_MAX];		     /* where they are, for sentences */
	char current[SECRET_KEY_ID_MAX + 1]; /* the key of the store, "" none that we could use */
	char problem[ERROR_TEXT_MAX];	     /* why secrets cannot be used, "" when they can */
	struct sealing_keys sealing;
	bool rekeying; /* somebody waits for it: */
	uint64_t rekey_serial, rekey_generation;
};

#endif
