/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_FEED_H
#define CACHER_FEED_H

/*
 * DOC: Giving out what is packed
 *
 * Its content goes through a pipe: unpacked files would take room that a full disk
 * does not have, and a step could have a small artifact of zeroes fill it. Memory is
 * bounded by two frames for each reader. A reader that takes nothing for FEED_STALL_SEC is
 * left; the end of the pipe before its time tells the other side that something went
 * wrong.
 */

#include <stdatomic.h>
#include <stdint.h>

#define FEED_STALL_SEC 60

/** feed_pipe() - a pipe for feed_content(). Return: 0 or -errno. */
int feed_pipe(int *ret_read_fd, int *ret_write_fd);
/**
 * feed_content() - unpack a content into a pipe; waits for its reader
 * @fd:        frames; not owned
 * @size:      of the content
 * @write_fd:  of feed_pipe(); not owned
 * @cancelled: ends it soon
 *
 * Return: 0; -ECANCELED; -EPIPE; -ETIMEDOUT; -EBADMSG for a file that is damaged; -errno.
 */
int feed_content(int fd, uint64_t size, int write_fd, const atomic_bool *cancelled);

#endif
