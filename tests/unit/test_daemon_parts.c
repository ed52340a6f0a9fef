/* SPDX-License-Identifier: Apache-2.0 */

/* Order numbers, reports and state directories. */

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/isolation.h"
#include "common/names.h"
#include "common/remove_tree.h"
#include "daemon/order_set.h"
#include "daemon/state_dirs.h"
#include "daemon/step_report.h"
#include "daemon/step_setup.h"

#include "tests/unit/cmocka_headers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

static void orders_in_sequence_are_one_interval(void **state)
{
	struct order_set set = {.intervals = NULL};

	for (uint64_t i = 1; i <= 100000; i++)
		assert_int_equal(order_set_add(&set, i), 0);
	assert_int_equal(set.n_intervals, 1);
	assert_int_equal(order_set_add(&set, 5), -EEXIST);
	assert_int_equal(order_set_add(&set, UINT64_MAX), 0);
	assert_int_equal(order_set_add(&set, UINT64_MAX), -EEXIST);
	assert_false(order_set_has(&set, 0));
	assert_true(order_set_has(&set, 100000));
	order_set_done(&set);
}

static void orders_in_any_sequence(void **state)
{
	struct order_set set = {.intervals = NULL};
	bool model[1000] = {false};
	uint32_t x = 12345;

	for (int i = 0; i < 5000; i++) {
		unsigned order;

		x = x * 1664525 + 1013904223;
		order = (x >> 8) % 1000;
		assert_int_equal(order_set_add(&set, order), model[order] ? -EEXIST : 0);
		model[order] = true;
		for (unsigned j = 0; j + 1 < set.n_intervals; j++)
			assert_true(set.intervals[j].last + 1 < set.intervals[j + 1].first);
	}
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(order_set_has(&set, i), model[i]);
	order_set_done(&set);
}

