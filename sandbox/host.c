/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/host.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/limits.h"
#include "common/memory_pages.h"
#include "common/remove_tree.h"
#include "sandbox/host_seccomp.h"
#include "sandbox/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#define INIT_BYTES_MAX (32 * MIB)

/*
 * runbook-init runs from a sealed memfd: inside, /proc/1/exe is not a file of the host, so no
 * step can change the program that later steps run (CVE-2019-5736).
 */
static int init_seal(const char *path, struct error *error)
{
	static const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	cleanup_close int in = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_close int out = -1;
	ssize_t copied;

	if (in < 0)
		return error_errno(error, errno, "cannot open %s (part of runbookd)", path);
	/* where vm.memfd_noexec is set, only memfds with MFD_EXEC can be executed */
	out = memfd_create("runbook-init", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (out < 0 && errno == EINVAL)
		out = memfd_create("runbook-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (out < 0)
		return error_errno(error, errno, "cannot make a memory file");
	while ((copied = sendfile(out, in, NULL, INIT_BYTES_MAX)) > 0)
		;
	if (copied < 0 || fchmod(out, 0555) < 0 || fcntl(out, F_ADD_SEALS, seals) < 0)
		return error_errno(error, errno, "cannot keep %s in memory", path);
	return TAKE_FD(out);
}

static char *path_join(const char *directory, const char *name)
{
	char *path = NULL;

	return asprintf(&path, "%s/%s", directory, name) < 0 ? NULL : path;
}

static int host_dirs_make(struct sandbox_host *host, const char *state_dir, struct error *error)
{
	char private_dir[] = "/run/runbook-sandbox.XXXXXX";
	struct stat st;
	int r;

	if (state_dir) {
		host->state_dir = realpath(state_dir, NULL);
		if (!host->state_dir)
			return error_errno(error, errno, "cannot use the state directory %s",
					   state_dir);
	} else {
		if (!mkdtemp(private_dir))
			return error_errno(error, errno, "cannot make a directory in /run");
		host->private_dir = true;
		host->state_dir = strdup(private_dir);
	}
	host->images_dir = host->state_dir ? path_join(host->state_dir, "images") : NULL;
	host->stage_dir = host->images_dir ? path_join(host->images_dir, "stage") : NULL;
	host->groups_dir = host->state_dir ? path_join(host->state_dir, "networks") : NULL;
	if (!host->stage_dir || !host->groups_dir)
		return error_errno(error, ENOMEM, "cannot prepare the state directory");
	r = make_directories(AT_FDCWD, host->images_dir, 0755);
	if (r == 0)
		r = make_directories(AT_FDCWD, host->stage_dir, 0700);
	if (r < 0)
		return error_errno(error, -r, "cannot make %s", host->stage_dir);
	/* templates in it become the root of steps: no other user may write there */
	if (stat(host->images_dir, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 022))
		return error_set(error, EPERM,
				 "%s must belong to root and be writable by root only",
				 host->images_dir);
	return 0;
}

uint64_t host_memory_default(void)
{
	struct sysinfo info;
	uint64_t total, reserve;

	if (sysinfo(&info) < 0)
		return 0;
	total = (uint64_t)info.totalram * info.mem_unit;
	reserve = total / 16;
	if (reserve < HOST_RESERVE_MIN)
		reserve = HOST_RESERVE_MIN;
	if (reserve > HOST_RESERVE_MAX)
		reserve = HOST_RESERVE_MAX;
	return total > 2 * reserve ? total - reserve : total / 2;
}

uint64_t host_disk_default(uint64_t memory, unsigned parallel)
{
	uint64_t disk = memory / (parallel ? parallel + 1 : 2);

	return disk < STEP_DISK_DEFAULT_MIN && memory / 2 > disk
		       ? (memory / 2 < STEP_DISK_DEFAULT_MIN ? memory / 2 : STEP_DISK_DEFAULT_MIN)
		       : disk;
}

/* The parts that processes of their own prepare come first. */
static int host_begin(struct sandbox_host *host, const struct sandbox_host_options *options,
		      struct error *error)
{
	struct host_network_options network = {.dns_servers = options->dns_servers,
					       .pool = options->network_pool,
					       .gateway = options->gateway};
	int r = host_dirs_make(host, options->state_dir, error);

	network.directory = host->groups_dir;
	if (r == 0)
		r = host_network_new(&host->network, &network, error);
	if (r == 0 && options->once && options->once_network == STEP_NETWORK_NONE)
		host_network_begin(host->network);
	if (r == 0)
		r = user_slots_new(&host->users, error);
	if (r == 0 && options->once)
		user_slots_begin(host->users);
	return r;
}

static int host_prepare(struct sandbox_host *host, const struct sandbox_host_options *options,
			struct error *error)
{
	uint64_t memory;
	int r;

	if (geteuid() != 0)
		return error_set(error, EPERM, "sandboxes are built by root: use sudo");
	r = host_begin(host, options, error);
	if (r < 0)
		return r;
	memory = options->memory ? options->memory : host_memory_default();
	if (memory == 0)
		return error_errno(error, errno, "cannot see how much memory there is");
	host->scratch = host_disk_default(memory, options->parallel);
	if (options->cacher_path) {
		host->cacher_path = realpath(options->cacher_path, NULL);
		if (!host->cacher_path)
			return error_errno(error, errno, "cannot find the cacher client %s",
					   options->cacher_path);
	}
	host->init_fd = init_seal(options->init_path, error);
	if (host->init_fd < 0)
		return host->init_fd;
	host->filter_fd = seccomp_program_seal(false, error);
	if (host->filter_fd < 0)
		return host->filter_fd;
	r = cgroup_host_open(&host->cgroup, options->cgroup_parent, options->cgroup_name,
			     options->limits, memory, error);
	if (r == 0 && options->launchers > 0)
		r = launcher_new(&host->launcher, options->launchers, error);
	return r;
}

int sandbox_host_new(struct sandbox_host **ret_host, const struct sandbox_host_options *options,
		     struct error *error)
{
	struct sandbox_host *host = memory_pages_new(sizeof(*host));
	int r;

	if (!host)
		return error_errno(error, ENOMEM, "cannot prepare sandboxes");
	host->dev = HOST_DEV_NULL;
	host->base = HOST_BASE_NULL;
	host->filter_fd = host->init_fd = host->image.lock_fd = -1;
	host->cgroup.own_fd = host->cgroup.group_fd = -1;
	r = host_prepare(host, options, error);
	if (r < 0) {
		(void)sandbox_host_free(host);
		return r;
	}
	*ret_host = host;
	return 0;
}

struct sandbox_host *sandbox_host_free(struct sandbox_host *host)
{
	if (!host)
		return NULL;
	host->launcher = launcher_free(host->launcher);
	(void)host_network_free(host->network);
	cgroup_host_close(&host->cgroup);
	(void)user_slots_free(host->users);
	host_image_close(&host->image);
	for (size_t i = 0; host->shift_by_owner && i < ID_STEP_SLOTS; i++) {
		if (host->shifted[i])
			host_image_close(host->shifted[i]);
		free(host->shifted[i]);
	}
	if (host->dev.fd >= 0)
		(void)close(host->dev.fd);
	if (host->base.fd >= 0)
		(void)close(host->base.fd);
	if (host->filter_fd >= 0)
		(void)close(host->filter_fd);
	if (host->init_fd >= 0)
		(void)close(host->init_fd);
	if (host->private_dir)
		(void)remove_tree(AT_FDCWD, host->state_dir);
	free(host->stage_dir);
	free(host->groups_dir);
	free(host->images_dir);
	free(host->state_dir);
	free(host->cacher_path);
	memory_pages_free(host, sizeof(*host));
	return NULL;
}

const char *sandbox_host_warning(const struct sandbox_host *host)
{
	return host->cgroup.warning[0] ? host->cgroup.warning : NULL;
}

bool sandbox_host_idle(struct sandbox_host *host)
{
	return host_network_idle(host->network);
}

int sandbox_host_watch_fd(const struct sandbox_host *host)
{
	return host_network_watch_fd(host->network);
}

bool sandbox_host_watch(struct sandbox_host *host)
{
	return host_network_watch(host->network);
}

int sandbox_host_sweep(struct sandbox_host *host, struct error *error)
{
	int r = cgroup_host_sweep(&host->cgroup);

	if (r < 0)
		return error_errno(error, -r, "cannot remove the groups of earlier steps");
	return host_network_sweep(host->network, error);
}

int host_image_of(struct sandbox_host *host, const struct user_slot *slot,
		  const struct host_image **ret_image, struct error *error)
{
	struct host_image **shifted = &host->shifted[slot->index];
	int r;

	if (!host->shift_by_owner) {
		if (host->image.lock_fd < 0) {
			r = host_image_open(&host->image, host->images_dir, 0, error);
			if (r < 0)
				return r;
		}
		*ret_image = &host->image;
		return 0;
	}
	if (!*shifted) {
		struct host_image *image = calloc(1, sizeof(*image));

		if (!image)
			return error_errno(error, ENOMEM, "cannot prepare the image \"host\"");
		r = host_image_open(image, host->images_dir, slot->base, error);
		if (r < 0) {
			free(image);
			return r;
		}
		*shifted = image;
	}
	*ret_image = *shifted;
	return 0;
}
