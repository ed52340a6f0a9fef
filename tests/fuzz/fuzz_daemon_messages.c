/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runbookd's handlers: any sequence of messages from all children (tests/fuzz/peers.h), with a
 * sandbox library that builds nothing. runbookd may close the channel of any child. It finishes
 * each sandbox that it starts, and starts none with a name or an id that the checks of orders
 * refuse.
 */
#include "common/limits.h"
#include "common/message_table.h"
#include "common/names.h"
#include "common/remove_tree.h"
#include "daemon/config.h"
#include "daemon/daemon.h"
#include "daemon/layers.h"
#include "daemon/log_remove.h"
#include "daemon/requests.h"
#include "daemon/state_dirs.h"
#include "daemon/step.h"
#include "tests/fuzz/peers.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#define FAKES_MAX 32
#define END_USEC (20 * USEC_PER_SEC) /* until all sandboxes must have ended; the host may be busy */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- a sandbox library that builds nothing ---- */

struct fake {
	int stdout_fd, stderr_fd, status_fd;
	bool finished;
	struct sandbox_outcome outcome;
};

static struct fake fakes[FAKES_MAX];
static unsigned n_fakes;

static int fake_start(struct sandbox_host *host, const struct sandbox_request *request,
		      struct sandbox *ret_sandbox, struct error *error)
{
	struct fake *fake = &fakes[n_fakes];
	int status[2];

	if (n_fakes == FAKES_MAX)
		return error_set(error, EAGAIN, "the fake has no room");
	if (!step_slug_valid(request->id) || strlen(request->id) >= CONTAINER_ID_MAX)
		abort();
	if (pipe2(status, O_CLOEXEC) < 0)
		abort();
	*fake = (struct fake){
		.stdout_fd = fcntl(request->stdout_fd, F_DUPFD_CLOEXEC, 3),
		.stderr_fd = fcntl(request->stderr_fd, F_DUPFD_CLOEXEC, 3),
		.status_fd = status[1],
	};
	*ret_sandbox = (struct sandbox){
		.pid = (pid_t)++n_fakes,
		.pidfd = -1,
		.status_fd = status[0],
		.private = (struct sandbox_private *)(void *)fake,
	};
	return 0;
}

static void fake_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static void fake_end(struct fake *fake, enum sandbox_exit how, int code)
{
	if (fake->status_fd < 0)
		return;
	fake->outcome = (struct sandbox_outcome){.how = how, .code = code};
	fake_close(&fake->stdout_fd);
	fake_close(&fake->stderr_fd);
	fake_close(&fake->status_fd);
}

static struct fake *fake_of(const struct sandbox *sandbox)
{
	return (struct fake *)(void *)sandbox->private;
}

static int fake_signal(struct sandbox *sandbox, int signal_number)
{
	return fake_of(sandbox)->finished ? -ESRCH : 0;
}

static int fake_kill(struct sandbox *sandbox)
{
	fake_end(fake_of(sandbox), SANDBOX_LOST, 0);
	return 0;
}

static int fake_finish(struct sandbox *sandbox, struct sandbox_outcome *ret_outcome,
		       struct error *error)
{
	struct fake *fake = fake_of(sandbox);

	if (fake->finished)
		abort();
	fake_end(fake, SANDBOX_LOST, 0);
	fake->finished = true;
	(void)close(sandbox->status_fd);
	*ret_outcome = fake->outcome;
	return 0;
}

static const struct sandbox_ops fake_ops = {
	.start = fake_start,
	.signal = fake_signal,
	.kill = fake_kill,
	.finish = fake_finish,
};

static bool fakes_finished(void)
{
	for (unsigned i = 0; i < n_fakes; i++) {
		if (!fakes[i].finished)
			return false;
	}
	return true;
}

/* ---- the daemon ---- */

enum { VERB_RECONNECT = MESSAGE_NUM_TYPES, VERB_END, VERB_PRINT };
static const char *const verbs[] = {"reconnect", "end", "print"};

