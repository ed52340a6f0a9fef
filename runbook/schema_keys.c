/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/matrix.h"
#include "runbook/schema.h"

#include "common/cleanup.h"
#include "common/cron.h"

#include <string.h>

/* The table of all keys; schema.h explains its uses. */

#define IN(scope, type, field) .scopes = (scope), .offset = offsetof(struct type, field)
#define IN_ROOT(field) IN(SCOPE_ROOT, runbook, field)
#define IN_STEP(field) IN(SCOPE_STEP, runbook_step, field)
#define IN_BOTH(field) IN(SCOPE_STEP | SCOPE_GLOBAL, runbook_step, field)
#define IN_RESOURCES(field) IN(SCOPE_RESOURCES, runbook_resources, field)
#define IN_IO(field) IN(SCOPE_IO, runbook_resources, field)
#define IN_ON(event) IN(SCOPE_ON, runbook, on[RUNBOOK_EVENT_##event])
#define IN_SCHEDULE(field) IN(SCOPE_SCHEDULE, runbook_schedule, field)
#define IN_CONCURRENCY(field) IN(SCOPE_CONCURRENCY, runbook, field)
#define IN_WHEN(field) IN(SCOPE_WHEN, runbook_when, field)
#define IN_MATRIX(field) IN(SCOPE_MATRIX, matrix, field)

#define IO_SPEED                                                                                   \
	.read = read_size, .min = 64 * KIB, .max = 1024 * GIB, .range = "64K to 1T",               \
	.format = "bytes per second, such as 20M", .fallback = "no limit"
#define IO_OPERATIONS                                                                              \
	.read = read_count, .min = 10, .max = 100000000, .range = "10 to 100000000",               \
	.format = "operations per second, such as 500", .fallback = "no limit"
#define DURATION(least)                                                                            \
	.read = read_duration, .min = (least), .max = RUNBOOK_TIMEOUT_MAX_SEC,                     \
	.range = "1s to 30d", .format = "a duration such as 90s, 15m or 1h30m"
#define SWITCH .read = read_bool, .format = "true or false", .fallback = "false"
#define GLOBS .read = read_globs, .max = GLOBS_MAX, .range = "1 to 100", .fallback = "all"

/* Keys that this version refuses by name */
#define LATER(key, where, what)                                                                    \
	{                                                                                          \
		.name = key, .scopes = where, .help = what                                         \
	}

