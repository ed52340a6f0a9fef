/* SPDX-License-Identifier: Apache-2.0 */
#include "runbook/schema.h"

#include "common/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static value_fn read_global, read_steps, read_resources, read_io;

#define IN_ROOT(field) SCOPE_ROOT, .offset = offsetof(struct runbook, field)
#define IN_STEP(field) SCOPE_STEP, .offset = offsetof(struct runbook_step, field)
#define IN_BOTH(field) SCOPE_STEP | SCOPE_GLOBAL, .offset = offsetof(struct runbook_step, field)
#define IN_RESOURCES(field) SCOPE_RESOURCES, .offset = offsetof(struct runbook_resources, field)
#define IN_IO(field) SCOPE_IO, .offset = offsetof(struct runbook_resources, field)
#define IO_SPEED                                                                                   \
	.read = read_size, .min = 64 * KIB, .max = 1024 * GIB, .range = "64K to 1T",               \
	.format = "bytes per second, such as 20M", .fallback = "no limit"
#define IO_OPERATIONS                                                                              \
	.read = read_count, .min = 10, .max = 100000000, .range = "10 to 100000000",               \
	.format = "operations per second, such as 500", .fallback = "no limit"

/* Known to the language, not to this version */
#define LATER(key, where, what)                                                                    \
	{                                                                                          \
		.name = key, .scopes = where, .help = what                                         \
	}

static const struct schema_key keys[] = {
	{"name", IN_ROOT(name), .read = read_title, .max = STEP_NAME_MAX, .range = "200",
	 .format = "a name", .help = "what people see"},
	{"global", IN_ROOT(name), .read = read_global, .format = "a map of defaults",
	 .help = "variables and defaults for all steps"},
	{"steps", IN_ROOT(steps), .read = read_steps, .required = true, .max = RUNBOOK_STEPS_MAX,
	 .range = "1 to 10000", .format = "a list of steps", .help = "what is to be run"},

	{"name", IN_STEP(name), .read = read_title, .required = true, .max = STEP_NAME_MAX,
	 .range = "200", .format = "a name", .help = "unique; what others depend on"},
	{"command", IN_STEP(command), .read = read_command, .required = true,
	 .max = STEP_ARGUMENT_MAX, .range = "122880 (120 KiB)", .format = "a shell command",
	 .help = "run by the shell in the workspace"},
	{"depends_on", IN_STEP(depends_on), .read = read_depends_on,
	 .format = "a list of the names of steps", .help = "steps that must succeed before"},
	{"env", IN_BOTH(env), .read = read_env, .max = RUNBOOK_ENV_MAX,
	 .format = "a map of NAME: \"value\"", .help = "environment variables"},
	{"image", IN_BOTH(image), .read = read_image, .max = IMAGE_NAME_MAX, .range = "255",
	 .format = "host, or the name of an imported image", .fallback = "host",
	 .help = "root file system of the sandbox"},
	{"network", IN_BOTH(network), .read = read_network, .max = 64, .range = "64",
	 .format = "egress, isolated or none", .fallback = "egress, unless configured otherwise",
	 .help = "what the step can reach"},
	{"resources", IN_BOTH(resources), .read = read_resources,
	 .format = "a map of cpu, memory, pids, disk and io", .help = "hard limits"},
	{"timeout", IN_BOTH(timeout_sec), .read = read_duration, .min = 1,
	 .max = RUNBOOK_TIMEOUT_MAX_SEC, .range = "1s to 30d",
	 .format = "a duration such as 90s, 15m or 1h30m", .fallback = "1h",
	 .help = "then the step is ended and has failed"},
	{"shell", IN_BOTH(shell), .read = read_shell, .max = STEP_SHELL_MAX, .range = "256",
	 .format = "a program and its options, such as \"sh -e\"",
	 .fallback = "bash -eo pipefail, or sh -e where there is no bash",
	 .help = "runs the command: SHELL -c COMMAND"},

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
	{"io", IN_RESOURCES(io_read), .read = read_io, .min = 64 * KIB, .max = 1024 * GIB,
	 .range = "64K to 1T",
	 .format = "bytes per second such as 20M, or a map of read, write, read_ops and write_ops",
	 .fallback = "no limit", .help = "speed of reading from and writing to disks"},

	{"read", IN_IO(io_read), IO_SPEED, .help = "bytes read per second"},
	{"write", IN_IO(io_write), IO_SPEED, .help = "bytes written per second"},
	{"read_ops", IN_IO(io_read_ops), IO_OPERATIONS, .help = "reads per second"},
	{"write_ops", IN_IO(io_write_ops), IO_OPERATIONS, .help = "writes per second"},

	LATER("on", SCOPE_ROOT, "which events start a run"),
	LATER("priority", SCOPE_ROOT, "order within the project"),
	LATER("concurrency", SCOPE_ROOT, "runs that exclude each other"),
	LATER("resources", SCOPE_ROOT, "external things with versions"),
	LATER("resource_types", SCOPE_ROOT, "images that know resources"),
	LATER("user", SCOPE_STEP, "who the command runs as"),
	LATER("workdir", SCOPE_STEP, "where the command starts"),
	LATER("tty", SCOPE_STEP, "a terminal for the command"),
	LATER("attempts", SCOPE_STEP, "how often to try"),
	LATER("when", SCOPE_STEP, "conditions of the step"),
	LATER("allow_failure", SCOPE_STEP, "the run does not fail with the step"),
	LATER("matrix", SCOPE_STEP, "one step for each combination"),
	LATER("services", SCOPE_STEP, "containers beside the step"),
	LATER("inputs", SCOPE_STEP, "directories from other steps"),
	LATER("outputs", SCOPE_STEP, "directories for other steps"),
	LATER("caches", SCOPE_STEP, "directories kept between runs"),
	LATER("labels", SCOPE_STEP, "which hosts may run the step"),
	LATER("interruptible", SCOPE_STEP, "draining need not wait for the step"),
	LATER("get", SCOPE_STEP, "fetch a version of a resource"),
	LATER("put", SCOPE_STEP, "make a version of a resource"),
	LATER("check", SCOPE_STEP, "look for versions of a resource"),
};

