/* SPDX-License-Identifier: Apache-2.0 */
/* The library as a daemon uses it: many sandboxes at once, watched by descriptors. Needs root. */
#include "sandbox/sandbox.h"
#include "tests/unit/cmocka_headers.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/limits.h"
#include "common/remove_tree.h"
#include "common/step_payload.h"
#include "sandbox/host_network.h"
#include "sandbox/host_network_record.h"
#include "sandbox/host_nft.h"
#include "sandbox/host_users.h"
#include "sandbox/outcome_text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct sandbox_host *host;
static char state_dir[] = "/tmp/rbt-unit.XXXXXX";

struct run {
	struct sandbox sandbox;
	int out_fd;
};

static void start_in(struct run *run, const char *group, const char *id, const char *script)
{
	char *argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char *)script, NULL};
	char *envp[] = {(char[]){"PATH=/usr/bin:/bin"}, NULL};
	cleanup_close int payload_fd = step_payload_new(argv, envp);
	struct error error = ERROR_INIT;
	int ends[2];

	assert_true(payload_fd >= 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	struct sandbox_request request = {
		.id = id,
		.group = group,
		.image = "host",
		.network = STEP_NETWORK_NONE,
		.disk = 4 * MIB,
		.payload_fd = payload_fd,
		.stdin_fd = -1,
		.stdout_fd = ends[1],
		.stderr_fd = ends[1],
	};
	if (sandbox_start(host, &request, &run->sandbox, &error) < 0)
		fail_msg("%s", error.text);
	(void)close(ends[1]);
	run->out_fd = ends[0];
}

static void start(struct run *run, const char *id, const char *script)
{
	start_in(run, NULL, id, script);
}

static struct sandbox_outcome end(struct run *run, char *text, size_t size)
{
	struct pollfd file = {.fd = run->sandbox.status_fd, .events = POLLIN};
	struct sandbox_outcome outcome;
	struct error error = ERROR_INIT;
	ssize_t got;

	assert_int_equal(poll(&file, 1, 20000), 1);
	if (sandbox_finish(&run->sandbox, &outcome, &error) < 0)
		fail_msg("%s", error.text);
	/* no process inside is left that could have the other end open */
	got = fd_read_all(run->out_fd, text, size - 1);
	assert_true(got >= 0);
	text[got] = '\0';
	(void)close(run->out_fd);
	return outcome;
}

static void test_outcomes(void **state)
{
	static const struct {
		const char *script;
		enum sandbox_exit how;
		int code;
		const char *output;
	} cases[] = {
		{"echo out; echo err >&2", SANDBOX_EXITED, 0, "out\nerr\n"},
		{"exit 3", SANDBOX_EXITED, 3, ""},
		{"kill -ABRT $$", SANDBOX_SIGNALED, SIGABRT, ""},
		{"cat", SANDBOX_EXITED, 0, ""},			   /* /dev/null */
		{"echo x >/dev/stdout", SANDBOX_EXITED, 0, "x\n"}, /* open for writing */
		{"sleep 1000 & echo left", SANDBOX_EXITED, 0, "left\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sandbox_outcome outcome;
		char text[64];
		struct run run;

		start(&run, "unit-1", cases[i].script);
		outcome = end(&run, text, sizeof(text));
		assert_int_equal(outcome.how, cases[i].how);
		assert_int_equal(outcome.code, cases[i].code);
		assert_string_equal(text, cases[i].output);
	}
}

/* The group of a process by /proc/PID/cgroup; "" without cgroup v2. */
static void group_of(pid_t pid, char *path, size_t size)
{
	char file[64], text[4096];
	cleanup_close int fd = -1;
	const char *line;
	ssize_t got;

	path[0] = '\0';
	(void)snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? -1 : fd_read_all(fd, text, sizeof(text) - 1);
	text[got < 0 ? 0 : got] = '\0';
	line = strstr(text, "0::/");
	if (line && (line == text || line[-1] == '\n'))
		(void)snprintf(path, size, "%.*s", (int)strcspn(line, "\n"), line);
}

static bool group_exists(const char *path)
{
	static const char *const mounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	char directory[4200];

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		(void)snprintf(directory, sizeof(directory), "%s%s", mounts[i], path);
		if (access(directory, F_OK) == 0)
			return true;
	}
	return false;
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), tail = strlen(end);

	return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* Steps of a run share a group, which is made with the first and removed with the last. */
