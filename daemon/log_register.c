/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/log_register.h"

#include "common/beneath.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/limits.h"
#include "common/log.h"
#include "common/names.h"
#include "daemon/log_repair.h"
#include "daemon/step.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define REGISTER_MAGIC 0x314c4252u /* "RBL1" */
#define BOOT_ID_SIZE 37
#define SLOTS_OF_ANY 1048576
#define WRITEBACK_USEC (20 * USEC_PER_MSEC)
#define NUMBER_MAX (1ULL << 53) /* of the numbers that the scheduler sends */

struct register_header {
	uint32_t magic;
	uint32_t n_slots;
	char boot_id[BOOT_ID_SIZE];
	char zeroes[19];
};
_Static_assert(sizeof(struct register_header) == 64, "file format");

struct register_slot {
	uint64_t run;
	uint64_t attempt;
	char project[PROJECT_NAME_MAX + 1];
	char slug[STEP_SLUG_MAX + 1];
	char zeroes[30];
};
_Static_assert(sizeof(struct register_slot) == 192, "file format");

struct log_register {
	int fd;
	bool used[STEPS_MAX];
	unsigned first_free;	 /* or less */
	struct loop *loop;	 /* NULL: writeback is started at once */
	struct loop_timer timer; /* set while a slot was written and not written back */
};

static off_t slot_offset(unsigned slot)
{
	return (off_t)(sizeof(struct register_header) + slot * sizeof(struct register_slot));
}

/* ---- repairing ---- */

static bool slot_right(const struct register_slot *slot)
{
	return slot->run > 0 && slot->run <= NUMBER_MAX && slot->attempt > 0 &&
	       slot->attempt <= NUMBER_MAX && memchr(slot->project, '\0', sizeof(slot->project)) &&
	       memchr(slot->slug, '\0', sizeof(slot->slug)) && project_name_valid(slot->project) &&
	       step_slug_valid(slot->slug);
}

static void repair_slot(int log_fd, const struct register_slot *slot, bool power_cut)
{
	char path[PROJECT_NAME_MAX + 32], name[STEP_SLUG_MAX + 32];
	struct error error = ERROR_INIT;
	struct log_repaired repaired = {0};
	cleanup_close int dir_fd = -1;
	int r;

	(void)snprintf(path, sizeof(path), "%s/%llu", slot->project, (unsigned long long)slot->run);
	(void)snprintf(name, sizeof(name), "%s.%llu", slot->slug,
		       (unsigned long long)slot->attempt);
	dir_fd = open_beneath(log_fd, path, O_RDONLY | O_DIRECTORY, 0);
	if (dir_fd == -ENOENT)
		return;
	r = dir_fd < 0 ? error_errno(&error, -dir_fd, "cannot open its directory")
		       : log_repair(dir_fd, name, power_cut, &repaired, &error);
	if (r < 0)
		log_error("log %s/%s of a step that was cut off: %s", path, name, error.text);
	else if (r > 0)
		log_warning("log %s/%s was cut off and is repaired: %llu zeroes taken off its end, "
			    "%llu bytes off its index%s",
			    path, name, (unsigned long long)repaired.zeroes,
			    (unsigned long long)repaired.index_dropped,
			    repaired.index_made ? ", which is made anew" : "");
}

