/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MESSAGES_FETCHING_H
#define COMMON_MESSAGES_FETCHING_H

/*
 * Trees and mirrors, between the scheduler and the fetcher, and between the fetcher and its
 * children. See common/message_fields.h for the tables, common/message_table.h for senders and
 * receivers.
 */

#include "common/error.h"
#include "common/fetch_outcome.h"
#include "common/limits.h"
#include "common/message_fields.h"
#include "common/runbook_name.h"

/* Fetch a commit and check its tree out. */
#define FETCH_FIELDS(X, M)                                                                         \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, TEXT, ref, REF_NAME_MAX)                                                              \
	/* "": the commit of the ref */                                                            \
	X(M, TEXT, commit, COMMIT_HEX_MAX)                                                         \
	/* earlier commit of the ref, for the changed paths; zeros: a new ref; "": not wanted */   \
	X(M, TEXT, before, COMMIT_HEX_MAX)                                                         \
	/* the ref that a pull request is to be merged into, else "" */                            \
	X(M, TEXT, base_ref, REF_NAME_MAX)                                                         \
	X(M, ENUM, whose, fetch_whose, FETCH_WHOSE_NUM)                                            \
	/* to a child only: the mirror's references are recent enough */                           \
	X(M, FLAG, fresh)

/* Unpack an uploaded working copy. id: 40 hex digits, like a commit; tar: the upload */
#define UNPACK_FIELDS(X, M)                                                                        \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, TEXT, id, COMMIT_HEX_MAX)                                                             \
	X(M, FD, tar)

/* The reply to FETCH and UNPACK. A child leaves .runbook and .misnamed to the service. */
#define FETCHED_FIELDS(X, M)                                                                       \
	X(M, ENUM, outcome, fetch_outcome, FETCH_NUM)                                              \
	X(M, TEXT, commit, COMMIT_HEX_MAX)                                                         \
	X(M, TEXT, title, FETCH_TITLE_MAX)                                                         \
	X(M, TEXT, author, FETCH_AUTHOR_MAX)                                                       \
	/* "" for FETCH_OK */                                                                      \
	X(M, SENTENCE, error, ERROR_TEXT_MAX - 1)                                                  \
	/* of the remote, a full ref; "": unknown */                                               \
	X(M, TEXT, default_branch, REF_NAME_MAX)                                                   \
	/* of the commit, see fetcher/view.h; "": none */                                          \
	X(M, TEXT, view, COMMIT_HEX_MAX)                                                           \
	/* the view has objects of its own */                                                      \
	X(M, FLAG, view_objects)                                                                   \
	/* the name of a file that looks like an absent runbook.yml */                             \
	X(M, TEXT, misnamed, RUNBOOK_NAME_MAX)                                                     \
	/* runbook.yml open for reading, none if it is absent */                                   \
	X(M, FD_OR_NONE, runbook)                                                                  \
	/* the changed paths, see common/name_list.h; none if unknown */                           \
	X(M, FD_OR_NONE, paths)

/*
 * Remove a tree or view that no run needs any more. Must not be sent while a FETCH or UNPACK of
 * the project is pending, since its reply could name the same tree.
 */
#define TREE_REMOVE_FIELDS(X, M)                                                                   \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	/* a commit, or the id of an upload */                                                     \
	X(M, TEXT, tree, COMMIT_HEX_MAX)                                                           \
	/* "": the tree itself with all its views */                                               \
	X(M, TEXT, view, COMMIT_HEX_MAX)

/* freed: bytes of disk; error: "" also if the tree did not exist */
#define TREE_REMOVED_FIELDS(X, M)                                                                  \
	X(M, NUMBER, freed, UINT64_MAX)                                                            \
	X(M, SENTENCE, error, ERROR_TEXT_MAX - 1)

/*
 * Remove objects of a mirror. kept: the commits of the project's remaining runs, see
 * common/name_list.h. The mirror keeps exactly the objects that are reachable from them, from
 * the remote's branches and tags, and from existing views. Sent under the same condition as
 * TREE_REMOVE.
 */
#define MIRROR_PRUNE_FIELDS(X, M)                                                                  \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, FD, kept)

#define MIRROR_PRUNED_FIELDS(X, M)                                                                 \
	X(M, NUMBER, freed, UINT64_MAX)                                                            \
	/* "" on success, also if there was nothing to remove */                                   \
	X(M, SENTENCE, error, ERROR_TEXT_MAX - 1)                                                  \
	/* of the remote at the last fetch, see common/name_list.h; none if unknown */             \
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
