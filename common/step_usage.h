/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_STEP_USAGE_H
#define COMMON_STEP_USAGE_H

/*
 * DOC: Resource usage of a step
 *
 * The figures from the sandbox through daemon, scheduler and api to the page. A figure that the
 * host cannot measure is absent, not zero.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * X(NAME, name in JSON and column of the store)
 *
 *   cpu_*         microseconds of processor time
 *   memory_peak   most memory at once, files of the step's disk included, bytes
 *   process_peak  resident memory of the largest process, bytes: for hosts that
 *                 cannot measure memory_peak
 *   io_*          bytes moved from and to block devices
 *   pids_peak     most processes and threads at once
 *   disk_used     bytes on the step's disk at its end
 *   wait_*        microseconds in which some process waited for a processor, for memory,
 *                 for block devices (the kernel's pressure stall information)
 */
#define STEP_USAGE_TABLE(X)                                                                        \
	X(CPU, "cpu_usec")                                                                         \
	X(CPU_USER, "cpu_user_usec")                                                               \
	X(CPU_SYSTEM, "cpu_system_usec")                                                           \
	X(MEMORY_PEAK, "memory_peak")                                                              \
	X(PROCESS_PEAK, "process_peak")                                                            \
	X(IO_READ, "io_read")                                                                      \
	X(IO_WRITE, "io_write")                                                                    \
	X(PIDS_PEAK, "pids_peak")                                                                  \
	X(DISK_USED, "disk_used")                                                                  \
	X(WAIT_CPU, "wait_cpu_usec")                                                               \
	X(WAIT_MEMORY, "wait_memory_usec")                                                         \
	X(WAIT_IO, "wait_io_usec")

/** enum step_usage_kind - STEP_USAGE_<NAME> for each line of the table */
enum step_usage_kind {
#define STEP_USAGE_ENUM(name, word) STEP_USAGE_##name,
	STEP_USAGE_TABLE(STEP_USAGE_ENUM)
#undef STEP_USAGE_ENUM
		STEP_USAGE_NUM,
};

/**
 * struct step_usage - figures of one attempt
 * @known: bit i: values[i] was measured
 */
struct step_usage {
	uint64_t known;
	uint64_t values[STEP_USAGE_NUM];
};

/** step_usage_set() - set one figure */
static inline void step_usage_set(struct step_usage *usage, enum step_usage_kind kind,
				  uint64_t value)
{
	usage->known |= 1ULL << kind;
	usage->values[kind] = value;
}

/** step_usage_has() - was the figure measured? */
static inline bool step_usage_has(const struct step_usage *usage, enum step_usage_kind kind)
{
	return usage->known & (1ULL << kind);
}

#define STEP_FIGURE_MAX (1ULL << 53) /* exact as a JSON number */

struct message_step_figure;

/**
 * step_usage_figures() - write the known figures, for a message
 * @figures: room for STEP_USAGE_NUM
 *
 * Return: their number.
 */
size_t step_usage_figures(const struct step_usage *usage, struct message_step_figure *figures);
/** step_usage_of() - read figures of a message */
struct step_usage step_usage_of(const struct message_step_figure *figures, size_t n);
/** step_usage_name() - name in JSON and column of the store: "cpu_usec", … */
const char *step_usage_name(enum step_usage_kind kind);

#endif
