/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/host_users.h"

#include "common/cleanup.h"
#include "common/memory_pages.h"
#include "sandbox/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LOCK_NAME "runbook-ids"

struct user_slots {
	int lock_fd;
	struct user_slot *slot[ID_STEP_SLOTS]; /* made on first use */
	unsigned n_slots;		       /* behind these, none was made */
};

/*
 * All users may write the directory: a file that does not belong to root is removed and made
 * again.
 */
static int lock_file_open(const char *directory)
{
	cleanup_close int dir_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir_fd < 0)
		return -errno;
	for (int attempt = 0; attempt < 3; attempt++) {
		cleanup_close int fd = -1;
		struct stat st;

		/* without O_CREAT first: fs.protected_regular refuses it on foreign files */
		fd = openat(dir_fd, LOCK_NAME, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			fd = openat(dir_fd, LOCK_NAME,
				    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid())
			return TAKE_FD(fd);
		if (fd < 0 && errno != ELOOP && errno != EEXIST && errno != ENXIO)
			return -errno;
		(void)unlinkat(dir_fd, LOCK_NAME, 0);
	}
	return -EPERM;
}

int user_slots_new(struct user_slots **ret_slots, struct error *error)
{
	/* first the one that only root may write */
	static const char *const directories[] = {"/run", "/run/lock", "/tmp"};
	struct user_slots *slots = memory_pages_new(sizeof(*slots));
	int fd = -ENOENT;

	if (!slots)
		return error_errno(error, ENOMEM, "cannot keep user ids");
	for (size_t i = 0; i < ARRAY_SIZE(directories) && fd < 0; i++)
		fd = lock_file_open(directories[i]);
	if (fd < 0) {
		memory_pages_free(slots, sizeof(*slots));
		return error_errno(error, -fd, "cannot open the lock file /run/" LOCK_NAME);
	}
	slots->lock_fd = fd;
	*ret_slots = slots;
	return 0;
}

/* Returns the begun user namespace, or a new one. Its process is reaped later. */
static int userns_of(struct user_slot *slot, struct error *error)
{
	/* the second line is the same for all steps: file owners, which tar and cp -a preserve */
	const struct id_map maps[] = {
		{.inside = 0, .outside = slot->base, .count = ID_STEP_RANGE},
		{.inside = ID_STEP_RANGE, .outside = ID_LARGE_FIRST, .count = ID_LARGE_COUNT},
	};

	if (!slot->job)
		slot->job = spawn_userns_begin(slot->init_id, error);
	if (!slot->job)
		return error ? -error->number : -EIO;
	return spawn_userns_end(slot->job, maps, maps, ARRAY_SIZE(maps), error);
}

struct user_slots *user_slots_free(struct user_slots *slots)
{
	if (!slots)
		return NULL;
	for (size_t i = 0; i < slots->n_slots; i++) {
		struct user_slot *slot = slots->slot[i];

		if (!slot)
			continue;
		(void)spawn_userns_free(slot->job);
		if (slot->userns_fd >= 0)
			(void)close(slot->userns_fd);
		if (slot->mapping_fd >= 0)
			(void)close(slot->mapping_fd);
		if (slot->image_fd >= 0)
			(void)close(slot->image_fd);
		free(slot);
	}
	(void)close(slots->lock_fd);
	memory_pages_free(slots, sizeof(*slots));
	return NULL;
}

static int slot_lock(const struct user_slots *slots, unsigned index, short type)
{
	struct flock lock = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)index, .l_len = 1};

	return fcntl(slots->lock_fd, F_OFD_SETLK, &lock) < 0 ? -errno : 0;
}

static struct user_slot *slot_make(struct user_slots *slots, unsigned index)
{
	struct user_slot *slot = calloc(1, sizeof(*slot));

	if (!slot)
		return NULL;
	slot->index = index;
	slot->base = ID_STEP_FIRST + index * ID_STEP_RANGE;
	slot->init_id = ID_INIT_FIRST + index;
	slot->userns_fd = -1;
	slot->mapping_fd = -1;
	slot->image_fd = -1;
	slots->slot[index] = slot;
	if (index >= slots->n_slots)
		slots->n_slots = index + 1;
	return slot;
}

/* Locks the first slot that no process of any instance has. Return: 0; -EBUSY; -errno. */
static int slot_lock_free_one(struct user_slots *slots, struct user_slot **ret_slot)
{
	for (unsigned i = 0; i < ID_STEP_SLOTS; i++) {
		struct user_slot *slot = slots->slot[i];
		int r;

		if (slot && slot->taken)
			continue;
		r = slot_lock(slots, i, F_WRLCK);
		if (r == -EAGAIN || r == -EACCES)
			continue;
		if (r < 0)
			return r;
		if (!slot)
			slot = slot_make(slots, i);
		if (!slot) {
			(void)slot_lock(slots, i, F_UNLCK);
			return -ENOMEM;
		}
		slot->taken = true;
		*ret_slot = slot;
		return 0;
	}
	return -EBUSY;
}