static void test_groups(void **state)
{
	char path[4096], text[64];
	struct run runs[3];

	start_in(&runs[0], "run-7", "unit-a", "sleep 1000");
	start_in(&runs[1], "run-7", "unit-b", "exit 4");
	start_in(&runs[2], "run-8", "unit-a", "sleep 1000");
	group_of(runs[0].sandbox.pid, path, sizeof(path));
	if (path[0]) {
		group_of(runs[2].sandbox.pid, path, sizeof(path));
		assert_true(ends_with(path, "/runbook-unit/run-8/unit-a"));
		group_of(runs[0].sandbox.pid, path, sizeof(path));
		assert_true(ends_with(path, "/runbook-unit/run-7/unit-a"));
		*strrchr(path, '/') = '\0';
	}
	assert_int_equal(end(&runs[1], text, sizeof(text)).code, 4);
	assert_int_equal(sandbox_kill(&runs[0].sandbox), 0);
	assert_int_equal(end(&runs[0], text, sizeof(text)).how, SANDBOX_LOST);
	/* the other run is unharmed, and the first may start again */
	assert_int_equal(sandbox_signal(&runs[2].sandbox, 0), 0);
	start_in(&runs[0], "run-7", "unit-a", "exit 5");
	assert_int_equal(end(&runs[0], text, sizeof(text)).code, 5);
	assert_int_equal(sandbox_kill(&runs[2].sandbox), 0);
	(void)end(&runs[2], text, sizeof(text));
	assert_false(path[0] && group_exists(path + strlen("0::")));
}

static void test_usage(void **state)
{
	struct sandbox_outcome outcome;
	char text[64], hint[128];
	struct run run;

	start(&run, "unit-usage",
	      "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; head -c 1M /dev/zero >/tmp/x");
	outcome = end(&run, text, sizeof(text));
	assert_int_equal(outcome.code, 0);
	assert_true(step_usage_has(&outcome.usage, STEP_USAGE_CPU));
	assert_true(outcome.usage.values[STEP_USAGE_CPU] > 0);
	assert_true(step_usage_has(&outcome.usage, STEP_USAGE_MEMORY_PEAK) !=
		    step_usage_has(&outcome.usage, STEP_USAGE_PROCESS_PEAK));
	assert_true(step_usage_has(&outcome.usage, STEP_USAGE_DISK_USED));
	assert_true(outcome.usage.values[STEP_USAGE_DISK_USED] >= MIB);
	assert_true(outcome.usage.values[STEP_USAGE_DISK_USED] < 2 * MIB);
	assert_false(outcome.disk_full);

	start(&run, "unit-full", "head -c 64M /dev/zero >/tmp/x 2>/dev/null");
	outcome = end(&run, text, sizeof(text));
	assert_int_equal(outcome.code, 1);
	assert_true(outcome.disk_full);
	sandbox_outcome_hint(&outcome, hint, sizeof(hint));
	assert_string_equal(hint, "the step's disk is full: limit 4M");

	start(&run, "unit-files", "i=0; while : >/tmp/$i; do i=$((i+1)); done 2>/dev/null");
	assert_true(end(&run, text, sizeof(text)).disk_full);
}

