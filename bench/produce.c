/* SPDX-License-Identifier: Apache-2.0 */
/*
 * produce WRITE-SIZE TOTAL: writes TOTAL bytes of lines to standard output in writes of
 * WRITE-SIZE, then its rate in MB/s to standard error. The clock stops when the last write
 * returns.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	size_t size = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
	size_t total = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	size_t left = total;
	struct timespec a, b;
	char *block = malloc(size ? size : 1);

	if (size == 0 || total == 0 || !block)
		return 2;
	for (size_t i = 0; i < size; i++)
		block[i] = (char)(i % 100 == 99 ? '\n' : 'a' + (int)(i % 26));
	(void)clock_gettime(CLOCK_MONOTONIC, &a);
	while (left > 0) {
		ssize_t n = write(STDOUT_FILENO, block, left < size ? left : size);

		if (n < 0)
			return 1;
		left -= (size_t)n;
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &b);
	(void)fprintf(
		stderr, "%.0f\n",
		(double)total / 1e6 /
			((double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9));
	return 0;
}
