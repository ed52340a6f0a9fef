/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of steps, with a scheduler and a cacher that are descriptors of this
 * test, and a sandbox library that builds nothing.
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

static int fake_start(struct sandbox_host *host, const struct sandbox_request *request,
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

static int fake_launch_begin(struct sandbox_host *host, const struct sandbox_request *request,
			     void *userdata, struct sandbox_launch **ret_launch,
			     struct error *error)
{
	struct sandbox_launch *launch = &fake.launches[fake.n_launches++];

	*launch = (struct sandbox_launch){.host = host, .request = request, .userdata = userdata};
	*ret_launch = launch;
	return 0;
}

static int fake_launch_fd(const struct sandbox_host *host)
{
	return fake.launch_fd;
}

static void *fake_launch_next(struct sandbox_host *host)
{
	uint64_t count;

	if (fake.n_taken < fake.n_built)
		return fake.launches[fake.n_taken++].userdata;
	(void)!read(fake.launch_fd, &count, sizeof(count));
	return NULL;
}

static int fake_launch_end(struct sandbox_launch *launch, struct sandbox *ret_sandbox,
			   struct error *error)
{
	return fake_start(launch->host, launch->request, ret_sandbox, error);
}

/* For house_call(): the oldest sandbox that is being built is built. */
static void fake_build(void *argument)
{
	uint64_t one = 1;

	fake.n_built++;
	assert_true(fake.n_built <= fake.n_launches);
	assert_int_equal(write(fake.launch_fd, &one, sizeof(one)), sizeof(one));
}

static void fake_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static int fake_signal(struct sandbox *sandbox, int signal_number)
{
	struct fake_sandbox *self = (struct fake_sandbox *)sandbox->private;

	self->signals[self->n_signals++] = signal_number;
	return 0;
}

static int fake_kill(struct sandbox *sandbox)
{
	struct fake_sandbox *self = (struct fake_sandbox *)sandbox->private;

	self->killed = true;
	self->outcome = (struct sandbox_outcome){.how = SANDBOX_LOST};
	fake_close(&self->stdout_fd);
	fake_close(&self->stderr_fd);
	fake_close(&self->status_fd);
	return 0;
}

static int fake_finish(struct sandbox *sandbox, struct sandbox_outcome *ret_outcome,
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

static void fake_end(struct fake_sandbox *sandbox, enum sandbox_exit how, int code)
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

static void serve_call(struct loop_file *file, uint32_t events)
{
	struct call *call;

	assert_int_equal(read(file->fd, &call, sizeof(call)), sizeof(call));
	call->function(call->argument);
	(void)sem_post(&call->done);
}

/* Run @function in the thread of the loop, and wait for it. */
static void house_call(void (*function)(void *argument), void *argument)
{
	struct call call = {.function = function, .argument = argument};
	struct call *pointer = &call;

	(void)sem_init(&call.done, 0, 0);
	assert_int_equal(write(house.call_pipe[1], &pointer, sizeof(pointer)), sizeof(pointer));
	while (sem_wait(&call.done) < 0)
		;
	(void)sem_destroy(&call.done);
}

static void *house_run(void *started)
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

static void connect_child(void *argument)
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

static int peer_connect(enum child_index index, enum process_role role)
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
static struct message *next_message(int fd)
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
static struct message *expect(int fd, enum message_type type)
{
	struct message *message = next_message(fd);

	assert_string_equal(message_info(message->type)->name, message_info(type)->name);
	return message;
}

static void expect_and_free(int fd, enum message_type type)
{
	(void)message_free(expect(fd, type));
}

static void expect_silence(int fd)
{
	assert_int_equal(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 50), 0);
}

/* Connect as a child and skip its configuration, which test_daemon_config.c tests. */
static int greet(enum child_index index, enum process_role role)
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

static int setup_with(int launch_fd)
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

static int setup(void **state)
{
	return setup_with(-1);
}

/* Sandboxes are built by other threads. */
static int setup_threads(void **state)
{
	return setup_with(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

static void end_house(void *argument)
{
	for (int i = 0; i < CHILD_NUM; i++)
		channel_close(&house.daemon.links[i]);
	loop_timer_cancel(&house.daemon.stop_timer);
	loop_remove(&house.call_file);
	loop_exit(house.daemon.loop, 0);
}

static int teardown(void **state)
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

static void send_order(const struct order *order)
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

static void send_cancel(uint64_t order, enum step_result why)
{
	assert_int_equal(message_transmit(house.scheduler_fd,
					  MESSAGE_NEW(step_cancel, 0, .order = order, .why = why)),
			 0);
}

static void send_ack(uint64_t order)
{
	assert_int_equal(
		message_transmit(house.scheduler_fd, MESSAGE_NEW(step_ack, 0, .order = order)), 0);
}

struct exited {
	uint64_t order, result, exit_code, signal, started, ended, bytes;
	char reason[REASON_MAX];
	struct step_usage usage;
};

static struct exited expect_exited(void)
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
static void count_steps(void *argument)
{
	size_t *counts = argument;

	counts[0] = steps_running(house.daemon.steps);
	counts[1] = steps_unacknowledged(house.daemon.steps);
}

static size_t count_files_named(const char *name)
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

/* ---- tests ---- */

static void runs_and_is_acknowledged(void **state)
{
	struct fake_sandbox *sandbox = &fake.sandboxes[0];
	struct exited exited;
	char path[PATH_MAX + 32];
	char text[32] = "";
	size_t counts[2];
	struct stat st;
	int fd;

	send_order(&(struct order){ORDER(1)});
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	assert_string_equal(sandbox->id, "demo-7-a-1");
	assert_string_equal(sandbox->workspace, house.root);
	assert_int_equal(sandbox->n_binds, 1);
	assert_int_equal(fd_write_all(sandbox->stdout_fd, "hello\n", 6), 0);
	fake_end(sandbox, SANDBOX_EXITED, 3);
	exited = expect_exited();
	assert_int_equal(exited.order, 1);
	assert_int_equal(exited.result, STEP_RESULT_EXITED);
	assert_int_equal(exited.exit_code, 3);
	assert_string_equal(exited.reason, "exit code 3");
	assert_int_equal(exited.bytes, 6);
	assert_true(exited.started > 0 && exited.ended >= exited.started);
	(void)snprintf(path, sizeof(path), "%s/demo/7/a.1.log", house.daemon.paths.log);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(read(fd, text, sizeof(text)), 6);
	assert_string_equal(text, "hello\n");
	(void)close(fd);
	(void)snprintf(path, sizeof(path), "%s/steps/1", house.daemon.paths.run);
	assert_int_equal(access(path, F_OK), -1);
	house_call(count_steps, counts);
	assert_int_equal(counts[0], 0);
	assert_int_equal(counts[1], 1);
	send_ack(1);
	send_ack(1);
	send_order(&(struct order){ORDER(1)}); /* it ran: not again, but it gets a result */
	exited = expect_exited();
	assert_int_equal(exited.order, 1);
	assert_int_equal(exited.result, STEP_RESULT_SANDBOX);
	assert_non_null(strstr(exited.reason, "ran already"));
	expect_silence(house.scheduler_fd);
	house_call(count_steps, counts);
	assert_int_equal(counts[0] + counts[1], 0);
	assert_int_equal(fake.n_sandboxes, 1);
}

static void refuses_what_no_scheduler_sends(void **state)
{
	int not_sealed = memfd_create("x", MFD_CLOEXEC);
	int directory = open("/", O_PATH | O_CLOEXEC);
	struct order bad[] = {
		{ORDER(1)},  {ORDER(2)},  {ORDER(3)},  {ORDER(4)}, {ORDER(5)},
		{ORDER(6)},  {ORDER(7)},  {ORDER(8)},  {ORDER(9)}, {ORDER(10)},
		{ORDER(11)}, {ORDER(12)}, {ORDER(13)},
	};
	const char *reasons[] = {
		"project name",	     "slug",	"commit",  "image",
		"choice of objects", "payload", "payload", "timeout",
		"step name",	     "image",	"user",	   "working directory",
		"list of secrets",
	};

	bad[0].project = "../etc";
	bad[1].slug = "a/b";
	bad[2].commit = "../../..";
	bad[3].image = "/";
	bad[4].objects = STEP_OBJECTS_VIEW;
	bad[5].payload_fd = not_sealed;
	bad[6].payload_fd = directory;
	bad[7].timeout_msec = UINT64_MAX;
	bad[8].name = "a\nb";
	bad[9].layer = "../../../etc";
	bad[10].uid = 1ULL << 32;
	bad[11].workdir = "relative";
	bad[12].mask_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct exited exited;

		send_order(&bad[i]);
		exited = expect_exited();
		assert_int_equal(exited.order, i + 1);
		assert_int_equal(exited.result, STEP_RESULT_SANDBOX);
		assert_int_equal(exited.started, 0);
		assert_non_null(strstr(exited.reason, reasons[i]));
	}
	(void)close(bad[12].mask_fd);
	/* a broken scheduler must not use up our descriptors */
	bad[1].number = 20;
	bad[1].mask_fd = step_mask_new(&(struct step_mask_value){"secret", 6}, 1);
	send_order(&bad[1]);
	(void)close(bad[1].mask_fd);
	assert_int_equal(expect_exited().order, 20);
	assert_int_equal(count_files_named("memfd:step-mask"), 0);
	assert_int_equal(fake.n_sandboxes, 0);
}

/* A sealed file that is not a list of secrets: the step must not run with an unmasked log. */
static void refuses_secrets_that_are_none(void **state)
{
	struct order order = {ORDER(1)};
	struct exited exited;

	order.mask_fd = memfd_sealed("x", "RBM1 and something", 18);
	assert_true(order.mask_fd >= 0);
	send_order(&order);
	exited = expect_exited();
	assert_int_equal(exited.result, STEP_RESULT_SANDBOX);
	assert_non_null(strstr(exited.reason, "the secrets to mask in the step's log"));
	assert_int_equal(fake.n_sandboxes, 0);
	(void)close(order.mask_fd);
}

static void hides_secrets(void **state)
{
	static const struct step_mask_value values[] = {{"pass word", 9}, {"tok", 3}};
	struct fake_sandbox *sandbox = &fake.sandboxes[0];
	struct order order = {ORDER(1)};
	struct exited exited;
	char path[PATH_MAX + 32], text[64] = "";
	cleanup_close int fd = -1;

	order.mask_fd = step_mask_new(values, ARRAY_SIZE(values));
	assert_true(order.mask_fd >= 0);
	send_order(&order);
	(void)close(order.mask_fd);
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	assert_int_equal(fd_write_all(sandbox->stdout_fd, "a pass", 6), 0);
	(void)usleep(20000); /* most likely the output is read in two parts */
	assert_int_equal(fd_write_all(sandbox->stdout_fd, " word, pass%20word, tok\n", 24), 0);
	fake_end(sandbox, SANDBOX_EXITED, 0);
	exited = expect_exited();
	assert_int_equal(exited.bytes, 16);
	/* an ended step has no descriptor of secrets, acknowledged or not */
	assert_int_equal(count_files_named("memfd:step-mask"), 0);
	(void)snprintf(path, sizeof(path), "%s/demo/7/a.1.log", house.daemon.paths.log);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, text, sizeof(text)), 16);
	assert_string_equal(text, "a ***, ***, tok\n");
	send_ack(1);
}

