/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/host_network_record.h"

#include "common/cleanup.h"
#include "common/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD_BYTES_MAX 20480

/* ---- settings of the host ---- */

int setting_read(const char *path, char *value, size_t size)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, value, size - 1);

	if (length < 0)
		return -errno;
	value[length] = '\0';
	value[strcspn(value, " \t\n")] = '\0';
	return value[0] ? 0 : -EIO;
}

int setting_write(const char *path, const char *value)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, value, strlen(value)) < 0 ? -errno : 0;
}

int record_setting_add(struct record_contents *contents, const char *path, const char *value)
{
	struct record_setting *setting = &contents->settings[contents->n_settings];
	int r;

	if (contents->n_settings == RECORD_SETTINGS_MAX || strlen(path) >= sizeof(setting->path))
		return -ENOSPC;
	r = setting_read(path, setting->before, sizeof(setting->before));
	if (r < 0)
		return r;
	if (strcmp(setting->before, value) == 0)
		return 0;
	(void)snprintf(setting->path, sizeof(setting->path), "%s", path);
	contents->n_settings++;
	return 1;
}

void record_settings_undo(struct record_contents *contents)
{
	while (contents->n_settings > 0) {
		const struct record_setting *setting = &contents->settings[--contents->n_settings];

		(void)setting_write(setting->path, setting->before);
	}
}

/* ---- locks ---- */

int record_lock(const struct network_record *record, off_t byte, short type, bool wait)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

	while (fcntl(record->fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/* One file per network namespace. Only a file of root is used, also in a shared directory. */
static int open_somewhere(struct network_record *record, bool create)
{
	/* first a directory that only root may write: no other user's file can mislead us */
	static const char *const directories[] = {"/run", "/run/lock", "/tmp"};
	char *path = record->path;
	struct stat namespace, st;

	if (stat("/proc/self/ns/net", &namespace) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		int fd;

		(void)snprintf(path, sizeof(record->path), "%s/runbook-net.%lu", directories[i],
			       (unsigned long)namespace.st_ino);
		fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT && create)
			fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid())
			return fd;
		if (fd >= 0)
			(void)close(fd);
	}
	return -ENOENT;
}

/*
 * A program that takes everything down removes the file, so a file that lost its name while we
 * waited for the lock must not be used.
 */
int record_open_locked(struct network_record *record, bool create)
{
	struct stat st;

	for (;;) {
		int fd = open_somewhere(record, create);

		if (fd < 0)
			return fd;
		record->fd = fd;
		(void)record_lock(record, RECORD_SETUP, F_WRLCK, true);
		if (fstat(fd, &st) == 0 && st.st_nlink > 0)
			return 0;
		record_close(record);
	}
}

int record_inherit(struct network_record *record, int fd)
{
	char link[32];
	struct stat st;
	ssize_t length;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, record->path, sizeof(record->path) - 1);
	if (length > 0)
		record->path[length] = '\0';
	if (length <= 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink == 0 ||
	    st.st_uid != geteuid()) {
		(void)close(fd);
		return -ESTALE;
	}
	record->fd = fd;
	/* a predecessor that was killed during its set-up held this lock as well */
	(void)record_lock(record, RECORD_SETUP, F_UNLCK, false);
	record_read(record);
	if (record->contents.subnet != 0)
		return 0;
	record_close(record);
	return -ESTALE;
}

void record_unlock(const struct network_record *record, off_t first, off_t n)
{
	struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = first, .l_len = n};

	if (n > 0) /* a length of 0 means up to the end of the file */
		(void)fcntl(record->fd, F_OFD_SETLK, &lock);
}

void record_close(struct network_record *record)
{
	struct flock all = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

	if (record->fd < 0)
		return;
	/* a duplicate that is stored for a successor may live on: it must not keep the locks */
	(void)fcntl(record->fd, F_OFD_SETLK, &all);
	(void)close(record->fd);
	record->fd = -1;
}

int record_mark(const struct network_record *record, unsigned index, bool marked)
{
	char byte = marked ? '1' : '\0';

	return pwrite(record->fd, &byte, 1, RECORD_MARKS + (off_t)index) == 1 ? 0 : -errno;
}

bool record_marked(const struct network_record *record, unsigned index)
{
	char byte = '\0';

	return pread(record->fd, &byte, 1, RECORD_MARKS + (off_t)index) < 0 || byte != '\0';
}

/* ---- contents ---- */

bool record_has_subnet6(const struct record_contents *contents)
{
	static const uint8_t none[sizeof(contents->subnet6)];

	return memcmp(contents->subnet6, none, sizeof(none)) != 0;
}

struct in6_addr record_address6(const struct record_contents *contents, unsigned index)
{
	struct in6_addr address = {0};

