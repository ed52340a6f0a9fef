/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines, and the runbook that "run" makes of them. */

#include "cli/cli.h"
#include "cli/effective.h"
#include "cli/report.h"
#include "cli/runbook_file.h"
#include "common/cleanup.h"
#include "runbook/schema.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct cli_option known_options[] = {
	{"follow", 'f', NULL, "x"}, {"env", 'e', "K=V", "x"}, {"limit", 0, "N", "x"}, {0}};

static const struct cli_command command = {
	.name = "thing", .arguments = "A [B]", .n_min = 1, .n_max = 2, .options = known_options};

static int parse(struct cli *cli, struct cli_arguments *arguments, struct error *error, ...)
{
	static char *argv[16];
	va_list list;
	int argc = 1;

	argv[0] = (char *)"thing";
	va_start(list, error);
	while ((argv[argc] = va_arg(list, char *)))
		argc++;
	va_end(list);
	return cli_parse(&command, argc, argv, cli, arguments, error);
}

static void test_options(void **state)
{
	struct cli cli = {.color = true};
	struct cli_arguments arguments;
	struct error error = ERROR_INIT;
	size_t cursor = 0;

	assert_int_equal(parse(&cli, &arguments, &error, "-f", "a", "--env", "X=1", "b", "-eY=2",
			       "--limit=7", "--json", "--no-color", NULL),
			 0);
	assert_true(cli_flag(&arguments, "follow"));
	assert_true(cli.json);
	assert_false(cli.color);
	assert_string_equal(cli_value(&arguments, "limit"), "7");
	assert_string_equal(cli_next_value(&arguments, "env", &cursor), "X=1");
	assert_string_equal(cli_next_value(&arguments, "env", &cursor), "Y=2");
	assert_null(cli_next_value(&arguments, "env", &cursor));
	assert_int_equal(arguments.n, 2);
	assert_string_equal(arguments.list[0], "a");
	assert_string_equal(arguments.list[1], "b");
	assert_null(cli_value(&arguments, "nothing"));
}

static void test_after_two_dashes(void **state)
{
	struct cli cli = {0};
	struct cli_arguments arguments;
	struct error error = ERROR_INIT;

	assert_int_equal(parse(&cli, &arguments, &error, "--", "-f", "--env", NULL), 0);
	assert_false(cli_flag(&arguments, "follow"));
	assert_string_equal(arguments.list[0], "-f");
}

static void test_bad_options(void **state)
{
	struct cli cli = {0};
	struct cli_arguments arguments;
	struct error error = ERROR_INIT;

	assert_int_equal(parse(&cli, &arguments, &error, "--help", NULL), 1);
	assert_int_equal(parse(&cli, &arguments, &error, "a", "--nope", NULL), -EINVAL);
	assert_non_null(strstr(error.text, "--nope"));
	assert_int_equal(parse(&cli, &arguments, &error, "a", "-x", NULL), -EINVAL);
	assert_non_null(strstr(error.text, "-x"));
	assert_int_equal(parse(&cli, &arguments, &error, "a", "--env", NULL), -EINVAL);
	assert_non_null(strstr(error.text, "needs a value"));
	assert_int_equal(parse(&cli, &arguments, &error, "a", "--follow=1", NULL), -EINVAL);
	assert_non_null(strstr(error.text, "takes no value"));
	assert_int_equal(parse(&cli, &arguments, &error, NULL), -EINVAL);
	assert_non_null(strstr(error.text, "missing"));
	assert_int_equal(parse(&cli, &arguments, &error, "a", "b", "c", NULL), -EINVAL);
	assert_non_null(strstr(error.text, "\"c\" is one too many"));
}

static void test_commands(void **state)
{
	char runs[] = "runs", project[] = "project", add[] = "add", none[] = "runsx";
	char *one[] = {runs}, *two[] = {project, add, runs}, *wrong[] = {none};
	int words = 0;

	assert_ptr_equal(cli_find_command(1, one, &words), &cmd_runs);
	assert_int_equal(words, 1);
	assert_ptr_equal(cli_find_command(3, two, &words), &cmd_project_add);
	assert_int_equal(words, 2);
	assert_null(cli_find_command(1, two, &words));
	assert_null(cli_find_command(1, wrong, &words));
	assert_string_equal(cli_nearest_command("vaildate"), "validate");
	assert_null(cli_nearest_command("frobnicate"));
}

static void test_run_numbers(void **state)
{
	struct error error = ERROR_INIT;
	uint64_t run = 0;

	assert_int_equal(cli_run_id("42", &run, &error), 0);
	assert_int_equal(run, 42);
	assert_int_equal(cli_run_id("#7", &run, &error), 0);
	assert_int_equal(run, 7);
	assert_true(cli_run_id("", &run, &error) < 0);
	assert_true(cli_run_id("-1", &run, &error) < 0);
	assert_true(cli_run_id("4x", &run, &error) < 0);
	assert_true(cli_run_id("99999999999999999999", &run, &error) < 0);
	assert_int_equal(run, 7);
}