static void reports_what_cannot_be_built(void **state)
{
	struct order order = {ORDER(1)};
	struct exited exited;

	fake.refuse = true;
	send_order(&order);
	exited = expect_exited();
	assert_int_equal(exited.result, STEP_RESULT_SANDBOX);
	assert_string_equal(exited.reason, "cannot build the sandbox: the fake refuses");
	fake.refuse = false;
	order.number = 2;
	order.image = "absent";
	order.layer = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	send_order(&order);
	assert_non_null(strstr(expect_exited().reason, "of image \"absent\" is not here"));
	order = (struct order){ORDER(3)};
	order.project = "fetched";
	order.commit = "0123456789012345678901234567890123456789";
	send_order(&order);
	assert_non_null(strstr(expect_exited().reason, "retry the run"));
	order = (struct order){ORDER(5)};
	order.project = "fetched";
	send_order(&order);
	assert_non_null(strstr(expect_exited().reason, "names no commit"));
	order = (struct order){ORDER(4)};
	order.project = "unknown";
	send_order(&order);
	assert_non_null(strstr(expect_exited().reason, "no commit")); /* an upload has its tree */
}

static void times_out(void **state)
{
	struct order order = {ORDER(1)};
	struct exited exited;

	order.timeout_msec = 40;
	send_order(&order);
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	exited = expect_exited(); /* SIGTERM is ignored by the fake: it is killed */
	assert_int_equal(exited.result, STEP_RESULT_TIMEOUT);
	assert_string_equal(exited.reason, "timeout after 40ms");
	assert_int_equal(fake.sandboxes[0].n_signals, 1);
	assert_int_equal(fake.sandboxes[0].signals[0], SIGTERM);
	assert_true(fake.sandboxes[0].killed);
}

