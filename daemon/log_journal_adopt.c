/* SPDX-License-Identifier: Apache-2.0 */

/* The journal's memory: new, a predecessor's, or converted from that of another version. */

#include "common/cleanup.h"
#include "common/log.h"
#include "daemon/kept_memory.h"
#include "daemon/kept_raw.h"
#include "daemon/log_journal_parts.h"
#include "daemon/log_pump.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define MEMORY_NAME FD_STORE_PREFIX "journal"
#define PAGE 4096
#define ROUND_UP(n) (((n) + PAGE - 1) / PAGE * PAGE)
#define SLOTS_MAX 4096 /* of any version */
#define BUFFER_MAX (16 * MIB)

struct log_slot_head *log_journal_head(const struct log_journal *journal, size_t index)
{
	return (struct log_slot_head *)(void *)(journal->memory + journal->heads_at) + index;
}

char *log_journal_data(const struct log_journal *journal, size_t index)
{
	return journal->memory + journal->data_at + index * 2 * journal->buffer_size;
}

/* ---- ours ---- */

static void geometry(struct log_journal *journal, size_t n_slots, size_t buffer_size)
{
	journal->n_slots = n_slots;
	journal->buffer_size = buffer_size;
	journal->heads_at = KEPT_DESCRIBED_MAX;
	journal->data_at = journal->heads_at + ROUND_UP(n_slots * sizeof(struct log_slot_head));
	journal->bytes = journal->data_at + n_slots * 2 * buffer_size;
}

/* Make the description of memory with this geometry. Return: its size; 0 without memory. */
static size_t describe(const struct log_journal *journal, char *out)
{
	struct kept_journal kept = {.heads_at = journal->heads_at,
				    .head_size = sizeof(struct log_slot_head),
				    .n_slots = journal->n_slots,
				    .data_at = journal->data_at,
				    .buffer_size = journal->buffer_size};

	return kept_describe(&kept_journal_fields, &kept, KEPT_JOURNAL_MAGIC,
			     &(const struct kept_layout){&kept.slot_layout, &log_slot_fields}, 1,
			     out);
}

