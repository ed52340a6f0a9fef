/* SPDX-License-Identifier: Apache-2.0 */
/* loop, fdio, step payload, paths */
#include "tests/unit/cmocka_headers.h"

#include "common/beneath.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/loop.h"
#include "common/paths.h"
#include "common/remove_tree.h"
#include "common/step_payload.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char scratch[] = "/tmp/rbt-unit.XXXXXX";

static int scratch_make(void **state)
{
	return mkdtemp(scratch) ? 0 : -1;
}

static int scratch_remove(void **state)
{
	return remove_tree(AT_FDCWD, scratch);
}

/* ---- loop ---- */

static struct loop_file files[2];
static int pipes[2][2];
static unsigned n_reads;

static struct loop *exit_loop;
static void reader_removes_and_exits(struct loop_file *file, uint32_t events)
{
	n_reads++;
	loop_remove(&files[0]);
	loop_remove(&files[1]);
	loop_exit(exit_loop, 7);
}

static void test_loop_drops_stale_events(void **state)
{
	assert_int_equal(loop_new(&exit_loop), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pipe2(pipes[i], O_CLOEXEC), 0);
		assert_int_equal(write(pipes[i][1], "x", 1), 1);
		assert_int_equal(loop_add(exit_loop, &files[i], pipes[i][0], EPOLLIN,
					  reader_removes_and_exits),
				 0);
	}
	assert_int_equal(loop_run(exit_loop), 7);
	assert_int_equal(n_reads, 1);
	for (int i = 0; i < 4; i++)
		close(pipes[i / 2][i % 2]);
	loop_free(exit_loop);
}

#define MANY_FILES 100

static struct loop_file many[MANY_FILES];
static unsigned n_called[MANY_FILES];

static void count_and_remove(struct loop_file *file, uint32_t events)
{
	n_called[file - many]++;
	loop_remove(file);
}

static void many_add(size_t i)
{
	assert_int_equal(loop_add(exit_loop, &many[i], many[i].fd, EPOLLIN, count_and_remove), 0);
}

static bool exit_when_idle(void *userdata)
{
	loop_exit(exit_loop, 0);
	return false;
}

/* Slots in the loop are reused: each file still gets only its own events. */
static void test_loop_reuses_places(void **state)
{
	assert_int_equal(loop_new(&exit_loop), 0);
	for (size_t i = 0; i < MANY_FILES; i++) {
		many[i] = LOOP_FILE_NULL;
		many[i].fd = eventfd(1, EFD_CLOEXEC);
		assert_true(many[i].fd >= 0);
		many_add(i);
	}
	for (size_t i = 0; i < MANY_FILES; i += 3)
		loop_remove(&many[i]);
	for (size_t i = 0; i < MANY_FILES; i += 2)
		loop_remove(&many[i]); /* no-op for those that are removed already */
	for (size_t i = 0; i < MANY_FILES; i += 6)
		many_add(i);
	loop_idle_set(exit_loop, exit_when_idle, NULL);
	assert_int_equal(loop_run(exit_loop), 0);
	for (size_t i = 0; i < MANY_FILES; i++) {
		assert_int_equal(n_called[i], i % 6 == 0 || (i % 3 != 0 && i % 2 != 0) ? 1 : 0);
		close(many[i].fd);
	}
	loop_free(exit_loop);
}

static unsigned fired[64];
static unsigned n_fired;
static unsigned idle_calls;
static struct loop_timer idle_timer = LOOP_TIMER_NULL;

/* An event after which the idle callback is called again. */
static void idle_event(struct loop_timer *timer)
{
	assert_int_equal(idle_calls, 3);
}

static bool idle_thrice(void *userdata)
{
	assert_ptr_equal(userdata, &idle_calls);
	idle_calls++;
	if (idle_calls == 3)
		assert_int_equal(
			loop_timer_set(exit_loop, &idle_timer, now_usec() + 1000, idle_event), 0);
	if (idle_calls == 6)
		loop_exit(exit_loop, 0);
	return idle_calls % 3 != 0;
}

static void test_loop_idle(void **state)
{
	assert_int_equal(loop_new(&exit_loop), 0);
	loop_idle_set(exit_loop, idle_thrice, &idle_calls);
	assert_int_equal(loop_run(exit_loop), 0);
	assert_int_equal(idle_calls, 6);
	assert_null(idle_timer.loop);
	loop_free(exit_loop);
}

static struct loop_timer timers[64];

static void timer_fired(struct loop_timer *timer)
{
	fired[n_fired++] = (unsigned)(timer - timers);
	if (n_fired == 32)
		loop_exit(exit_loop, 0);
}

static void test_loop_timers_in_order(void **state)
{
	uint64_t now = now_usec();

	assert_int_equal(loop_new(&exit_loop), 0);
	/* 64 timers in a scrambled order, every second one cancelled */
	for (unsigned i = 0; i < 64; i++) {
		unsigned k = i * 37 % 64;

		timers[k] = LOOP_TIMER_NULL;
		assert_int_equal(loop_timer_set(exit_loop, &timers[k], now + k * 100, timer_fired),
				 0);
	}
	for (unsigned k = 0; k < 64; k += 2)
		loop_timer_cancel(&timers[k]);
	assert_int_equal(loop_run(exit_loop), 0);
	for (unsigned i = 0; i < 32; i++)
		assert_int_equal(fired[i], 2 * i + 1);
	loop_free(exit_loop);
}

