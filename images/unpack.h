/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGES_UNPACK_H
#define IMAGES_UNPACK_H

/*
 * DOC: runbook-unpack, which unpacks a layer
 *
 * It is the only program that parses layers, and runs in a sandbox that runbookd builds: as uid 0
 * of a range of ids of its own, without network, with one writable directory, and with limits.
 * The packed layer is its standard input. It writes a report to standard output: items that end
 * with a NUL and start with a letter:
 *
 *   D ID      digest of the unpacked stream, which is the layer's id
 *   B BYTES   N ENTRIES
 *   O PATH    an opaque directory, which hides the layers below it ("": the root)
 *   P TEXT    the layer's etc/passwd; G TEXT its etc/group
 *   X TEXT    the layer is refused, for this reason
 *   M         before X: the packed bytes are damaged, so another download may be sound
 *   E NUMBER  before X: the errno value of the system call that failed
 *   .         the end; a report without it was cut off
 *
 * Whiteouts are translated to overlayfs (Documentation/filesystems/overlayfs.rst): a character
 * device 0:0, which needs no privilege, hides a name. Opaque directories need an attribute
 * that only root may set, so they are reported, and runbookd sets it.
 */

#include "common/limits.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNPACK_PATH_MAX 4095
#define UNPACK_NAME_MAX 255
#define UNPACK_DEPTH_MAX 256
#define UNPACK_ACCOUNTS_MAX (1 * MIB) /* bytes of etc/passwd or etc/group */

/** struct unpack_limits - bounds of one layer */
struct unpack_limits {
	uint64_t bytes;
	uint64_t entries;
};

/** struct unpack - a layer that is being unpacked from a stream into a directory */
struct unpack {
	int directory_fd;
	int report_fd; /* -1: without a report */
	struct unpack_limits limits;
	struct archive *archive; /* the tar inside */
	uint64_t bytes, entries;
	uint64_t n_opaque;
	char path[UNPACK_PATH_MAX + 1]; /* of the current entry, normalized */
	bool failed;			/* an X was reported */
};

/** unpack_report() - write one item of the report. Return: 0, or -EPIPE: stop unpacking. */
int unpack_report(struct unpack *unpack, char letter, const char *text);
/** unpack_refuse() - report why the layer is refused. Return: -EINVAL. */
int unpack_refuse(struct unpack *unpack, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** unpack_failed() - the same, for a failed system call: "@format: strerror(@number)" */
int unpack_failed(struct unpack *unpack, int number, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** unpack_damaged() - the same, for packed bytes that are damaged. Return: -EINVAL. */
int unpack_damaged(struct unpack *unpack, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** unpack_tree() - unpack all entries of unpack->archive. Return: 0 or -errno, reported. */
int unpack_tree(struct unpack *unpack);

/**
 * unpack_stream() - unpack the layer that @fd yields, and check both digests
 * @digest: SHA-256 of the packed bytes, 64 hex digits; "": not checked
 * @layer:  SHA-256 of the unpacked stream; "": not checked
 *
 * Return: 0 or -errno, reported.
 */
int unpack_stream(struct unpack *unpack, int fd, const char *digest, const char *layer);

/** unpack_remove() - remove everything in the directory. Return: 0 or -errno. */
int unpack_remove(int directory_fd);

#endif
