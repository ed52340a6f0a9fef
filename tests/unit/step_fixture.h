/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_STEP_FIXTURE_H
#define TESTS_STEP_FIXTURE_H

/*
 * DOC: A daemon with steps
 *
 * Its scheduler and its cacher are descriptors of the test, and its sandbox library builds
 * nothing. For test_daemon_step.c and test_daemon_step_start.c.
 */

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/message_table.h"
#include "common/messages/artifacts.h"
#include "common/messages/channels.h"
#include "common/messages/steps.h"
#include "common/remove_tree.h"
#include "common/step_mask.h"
#include "common/step_payload.h"
#include "daemon/daemon.h"
#include "daemon/layers.h"
#include "daemon/requests.h"
#include "daemon/state_dirs.h"

#include "tests/unit/cmocka_headers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define FAKES_MAX 64

/* ---- a sandbox library that builds nothing ---- */

struct fake_sandbox {
	char id[CONTAINER_ID_MAX];
	char workspace[PATH_MAX];
	size_t n_binds;
	int stdout_fd, stderr_fd, status_fd;
	int signals[4];
	size_t n_signals;
	bool killed, finished;
	struct sandbox_outcome outcome;
};

static struct {
	struct fake_sandbox sandboxes[FAKES_MAX];
	size_t n_sandboxes;
	bool refuse;
	/* sandboxes that "another thread" builds: fake_build() ends the oldest */
	struct sandbox_launch {
		struct sandbox_host *host;
		const struct sandbox_request *request;
		void *userdata;
	} launches[FAKES_MAX];
	size_t n_launches, n_built, n_taken;
	int launch_fd;
} fake = {.launch_fd = -1};

static inline int fake_start(struct sandbox_host *host, const struct sandbox_request *request,
			     struct sandbox *ret_sandbox, struct error *error)
{
	struct fake_sandbox *sandbox = &fake.sandboxes[fake.n_sandboxes];
	int status[2];

	if (fake.refuse)
		return error_set(error, EPERM, "the fake refuses");
	fake.n_sandboxes++;
	assert_int_equal(pipe2(status, O_CLOEXEC), 0);
	memset(sandbox, 0, sizeof(*sandbox));
	(void)snprintf(sandbox->id, sizeof(sandbox->id), "%s", request->id);
	(void)snprintf(sandbox->workspace, sizeof(sandbox->workspace), "%s", request->workspace);
	sandbox->n_binds = request->n_binds;
	sandbox->stdout_fd = fcntl(request->stdout_fd, F_DUPFD_CLOEXEC, 3);
	sandbox->stderr_fd = fcntl(request->stderr_fd, F_DUPFD_CLOEXEC, 3);
	sandbox->status_fd = status[1];
	*ret_sandbox = (struct sandbox){
		.pid = (pid_t)fake.n_sandboxes,
		.pidfd = -1,
		.status_fd = status[0],
		.private = (struct sandbox_private *)sandbox,
	};
	return 0;
}

static inline int fake_launch_begin(struct sandbox_host *host,
				    const struct sandbox_request *request, void *userdata,
				    struct sandbox_launch **ret_launch, struct error *error)
{
	struct sandbox_launch *launch = &fake.launches[fake.n_launches++];

	*launch = (struct sandbox_launch){.host = host, .request = request, .userdata = userdata};
	*ret_launch = launch;
	return 0;
}

static inline int fake_launch_fd(const struct sandbox_host *host)
{
	return fake.launch_fd;
}

static inline void *fake_launch_next(struct sandbox_host *host)
{
	uint64_t count;

	if (fake.n_taken < fake.n_built)
		return fake.launches[fake.n_taken++].userdata;
	(void)!read(fake.launch_fd, &count, sizeof(count));
	return NULL;
}

static inline int fake_launch_end(struct sandbox_launch *launch, struct sandbox *ret_sandbox,
				  struct error *error)
{
	return fake_start(launch->host, launch->request, ret_sandbox, error);
}

/* For house_call(): the oldest sandbox that is being built is built. */
static inline void fake_build(void *argument)
{
	uint64_t one = 1;

	fake.n_built++;
	assert_true(fake.n_built <= fake.n_launches);
	assert_int_equal(write(fake.launch_fd, &one, sizeof(one)), sizeof(one));
}

