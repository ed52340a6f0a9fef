/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/io_direct.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VMSTAT_SIZE 16384

void io_direct_open(struct io_direct *direct, const char *vmstat)
{
	*direct = (struct io_direct){.vmstat_fd = open(vmstat, O_RDONLY | O_CLOEXEC),
				     .pause_usec = IO_DIRECT_PAUSE_USEC};
}

void io_direct_close(struct io_direct *direct)
{
	if (direct->vmstat_fd >= 0)
		(void)close(direct->vmstat_fd);
	direct->vmstat_fd = -1;
}

/* The number of the line "@name N"; @name begins with a newline and ends with a space. */
static uint64_t number_of(const char *text, const char *name, uint64_t missing)
{
	const char *line = strstr(text, name);

	return line ? strtoull(line + strlen(name), NULL, 10) : missing;
}

/* How many bytes may become dirty before the next look? */
static uint64_t look(int vmstat_fd)
{
	static char text[VMSTAT_SIZE];
	ssize_t n = pread(vmstat_fd, text + 1, sizeof(text) - 2, 0);
	uint64_t dirty, background, bytes;

	if (n <= 0)
		return 0;
	text[0] = '\n';
	text[n + 1] = '\0';
	dirty = number_of(text, "\nnr_dirty ", UINT64_MAX / 2) +
		number_of(text, "\nnr_writeback ", UINT64_MAX / 2);
	background = number_of(text, "\nnr_dirty_background_threshold ", 0);
	if (dirty >= background)
		return 0;
	/* others write as well */
	bytes = (background - dirty) / 2 * (uint64_t)sysconf(_SC_PAGESIZE);
	return bytes < IO_DIRECT_STEP ? bytes : IO_DIRECT_STEP;
}

bool io_direct_may(struct io_direct *direct, size_t size, uint64_t now)
{
	bool due = now - direct->looked_usec >= IO_DIRECT_LOOK_USEC;

	if (direct->vmstat_fd < 0 || now < direct->paused_until_usec)
		return false;
	/* while nothing is allowed, only time brings another look */
	if (due || (direct->allowed > 0 && direct->allowed < size)) {
		direct->allowed = look(direct->vmstat_fd);
		direct->looked_usec = now;
	}
	if (direct->allowed < size) {
		direct->allowed = 0;
		return false;
	}
	direct->allowed -= size;
	return true;
}

void io_direct_wrote(struct io_direct *direct, uint64_t usec, bool slept, uint64_t now)
{
	/* the pauses of long ago do not count */
	if (now > direct->paused_until_usec + IO_DIRECT_PAUSE_MAX_USEC)
		direct->pause_usec = IO_DIRECT_PAUSE_USEC;
	if (usec <= IO_DIRECT_SLOW_USEC || !slept)
		return;
	direct->paused_until_usec = now + direct->pause_usec;
	if (direct->pause_usec < IO_DIRECT_PAUSE_MAX_USEC)
		direct->pause_usec *= 2;
}
