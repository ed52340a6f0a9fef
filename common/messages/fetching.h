/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MESSAGES_FETCHING_H
#define COMMON_MESSAGES_FETCHING_H

/*
 * Trees and mirrors, between the scheduler and the fetcher, and in the same words
 * between the fetcher and its children. common/message_fields.h says how this is read,
 * common/message_table.h who may say what.
 */

#include "common/error.h"
#include "common/fetch_outcome.h"
#include "common/limits.h"
#include "common/message_fields.h"
#include "common/runbook_name.h"

#define FETCH_FIELDS(X, M)                                                                         \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, TEXT, ref, REF_NAME_MAX)                                                              \
	/* "" takes what the ref names */                                                          \
	X(M, TEXT, commit, COMMIT_HEX_MAX)                                                         \
	/* for the changed paths: what the ref named before; zeros: it is new; "": not asked */    \
	X(M, TEXT, before, COMMIT_HEX_MAX)                                                         \
	/* and the ref that a pull request goes to, "" for others */                               \
	X(M, TEXT, base_ref, REF_NAME_MAX)                                                         \
	X(M, ENUM, whose, fetch_whose, FETCH_WHOSE_NUM)                                            \
	/* to a child only: the references in the mirror are new enough */                         \
	X(M, FLAG, fresh)

/* id: like a commit, of 40 hex digits; tar: of a working copy */
#define UNPACK_FIELDS(X, M)                                                                        \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, TEXT, id, COMMIT_HEX_MAX)                                                             \
	X(M, FD, tar)

/* Answers FETCH and UNPACK. A child finds no runbook: that is left to the service. */
#define FETCHED_FIELDS(X, M)                                                                       \
	X(M, ENUM, outcome, fetch_outcome, FETCH_NUM)                                              \
	X(M, TEXT, commit, COMMIT_HEX_MAX)                                                         \
	X(M, TEXT, title, FETCH_TITLE_MAX)                                                         \
	X(M, TEXT, author, FETCH_AUTHOR_MAX)                                                       \
	/* "" with FETCH_OK */                                                                     \
	X(M, SENTENCE, error, ERROR_TEXT_MAX - 1)                                                  \
	/* of the remote, a full ref; "": not known */                                             \
	X(M, TEXT, default_branch, REF_NAME_MAX)                                                   \
	/* of the commit, see fetcher/view.h; "": none */                                          \
	X(M, TEXT, view, COMMIT_HEX_MAX)                                                           \
	/* the view has objects of its own */                                                      \
	X(M, FLAG, view_objects)                                                                   \
	/* the name of a file that looks like an absent runbook.yml */                             \
	X(M, TEXT, misnamed, RUNBOOK_NAME_MAX)                                                     \
	/* runbook.yml open for reading, none if it is absent */                                   \
	X(M, FD_OR_NONE, runbook)                                                                  \
	/* the changed paths if they are known, see common/name_list.h */                          \
	X(M, FD_OR_NONE, paths)

/*
 * No run needs it any more. Not while a FETCH or UNPACK of the project is open, whose
 * answer could name the same tree.
 */
#define TREE_REMOVE_FIELDS(X, M)                                                                   \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	/* a commit, or the id of an upload */                                                     \
	X(M, TEXT, tree, COMMIT_HEX_MAX)                                                           \
	/* "": the tree itself with all its views */                                               \
	X(M, TEXT, view, COMMIT_HEX_MAX)

/* freed: bytes that the disk has more; error is "" also when it was not there */
#define TREE_REMOVED_FIELDS(X, M)                                                                  \
	X(M, NUMBER, freed, UINT64_MAX)                                                            \
	X(M, SENTENCE, error, ERROR_TEXT_MAX - 1)

/*
 * kept: the commits of its runs that are kept, see common/name_list.h. The mirror keeps
 * what they, the remote's branches and tags and the views that are there reach, and
 * nothing else. Under the condition of TREE_REMOVE.
 */
#define MIRROR_PRUNE_FIELDS(X, M)                                                                  \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, FD, kept)

#define MIRROR_PRUNED_FIELDS(X, M)                                                                 \
	X(M, NUMBER, freed, UINT64_MAX)                                                            \
	/* "": all is done that there was to do */                                                 \
	X(M, SENTENCE, error, ERROR_TEXT_MAX - 1)                                                  \
	/* that the remote had at the last fetch, if known, see common/name_list.h */              \
	X(M, FD_OR_NONE, branches)

#define MESSAGES_FETCHING(X)                                                                       \
	X(FETCH, fetch)                                                                            \
	X(UNPACK, unpack)                                                                          \
	X(FETCHED, fetched)                                                                        \
	X(TREE_REMOVE, tree_remove)                                                                \
	X(TREE_REMOVED, tree_removed)                                                              \
	X(MIRROR_PRUNE, mirror_prune)                                                              \
	X(MIRROR_PRUNED, mirror_pruned)

MESSAGES_FETCHING(MESSAGE_DECLARE)

#endif
