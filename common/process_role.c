/* SPDX-License-Identifier: Apache-2.0 */
#include "common/process_role.h"

const char *role_name(enum process_role role)
{
	switch (role) {
	case ROLE_DAEMON:
		return "daemon";
	case ROLE_WEBHOOK:
		return "webhook";
	case ROLE_SCHEDULER:
		return "scheduler";
	case ROLE_FETCHER:
		return "fetcher";
	case ROLE_CACHER:
		return "cacher";
	case ROLE_API:
		return "api";
	case ROLE_IMAGE:
		return "image";
	case ROLE_STARTER:
		return "starter";
	default:
		return "unknown";
	}
}
