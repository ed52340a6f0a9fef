/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures steps of a running runbookd. This program replaces the scheduler, so that the time
 * begins with the message to the daemon and contains no queue or database.
 *
 *   order DIR          DIR/bin: runbookd and its programs, this one in place of
 *                      runbook-scheduler; DIR/root: configuration with the project
 *                      "bench", a Workspace=; DIR/network: "none" or "egress"
 *   runbook-scheduler  the process that the daemon starts: it serves the socket
 *                      DIR/order.sock as bench_main() -s serves its standard input
 *
 * If DIR/hold contains a number, it starts that many steps, which stay, replies "held", and does
 * nothing else: memory.sh uses this.
 *
 * "first" comes from the step's own log, into which the probe wrote it; the time begins before
 * the message is sent.
 */
#include "bench/loop.h"
#include "common/message_table.h"
#include "common/messages/channels.h"
#include "common/messages/steps.h"
#include "common/step_payload.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHANNEL_FD 3
#define PATH_BYTES 4096

struct slot {
	_Atomic uint64_t order; /* 0: none */
	int done_fd, stdout_fd;
	bool good;
};

struct orders {
	char directory[PATH_BYTES];
	enum step_network network;
	int payload_fd;
	_Atomic uint64_t last_order;
	_Atomic unsigned n_started;
	_Atomic bool ready;
	pthread_mutex_t send_lock;
	struct slot slots[BENCH_PARALLEL_MAX];
};

static int complain(const char *what)
{
	perror(what);
	return -1;
}

/* ---- messages ---- */

static int transmit(struct orders *orders, struct message *message)
{
	int r;

	if (!message)
		return -1;
	(void)pthread_mutex_lock(&orders->send_lock);
	while ((r = message_write(CHANNEL_FD, message)) == -EAGAIN) {
		struct pollfd file = {.fd = CHANNEL_FD, .events = POLLOUT};

		(void)poll(&file, 1, -1);
	}
	(void)pthread_mutex_unlock(&orders->send_lock);
	(void)message_free(message);
	return r;
}

static int order_send(struct orders *orders, uint64_t order)
{
	char slug[32];

	(void)snprintf(slug, sizeof(slug), "s%llu", (unsigned long long)order);
	/* without a commit, since the project is a workspace */
	return transmit(orders, MESSAGE_NEW(step_start, order, .order = order, .project = "bench",
					    .run = 1, .slug = slug, .attempt = 1, .name = slug,
					    .image = "host", .network = orders->network,
					    .grace_msec = 1000, .payload = orders->payload_fd));
}

static void step_ended(struct orders *orders, struct message *message)
{
	struct message_step_exited exited;
	uint64_t one = 1;
	bool good;

	if (MESSAGE_GET(message, step_exited, &exited) < 0) {
		(void)fprintf(stderr, "order: %s\n", message->problem);
		exit(1);
	}
	good = exited.result == STEP_RESULT_EXITED && exited.exit_code == 0;
	if (!good)
		(void)fprintf(stderr,
			      "order: step ended with result %d, code %llu, signal %llu: %s\n",
			      (int)exited.result, (unsigned long long)exited.exit_code,
			      (unsigned long long)exited.signal, exited.reason);
	(void)transmit(orders, MESSAGE_NEW(step_ack, 0, .order = exited.order));
	for (unsigned i = 0; i < BENCH_PARALLEL_MAX; i++) {
		struct slot *slot = &orders->slots[i];

		if (atomic_load(&slot->order) != exited.order)
			continue;
		slot->good = good;
		(void)!write(slot->done_fd, &one, sizeof(one));
		return;
	}
}

/* Keep channels to other programs open without replying; those programs may wait. */
static void channel_keep(struct message *message)
{
	struct message_channel peer;

	if (MESSAGE_GET(message, channel, &peer) == 0)
		(void)message_take_fd(message, peer.socket);
}

static void *receive_main(void *argument)
{
	struct orders *orders = argument;
	struct message *message;

	while (message_receive(CHANNEL_FD, &message) > 0) {
		switch (message->type) {
		case MESSAGE_CHANNEL:
			channel_keep(message);
			break;
		case MESSAGE_STEP_SYNCED:
			atomic_store(&orders->ready, true);
			break;
		case MESSAGE_STEP_STARTED:
			(void)atomic_fetch_add(&orders->n_started, 1);
			break;
		case MESSAGE_STEP_EXITED:
			step_ended(orders, message);
			break;
		default:
			break;
		}
		(void)message_free(message);
	}
	exit(0); /* the daemon is gone */
}

