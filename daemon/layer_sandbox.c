/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/layer_sandbox.h"

#include "common/cleanup.h"
#include "common/image.h"
#include "common/limits.h"
#include "common/step_payload.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

#define UNPACK_MEMORY (512 * MIB)
#define UNPACK_PIDS 16
#define UNPACK_DISK (16 * MIB) /* of the sandbox's scratch, which the unpacker does not use */

void layer_sandbox_init(const struct layer_sandboxes *by, struct supervised *supervised,
			void (*done)(struct supervised *supervised,
				     const struct supervised_end *end))
{
	*supervised = SUPERVISED_NULL;
	supervised->supervisor = &by->supervisor;
	supervised->name = "the unpacker";
	supervised->grace_usec = SUPERVISE_NO_GRACE;
	supervised->done = done;
}

int layer_sandbox_start(struct layer_sandboxes *by, struct supervised *supervised,
			const struct dir_claim *claim, char *const *arguments, int stdin_fd,
			int stdout_fd, struct error *error)
{
	static char path_entry[] = "PATH=/usr/bin:/bin", locale_entry[] = "LC_ALL=C.UTF-8";
	char *const envp[] = {path_entry, locale_entry, NULL};
	char directory[PATH_MAX + 64], id[64];
	const struct sandbox_bind binds[] = {
		{.source = by->program, .target = LAYER_SANDBOX_PROGRAM},
		{.source = directory,
		 .target = LAYER_SANDBOX_LAYER,
		 .writable = true,
		 .image = true},
	};
	cleanup_close int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	cleanup_close int payload_fd = step_payload_new(arguments, envp);
	struct sandbox_request request = {
		.id = id,
		.image = "host",
		.hostname = "unpack",
		.workdir = "/",
		.binds = binds,
		.n_binds = ARRAY_SIZE(binds),
		.network = STEP_NETWORK_NONE,
		.memory = UNPACK_MEMORY,
		.pids = UNPACK_PIDS,
		.disk = UNPACK_DISK,
		.payload_fd = payload_fd,
		.stdin_fd = stdin_fd,
		.stdout_fd = stdout_fd >= 0 ? stdout_fd : null_fd,
		.stderr_fd = null_fd,
	};

	if (null_fd < 0 || payload_fd < 0)
		return error_set(error, ENOMEM, "cannot prepare the unpacker");
	(void)snprintf(directory, sizeof(directory), "%s/%s", dir_store_path(by->store),
		       claim->name);
	(void)snprintf(id, sizeof(id), "image-%llu-%.12s", (unsigned long long)++by->n_started,
		       by->instance);
	if (supervise_start(supervised, &request, error) < 0)
		return -error->number;
	supervise_timeout(supervised, now_usec() + IMAGE_UNPACK_TIMEOUT_SEC * USEC_PER_SEC, 0);
	return 0;
}

static void outcome_describe(const struct supervised *supervised,
			     const struct sandbox_outcome *outcome, struct error *ret_error)
{
	if (supervised->terminated)
		(void)error_set(ret_error, ETIMEDOUT, "unpacking took longer than %d s",
				IMAGE_UNPACK_TIMEOUT_SEC);
	else if (outcome->memory_limit)
		(void)error_set(ret_error, ENOMEM, "unpacking took more than %llu MiB of memory",
				(unsigned long long)(UNPACK_MEMORY / MIB));
	else if (outcome->how == SANDBOX_SIGNALED || outcome->how == SANDBOX_LOST)
		(void)error_set(ret_error, EIO, "the unpacker was killed (signal %d)",
				outcome->how == SANDBOX_LOST ? SIGKILL : outcome->code);
	else if (outcome->how != SANDBOX_EXITED || outcome->code != 0)
		(void)error_set(ret_error, EIO, "the unpacker ended with %d", outcome->code);
}

void layer_sandbox_failure(const struct supervised *supervised, const struct supervised_end *end,
			   struct error *ret_error)
{
	*ret_error = ERROR_INIT;
	if (end->result < 0 || end->error.number != 0)
		(void)error_set(ret_error, end->result < 0 ? -end->result : end->error.number,
				"cannot run the unpacker: %.400s", end->error.text);
	else
		outcome_describe(supervised, &end->outcome, ret_error);
}
