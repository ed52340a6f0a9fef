/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as kept state of another version; the first byte chooses the kind. */
#include "daemon/adopt.h"
#include "daemon/kept_memory.h"
#include "daemon/ledger_parts.h"
#include "daemon/log_journal.h"
#include "daemon/step_persist.h"
#include "sandbox/kept_fields.h"
#include "sandbox/sandbox_internal.h"
#include "sandbox/status_read.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ORDER 1000002

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fd_store *store_new(void)
{
	int highest;
	struct fd_store *store = fd_store_inherit(&highest);

	if (!store)
		abort();
	return store;
}

static int memory_of(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	return fd;
}

/* Read a ledger into one that is made once, since that takes longest. */
static void try_ledger(const uint8_t *data, size_t size)
{
	static struct ledger ledger;
	struct error error = ERROR_INIT;
	int fd = memory_of(data, size);

	if (!ledger.memory && ledger_memory_make(&ledger, &error) < 0)
		abort();
	*ledger.head = (struct ledger_head){.n_touched = 0};
	if (ledger_convert(fd, &ledger, &error) == 0) {
		for (uint64_t i = 0; i < ledger.head->n_touched; i++) {
			const struct ledger_step *step = ledger_step_at(&ledger, i);

			if (step->phase >= LEDGER_PHASE_NUM ||
			    strlen(step->project) > PROJECT_NAME_MAX ||
			    strlen(step->report.reason) >= REASON_MAX)
				abort();
		}
	} else if (error.text[0] == '\0') {
		abort();
	}
	(void)close(fd);
}

static void try_journal(const uint8_t *data, size_t size)
{
	struct fd_store *store = store_new();
	struct error error = ERROR_INIT;
	struct log_journal *journal;

	(void)fd_store_put(store, "rb.journal", memory_of(data, size));
	if (log_journal_check(store, &error) == 0) {
		if (log_journal_new(store, &journal, &error) < 0)
			abort();
		while (log_journal_recover(journal, ORDER))
			;
		log_journal_settle(journal);
		(void)log_journal_free(journal);
	}
	(void)fd_store_free(store);
}

static void try_fd_bundle(const uint8_t *data, size_t size)
{
	struct fd_store *store = store_new();
	struct error error = ERROR_INIT;
	char name[FD_STORE_NAME_MAX];
	struct step_fd_bundle bundle;
	int fds[12];

	for (size_t i = 0; i < 12; i++)
		fds[i] = i == 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : fds[0];
	step_fd_bundle_name(ORDER, name);
	if (size > 0 && size <= FD_BUNDLE_BYTES_MAX)
		(void)fd_store_put(store, name, fd_bundle_make(data, size, fds, 12));
	if (step_fd_bundle_open(store, ORDER, &bundle, &error) == 0) {
		(void)sandbox_kept_check(&bundle.sandbox, &error);
		step_fd_bundle_close(&bundle);
	}
	(void)close(fds[0]);
	(void)fd_store_free(store);
}

static void try_sandbox(const uint8_t *data, size_t size)
{
	const struct sandbox_kept kept = {
		.data = (void *)(uintptr_t)data, .size = size, .n_fds = 6};
	uint16_t kinds[SANDBOX_KEPT_FDS_MAX];
	struct error error = ERROR_INIT;
	struct kept_sandbox read;

	if (sandbox_kept_read(&kept, &read, kinds, &error) == 0 &&
	    (strchr(read.run, '/') || strchr(read.id, '/') || read.slot > ID_STEP_SLOTS))
		abort();
}

static void try_status(const uint8_t *data, size_t size)
{
	struct sandbox_status status;

	(void)status_parse(data, size, &status);
	if (!memchr(status.text, '\0', sizeof(status.text)))
		abort();
}

/* Read a layout, and then a step that has this layout. */
static void try_layout(const uint8_t *data, size_t size)
{
	static struct ledger_step step;
	uint16_t length;

	if (size < sizeof(length))
		return;
	memcpy(&length, data, sizeof(length));
	data += sizeof(length);
	size -= sizeof(length);
	if (length > size)
		return;
	(void)fields_convert(data, length, data + length, size - length, &ledger_step_fields, &step,
			     NULL);
	(void)fields_unpack(&ledger_step_fields, data, size, &step, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(const uint8_t *data, size_t size) = {
		try_ledger, try_journal, try_fd_bundle, try_sandbox, try_status, try_layout,
	};
	uint8_t *copy;

	if (size < 2)
		return 0;
	/* a copy, so that the sanitizer sees a read past the end */
	copy = malloc(size - 1);
	if (!copy)
		return 0;
	memcpy(copy, data + 1, size - 1);
	tries[data[0] % (sizeof(tries) / sizeof(tries[0]))](copy, size - 1);
	free(copy);
	return 0;
}
