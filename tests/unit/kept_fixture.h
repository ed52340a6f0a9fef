/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_KEPT_FIXTURE_H
#define TESTS_UNIT_KEPT_FIXTURE_H

/*
 * Kept state with known values, for golden bytes. The same file, built in a tree of
 * d2e21e4, made the first of them (tests/golden/kept/README.md): a field that is new
 * since then gets its value between #ifndef KEPT_D2E21E4 and #endif.
 */

#include "common/step_mask.h"
#include "daemon/ledger.h"
#include "daemon/log_journal.h"
#include "daemon/step_table.h"
#include "sandbox/host_network_parts.h"
#ifdef KEPT_D2E21E4
#include "daemon/step_keep.h"
#include "sandbox/private.h"
#else
#include "daemon/step_persist.h"
#include "sandbox/sandbox_internal.h"
#endif

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIXTURE_SECRET_POINTER ((const struct mask *)(uintptr_t)0x7f0012345678)

/* ---- a file as text: its size, then each row of 16 bytes that is not zero ---- */

/* @used: behind that there are only zeroes, up to @size. Return: false if it failed. */
static inline bool sparse_write(FILE *out, const unsigned char *data, size_t used, size_t size)
{
	static const unsigned char zeroes[16];

	fprintf(out, "size %zu\n", size);
	for (size_t at = 0; at < used; at += 16) {
		size_t n = used - at < 16 ? used - at : 16;

		if (memcmp(data + at, zeroes, n) == 0)
			continue;
		fprintf(out, "%zx:", at);
		for (size_t i = 0; i < n; i++)
			fprintf(out, " %02x", data[at + i]);
		fputc('\n', out);
	}
	return !ferror(out);
}

/* ---- values ---- */

static inline void fixture_outcome(struct sandbox_outcome *outcome)
{
	*outcome = (struct sandbox_outcome){
		.how = SANDBOX_SIGNALED,
		.code = 9,
		.memory_limit = true,
		.memory_scope = SANDBOX_MEMORY_RUN,
		.steps_memory = 0x1000000001,
		.forks_refused = 3,
		.disk_full = true,
		.limits = {.memory = 512 << 20, .pids = 100, .cpu_milli = 1500},
		.run_limits = {.memory = 1 << 30, .pids = 1000, .cpu_milli = 4000},
		.disk = 0x200000002,
	};
	for (unsigned i = 0; i < 12; i++)
		step_usage_set(&outcome->usage, (enum step_usage_kind)i, 1000 + i);
}

static inline void fixture_mask(struct mask_stream *mask, char fill)
{
	*mask = (struct mask_stream){.mask = FIXTURE_SECRET_POINTER,
				     .n_held = 5,
				     .n_covered = 2,
				     .n_shown = 1,
				     .row_open = true};
	memset(mask->held, fill, 5);
}

static inline void fixture_log(struct log_kept *log, unsigned n)
{
	for (unsigned i = 0; i < 4; i++) {
		log->masks[i / 2][i % 2].sequence = 70 + i;
		fixture_mask(&log->masks[i / 2][i % 2].mask, (char)('a' + i));
	}
	log->rest_base[0] = 11;
	log->rest_base[1] = 12;
	log->admitted = 123456;
	log->lost = 7;
	log->error = 28; /* ENOSPC */
	log->index_broken = 1;
	/* a ring of 512; one has gone round */
	log->n_records = n == 1 ? 515 : 3;
	for (uint64_t i = n == 1 ? 3 : 0; i < log->n_records; i++)
		log->records[i % 512] = (struct log_index_record){i * 10, (i << 4) | 1ULL << 62};
}

/* Number @n: 0 is collected, 1 runs, 2 has ended. */
static inline void fixture_step(struct ledger_step *step, unsigned n)
{
	static const enum ledger_phase phases[] = {LEDGER_COLLECTED, LEDGER_RUNNING, LEDGER_ENDED};

	step->ended_by_us = 1;
	step->cause = STEP_RESULT_TIMEOUT;
	step->stopping = n == 2;
	step->order = 1000001 + n;
	step->run = 42;
	step->attempt = 1 + n;
	(void)snprintf(step->project, sizeof(step->project), "demo");
	(void)snprintf(step->slug, sizeof(step->slug), "step_%u", n);
	(void)snprintf(step->name, sizeof(step->name), "step %u, the \xc3\xa4ldest", n);
	step->timeout_msec = 3600000;
	step->grace_msec = 10000;
	step->started_usec = 1700000000000000 + n;
	step->ended_usec = 1700000001000000 + n;
	step->deadline_usec = 987654321;
	fixture_log(&step->log, n);
	fixture_outcome(&step->outcome);
	(void)snprintf(step->setup_error, sizeof(step->setup_error), "cannot mount %u", n);
	step->log_result.bytes = 4711;
	step->log_result.lost = 5;
	step->log_result.error = 28;
#ifndef KEPT_D2E21E4
	step->log_result.cut = 4000;
#endif
	step->report.result = STEP_RESULT_TIMEOUT;
	step->report.exit_code = 137;
	step->report.signal = 9;
	(void)snprintf(step->report.reason, sizeof(step->report.reason), "timeout after 1h");
	for (unsigned phase = LEDGER_BEGUN; phase <= phases[n]; phase++)
		ledger_phase_set(step, (enum ledger_phase)phase);
}