static inline void fake_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static inline int fake_signal(struct sandbox *sandbox, int signal_number)
{
	struct fake_sandbox *self = (struct fake_sandbox *)sandbox->private;

	self->signals[self->n_signals++] = signal_number;
	return 0;
}

static inline int fake_kill(struct sandbox *sandbox)
{
	struct fake_sandbox *self = (struct fake_sandbox *)sandbox->private;

	self->killed = true;
	self->outcome = (struct sandbox_outcome){.how = SANDBOX_LOST};
	fake_close(&self->stdout_fd);
	fake_close(&self->stderr_fd);
	fake_close(&self->status_fd);
	return 0;
}

static inline int fake_finish(struct sandbox *sandbox, struct sandbox_outcome *ret_outcome,
			      struct error *error)
{
	struct fake_sandbox *self = (struct fake_sandbox *)sandbox->private;

	assert_false(self->finished);
	self->finished = true;
	(void)close(sandbox->status_fd);
	*ret_outcome = self->outcome;
	return 0;
}

static const struct sandbox_ops fake_ops = {
	.start = fake_start,
	.launch_begin = fake_launch_begin,
	.launch_fd = fake_launch_fd,
	.launch_next = fake_launch_next,
	.launch_end = fake_launch_end,
	.signal = fake_signal,
	.kill = fake_kill,
	.finish = fake_finish,
};

static inline void fake_end(struct fake_sandbox *sandbox, enum sandbox_exit how, int code)
{
	sandbox->outcome.how = how;
	sandbox->outcome.code = code;
	fake_close(&sandbox->stdout_fd);
	fake_close(&sandbox->stderr_fd);
	fake_close(&sandbox->status_fd);
}

/* ---- the daemon, in a thread of its own ---- */

struct call {
	void (*function)(void *argument);
	void *argument;
	sem_t done;
};

static struct {
	char root[64];
	struct daemon daemon;
	pthread_t thread;
	int call_pipe[2];
	struct loop_file call_file;
	int scheduler_fd, cacher_fd; /* the other ends, ours */
} house;

static inline void serve_call(struct loop_file *file, uint32_t events)
{
	struct call *call;

	assert_int_equal(read(file->fd, &call, sizeof(call)), sizeof(call));
	call->function(call->argument);
	(void)sem_post(&call->done);
}

/* Run @function in the thread of the loop, and wait for it. */
static inline void house_call(void (*function)(void *argument), void *argument)
{
	struct call call = {.function = function, .argument = argument};
	struct call *pointer = &call;

	(void)sem_init(&call.done, 0, 0);
	assert_int_equal(write(house.call_pipe[1], &pointer, sizeof(pointer)), sizeof(pointer));
	while (sem_wait(&call.done) < 0)
		;
	(void)sem_destroy(&call.done);
}

static inline void *house_run(void *started)
{
	struct error error = ERROR_INIT;

	/* an io_uring of one issuer must be used by the thread that made it */
	assert_int_equal(loop_new(&house.daemon.loop), 0);
	assert_int_equal(steps_new(&house.daemon, NULL, &fake_ops, &house.daemon.steps, &error), 0);
	assert_int_equal(layers_new(&house.daemon, NULL, &fake_ops, &house.daemon.layers, &error),
			 0);
	assert_int_equal(loop_add(house.daemon.loop, &house.call_file, house.call_pipe[0], EPOLLIN,
				  serve_call),
			 0);
	(void)sem_post(started);
	(void)loop_run(house.daemon.loop);
	house.daemon.steps = steps_free(house.daemon.steps);
	house.daemon.layers = layers_free(house.daemon.layers);
	house.daemon.loop = loop_free(house.daemon.loop);
	return NULL;
}

struct connection {
	enum child_index index;
	enum process_role role;
	int fd;
};

static inline void connect_child(void *argument)
{
	const struct connection *connection = argument;

	channel_close(link_to(&house.daemon, connection->index));
	house.daemon.children[connection->index] = (struct child){
		.daemon = &house.daemon, .role = connection->role, .program = "test"};
	assert_int_equal(channel_open(link_to(&house.daemon, connection->index), house.daemon.loop,
				      connection->fd, ROLE_DAEMON, connection->role, requests_table,
				      requests_table_size, NULL, &house.daemon),
			 0);
}

