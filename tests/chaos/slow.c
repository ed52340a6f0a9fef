/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A slow disk, preloaded into the programs under test. The test writes the delay, in milliseconds,
 * into a file that each of them maps before its lock-down.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static const volatile unsigned *delay_ms;

__attribute__((constructor)) static void slow_start(void)
{
	int fd = open(SLOW_FILE, O_RDONLY | O_CLOEXEC);
	void *map;

	if (fd < 0)
		return;
	map = mmap(NULL, sizeof(*delay_ms), PROT_READ, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (map != MAP_FAILED)
		delay_ms = map;
}

static void wait_for_disk(void)
{
	unsigned ms = delay_ms ? *delay_ms : 0;
	struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	if (ms)
		(void)nanosleep(&pause, NULL);
}

int fsync(int fd)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");

	wait_for_disk();
	return real(fd);
}

int fdatasync(int fd)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");

	wait_for_disk();
	return real(fd);
}
