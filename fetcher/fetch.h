/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_FETCH_H
#define FETCHER_FETCH_H

/*
 * DOC: A fetch's limits, result and errors
 *
 * Types that all parts of the fetcher share. A function of a child that fails sets the outcome
 * and a sentence with the fix in struct fetch_result, by one of fetch_fail*(), and returns a
 * negative number; the child sends the result to the service as it is. libgit2 reports a failure
 * as a class and a text, so the errno value behind it is found here, for all callers.
 */

#include "common/error.h"
#include "common/fetch_outcome.h"
#include "common/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FETCH_DEPTH_MAX 256    /* levels of directories */
#define FETCH_NAME_MAX 255     /* bytes of one name, as NAME_MAX of Linux file systems */
#define FETCH_PATH_MAX 4000    /* bytes from the top of the tree: below PATH_MAX with a prefix */
#define FETCH_SYMLINK_MAX 4095 /* bytes of a symlink's target */
#define FETCH_OBJECTS_MAX 30000000 /* objects in one pack */

/**
 * struct fetch_limits - bounds of one fetch; bytes unless the name says otherwise
 *
 * The defaults come from common/limits.h; the command line may lower them.
 */
struct fetch_limits {
	uint64_t timeout_sec;
	uint64_t pack;	       /* received from the remote */
	uint64_t blob;	       /* one file */
	uint64_t tree;	       /* all files of one commit or upload */
	uint64_t tree_entries; /* files, directories and symlinks */
};

#define FETCH_LIMITS_INIT                                                                          \
	((struct fetch_limits){                                                                    \
		.timeout_sec = FETCH_TIMEOUT_SEC,                                                  \
		.pack = FETCH_PACK_MAX,                                                            \
		.blob = FETCH_BLOB_MAX,                                                            \
		.tree = FETCH_TREE_BYTES_MAX,                                                      \
		.tree_entries = FETCH_TREE_ENTRIES_MAX,                                            \
	})

/**
 * struct fetch_result - what a child reports of its job
 * @outcome: FETCH_OK, or the kind of failure
 * @commit:  full hex id; "" unless @outcome is FETCH_OK
 * @title, @author: of the commit; printable UTF-8, cut to the size of the array
 * @default_branch: full name of the remote's default branch; "": not known
 * @view:    id of the view of @commit (view.h); "": it has none
 * @view_objects: the view has objects of its own
 * @freed:   bytes of disk space that tree_remove() or mirror_prune() freed
 * @paths_known: @paths_fd is valid: a memfd with the changed paths (common/name_list.h), which
 *           belongs to the result; fetch_result_clear() closes it
 * @branches_known: @branches_fd is valid, and owned like @paths_fd: the remote's branches as of
 *           the last fetch, in the same form; set by mirror_prune() only
 * @error:   a sentence for people, with the fix; set unless @outcome is FETCH_OK
 */
struct fetch_result {
	enum fetch_outcome outcome;
	char commit[COMMIT_HEX_MAX + 1];
	char title[FETCH_TITLE_MAX + 1];
	char author[FETCH_AUTHOR_MAX + 1];
	char default_branch[REF_NAME_MAX + 1];
	char view[COMMIT_HEX_MAX + 1];
	bool view_objects;
	uint64_t freed;
	bool paths_known;
	int paths_fd;
	bool branches_known;
	int branches_fd;
	struct error error;
};

/** fetch_result_clear() - close the descriptors of @result; its texts stay */
void fetch_result_clear(struct fetch_result *result);

/**
 * fetch_outcome_of() - the outcome of a fetch that an error of this host ended
 * @number: errno value, positive
 *
 * Return: FETCH_NO_SPACE for a full disk or quota, FETCH_UNREACHABLE for all else.
 */
enum fetch_outcome fetch_outcome_of(int number);

/** fetch_fix() - advice for errno value @number (positive): @otherwise, unless the disk is full */
const char *fetch_fix(int number, const char *otherwise);

/**
 * fetch_fail() - set @outcome and the sentence that explains it
 *
 * Return: -EINVAL, so that a caller can `return fetch_fail(...)`.
 */
int fetch_fail(struct fetch_result *result, enum fetch_outcome outcome, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * fetch_fail_errno() - a system call failed: "@format: strerror(@number)"
 * @number: errno value, positive; decides the outcome, see fetch_outcome_of()
 *
 * Return: -EINVAL.
 */
int fetch_fail_errno(struct fetch_result *result, int number, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * fetch_fail_git() - a system call or libgit2 failed: "@format: reason; @fix"
 * @r:   -errno; -EIO means the last failure of libgit2
 * @fix: advice that is given unless the disk is full; NULL: the sentence ends with the reason
 *
 * Return: -EINVAL.
 */
int fetch_fail_git(struct fetch_result *result, int r, const char *fix, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/** git_http_status() - the HTTP status that made libgit2's last call fail; 0: none did */
int git_http_status(void);

/** git_errno() - errno value of libgit2's last failure: ENOSPC, EDQUOT, or EIO for all others */
int git_errno(void);

/**
 * git_words() - libgit2's text for its last failure, in one line that is safe to show
 *
 * Return: a static buffer, overwritten by the next call.
 */
const char *git_words(void);

/** git_words_of() - the same after a call that returned @code: some failures leave only the code */
const char *git_words_of(int code);

/** size_text() - @bytes as "1.5 GiB", in one of a few static buffers that are reused in turn */
const char *size_text(uint64_t bytes);

/**
 * text_first_line() - the first line of @text, made safe to show to a person
 * @out:    NUL-terminated, at most @size - 1 bytes, cut between characters
 * @length: bytes of @text, which may have any value and need not end with NUL
 *
 * Leading blank lines are skipped, as git does for a commit's title; bytes that are not
 * printable UTF-8 become U+FFFD, a tab becomes a space.
 */
void text_first_line(char *out, size_t size, const char *text, size_t length);

#endif