/* What people who come from other systems write */
static const struct {
	const char *foreign;
	const char *key;
} synonyms[] = {
	{"run", "command"},
	{"script", "command"},
	{"commands", "command"},
	{"cmd", "command"},
	{"needs", "depends_on"},
	{"dependencies", "depends_on"},
	{"after", "depends_on"},
	{"requires", "depends_on"},
	{"environment", "env"},
	{"variables", "env"},
	{"params", "env"},
	{"jobs", "steps"},
	{"tasks", "steps"},
	{"stages", "steps"},
	{"pipeline", "steps"},
	{"container", "image"},
	{"timeout-minutes", "timeout"},
	{"timeout_in_minutes", "timeout"},
	{"limits", "resources"},
	{"id", "name"},
	{"cpus", "cpu"},
	{"mem", "memory"},
	{"rbps", "read"},
	{"wbps", "write"},
	{"riops", "read_ops"},
	{"wiops", "write_ops"},
};

static const struct {
	enum schema_scope scope;
	const char *name;
} scope_names[] = {
	{SCOPE_ROOT, "the top level of the file"},
	{SCOPE_GLOBAL, "\"global\""},
	{SCOPE_STEP, "a step"},
	{SCOPE_RESOURCES, "\"resources\""},
	{SCOPE_IO, "\"io\""},
};

const struct schema_key *schema_keys(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(keys);
	return keys;
}

static const struct schema_key *key_find(const char *name, unsigned scopes)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if ((keys[i].scopes & scopes) && strcmp(keys[i].name, name) == 0)
			return &keys[i];
	}
	return NULL;
}

/* ---- keys that do not belong ---- */