	memcpy(address.s6_addr, contents->subnet6, sizeof(contents->subnet6));
	address.s6_addr[14] = (uint8_t)(index >> 8);
	address.s6_addr[15] = (uint8_t)index;
	return address;
}

int record_forwarding6_on(const struct record_contents *contents, const char *name,
			  struct error *error)
{
	char path[128];
	int r;

	/* a new link forwards already if all interfaces do */
	if (!record_has_subnet6(contents) || contents->routes6 || contents->everywhere6)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/force_forwarding", name);
	r = setting_write(path, "1");
	return r < 0 ? error_errno(error, -r, "cannot switch forwarding on for %s", name) : 0;
}

void record_uplink_add(char (*uplinks)[64], size_t *n, const char *name)
{
	for (size_t i = 0; i < *n; i++) {
		if (strcmp(uplinks[i], name) == 0)
			return;
	}
	if (*n < RECORD_UPLINKS_MAX)
		(void)snprintf(uplinks[(*n)++], sizeof(uplinks[0]), "%s", name);
}

static void parse_subnet6(struct record_contents *contents, const char *text)
{
	uint8_t *out = contents->subnet6;

	if (sscanf(text, "%2hhx%2hhx%2hhx%2hhx%2hhx%2hhx", &out[0], &out[1], &out[2], &out[3],
		   &out[4], &out[5]) != 6)
		memset(out, 0, sizeof(contents->subnet6));
}

/* Root wrote the file, but its paths name files that root will write: check them again. */
static void parse_setting(struct record_contents *contents, const char *line)
{
	struct record_setting *setting = &contents->settings[contents->n_settings];

	if (contents->n_settings < RECORD_SETTINGS_MAX &&
	    sscanf(line, "%103s %7s", setting->path, setting->before) == 2 &&
	    strncmp(setting->path, "/proc/sys/net/", 14) == 0 && !strstr(setting->path, "/../"))
		contents->n_settings++;
}

static void parse_line(struct record_contents *contents, char *line)
{
	char *value = strchr(line, ' ');

	if (!value)
		return;
	*value++ = '\0';
	if (strcmp(line, "subnet") == 0)
		contents->subnet = (uint32_t)strtoul(value, NULL, 10);
	else if (strcmp(line, "subnet6") == 0)
		parse_subnet6(contents, value);
	else if (strcmp(line, "routes4") == 0)
		contents->routes4 = value[0] == '1';
	else if (strcmp(line, "routes6") == 0)
		contents->routes6 = value[0] == '1';
	else if (strcmp(line, "everywhere6") == 0)
		contents->everywhere6 = value[0] == '1';
	else if (strcmp(line, "uplink4") == 0)
		record_uplink_add(contents->uplinks4, &contents->n_uplinks4, value);
	else if (strcmp(line, "uplink6") == 0)
		record_uplink_add(contents->uplinks6, &contents->n_uplinks6, value);
	else if (strcmp(line, "setting") == 0)
		parse_setting(contents, value);
}

void record_read(struct network_record *record)
{
	char text[RECORD_BYTES_MAX];
	ssize_t size = pread(record->fd, text, sizeof(text) - 1, 0);

	text[size < 0 ? 0 : size] = '\0';
	memset(&record->contents, 0, sizeof(record->contents));
	for (char *save = NULL, *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		parse_line(&record->contents, line);
}

int record_write(const struct network_record *record)
{
	const struct record_contents *contents = &record->contents;
	const uint8_t *six = contents->subnet6;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int r = 0;

	if (!out)
		return -ENOMEM;
	fprintf(out, "subnet %u\n", contents->subnet);
	fprintf(out, "subnet6 %02x%02x%02x%02x%02x%02x\n", six[0], six[1], six[2], six[3], six[4],
		six[5]);
	fprintf(out, "routes4 %d\nroutes6 %d\neverywhere6 %d\n", contents->routes4,
		contents->routes6, contents->everywhere6);
	for (size_t i = 0; i < contents->n_uplinks4; i++)
		fprintf(out, "uplink4 %s\n", contents->uplinks4[i]);
	for (size_t i = 0; i < contents->n_uplinks6; i++)
		fprintf(out, "uplink6 %s\n", contents->uplinks6[i]);
	for (size_t i = 0; i < contents->n_settings; i++)
		fprintf(out, "setting %s %s\n", contents->settings[i].path,
			contents->settings[i].before);
	if (fclose(out) != 0)
		r = -ENOMEM;
	else if (size >= RECORD_BYTES_MAX)
		r = -ENOSPC;
	else if (ftruncate(record->fd, 0) < 0 || pwrite(record->fd, text, size, 0) != (ssize_t)size)
		r = -errno;
	free(text);
	return r;
}
