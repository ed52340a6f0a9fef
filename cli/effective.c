/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/effective.h"

#include "cli/json.h"
#include "common/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

bool effective_needed(const struct effective_options *options)
{
	return options->step || options->image || options->n_env > 0;
}

/* The name of a step with a matrix selects all its instances. */
static bool step_is_named(const struct runbook *runbook, const struct runbook_step *step,
			  const char *name)
{
	return strcmp(step->name, name) == 0 ||
	       (step->matrix != SIZE_MAX &&
		strcmp(runbook->matrices[step->matrix].name, name) == 0);
}

/* Return: a flag for each step: true for @wanted and its direct and indirect dependencies. */
static bool *steps_to_keep(const struct runbook *runbook, const char *wanted, struct error *error)
{
	cleanup_free bool *keep = calloc(runbook->n_steps + 1, sizeof(*keep));
	bool found = false;

	if (!keep) {
		(void)error_set(error, ENOMEM, "out of memory");
		return NULL;
	}
	for (size_t i = 0; i < runbook->n_steps; i++) {
		keep[i] = !wanted || step_is_named(runbook, &runbook->steps[i], wanted);
		found = found || keep[i];
	}
	if (!found) {
		(void)error_set(error, ENOENT,
				"the runbook has no step \"%s\" (\"runbookctl graph\" shows them)",
				wanted);
		return NULL;
	}
	/* in reverse topological order, a step comes before its dependencies */
	for (size_t place = runbook->n_steps; place > 0; place--) {
		const struct runbook_step *step = &runbook->steps[runbook->order[place - 1]];

		if (!keep[runbook->order[place - 1]])
			continue;
		for (size_t i = 0; i < step->n_depends_on; i++)
			keep[step->depends_on[i]] = true;
	}
	return TAKE_PTR(keep);
}

static int add_env(json_t *target, const struct runbook_env *env, size_t n_env)
{
	for (size_t i = 0; i < n_env; i++)
		if (json_object_set_new(target, env[i].name, json_string(env[i].value)) < 0)
			return -ENOMEM;
	return 0;
}

static int add_given_env(json_t *target, const struct effective_options *options,
			 struct error *error)
{
	for (size_t i = 0; i < options->n_env; i++) {
		const char *equals = strchr(options->env[i], '=');
		cleanup_free char *name = NULL;

		if (!equals || equals == options->env[i])
			return error_set(error, EINVAL, "--env takes NAME=VALUE, not \"%s\"",
					 options->env[i]);
		name = strndup(options->env[i], (size_t)(equals - options->env[i]));
		if (!name)
			return error_set(error, ENOMEM, "out of memory");
		if (json_object_set_new(target, name, json_string(equals + 1)) < 0)
			return error_set(error, EINVAL, "--env %s: not UTF-8 text", name);
	}
	return 0;
}

static void add_io(json_t *object, const struct runbook_resources *resources)
{
	const struct {
		const char *name;
		uint64_t value;
	} limits[] = {
		{"read", resources->io_read},
		{"write", resources->io_write},
		{"read_ops", resources->io_read_ops},
		{"write_ops", resources->io_write_ops},
	};
	cleanup_json json_t *io = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		if (limits[i].value > 0)
			(void)json_object_set_new(io, limits[i].name,
						  json_integer((json_int_t)limits[i].value));
	}
	if (json_object_size(io) > 0)
		(void)json_object_set(object, "io", io);
}

static json_t *resources_json(const struct runbook_resources *resources)
{
	json_t *object = json_object();
	char text[32];

	if (resources->cpu_milli > 0) {
		(void)snprintf(text, sizeof(text), "%" PRIu64 ".%03u", resources->cpu_milli / 1000,
			       (unsigned)(resources->cpu_milli % 1000));
		(void)json_object_set_new(object, "cpu", json_string(text));
	}
	if (resources->memory > 0)
		(void)json_object_set_new(object, "memory",
					  json_integer((json_int_t)resources->memory));
	if (resources->pids > 0)
		(void)json_object_set_new(object, "pids",
					  json_integer((json_int_t)resources->pids));
	if (resources->disk > 0)
		(void)json_object_set_new(object, "disk",
					  json_integer((json_int_t)resources->disk));
	add_io(object, resources);
	return object;
}

static const char *network_name(enum step_network network)
{
	switch (network) {
	case STEP_NETWORK_NONE:
		return "none";
	case STEP_NETWORK_ISOLATED:
		return "isolated";
	default:
		return "egress";
	}
}

static void add_duration(json_t *object, const char *name, uint64_t seconds)
{
	char text[32];

	if (seconds == 0)
		return;
	(void)snprintf(text, sizeof(text), "%" PRIu64 "s", seconds);
	(void)json_object_set_new(object, name, json_string(text));
}

static json_t *globs_json(const struct runbook_globs *globs)
{
	json_t *list = json_array();

	for (size_t i = 0; i < globs->n_items; i++)
		(void)json_array_append_new(list, json_string(globs->items[i]));
	return list;
}

