/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_STEP_PAYLOAD_H
#define COMMON_STEP_PAYLOAD_H

/*
 * DOC: Command and environment of a step
 *
 * They are passed in a sealed memfd from the scheduler through the daemon to runbook-init, so
 * that no process with root's privileges reads them:
 *
 *   u32 magic "RBP1", u32 n_argv, u32 n_envp, u32 total bytes that follow,
 *   then n_argv + n_envp NUL-terminated strings
 *
 * Limits: STEP_PAYLOAD_MAX bytes in all, at least one argument. The command's process, in the
 * memory of runbook-init, copies the memfd into a mapping of its own, checks it, and execs
 * argv[0] with exactly this environment. An argv[0] without a slash is searched in the PATH of
 * that environment.
 */

#include <stddef.h>
#include <stdint.h>

#define STEP_PAYLOAD_MAGIC 0x31504252u /* "RBP1" */

/** struct step_payload_header - the beginning of the memfd; @size bytes of strings follow */
struct step_payload_header {
	uint32_t magic;
	uint32_t n_argv;
	uint32_t n_envp;
	uint32_t size;
};

/** step_payload_new() - make the memfd of @argv and @envp (NULL-terminated). Return: fd, -errno. */
int step_payload_new(char *const *argv, char *const *envp);

/**
 * step_payload_parse() - split a payload in place
 * @data:     header and strings, @size bytes, NUL-terminated by its last string
 * @pointers: room for n_argv + n_envp + 2 pointers
 * @max:      room in @pointers
 * @ret_argv, @ret_envp: NULL-terminated arrays inside @pointers
 *
 * Return: 0, -EBADMSG, or -E2BIG if @max is too small. Allocates nothing.
 */
int step_payload_parse(char *data, size_t size, char **pointers, size_t max, char ***ret_argv,
		       char ***ret_envp);

#endif
