/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_FDIO_H
#define COMMON_FDIO_H

/*
 * DOC: Whole files
 *
 * read(2) and write(2) may be short or interrupted; these functions transfer everything or
 * fail. Also here: files that are replaced atomically, sealed memfds, and mkdir -p.
 */

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** fd_write_all() - write @size bytes, despite short writes and EINTR. Return: 0 or -errno. */
int fd_write_all(int fd, const void *data, size_t size);

/** fd_read_all() - read until @size bytes or end of file. Return: bytes read or -errno. */
ssize_t fd_read_all(int fd, void *data, size_t size);

/**
 * fd_read_file() - read a whole file from its current offset into memory
 * @limit:    bytes; a larger file is -EFBIG
 * @ret_data: malloc'ed, NUL-terminated after @ret_size bytes; caller frees
 *
 * Return: 0 or -errno.
 */
int fd_read_file(int fd, size_t limit, char **ret_data, size_t *ret_size);

/**
 * file_replace() - write @path atomically: after a crash the old or the new file is whole
 *
 * Writes a temporary file in the same directory, then fsync, rename, fsync of the directory.
 * Return: 0 or -errno.
 */
int file_replace(int dir_fd, const char *path, const void *data, size_t size, mode_t mode);

/** memfd_sealed() - make a memfd with @data, sealed against every change. Return: fd or -errno. */
int memfd_sealed(const char *name, const void *data, size_t size);

/** fd_set_nonblock(), fd_set_cloexec() - Return: 0 or -errno. */
int fd_set_nonblock(int fd, int on);
int fd_set_cloexec(int fd, int on);

/** make_directories() - mkdir -p beneath @dir_fd or AT_FDCWD. Return: 0 or -errno. */
int make_directories(int dir_fd, const char *path, mode_t mode);

/**
 * open_parent_directory() - open the directory that holds @path, as open(2) finds it
 * @path: trusted; for an untrusted path use common/beneath.h
 *
 * Return: fd or -errno.
 */
int open_parent_directory(int dir_fd, const char *path);

#endif