static const struct {
	enum child_index index;
	enum process_role role;
} children[PEERS_MAX] = {
	{CHILD_SCHEDULER, ROLE_SCHEDULER}, {CHILD_API, ROLE_API},
	{CHILD_IMAGE, ROLE_IMAGE},	   {CHILD_CACHER, ROLE_CACHER},
	{CHILD_FETCHER, ROLE_FETCHER},	   {CHILD_WEBHOOK, ROLE_WEBHOOK},
};

static char top[32] = "/tmp/fuzz_daemon.XXXXXX";

static struct {
	struct daemon daemon;
	struct input input;
	unsigned n_records;
	uint64_t end_usec; /* when all sandboxes must have ended; 0: there is more input */
	struct fuzz_peer peers[PEERS_MAX];
} house;

static void finish(void)
{
	(void)remove_tree(AT_FDCWD, top);
}

static void start(void)
{
	program_prepare();
	if (access("/dev/shm", W_OK) == 0)
		memcpy(top, "/dev/shm/fuzz_d.XXXXXX", sizeof("/dev/shm/fuzz_d.XXXXXX"));
	if (!mkdtemp(top) || atexit(finish) != 0)
		abort();
}

static void connect_child(unsigned i)
{
	enum child_index index = children[i].index;

	channel_close(link_to(&house.daemon, index));
	house.daemon.children[index] = (struct child){.daemon = &house.daemon,
						      .role = children[i].role,
						      .program = "fuzz",
						      .timer = LOOP_TIMER_NULL};
	if (channel_open(link_to(&house.daemon, index), house.daemon.loop,
			 peer_connect(&house.peers[i]), ROLE_DAEMON, children[i].role,
			 requests_table, requests_table_size, NULL, &house.daemon) < 0)
		abort();
}

static void verb_serve(unsigned verb, unsigned peer)
{
	struct fake *fake = NULL;

	if (verb == VERB_RECONNECT) {
		connect_child(peer);
		return;
	}
	if (n_fakes > 0)
		fake = &fakes[input_byte(&house.input) % n_fakes];
	if (fake && verb == VERB_END)
		fake_end(fake, (enum sandbox_exit)(input_byte(&house.input) % SANDBOX_LOST),
			 input_byte(&house.input));
	if (fake && fake->stdout_fd >= 0 && verb == VERB_PRINT) {
		size_t size;
		const uint8_t *text = input_block(&house.input, 1, &size);

		(void)!write(fake->stdout_fd, text, size);
	}
}

static bool all_ended(void)
{
	return fakes_finished() && steps_running(house.daemon.steps) == 0 &&
	       !layers_busy(house.daemon.layers);
}

/* Kill all sandboxes, and require that their supervision ends. */
static bool feed_end(void)
{
	if (house.end_usec == 0) {
		house.end_usec = now_usec() + END_USEC;
		layers_stop(house.daemon.layers);
		steps_stop(house.daemon.steps);
		steps_stop(house.daemon.steps);
	}
	if (!all_ended() && now_usec() < house.end_usec)
		return true;
	loop_exit(house.daemon.loop, 0);
	return false;
}

/* Send a record whenever runbookd is idle. */
static bool feed(void *userdata)
{
	unsigned peer, type;

	for (unsigned i = 0; i < PEERS_MAX; i++)
		peer_drain(&house.peers[i], MESSAGE_STEP_START);
	if (house.input.size == 0 || house.n_records > RECORDS_MAX)
		return feed_end();
	house.n_records++;
	peer = input_byte(&house.input) % PEERS_MAX;
	type = input_type(&house.input, house.peers[peer].role, ROLE_DAEMON, verbs,
			  ARRAY_SIZE(verbs));
	if (type < MESSAGE_NUM_TYPES)
		input_send(&house.input, &house.peers[peer], type);
	else
		verb_serve(type, peer);
	return true;
}

static void configure(struct config **ret_config)
{
	struct config *config = config_new();
	struct error error = ERROR_INIT;
	char text[128];

	(void)snprintf(text, sizeof(text), "[Project]\nWorkspace=%s/work\n", top);
	if (!config ||
	    config_parse_project(config, "demo", "demo.conf", text, strlen(text), &error) < 0)
		abort();
	(void)snprintf(text, sizeof(text), "[Project]\nRepository=file:///nowhere\n");
	if (config_parse_project(config, "fetched", "fetched.conf", text, strlen(text), &error) <
		    0 ||
	    config_complete(config, &error) < 0)
		abort();
	*ret_config = config;
}

