/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_STORE_CHECK_H
#define SCHEDULER_STORE_CHECK_H

/*
 * DOC: Is the store what we left?
 *
 * Beside the database lies a small file, DATABASE.state. It says that there is a
 * database, so that one that vanished is not made anew, and how the last life
 * ended:
 *
 *   open BOOT       it goes on, or was cut short; BOOT is the boot of the host
 *   clean           it ended by itself, and its log is empty
 *   damaged TEXT    it met a damaged page: TEXT is what SQLite said
 *
 * The write-ahead log is kept when the database is closed, so one that is missing
 * after a life that was cut short was removed by somebody, and with it what was
 * acknowledged last.
 *
 * What costs little is looked at on each start: that the files are there, the
 * header, the schema. Pages are read through (`PRAGMA quick_check`) when they may
 * have suffered: after an end in another boot of the host, a power cut that is. When
 * damage was met, indexes are compared with their rows, too (`integrity_check`). A
 * kill alone cannot damage pages: the kernel has them.
 */

#include "common/error.h"

#include <sqlite3.h>
#include <stdbool.h>

/* How long a check after a power cut may take; of a larger database it reads a part. */
#define STORE_CHECK_SEC 30

/** struct store_past - what the last life left */
struct store_past {
	bool known;	  /* there is a state file */
	bool cut_short;	  /* and it does not say how that life ended */
	bool other_boot;  /* it was in another boot of the host */
	bool damaged;	  /* it met a damaged page */
	char damage[256]; /* as SQLite said it */
};

/** store_boot_look() - learn which boot of the host this is, before the process locks itself in */
void store_boot_look(void);

/**
 * store_past_look() - before the database is opened
 *
 * Return: 0, or -EUCLEAN with @error set when files are missing that must be
 * there: opening would make new ones in their place.
 */
int store_past_look(const char *path, struct store_past *past, struct error *error);

/**
 * store_check() - read the opened database through if @past makes that wise
 *
 * Return: 0, or -EUCLEAN with what is wrong and what helps.
 */
int store_check(sqlite3 *database, const struct store_past *past, struct error *error);

/** store_mark_open() - write the state file. Return: 0 or -errno. */
int store_mark_open(const char *path);
/** store_mark_clean() - the same, after closing; not while its log holds anything */
int store_mark_clean(const char *path);
/** store_mark_damaged() - the next start looks at every page. Return: 0 or -errno. */
int store_mark_damaged(const char *path, const char *text);

/** store_damaged_text() - @error becomes the sentence for people: what, and what helps */
int store_damaged_text(struct error *error, const char *path, const char *damage);

#endif
