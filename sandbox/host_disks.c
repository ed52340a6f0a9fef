/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/host_disks.h"

#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

/* btrfs and others report device numbers of their own; mountinfo names the real device. */
static bool disk_of_mount(dev_t number, dev_t *ret_disk)
{
	cleanup_fclose FILE *mounts = fopen("/proc/self/mountinfo", "re");
	char line[4096], wanted[32], id[32], source[1024];
	struct stat st;

	(void)snprintf(wanted, sizeof(wanted), "%u:%u", major(number), minor(number));
	while (mounts && fgets(line, sizeof(line), mounts)) {
		const char *type = strstr(line, " - ");

		if (!type || sscanf(line, "%*d %*d %31s", id) != 1 || strcmp(id, wanted) != 0 ||
		    sscanf(type, " - %*s %1023s", source) != 1)
			continue;
		if (source[0] != '/' || stat(source, &st) < 0 || !S_ISBLK(st.st_mode))
			return false;
		*ret_disk = st.st_rdev;
		return true;
	}
	return false;
}

static dev_t number_read(const char *path, dev_t otherwise)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned disk_major, disk_minor;
	char text[32] = "";

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 ||
	    sscanf(text, "%u:%u", &disk_major, &disk_minor) != 2)
		return otherwise;
	return makedev(disk_major, disk_minor);
}

static dev_t disk_of_partition(dev_t number)
{
	char path[80];

	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition", major(number),
		       minor(number));
	if (access(path, F_OK) < 0)
		return number;
	(void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../dev", major(number),
		       minor(number));
	return number_read(path, number);
}

static void add_disk(struct plan_facts *facts, dev_t number)
{
	struct plan_device disk = {major(number), minor(number)};

	for (size_t i = 0; i < facts->n_io_devices; i++) {
		if (facts->io_devices[i].major == disk.major &&
		    facts->io_devices[i].minor == disk.minor)
			return;
	}
	if (facts->n_io_devices < PLAN_IO_DEVICES_MAX)
		facts->io_devices[facts->n_io_devices++] = disk;
}

/* Return: true if @path is on a disk, which is added, or needs no limit. */
static bool add_disk_of(struct plan_facts *facts, const char *path)
{
	struct statfs fs;
	struct stat st;
	dev_t number;

	/* a missing path fails later, with a better message */
	if (stat(path, &st) < 0 || statfs(path, &fs) < 0)
		return true;
	if (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC)
		return true;
	number = st.st_dev;
	if (major(number) == 0 && !disk_of_mount(number, &number))
		return false;
	add_disk(facts, disk_of_partition(number));
	return true;
}

static int cannot_limit(const char *path, struct error *error)
{
	return error_set(error, ENOTSUP,
			 "cannot limit io: the file system of %s has no disk of its own (an "
			 "overlay or a network file system): keep it on a local disk, or give no "
			 "limit on io",
			 path);
}

int host_disks_find(const struct sandbox_request *request, struct plan_facts *facts, bool required,
		    struct error *error)
{
	const struct sandbox_io *io = &request->io;
	bool of_host =
		request->image && strcmp(request->image, "host") == 0 && request->n_layers == 0;

	if (!io->read && !io->write && !io->read_ops && !io->write_ops)
		return 0;
	if (!facts->limit_io && required)
		return error_set(error, ENOTSUP,
				 "cannot limit io: the cgroup v2 controller io is missing: start "
				 "it in a delegated group, e.g. by its systemd unit or with "
				 "systemd-run -p Delegate=yes, or give no limit on io");
	if (facts->root && facts->root[0] == '/' && !add_disk_of(facts, facts->root) && required)
		return cannot_limit(facts->root, error);
	for (size_t i = 0; i < request->n_layers; i++) {
		if (!add_disk_of(facts, request->layers[i]) && required)
			return cannot_limit(request->layers[i], error);
	}
	if (request->workspace && !add_disk_of(facts, request->workspace) && required)
		return cannot_limit(request->workspace, error);
	for (size_t i = 0; of_host && i < facts->view->n_binds; i++) {
		if (!add_disk_of(facts, facts->view->binds[i].path) && required)
			return cannot_limit(facts->view->binds[i].path, error);
	}
	for (size_t i = 0; i < request->n_binds; i++) {
		if (!add_disk_of(facts, request->binds[i].source) && required)
			return cannot_limit(request->binds[i].source, error);
	}
	return 0;
}