/* Write the configuration for RELOAD, which makes nothing listen on this host's network. */
static void configuration_write(void)
{
	static const char text[] = "[Webhook]\nListen=127.0.0.1:0\n";
	char path[64];

	(void)snprintf(path, sizeof(path), "%s/etc/runbookd", top);
	if (make_directories(AT_FDCWD, path, 0755) < 0)
		abort();
	(void)snprintf(path, sizeof(path), "%s/etc/runbookd/runbookd.conf", top);
	if (file_replace(AT_FDCWD, path, text, strlen(text), 0644) < 0)
		abort();
}

static void daemon_make(struct daemon *daemon)
{
	struct error error = ERROR_INIT;
	char work[64];

	*daemon = (struct daemon){
		.lock_fd = -1,
		.api_socket = open("/dev/null", O_RDONLY | O_CLOEXEC),
		.network_file = LOOP_FILE_NULL,
		.reload_timer = LOOP_TIMER_NULL,
		.space_timer = LOOP_TIMER_NULL,
		.stop_timer = LOOP_TIMER_NULL,
		.child_hooks = {.requests = requests_table,
				.n_requests = requests_table_size,
				.greeted = daemon_child_greeted},
		.changed = daemon_progress,
		.state = DAEMON_READY,
	};
	(void)snprintf(work, sizeof(work), "%s/work", top);
	(void)snprintf(daemon->instance_id, INSTANCE_ID_SIZE, "instance");
	(void)snprintf(daemon->images_dir, sizeof(daemon->images_dir), "%s/images", top);
	if (chmod(top, 0755) < 0 || mkdir(work, 0755) < 0 ||
	    paths_init(&daemon->paths, top, &error) < 0 ||
	    state_dirs_make(&daemon->paths, &error) < 0 ||
	    state_dirs_make_images(daemon->images_dir, &error) < 0)
		abort();
	configuration_write();
	configure(&daemon->config);
	if (loop_new(&daemon->loop) < 0 ||
	    steps_new(daemon, NULL, &fake_ops, &daemon->steps, &error) < 0 ||
	    layers_new(daemon, NULL, &fake_ops, &daemon->layers, &error) < 0 ||
	    log_remover_new(daemon, &daemon->log_remover) < 0)
		abort();
}

static void daemon_end(struct daemon *daemon)
{
	for (unsigned i = 0; i < PEERS_MAX; i++)
		peer_hang_up(&house.peers[i]);
	for (int i = 0; i < CHILD_NUM; i++)
		channel_close(&daemon->links[i]);
	loop_timer_cancel(&daemon->reload_timer);
	loop_timer_cancel(&daemon->space_timer);
	loop_timer_cancel(&daemon->stop_timer);
	daemon->log_remover = log_remover_free(daemon->log_remover);
	daemon->steps = steps_free(daemon->steps);
	daemon->layers = layers_free(daemon->layers);
	daemon->loop = loop_free(daemon->loop);
	daemon->config = config_free(daemon->config);
	listener_set_close(&daemon->webhook_listeners);
	listener_set_close(&daemon->api_listeners);
	(void)close(daemon->api_socket);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool started;

	if (!started)
		start();
	started = true;
	n_fakes = 0;
	house.input = (struct input){data, size};
	house.n_records = 0;
	house.end_usec = 0;
	daemon_make(&house.daemon);
	for (unsigned i = 0; i < PEERS_MAX; i++) {
		house.peers[i] = (struct fuzz_peer){.role = children[i].role, .fd = -1};
		connect_child(i);
	}
	loop_idle_set(house.daemon.loop, feed, NULL);
	if (loop_run(house.daemon.loop) < 0 || !all_ended())
		abort();
	daemon_end(&house.daemon);
	if (remove_tree(AT_FDCWD, top) < 0 || mkdir(top, 0700) < 0)
		abort();
	return 0;
}
