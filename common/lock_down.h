/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_LOCK_DOWN_H
#define COMMON_LOCK_DOWN_H

/*
 * DOC: The lock-down of a program, as data
 *
 * Each unprivileged program has one constant struct lock_down with everything that it may still
 * reach. lock_down() applies it, in the order that isolation.h requires; lock_down_print()
 * prints it for "PROGRAM --print-lock-down". tests/golden/lock_down/ contains these outputs, so
 * giving a program more access changes a file there.
 */

#include "common/isolation.h"
#include "common/paths.h"

#include <stdint.h>
#include <stdio.h>

/* the dynamic loader, which the kernel executes for each of our programs */
#define PROGRAM_INTERPRETER "/lib64/ld-linux-x86-64.so.2"

/** enum lock_down_place - the directory that a path is relative to */
enum lock_down_place {
	PLACE_HOST, /* an absolute path, regardless of --root */
	PLACE_LIB,  /* beneath paths.lib */
	PLACE_LOG,  /* beneath paths.log */
};

/**
 * struct lock_down_path - a file, or a directory with all beneath it, that stays accessible
 * @path:     beneath @place: "" or "/NAME"
 * @find:     returns the path, or NULL if it is absent; then @path is for lock_down_print() only
 * @write:    create, change and remove files beneath; otherwise read only
 * @execute:  programs beneath may be started as well
 * @whiteouts: with @write: whiteouts of overlayfs may be made beneath
 * @mode:     not 0: a directory of the program's own user, see owned_directory_make()
 * @optional: the program can do without it: a failure is a warning
 * @fd:       not NULL: set to a descriptor of the directory, or to -1 on failure
 */
struct lock_down_path {
	enum lock_down_place place;
	const char *path;
	const char *(*find)(void);
	bool write, execute, whiteouts, optional;
	mode_t mode;
	int *fd;
};

#define LOCK_DOWN_PATHS_MAX 32

/**
 * struct lock_down - everything that a program may still reach
 * @role:      its user
 * @paths:     files and directories
 * @network:   the TCP ports that it uses
 * @syscalls:  calls beyond the base set of isolation_seccomp.c, NULL-terminated
 * @fds_max:   soft limit of descriptors, if the hard limit allows; 0: leave it
 * @user_only: only drop ids here; the program restricts files and calls later, by job
 * @process:   name of the process, if the program has several; else NULL
 * @next:      lock-down of another process of the same program, printed as well
 */
struct lock_down {
	enum process_role role;
	const struct lock_down_path *paths;
	size_t n_paths;
	struct isolation_network network;
	const char *const *syscalls;
	uint64_t fds_max;
	bool user_only;
	const char *process;
	const struct lock_down *next;
};

/**
 * lock_down() - make and open the directories, then drop all other access for good
 *
 * Call it as root, after closing the descriptors that must not stay open. Return: 0 or -errno;
 * on failure the process must exit, because it may be locked down in part.
 */
int lock_down(const struct lock_down *lock_down, const struct paths *paths, struct error *error);

/**
 * lock_down_print() - print it for people and tests, one fact per line, for each process
 *
 * Return: 0 or -errno.
 */
int lock_down_print(const struct lock_down *lock_down, FILE *file);

#endif
