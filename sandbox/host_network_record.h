/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_NETWORK_RECORD_H
#define SANDBOX_HOST_NETWORK_RECORD_H

/*
 * DOC: Several programs, one table
 *
 * Several daemons and any number of runbook-sandbox share the table, the subnets and the
 * addresses of one network namespace of the host. They are ordered by byte-range locks (which
 * the kernel releases when a program dies) on one file per network namespace:
 *
 *   SETUP   exclusive, short: a program sets up or takes down
 *   USE     shared, long: a program relies on the table
 *   GATEWAY + n  exclusive: addresses of part n are behind a program's gateway
 *   ADDRESS + n  exclusive: address n is in use
 *
 * The file contains what the table was made from, and every setting of the host that must be
 * restored, with its old value.
 */

#include "common/error.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RECORD_SETUP 0
#define RECORD_USE 1
#define RECORD_GATEWAY 2
#define RECORD_ADDRESS 16

/* file offset behind the text: a byte for each address */
#define RECORD_MARKS 65536

#define RECORD_UPLINKS_MAX 16
#define RECORD_SETTINGS_MAX 96

/** struct record_setting - a file beneath /proc/sys/net and its value before our change */
struct record_setting {
	char path[104];
	char before[8];
};

/** struct record_contents - the contents of the file, parsed */
struct record_contents {
	uint32_t subnet;    /* IPv4, host byte order, /16; 0: nothing is set up */
	uint8_t subnet6[6]; /* IPv6 /48; all zero: no IPv6 */
	bool routes4;	    /* the host forwarded IPv4 on all interfaces before our change */
	bool routes6;	    /* the same for IPv6 */
	bool everywhere6;   /* all interfaces forward IPv6, only by our change */
			    /* interfaces that forward only by our change */
	char uplinks4[RECORD_UPLINKS_MAX][64];
	size_t n_uplinks4;
	char uplinks6[RECORD_UPLINKS_MAX][64];
	size_t n_uplinks6;
	struct record_setting settings[RECORD_SETTINGS_MAX];
	size_t n_settings;
};

/** struct network_record - the open file; .fd is -1 while it is closed */
struct network_record {
	int fd;
	char path[64];
	struct record_contents contents;
};

/**
 * record_open_locked() - open the file and hold its SETUP lock
 * @create: create it if it does not exist
 *
 * Return: 0; -ENOENT if it does not exist and @create is false; -errno.
 */
int record_open_locked(struct network_record *record, bool create);
/**
 * record_inherit() - use a predecessor's open file, with its locks; owns @fd from now on
 *
 * Return: 0; -ESTALE if other programs use a different file by now.
 */
int record_inherit(struct network_record *record, int fd);
/** record_unlock() - release the locks on @n bytes from @first */
void record_unlock(const struct network_record *record, off_t first, off_t n);
/** record_close() - also releases every lock */
void record_close(struct network_record *record);
/** record_lock() - F_RDLCK, F_WRLCK or F_UNLCK on @byte. Return: 0 or -errno (EAGAIN: taken). */
int record_lock(const struct network_record *record, off_t byte, short type, bool wait);

/** record_read() - fill .contents from the file; unknown lines are ignored */
void record_read(struct network_record *record);
/** record_write() - write .contents. Return: 0 or -errno. */
int record_write(const struct network_record *record);

/**
 * record_mark() - note that the table has elements for address @index
 *
 * A killed program leaves them in the table. Return: 0 or -errno.
 */
int record_mark(const struct network_record *record, unsigned index, bool marked);
/** record_marked() - whether the address is marked; also true if the file cannot be read */
bool record_marked(const struct network_record *record, unsigned index);

/** record_has_subnet6() - is IPv6 part of what is set up? */
bool record_has_subnet6(const struct record_contents *contents);
/** record_address6() - the IPv6 address of the index @index, which is in its last two bytes */
struct in6_addr record_address6(const struct record_contents *contents, unsigned index);
/**
 * record_forwarding6_on() - enable IPv6 forwarding on our new link @name of the host
 *
 * Return: 0, also where no link of ours needs that; -errno with @error.
 */
int record_forwarding6_on(const struct record_contents *contents, const char *name,
			  struct error *error);
/**
 * record_setting_add() - record the current value at @path, so that it can be restored
 *
 * Return: 1 if it must be changed to @value, 0 if it has that value already; -errno if it
 * cannot be read or too many are recorded.
 */
int record_setting_add(struct record_contents *contents, const char *path, const char *value);
/** record_uplink_add() - add @name unless it is listed; the list has RECORD_UPLINKS_MAX places */
void record_uplink_add(char (*uplinks)[64], size_t *n, const char *name);
/** record_settings_undo() - restore all recorded values, last first, and empty the list */
void record_settings_undo(struct record_contents *contents);

/** setting_read() - the first word of a file beneath /proc/sys. Return: 0 or -errno. */
int setting_read(const char *path, char *value, size_t size);
/** setting_write() - write a file beneath /proc/sys. Return: 0 or -errno. */
int setting_write(const char *path, const char *value);

#endif
