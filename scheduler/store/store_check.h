/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEDULER_STORE_CHECK_H
#define SCHEDULER_STORE_CHECK_H

/*
 * DOC: Whether the store is as it was left
 *
 * Beside the database is a small file, DATABASE.state. It proves that there was a database, so that
 * a missing one is not silently made anew, and records how the last life of the process ended:
 *
 *   open BOOT       still running, or killed; BOOT is the boot id of the host
 *   clean           ended by itself, with an empty log
 *   damaged TEXT    found a damaged page: TEXT is the message of SQLite
 *
 * The write-ahead log is kept when the database is closed. If it is missing after a kill, something
 * else removed it, and with it the last acknowledged commits.
 *
 * Cheap checks are made at each start: that the files exist, the header, the schema. All pages are
 * read (`PRAGMA quick_check`) when they may have suffered: after an end in another boot of the
 * host, that is a power cut. After damage was found, indexes are compared with their rows as well
 * (`integrity_check`). A kill alone cannot damage pages: the kernel has them.
 */

#include "common/error.h"

#include <sqlite3.h>
#include <stdbool.h>

/* seconds that a check after a power cut may take; of a larger database it reads a part */
#define STORE_CHECK_SEC 30

/** struct store_past - how the last life ended */
struct store_past {
	bool known;	  /* there is a state file */
	bool cut_short;	  /* killed: the state file has no end */
	bool other_boot;  /* in another boot of the host */
	bool damaged;	  /* it found a damaged page */
	char damage[256]; /* message of SQLite */
};

/** store_boot_look() - read the boot id of the host, before the lock-down of the process */
void store_boot_look(void);

/**
 * store_past_look() - read the state file, before the database is opened
 *
 * Return: 0, or -EUCLEAN with @error set when files are missing: opening would create new ones.
 */
int store_past_look(const char *path, struct store_past *past, struct error *error);

/**
 * store_check() - read the pages of the opened database if @past requires it
 *
 * Return: 0, or -EUCLEAN with the damage and a remedy in @error.
 */
int store_check(sqlite3 *database, const struct store_past *past, struct error *error);

/** store_mark_open() - write "open" to the state file. Return: 0 or -errno. */
int store_mark_open(const char *path);
/**
 * store_mark_clean() - write "clean" after closing, unless the log is not empty. Return: 0 or
 * -errno.
 */
int store_mark_clean(const char *path);
/** store_mark_damaged() - write "damaged": the next start checks all pages. Return: 0 or -errno. */
int store_mark_damaged(const char *path, const char *text);

/** store_damaged_text() - set @error to a sentence with a remedy. Return: -EUCLEAN. */
int store_damaged_text(struct error *error, const char *path, const char *damage);

#endif