static void is_cancelled(void **state)
{
	struct order order = {ORDER(1)};
	struct exited exited;

	order.grace_msec = 5000;
	send_order(&order);
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	send_cancel(1, STEP_RESULT_CANCELLED);
	while (*(volatile size_t *)&fake.sandboxes[0].n_signals == 0)
		(void)usleep(1000);
	assert_int_equal(write(fake.sandboxes[0].status_fd, "", 1), 1); /* parts still run */
	expect_silence(house.scheduler_fd);
	fake_end(&fake.sandboxes[0], SANDBOX_SIGNALED, SIGTERM);
	assert_int_equal((exited = expect_exited()).result, STEP_RESULT_CANCELLED);
	assert_string_equal(exited.reason, "cancelled");
	assert_false(fake.sandboxes[0].killed);
	send_cancel(99, STEP_RESULT_CANCELLED);
	expect_silence(house.scheduler_fd); /* an unknown order is ignored */
}

static void reports_to_a_new_scheduler(void **state)
{
	struct message_step_synced synced;
	struct message *message;

	send_order(&(struct order){ORDER(1)});
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	send_order(&(struct order){ORDER(2), .timeout_msec = 0});
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	(void)close(house.scheduler_fd);
	fake_end(&fake.sandboxes[0], SANDBOX_EXITED, 0); /* while there is no scheduler */
	for (size_t counts[2] = {0, 0}; counts[1] == 0; (void)usleep(1000))
		house_call(count_steps, counts);
	house.scheduler_fd = greet(CHILD_SCHEDULER, ROLE_SCHEDULER);
	assert_int_equal(expect_exited().order, 1);
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	message = expect(house.scheduler_fd, MESSAGE_STEP_SYNCED);
	assert_int_equal(MESSAGE_GET(message, step_synced, &synced), 0);
	assert_string_equal(synced.instance, "instance");
	(void)message_free(message);
	fake_end(&fake.sandboxes[1], SANDBOX_SIGNALED, SIGSEGV);
	assert_string_equal(expect_exited().reason, "killed by signal 11 (SEGV)");
}