/* Three steps, the second entry is free again. */
static inline void fixture_ledger(struct ledger *ledger)
{
	struct ledger_step *steps[4];

	for (unsigned i = 0; i < 4; i++)
		steps[i] = ledger_step_new(ledger);
	fixture_step(steps[0], 0);
	fixture_step(steps[2], 1);
	fixture_step(steps[3], 2);
	ledger_phase_set(steps[1], LEDGER_BEGUN);
	ledger_step_free(ledger, steps[1]);
	for (uint64_t order = 1000000; order < 1000004; order++)
		ledger_order_note(ledger, order);
}

/* ---- a sandbox ---- */

#define FIXTURE_SANDBOX_FDS 9 /* all there can be, each a different memfd's */

struct fixture_sandbox {
	struct sandbox sandbox;
	struct sandbox_private private;
	struct user_slot slot;
	struct network_rule allow[2], only[1];
	struct network_rules rules;
};

static inline void fixture_rule(struct network_rule *rule, unsigned n)
{
	*rule = (struct network_rule){
		.version = 4,
		.bits = 24,
		.protocol_first = 6,
		.protocol_last = 6,
		.port_first = (uint16_t)(400 + n),
		.port_last = (uint16_t)(443 + n),
		.address = {10, 1, (uint8_t)n, 0},
	};
}

/* @fds: seven: pidfd, status, run, group, image, network namespace, and one more */
static inline void fixture_sandbox(struct fixture_sandbox *fixture, const int *fds)
{
	*fixture = (struct fixture_sandbox){
		.sandbox = {.pid = 4242, .pidfd = fds[0], .status_fd = fds[1]},
		.slot = {.index = 17, .base = 0x70110000},
	};
	fixture->sandbox.private = &fixture->private;
	fixture->private.slot = &fixture->slot;
	fixture->private.run_fd = fds[2];
	fixture->private.group_fd = fds[3];
	fixture->private.image_fd = fds[4];
	(void)snprintf(fixture->private.run, sizeof(fixture->private.run), "run-42");
	(void)snprintf(fixture->private.id, sizeof(fixture->private.id), "demo-42-step-1");
	fixture->private.network = HOST_NETWORK_STEP_NULL;
	fixture->private.network.netns_fd = fds[5];
	fixture->private.network.index = 33;
	for (unsigned i = 0; i < 2; i++)
		fixture_rule(&fixture->allow[i], i);
	fixture_rule(&fixture->only[0], 7);
	fixture->rules = (struct network_rules){.index = 33,
						.allow = fixture->allow,
						.only = fixture->only,
						.n_allow = 2,
						.n_only = 1};
	fixture->private.network.rules = &fixture->rules;
	fixture_outcome(&fixture->private.in_force);
}

/* ---- the values that a step's log must not show, as the scheduler of then wrote them ---- */

static const struct step_mask_value fixture_values[] = {
	{"first secret", 12}, {"zwei\0mit NUL", 12}, {"", 0}, {"\xff\xfe", 2}};

/* ---- a journal: a chunk that was queued, one that is being written, one just taken ---- */

static inline bool fixture_journal(struct log_journal *journal, int pipe_read, int pipe_write)
{
	struct log_slot *slots[3];
	struct mask_stream mask;

	fixture_mask(&mask, 'm');
	for (unsigned i = 0; i < 3; i++) {
		slots[i] = log_journal_take(journal);
		if (!slots[i])
			return false;
	}
	log_slot_begin(slots[0], 1000002, 1);
	memcpy(slots[0]->data + 8, "queued text\n", 12);
	log_slot_queue(slots[0], 75, 1700000000500000, 8, 12, &mask);
	log_slot_begin(slots[1], 1000002, 2);
	memcpy(slots[1]->data, "being written\n", 14);
	log_slot_queue(slots[1], 74, 1700000000400000, 0, 14, NULL);
	log_slot_write(slots[1], 4096);
	/* of 16 bytes half were read out of its pipe */
	if (write(pipe_write, "half and another", 16) != 16 ||
	    log_slot_pull(slots[2], 1000002, 1, pipe_read, true) != 16)
		return false;
	return read(slots[2]->read_fd, log_slot_raw(slots[2]), 8) == 8;
}

#endif
