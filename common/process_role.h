/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_PROCESS_ROLE_H
#define COMMON_PROCESS_ROLE_H

/*
 * DOC: Roles of our processes
 *
 * A role names a program for its channels (message_table.h), its user ids (isolation.h) and logs.
 */

/** enum process_role - one of our processes; bits, so that a mask can name several */
enum process_role {
	ROLE_NONE = 0,
	ROLE_DAEMON = 1 << 0,
	ROLE_WEBHOOK = 1 << 1,
	ROLE_SCHEDULER = 1 << 2,
	ROLE_FETCHER = 1 << 3,
	ROLE_CACHER = 1 << 4,
	ROLE_API = 1 << 5,
	ROLE_IMAGE = 1 << 6,
	ROLE_STARTER = 1 << 7, /* of the fetcher: starts the children that fetch */
	ROLE_ANY_CHILD =
		ROLE_WEBHOOK | ROLE_SCHEDULER | ROLE_FETCHER | ROLE_CACHER | ROLE_API | ROLE_IMAGE,
	ROLE_ANY = ROLE_ANY_CHILD | ROLE_DAEMON | ROLE_STARTER,
};

/** role_name() - name of one role: "scheduler", … */
const char *role_name(enum process_role role);

#endif