static const struct schema_key keys[] = {
	{"name", IN_ROOT(name), .read = read_title, .max = STEP_NAME_MAX, .range = "200",
	 .format = "a name", .help = "what people see"},
	{"on", IN_ROOT(on), .read = read_on, .inner = SCOPE_ON,
	 .format = "events: push, pull_request, tag, schedule, manual",
	 .fallback = "push and pull_request on every branch, and manual",
	 .help = "which events start a run"},
	{"priority", IN_ROOT(priority), .read = read_priority, .max = 100, .range = "-100 to 100",
	 .format = "a whole number from -100 to 100", .fallback = "0",
	 .help = "order within the project; higher goes first"},
	{"concurrency", IN_ROOT(concurrency_group), .read = read_concurrency,
	 .inner = SCOPE_CONCURRENCY, .max = GROUP_NAME_MAX, .range = "200",
	 .format = "the name of a group, or a map of group, limit and cancel_superseded",
	 .help = "runs of one group wait for each other"},
	{"timeout", IN_ROOT(timeout_sec), DURATION(1), .fallback = "none",
	 .help = "of the whole run; global.timeout is for each step"},
	{"queue_timeout", IN_ROOT(queue_timeout_sec), DURATION(1), .fallback = "none",
	 .help = "how long a step that is ready may wait for its turn"},
	{"global", IN_ROOT(name), .read = read_global, .inner = SCOPE_GLOBAL,
	 .format = "a map of defaults", .help = "variables and defaults for all steps"},
	{"steps", IN_ROOT(steps), .read = read_steps, .inner = SCOPE_STEP, .required = true,
	 .max = RUNBOOK_STEPS_MAX, .range = "1 to 10000", .format = "a list of steps",
	 .help = "what is to be run"},

	{"push", IN_ON(PUSH), .read = read_event, .inner = SCOPE_PUSH,
	 .format = "a map of branches, tags and paths", .help = "commits that reach a branch"},
	{"pull_request", IN_ON(PULL_REQUEST), .read = read_event, .inner = SCOPE_PULL_REQUEST,
	 .format = "a map of branches and paths", .help = "pull and merge requests"},
	{"tag", IN_ON(TAG), .read = read_event, .inner = SCOPE_TAG, .format = "a map of tags",
	 .help = "tags that are made"},
	{"schedule", IN_ON(SCHEDULE), .read = read_schedule, .inner = SCOPE_SCHEDULE,
	 .max = SCHEDULES_MAX, .range = "1 to 50",
	 .format = "a list of {cron: \"30 4 * * *\", timezone: Europe/Berlin, branch: main}",
	 .help = "at certain times"},
	{"manual", IN_ON(MANUAL), .read = read_event, .inner = SCOPE_MANUAL,
	 .format = "a map of branches and tags", .help = "by hand, with runbookctl trigger"},

	{"branches", IN(SCOPE_PUSH | SCOPE_PULL_REQUEST | SCOPE_MANUAL, runbook_filter, branches),
	 GLOBS, .format = "patterns such as [main, \"release/*\", \"!release/old\"]",
	 .help = "of a pull request: those it goes to"},
	{"tags", IN(SCOPE_PUSH | SCOPE_TAG | SCOPE_MANUAL, runbook_filter, tags), GLOBS,
	 .format = "patterns such as [\"v*\"]", .help = "names of tags"},
	{"paths", IN(SCOPE_PUSH | SCOPE_PULL_REQUEST, runbook_filter, paths), GLOBS,
	 .format = "patterns such as [\"src/**\", \"!**/*.md\"]",
	 .help = "at least one changed file must be chosen"},
	{"cron", IN_SCHEDULE(cron), .read = read_cron, .required = true, .max = CRON_TEXT_MAX,
	 .range = "256", .format = "five fields such as \"30 4 * * 1-5\", or @daily",
	 .help = "minute, hour, day of the month, month, day of the week"},
	{"timezone", IN_SCHEDULE(timezone), .read = read_timezone, .max = CRON_TIMEZONE_MAX,
	 .range = "64", .format = "a name such as Europe/Berlin", .fallback = "UTC",
	 .help = "whose clock is meant"},
	{"branch", IN_SCHEDULE(branch), .read = read_branch, .max = REF_NAME_MAX - 16,
	 .range = "496", .format = "the name of a branch", .fallback = "the default branch",
	 .help = "whose last commit is run"},

	{"group", IN_CONCURRENCY(concurrency_group), .read = read_group, .required = true,
	 .max = GROUP_NAME_MAX, .range = "200", .format = "a name such as \"deploy {{ branch }}\"",
	 .help = "runs of the project with the same group wait for each other"},
	{"limit", IN_CONCURRENCY(concurrency_limit), .read = read_count, .min = 1, .max = 1000,
	 .range = "1 to 1000", .format = "a whole number such as 2", .fallback = "1",
	 .help = "runs of the group at once"},
	{"cancel_superseded", IN_CONCURRENCY(cancel_superseded), SWITCH,
	 .help = "a new run of the group cancels those before it"},

	{"name", IN_STEP(name), .read = read_title, .required = true, .max = STEP_NAME_MAX,
	 .range = "200", .format = "a name", .help = "unique; what others depend on"},
	{"command", IN_STEP(command), .read = read_command, .required = true,
	 .max = STEP_ARGUMENT_MAX, .range = "122880 (120 KiB)", .format = "a shell command",
	 .help = "run by the shell in the workspace",
	 .too_long = "put the script into a file of the repository and run that"},
	{"depends_on", IN_STEP(depends_on), .read = read_depends_on,
	 .format = "a list of the names of steps", .help = "steps that must have ended before"},
	{"when", IN_STEP(when), .read = read_when, .inner = SCOPE_WHEN,
	 .format = "success, failure, always, or a map of status, branch, event and paths",
	 .fallback = "success", .help = "the step is skipped when this is not met"},
	{"matrix", IN_STEP(matrix), .read = read_matrix, .inner = SCOPE_MATRIX,
	 .format = "a map of lists, such as {cc: [gcc, clang]}",
	 .help = "one instance of the step for each combination"},
	{"env", IN_BOTH(env), .read = read_env, .max = RUNBOOK_ENV_MAX,
	 .format = "a map of NAME: \"value\"", .help = "environment variables"},
	{"image", IN_BOTH(image), .read = read_image, .max = IMAGE_NAME_MAX, .range = "255",
	 .format = "host, or the name of an imported image", .fallback = "host",
	 .help = "root file system of the sandbox"},
	{"network", IN_BOTH(network), .read = read_network, .max = 64, .range = "64",
	 .format = "egress, isolated or none", .fallback = "egress, unless configured otherwise",
	 .help = "what the step can reach"},
	{"resources", IN_BOTH(resources), .read = read_resources, .inner = SCOPE_RESOURCES,
	 .format = "a map of cpu, memory, pids, disk and io", .help = "hard limits"},
	{"timeout", IN_BOTH(timeout_sec), DURATION(1), .fallback = "1h",
	 .help = "then the step is ended and has failed"},
	{"attempts", IN_BOTH(attempts), .read = read_count, .min = 1, .max = 10, .range = "1 to 10",
	 .format = "a whole number from 1 to 10", .fallback = "1",
	 .help = "how often the step is tried in all until it succeeds"},
	{"allow_failure", IN_STEP(allow_failure), SWITCH,
	 .help = "the run does not fail with the step"},
	{"user", IN_BOTH(user), .read = read_user, .max = 64, .range = "64",
	 .format = "a name, UID or UID:GID", .fallback = "the image's, or root",
	 .help = "who the command runs as, inside"},
	{"workdir", IN_BOTH(workdir), .read = read_workdir, .max = 1024, .range = "1024",
	 .format = "a directory such as src, or /opt/tool", .fallback = "the workspace",
	 .help = "where the command starts"},
	{"shell", IN_BOTH(shell), .read = read_shell, .max = STEP_SHELL_MAX, .range = "256",
	 .format = "a program and its options, such as \"sh -e\"",
	 .fallback = "bash -eo pipefail, or sh -e where there is no bash",
	 .help = "runs the command: SHELL -c COMMAND"},
	{"tty", IN_STEP(tty), SWITCH, .help = "a terminal as the command's input and output"},
	{"labels", IN_BOTH(labels), .read = read_labels, .max = LABELS_MAX, .range = "1 to 16",
	 .format = "a list of labels such as [gpu]", .fallback = "none",
	 .help = "only a host that has all of them runs the step"},
	{"interruptible", IN_BOTH(interruptible), SWITCH,
	 .help = "draining a host need not wait for the step"},

	{"status", IN_WHEN(statuses), .read = read_statuses, .max = 3, .range = "3",
	 .format = "success, failure or always", .fallback = "success",
	 .help = "of the steps it depends on"},
	{"event", IN_WHEN(events), .read = read_events, .max = RUNBOOK_EVENT_NUM, .range = "5",
	 .format = "events: push, pull_request, tag, schedule, manual", .fallback = "any",
	 .help = "what started the run"},
	{"branch", IN_WHEN(branches), GLOBS, .format = "patterns such as [main, \"release/*\"]",
	 .help = "branch of the run"},
	{"paths", IN_WHEN(paths), GLOBS, .format = "patterns such as [\"src/**\", \"!**/*.md\"]",
	 .help = "at least one changed file must be chosen"},

	{"include", IN_MATRIX(include), .read = matrix_read_entries, .max = MATRIX_ENTRIES_MAX,
	 .range = "1 to 1000", .format = "a list of maps, such as [{cc: gcc, flags: -O3}]",
	 .help = "more values for combinations that fit, or more combinations"},
	{"exclude", IN_MATRIX(exclude), .read = matrix_read_entries, .max = MATRIX_ENTRIES_MAX,
	 .range = "1 to 1000", .format = "a list of maps, such as [{cc: gcc, os: mac}]",
	 .help = "combinations to leave out"},
	{"limit", IN_MATRIX(limit), .read = read_count, .min = 1, .max = MATRIX_COMBINATIONS_MAX,
	 .range = "1 to 1000", .format = "a whole number such as 2", .fallback = "no limit",
	 .help = "instances that run at once"},
	{"fail_fast", IN_MATRIX(fail_fast), SWITCH,
	 .help = "the first instance that fails cancels the others"},

	{"cpu", IN_RESOURCES(cpu_milli), .read = read_cpus, .min = 10, .max = 1024000,
	 .range = "0.01 to 1024", .format = "a number of processors such as 2 or 0.5",
	 .fallback = "no limit of its own", .help = "processors"},
	{"memory", IN_RESOURCES(memory), .read = read_size, .min = 4 * MIB, .max = 16384 * GIB,
	 .range = "4M to 16T", .format = "bytes, or a number with K, M, G or T, such as 512M",
	 .fallback = "no limit of its own", .help = "memory; more kills the step"},
	{"pids", IN_RESOURCES(pids), .read = read_count, .min = 1, .max = 4194304,
	 .range = "1 to 4194304", .format = "a whole number such as 500",
	 .fallback = "no limit of its own", .help = "processes and threads at once"},
	{"disk", IN_RESOURCES(disk), .read = read_size, .min = 1 * MIB, .max = 16384 * GIB,
	 .range = "1M to 16T", .format = "bytes, or a number with K, M, G or T, such as 2G",
	 .fallback = "no limit of its own", .help = "what the step may write"},
	{"io", IN_RESOURCES(io_read), .read = read_io, .inner = SCOPE_IO, .min = 64 * KIB,
	 .max = 1024 * GIB, .range = "64K to 1T",
	 .format = "bytes per second such as 20M, or a map of read, write, read_ops and write_ops",
	 .fallback = "no limit", .help = "speed of reading from and writing to disks"},

	{"read", IN_IO(io_read), IO_SPEED, .help = "bytes read per second"},
	{"write", IN_IO(io_write), IO_SPEED, .help = "bytes written per second"},
	{"read_ops", IN_IO(io_read_ops), IO_OPERATIONS, .help = "reads per second"},
	{"write_ops", IN_IO(io_write_ops), IO_OPERATIONS, .help = "writes per second"},

	LATER("resources", SCOPE_ROOT, "external things with versions"),
	LATER("resource_types", SCOPE_ROOT, "images that know resources"),
	LATER("services", SCOPE_STEP, "containers beside the step"),
	LATER("inputs", SCOPE_STEP, "directories from other steps"),
	LATER("outputs", SCOPE_STEP, "directories for other steps"),
	LATER("caches", SCOPE_STEP, "directories kept between runs"),
	LATER("get", SCOPE_STEP, "fetch a version of a resource"),
	LATER("put", SCOPE_STEP, "make a version of a resource"),
	LATER("check", SCOPE_STEP, "look for versions of a resource"),
};

const struct schema_key *schema_keys(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(keys);
	return keys;
}
