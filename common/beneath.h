/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_BENEATH_H
#define COMMON_BENEATH_H

/*
 * DOC: Untrusted paths
 *
 * Names in archives, uploads and images are paths at which files will be made. They are
 * resolved in two steps: path_normalize() rejects texts that can never be valid, and the
 * functions below walk beneath an open directory without following symbolic links. Every call
 * walks from the top again, so a link that an earlier entry made, or that another process swaps
 * in meanwhile, is an error and never followed.
 *
 * No function here allocates memory, takes a lock or uses stdio: sandbox/step_mounts.c
 * calls them between clone3(2) and exec, and the static cacher links them.
 */

#include <stddef.h>
#include <sys/types.h>

/** enum path_problem - why path_normalize() rejects a path; 0: it does not */
enum path_problem {
	PATH_PROBLEM_NONE,
	PATH_PROBLEM_EMPTY,    /* NULL, or no byte at all */
	PATH_PROBLEM_ABSOLUTE, /* begins with "/" */
	PATH_PROBLEM_ABOVE,    /* has ".." as a component */
	PATH_PROBLEM_LONG,     /* has a name above NAME_MAX, or does not fit */
	PATH_PROBLEM_DEEP,     /* has more components than allowed */
};

/**
 * path_normalize() - "./a//b/" becomes "a/b"; "." and "./" become ""
 * @path:      untrusted; NULL is PATH_PROBLEM_EMPTY
 * @depth_max: components that a path may have
 * @out:       of @size bytes; may be @path itself. Undefined when a problem is returned.
 *
 * Return: PATH_PROBLEM_NONE, or the first problem in the text.
 */
enum path_problem path_normalize(const char *path, unsigned depth_max, char *out, size_t size);

/**
 * open_beneath() - open a path that may not leave @top_fd nor contain a symbolic link
 * @path:  relative, not empty; ".." may not lead above @top_fd
 * @flags: of open(2); O_CLOEXEC is added
 * @mode:  of the file that O_CREAT or O_TMPFILE makes
 *
 * Return: fd, or -errno: -ELOOP if a component is a symbolic link, -EXDEV if the path leaves
 * @top_fd, -ENOSYS or -EPERM where openat2(2) is missing.
 */
int open_beneath(int top_fd, const char *path, int flags, mode_t mode);

/**
 * directory_beneath() - an O_PATH descriptor of a directory
 * @path: normalized (no ".", no ".."); "" is @top_fd itself
 *
 * Without openat2(2) in the kernel or a seccomp filter, it opens one component after the other
 * and is as strict.
 *
 * Return: fd, or -errno as open_beneath() (then -ENOTDIR also for links).
 */
int directory_beneath(int top_fd, const char *path);

/** struct beneath_make - how directories are made */
struct beneath_make {
	mode_t mode;
	uid_t owner; /* user and group of new directories; 0: leave them */
	/* called before each mkdirat(2): 0, or a -errno that ends the call. NULL: no limit */
	int (*count)(void *userdata);
	void *userdata;
};

/**
 * parent_beneath() - an O_PATH descriptor of the directory that holds @path
 * @path:     normalized, not empty
 * @make:     makes the parents that are missing; NULL: they must exist
 * @ret_name: last component of @path
 *
 * Return: fd, or -errno as directory_beneath(); directories made by then stay.
 */
int parent_beneath(int top_fd, const char *path, const struct beneath_make *make,
		   const char **ret_name);

/**
 * mkdir_beneath() - make a directory and the parents that are missing
 * @path: normalized, not empty. If it exists already, it is left as it is.
 *
 * Return: 0 or -errno; directories made by then stay.
 */
int mkdir_beneath(int top_fd, const char *path, const struct beneath_make *make);

#endif