void user_slots_begin(struct user_slots *slots)
{
	struct user_slot *slot = NULL;

	if (slot_lock_free_one(slots, &slot) < 0)
		return;
	/* it stays locked: user_slot_take() will look at it first */
	slot->taken = false;
	if (slot->userns_fd < 0)
		slot->job = spawn_userns_begin(slot->init_id, NULL);
}

int user_slot_take(struct user_slots *slots, struct user_slot **ret_slot, struct error *error)
{
	struct user_slot *slot = NULL;
	int r = slot_lock_free_one(slots, &slot);

	if (r < 0)
		return error_errno(error, -r, "no free range of user ids (%u steps at once)",
				   ID_STEP_SLOTS);
	if (slot->userns_fd < 0) {
		r = userns_of(slot, error);
		if (r < 0) {
			user_slot_release(slots, slot);
			return r;
		}
		slot->userns_fd = r;
	}
	*ret_slot = slot;
	return 0;
}

/* ---- slots of a predecessor ---- */

int user_slots_fd(const struct user_slots *slots)
{
	return slots->lock_fd;
}

void user_slots_inherit(struct user_slots *slots, int fd)
{
	struct stat ours, theirs;

	if (fd < 0)
		return;
	/* locks on a file that was replaced exclude no other program */
	if (fstat(slots->lock_fd, &ours) < 0 || fstat(fd, &theirs) < 0 ||
	    ours.st_dev != theirs.st_dev || ours.st_ino != theirs.st_ino) {
		(void)close(fd);
		return;
	}
	(void)close(slots->lock_fd);
	slots->lock_fd = fd;
}

int user_slot_adopt(struct user_slots *slots, unsigned index, struct user_slot **ret_slot)
{
	struct user_slot *slot = slots->slot[index];
	int r;

	if (slot && slot->taken)
		return -EBUSY;
	r = slot_lock(slots, index, F_WRLCK);
	if (r < 0)
		return r == -EAGAIN || r == -EACCES ? -EBUSY : r;
	if (!slot)
		slot = slot_make(slots, index);
	if (!slot) {
		(void)slot_lock(slots, index, F_UNLCK);
		return -ENOMEM;
	}
	slot->taken = true;
	*ret_slot = slot;
	return 0;
}

void user_slots_settle(const struct user_slots *slots)
{
	for (unsigned first = 0, end; first < ID_STEP_SLOTS; first = end + 1) {
		struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

		for (end = first;
		     end < ID_STEP_SLOTS && !(slots->slot[end] && slots->slot[end]->taken); end++)
			;
		lock.l_start = (off_t)first;
		lock.l_len = (off_t)(end - first);
		if (lock.l_len > 0) /* a length of 0 means up to the end of the file */
			(void)fcntl(slots->lock_fd, F_OFD_SETLK, &lock);
	}
}

void user_slot_started(struct user_slot *slot)
{
	slot->job = spawn_userns_free(slot->job);
}

void user_slot_release(struct user_slots *slots, struct user_slot *slot)
{
	if (!slot)
		return;
	user_slot_started(slot);
	slot->taken = false;
	(void)slot_lock(slots, slot->index, F_UNLCK);
}

int user_slot_mapping(struct user_slot *slot, const struct plan_op *op, struct error *error)
{
	struct id_map users = {
		.inside = op->owner_uid, .outside = slot->base + op->inside_uid, .count = 1};
	struct id_map groups = {
		.inside = op->owner_gid, .outside = slot->base + op->inside_gid, .count = 1};
	int fd;

	if (slot->mapping_fd >= 0 && memcmp(&slot->mapped_users, &users, sizeof(users)) == 0 &&
	    memcmp(&slot->mapped_groups, &groups, sizeof(groups)) == 0)
		return slot->mapping_fd;
	fd = spawn_userns(slot->init_id, &users, &groups, 1, error);
	if (fd < 0)
		return fd;
	if (slot->mapping_fd >= 0)
		(void)close(slot->mapping_fd);
	slot->mapping_fd = fd;
	slot->mapped_users = users;
	slot->mapped_groups = groups;
	return fd;
}

int user_slot_image_mapping(struct user_slot *slot, struct error *error)
{
	const struct id_map map = {
		.inside = ID_IMAGE_FIRST, .outside = slot->base, .count = ID_STEP_RANGE};

	if (slot->image_fd < 0)
		slot->image_fd = spawn_userns(slot->init_id, &map, &map, 1, error);
	return slot->image_fd;
}
