/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_SECRET_STATE_H
#define SCHEDULER_SECRET_STATE_H

/* Data of secrets.h: the keys that the scheduler has. */

#include "common/error.h"
#include "common/limits.h"
#include "common/secret_keys.h"
#include "scheduler/model/secret_crypt.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/** struct secrets - part of struct scheduler */
struct secrets {
	struct secret_keys *keys; /* locked memory; NULL: none arrived yet */
	bool fixed;		  /* from a credential: they cannot be changed from here */
	char source[PATH_MAX];	  /* their path, for sentences */
	char current[SECRET_KEY_ID_MAX + 1]; /* id of the store's key, "": none that is usable */
	char problem[ERROR_TEXT_MAX];	     /* why secrets cannot be used, "" when they can */
	struct sealing_keys sealing;
	bool rekeying; /* a request to change the key is open: */
	uint64_t rekey_serial, rekey_generation;
};

#endif