static void lends_its_socket_to_each_cacher(void **state)
{
	struct message_cacher_listen request;
	struct message *message;

	send_order(&(struct order){ORDER(5)});
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	for (int i = 0; i < 2; i++) {
		int listening = 0;
		socklen_t size = sizeof(listening);

		house.cacher_fd = greet(CHILD_CACHER, ROLE_CACHER);
		message = expect(house.cacher_fd, MESSAGE_CACHER_LISTEN);
		assert_int_equal(MESSAGE_GET(message, cacher_listen, &request), 0);
		assert_int_equal(request.order, 5);
		assert_string_equal(request.project, "demo");
		assert_int_equal(request.run, 7);
		assert_string_equal(request.slug, "a");
		assert_int_equal(
			getsockopt(request.socket, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size),
			0);
		assert_int_equal(listening, 1);
		(void)message_free(message);
		if (i == 0)
			(void)close(house.cacher_fd);
	}
	fake_end(&fake.sandboxes[0], SANDBOX_EXITED, 0);
	expect_and_free(house.cacher_fd, MESSAGE_CACHER_CLOSE);
	assert_string_equal(expect_exited().reason, "");
}

static void waits_for_the_last_words_but_not_forever(void **state)
{
	struct fake_sandbox *sandbox = &fake.sandboxes[0];
	struct exited exited;
	int held;

	send_order(&(struct order){ORDER(1)});
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	held = dup(sandbox->stdout_fd); /* as a process outside of the sandbox may have it */
	assert_int_equal(fd_write_all(held, "late", 4), 0);
	fake_end(sandbox, SANDBOX_EXITED, 0);
	exited = expect_exited(); /* after five seconds */
	assert_int_equal(exited.bytes, 4);
	assert_int_equal(exited.result, STEP_RESULT_EXITED);
	(void)close(held);
}