static int memory_map(struct log_journal *journal, int fd)
{
	journal->memory = mmap(NULL, journal->bytes, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (journal->memory == MAP_FAILED) {
		journal->memory = NULL;
		return -errno;
	}
	/* it contains output from before it was masked */
	(void)madvise(journal->memory, journal->bytes, MADV_DONTDUMP);
	return 0;
}

/* Make and map empty memory. Return: its descriptor or -errno. */
static int memory_make(struct log_journal *journal)
{
	char described[KEPT_DESCRIBED_MAX];
	size_t size = describe(journal, described);
	cleanup_close int fd = memfd_create("runbookd-journal", MFD_CLOEXEC);
	int r;

	if (size == 0)
		return -ENOMEM;
	if (fd < 0 || ftruncate(fd, (off_t)journal->bytes) < 0)
		return -errno;
	r = memory_map(journal, fd);
	assert(r < 0 || journal->memory);
	if (r < 0)
		return r;
	memcpy(journal->memory, described, size);
	return TAKE_FD(fd);
}

/* ---- memory of another version ---- */

/* struct kept_source - a predecessor's memory and its description */
struct kept_source {
	struct kept_memory memory;
	struct kept_journal kept;
	void *layout; /* of memory without a description; malloc'ed */
};

static void source_close(struct kept_source *source)
{
	kept_memory_unmap(&source->memory);
	free(source->layout);
}

/* The description of the memory of d2e21e4, which had none of its own. */
static int describe_raw(struct kept_source *source, struct error *error)
{
	struct raw_journal raw;

	if (source->memory.size < sizeof(raw))
		return error_set(error, EBADMSG, "the journal of output is cut off");
	memcpy(&raw, source->memory.data, sizeof(raw));
	if (raw.version != RAW_JOURNAL_VERSION || raw.slot_size != RAW_JOURNAL_BUFFER)
		return error_set(error, EBADMSG, "the journal of output is of an unknown version");
	source->kept = (struct kept_journal){.heads_at = RAW_JOURNAL_HEADS_AT,
					     .head_size = sizeof(struct raw_slot),
					     .n_slots = RAW_JOURNAL_SLOTS,
					     .data_at = RAW_JOURNAL_DATA_AT,
					     .buffer_size = RAW_JOURNAL_BUFFER};
	source->layout = kept_layout_of(&raw_slot_fields, &source->kept.slot_layout);
	return source->layout ? 0 : error_set(error, ENOMEM, "out of memory");
}

static int source_open(struct kept_source *source, int fd, struct error *error)
{
	const struct kept_journal *kept = &source->kept;
	int r = kept_memory_map(fd, &source->memory, error);

	if (r < 0)
		return r;
	if (kept_memory_magic(&source->memory) == KEPT_JOURNAL_MAGIC)
		r = kept_memory_described(&source->memory, &kept_journal_fields, &source->kept,
					  error);
	else if (kept_memory_magic(&source->memory) == RAW_JOURNAL_MAGIC)
		r = describe_raw(source, error);
	else
		r = error_set(error, EBADMSG, "the journal of output is of an unknown version");
	if (r < 0)
		return r;
	if (kept->n_slots == 0 || kept->n_slots > SLOTS_MAX || kept->buffer_size == 0 ||
	    kept->buffer_size > BUFFER_MAX ||
	    !kept_memory_has(&source->memory, kept->heads_at, kept->head_size, kept->n_slots) ||
	    !kept_memory_has(&source->memory, kept->data_at, 2 * kept->buffer_size, kept->n_slots))
		return error_set(error, EBADMSG, "the journal of output is cut off");
	return 0;
}

static int head_convert(const struct kept_source *source, uint64_t index,
			struct log_slot_head *head, struct error *error)
{
	const struct kept_journal *kept = &source->kept;
	int r;

	memset(head, 0, sizeof(*head));
	r = fields_convert(kept->slot_layout.data, kept->slot_layout.size,
			   source->memory.data + kept->heads_at + index * kept->head_size,
			   kept->head_size, &log_slot_fields, head, error);
	if (r == 0 && head->state >= LOG_SLOT_STATE_NUM)
		r = error_set(error, ENOTSUP,
			      "output of a step is in a state that only a newer "
			      "version knows");
	return r;
}

/* As many slots as the other version has or as we have, whichever is more, and buffers that are
 * large enough for all output in them. */
static int geometry_for(const struct kept_source *source, struct log_journal *journal,
			struct error *error)
{
	uint64_t buffer_size = LOG_BUFFER_SIZE;
	uint64_t n_slots = LOG_BUFFERS_MAX;
	struct log_slot_head head;

	if (source->kept.buffer_size > buffer_size)
		buffer_size = source->kept.buffer_size;
	if (source->kept.n_slots > n_slots)
		n_slots = source->kept.n_slots;
	for (uint64_t i = 0; i < source->kept.n_slots; i++) {
		int r = head_convert(source, i, &head, error);

		if (r < 0)
			return r;
		/* masked output needs our headroom before it */
		if (head.state != LOG_SLOT_FREE && head.size <= source->kept.buffer_size &&
		    head.size + MASK_HEADROOM > buffer_size && head.masked)
			buffer_size += PAGE;
	}
	geometry(journal, n_slots, ROUND_UP(buffer_size));
	return 0;
}

static int slots_convert(const struct kept_source *source, struct log_journal *journal,
			 struct error *error)
{
	const struct kept_journal *kept = &source->kept;

	for (uint64_t i = 0; i < kept->n_slots; i++) {
		const uint8_t *data =
			source->memory.data + kept->data_at + i * 2 * kept->buffer_size;
		struct log_slot_head *head = log_journal_head(journal, i);
		int r = head_convert(source, i, head, error);

		if (r < 0)
			return r;
		if (head->state == LOG_SLOT_FREE)
			continue;
		memcpy(log_journal_data(journal, i), data, kept->buffer_size);
		memcpy(log_journal_data(journal, i) + journal->buffer_size,
		       data + kept->buffer_size, kept->buffer_size);
	}
	return 0;
}

/* Is it laid out as this version does it, and large enough? Sets the geometry of @journal. */
static bool is_ours(const struct kept_source *source, struct log_journal *journal)
{
	char described[KEPT_DESCRIBED_MAX];
	size_t size;

	if (source->kept.n_slots < LOG_BUFFERS_MAX || source->kept.buffer_size < LOG_BUFFER_SIZE)
		return false;
	geometry(journal, source->kept.n_slots, source->kept.buffer_size);
	size = describe(journal, described);
	return size > 0 && source->memory.size == journal->bytes &&
	       memcmp(source->memory.data, described, size) == 0;
}

/* Map or convert the memory of a predecessor. Return: 0; -ENOENT without one; -errno. */
static int memory_inherit(struct log_journal *journal, struct error *error)
{
	int fd = fd_store_newest(journal->store, MEMORY_NAME);
	struct kept_source source = {.layout = NULL};
	int r;

	if (fd < 0)
		return -ENOENT;
	r = source_open(&source, fd, error);
	if (r == 0 && is_ours(&source, journal)) {
		r = memory_map(journal, fd);
	} else if (r == 0) {
		r = geometry_for(&source, journal, error);
		fd = r == 0 ? memory_make(journal) : r;
		r = fd < 0 ? fd : slots_convert(&source, journal, error);
		if (r == 0)
			r = fd_store_renew(journal->store, MEMORY_NAME, fd);
		else if (fd >= 0)
			(void)close(fd);
	}
	source_close(&source);
	if (r < 0 && journal->memory) {
		(void)munmap(journal->memory, journal->bytes);
		journal->memory = NULL;
	}
	return r;
}

int log_journal_memory(struct log_journal *journal)
{
	struct error error = ERROR_INIT;
	int r = memory_inherit(journal, &error);

	journal->inherited = r == 0;
	if (r == 0)
		return 0;
	if (r != -ENOENT)
		log_error("output on its way is lost: %s",
			  error.number ? error.text : strerror(-r));
	geometry(journal, LOG_BUFFERS_MAX, LOG_BUFFER_SIZE);
	r = memory_make(journal);
	return r < 0 ? r : fd_store_renew(journal->store, MEMORY_NAME, r);
}

int log_journal_check(const struct fd_store *store, struct error *error)
{
	int fd = fd_store_newest(store, MEMORY_NAME);
	struct kept_source source = {.layout = NULL};
	struct log_journal journal;
	int r = fd < 0 ? 0 : source_open(&source, fd, error);

	if (fd >= 0 && r == 0)
		r = geometry_for(&source, &journal, error);
	source_close(&source);
	return r;
}