static json_t *when_json(const struct runbook_when *when)
{
	json_t *object = json_object(), *statuses = json_array(), *events = json_array();

	if (when->statuses & RUNBOOK_WHEN_SUCCESS)
		(void)json_array_append_new(statuses, json_string("success"));
	if (when->statuses & RUNBOOK_WHEN_FAILURE)
		(void)json_array_append_new(statuses, json_string("failure"));
	(void)json_object_set_new(object, "status", statuses);
	for (unsigned i = 0; i < RUNBOOK_EVENT_NUM; i++)
		if (when->events & (1U << i))
			(void)json_array_append_new(
				events, json_string(runbook_event_name((enum runbook_event)i)));
	if (json_array_size(events) > 0)
		(void)json_object_set(object, "event", events);
	json_decref(events);
	if (when->branches.n_items > 0)
		(void)json_object_set_new(object, "branch", globs_json(&when->branches));
	if (when->paths.n_items > 0)
		(void)json_object_set_new(object, "paths", globs_json(&when->paths));
	return object;
}

/* Keys with their default value are left out. */
static void add_behaviour(json_t *object, const struct runbook_step *step)
{
	const struct {
		const char *name;
		bool value;
	} switches[] = {
		{"allow_failure", step->allow_failure},
		{"interruptible", step->interruptible},
		{"tty", step->tty},
	};
	const struct {
		const char *name;
		const char *value;
	} texts[] = {{"user", step->user}, {"workdir", step->workdir}, {"shell", step->shell}};

	for (size_t i = 0; i < ARRAY_SIZE(switches); i++)
		if (switches[i].value)
			(void)json_object_set_new(object, switches[i].name, json_true());
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (texts[i].value)
			(void)json_object_set_new(object, texts[i].name,
						  json_string(texts[i].value));
	if (step->attempts > 1)
		(void)json_object_set_new(object, "attempts",
					  json_integer((json_int_t)step->attempts));
	if (step->n_labels > 0) {
		const struct runbook_globs labels = {step->labels, step->n_labels};

		(void)json_object_set_new(object, "labels", globs_json(&labels));
	}
	if (step->when.statuses != RUNBOOK_WHEN_SUCCESS || step->when.events ||
	    step->when.branches.n_items > 0 || step->when.paths.n_items > 0)
		(void)json_object_set_new(object, "when", when_json(&step->when));
}

static int add_step(json_t *steps, const struct runbook *runbook, const struct runbook_step *step,
		    const struct effective_options *options, struct error *error)
{
	cleanup_json json_t *object = json_object(), *needs = json_array(), *env = json_object();
	cleanup_json json_t *resources = resources_json(&step->resources);

	for (size_t i = 0; i < step->n_depends_on; i++)
		(void)json_array_append_new(needs,
					    json_string(runbook->steps[step->depends_on[i]].name));
	if (add_env(env, step->env, step->n_env) < 0)
		return error_set(error, ENOMEM, "out of memory");
	if (add_given_env(env, options, error) < 0)
		return -error->number;
	(void)json_object_set_new(object, "name", json_string(step->name));
	(void)json_object_set_new(object, "command", json_string(step->command));
	if (json_array_size(needs) > 0)
		(void)json_object_set(object, "depends_on", needs);
	if (json_object_size(env) > 0)
		(void)json_object_set(object, "env", env);
	(void)json_object_set_new(object, "image",
				  json_string(options->image ? options->image : step->image));
	if (step->network_given)
		(void)json_object_set_new(object, "network",
					  json_string(network_name(step->network)));
	if (json_object_size(resources) > 0)
		(void)json_object_set(object, "resources", resources);
	add_duration(object, "timeout", step->timeout_sec);
	add_behaviour(object, step);
	if (json_array_append(steps, object) < 0)
		return error_set(error, ENOMEM, "out of memory");
	return 0;
}

/* The keys of the runbook itself: its place among other runs, and its timeouts. */
static void add_place(json_t *root, const struct runbook *runbook)
{
	if (runbook->priority)
		(void)json_object_set_new(root, "priority", json_integer(runbook->priority));
	if (runbook->concurrency_group)
		(void)json_object_set_new(
			root, "concurrency",
			json_pack("{s:s, s:I, s:b}", "group", runbook->concurrency_group, "limit",
				  (json_int_t)runbook->concurrency_limit, "cancel_superseded",
				  runbook->cancel_superseded));
	add_duration(root, "timeout", runbook->timeout_sec);
	add_duration(root, "queue_timeout", runbook->queue_timeout_sec);
}

int effective_runbook(const struct runbook *runbook, const struct effective_options *options,
		      char **ret_text, struct error *error)
{
	cleanup_json json_t *root = json_object(), *steps = json_array(), *env = json_object();
	cleanup_free bool *keep = steps_to_keep(runbook, options->step, error);

	if (!keep)
		return -error->number;
	if (runbook->name)
		(void)json_object_set_new(root, "name", json_string(runbook->name));
	if (add_env(env, runbook->env, runbook->n_env) < 0)
		return error_set(error, ENOMEM, "out of memory");
	if (json_object_size(env) > 0) {
		json_t *global = json_object();

		(void)json_object_set(global, "env", env);
		(void)json_object_set_new(root, "global", global);
	}
	for (size_t i = 0; i < runbook->n_steps; i++)
		if (keep[i] && add_step(steps, runbook, &runbook->steps[i], options, error) < 0)
			return -error->number;
	add_place(root, runbook);
	(void)json_object_set(root, "steps", steps);
	*ret_text = json_dumps(root, JSON_INDENT(2));
	return *ret_text ? 0 : error_set(error, ENOMEM, "out of memory");
}
