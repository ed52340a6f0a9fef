/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_IO_DIRECT_H
#define DAEMON_IO_DIRECT_H

/*
 * DOC: May a write to a file be made at once?
 *
 * A write(2) to the page cache takes as long as copying the bytes, unless the kernel makes the
 * writer wait for the disk: so much is dirty that it slows writers down, or the disk does not
 * follow. An event loop must not wait for that. But giving every write to io_uring costs more than
 * the write: where the file system cannot tell in advance whether it would wait (ext4), a thread of
 * the kernel makes each of them, with two switches and the bytes in another processor's cache.
 *
 * So a write is made at once while the dirty pages of the machine are below the threshold at which
 * the kernel begins to write them out, half of which is left before it slows writers down. After a
 * write that waited nevertheless, no write is made at once for a second, and twice as long
 * each time that this repeats itself.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IO_DIRECT_STEP (32u * 1024u * 1024u) /* bytes written between two looks, at most */
#define IO_DIRECT_LOOK_USEC 100000	     /* time between two looks, at most */
#define IO_DIRECT_SLOW_USEC 5000	     /* a wait that matters */
#define IO_DIRECT_PAUSE_USEC 1000000
#define IO_DIRECT_PAUSE_MAX_USEC (64 * IO_DIRECT_PAUSE_USEC)

struct io_direct {
	int vmstat_fd;	      /* /proc/vmstat; -1: no write is made at once */
	uint64_t looked_usec; /* monotonic */
	uint64_t allowed;     /* bytes until the next look */
	uint64_t paused_until_usec, pause_usec;
};

/** io_direct_open() - look at @vmstat, which is /proc/vmstat but for tests */
void io_direct_open(struct io_direct *direct, const char *vmstat);
/** io_direct_close() - the reverse */
void io_direct_close(struct io_direct *direct);
/** io_direct_may() - may @size bytes be written at once? @now: now_usec() */
bool io_direct_may(struct io_direct *direct, size_t size, uint64_t now);
/**
 * io_direct_wrote() - a write that was made at once took @usec and ended at @now
 * @slept: it waited; if not, other processes had the processor meanwhile
 */
void io_direct_wrote(struct io_direct *direct, uint64_t usec, bool slept, uint64_t now);

#endif