/* ---- the effective runbook ---- */

static const char text[] = "name: all\n"
			   "global:\n"
			   "  env: {A: 'one', B: \"quo\\\"te\"}\n"
			   "  timeout: 90s\n"
			   "steps:\n"
			   "  - name: compile\n"
			   "    command: |\n"
			   "      make\n"
			   "      echo \"ü\"\n"
			   "    resources: {cpu: 1.5, memory: 512M, pids: 100, disk: 1G}\n"
			   "  - name: test it\n"
			   "    command: make check\n"
			   "    depends_on: [compile]\n"
			   "    env: {A: two}\n"
			   "    network: none\n"
			   "    shell: sh -e\n"
			   "  - name: unrelated\n"
			   "    command: 'false'\n";

static void parse_text(const char *data, struct runbook_file *file)
{
	struct error error = ERROR_INIT;

	assert_int_equal(runbook_file_parse(strdup(data), strlen(data), file, &error), CLI_OK);
	assert_non_null(file->runbook);
}

static const char *env_of(const struct runbook_step *step, const char *name)
{
	for (size_t i = 0; i < step->n_env; i++)
		if (strcmp(step->env[i].name, name) == 0)
			return step->env[i].value;
	return NULL;
}

static void test_effective_keeps_everything(void **state)
{
	cleanup_runbook_file struct runbook_file before = {0}, after = {0};
	struct effective_options options = {0};
	struct error error = ERROR_INIT;
	cleanup_free char *written = NULL;

	assert_false(effective_needed(&options));
	parse_text(text, &before);
	assert_int_equal(effective_runbook(before.runbook, &options, &written, &error), 0);
	parse_text(written, &after);
	assert_string_equal(after.runbook->name, "all");
	assert_int_equal(after.runbook->n_steps, 3);
	assert_int_equal(after.runbook->n_env, 2);
	for (size_t i = 0; i < 3; i++) {
		const struct runbook_step *a = &before.runbook->steps[i];
		const struct runbook_step *b = &after.runbook->steps[i];

		assert_string_equal(a->name, b->name);
		assert_string_equal(a->command, b->command);
		assert_string_equal(a->image, b->image);
		assert_int_equal(a->network, b->network);
		assert_int_equal(a->network_given, b->network_given);
		assert_memory_equal(&a->resources, &b->resources, sizeof(a->resources));
		assert_int_equal(a->timeout_sec, b->timeout_sec);
		assert_int_equal(a->n_depends_on, b->n_depends_on);
		assert_int_equal(!a->shell, !b->shell);
	}
}

static void test_effective_options(void **state)
{
	static const char *const env[] = {"A=three", "NEW=a=b", "EMPTY="};
	cleanup_runbook_file struct runbook_file before = {0}, after = {0};
	struct effective_options options = {
		.step = "test it", .image = "debian", .env = env, .n_env = ARRAY_SIZE(env)};
	struct error error = ERROR_INIT;
	cleanup_free char *written = NULL;

	assert_true(effective_needed(&options));
	parse_text(text, &before);
	assert_int_equal(effective_runbook(before.runbook, &options, &written, &error), 0);
	parse_text(written, &after);
	assert_int_equal(after.runbook->n_steps, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(after.runbook->steps[i].image, "debian");
		assert_string_equal(env_of(&after.runbook->steps[i], "A"), "three");
		assert_string_equal(env_of(&after.runbook->steps[i], "NEW"), "a=b");
		assert_string_equal(env_of(&after.runbook->steps[i], "EMPTY"), "");
	}
}

static const char behaviour[] =
	"timeout: 2h\n"
	"queue_timeout: 5m\n"
	"priority: -7\n"
	"concurrency: {group: 'deploy {{ branch }}', limit: 2, cancel_superseded: true}\n"
	"global: {attempts: 3, labels: [linux], user: builder, workdir: src}\n"
	"steps:\n"
	"  - name: build\n"
	"    command: make $cc\n"
	"    matrix: {cc: [gcc, clang]}\n"
	"    env: {X: 'with {{ matrix.cc }}'}\n"
	"  - name: tell\n"
	"    command: ./tell\n"
	"    depends_on: [build]\n"
	"    when: {status: failure, branch: [main, '!x'], event: push, paths: ['**/*.c']}\n"
	"    allow_failure: true\n"
	"    interruptible: true\n"
	"    tty: true\n"
	"    labels: [gpu, big]\n";

static void expect_same_globs(const struct runbook_globs *a, const struct runbook_globs *b)
{
	assert_int_equal(a->n_items, b->n_items);
	for (size_t i = 0; i < a->n_items; i++)
		assert_string_equal(a->items[i], b->items[i]);
}

