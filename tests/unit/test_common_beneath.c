/* SPDX-License-Identifier: Apache-2.0 */
/* Untrusted paths beneath a directory, in trees that try to lead out of it. */
#include "tests/unit/cmocka_headers.h"

#include "common/beneath.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/remove_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <seccomp.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define DEPTH_MAX 256

/* calls work beneath <scratch>/top; <scratch>/outside must not change */
struct fixture {
	char path[64];
	int fd, top_fd;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	strcpy(fixture->path, "/tmp/rbt-beneath.XXXXXX");
	assert_non_null(mkdtemp(fixture->path));
	fixture->fd = open(fixture->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(make_directories(fixture->fd, "top/a/b", 0755), 0);
	assert_int_equal(mkdirat(fixture->fd, "outside", 0755), 0);
	assert_int_equal(file_replace(fixture->fd, "outside/canary", "alive", 5, 0600), 0);
	fixture->top_fd = openat(fixture->fd, "top", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fixture->top_fd >= 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	close(fixture->top_fd);
	close(fixture->fd);
	assert_int_equal(remove_tree(AT_FDCWD, fixture->path), 0);
	free(fixture);
	return 0;
}

/* The directory outside contains only the canary. */
static void outside_untouched(const struct fixture *fixture)
{
	struct stat st;

	assert_int_equal(fstatat(fixture->fd, "outside", &st, 0), 0);
	assert_int_equal(st.st_nlink, 2);
	assert_int_equal(fstatat(fixture->fd, "outside/canary", &st, 0), 0);
	assert_int_equal(st.st_size, 5);
	assert_int_equal(faccessat(fixture->fd, "outside/new", F_OK, AT_SYMLINK_NOFOLLOW), -1);
}

static void same_directory(int fd, int dir_fd, const char *path)
{
	struct stat is, wanted;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &is), 0);
	assert_int_equal(fstatat(dir_fd, path, &wanted, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(is.st_ino, wanted.st_ino);
	close(fd);
}

/* ---- the text of a path ---- */

static void test_normalize(void **state)
{
	static const struct {
		const char *path, *out;
		enum path_problem problem;
	} cases[] = {
		{"a", "a", PATH_PROBLEM_NONE},	       {"./a//b/.", "a/b", PATH_PROBLEM_NONE},
		{"a/...", "a/...", PATH_PROBLEM_NONE}, {"..a/b..", "..a/b..", PATH_PROBLEM_NONE},
		{".", "", PATH_PROBLEM_NONE},	       {"././/", "", PATH_PROBLEM_NONE},
		{NULL, NULL, PATH_PROBLEM_EMPTY},      {"", NULL, PATH_PROBLEM_EMPTY},
		{"/a", NULL, PATH_PROBLEM_ABSOLUTE},   {"//", NULL, PATH_PROBLEM_ABSOLUTE},
		{"..", NULL, PATH_PROBLEM_ABOVE},      {"a/../b", NULL, PATH_PROBLEM_ABOVE},
		{"a/..", NULL, PATH_PROBLEM_ABOVE},    {"./..//", NULL, PATH_PROBLEM_ABOVE},
	};
	char out[64];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(path_normalize(cases[i].path, DEPTH_MAX, out, sizeof(out)),
				 cases[i].problem);
		if (cases[i].out)
			assert_string_equal(out, cases[i].out);
	}
	strcpy(out, ".//in/./place/");
	assert_int_equal(path_normalize(out, DEPTH_MAX, out, sizeof(out)), PATH_PROBLEM_NONE);
	assert_string_equal(out, "in/place");
}

static void test_normalize_bounds(void **state)
{
	char name[NAME_MAX + 2], out[NAME_MAX + 2];

	memset(name, 'n', sizeof(name));
	name[NAME_MAX] = '\0';
	assert_int_equal(path_normalize(name, 1, out, NAME_MAX + 1), PATH_PROBLEM_NONE);
	assert_int_equal(path_normalize(name, 1, out, NAME_MAX), PATH_PROBLEM_LONG);
	name[NAME_MAX] = 'n';
	name[NAME_MAX + 1] = '\0';
	assert_int_equal(path_normalize(name, 1, out, sizeof(out)), PATH_PROBLEM_LONG);
	assert_int_equal(path_normalize("a/b/c", 3, out, sizeof(out)), PATH_PROBLEM_NONE);
	assert_int_equal(path_normalize("a/b/./c", 2, out, sizeof(out)), PATH_PROBLEM_DEEP);
	assert_int_equal(path_normalize("ab/cd", 9, out, 6), PATH_PROBLEM_NONE);
	assert_int_equal(path_normalize("ab/cd", 9, out, 5), PATH_PROBLEM_LONG);
}

/* ---- walking ---- */

static void links_lead_nowhere(const struct fixture *fixture, bool walks)
{
	static const struct beneath_make make = {.mode = 0755};
	static const char *const paths[] = {"absolute",	      "absolute/x",   "up",   "up/x",
					    "loop",	      "loop/x",	      "self", "self/x",
					    "a/inside",	      "a/inside/x/y", "gone", "gone/x",
					    "a/../../outside"};
	char target[80];

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const char *name = NULL;
		int wanted = strstr(paths[i], "..") ? -EXDEV : walks ? -ENOTDIR : -ELOOP;

		assert_int_equal(directory_beneath(fixture->top_fd, paths[i]), wanted);
		(void)snprintf(target, sizeof(target), "%s/new", paths[i]);
		assert_int_equal(parent_beneath(fixture->top_fd, target, &make, &name), wanted);
		assert_null(name);
		assert_int_equal(mkdir_beneath(fixture->top_fd, target, &make), wanted);
	}
	outside_untouched(fixture);
}

