/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/init_accounts.h"

#include "common/account_home.h"
#include "sandbox/init_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define OUT_AT ACCOUNT_TEXT_MAX
#define BUFFER_BYTES (2 * ACCOUNT_TEXT_MAX + ACCOUNT_GROWTH_MAX)

/* Opens a path within the root's own file system only, whatever links the image contains. */
static long open_account(const char *path, uint64_t flags)
{
	const struct open_how how = {.flags = flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
				     .mode = flags & O_CREAT ? 0644 : 0,
				     .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS};

	return init_call(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

/* Return: bytes; 0 if the file does not exist; -errno if it must be left alone. */
static long read_account(const char *path, char *text)
{
	long fd = open_account(path, O_RDONLY), size = 0, n = 1;
	struct stat st = {0};

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (init_call(SYS_fstat, fd, &st, 0, 0) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_size > (off_t)ACCOUNT_TEXT_MAX)
		size = -EFBIG;
	while (size >= 0 && n > 0 && size < (long)ACCOUNT_TEXT_MAX) {
		n = init_call(SYS_read, fd, text + size, ACCOUNT_TEXT_MAX - (size_t)size, 0);
		size = n < 0 ? n : size + n;
	}
	(void)init_call(SYS_close, fd, 0, 0, 0);
	return size;
}

/* Overwrites the existing file, so that its owner and mode stay. */
static long write_account(const char *path, const char *text, size_t size)
{
	long fd = open_account(path, O_WRONLY), n = 0;

	if (fd == -ENOENT)
		fd = open_account(path, O_WRONLY | O_CREAT | O_EXCL);
	if (fd < 0) /* a dangling link is not created as a file */
		return fd == -EEXIST ? 0 : fd;
	for (size_t done = 0; n >= 0 && done < size; done += (size_t)n)
		n = init_call(SYS_write, fd, text + done, size - done, 0);
	if (n >= 0)
		n = init_call(SYS_ftruncate, fd, size, 0, 0);
	(void)init_call(SYS_close, fd, 0, 0, 0);
	return n < 0 ? n : 0;
}

static long replace_home(const char *home, unsigned uid, unsigned gid, char *text)
{
	char *out = text + OUT_AT;
	bool added = false;
	long size = read_account("/etc/passwd", text), result = 0;
	size_t made =
		size < 0 ? 0 : account_home_passwd(text, (size_t)size, uid, gid, home, out, &added);

	if (made > 0)
		result = write_account("/etc/passwd", out, made);
	/* images list the group of root and those of the users in their passwd */
	if (result < 0 || (gid == 0 && !added))
		return result;
	size = read_account("/etc/group", text);
	made = size < 0 ? 0 : account_home_group(text, (size_t)size, gid, out);
	return made > 0 ? write_account("/etc/group", out, made) : 0;
}

long init_accounts_set_home(const char *home, unsigned uid, unsigned gid)
{
	long address, result;

	if (!account_home_valid(home))
		return 0;
	address = init_call6(SYS_mmap, 0, BUFFER_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (address <= 0) /* user addresses are never negative */
		return address < 0 ? address : -ENOMEM;
	result = replace_home(home, uid, gid, (char *)address);
	(void)init_call(SYS_munmap, address, BUFFER_BYTES, 0, 0);
	return result;
}