/* "name, command, …" of a scope, what this version knows */
static void keys_list(char *out, size_t size, enum schema_scope scope)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(keys) && used < size; i++) {
		if (!(keys[i].scopes & scope) || !keys[i].read)
			continue;
		used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "",
					 keys[i].name);
	}
}

/* Where else a misplaced key would be right; NULL: nowhere */
static const char *right_scope(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(scope_names); i++) {
		const struct schema_key *key = key_find(name, scope_names[i].scope);

		if (key && key->read)
			return scope_names[i].name;
	}
	return NULL;
}

static const char *nearest_key(const char *name, enum schema_scope scope)
{
	struct nearest nearest = nearest_start(name);

	for (size_t i = 0; i < ARRAY_SIZE(synonyms); i++) {
		if (strcmp(synonyms[i].foreign, name) == 0 && key_find(synonyms[i].key, scope))
			return synonyms[i].key;
	}
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if ((keys[i].scopes & scope) && keys[i].read)
			nearest_offer(&nearest, keys[i].name);
	}
	return nearest.best;
}

/* Return: the key that was probably meant, or NULL. */
static const struct schema_key *report_unknown_key(struct draft *draft, enum schema_scope scope,
						   const struct node *name,
						   const struct node_path *path)
{
	struct runbook_finding *finding;
	const char *place, *near;
	char list[160];

	if (key_find(name->text, scope)) {
		finding =
			findings_add(draft->findings, name->place, path,
				     "\"%s\" is not supported by this version", QUOTE(name->text));
		finding_fix(finding, "remove it");
		return NULL;
	}
	place = right_scope(name->text);
	if (place) {
		finding = findings_add(draft->findings, name->place, path,
				       "\"%s\" does not belong here", QUOTE(name->text));
		finding_fix(finding, "move it to %s", place);
		return NULL;
	}
	finding = findings_add(draft->findings, name->place, path, "unknown key \"%s\"",
			       QUOTE(name->text));
	near = nearest_key(name->text, scope);
	keys_list(list, sizeof(list), scope);
	if (near)
		finding_fix(finding, "did you mean \"%s\"?", near);
	else
		finding_fix(finding, "the keys here are %s", list);
	return near ? key_find(near, scope) : NULL;
}

/* ---- maps ---- */

/* Keys that make "command" unnecessary: they are refused for a better reason already. */
static bool has_resource_key(const struct node *map)
{
	for (size_t i = 0; i + 1 < map->n_items; i += 2) {
		const char *name = map->items[i]->text;

		if (strcmp(name, "get") == 0 || strcmp(name, "put") == 0 ||
		    strcmp(name, "check") == 0)
			return true;
	}
	return false;
}

static void report_missing(struct draft *draft, enum schema_scope scope, const struct node *map,
			   const struct node_path *path, uint64_t seen)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		struct runbook_finding *finding;

		if (!keys[i].required || !(keys[i].scopes & scope) || (seen & (1ULL << i)))
			continue;
		if (keys[i].read == read_command && has_resource_key(map))
			continue;
		finding = findings_add(draft->findings, map->place, path,
				       "the key \"%s\" is missing", keys[i].name);
		finding_fix(finding, "add \"%s:\" with %s", keys[i].name, keys[i].format);
	}
}

static_assert(ARRAY_SIZE(keys) <= 64, "a bit for each key");

int schema_read_map(struct draft *draft, enum schema_scope scope, const struct node *node,
		    const struct node_path *path, void *target)
{
	uint64_t seen = 0;

	for (size_t i = 0; i + 1 < node->n_items; i += 2) {
		const struct node *name = node->items[i];
		const struct schema_key *key = key_find(name->text, scope);
		struct node_path value_path = {.parent = path, .key = name->text};
		uint64_t bit;
		int r;

		if (!key || !key->read) {
			key = report_unknown_key(draft, scope, name, &value_path);
			if (key) /* one slip, one finding: the key meant is not missing */
				seen |= 1ULL << (key - keys);
			continue;
		}
		bit = 1ULL << (key - keys);
		if (seen & bit) /* a duplicate, reported already */
			continue;
		seen |= bit;
		r = key->read(draft, key, node->items[i + 1], &value_path,
			      (char *)target + key->offset);
		if (r < 0)
			return r;
	}
	report_missing(draft, scope, node, path, seen);
	return 0;
}

