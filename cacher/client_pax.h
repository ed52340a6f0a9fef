/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_CLIENT_PAX_H
#define CACHER_CLIENT_PAX_H

/*
 * DOC: Archives of directories
 *
 * A directory is stored as one archive in the POSIX pax interchange format (POSIX.1-2017, pax,
 * "pax Interchange Format"), so any tar can read it. The client writes and unpacks archives
 * within the step; the service never looks into one.
 *
 * An archive keeps names of any bytes, files, directories (empty ones too), symbolic and hard
 * links, permission bits, and modification times in nanoseconds. It does not keep owners:
 * unpacked files belong to the extracting user. Devices, FIFOs and sockets are refused.
 */

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PAX_BLOCK 512u
#define PAX_PATH_MAX 4096u
#define PAX_DEPTH_MAX 256u
#define PAX_HEADER_MAX (64u * 1024u) /* bytes of one extended header */
#define PAX_ENTRIES_MAX 10000000u

/**
 * typedef pax_sink_fn - consume the next @size bytes of an archive
 *
 * Return: 0; or -errno, which ends pax_write_directory() and is its result.
 */
typedef int (*pax_sink_fn)(void *userdata, const void *data, size_t size);

/**
 * pax_write_directory() - write everything beneath @dir_fd as an archive
 * @dir_fd: the directory, owned by the caller
 * @name:   the directory's name in error texts
 *
 * Return: 0, or -errno with @error set. When @sink failed, @error stays unset.
 */
int pax_write_directory(int dir_fd, const char *name, pax_sink_fn sink, void *userdata,
			struct error *error);

/**
 * pax_read_directory() - unpack the archive in @archive_fd into @dir_fd
 * @dir_fd: an empty directory, to which no other process writes
 *
 * No name leads out of @dir_fd: absolute names and ".." are refused, symbolic
 * links are never followed, nothing that exists is overwritten.
 *
 * Return: 0, or -errno with @error set; the files unpacked so far stay.
 */
int pax_read_directory(int archive_fd, int dir_fd, struct error *error);

#endif