static void links_make(const struct fixture *fixture)
{
	char target[80];

	(void)snprintf(target, sizeof(target), "%s/outside", fixture->path);
	assert_int_equal(symlinkat(target, fixture->top_fd, "absolute"), 0);
	assert_int_equal(symlinkat("../outside", fixture->top_fd, "up"), 0);
	assert_int_equal(symlinkat("loop2", fixture->top_fd, "loop"), 0);
	assert_int_equal(symlinkat("loop", fixture->top_fd, "loop2"), 0);
	assert_int_equal(symlinkat("/proc/self/root", fixture->top_fd, "self"), 0);
	assert_int_equal(symlinkat("b", fixture->top_fd, "a/inside"), 0);
	assert_int_equal(symlinkat("not-there", fixture->top_fd, "gone"), 0);
}

static void test_links(void **state)
{
	struct fixture *fixture = *state;
	const char *name;

	links_make(fixture);
	links_lead_nowhere(fixture, false);
	assert_int_equal(open_beneath(fixture->top_fd, "up/canary", O_RDONLY, 0), -ELOOP);
	assert_int_equal(open_beneath(fixture->top_fd, "../outside/canary", O_RDONLY, 0), -EXDEV);
	assert_int_equal(open_beneath(fixture->top_fd, "/etc/passwd", O_RDONLY, 0), -EXDEV);
	/* the last component is the caller's to check: parent_beneath() does not look at it */
	same_directory(parent_beneath(fixture->top_fd, "a/inside", NULL, &name), fixture->top_fd,
		       "a");
	assert_string_equal(name, "inside");
	same_directory(parent_beneath(fixture->top_fd, "up", NULL, &name), fixture->fd, "top");
	same_directory(directory_beneath(fixture->top_fd, ""), fixture->fd, "top");
}

static int openat2_refuse(uint32_t action)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = filter ? seccomp_rule_add(filter, action, SCMP_SYS(openat2), 0) : -ENOMEM;

	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}

/* In a process of its own, because a filter cannot be removed. */
static void without_openat2(struct fixture *fixture, int failure)
{
	static const struct beneath_make make = {.mode = 0750};
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct stat st;

		assert_int_equal(openat2_refuse(SCMP_ACT_ERRNO((uint16_t)failure)), 0);
		assert_int_equal(open_beneath(fixture->top_fd, "a", O_PATH, 0), -failure);
		same_directory(directory_beneath(fixture->top_fd, "a/b"), fixture->top_fd, "a/b");
		same_directory(directory_beneath(fixture->top_fd, ""), fixture->fd, "top");
		assert_int_equal(directory_beneath(fixture->top_fd, "a/none"), -ENOENT);
		links_lead_nowhere(fixture, true);
		assert_int_equal(mkdir_beneath(fixture->top_fd, "w/x/y", &make), 0);
		assert_int_equal(fstatat(fixture->top_fd, "w/x/y", &st, 0), 0);
		assert_int_equal(remove_tree(fixture->top_fd, "w"), 0);
		_exit(7);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
}