static inline int peer_connect(enum child_index index, enum process_role role)
{
	struct connection connection = {.index = index, .role = role};
	struct message *hello = MESSAGE_NEW(hello, 0, .version = MESSAGE_VERSION, .role = role);
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	connection.fd = pair[0];
	house_call(connect_child, &connection);
	assert_int_equal(message_transmit(pair[1], hello), 0);
	return pair[1];
}

/* The next message but CHANNEL, which comes whenever another peer connects. */
static inline struct message *next_message(int fd)
{
	struct pollfd file = {.fd = fd, .events = POLLIN};
	struct message *message = NULL;

	do {
		(void)message_free(message);
		assert_int_equal(poll(&file, 1, 10000), 1);
		assert_int_equal(message_receive(fd, &message), 1);
	} while (message->type == MESSAGE_CHANNEL);
	return message;
}

/* The next message, which must be @type. */
static inline struct message *expect(int fd, enum message_type type)
{
	struct message *message = next_message(fd);

	assert_string_equal(message_info(message->type)->name, message_info(type)->name);
	return message;
}

static inline void expect_and_free(int fd, enum message_type type)
{
	(void)message_free(expect(fd, type));
}

static inline void expect_silence(int fd)
{
	assert_int_equal(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 50), 0);
}

/* Connect as a child and skip its configuration, which test_daemon_config.c tests. */
static inline int greet(enum child_index index, enum process_role role)
{
	int fd = peer_connect(index, role);
	struct message *message = expect(fd, MESSAGE_HELLO);

	while (message->type != MESSAGE_CONFIG_END) {
		(void)message_free(message);
		message = next_message(fd);
	}
	(void)message_free(message);
	return fd;
}

static inline int setup_with(int launch_fd)
{
	struct error error = ERROR_INIT;
	char text[256];
	sem_t started;

	memset(&house, 0, sizeof(house));
	memset(&fake, 0, sizeof(fake));
	fake.launch_fd = launch_fd;
	house.call_file = LOOP_FILE_NULL;
	(void)snprintf(house.root, sizeof(house.root), "/tmp/rbtest-step-XXXXXX");
	assert_non_null(mkdtemp(house.root));
	assert_int_equal(chmod(house.root, 0755), 0);
	assert_int_equal(paths_init(&house.daemon.paths, house.root, &error), 0);
	assert_int_equal(state_dirs_make(&house.daemon.paths, &error), 0);
	(void)snprintf(house.daemon.images_dir, sizeof(house.daemon.images_dir), "%s/images",
		       house.root);
	assert_int_equal(state_dirs_make_images(house.daemon.images_dir, &error), 0);
	house.daemon.config = config_new();
	(void)snprintf(text, sizeof(text), "[Project]\nWorkspace=%s\n", house.root);
	assert_int_equal(config_parse_project(house.daemon.config, "demo", "demo.conf", text,
					      strlen(text), &error),
			 0);
	(void)snprintf(text, sizeof(text), "[Project]\nRepository=file:///nowhere\n");
	assert_int_equal(config_parse_project(house.daemon.config, "fetched", "fetched.conf", text,
					      strlen(text), &error),
			 0);
	assert_int_equal(config_complete(house.daemon.config, &error), 0);
	house.daemon.stop_timer = LOOP_TIMER_NULL;
	house.daemon.child_hooks.greeted = daemon_child_greeted;
	house.daemon.changed = daemon_progress;
	(void)snprintf(house.daemon.instance_id, INSTANCE_ID_SIZE, "instance");
	assert_int_equal(pipe2(house.call_pipe, O_CLOEXEC), 0);
	(void)sem_init(&started, 0, 0);
	assert_int_equal(pthread_create(&house.thread, NULL, house_run, &started), 0);
	while (sem_wait(&started) < 0)
		;
	house.scheduler_fd = greet(CHILD_SCHEDULER, ROLE_SCHEDULER);
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_SYNCED);
	return 0;
}

static inline int setup(void **state)
{
	return setup_with(-1);
}

