/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_NETWORK_RECORD_H
#define SANDBOX_HOST_NETWORK_RECORD_H

/*
 * DOC: Several programs, one table
 *
 * A daemon, a second one beside it and any number of runbook-sandbox share the
 * table, the subnets and the addresses of a network namespace of the host. What
 * they do is ordered by byte-range locks (released by the kernel when a program
 * dies) on one file per network namespace:
 *
 *   SETUP   exclusive, short: somebody sets up or takes down
 *   USE     shared, long: somebody relies on the table
 *   ADDRESS + n  exclusive: address n is in use
 *
 * The file's contents are what the table was made from, and every setting of
 * the host that must be put back, with its old value.
 */

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RECORD_SETUP 0
#define RECORD_USE 1
#define RECORD_ADDRESS 16

/* behind the text: a byte for each address */
#define RECORD_MARKS 65536

#define RECORD_UPLINKS_MAX 16
#define RECORD_SETTINGS_MAX 96

/** struct record_setting - a file beneath /proc/sys/net, and what stood there before us */
struct record_setting {
	char path[104];
	char before[8];
};

/** struct record_contents - the file, as data */
struct record_contents {
	uint32_t subnet;    /* IPv4, host byte order, /16; 0: nothing is set up */
	uint8_t subnet6[6]; /* IPv6 /48; all zero: no IPv6 */
	bool routes4;	    /* the host forwarded IPv4 everywhere before us */
	bool routes6;	    /* and IPv6 */
	bool everywhere6;   /* IPv6 is forwarded by all interfaces, but only because of us */
	/* interfaces that forward only because we said so */
	char uplinks4[RECORD_UPLINKS_MAX][64];
	size_t n_uplinks4;
	char uplinks6[RECORD_UPLINKS_MAX][64];
	size_t n_uplinks6;
	struct record_setting settings[RECORD_SETTINGS_MAX];
	size_t n_settings;
};

/** struct network_record - the open file; .fd is -1 while it is not */
struct network_record {
	int fd;
	char path[64];
	struct record_contents contents;
};

/**
 * record_open_locked() - open the file and hold its SETUP lock
 * @create: make it where there is none
 *
 * Return: 0; -ENOENT when there is none and none is wanted; -errno.
 */
int record_open_locked(struct network_record *record, bool create);
/**
 * record_inherit() - go on with a predecessor's open file; takes @fd over
 *
 * Return: 0; -ESTALE when it is not (any more) what other programs use.
 */
int record_inherit(struct network_record *record, int fd);
/** record_unlock() - give up the locks on @n bytes from @first */
void record_unlock(const struct network_record *record, off_t first, off_t n);
/** record_close() - also gives up every lock */
void record_close(struct network_record *record);
/** record_lock() - F_RDLCK, F_WRLCK or F_UNLCK on @byte. Return: 0 or -errno (EAGAIN: taken). */
int record_lock(const struct network_record *record, off_t byte, short type, bool wait);

/** record_read() - fill .contents from the file; what it does not understand is left out */
void record_read(struct network_record *record);
/** record_write() - write .contents. Return: 0 or -errno. */
int record_write(const struct network_record *record);

/**
 * record_mark() - note that the table has elements for address @index
 *
 * Whoever is killed leaves them there. Return: 0 or -errno.
 */
int record_mark(const struct network_record *record, unsigned index, bool marked);
/** record_marked() - also true when it cannot be known */
bool record_marked(const struct network_record *record, unsigned index);

/** record_has_subnet6() - is IPv6 part of what is set up? */
bool record_has_subnet6(const struct record_contents *contents);
/**
 * record_setting_add() - remember what stands at @path, so that it can be put back
 *
 * Return: 1 when it has to be changed to @value, 0 when that stands there
 * already; -errno when it cannot be read or too many are remembered.
 */
int record_setting_add(struct record_contents *contents, const char *path, const char *value);
/** record_uplink_add() - once each; the list has RECORD_UPLINKS_MAX places */
void record_uplink_add(char (*uplinks)[64], size_t *n, const char *name);
/** record_settings_undo() - put everything back, last first, and forget it */
void record_settings_undo(struct record_contents *contents);

/** setting_read() - the first word of a file beneath /proc/sys. Return: 0 or -errno. */
int setting_read(const char *path, char *value, size_t size);
/** setting_write() - Return: 0 or -errno. */
int setting_write(const char *path, const char *value);

#endif