static void reports(void **state)
{
	static const struct {
		struct step_facts facts;
		enum step_result result;
		uint64_t exit_code, signal;
		const char *reason;
	} cases[] = {
		{{.outcome = {SANDBOX_EXITED, 0}}, STEP_RESULT_EXITED, 0, 0, ""},
		{{.outcome = {SANDBOX_EXITED, 3}}, STEP_RESULT_EXITED, 3, 0, "exit code 3"},
		{{.outcome = {SANDBOX_SIGNALED, SIGKILL}},
		 STEP_RESULT_SIGNALED,
		 0,
		 SIGKILL,
		 "killed by signal 9 (KILL)"},
		{{.outcome = {SANDBOX_EXEC_FAILED, ENOENT}},
		 STEP_RESULT_EXITED,
		 127,
		 0,
		 "exit code 127: the command or its interpreter does not exist in the image"},
		{{.outcome = {SANDBOX_EXEC_FAILED, EACCES}},
		 STEP_RESULT_EXITED,
		 126,
		 0,
		 "exit code 126: cannot execute the command: Permission denied"},
		{{.outcome = {SANDBOX_LOST, 0}},
		 STEP_RESULT_SIGNALED,
		 0,
		 SIGKILL,
		 "killed from outside: the sandbox ended without a status"},
		/* a failure inside the sandbox before the command is not the command's */
		{{.outcome = {SANDBOX_LOST, 0}, .setup_error = "cannot join the user namespace"},
		 STEP_RESULT_SANDBOX,
		 0,
		 0,
		 "cannot build the sandbox: cannot join the user namespace"},
		{{.outcome = {SANDBOX_LOST, 0, true, .limits = {.memory = 512 * MIB}}},
		 STEP_RESULT_MEMORY,
		 0,
		 SIGKILL,
		 "out of memory: limit 512M, peak unknown (files that it wrote count)"},
		/* a limit that the command hit is reported beside the exit code … */
		{{.outcome = {SANDBOX_EXITED, 2, .limits = {.pids = 100}, .forks_refused = 3,
			      .disk_full = true, .disk = GIB}},
		 STEP_RESULT_EXITED,
		 2,
		 0,
		 "exit code 2; process limit 100 reached: 3 forks refused; the step's disk is "
		 "full: limit 1G"},
		/* … unless it succeeded */
		{{.outcome = {SANDBOX_EXITED, 0, .forks_refused = 3}},
		 STEP_RESULT_EXITED,
		 0,
		 0,
		 ""},
		/* a child process hit the memory limit, but the command succeeded */
		{{.outcome = {SANDBOX_EXITED, 0, true}}, STEP_RESULT_EXITED, 0, 0, ""},
		/* the result is the timeout, whatever exit code follows our SIGTERM */
		{{.outcome = {SANDBOX_EXITED, 0},
		  .ended_by_us = true,
		  .cause = STEP_RESULT_TIMEOUT,
		  .timeout_msec = 5000},
		 STEP_RESULT_TIMEOUT,
		 0,
		 0,
		 "timeout after 5s"},
		{{.outcome = {SANDBOX_LOST, 0, true},
		  .ended_by_us = true,
		  .cause = STEP_RESULT_CANCELLED},
		 STEP_RESULT_CANCELLED,
		 0,
		 SIGKILL,
		 "cancelled"},
		{{.outcome = {SANDBOX_EXITED, 1}, .log = {.lost = 7, .error = ENOSPC}},
		 STEP_RESULT_EXITED,
		 1,
		 0,
		 "exit code 1; the log is incomplete: 7 bytes could not be written (No space left "
		 "on device)"},
		{{.outcome = {SANDBOX_EXITED, 0}, .log = {.bytes = 1000, .cut = 900}},
		 STEP_RESULT_EXITED,
		 0,
		 0,
		 "the log is cut: 900 of its 1000 bytes, in the middle, were dropped (StepLog=, "
		 "Logs=)"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct step_report report;

		step_report_make(&cases[i].facts, &report);
		assert_string_equal(report.reason, cases[i].reason);
		assert_int_equal(report.result, cases[i].result);
		assert_int_equal(report.exit_code, cases[i].exit_code);
		assert_int_equal(report.signal, cases[i].signal);
	}
}

static void amounts(void **state)
{
	char text[64];

	text_bytes(text, sizeof(text), 0);
	assert_string_equal(text, "0");
	text_bytes(text, sizeof(text), 1536 * KIB);
	assert_string_equal(text, "1536K");
	text_bytes(text, sizeof(text), 1000);
	assert_string_equal(text, "1000");
	text_bytes(text, sizeof(text), 4096 * GIB);
	assert_string_equal(text, "4T");
	text_duration(text, sizeof(text), 0);
	assert_string_equal(text, "0s");
	text_duration(text, sizeof(text), 90000);
	assert_string_equal(text, "1m30s");
	text_duration(text, sizeof(text), 86400000ULL * 2 + 250);
	assert_string_equal(text, "2d250ms");
	text_duration(text, 3, 90000);
	assert_int_equal(strlen(text), 2);
}

struct root {
	char directory[64];
	struct paths paths;
};

static void root_new(struct root *root)
{
	struct error error = ERROR_INIT;

	(void)snprintf(root->directory, sizeof(root->directory), "/tmp/rbtest-parts-XXXXXX");
	assert_non_null(mkdtemp(root->directory));
	assert_int_equal(paths_init(&root->paths, root->directory, &error), 0);
}

static void state_directories(void **state)
{
	struct error error = ERROR_INIT;
	char path[PATH_MAX + 32];
	struct root root;
	struct stat st;

	root_new(&root);
	for (int i = 0; i < 2; i++) { /* directories that exist already are kept */
		assert_int_equal(state_dirs_make(&root.paths, &error), 0);
		(void)snprintf(path, sizeof(path), "%s/scheduler", root.paths.lib);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0700);
		if (geteuid() == 0)
			assert_int_equal(st.st_uid, role_user(ROLE_SCHEDULER).uid);
		assert_int_equal(stat(root.paths.log, &st), 0);
		assert_int_equal(st.st_mode & 07777, 02750);
	}
	(void)snprintf(path, sizeof(path), "%s/trees", root.paths.lib);
	assert_int_equal(chmod(path, 0777), 0);
	assert_int_equal(state_dirs_make(&root.paths, &error), -EPERM);
	assert_non_null(strstr(error.text, "trees is writable by everybody"));
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(symlink("/tmp", path), 0);
	assert_int_equal(state_dirs_make(&root.paths, &error), -EPERM);
	assert_non_null(strstr(error.text, "trees is a symbolic link or no directory"));
	assert_int_equal(unlink(path), 0);
	if (geteuid() == 0) {
		assert_int_equal(mkdir(path, 0755), 0);
		assert_int_equal(chown(path, 4711, 4711), 0);
		assert_int_equal(state_dirs_make(&root.paths, &error), -EPERM);
		assert_non_null(strstr(error.text, "trees belongs to user 4711 instead of"));
	}
	assert_int_equal(remove_tree(AT_FDCWD, root.directory), 0);
}