static int read_submap(struct draft *draft, enum schema_scope scope, const struct schema_key *key,
		       const struct node *node, const struct node_path *path, void *target)
{
	char subject[32];

	if (node->kind == NODE_MAP)
		return schema_read_map(draft, scope, node, path, target);
	(void)snprintf(subject, sizeof(subject), "\"%s\"", key->name);
	report_type(draft, subject, "a map", key->format, node, path);
	return 0;
}

static int read_global(struct draft *draft, const struct schema_key *key, const struct node *node,
		       const struct node_path *path, void *target)
{
	(void)target;
	return read_submap(draft, SCOPE_GLOBAL, key, node, path, &draft->defaults);
}

static int read_resources(struct draft *draft, const struct schema_key *key,
			  const struct node *node, const struct node_path *path, void *target)
{
	return read_submap(draft, SCOPE_RESOURCES, key, node, path, target);
}

/* One speed for both directions, or a map. */
static int read_io(struct draft *draft, const struct schema_key *key, const struct node *node,
		   const struct node_path *path, void *target)
{
	struct runbook_resources *resources =
		container_of(target, struct runbook_resources, io_read);
	int r;

	if (node->kind == NODE_MAP || node->kind == NODE_LIST)
		return read_submap(draft, SCOPE_IO, key, node, path, resources);
	r = read_size(draft, key, node, path, &resources->io_read);
	resources->io_write = resources->io_read;
	return r;
}

/* ---- steps ---- */

static int read_step(struct draft *draft, size_t index, const struct node *node,
		     const struct node_path *path)
{
	struct runbook_step *step = &draft->runbook->steps[index];

	draft->current_step = index;
	step->place = node->place;
	if (node->kind != NODE_MAP) {
		report_type(draft, "a step", "a map", "a map with name and command", node, path);
		return 0;
	}
	for (size_t i = 0; i + 1 < node->n_items; i += 2) {
		if (strcmp(node->items[i]->text, "name") == 0) {
			draft->sources[index].name = node->items[i + 1];
			break;
		}
	}
	return schema_read_map(draft, SCOPE_STEP, node, path, step);
}

static int read_steps(struct draft *draft, const struct schema_key *key, const struct node *node,
		      const struct node_path *path, void *target)
{
	struct runbook *runbook = draft->runbook;
	struct runbook_finding *finding;

	(void)target;
	if (node->kind != NODE_LIST) {
		report_type(draft, "\"steps\"", "a list", "a list: a line with \"-\" begins a step",
			    node, path);
		return 0;
	}
	if (node->n_items == 0 || node->n_items > RUNBOOK_STEPS_MAX) {
		finding = findings_add(draft->findings, node->place, path, "%s",
				       node->n_items ? "more than 10000 steps" : "no steps");
		finding_fix(finding, "write %s steps", key->range);
		return 0;
	}
	runbook->steps = calloc(node->n_items, sizeof(*runbook->steps));
	draft->sources = calloc(node->n_items, sizeof(*draft->sources));
	if (!runbook->steps || !draft->sources)
		return -ENOMEM;
	runbook->n_steps = node->n_items;
	for (size_t i = 0; i < node->n_items; i++) {
		struct node_path step_path = {.parent = path, .index = i};
		int r = read_step(draft, i, node->items[i], &step_path);

		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- effective values ---- */

static int copy_text(char **target, const char *text)
{
	if (*target || !text)
		return 0;
	*target = strdup(text);
	return *target ? 0 : -ENOMEM;
}

static void merge_resources(struct runbook_resources *step, const struct runbook_resources *global)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		uint64_t *field = (uint64_t *)(void *)((char *)step + keys[i].offset);

		if ((keys[i].scopes & (SCOPE_RESOURCES | SCOPE_IO)) && keys[i].read && *field == 0)
			*field = *(const uint64_t *)(const void *)((const char *)global +
								   keys[i].offset);
	}
}