static void test_effective_keeps_behaviour(void **state)
{
	cleanup_runbook_file struct runbook_file before = {0}, after = {0};
	struct effective_options options = {.step = "tell"};
	struct error error = ERROR_INIT;
	cleanup_free char *written = NULL;

	parse_text(behaviour, &before);
	assert_int_equal(effective_runbook(before.runbook, &options, &written, &error), 0);
	parse_text(written, &after);
	assert_int_equal(after.runbook->timeout_sec, 7200);
	assert_int_equal(after.runbook->queue_timeout_sec, 300);
	assert_int_equal(after.runbook->priority, -7);
	assert_string_equal(after.runbook->concurrency_group, "deploy {{ branch }}");
	assert_int_equal(after.runbook->concurrency_limit, 2);
	assert_true(after.runbook->cancel_superseded);
	assert_int_equal(after.runbook->n_steps, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct runbook_step *a = &before.runbook->steps[i];
		const struct runbook_step *b = &after.runbook->steps[i];
		const struct runbook_globs labels_a = {a->labels, a->n_labels};
		const struct runbook_globs labels_b = {b->labels, b->n_labels};

		assert_string_equal(a->name, b->name);
		assert_int_equal(a->attempts, b->attempts);
		assert_string_equal(a->user, b->user);
		assert_string_equal(a->workdir, b->workdir);
		assert_int_equal(a->allow_failure, b->allow_failure);
		assert_int_equal(a->interruptible, b->interruptible);
		assert_int_equal(a->tty, b->tty);
		assert_int_equal(a->when.statuses, b->when.statuses);
		assert_int_equal(a->when.events, b->when.events);
		expect_same_globs(&a->when.branches, &b->when.branches);
		expect_same_globs(&a->when.paths, &b->when.paths);
		expect_same_globs(&labels_a, &labels_b);
	}
	assert_string_equal(env_of(&after.runbook->steps[1], "X"), "with clang");
	assert_string_equal(env_of(&after.runbook->steps[1], "cc"), "clang");
}

/* The name of a step with a matrix selects all its instances, the name of an instance only that. */
/* A key of a step that effective.c does not know would be lost without a word. */
static void test_effective_knows_every_key(void **state)
{
	const char *const texts[] = {text, behaviour};
	char *written[ARRAY_SIZE(texts)];
	struct effective_options options = {0};
	struct error error = ERROR_INIT;
	const struct schema_key *keys;
	size_t n_keys;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		cleanup_runbook_file struct runbook_file file = {0};

		parse_text(texts[i], &file);
		assert_int_equal(effective_runbook(file.runbook, &options, &written[i], &error), 0);
	}
	keys = schema_keys(&n_keys);
	for (size_t i = 0; i < n_keys; i++) {
		char member[64];

		/* a matrix is its instances by then */
		if (!(keys[i].scopes & (SCOPE_ROOT | SCOPE_STEP)) || !keys[i].read ||
		    strcmp(keys[i].name, "matrix") == 0 || strcmp(keys[i].name, "on") == 0)
			continue;
		(void)snprintf(member, sizeof(member), "\"%s\":", keys[i].name);
		if (!strstr(written[0], member) && !strstr(written[1], member))
			fail_msg("the key %s is not kept, or the texts of this test lack it",
				 keys[i].name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		free(written[i]);
}

static void test_effective_matrix(void **state)
{
	cleanup_runbook_file struct runbook_file before = {0}, all = {0}, one = {0};
	struct effective_options options = {.step = "build"};
	struct error error = ERROR_INIT;
	cleanup_free char *written = NULL;
	cleanup_free char *again = NULL;

	parse_text(behaviour, &before);
	assert_int_equal(effective_runbook(before.runbook, &options, &written, &error), 0);
	parse_text(written, &all);
	assert_int_equal(all.runbook->n_steps, 2);
	options.step = "build (cc=clang)";
	assert_int_equal(effective_runbook(before.runbook, &options, &again, &error), 0);
	parse_text(again, &one);
	assert_int_equal(one.runbook->n_steps, 1);
	assert_string_equal(one.runbook->steps[0].name, "build (cc=clang)");
}

static void test_effective_refusals(void **state)
{
	static const char *const bad_env[] = {"=x"};
	cleanup_runbook_file struct runbook_file file = {0};
	struct effective_options options = {.step = "nope"};
	struct error error = ERROR_INIT;
	char *written = NULL;

	parse_text(text, &file);
	assert_int_equal(effective_runbook(file.runbook, &options, &written, &error), -ENOENT);
	options = (struct effective_options){.env = bad_env, .n_env = 1};
	assert_int_equal(effective_runbook(file.runbook, &options, &written, &error), -EINVAL);
	assert_null(written);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_after_two_dashes),
		cmocka_unit_test(test_bad_options),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_run_numbers),
		cmocka_unit_test(test_effective_keeps_everything),
		cmocka_unit_test(test_effective_options),
		cmocka_unit_test(test_effective_keeps_behaviour),
		cmocka_unit_test(test_effective_knows_every_key),
		cmocka_unit_test(test_effective_matrix),
		cmocka_unit_test(test_effective_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
