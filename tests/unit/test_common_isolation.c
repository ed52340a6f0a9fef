/* SPDX-License-Identifier: Apache-2.0 */
/* isolation, memory_guard: in child processes, because they cannot be undone */
#include "tests/unit/cmocka_headers.h"

#include "common/isolation.h"
#include "common/memory_guard.h"
#include "common/remove_tree.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char scratch[] = "/tmp/rbt-unit.XXXXXX";
static const struct isolation_network no_network = {.binds_free_port = false};

static int scratch_make(void **state)
{
	return mkdtemp(scratch) ? 0 : -1;
}

static int scratch_remove(void **state)
{
	return remove_tree(AT_FDCWD, scratch);
}

/* Runs @function in a process of its own. Return: its result: 0, or the line of a failure. */
static int apart(int (*function)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(function());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* In such a function: on failure the process exits with the line, of which 8 bits are left. */
#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return (__LINE__ % 255) + 1;                                               \
	} while (0)

static long landlock_abi(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

static int isolated_child(void)
{
	const struct isolation_path paths[] = {{scratch, true}};
	struct error error = ERROR_INIT;
	char inside[100];
	int fd;

	(void)snprintf(inside, sizeof(inside), "%s/inside", scratch);
	if (isolate_fds(2, &error) < 0 || chmod(scratch, 0777) < 0)
		return 1;
	if (isolate_user(role_user(ROLE_CACHER), &error) < 0)
		return 2;
	if (isolate_reach(paths, 1, &no_network, &error) < 0)
		return 3;
	if (isolate_syscalls((const char *const[]){"openat", "mkdir", "socket", NULL}, &error) < 0)
		return 4;
	if (geteuid() == 0 || setuid(0) == 0)
		return 5;
	if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0)
		return 6;
	fd = open(inside, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return 7;
	if (unlink(inside) == 0) /* an unlisted system call */
		return 8;
	if (prctl(PR_GET_DUMPABLE) != -1)
		return 9; /* prctl is unlisted, too */
	if (fork() >= 0)
		return 10;
	if (write(fd, "x", 1) != 1)
		return 11;
	return 0;
}

static void test_isolation(void **state)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(isolated_child());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_isolation_kills(void **state)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (isolate_syscalls(NULL, NULL) < 0)
			_exit(1);
		(void)unshare(CLONE_NEWUSER);
		_exit(2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

/* ---- memory ---- */

static void *map(int protection)
{
	return mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static int memory_is_guarded(void)
{
	void *data = map(PROT_READ | PROT_WRITE);

	REQUIRE(data != MAP_FAILED);
	REQUIRE(map(PROT_READ | PROT_WRITE | PROT_EXEC) == MAP_FAILED && errno == EACCES);
	REQUIRE(mprotect(data, 4096, PROT_READ) == 0);
	REQUIRE(mprotect(data, 4096, PROT_READ | PROT_EXEC) < 0 && errno == EACCES);
	REQUIRE(mprotect(data, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) < 0);
	return 0;
}

static int guarded_by_kernel(void)
{
	REQUIRE(memory_guard() == 0);
	REQUIRE(memory_is_guarded() == 0);
	return apart(memory_is_guarded); /* also in a child process */
}

static int guarded_by_filter(void)
{
	void *data = map(PROT_READ | PROT_WRITE);

	REQUIRE(memory_guard_filter() == 0);
	REQUIRE(memory_is_guarded() == 0);
	REQUIRE(syscall(SYS_pkey_mprotect, data, 4096UL, PROT_READ | PROT_EXEC, -1) < 0 &&
		errno == EACCES);
	/* there is no such segment, but the filter fails the call before that matters */
	REQUIRE(syscall(SYS_shmat, -1, NULL, 0100000 /* SHM_EXEC */) < 0 && errno == EACCES);
	REQUIRE(syscall(SYS_shmat, -1, NULL, 0) < 0 && errno == EINVAL);
	return apart(memory_is_guarded);
}

static int unguarded(void)
{
	REQUIRE(map(PROT_READ | PROT_WRITE | PROT_EXEC) != MAP_FAILED);
	return 0;
}

static int guarded_alone(void)
{
	if (!memory_guard_self()) /* before Linux 6.6 */
		return unguarded();
	REQUIRE(memory_is_guarded() == 0);
	return apart(unguarded);
}

static void test_memory_guard(void **state)
{
	assert_int_equal(apart(guarded_by_kernel), 0);
	assert_int_equal(apart(guarded_by_filter), 0);
	assert_int_equal(apart(guarded_alone), 0);
}

/* Maps a file that can be written: a write to it would change the mapped code. */
static void *map_file(int protection)
{
	int fd = memfd_create("code", MFD_CLOEXEC);

	return ftruncate(fd, 4096) < 0 ? MAP_FAILED
				       : mmap(NULL, 4096, protection, MAP_SHARED, fd, 0);
}

static int maps_no_code(void)
{
	REQUIRE(isolate_syscalls((const char *const[]){"ftruncate", NULL}, NULL) == 0);
	REQUIRE(map_file(PROT_READ) != MAP_FAILED);
	REQUIRE(map_file(PROT_READ | PROT_EXEC) == MAP_FAILED && errno == EPERM);
	return 0;
}

static int maps_code(void)
{
	REQUIRE(isolate_syscalls((const char *const[]){"ftruncate", "mmap", NULL}, NULL) == 0);
	REQUIRE(map_file(PROT_READ | PROT_EXEC) != MAP_FAILED);
	return 0;
}

static void test_code(void **state)
{
	assert_int_equal(apart(maps_no_code), 0);
	assert_int_equal(apart(maps_code), 0);
}

/* ---- sockets ---- */

static int some_sockets(void)
{
	static const struct {
		int family, type, protocol;
		int error;
	} cases[] = {
		{AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0, 0},
		{AF_INET, SOCK_STREAM, IPPROTO_TCP, 0},
		{AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_UDP, 0},
		{AF_UNIX, SOCK_DGRAM, 0, 0},
		{AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0, 0},
		{AF_INET, SOCK_RAW, IPPROTO_ICMP, EPERM},
		{AF_INET, SOCK_DGRAM, IPPROTO_ICMP, EPERM},
		{AF_INET, SOCK_STREAM, IPPROTO_SCTP, EPERM},
		{AF_INET, SOCK_DCCP, 0, EPERM},
		{AF_NETLINK, SOCK_RAW, 9 /* audit */, EPERM},
		{AF_PACKET, SOCK_DGRAM, 0, EPERM},
		{AF_VSOCK, SOCK_STREAM, 0, EPERM},
		{38 /* AF_ALG */, SOCK_SEQPACKET, 0, EPERM},
	};
	int pair[2];

	REQUIRE(isolate_syscalls((const char *const[]){"socket", "socketpair", NULL}, NULL) == 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = socket(cases[i].family, cases[i].type, cases[i].protocol);

		if ((fd < 0 ? errno : 0) != cases[i].error)
			return 100 + (int)i;
	}
	/* the kernel uses only the low half */
	REQUIRE(syscall(SYS_socket, 0x100000000UL | AF_VSOCK, SOCK_STREAM, 0) < 0 &&
		errno == EPERM);
	REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
	REQUIRE(socketpair(AF_TIPC, SOCK_STREAM, 0, pair) < 0 && errno == EPERM);
	return 0;
}

static void test_sockets(void **state)
{
	assert_int_equal(apart(some_sockets), 0);
}

/* ---- ports, signals, abstract sockets ---- */

static int connect_error(unsigned port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int error;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	error = connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
	(void)close(fd);
	return error;
}

static int bind_error(unsigned port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int error;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	error = bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
	(void)close(fd);
	return error;
}

/* Ports below 8 have no service, so an allowed connection gets ECONNREFUSED. */
static int no_ports(void)
{
	REQUIRE(isolate_reach(NULL, 0, &no_network, NULL) == 0);
	REQUIRE(connect_error(2) == EACCES);
	REQUIRE(bind_error(0) == EACCES);
	return 0;
}

static int some_ports(void)
{
	const struct isolation_network network = {.connects = {2, 3}};

	REQUIRE(isolate_reach(NULL, 0, &network, NULL) == 0);
	REQUIRE(connect_error(2) == ECONNREFUSED);
	REQUIRE(connect_error(3) == ECONNREFUSED);
	REQUIRE(connect_error(4) == EACCES);
	REQUIRE(bind_error(0) == EACCES);
	return 0;
}

static int any_port(void)
{
	const struct isolation_network network = {.connects_anywhere = true,
						  .binds_free_port = true};

	REQUIRE(isolate_reach(NULL, 0, &network, NULL) == 0);
	REQUIRE(connect_error(4) == ECONNREFUSED);
	REQUIRE(bind_error(0) == 0);
	REQUIRE(bind_error(4) == EACCES);
	return 0;
}

static void test_ports(void **state)
{
	if (landlock_abi() < 4)
		skip();
	assert_int_equal(apart(no_ports), 0);
	assert_int_equal(apart(some_ports), 0);
	assert_int_equal(apart(any_port), 0);
}

static struct sockaddr_un abstract_address;
static socklen_t abstract_size;

static pid_t companion;

static pid_t companion_start(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)pause();
		_exit(0);
	}
	return pid;
}

static int others(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	REQUIRE(isolate_reach(NULL, 0, &no_network, NULL) == 0);
	REQUIRE(connect(fd, (struct sockaddr *)&abstract_address, abstract_size) < 0 &&
		errno == EPERM);
	REQUIRE(kill(getppid(), 0) < 0 && errno == EPERM);
	REQUIRE(kill(companion, SIGKILL) < 0 && errno == EPERM);
	REQUIRE(kill(companion_start(), SIGKILL) == 0);
	return 0;
}

static void test_others(void **state)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r;

	if (landlock_abi() < 6)
		skip();
	abstract_address.sun_family = AF_UNIX;
	(void)snprintf(abstract_address.sun_path + 1, 40, "rbt-unit-%d", (int)getpid());
	abstract_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
				    strlen(abstract_address.sun_path + 1));
	assert_int_equal(bind(fd, (struct sockaddr *)&abstract_address, abstract_size), 0);
	assert_int_equal(listen(fd, 1), 0);
	companion = companion_start();
	r = apart(others);
	(void)kill(companion, SIGKILL);
	assert_int_equal(waitpid(companion, NULL, 0), companion);
	assert_int_equal(r, 0);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_isolation),    cmocka_unit_test(test_isolation_kills),
		cmocka_unit_test(test_memory_guard), cmocka_unit_test(test_code),
		cmocka_unit_test(test_sockets),	     cmocka_unit_test(test_ports),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