static void test_outcome_texts(void **state)
{
	static const struct {
		struct sandbox_outcome outcome;
		const char *memory, *hint;
	} cases[] = {
		{{.limits = {.memory = 512 * MIB}},
		 "out of memory: limit 512M, peak unknown (files that it wrote count)",
		 ""},
		{{.limits = {.memory = 512 * MIB},
		  .usage = {.known = 1 << STEP_USAGE_MEMORY_PEAK,
			    .values = {[STEP_USAGE_MEMORY_PEAK] = 512 * MIB}}},
		 "out of memory: limit 512M, peak 512M (files that it wrote count)",
		 ""},
		{{.run_limits = {.memory = 2 * GIB}, .memory_scope = SANDBOX_MEMORY_RUN},
		 "out of memory: limit 2G for all steps of the run, of which this one took unknown",
		 ""},
		{{.steps_memory = 30 * GIB, .memory_scope = SANDBOX_MEMORY_STEPS},
		 "out of memory: limit 30G for all steps of this host, of which this one took "
		 "unknown",
		 ""},
		{{.memory_scope = SANDBOX_MEMORY_HOST, .limits = {.pids = 100}, .forks_refused = 1},
		 "out of memory: the host has no more, peak unknown",
		 "process limit 100 reached: 1 fork refused"},
		{{.limits = {.pids = 4096},
		  .run_limits = {.pids = 10},
		  .forks_refused = 7,
		  .disk_full = true,
		  .disk = GIB},
		 "out of memory: limit 0, peak unknown (files that it wrote count)",
		 "process limit 10 of the run reached: 7 forks refused; the step's disk is full: "
		 "limit 1G"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[256];

		sandbox_outcome_memory(&cases[i].outcome, text, sizeof(text));
		assert_string_equal(text, cases[i].memory);
		sandbox_outcome_hint(&cases[i].outcome, text, sizeof(text));
		assert_string_equal(text, cases[i].hint);
	}
}

static void test_many_at_once(void **state)
{
	struct run runs[12];
	char text[64];

	for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
		char id[32];

		(void)snprintf(id, sizeof(id), "unit-many-%zu", i);
		start(&runs[i], id, "awk '{print $2}' /proc/self/uid_map; sleep 0.2");
	}
	unsigned seen[ARRAY_SIZE(runs)];

	for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
		assert_int_equal(end(&runs[i], text, sizeof(text)).code, 0);
		seen[i] = (unsigned)strtoul(text, NULL, 10);
		assert_true(seen[i] >= ID_STEP_FIRST);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(seen[i], seen[j]);
	}
}

static void test_signal_and_kill(void **state)
{
	struct run run;
	char text[64];
	struct sandbox_outcome outcome;

	start(&run, "unit-signal",
	      "trap 'echo caught; exit 9' TERM; echo ready; sleep 1000 & wait");
	assert_int_equal(read(run.out_fd, text, 6), 6);
	assert_int_equal(sandbox_signal(&run.sandbox, SIGKILL), -EINVAL);
	assert_int_equal(sandbox_signal(&run.sandbox, SIGTERM), 0);
	outcome = end(&run, text, sizeof(text));
	assert_int_equal(outcome.code, 9);
	assert_string_equal(text, "caught\n");

	start(&run, "unit-kill", "trap '' TERM; echo ready; sleep 1000");
	assert_int_equal(read(run.out_fd, text, 6), 6);
	assert_int_equal(sandbox_kill(&run.sandbox), 0);
	assert_int_equal(end(&run, text, sizeof(text)).how, SANDBOX_LOST);

	/* sandbox_finish() without waiting kills as well */
	start(&run, "unit-finish", "sleep 1000");
	assert_int_equal(sandbox_finish(&run.sandbox, &outcome, NULL), 0);
	assert_int_equal(outcome.how, SANDBOX_LOST);
	(void)close(run.out_fd);
}