static void one_instance(void **state)
{
	struct error error = ERROR_INIT;
	struct root root;
	char expected[64];
	int fd;

	root_new(&root);
	assert_int_equal(state_dirs_make(&root.paths, &error), 0);
	fd = state_lock(&root.paths, NULL, &error);
	assert_true(fd >= 0);
	assert_int_equal(state_lock(&root.paths, NULL, &error), -EBUSY);
	(void)snprintf(expected, sizeof(expected), "another runbookd (pid %d) runs", getpid());
	assert_non_null(strstr(error.text, expected));
	(void)close(fd);
	fd = state_lock(&root.paths, NULL, &error);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(remove_tree(AT_FDCWD, root.directory), 0);
}

#define COMMIT "0123456789012345678901234567890123456789"
#define VIEW "1111111111111111111111111111111111111111"
#define TREE "/trees/p/" COMMIT
#define VIEWS TREE ".views/" VIEW
#define OBJECTS "/repos/p.git/objects"

static void fetched_make(const struct root *root, const char *path, uid_t uid)
{
	char whole[PATH_MAX + 256];

	(void)snprintf(whole, sizeof(whole), "%s%s", root->paths.lib, path);
	assert_int_equal(make_directories(AT_FDCWD, whole, 0755), 0);
	assert_int_equal(lchown(whole, uid, (gid_t)-1), 0);
}

/* The path beneath the state directory that the sandbox of @setup has for git objects; "": none. */
static const char *objects_of(const struct root *root, const struct step_setup *setup)
{
	for (size_t i = 0; i < setup->request.n_binds; i++) {
		if (strcmp(setup->request.binds[i].target, STEP_MIRROR_TARGET) == 0)
			return setup->request.binds[i].source + strlen(root->paths.lib);
	}
	return "";
}

