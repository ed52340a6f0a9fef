/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_CLIENT_PAX_H
#define CACHER_CLIENT_PAX_H

/*
 * DOC: Archives of directories
 *
 * POSIX pax interchange format (POSIX.1-2017, pax, "pax Interchange Format"),
 * so that any tar can read what is stored. Made and unpacked by the client,
 * within the step: the service never looks into an archive.
 *
 * What survives: names of any bytes, files, directories (empty ones too),
 * symbolic and hard links, permission bits, modification times in
 * nanoseconds. Owners do not: what is unpacked belongs to who unpacks it.
 * Devices, FIFOs and sockets are refused.
 */

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PAX_BLOCK 512u
#define PAX_PATH_MAX 4096u
#define PAX_DEPTH_MAX 256u
#define PAX_HEADER_MAX (64u * 1024u) /* one extended header */
#define PAX_ENTRIES_MAX 10000000u

/**
 * typedef pax_sink_fn - takes @size bytes of an archive
 *
 * Return: 0 or -errno, which ends the writing and is passed on.
 */
typedef int (*pax_sink_fn)(void *userdata, const void *data, size_t size);

/**
 * pax_write_directory() - write everything beneath @dir_fd as an archive
 * @dir_fd: the directory; stays open
 * @name:   what error texts call it
 *
 * Return: 0, or -errno with @error set. When @sink failed, @error stays unset.
 */
int pax_write_directory(int dir_fd, const char *name, pax_sink_fn sink, void *userdata,
			struct error *error);

/**
 * pax_read_directory() - unpack the archive in @archive_fd into @dir_fd
 * @dir_fd: an empty directory that nobody else writes to
 *
 * No name leads out of @dir_fd: absolute names and ".." are refused, symbolic
 * links are never followed, nothing that exists is overwritten.
 *
 * Return: 0, or -errno with @error set; what was unpacked by then stays.
 */
int pax_read_directory(int archive_fd, int dir_fd, struct error *error);

#endif