static void test_without_openat2(void **state)
{
	struct fixture *fixture = *state;

	links_make(fixture);
	without_openat2(fixture, ENOSYS);
	without_openat2(fixture, EPERM);
}

/* ---- making ---- */

static int count_down(void *userdata)
{
	unsigned *left = userdata;

	return *left == 0 ? -EDQUOT : ((*left)--, 0);
}

static void test_limit(void **state)
{
	struct fixture *fixture = *state;
	unsigned left = 3;
	const struct beneath_make make = {.mode = 0755, .count = count_down, .userdata = &left};
	const char *name;
	int fd = parent_beneath(fixture->top_fd, "a/b/c/d/file", &make, &name);

	same_directory(fd, fixture->top_fd, "a/b/c/d");
	assert_int_equal(left, 1);
	fd = parent_beneath(fixture->top_fd, "a/b/c/d/file", &make, &name);
	same_directory(fd, fixture->top_fd, "a/b/c/d");
	assert_int_equal(left, 1);
	assert_int_equal(parent_beneath(fixture->top_fd, "x/y/file", &make, &name), -EDQUOT);
	assert_int_equal(faccessat(fixture->top_fd, "x", F_OK, 0), 0);
	assert_int_equal(faccessat(fixture->top_fd, "x/y", F_OK, 0), -1);
	assert_int_equal(parent_beneath(fixture->top_fd, "none/file", NULL, &name), -ENOENT);
}

