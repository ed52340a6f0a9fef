/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_LOCK_DOWN_H
#define COMMON_LOCK_DOWN_H

/*
 * DOC: What a program of ours may reach, as data
 *
 * Each unprivileged program describes by one constant struct lock_down what it keeps of root's
 * rights. lock_down() makes it so, in the order that isolation.h demands; lock_down_print() prints
 * it, which "PROGRAM --print-lock-down" does. tests/golden/lock_down/ has what each prints, so a
 * program that may reach more is a change of a file there.
 */

#include "common/isolation.h"
#include "common/paths.h"

#include <stdint.h>
#include <stdio.h>

/* the program that the kernel starts for each program of ours, before its own code runs */
#define PROGRAM_INTERPRETER "/lib64/ld-linux-x86-64.so.2"

enum lock_down_place {
	PLACE_HOST, /* the path as it is, whatever --root says */
	PLACE_LIB,  /* beneath paths.lib */
	PLACE_LOG,  /* beneath paths.log */
};

/**
 * struct lock_down_path - a file or directory, with all beneath it, that stays reachable
 * @path:     beneath @place: "" or "/NAME"
 * @find:     returns the path, or NULL when it is absent; @path only names it in what is printed
 * @write:    create, change and remove beneath; otherwise read only
 * @execute:  programs beneath may be started as well
 * @mode:     not 0: a directory of the program's own user, see owned_directory_make()
 * @optional: the program can do without it: a failure is a warning
 * @fd:       not NULL: the directory is opened for the program, -1 when that fails
 */
struct lock_down_path {
	enum lock_down_place place;
	const char *path;
	const char *(*find)(void);
	bool write, execute, optional;
	mode_t mode;
	int *fd;
};

#define LOCK_DOWN_PATHS_MAX 32

/**
 * struct lock_down - what is left to a program
 * @role:      its user
 * @paths:     what it reaches in the file system
 * @network:   the TCP ports that it uses
 * @syscalls:  what it may call beyond the base set of isolation_seccomp.c, NULL-terminated
 * @fds_max:   it may have so many descriptors, if the hard limit allows; 0: as it was started
 * @user_only: file system and calls are closed later, when the program knows what its work needs
 * @process:   which of the program's processes it is of; NULL: the only one
 * @next:      of another process of the same program, which is printed as well
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
 * lock_down() - make and open the directories, then give up everything else for good
 *
 * Call it while root, with the descriptors that must not stay open closed already.
 * Return: 0 or -errno; the process must end then, because it may be locked down in part.
 */
int lock_down(const struct lock_down *lock_down, const struct paths *paths, struct error *error);

/**
 * lock_down_print() - the same for people and tests, one fact a line, for each process of the program
 *
 * Return: 0 or -errno.
 */
int lock_down_print(const struct lock_down *lock_down, FILE *file);

#endif
