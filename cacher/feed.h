/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_FEED_H
#define CACHER_FEED_H

/*
 * DOC: Reading packed contents
 *
 * A packed artifact is unpacked into a pipe, not into a file: a file would need space that a full
 * disk lacks, and a step could fill the disk by a small artifact of zeroes. Each reader costs the
 * memory of two frames. A reader that reads nothing for FEED_STALL_SEC is dropped. The reader
 * knows the size, so a pipe that ends early means a failure.
 */

#include <stdatomic.h>
#include <stdint.h>

#define FEED_STALL_SEC 60

/** feed_pipe() - make a pipe for feed_content(); the caller owns both ends. Return: 0 or -errno. */
int feed_pipe(int *ret_read_fd, int *ret_write_fd);
/**
 * feed_content() - unpack contents into a pipe; blocks while the pipe is full
 * @fd:        a file of frames; not owned
 * @size:      bytes of the contents
 * @write_fd:  from feed_pipe(); not owned
 * @cancelled: set by another thread: return soon
 *
 * Return: 0; -ECANCELED; -EPIPE when the reader is gone; -ETIMEDOUT; -EBADMSG when the file is
 * damaged; another -errno.
 */
int feed_content(int fd, uint64_t size, int write_fd, const atomic_bool *cancelled);

#endif