static void stop_steps(void *argument)
{
	steps_stop(house.daemon.steps);
}

static void stops(void **state)
{
	struct exited exited;

	send_order(&(struct order){ORDER(1)});
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	house_call(stop_steps, NULL);
	expect_and_free(house.scheduler_fd, MESSAGE_STEPS_STOPPING);
	exited = expect_exited();
	assert_int_equal(exited.result, STEP_RESULT_CANCELLED);
	assert_string_equal(exited.reason, "cancelled: runbookd was stopped");
	send_order(&(struct order){ORDER(2)});
	exited = expect_exited();
	assert_int_equal(exited.result, STEP_RESULT_CANCELLED);
	assert_int_equal(exited.started, 0); /* it never ran: the scheduler may queue it again */
}

static void closes_the_channel_of_a_broken_scheduler(void **state)
{
	struct pollfd file = {.fd = house.scheduler_fd, .events = POLLIN};
	struct message *end = NULL;

	send_cancel(1, STEP_RESULT_SANDBOX); /* not a reason to cancel */
	assert_int_equal(poll(&file, 1, 10000), 1);
	assert_int_equal(message_receive(house.scheduler_fd, &end), 0);
}

/* For house_call(): how many sandboxes are being built. */
static void count_starting(void *argument)
{
	*(size_t *)argument = steps_starting(house.daemon.steps);
}

/* Wait until @n sandboxes were begun. */
static void wait_begun(size_t n)
{
	size_t starting = 0;

	do
		house_call(count_starting, &starting); /* a turn of the loop */
	while (fake.n_launches < n);
}

static void end_and_acknowledge(struct fake_sandbox *sandbox, uint64_t order)
{
	struct exited exited;

	fake_end(sandbox, SANDBOX_EXITED, 0);
	exited = expect_exited();
	assert_int_equal(exited.order, order);
	assert_int_equal(exited.result, STEP_RESULT_EXITED);
	send_ack(order);
}

static void is_started_when_it_is_built(void **state)
{
	size_t n;

	send_order(&(struct order){ORDER(1)});
	wait_begun(1);
	expect_silence(house.scheduler_fd);
	house_call(count_starting, &n);
	assert_int_equal(n, 1);
	assert_int_equal(fake.n_sandboxes, 0);
	/* the request is whole while the other thread reads it */
	assert_string_equal(fake.launches[0].request->id, "demo-7-a-1");
	assert_true(fcntl(fake.launches[0].request->payload_fd, F_GETFD) >= 0);
	assert_true(fcntl(fake.launches[0].request->stdout_fd, F_GETFD) >= 0);
	house_call(fake_build, NULL);
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	house_call(count_starting, &n);
	assert_int_equal(n, 0);
	end_and_acknowledge(&fake.sandboxes[0], 1);
}