static int merge_defaults(struct draft *draft)
{
	const struct runbook_step *global = &draft->defaults;

	for (size_t i = 0; i < draft->runbook->n_steps; i++) {
		struct runbook_step *step = &draft->runbook->steps[i];

		if (copy_text(&step->image, global->image ? global->image : "host") < 0 ||
		    copy_text(&step->shell, global->shell) < 0)
			return -ENOMEM;
		if (!step->network_given) {
			step->network = global->network;
			step->network_given = global->network_given;
		}
		if (step->timeout_sec == 0)
			step->timeout_sec = global->timeout_sec;
		step->attempts = 1;
		step->when.statuses = RUNBOOK_WHEN_SUCCESS;
		step->matrix = SIZE_MAX;
		merge_resources(&step->resources, &global->resources);
	}
	return 0;
}

static size_t env_bytes(const struct runbook_env *env, size_t n_env)
{
	size_t bytes = 0;

	for (size_t i = 0; i < n_env; i++)
		bytes += strlen(env[i].name) + strlen(env[i].value) + sizeof("=");
	return bytes;
}

/* What execve(2) would refuse is refused here, where the place is known. */
static void check_text_totals(struct draft *draft, const struct node_path *steps_path)
{
	const struct runbook *runbook = draft->runbook;
	size_t common = env_bytes(runbook->env, runbook->n_env);

	for (size_t i = 0; i < runbook->n_steps; i++) {
		const struct runbook_step *step = &runbook->steps[i];
		struct node_path path = {.parent = steps_path, .index = i};
		size_t bytes = common + env_bytes(step->env, step->n_env);
		struct runbook_finding *finding;

		if (step->command)
			bytes += strlen(step->command);
		if (bytes <= STEP_TEXT_MAX)
			continue;
		finding = findings_add(
			draft->findings, step->place, &path,
			"command and variables have %zu bytes together, more than 1 MiB", bytes);
		finding_fix(finding, "put values into files of the repository");
	}
}

int schema_read(struct draft *draft, const struct document *document)
{
	static const struct node_path steps_path = {.key = "steps"};
	const struct node *root = document->root;
	struct runbook_finding *finding;
	int r;

	if (!root || (root->kind == NODE_NULL && root->length == 0)) {
		finding = findings_add(draft->findings, (struct runbook_place){1, 1}, NULL,
				       "the file is empty");
		finding_fix(finding,
			    "write at least one step: steps: [{name: hello, command: echo hi}]");
		return 0;
	}
	if (root->kind != NODE_MAP) {
		report_type(draft, "a runbook", "a map", "\"steps:\" and a list of steps", root,
			    NULL);
		return 0;
	}
	draft->runbook->concurrency_limit = 1;
	draft->runbook->on[RUNBOOK_EVENT_PUSH].given = true;
	draft->runbook->on[RUNBOOK_EVENT_PULL_REQUEST].given = true;
	draft->runbook->on[RUNBOOK_EVENT_MANUAL].given = true;
	r = schema_read_map(draft, SCOPE_ROOT, root, NULL, draft->runbook);
	if (r < 0)
		return r;
	draft->runbook->env = TAKE_PTR(draft->defaults.env);
	draft->runbook->n_env = draft->defaults.n_env;
	draft->defaults.n_env = 0;
	r = merge_defaults(draft);
	if (r < 0)
		return r;
	check_text_totals(draft, &steps_path);
	return 0;
}

void draft_done(struct draft *draft)
{
	free(draft->sources);
	free(draft->defaults.image);
	free(draft->defaults.shell);
	env_done(draft->defaults.env, draft->defaults.n_env);
}
