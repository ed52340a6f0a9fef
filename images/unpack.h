/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGES_UNPACK_H
#define IMAGES_UNPACK_H

/*
 * DOC: runbook-unpack: one layer out of its archive
 *
 * Runs in a sandbox that runbookd builds: uid 0 of a range of ids that nobody
 * else has, no network, one writable directory, limits. It is the only program
 * that parses layers. The packed layer is standard input; standard output takes
 * the report, NUL-terminated items that each start with a letter:
 *
 *   D ID      digest of the unpacked stream: the layer's id
 *   B BYTES   N ENTRIES
 *   O PATH    a directory that hides what is below it ("" : the root)
 *   P TEXT    etc/passwd of this layer; G TEXT etc/group
 *   X TEXT    what is wrong: the layer is refused
 *   M         before it: the packed bytes are damaged, another download may not be
 *   E NUMBER  before it: the errno value of the system call that failed
 *   .         the end; without it the report was cut off
 *
 * Whiteouts become what overlayfs understands: a character device 0:0 (which
 * everybody may make) hides one name; opaque directories need an attribute that
 * only root may set, so they are reported.
 */

#include "common/limits.h"

#include <archive.h>
#include <archive_entry.h>
#include <sodium.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNPACK_PATH_MAX 4095
#define UNPACK_NAME_MAX 255
#define UNPACK_DEPTH_MAX 256
#define UNPACK_ACCOUNTS_MAX (1 * MIB) /* of etc/passwd and etc/group */

/** struct unpack_limits - of one layer */
struct unpack_limits {
	uint64_t bytes;
	uint64_t entries;
};

/** struct unpack - a layer on its way from a stream into a directory */
struct unpack {
	int directory_fd;
	int report_fd; /* -1: nobody wants it */
	struct unpack_limits limits;
	struct archive *archive; /* the tar inside */
	uint64_t bytes, entries;
	uint64_t n_opaque;
	char path[UNPACK_PATH_MAX + 1]; /* of the entry at hand, normalized */
	bool failed;			/* an X was reported */
};

/** unpack_report() - append one item; a report that cannot be written ends the program's work */
int unpack_report(struct unpack *unpack, char letter, const char *text);
/** unpack_refuse() - report what is wrong with the layer. Return: -EINVAL. */
int unpack_refuse(struct unpack *unpack, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** unpack_failed() - the same, because a system call failed: "@format: strerror(@number)" */
int unpack_failed(struct unpack *unpack, int number, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** unpack_damaged() - the same, of packed bytes that are not what was packed. Return: -EINVAL. */
int unpack_damaged(struct unpack *unpack, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** unpack_tree() - every entry of unpack->archive, until its end. Return: 0 or -errno, reported. */
int unpack_tree(struct unpack *unpack);

/**
 * unpack_stream() - unpack @fd, checking both digests
 * @digest: of what is read, 64 hex digits; "": not checked
 * @layer:  of what it unpacks to; "": not checked
 *
 * Return: 0 or -errno, reported.
 */
int unpack_stream(struct unpack *unpack, int fd, const char *digest, const char *layer);

/** unpack_remove() - empty the directory. Return: 0 or -errno. */
int unpack_remove(int directory_fd);

#endif