static void test_refused(void **state)
{
	struct sandbox_request request = {.id = "unit-bad",
					  .image = "/nonexistent",
					  .network = STEP_NETWORK_NONE,
					  .payload_fd = -1,
					  .stdin_fd = -1,
					  .stdout_fd = 1,
					  .stderr_fd = 2};
	struct error error = ERROR_INIT;
	struct sandbox sandbox;

	assert_int_equal(sandbox_start(host, &request, &sandbox, &error), -ENOENT);
	assert_non_null(strstr(error.text, "/nonexistent"));
	request.image = "/etc/hostname";
	assert_int_equal(sandbox_start(host, &request, &sandbox, &error), -ENOTDIR);
	request.image = "host";
	request.workspace = state_dir;
	request.workspace_uid = 12345; /* its owner is root */
	assert_int_equal(sandbox_start(host, &request, &sandbox, &error), -EPERM);
	assert_non_null(strstr(error.text, "12345"));
	request.workspace = NULL;
	request.workdir = "/nonexistent";
	request.payload_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	/* a failure inside is reported with the result, as a sentence */
	assert_int_equal(sandbox_start(host, &request, &sandbox, &error), 0);
	struct pollfd file = {.fd = sandbox.status_fd, .events = POLLIN};
	struct sandbox_outcome outcome;

	assert_int_equal(poll(&file, 1, 20000), 1);
	assert_true(sandbox_finish(&sandbox, &outcome, &error) < 0);
	assert_non_null(strstr(error.text, "command"));
	(void)close(request.payload_fd);
}

/*
 * Open descriptors, except user namespaces: these are cached per slot, and the free slots
 * depend on other programs that start sandboxes on this machine.
 */
static unsigned count_fds(void)
{
	char path[32], target[64];
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++) {
		ssize_t length;

		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		length = readlink(path, target, sizeof(target));
		n += length > 0 && strncmp(target, "user:", 5) != 0;
	}
	return n;
}

static void test_no_descriptor_leaks(void **state)
{
	unsigned before = 0;
	char text[64];

	for (int i = 0; i < 10; i++) {
		struct run run;

		start(&run, "unit-fds", "true");
		(void)end(&run, text, sizeof(text));
		if (i == 0)
			before = count_fds(); /* the first sandbox fills the caches */
	}
	assert_int_equal(count_fds(), before);
	/* a change of ids in a process that shares our memory must not clear our dumpable flag */
	assert_int_equal(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 1);
}

static void test_slots(void **state)
{
	struct user_slots *one = NULL, *two = NULL;
	struct user_slot *a, *b, *c;
	struct error error = ERROR_INIT;

	assert_int_equal(user_slots_new(&one, &error), 0);
	assert_int_equal(user_slots_new(&two, &error), 0);
	assert_int_equal(user_slot_take(one, &a, &error), 0);
	assert_int_equal(user_slot_take(two, &b, &error), 0);
	assert_int_not_equal(a->base, b->base);
	assert_int_equal(a->base % ID_STEP_RANGE, 0);
	assert_true(a->init_id > a->base + ID_STEP_RANGE);
	user_slot_release(one, a);
	assert_int_equal(user_slot_take(one, &c, &error), 0);
	assert_ptr_equal(a, c);
	(void)user_slots_free(one);
	(void)user_slots_free(two);
}

static void test_nft_text(void **state)
{
	static const char dns[][64] = {"10.0.0.53", "192.0.2.7"};
	static const char uplinks[][64] = {"eth0"};
	struct nft_facts facts = {.subnet = 0x0ad50000,
				  .dns4 = dns,
				  .n_dns4 = 2,
				  .uplinks4 = uplinks,
				  .n_uplinks4 = 1};
	cleanup_free char *text = nft_table_text(&facts);
	cleanup_free char *more = nft_dns_text(&facts);

	assert_non_null(strstr(text, "elements = { 10.0.0.53, 192.0.2.7 }"));
	assert_non_null(strstr(text, "elements = { \"eth0\" }"));
	assert_non_null(strstr(text, "ip saddr 10.213.0.0/16 oifname != \"rbk*\" masquerade"));
	assert_non_null(strstr(text, "169.254.0.0/16"));
	assert_null(strstr(text, "flush"));
	assert_non_null(strstr(text, "64:ff9b::a9fe:0/112")); /* link-local, by NAT64 */
	assert_non_null(strstr(text, "meta nfproto ipv6 drop"));
	assert_null(strstr(text, "iifname != "));
	assert_string_equal(more, "add element inet runbookd dns4 { 10.0.0.53 }\n"
				  "add element inet runbookd dns4 { 192.0.2.7 }\n");
}

