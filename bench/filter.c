/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the seccomp filter of a step to standard output, for tools that take one. */
#include "sandbox/host_seccomp.h"

#include <unistd.h>

int main(void)
{
	static struct sock_filter program[SECCOMP_PROGRAM_MAX];
	int n = seccomp_program_build(program, false);
	size_t size = (size_t)(n < 0 ? 0 : n) * sizeof(program[0]);

	return n > 0 && write(STDOUT_FILENO, program, size) == (ssize_t)size ? 0 : 1;
}