/* ---- the contestant ---- */

static int order_start(void *context, unsigned index, int stdout_fd, int *ret_end_fd)
{
	struct orders *orders = context;
	struct slot *slot = &orders->slots[index];
	uint64_t order = atomic_fetch_add(&orders->last_order, 1) + 1;

	slot->stdout_fd = stdout_fd;
	slot->good = false;
	atomic_store(&slot->order, order);
	*ret_end_fd = slot->done_fd;
	return order_send(orders, order) < 0 ? complain("cannot send an order") : 0;
}

/* Copy the probe's line from the log to the pipe that the loop reads. */
static int order_finish(void *context, unsigned index)
{
	struct orders *orders = context;
	struct slot *slot = &orders->slots[index];
	uint64_t order = atomic_exchange(&slot->order, 0), count;
	char path[PATH_BYTES + 128], line[64];
	ssize_t size = -1;
	int fd;

	(void)!read(slot->done_fd, &count, sizeof(count));
	(void)snprintf(path, sizeof(path), "%s/root/var/log/runbookd/bench/1/s%llu.1.log",
		       orders->directory, (unsigned long long)order);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		size = read(fd, line, sizeof(line));
		(void)close(fd);
	}
	/* the log is not removed: after inodes were freed, ext4 searches longer for new ones */
	if (size <= 0 || write(slot->stdout_fd, line, (size_t)size) != size)
		return -1;
	return slot->good ? 0 : -1;
}

static int order_option(void *context, int letter, const char *argument)
{
	return -1;
}

static int file_read(const char *directory, const char *name, char *text, size_t size)
{
	char path[PATH_BYTES + 16];
	ssize_t got;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? -1 : read(fd, text, size - 1);
	if (fd >= 0)
		(void)close(fd);
	text[got < 0 ? 0 : got] = '\0';
	return got < 0 ? -1 : 0;
}

/* The directory above bin/, which contains this program. */
static int directory_find(char *path)
{
	ssize_t length = readlink("/proc/self/exe", path, PATH_BYTES - 1);

	if (length < 0)
		return -1;
	path[length] = '\0';
	for (int i = 0; i < 2; i++) {
		char *slash = strrchr(path, '/');

		if (!slash)
			return -1;
		*slash = '\0';
	}
	return 0;
}

static int driver_connect(const struct orders *orders)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%.90s/order.sock",
		       orders->directory);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return complain(address.sun_path);
	return dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0 ? complain("dup2") : 0;
}

static int hold(struct orders *orders, unsigned count)
{
	char byte;

	for (unsigned i = 0; i < count; i++) {
		if (order_send(orders, i + 1) < 0)
			return 1;
	}
	while (atomic_load(&orders->n_started) < count)
		(void)usleep(1000);
	(void)printf("held %u\n", count);
	(void)fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}

static int order_prepare(void *context)
{
	struct orders *orders = context;
	char text[32], command[] = "/workspace/probe", stay[] = "stay";
	char *argv[] = {command, NULL, NULL}, *envp[] = {NULL};
	bool holding = file_read(orders->directory, "hold", text, sizeof(text)) == 0;
	unsigned count = (unsigned)strtoul(text, NULL, 10);
	pthread_t thread;

	if (holding)
		argv[1] = stay;
	if (file_read(orders->directory, "network", text, sizeof(text)) < 0)
		return complain("network");
	orders->network = strncmp(text, "egress", 6) == 0 ? STEP_NETWORK_EGRESS : STEP_NETWORK_NONE;
	orders->payload_fd = step_payload_new(argv, envp);
	for (unsigned i = 0; i < BENCH_PARALLEL_MAX; i++)
		orders->slots[i].done_fd = eventfd(0, EFD_CLOEXEC);
	if (orders->payload_fd < 0 ||
	    transmit(orders, MESSAGE_NEW(hello, 0, .version = MESSAGE_VERSION,
					 .role = ROLE_SCHEDULER)) < 0 ||
	    pthread_create(&thread, NULL, receive_main, orders) != 0)
		return complain("cannot begin");
	while (!atomic_load(&orders->ready))
		(void)usleep(1000);
	if (driver_connect(orders) < 0)
		return -1;
	if (holding)
		exit(hold(orders, count));
	return 0;
}