static void repair_all(const struct log_register *logs, const struct paths *paths,
		       const struct register_header *header, const char *boot_id,
		       log_open_fn is_open, const void *userdata)
{
	bool power_cut = strncmp(header->boot_id, boot_id, BOOT_ID_SIZE) != 0;
	cleanup_close int log_fd = open(paths->log, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* the version that wrote it may have had another number of slots */
	for (unsigned i = 0; i < header->n_slots && i < SLOTS_OF_ANY && log_fd >= 0; i++) {
		struct register_slot slot;

		if (pread(logs->fd, &slot, sizeof(slot), slot_offset(i)) != (ssize_t)sizeof(slot))
			return;
		if (slot_right(&slot) && !(is_open && is_open(userdata, slot.project, slot.run,
							      slot.slug, slot.attempt)))
			repair_slot(log_fd, &slot, power_cut);
	}
}

/* ---- life ---- */

/* Without a boot id (no /proc), every start counts as a start after a power cut. */
static void read_boot_id(char boot_id[BOOT_ID_SIZE])
{
	cleanup_close int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	memset(boot_id, 0, BOOT_ID_SIZE);
	if (fd < 0 || fd_read_all(fd, boot_id, BOOT_ID_SIZE - 1) < 0)
		boot_id[0] = '\0';
}

/* Make all slots free, and allocate all blocks, so that later writes change no metadata. */
static int begin_anew(int fd, const char *boot_id)
{
	static const struct register_slot free_slot;
	struct register_header header = {.magic = REGISTER_MAGIC, .n_slots = STEPS_MAX};
	int r;

	memcpy(header.boot_id, boot_id, BOOT_ID_SIZE);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	r = fd_write_all(fd, &header, sizeof(header));
	for (unsigned i = 0; i < STEPS_MAX && r == 0; i++)
		r = fd_write_all(fd, &free_slot, sizeof(free_slot));
	if (r == 0 && (ftruncate(fd, slot_offset(STEPS_MAX)) < 0 || fdatasync(fd) < 0))
		r = -errno;
	return r;
}

int log_register_new(const struct paths *paths, log_open_fn is_open, const void *userdata,
		     struct log_register **ret_register, struct error *error)
{
	char path[PATH_MAX + 32], boot_id[BOOT_ID_SIZE];
	struct log_register *logs = calloc(1, sizeof(*logs));
	struct register_header header;
	int r;

	if (!logs)
		return error_set(error, ENOMEM, "out of memory");
	(void)snprintf(path, sizeof(path), "%s/" LOG_REGISTER_NAME, paths->lib);
	logs->timer = LOOP_TIMER_NULL;
	logs->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (logs->fd < 0) {
		r = -errno;
		free(logs);
		return error_errno(error, -r, "cannot open %s", path);
	}
	read_boot_id(boot_id);
	if (pread(logs->fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header) &&
	    header.magic == REGISTER_MAGIC)
		repair_all(logs, paths, &header, boot_id, is_open, userdata);
	r = begin_anew(logs->fd, boot_id);
	if (r < 0) {
		(void)log_register_free(logs);
		return error_errno(error, -r, "cannot write %s", path);
	}
	*ret_register = logs;
	return 0;
}

/* ---- slots ---- */

static void writeback_start(const struct log_register *logs)
{
	(void)sync_file_range(logs->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

static void timer_fired(struct loop_timer *timer)
{
	writeback_start(container_of(timer, struct log_register, timer));
}

void log_register_writeback(struct log_register *logs, struct loop *loop)
{
	logs->loop = loop;
}

struct log_register *log_register_free(struct log_register *logs)
{
	if (!logs)
		return NULL;
	if (logs->timer.loop)
		writeback_start(logs);
	loop_timer_cancel(&logs->timer);
	(void)close(logs->fd);
	free(logs);
	return NULL;
}

static bool slot_write(struct log_register *logs, unsigned slot,
		       const struct register_slot *content)
{
	if (pwrite(logs->fd, content, sizeof(*content), slot_offset(slot)) !=
	    (ssize_t)sizeof(*content))
		return false;
	if (!logs->timer.loop &&
	    (!logs->loop || loop_timer_set(logs->loop, &logs->timer, now_usec() + WRITEBACK_USEC,
					   timer_fired) < 0))
		writeback_start(logs);
	return true;
}

int log_register_add(struct log_register *logs, const char *project, uint64_t run, const char *slug,
		     uint64_t attempt)
{
	struct register_slot content = {.run = run, .attempt = attempt};
	unsigned slot = logs->first_free;

	while (slot < STEPS_MAX && logs->used[slot])
		slot++;
	if (slot == STEPS_MAX)
		return -1;
	(void)snprintf(content.project, sizeof(content.project), "%s", project);
	(void)snprintf(content.slug, sizeof(content.slug), "%s", slug);
	if (!slot_write(logs, slot, &content))
		return -1;
	logs->used[slot] = true;
	logs->first_free = slot + 1;
	return (int)slot;
}

void log_register_remove(struct log_register *logs, int slot)
{
	static const struct register_slot free_slot;

	if (slot < 0)
		return;
	(void)slot_write(logs, (unsigned)slot, &free_slot);
	logs->used[slot] = false;
	if ((unsigned)slot < logs->first_free)
		logs->first_free = (unsigned)slot;
}