/* Trees, views and objects are found by ids; a view with objects replaces the mirror. */
static void what_a_step_sees(void **state)
{
	const struct {
		const char *view;
		enum step_objects objects;
		const char *wanted_view, *wanted_objects;
	} cases[] = {
		{"", STEP_OBJECTS_NONE, "", ""},
		{"", STEP_OBJECTS_MIRROR, "", OBJECTS},
		{VIEW, STEP_OBJECTS_MIRROR, VIEWS "/top", OBJECTS},
		{VIEW, STEP_OBJECTS_NONE, VIEWS "/top", ""},
		{VIEW, STEP_OBJECTS_VIEW, VIEWS "/top", VIEWS "/objects"},
	};
	static const char *const directories[] = {TREE, VIEWS "/top", VIEWS "/objects", OBJECTS};
	struct step_order order = {
		.order = 1, .run = 1, .attempt = 1, .project = "p", .slug = "s", .commit = COMMIT};
	struct config *config = config_new();
	uid_t fetcher = role_user(ROLE_FETCHER).uid;
	struct error error = ERROR_INIT;
	struct step_setup setup;
	struct root root;

	root_new(&root);
	assert_int_equal(state_dirs_make(&root.paths, &error), 0);
	step_setup_sweep(&root.paths, NULL, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
		fetched_make(&root, directories[i], fetcher);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *view;

		(void)snprintf(order.view, sizeof(order.view), "%s", cases[i].view);
		order.objects = cases[i].objects;
		assert_int_equal(
			step_setup_make(&root.paths, config, NULL, &order, "c", &setup, &error), 0);
		view = setup.request.workspace_view;
		assert_string_equal(view ? view + strlen(root.paths.lib) : "",
				    cases[i].wanted_view);
		assert_string_equal(objects_of(&root, &setup), cases[i].wanted_objects);
		step_setup_close(&setup);
		step_setup_remove(&root.paths, 1);
	}
	/* a directory of another user is refused */
	fetched_make(&root, VIEWS "/top", fetcher + 1);
	assert_int_equal(step_setup_make(&root.paths, config, NULL, &order, "c", &setup, &error),
			 -EPERM);
	assert_non_null(strstr(error.text, "references of commit " COMMIT));
	(void)config_free(config);
	assert_int_equal(remove_tree(AT_FDCWD, root.directory), 0);
}

#define OTHER "2222222222222222222222222222222222222222"

static void lower_set(const struct root *root, const char *target)
{
	char path[PATH_MAX + 256];

	(void)snprintf(path, sizeof(path), "%s" TREE ".diff/lower", root->paths.lib);
	(void)unlink(path);
	assert_int_equal(symlink(target, path), 0);
}

/* A tree may lie on another one; all layers belong to the fetcher, or the step has none. */
static void layers_of_a_tree(void **state)
{
	struct step_order order = {
		.order = 1, .run = 1, .attempt = 1, .project = "p", .slug = "s", .commit = COMMIT};
	struct config *config = config_new();
	uid_t fetcher = role_user(ROLE_FETCHER).uid;
	struct error error = ERROR_INIT;
	struct step_setup setup;
	struct root root;

	root_new(&root);
	assert_int_equal(state_dirs_make(&root.paths, &error), 0);
	step_setup_sweep(&root.paths, NULL, NULL);
	fetched_make(&root, TREE ".diff/top", fetcher);
	lower_set(&root, OTHER);
	assert_int_equal(step_setup_make(&root.paths, config, NULL, &order, "c", &setup, &error),
			 -ENOENT);
	assert_non_null(strstr(error.text, "retry the run"));
	fetched_make(&root, "/trees/p/" OTHER, fetcher);
	assert_int_equal(step_setup_make(&root.paths, config, NULL, &order, "c", &setup, &error),
			 0);
	assert_string_equal(setup.request.workspace + strlen(root.paths.lib), TREE ".diff/top");
	assert_int_equal(setup.request.n_workspace_lowers, 1);
	assert_string_equal(setup.request.workspace_lowers[0] + strlen(root.paths.lib),
			    "/trees/p/" OTHER);
	assert_int_equal(setup.request.workspace_uid, fetcher);
	step_setup_close(&setup);
	step_setup_remove(&root.paths, 1);
	fetched_make(&root, "/trees/p/" OTHER, fetcher + 1);
	assert_int_equal(step_setup_make(&root.paths, config, NULL, &order, "c", &setup, &error),
			 -EPERM);
	lower_set(&root, "../../../../../etc");
	assert_int_equal(step_setup_make(&root.paths, config, NULL, &order, "c", &setup, &error),
			 -EINVAL);
	(void)config_free(config);
	assert_int_equal(remove_tree(AT_FDCWD, root.directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders_in_sequence_are_one_interval),
		cmocka_unit_test(orders_in_any_sequence),
		cmocka_unit_test(reports),
		cmocka_unit_test(amounts),
		cmocka_unit_test(state_directories),
		cmocka_unit_test(one_instance),
		cmocka_unit_test(what_a_step_sees),
		cmocka_unit_test(layers_of_a_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