static int scheduler_main(void)
{
	static const struct bench_ops ops = {.start = order_start, .finish = order_finish};
	static struct orders orders = {.send_lock = PTHREAD_MUTEX_INITIALIZER};
	char name[] = "order", serve[] = "-s";
	char *argv[] = {name, serve, NULL};

	if (directory_find(orders.directory) < 0)
		return 1;
	return bench_main(2, argv, "order", "", order_option, order_prepare, &ops, &orders);
}

/* ---- "order DIR": starts the daemon and forwards requests ---- */

static int listen_at(const char *directory)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%.90s/order.sock", directory);
	(void)unlink(address.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 4) < 0)
		return complain(address.sun_path);
	return fd;
}

static pid_t daemon_start(const char *directory)
{
	char program[PATH_BYTES], root[PATH_BYTES], log[PATH_BYTES];
	pid_t pid;

	(void)snprintf(program, sizeof(program), "%s/bin/runbookd", directory);
	(void)snprintf(root, sizeof(root), "%s/root", directory);
	(void)snprintf(log, sizeof(log), "%s/daemon.log", directory);
	pid = fork();
	if (pid == 0) {
		int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

		(void)dup2(fd, STDOUT_FILENO);
		(void)dup2(fd, STDERR_FILENO);
		(void)execl(program, "runbookd", "--root", root, (char *)NULL);
		_exit(127);
	}
	return pid;
}

static int pass_on(int socket_fd)
{
	struct pollfd files[] = {{.fd = STDIN_FILENO, .events = POLLIN},
				 {.fd = socket_fd, .events = POLLIN}};
	char data[65536];

	for (;;) {
		if (poll(files, 2, -1) < 0)
			return 1;
		for (int i = 0; i < 2; i++) {
			ssize_t size;

			if (!files[i].revents)
				continue;
			size = read(files[i].fd, data, sizeof(data));
			if (size <= 0 && i == 1)
				return files[0].fd >= 0; /* a failure while requests may come */
			if (size <= 0) { /* the last request was read; its reply may still come */
				(void)shutdown(socket_fd, SHUT_WR);
				files[0].fd = -1;
				continue;
			}
			if (write(i == 0 ? socket_fd : STDOUT_FILENO, data, (size_t)size) != size)
				return 1;
		}
	}
}

/* Print the last line of the daemon's log. */
static void complaint_show(const char *directory)
{
	char path[PATH_BYTES], line[1024], last[1024] = "";
	FILE *log;

	(void)snprintf(path, sizeof(path), "%s/daemon.log", directory);
	log = fopen(path, "re");
	while (log && fgets(line, sizeof(line), log)) {
		if (strstr(line, "error:"))
			memcpy(last, line, sizeof(last));
	}
	if (log)
		(void)fclose(log);
	(void)fprintf(stderr, "order: the daemon did not go on: %s", *last ? last : "no reason\n");
}

static int driver_main(const char *directory)
{
	int listen_fd = listen_at(directory), socket_fd, code = 1;
	struct pollfd file = {.fd = listen_fd, .events = POLLIN};
	pid_t pid;

	if (listen_fd < 0)
		return 1;
	pid = daemon_start(directory);
	if (pid > 0 && poll(&file, 1, 20000) == 1) {
		socket_fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
		code = socket_fd < 0 ? 1 : pass_on(socket_fd);
	}
	if (code != 0)
		complaint_show(directory);
	if (pid > 0) {
		(void)kill(pid, SIGTERM);
		(void)waitpid(pid, NULL, 0);
	}
	return code;
}

int main(int argc, char **argv)
{
	(void)signal(SIGPIPE, SIG_IGN);
	if (strcmp(program_invocation_short_name, "runbook-scheduler") == 0)
		return scheduler_main();
	if (argc != 2) {
		(void)fprintf(stderr, "usage: order DIR\n");
		return 2;
	}
	return driver_main(argv[1]);
}
