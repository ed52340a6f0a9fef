/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runbook-webhook: the only program that listens to the Internet. It has the webhook
 * secrets and the listening sockets from runbookd, and nothing else: it cannot open
 * files, make connections or start programs.
 */
#include "webhook/payload.h"
#include "webhook/service.h"
#include "webhook/signature.h"

#include <errno.h>
#include <malloc.h>

static int prepare(struct process *process, struct error *error)
{
	if (signature_init() < 0)
		return error_set(error, EIO, "libsodium cannot be initialised");
	payload_init();
	(void)mallopt(M_ARENA_MAX, 2);
	return 0;
}

/* The sockets from runbookd are listening already, so accepting is enough. */
static const char *const syscalls[] = {"accept4", "accept", NULL};

static const struct lock_down webhook_lock_down = {
	.role = ROLE_WEBHOOK,
	.paths = NULL,
	.syscalls = syscalls,
};

static const struct program webhook = {
	.name = "runbook-webhook",
	.purpose = "Takes webhooks of forges.",
	.lock_down = &webhook_lock_down,
	.prepare = prepare,
	.service = &webhook_service,
};

int main(int argc, char **argv)
{
	static struct process process = {.program = &webhook};

	return program_main(&process, argc, argv);
}
