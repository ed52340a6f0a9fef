/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans of requests, compared with tests/golden/sandbox/NAME.expected (text) and NAME.json.
 * UPDATE=1 in the environment rewrites these files; read the difference before committing. No
 * privilege is needed: a plan is data.
 */
#include "sandbox/plan.h"
#include "tests/unit/cmocka_headers.h"

#include "common/cleanup.h"
#include "common/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static const struct plan_view view_full = {.binds = {{"/usr"}, {"/opt"}}, .n_binds = 2};
static const struct plan_view view_empty;

static const struct plan_facts facts_full = {
	.base = 0x70000000,
	.init_id = 0x7fff0000,
	.root = "/state/images/host-1",
	.scratch = 1000000,
	.cacher = "/usr/libexec/runbookd/cacher",
	.cgroup = true,
	.limit_memory = true,
	.limit_pids = true,
	.limit_cpu = true,
	.limit_io = true,
	.io_devices = {{8, 0}, {259, 3}},
	.n_io_devices = 2,
	.view = &view_full,
};

static struct sandbox_request request_plain(void)
{
	return (struct sandbox_request){
		.id = "p-1-build", .image = "host", .network = STEP_NETWORK_NONE};
}

static char *plan_text(const struct sandbox_request *request, const struct plan_facts *facts,
		       bool json)
{
	cleanup_plan struct plan *plan = NULL;
	struct error error = ERROR_INIT;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	if (plan_new(&plan, request, facts, &error) < 0)
		fail_msg("%s", error.text);
	if (json)
		plan_print_json(plan, facts->cgroup ? NULL : "no \"cgroup\"", facts->cgroup, out);
	else
		plan_print(plan, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void check_text(const char *name, const char *suffix, const char *got)
{
	cleanup_free char *wanted = NULL;
	cleanup_close int fd = -1;
	char path[128];
	size_t size;

	(void)snprintf(path, sizeof(path), "tests/golden/sandbox/%s.%s", name, suffix);
	if (getenv("UPDATE"))
		assert_int_equal(file_replace(AT_FDCWD, path, got, strlen(got), 0644), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fd_read_file(fd, 1 << 20, &wanted, &size), 0);
	assert_string_equal(got, wanted);
}

static void check_golden(const char *name, const struct sandbox_request *request,
			 const struct plan_facts *facts)
{
	cleanup_free char *text = plan_text(request, facts, false);
	cleanup_free char *json = plan_text(request, facts, true);

	check_text(name, "expected", text);
	check_text(name, "json", json);
}

static void test_plain(void **state)
{
	struct sandbox_request request = request_plain();

	check_golden("plain", &request, &facts_full);
}

static void test_everything(void **state)
{
	static const struct sandbox_bind binds[] = {
		{.source = "/run/s/cacher.sock", .target = "/run/runbookd/cacher.sock"},
		{.source = "/srv/out",
		 .target = "/out",
		 .writable = true,
		 .idmap = true,
		 .owner_uid = 1000,
		 .owner_gid = 100},
	};
	static const char *const lowers[] = {"/state/trees/p/def.diff/top", "/state/trees/p/fed"};
	struct plan_facts facts = facts_full;
	struct sandbox_request request = {
		.id = "p-2-test",
		.group = "run-2",
		.group_limits = {.memory = 2ULL << 30, .pids = 1000, .cpu_milli = 3000},
		.image = "host",
		.hostname = "builder",
		.workspace = "/state/trees/p/abc",
		.workspace_view = "/state/trees/p/abc.views/def/top",
		.workspace_lowers = lowers,
		.n_workspace_lowers = 2,
		.workspace_uid = 990,
		.workspace_gid = 991,
		.binds = binds,
		.n_binds = 2,
		.network = STEP_NETWORK_EGRESS,
		.memory = 512 << 20,
		.pids = 100,
		.cpu_milli = 1500,
		.disk = 1 << 30,
		.io = {.read = 20 << 20, .write_ops = 100},
	};

	facts.resolv = "nameserver 192.0.2.1\n";
	check_golden("everything", &request, &facts);
}

static void test_image_without_cgroup(void **state)
{
	struct plan_facts facts = {.base = 0x70010000,
				   .init_id = 0x7fff0001,
				   .root = "/images/debian",
				   .scratch = 5,
				   .view = &view_empty};
	struct sandbox_request request = request_plain();

	request.image = "/images/debian";
	check_golden("image", &request, &facts);
}

/* Invalid requests, and the word that the error must contain. */
static void test_refused(void **state)
{
	static const struct sandbox_bind relative = {.source = "x", .target = "/y"};
	static const struct sandbox_bind upward = {.source = "/x", .target = "/y/../../etc"};
	static const struct sandbox_bind over_proc = {.source = "/x", .target = "/proc/sys"};
	static const struct sandbox_bind over_root = {.source = "/x", .target = "/"};
	static const char *const lowers[] = {"/a", "/b", "/c", "../d"};
	struct {
		const char *word;
		int number;
		struct sandbox_request request;
	} cases[] = {
		{"id", EINVAL, request_plain()},
		{"id", EINVAL, request_plain()},
		{"id", EINVAL, request_plain()},
		{"image", EINVAL, request_plain()},
		{"image", EINVAL, request_plain()},
		{"image", EINVAL, request_plain()},
		{"workspace", EINVAL, request_plain()},
		{"workdir", EINVAL, request_plain()},
		{"hostname", EINVAL, request_plain()},
		{"network", EINVAL, request_plain()},
		{"network", EINVAL, request_plain()},
		{"bind", EINVAL, request_plain()},
		{"bind", EINVAL, request_plain()},
		{"bind", EINVAL, request_plain()},
		{"bind", EINVAL, request_plain()},
		{"cpus", EINVAL, request_plain()},
		{"cpus", EINVAL, request_plain()},
		{"group", EINVAL, request_plain()},
		{"network", EINVAL, request_plain()},
		{"destinations", EINVAL, request_plain()},
		{"workspace view", EINVAL, request_plain()},
		{"workspace view", EINVAL, request_plain()},
		{"workspace lowers", EINVAL, request_plain()},
		{"workspace lowers", EINVAL, request_plain()},
		{"workspace lowers", EINVAL, request_plain()},
	};
	size_t n = 0;

	cases[n++].request.id = NULL;
	cases[n++].request.id = "../x";
	cases[n++].request.id = "a/b";
	cases[n++].request.image = NULL;
	cases[n++].request.image = "debian";
	cases[n++].request.image = "/images/../etc";
	cases[n++].request.workspace = "trees/x";
	cases[n++].request.workdir = "/a//b";
	cases[n++].request.hostname = "a\nb";
	cases[n++].request.network = (enum step_network)77;
	cases[n++].request.network_name = "../x";
	cases[n].request.n_binds = 1;
	cases[n++].request.binds = &relative;
	cases[n].request.n_binds = 1;
	cases[n++].request.binds = &upward;
	cases[n].request.n_binds = 1;
	cases[n++].request.binds = &over_proc;
	cases[n].request.n_binds = 1;
	cases[n++].request.binds = &over_root;
	cases[n++].request.cpu_milli = 1;
	cases[n++].request.group_limits.cpu_milli = 9;
	cases[n++].request.group = "run/1";
	cases[n++].request.network_name = "a b";
	cases[n++].request.limited = true;	  /* with network "none" */
	cases[n++].request.workspace_view = "/v"; /* without a workspace */
	cases[n].request.workspace = "/w";
	cases[n++].request.workspace_view = "/w/../v";
	cases[n].request.workspace_lowers = lowers; /* without a workspace */
	cases[n++].request.n_workspace_lowers = 1;
	cases[n].request.workspace = "/w";
	cases[n].request.workspace_lowers = lowers;
	cases[n++].request.n_workspace_lowers = SANDBOX_WORKSPACE_LOWERS_MAX + 1;
	cases[n].request.workspace = "/w";
	cases[n].request.workspace_lowers = lowers + SANDBOX_WORKSPACE_LOWERS_MAX;
	cases[n++].request.n_workspace_lowers = 1;
	assert_int_equal(n, ARRAY_SIZE(cases));
	for (size_t i = 0; i < n; i++) {
		struct error error = ERROR_INIT;
		struct plan *plan = NULL;

		assert_int_equal(plan_new(&plan, &cases[i].request, &facts_full, &error),
				 -cases[i].number);
		assert_null(plan);
		assert_memory_equal(error.text, cases[i].word, strlen(cases[i].word));
	}
}

/* Ids contain project, run, step and attempt: if they were cut, two steps would be one. */
static void test_long_id(void **state)
{
	struct sandbox_request request = request_plain();
	struct error error = ERROR_INIT;
	char id[SANDBOX_ID_MAX + 2];
	struct plan *plan = NULL;
	cleanup_free char *text = NULL;

	memset(id, 'a', sizeof(id));
	id[SANDBOX_ID_MAX] = '\0';
	request.id = id;
	request.hostname = "p-1";
	text = plan_text(&request, &facts_full, false);
	assert_non_null(strstr(text, id));
	id[SANDBOX_ID_MAX] = 'a';
	id[SANDBOX_ID_MAX + 1] = '\0';
	assert_int_equal(plan_new(&plan, &request, &facts_full, &error), -EINVAL);
}

/* The order of operations is part of the isolation. */
static void test_order(void **state)
{
	static const char *const order[] = {
		"cgroup-root",
		"network ",
		"private ",
		"scratch ",
		"layer ",
		"root ",
		"devices ",
		"mount        proc",
		"mask ",
		"read-only ",
		"mount        devpts",
		"pivot ",
		"become ",
		"join the user namespace",
		"keep capabilities",
		"seccomp:",
		"exec the command",
	};
	struct sandbox_request request = request_plain();
	cleanup_free char *text = plan_text(&request, &facts_full, false);
	const char *at = text;

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		at = strstr(at, order[i]);
		if (!at)
			fail_msg("\"%s\" is missing or too early", order[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_image_without_cgroup),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_long_id),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
