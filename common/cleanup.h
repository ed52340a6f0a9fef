/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_CLEANUP_H
#define COMMON_CLEANUP_H

/*
 * DOC: Cleanup by scope
 *
 * A variable that is declared with one of these attributes (gcc's cleanup) is released when its
 * scope is left, by return, goto or the closing brace. TAKE_FD() and TAKE_PTR() return the
 * value and reset the variable, so that ownership passes on and nothing is released.
 */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free_fn(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_close_fn(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static inline void cleanup_fclose_fn(FILE **file)
{
	if (*file)
		(void)fclose(*file);
}

static inline void cleanup_closedir_fn(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

/* attributes of variables: release with free(3), close(2), fclose(3), closedir(3) */
#define cleanup_free __attribute__((cleanup(cleanup_free_fn)))
#define cleanup_close __attribute__((cleanup(cleanup_close_fn)))
#define cleanup_fclose __attribute__((cleanup(cleanup_fclose_fn)))
#define cleanup_closedir __attribute__((cleanup(cleanup_closedir_fn)))

/** TAKE_FD() - the value of a descriptor variable, which is set to -1 */
#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int *take_fd_ = &(fd);                                                             \
		int taken_fd_ = *take_fd_;                                                         \
		*take_fd_ = -1;                                                                    \
		taken_fd_;                                                                         \
	})

/** TAKE_PTR() - the value of a pointer variable, which is set to NULL */
#define TAKE_PTR(pointer)                                                                          \
	({                                                                                         \
		__typeof__(pointer) *take_ptr_ = &(pointer);                                       \
		__typeof__(pointer) taken_ptr_ = *take_ptr_;                                       \
		*take_ptr_ = NULL;                                                                 \
		taken_ptr_;                                                                        \
	})

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/** container_of() - the object of @type whose @member is at @pointer */
#define container_of(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