static void test_nft_text_ipv6(void **state)
{
	static const uint8_t subnet6[6] = {0xfd, 0x12, 0x34, 0x56, 0x78, 0x9a};
	static const char dns6[][64] = {"2620:fe::fe"};
	struct nft_facts facts = {.subnet = 0x0ad50000,
				  .subnet6 = subnet6,
				  .dns6 = dns6,
				  .n_dns6 = 1,
				  .everywhere6 = true};
	cleanup_free char *text = nft_table_text(&facts);

	assert_non_null(strstr(text, "ip6 saddr fd12:3456:789a::/48 oifname"));
	assert_non_null(strstr(text, "ip6 saddr fd12:3456:789a::8000/113 "));
	assert_non_null(strstr(text, "elements = { 2620:fe::fe }"));
	assert_null(strstr(text, "\" meta nfproto ipv6 drop\n	}\n	chain host"));
	assert_non_null(strstr(text, "iifname != \"rbk*\" meta nfproto ipv6 drop"));
}

/* Namespaces are made ahead only after a step of that kind, and used once. */
static void test_pool(void **state)
{
	struct host_network_options options = {.pool = 3};
	struct host_network_request request = {.kind = STEP_NETWORK_NONE};
	struct host_network_step first, second, third;
	struct host_network *network;
	struct error error = ERROR_INIT;
	struct stat a, b;
	int calls = 1;

	assert_int_equal(host_network_new(&network, &options, &error), 0);
	assert_false(host_network_idle(network));
	assert_int_equal(host_network_step_new(network, &request, &first, &error), 0);
	assert_int_equal(first.netns_fd, -1);
	while (host_network_idle(network))
		calls++;
	assert_int_equal(calls, 3);
	assert_int_equal(host_network_step_new(network, &request, &second, &error), 0);
	assert_int_equal(host_network_step_new(network, &request, &third, &error), 0);
	assert_int_equal(fstat(second.netns_fd, &a), 0);
	assert_int_equal(fstat(third.netns_fd, &b), 0);
	assert_int_not_equal(a.st_ino, b.st_ino);
	host_network_step_free(network, &second);
	host_network_step_free(network, &third);
	assert_true(host_network_idle(network));
	(void)host_network_free(network);
}

static int setup(void **state)
{
	struct error error = ERROR_INIT;
	char init_path[4096];
	struct sandbox_host_options options = {
		.state_dir = state_dir,
		.init_path = init_path,
		.cgroup_name = "runbook-unit",
		.limits = SANDBOX_LIMITS_BEST_EFFORT,
	};
	const char *bin = getenv("BIN");

	(void)snprintf(init_path, sizeof(init_path), "%s/runbook-init", bin ? bin : "build/bin");
	if (!mkdtemp(state_dir) || chmod(state_dir, 0755) < 0)
		return -1;
	if (sandbox_host_new(&host, &options, &error) < 0) {
		(void)fprintf(stderr, "%s\n", error.text);
		return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	host = sandbox_host_free(host);
	return remove_tree(AT_FDCWD, state_dir);
}

/* A service manager may hold a duplicate of the descriptor for longer than we do. */
static void test_record_locks_nobody_out(void **state)
{
	int fd = memfd_create("record", MFD_CLOEXEC);
	int kept = dup(fd);
	struct network_record record = {.fd = fd};
	struct network_record other = {.fd = -1};
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", kept);
	other.fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(other.fd >= 0);
	assert_int_equal(record_lock(&record, RECORD_SETUP, F_WRLCK, false), 0);
	assert_int_equal(record_lock(&other, RECORD_SETUP, F_WRLCK, false), -EAGAIN);
	record_close(&record);
	assert_int_equal(record_lock(&other, RECORD_SETUP, F_WRLCK, false), 0);
	record_close(&other);
	(void)close(kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_outcome_texts),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_signal_and_kill),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_descriptor_leaks),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_nft_text),
		cmocka_unit_test(test_nft_text_ipv6),
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_record_locks_nobody_out),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
