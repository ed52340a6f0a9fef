/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_FETCH_OUTCOME_H
#define COMMON_FETCH_OUTCOME_H

/* Words about a commit's tree that scheduler and fetcher share. */

/** enum fetch_whose - whose commit is it, and so what may its steps see? */
enum fetch_whose {
	FETCH_OURS = 0,	   /* pushed to a branch or tag of the repository: all of the mirror */
	FETCH_FOREIGN = 1, /* proposed from outside: what it and its base reach */
	FETCH_UNKNOWN = 2, /* named by its id: ours if a branch or tag of the repository has it */
	FETCH_WHOSE_NUM,
};

enum fetch_outcome {
	FETCH_OK = 0,
	FETCH_NO_SUCH_COMMIT = 1,
	FETCH_UNREACHABLE = 2, /* could not fetch: the network, the forge, this host */
	FETCH_REFUSED = 3,     /* hostile or over a limit */
	FETCH_DENIED = 4,      /* a credential was refused, or the repository is not there */
	FETCH_NO_SPACE = 5,    /* our disk is full */
	FETCH_NUM,
};

#endif
