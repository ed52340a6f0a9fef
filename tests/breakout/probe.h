/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BREAKOUT_PROBE_H
#define BREAKOUT_PROBE_H

/*
 * DOC: Attacks as data
 *
 * Each file of the probe has a table of attacks; README.md beside it says which
 * id of the threat list is where. The headers that all of them need are here.
 */

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/user.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* An attack returns true when it got through. */
typedef bool (*attack_fn)(const char *argument);

struct attack {
	const char *id, *name;
	attack_fn attack;
	const char *argument;
};

extern const struct attack file_attacks[];
extern const size_t n_file_attacks;
extern const struct attack space_attacks[];
extern const size_t n_space_attacks;
extern const struct attack call_attacks[];
extern const size_t n_call_attacks;
extern const struct attack share_attacks[];
extern const size_t n_share_attacks;
extern const struct attack host_attacks[];
extern const size_t n_host_attacks;
extern const struct attack must_work[];
extern const size_t n_must_work;

/* probe.c: used by more than one file */
bool opens(const char *path, int flags);
bool open_read(const char *path);
bool open_write(const char *path);
bool has_content(const char *path);
bool create_in(const char *directory);
bool list_directory(const char *path);
bool read_link_works(const char *path);
bool environment_path(const char *name);
/* true when @act returns true in a child; false when it dies */
bool in_child(bool (*act)(const char *argument), const char *argument);
/* "number a b c d": a system call; got through unless EPERM or ENOSYS says no */
bool call(const char *text);

/* probe_share.c: makes what shm-ipc and cross-step of another sandbox look for */
int share_hold(void);

#endif
