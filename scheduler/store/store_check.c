/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/store/store_check.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_MAX 512
#define BOOT_MAX 64
#define CHECK_STEP 20000 /* SQLite's instructions between two reads of the clock */
#define FINDINGS 3	 /* findings that are reported */

/* ---- the state file ---- */

static char this_boot[BOOT_MAX];

void store_boot_look(void)
{
	cleanup_close int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : fd_read_all(fd, this_boot, BOOT_MAX - 1);

	this_boot[got < 0 ? 0 : got] = '\0';
	this_boot[strcspn(this_boot, "\n")] = '\0';
}

static int state_path(char out[PATH_MAX], const char *path)
{
	return snprintf(out, PATH_MAX, "%s.state", path) >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* Return: 1 and the line, 0 when the file is missing, or -errno. */
static int state_read(const char *path, char line[STATE_MAX])
{
	char file[PATH_MAX];
	cleanup_close int fd = -1;
	ssize_t got;
	int r = state_path(file, path);

	if (r < 0)
		return r;
	fd = open(file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	got = fd_read_all(fd, line, STATE_MAX - 1);
	if (got < 0)
		return (int)got;
	line[got] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return 1;
}

/* On a full disk a new file fails, but this one has its block already. */
static int state_overwrite(const char *file, const char *line)
{
	cleanup_close int fd = open(file, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	size_t size = strlen(line);

	if (fd < 0 || pwrite(fd, line, size, 0) != (ssize_t)size ||
	    ftruncate(fd, (off_t)size) < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

static int state_write(const char *path, const char *word, const char *text)
{
	char file[PATH_MAX], line[STATE_MAX], old[STATE_MAX];
	int r = state_path(file, path);
	bool there;

	if (r < 0)
		return r;
	(void)snprintf(line, sizeof(line) - 1, "%s%s%.400s", word, text[0] ? " " : "", text);
	/* most starts change nothing: then nothing is written or synced */
	there = state_read(path, old) == 1;
	if (there && strcmp(old, line) == 0)
		return 0;
	strcat(line, "\n");
	r = file_replace(AT_FDCWD, file, line, strlen(line), 0600);
	return r == -ENOSPC && there ? state_overwrite(file, line) : r;
}

int store_mark_open(const char *path)
{
	return state_write(path, "open", this_boot);
}

int store_mark_clean(const char *path)
{
	char wal[PATH_MAX];
	struct stat st;

	/* the log could not be emptied (full disk, another reader), so its loss must be detected */
	if (snprintf(wal, sizeof(wal), "%s-wal", path) < (int)sizeof(wal) && stat(wal, &st) == 0 &&
	    st.st_size > 0)
		return 0;
	return state_write(path, "clean", "");
}

int store_mark_damaged(const char *path, const char *text)
{
	return state_write(path, "damaged", text);
}

/* ---- before the database is opened ---- */

int store_damaged_text(struct error *error, const char *path, const char *damage)
{
	return error_set(error, EUCLEAN,
			 "the database %s is damaged (%.300s): stop runbookd, look at the disk, "
			 "then `runbookctl restore BACKUP`; nothing was changed",
			 path, damage);
}

static void past_read(struct store_past *past, const char *line)
{
	static const char open_word[] = "open ", damaged_word[] = "damaged ";

	past->known = true;
	if (strncmp(line, damaged_word, strlen(damaged_word)) == 0) {
		past->damaged = true;
		(void)snprintf(past->damage, sizeof(past->damage), "%s",
			       line + strlen(damaged_word));
	} else if (strncmp(line, open_word, strlen(open_word)) == 0) {
		past->cut_short = true;
		past->other_boot = strcmp(line + strlen(open_word), this_boot) != 0;
	}
}

int store_past_look(const char *path, struct store_past *past, struct error *error)
{
	char line[STATE_MAX], wal[PATH_MAX];
	struct stat st;
	int r;

	*past = (struct store_past){0};
	r = state_read(path, line);
	if (r < 0)
		return error_errno(error, -r, "%s.state", path);
	if (r == 0)
		return 0;
	past_read(past, line);
	if (stat(path, &st) < 0 && errno != ENOENT)
		return error_errno(error, errno, "%s", path);
	if (access(path, F_OK) < 0 || st.st_size == 0)
		return error_set(error, EUCLEAN,
				 "the database %s is %s, but there was one: stop runbookd and "
				 "`runbookctl restore BACKUP`, or remove %s.state to begin with an "
				 "empty one",
				 path, access(path, F_OK) < 0 ? "gone" : "empty", path);
	/* after a clean end the log was empty */
	if (past->cut_short && snprintf(wal, sizeof(wal), "%s-wal", path) < (int)sizeof(wal) &&
	    access(wal, F_OK) < 0 && errno == ENOENT)
		return error_set(error, EUCLEAN,
				 "%s is gone, and with it what was acknowledged last: put it back, "
				 "or `runbookctl restore BACKUP`, or remove %s.state to go on "
				 "without",
				 wal, path);
	return 0;
}

/* ---- checking the pages ---- */

static int check_in_time(void *userdata)
{
	return now_usec() > *(const uint64_t *)userdata;
}

/* Return: 0, -EUCLEAN with @text, -ETIME. */
static int pages_check(sqlite3 *database, const char *check, char *text, size_t size)
{
	uint64_t deadline = now_usec() + STORE_CHECK_SEC * USEC_PER_SEC;
	sqlite3_stmt *statement = NULL;
	size_t used = 0;
	int code;

	text[0] = '\0';
	sqlite3_progress_handler(database, CHECK_STEP, check_in_time, &deadline);
	code = sqlite3_prepare_v2(database, check, -1, &statement, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	for (unsigned n = 0; code == SQLITE_ROW; n++, code = sqlite3_step(statement)) {
		const char *line = (const char *)sqlite3_column_text(statement, 0);

		if (line && strcmp(line, "ok") != 0 && n < FINDINGS && used < size) {
			int written = snprintf(text + used, size - used, "%s%.120s",
					       used ? "; " : "", line);

			used += written < 0 ? 0 : (size_t)written;
		}
	}
	if (code != SQLITE_DONE && code != SQLITE_INTERRUPT && text[0] == '\0')
		(void)snprintf(text, size, "%s", sqlite3_errmsg(database));
	(void)sqlite3_finalize(statement);
	sqlite3_progress_handler(database, 0, NULL, NULL);
	for (char *c = text; *c; c++) {
		if (*c == '\n')
			*c = ' ';
	}
	if (text[0])
		return -EUCLEAN;
	return code == SQLITE_INTERRUPT ? -ETIME : 0;
}

int store_check(sqlite3 *database, const struct store_past *past, struct error *error)
{
	const char *path = sqlite3_db_filename(database, "main");
	char text[400];
	int r;

	if (!past->damaged && !(past->cut_short && past->other_boot))
		return 0;
	log_notice("%s: reading the whole database",
		   past->damaged ? "a damaged page was found"
				 : "the host went down while it was open");
	/*
	 * the damage may be an index that does not match its rows, which quick_check does not
	 * compare
	 */
	r = pages_check(database,
			past->damaged ? "PRAGMA integrity_check(10)" : "PRAGMA quick_check(10)",
			text, sizeof(text));
	if (r == -EUCLEAN) {
		(void)store_mark_damaged(path, text);
		return store_damaged_text(error, path, text);
	}
	/* the check ran out of time, but damage was found before */
	if (r == -ETIME && past->damaged)
		return store_damaged_text(error, path, past->damage);
	if (r == -ETIME)
		log_notice("the database is large: the part that was read in %d s is intact",
			   STORE_CHECK_SEC);
	else
		log_notice("the database is intact");
	return 0;
}
