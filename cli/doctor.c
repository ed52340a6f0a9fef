/* SPDX-License-Identifier: Apache-2.0 */
/* The parts that all checks of this host use. */
#include "cli/doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

void doctor_ok(struct doctor_finding *finding, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	(void)vsnprintf(finding->seen, sizeof(finding->seen), format, list);
	va_end(list);
	finding->result = DOCTOR_OK;
	finding->fix[0] = '\0';
}

void doctor_bad(struct doctor_finding *finding, enum doctor_result result, const char *fix,
		const char *format, ...)
{
	va_list list;

	va_start(list, format);
	(void)vsnprintf(finding->seen, sizeof(finding->seen), format, list);
	va_end(list);
	finding->result = result;
	(void)snprintf(finding->fix, sizeof(finding->fix), "%s", fix);
}

int doctor_try(int (*function)(void *user), void *user)
{
	int status;
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		_exit(-function(user) & 0xff);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

bool doctor_need_root(struct doctor_finding *finding)
{
	if (geteuid() == 0)
		return true;
	doctor_bad(finding, DOCTOR_SKIPPED, "", "only root can try this");
	return false;
}