static void is_cancelled_while_it_is_built(void **state)
{
	struct exited exited;
	size_t n;

	send_order(&(struct order){ORDER(1)});
	wait_begun(1);
	send_cancel(1, STEP_RESULT_TIMEOUT);
	send_cancel(1, STEP_RESULT_CANCELLED); /* the first one counts */
	expect_silence(house.scheduler_fd);
	house_call(fake_build, NULL);
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	house_call(count_starting, &n); /* the turn is over */
	assert_int_equal(fake.sandboxes[0].n_signals, 1);
	assert_int_equal(fake.sandboxes[0].signals[0], SIGTERM);
	exited = expect_exited(); /* after the grace */
	assert_true(fake.sandboxes[0].killed);
	assert_int_equal(exited.result, STEP_RESULT_TIMEOUT);
}

static void reports_what_another_thread_cannot_build(void **state)
{
	struct exited exited;

	fake.refuse = true;
	send_order(&(struct order){ORDER(1)});
	wait_begun(1);
	house_call(fake_build, NULL);
	exited = expect_exited();
	assert_int_equal(exited.result, STEP_RESULT_SANDBOX);
	assert_int_equal(exited.started, 0);
	assert_non_null(strstr(exited.reason, "the fake refuses"));
	assert_int_equal(count_files_named("memfd:step-payload"), 0);
}

static void builds_a_few_at_a_time(void **state)
{
	const size_t n_steps = 2 * STEPS_LAUNCHERS + 2;
	size_t n, left = n_steps;

	for (size_t i = 0; i < n_steps; i++) {
		char slug[] = {(char)('a' + i), '\0'};
		struct order order = {ORDER(i + 1)};

		order.slug = slug;
		send_order(&order);
	}
	wait_begun(2 * STEPS_LAUNCHERS);
	expect_silence(house.scheduler_fd);
	house_call(count_starting, &n);
	assert_int_equal(n, 2 * STEPS_LAUNCHERS);
	for (; left > 0; left--) {
		wait_begun(n_steps - left + 1);
		house_call(fake_build, NULL);
		expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	}
	house_call(count_starting, &n);
	assert_int_equal(n, 0);
	for (size_t i = 0; i < n_steps; i++)
		end_and_acknowledge(&fake.sandboxes[i], i + 1);
}

/* A new scheduler learns of a step when it is started. */
static void is_not_reported_before_it_is_built(void **state)
{
	send_order(&(struct order){ORDER(1)});
	wait_begun(1);
	(void)close(house.scheduler_fd);
	house.scheduler_fd = greet(CHILD_SCHEDULER, ROLE_SCHEDULER);
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_SYNCED);
	expect_silence(house.scheduler_fd);
	house_call(fake_build, NULL);
	expect_and_free(house.scheduler_fd, MESSAGE_STEP_STARTED);
	end_and_acknowledge(&fake.sandboxes[0], 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_THREADS(name) cmocka_unit_test_setup_teardown(name, setup_threads, teardown)
	const struct CMUnitTest tests[] = {
		TEST(runs_and_is_acknowledged),
		TEST(refuses_what_no_scheduler_sends),
		TEST(refuses_secrets_that_are_none),
		TEST(hides_secrets),
		TEST(reports_what_cannot_be_built),
		TEST(times_out),
		TEST(is_cancelled),
		TEST(reports_to_a_new_scheduler),
		TEST(lends_its_socket_to_each_cacher),
		TEST(waits_for_the_last_words_but_not_forever),
		TEST(stops),
		TEST(closes_the_channel_of_a_broken_scheduler),
		TEST_THREADS(is_started_when_it_is_built),
		TEST_THREADS(is_cancelled_while_it_is_built),
		TEST_THREADS(reports_what_another_thread_cannot_build),
		TEST_THREADS(builds_a_few_at_a_time),
		TEST_THREADS(is_not_reported_before_it_is_built),
	};

	log_set_level((enum log_level)0);
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