/* ---- fdio ---- */

static void test_read_limit(void **state)
{
	cleanup_free char *data = NULL;
	size_t size;
	int fd = memfd_sealed("t", "0123456789", 10);

	assert_true(fd >= 0);
	assert_int_equal(fd_read_file(fd, 9, &data, &size), -EFBIG);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(fd_read_file(fd, 10, &data, &size), 0);
	assert_int_equal(size, 10);
	assert_string_equal(data, "0123456789");
	assert_int_equal(write(fd, "x", 1), -1); /* sealed */
	assert_int_equal(ftruncate(fd, 0), -1);
	close(fd);
}

static void test_replace_and_beneath(void **state)
{
	cleanup_close int dir = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int fd;

	assert_int_equal(make_directories(dir, "a/b/c", 0755), 0);
	assert_int_equal(make_directories(dir, "a/b/c", 0755), 0);
	assert_int_equal(file_replace(dir, "a/b/c/f", "one", 3, 0640), 0);
	assert_int_equal(file_replace(dir, "a/b/c/f", "second", 6, 0640), 0);
	assert_int_equal(fstatat(dir, "a/b/c/f", &st, 0), 0);
	assert_int_equal(st.st_size, 6);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(symlinkat("/etc", dir, "link"), 0);
	assert_int_equal(open_beneath(dir, "link/passwd", O_RDONLY, 0), -ELOOP);
	assert_int_equal(open_beneath(dir, "../../etc/passwd", O_RDONLY, 0), -EXDEV);
	assert_int_equal(open_beneath(dir, "/etc/passwd", O_RDONLY, 0), -EXDEV);
	fd = open_beneath(dir, "a/b/c/f", O_RDONLY, 0);
	assert_true(fd >= 0);
	close(fd);
}

static void test_remove_tree(void **state)
{
	cleanup_close int dir = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int at = fcntl(dir, F_DUPFD_CLOEXEC, 3);

	/* deeper than PATH_MAX allows by name */
	for (int i = 0; i < 600; i++) {
		int next;

		assert_int_equal(mkdirat(at, "a-directory-name", 0755), 0);
		assert_int_equal(symlinkat("/", at, "root"), 0);
		next = openat(at, "a-directory-name", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(at);
		at = next;
	}
	close(at);
	assert_int_equal(remove_tree(dir, "a-directory-name"), 0);
	assert_int_equal(faccessat(dir, "a-directory-name", F_OK, 0), -1);
	assert_int_equal(remove_tree(dir, "root"), 0);
	assert_int_equal(remove_tree(dir, "absent"), 0);
	assert_int_equal(access("/etc/passwd", F_OK), 0);
}

/* ---- step payload ---- */

static int payload_parse(char *data, size_t size)
{
	char *pointers[16];
	char **argv, **envp;

	return step_payload_parse(data, size, pointers, 16, &argv, &envp);
}

static void test_payload(void **state)
{
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)"echo \"$A\"", NULL};
	char *envp[] = {(char *)"A=1", (char *)"B=", NULL};
	char *none[] = {NULL};
	cleanup_free char *data = NULL;
	char *pointers[16];
	char **got_argv, **got_envp;
	size_t size;
	int fd = step_payload_new(argv, envp);

	assert_true(fd >= 0);
	assert_int_equal(fd_read_file(fd, 1000, &data, &size), 0);
	close(fd);
	assert_int_equal(step_payload_parse(data, size, pointers, 6, &got_argv, &got_envp), -E2BIG);
	assert_int_equal(step_payload_parse(data, size, pointers, 16, &got_argv, &got_envp), 0);
	assert_string_equal(got_argv[2], "echo \"$A\"");
	assert_null(got_argv[3]);
	assert_string_equal(got_envp[1], "B=");
	assert_null(got_envp[2]);
	for (size_t cut = 0; cut < size; cut++)
		assert_int_equal(payload_parse(data, cut), -EBADMSG);
	assert_int_equal(step_payload_new(none, envp), -EINVAL);
	fd = step_payload_new(argv, none);
	assert_true(fd >= 0);
	free(TAKE_PTR(data));
	assert_int_equal(fd_read_file(fd, 1000, &data, &size), 0);
	close(fd);
	assert_int_equal(step_payload_parse(data, size, pointers, 16, &got_argv, &got_envp), 0);
	assert_null(got_argv[3]);
	assert_null(got_envp[0]);
}

static void test_paths(void **state)
{
	struct paths paths;

	assert_int_equal(paths_init(&paths, "/srv/x//", NULL), 0);
	assert_string_equal(paths.etc, "/srv/x/etc/runbookd");
	assert_string_equal(paths.run, "/srv/x/run/runbookd");
	assert_int_equal(paths_init(&paths, "/", NULL), 0);
	assert_string_equal(paths.lib, "/var/lib/runbookd");
	assert_string_equal(paths.etc, "/etc/runbookd");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loop_drops_stale_events),
		cmocka_unit_test(test_loop_reuses_places),
		cmocka_unit_test(test_loop_idle),
		cmocka_unit_test(test_loop_timers_in_order),
		cmocka_unit_test(test_read_limit),
		cmocka_unit_test(test_replace_and_beneath),
		cmocka_unit_test(test_remove_tree),
		cmocka_unit_test(test_payload),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