static void test_make(void **state)
{
	struct fixture *fixture = *state;
	const struct beneath_make make = {.mode = 0711, .owner = 12345};
	struct stat st;
	mode_t old = umask(022);

	assert_int_equal(mkdir_beneath(fixture->top_fd, "a/b/c", &make), 0);
	assert_int_equal(fstatat(fixture->top_fd, "a/b/c", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	if (geteuid() == 0)
		assert_int_equal(st.st_uid, 12345);
	assert_int_equal(fstatat(fixture->top_fd, "a/b", &st, 0), 0);
	assert_int_equal(st.st_uid, geteuid()); /* an existing directory keeps its owner */
	assert_int_equal(mkdir_beneath(fixture->top_fd, "a/b/c", &make), 0);
	/* a file in place of a directory */
	assert_int_equal(file_replace(fixture->top_fd, "file", "x", 1, 0600), 0);
	assert_int_equal(mkdir_beneath(fixture->top_fd, "file/x", &make), -ENOTDIR);
	(void)umask(old);
}

/* As many one-byte components as fit into PATH_MAX: no recursion, no memory for each. */
static void test_deep(void **state)
{
	static const struct beneath_make make = {.mode = 0755};
	struct fixture *fixture = *state;
	char path[2 * PATH_MAX] = "";
	cleanup_close int fd = -1;
	const char *name = NULL;
	size_t n;

	for (n = 0; n < PATH_MAX - 4; n += 2)
		memcpy(path + n, "d/", 3);
	strcpy(path + n, "x");
	assert_int_equal(mkdir_beneath(fixture->top_fd, path, &make), 0);
	fd = directory_beneath(fixture->top_fd, path);
	assert_true(fd >= 0);
	same_directory(parent_beneath(fixture->top_fd, path, NULL, &name), fd, "..");
	assert_string_equal(name, "x");
	memcpy(path + n, "e/e/e/e", 8);
	assert_int_equal(parent_beneath(fixture->top_fd, path, NULL, &name), -ENAMETOOLONG);
	assert_int_equal(mkdir_beneath(fixture->top_fd, path, &make), -ENAMETOOLONG);
	/* each name of the maximum length, then one byte longer */
	memset(path, 'n', NAME_MAX);
	strcpy(path + NAME_MAX, "/x");
	assert_int_equal(mkdir_beneath(fixture->top_fd, path, &make), 0);
	memset(path, 'm', NAME_MAX + 1);
	strcpy(path + NAME_MAX + 1, "/x");
	assert_int_equal(mkdir_beneath(fixture->top_fd, path, &make), -ENAMETOOLONG);
}

/* ---- races ---- */

struct swapper {
	pthread_t thread;
	int dir_fd;
	const char *directory, *link, *target;
	atomic_bool stop;
	atomic_uint n_swaps;
};

/* Atomically exchanges a directory and a link out of the tree, again and again. */
static void *swap(void *userdata)
{
	struct swapper *swapper = userdata;

	while (!atomic_load(&swapper->stop)) {
		if (renameat2(swapper->dir_fd, swapper->directory, swapper->dir_fd, swapper->link,
			      RENAME_EXCHANGE) == 0)
			atomic_fetch_add(&swapper->n_swaps, 1);
	}
	return NULL;
}

static void swapper_start(struct swapper *swapper)
{
	assert_int_equal(symlinkat(swapper->target, swapper->dir_fd, swapper->link), 0);
	assert_int_equal(pthread_create(&swapper->thread, NULL, swap, swapper), 0);
	while (atomic_load(&swapper->n_swaps) == 0)
		;
}

static void swapper_stop(struct swapper *swapper)
{
	atomic_store(&swapper->stop, true);
	assert_int_equal(pthread_join(swapper->thread, NULL), 0);
}

/* A call uses the directory, or fails because of the link; it never follows the link. */
static void test_race_making(void **state)
{
	static const struct beneath_make make = {.mode = 0755};
	struct fixture *fixture = *state;
	struct swapper swapper = {.dir_fd = fixture->top_fd,
				  .directory = "a",
				  .link = "link",
				  .target = "../outside"};
	unsigned made = 0, refused = 0;

	swapper_start(&swapper);
	for (unsigned i = 0; i < 200000 && (i < 200 || !made || !refused); i++) {
		char path[32];
		int r;

		(void)snprintf(path, sizeof(path), "a/new/%u/x", i);
		r = mkdir_beneath(fixture->top_fd, path, &make);
		if (r == 0)
			made++;
		else
			refused++;
		assert_true(r == 0 || r == -ELOOP || r == -ENOTDIR || r == -ENOENT);
		r = open_beneath(fixture->top_fd, "a/canary", O_RDONLY, 0);
		assert_true(r == -ELOOP || r == -ENOENT);
	}
	swapper_stop(&swapper);
	assert_true(made > 0 && refused > 0);
	outside_untouched(fixture);
}

/* Names are exchanged between the listing of a directory and the removal of its entries. */
static void test_race_removing(void **state)
{
	static const struct beneath_make make = {.mode = 0755};
	struct fixture *fixture = *state;
	struct swapper swapper = {.dir_fd = fixture->top_fd,
				  .directory = "t/a",
				  .link = "t/link",
				  .target = "../../outside"};
	unsigned removed = 0;

	assert_int_equal(mkdir_beneath(fixture->top_fd, "t/a", &make), 0);
	swapper_start(&swapper);
	for (unsigned i = 0; i < 300; i++) {
		int r = mkdir_beneath(fixture->top_fd, "t/a/d/e", &make);

		assert_true(r == 0 || r == -ELOOP || r == -ENOTDIR || r == -ENOENT);
		r = symlinkat(swapper.target, fixture->top_fd, "t/link");
		assert_true(r == 0 || errno == EEXIST);
		removed += remove_tree(fixture->top_fd, "t") == 0;
	}
	swapper_stop(&swapper);
	assert_true(removed > 0);
	outside_untouched(fixture);
	assert_int_equal(remove_tree(fixture->top_fd, "t"), 0);
	outside_untouched(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_normalize),
		cmocka_unit_test(test_normalize_bounds),
		cmocka_unit_test_setup_teardown(test_links, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_openat2, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_make, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deep, setup, teardown),
		cmocka_unit_test_setup_teardown(test_race_making, setup, teardown),
		cmocka_unit_test_setup_teardown(test_race_removing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
