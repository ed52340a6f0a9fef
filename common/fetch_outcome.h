/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_FETCH_OUTCOME_H
#define COMMON_FETCH_OUTCOME_H

/* Enumerations about a commit's tree that scheduler and fetcher share. */

/** enum fetch_whose - origin of a commit, which decides what its steps may see */
enum fetch_whose {
	FETCH_OURS = 0,	   /* on a branch or tag of the repository: they see all of the mirror */
	FETCH_FOREIGN = 1, /* a pull request of a fork: they see what it and its base reach */
	FETCH_UNKNOWN = 2, /* given by its id: FETCH_OURS if a branch or tag contains it */
	FETCH_WHOSE_NUM,
};

/** enum fetch_outcome - result of a FETCH or UNPACK */
enum fetch_outcome {
	FETCH_OK = 0,
	FETCH_NO_SUCH_COMMIT = 1,
	FETCH_UNREACHABLE = 2, /* the network, the forge or this host failed */
	FETCH_REFUSED = 3,     /* the repository is hostile or over a limit */
	FETCH_DENIED = 4,      /* a credential was refused, or the repository does not exist */
	FETCH_NO_SPACE = 5,    /* our disk is full */
	FETCH_NUM,
};

#endif