/* Sandboxes are built by other threads. */
static inline int setup_threads(void **state)
{
	return setup_with(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

static inline void end_house(void *argument)
{
	for (int i = 0; i < CHILD_NUM; i++)
		channel_close(&house.daemon.links[i]);
	loop_timer_cancel(&house.daemon.stop_timer);
	loop_remove(&house.call_file);
	loop_exit(house.daemon.loop, 0);
}

static inline int teardown(void **state)
{
	house_call(end_house, NULL);
	(void)pthread_join(house.thread, NULL);
	for (size_t i = 0; i < fake.n_sandboxes; i++)
		assert_true(fake.sandboxes[i].finished);
	assert_int_equal(fake.n_taken, fake.n_launches);
	house.daemon.config = config_free(house.daemon.config);
	fake_close(&fake.launch_fd);
	(void)close(house.scheduler_fd);
	if (house.cacher_fd > 0)
		(void)close(house.cacher_fd);
	(void)close(house.call_pipe[0]);
	(void)close(house.call_pipe[1]);
	assert_int_equal(remove_tree(AT_FDCWD, house.root), 0);
	return 0;
}

/* ---- orders ---- */

struct order {
	uint64_t number;
	const char *project, *slug, *name, *commit, *image;
	const char *layer; /* NULL: none */
	const char *workdir;
	uint64_t timeout_msec, grace_msec, uid, tty;
	enum step_objects objects;
	int payload_fd; /* 0: a valid one */
	int mask_fd;	/* 0: none */
};

#define ORDER(n)                                                                                   \
	.number = (n), .project = "demo", .slug = "a", .name = "a step", .commit = "",             \
	.image = "host", .grace_msec = 50

static inline void send_order(const struct order *order)
{
	char *argv[] = {(char *)"true", NULL};
	char *envp[] = {NULL};
	int payload = order->payload_fd ? order->payload_fd : step_payload_new(argv, envp);
	struct message_step_layer layer = {.id = order->layer};
	struct message *message;

	assert_true(payload >= 0);
	message = MESSAGE_NEW(step_start, 0, .order = order->number, .project = order->project,
			      .run = 7, .slug = order->slug, .attempt = 1, .name = order->name,
			      .commit = order->commit, .objects = order->objects,
			      .image = order->image, .layers = &layer,
			      .n_layers = order->layer != NULL, .memory = 512 * MIB,
			      .timeout_msec = order->timeout_msec, .grace_msec = order->grace_msec,
			      .tty = order->tty, .workdir = order->workdir, .uid = order->uid,
			      .payload = payload, .mask = order->mask_fd);
	(void)close(payload);
	assert_int_equal(message_transmit(house.scheduler_fd, message), 0);
}

static inline void send_cancel(uint64_t order, enum step_result why)
{
	assert_int_equal(message_transmit(house.scheduler_fd,
					  MESSAGE_NEW(step_cancel, 0, .order = order, .why = why)),
			 0);
}

static inline void send_ack(uint64_t order)
{
	assert_int_equal(
		message_transmit(house.scheduler_fd, MESSAGE_NEW(step_ack, 0, .order = order)), 0);
}

struct exited {
	uint64_t order, result, exit_code, signal, started, ended, bytes;
	char reason[REASON_MAX];
	struct step_usage usage;
};

static inline struct exited expect_exited(void)
{
	struct message *message = expect(house.scheduler_fd, MESSAGE_STEP_EXITED);
	struct message_step_exited got;
	struct exited exited;

	assert_int_equal(MESSAGE_GET(message, step_exited, &got), 0);
	exited = (struct exited){
		.order = got.order,
		.result = got.result,
		.exit_code = got.exit_code,
		.signal = got.signal,
		.started = got.started_usec,
		.ended = got.ended_usec,
		.bytes = got.log_bytes,
		.usage = step_usage_of(got.figures, got.n_figures),
	};
	(void)snprintf(exited.reason, sizeof(exited.reason), "%s", got.reason);
	(void)message_free(message);
	return exited;
}

/* For house_call(): how many steps run, how many are not acknowledged. */
static inline void count_steps(void *argument)
{
	size_t *counts = argument;

	counts[0] = steps_running(house.daemon.steps);
	counts[1] = steps_unacknowledged(house.daemon.steps);
}

static inline size_t count_files_named(const char *name)
{
	cleanup_closedir DIR *directory = opendir("/proc/self/fd");
	const struct dirent *entry;
	char target[128];
	size_t n = 0;

	assert_non_null(directory);
	while ((entry = readdir(directory))) {
		ssize_t length =
			readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);

		target[length < 0 ? 0 : length] = '\0';
		n += strstr(target, name) != NULL;
	}
	return n;
}

#endif
