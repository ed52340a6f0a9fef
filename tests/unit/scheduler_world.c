/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/scheduler_world.h"

#include "common/fdio.h"
#include "common/log.h"
#include "common/messages/channels.h"
#include "common/remove_tree.h"
#include "common/step_mask.h"
#include "common/step_payload.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

int fixture_pair(int *ret_theirs)
{
	struct timeval timeout = {.tv_sec = WAIT_SEC};
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), 0);
	*ret_theirs = fds[1];
	return fds[0];
}

void fixture_hello(int fd, enum process_role role)
{
	struct message *hello = MESSAGE_NEW(hello, 0, .version = MESSAGE_VERSION, .role = role);

	assert_int_equal(message_transmit(fd, hello), 0);
}

struct message *fixture_receive_any(int fd, bool events)
{
	for (;;) {
		struct message *message = NULL;

		if (message_receive(fd, &message) != 1)
			return NULL;
		if (message->type != MESSAGE_HELLO && (events || message->type != MESSAGE_EVENT))
			return message;
		(void)message_free(message);
	}
}

struct message *fixture_receive(int fd, enum message_type type)
{
	struct message *message = fixture_receive_any(fd, type == MESSAGE_EVENT);

	assert_non_null(message);
	if (message->type != type)
		fail_msg("expected %s, got %s", message_info(type)->name,
			 message_info(message->type)->name);
	return message;
}

bool fixture_quiet(int fd)
{
	struct timeval some = {.tv_usec = 100000}, timeout = {.tv_sec = WAIT_SEC};
	struct message *message;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &some, sizeof(some)), 0);
	message = fixture_receive_any(fd, false);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), 0);
	if (message)
		print_message("not quiet: %s\n", message_info(message->type)->name);
	(void)message_free(message);
	return !message;
}

int fixture_channel(struct world *world, enum process_role role)
{
	int theirs, ours = fixture_pair(&theirs);

	assert_int_equal(message_transmit(world->daemon,
					  MESSAGE_NEW(channel, 0, .role = role, .socket = theirs)),
			 0);
	close(theirs);
	fixture_hello(ours, role);
	return ours;
}

void config_project(struct world *world, const char *name, uint64_t limit, uint64_t weight,
		    uint64_t workspace)
{
	struct message *message = MESSAGE_NEW(
		config_project, 0, .name = name, .repository = "https://example.org/repository.git",
		.max_running = limit, .weight = weight, .workspace = workspace);

	assert_int_equal(message_transmit(world->daemon, message), 0);
}

void config_begin(struct world *world)
{
	assert_int_equal(message_transmit(world->daemon, MESSAGE_NEW(config_begin, 0, 1)), 0);
}

void config_end(struct world *world)
{
	assert_int_equal(message_transmit(world->daemon, MESSAGE_NEW(config_end, 0, 1)), 0);
}

void world_configure(struct world *world)
{
	struct message *message =
		MESSAGE_NEW(config_scheduler, 0, .instance = world->instance,
			    .max_running = world->max_running, .cpu_milli = 2000, .memory = 1 * GIB,
			    .url = "https://ci.example.org", .timeout_sec = world->timeout_sec);

	config_begin(world);
	assert_int_equal(message_transmit(world->daemon, message), 0);
	config_project(world, "a", 0, 1, 0);
	config_project(world, "b", 1, 1, 0);
	config_project(world, "w", 0, 1, 1);
	if (world->fetch_retry_sec) {
		message = MESSAGE_NEW(config_fetch_retry, 0, .seconds = world->fetch_retry_sec);
		assert_int_equal(message_transmit(world->daemon, message), 0);
	}
	if (world->deliveries_sec) {
		message = MESSAGE_NEW(config_deliveries, 0, .seconds = world->deliveries_sec);
		assert_int_equal(message_transmit(world->daemon, message), 0);
	}
	config_end(world);
}

void world_sync(struct world *world)
{
	assert_int_equal(message_transmit(world->daemon,
					  MESSAGE_NEW(step_synced, 0, .instance = world->instance)),
			 0);
}

void world_start_unsynced(struct world *world)
{
	int theirs;

	world->daemon = fixture_pair(&theirs);
	(void)fflush(NULL);
	world->pid = fork();
	assert_true(world->pid >= 0);
	if (world->pid == 0) {
		struct error error = ERROR_INIT;
		struct store *store = NULL;

		log_open("runbook-scheduler");
		close(world->daemon);
		if (world->file_limit) {
			struct rlimit limit = {world->file_limit, world->file_limit};

			(void)signal(SIGXFSZ, SIG_IGN);
			(void)setrlimit(RLIMIT_FSIZE, &limit);
		}
		if (store_open(world->store, &store, &error) < 0) {
			(void)fprintf(stderr, "%s\n", error.text);
			_exit(9);
		}
		exit(scheduler_serve(theirs, store));
	}
	close(theirs);
	fixture_hello(world->daemon, ROLE_DAEMON);
	if (world->sync_first)
		world_sync(world);
	world_configure(world);
	world->webhook = fixture_channel(world, ROLE_WEBHOOK);
	world->fetcher = fixture_channel(world, ROLE_FETCHER);
	world->api = fixture_channel(world, ROLE_API);
}

void world_start(struct world *world)
{
	world_start_unsynced(world);
	world_sync(world);
}

void world_disconnect(struct world *world)
{
	close(world->daemon);
	close(world->webhook);
	close(world->fetcher);
	close(world->api);
}

void world_kill(struct world *world)
{
	int status;

	assert_int_equal(kill(world->pid, SIGKILL), 0);
	assert_int_equal(waitpid(world->pid, &status, 0), world->pid);
	world_disconnect(world);
}

void world_stop(struct world *world)
{
	int status;

	world_disconnect(world);
	assert_int_equal(waitpid(world->pid, &status, 0), world->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

struct world *world_new(void)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	(void)setenv("RUNBOOK_LOG_TARGET", "stderr", 1);
	(void)setenv("RUNBOOK_LOG_LEVEL", getenv("TEST_LOG") ? getenv("TEST_LOG") : "error", 1);
	(void)snprintf(world->dir, sizeof(world->dir), "/tmp/runbook-scheduler-XXXXXX");
	assert_non_null(mkdtemp(world->dir));
	(void)snprintf(world->store, sizeof(world->store), "%s/runbookd.db", world->dir);
	world->instance = "instance-1";
	world->max_running = 4;
	return world;
}

void world_free(struct world *world)
{
	assert_int_equal(remove_tree(AT_FDCWD, world->dir), 0);
	free(world);
}

/* ---- the webhook process ---- */

void trigger_send(struct world *world, const char *project, const char *delivery, const char *after)
{
	assert_int_equal(message_transmit(world->webhook,
					  MESSAGE_NEW(trigger, ++world->serial, .project = project,
						      .provider = "github", .delivery = delivery,
						      .event = "push", .ref = "refs/heads/main",
						      .before = COMMIT_B, .after = after,
						      .actor = "somebody", .title = "a title")),
			 0);
}

uint64_t trigger_accepted(struct world *world, uint64_t want_duplicate)
{
	struct message *message = fixture_receive(world->webhook, MESSAGE_TRIGGER_ACCEPTED);
	struct message_trigger_accepted accepted;
	char url[64];

	assert_int_equal(MESSAGE_GET(message, trigger_accepted, &accepted), 0);
	assert_int_equal(accepted.duplicate, want_duplicate);
	(void)snprintf(url, sizeof(url), "https://ci.example.org/runs/%llu",
		       (unsigned long long)accepted.run);
	assert_string_equal(accepted.url, url);
	(void)message_free(message);
	return accepted.run;
}

uint64_t trigger(struct world *world, const char *project, const char *delivery, const char *after)
{
	trigger_send(world, project, delivery, after);
	return trigger_accepted(world, 0);
}

uint64_t trigger_refused(struct world *world)
{
	struct message *message = fixture_receive(world->webhook, MESSAGE_TRIGGER_REFUSED);
	struct message_trigger_refused refused;

	assert_int_equal(MESSAGE_GET(message, trigger_refused, &refused), 0);
	assert_true(refused.reason[0]);
	(void)message_free(message);
	return refused.status;
}

/* ---- the fetcher ---- */

uint64_t fetch_expect(struct world *world, const char *commit)
{
	struct message *message = fixture_receive(world->fetcher, MESSAGE_FETCH);
	uint64_t serial = message->serial;
	struct message_fetch fetch;

	assert_int_equal(MESSAGE_GET(message, fetch, &fetch), 0);
	assert_string_equal(fetch.commit, commit);
	world->whose = fetch.whose;
	(void)message_free(message);
	return serial;
}

int text_fd(const char *text)
{
	int fd = memfd_create("runbook.yml", MFD_CLOEXEC);

	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

void fetched_failed(struct world *world, uint64_t serial, enum fetch_outcome outcome,
		    const char *error)
{
	assert_int_equal(
		message_transmit(world->fetcher,
				 MESSAGE_NEW(fetched, serial, .outcome = outcome, .error = error)),
		0);
}

void fetched_send_changed(struct world *world, uint64_t serial, const char *commit,
			  const char *runbook, const char *error, const char *paths)
{
	cleanup_close int fd = runbook ? text_fd(runbook) : -1, paths_fd = -1;
	cleanup_free char *list = strdup(paths ? paths : "");
	size_t size = strlen(list);

	for (char *c = list; *c; c++)
		*c = *c == '\n' ? '\0' : *c;
	if (paths)
		paths_fd = memfd_sealed("paths", list, size);
	assert_int_equal(
		message_transmit(world->fetcher,
				 MESSAGE_NEW(fetched, serial,
					     .outcome = error ? FETCH_UNREACHABLE : FETCH_OK,
					     .commit = commit, .title = "fetched title",
					     .author = "an author", .error = error,
					     .default_branch = "refs/heads/main",
					     .view = error ? NULL : world->view,
					     .view_objects = !error && world->view_objects,
					     .runbook = fd, .paths = paths_fd)),
		0);
}

void fetched_send(struct world *world, uint64_t serial, const char *commit, const char *runbook,
		  const char *error)
{
	fetched_send_changed(world, serial, commit, runbook, error, NULL);
}

void fetch_answer(struct world *world, const char *commit, const char *runbook)
{
	fetched_send(world, fetch_expect(world, commit), commit, runbook, NULL);
}

uint64_t run_start(struct world *world, const char *runbook)
{
	char delivery[24], commit[41];
	uint64_t run;

	(void)snprintf(delivery, sizeof(delivery), "d%llu", (unsigned long long)world->serial);
	(void)snprintf(commit, sizeof(commit), "%040llx", (unsigned long long)world->serial + 1);
	run = trigger(world, "a", delivery, commit);
	fetch_answer(world, commit, runbook);
	return run;
}

/* ---- the daemon ---- */

static void order_payload(struct order *order, int fd)
{
	cleanup_free char *data = NULL;
	char *pointers[256], **argv, **envp;
	size_t size, n = 0;

	assert_int_equal(fd_read_file(fd, STEP_PAYLOAD_MAX, &data, &size), 0);
	assert_int_equal(
		step_payload_parse(data, size, pointers, ARRAY_SIZE(pointers), &argv, &envp), 0);
	for (char **argument = argv; *argument; argument++)
		(void)snprintf(order->command, sizeof(order->command), "%s", *argument);
	for (char **variable = envp; *variable; variable++)
		n += (size_t)snprintf(order->env + n, sizeof(order->env) - n, "%s\n", *variable);
}

static void order_masked(struct order *order, int fd)
{
	struct step_mask mask;
	size_t n = 0;

	assert_int_equal(step_mask_map(fd, &mask), 0);
	for (size_t i = 0; i < mask.n_values; i++)
		n += (size_t)snprintf(order->masked + n, sizeof(order->masked) - n, "%.*s\n",
				      (int)mask.values[i].size, (const char *)mask.values[i].data);
	step_mask_unmap(&mask);
}

static void order_parse(struct message *message, struct order *order)
{
	struct message_step_start start;

	assert_int_equal(MESSAGE_GET(message, step_start, &start), 0);
	*order = (struct order){
		.id = start.order,
		.run = start.run,
		.attempt = start.attempt,
		.timeout_msec = start.timeout_msec,
		.memory = start.memory,
		.uid = start.uid,
		.gid = start.gid,
		.tty = start.tty,
		.n_layers = start.n_layers,
		.objects = start.objects,
	};
	(void)snprintf(order->slug, sizeof(order->slug), "%s", start.slug);
	(void)snprintf(order->name, sizeof(order->name), "%s", start.name);
	(void)snprintf(order->commit, sizeof(order->commit), "%s", start.commit);
	(void)snprintf(order->view, sizeof(order->view), "%s", start.view);
	(void)snprintf(order->workdir, sizeof(order->workdir), "%s", start.workdir);
	if (start.n_layers > 0)
		(void)snprintf(order->layer, sizeof(order->layer), "%s",
			       start.layers[start.n_layers - 1].id);
	order_payload(order, start.payload);
	if (start.mask >= 0)
		order_masked(order, start.mask);
}

void order_expect(struct world *world, struct order *order)
{
	for (;;) {
		cleanup_message struct message *message = fixture_receive_any(world->daemon, false);

		assert_non_null(message);
		if (message->type == MESSAGE_STEP_ACK)
			continue;
		assert_int_equal(message->type, MESSAGE_STEP_START);
		order_parse(message, order);
		return;
	}
}

void order_started(struct world *world, uint64_t order)
{
	assert_int_equal(
		message_transmit(world->daemon,
				 MESSAGE_NEW(step_started, 0, .order = order,
					     .container = "container", .started_usec = 1000)),
		0);
}

void order_used(struct world *world, uint64_t order, enum step_result result, uint64_t code,
		const char *reason, const struct step_usage *usage)
{
	struct message_step_figure figures[STEP_USAGE_NUM];
	size_t n = step_usage_figures(usage, figures);

	assert_int_equal(
		message_transmit(world->daemon,
				 MESSAGE_NEW(step_exited, 0, .order = order, .result = result,
					     .exit_code = result == STEP_RESULT_EXITED ? code : 0,
					     .signal = result == STEP_RESULT_SIGNALED ? code : 0,
					     .reason = reason, .started_usec = 1000,
					     .ended_usec = 2000, .log_bytes = 77,
					     .figures = figures, .n_figures = n)),
		0);
}

void order_result(struct world *world, uint64_t order, enum step_result result, uint64_t code,
		  const char *reason)
{
	order_used(world, order, result, code, reason, &(struct step_usage){.known = 0});
}

void order_exited(struct world *world, uint64_t order, uint64_t code)
{
	order_result(world, order, STEP_RESULT_EXITED, code, "");
}

uint64_t acked_order(struct message *message)
{
	struct message_step_ack ack;

	assert_int_equal(MESSAGE_GET(message, step_ack, &ack), 0);
	return ack.order;
}

uint64_t cancelled_order(struct message *message)
{
	struct message_step_cancel cancel;

	assert_int_equal(MESSAGE_GET(message, step_cancel, &cancel), 0);
	assert_int_equal(cancel.why, STEP_RESULT_CANCELLED);
	return cancel.order;
}

uint64_t started_order(struct message *message)
{
	struct message_step_start start;

	assert_int_equal(MESSAGE_GET(message, step_start, &start), 0);
	return start.order;
}

void ack_expect(struct world *world, uint64_t order)
{
	struct message *message = fixture_receive(world->daemon, MESSAGE_STEP_ACK);

	assert_int_equal(acked_order(message), order);
	(void)message_free(message);
}

/* ---- the api ---- */

json_t *ask_status(struct world *world, const struct ask *ask, unsigned *ret_status)
{
	const struct message_api_request request = {
		.verb = ask->verb,
		.project = ask->project,
		.run = ask->run,
		.page = {.after = ask->after, .limit = ask->limit},
		.source = {.ref = ask->ref, .commit = ask->commit},
		.cancel = {.step = ask->step},
		.retry = {.step = ask->step, .failed = ask->failed},
		.secret = {.env = ask->env, .name = ask->name},
		.content = ask->fd,
	};
	struct message_api_answer answer;
	struct message *message;
	cleanup_free char *text = NULL;
	size_t size;
	json_t *json = NULL;

	message = message_build(&message_format_api_request, ++world->serial, &request);
	assert_int_equal(message_transmit(world->api, message), 0);
	message = fixture_receive(world->api, MESSAGE_API_ANSWER);
	assert_int_equal(message->serial, world->serial);
	assert_int_equal(MESSAGE_GET(message, api_answer, &answer), 0);
	*ret_status = (unsigned)answer.status;
	if (answer.content >= 0) {
		assert_int_equal(fd_read_file(answer.content, 64 * MIB, &text, &size), 0);
		json = json_loadb(text, size, 0, NULL);
		assert_non_null(json);
	} else {
		assert_true(answer.error[0]);
	}
	(void)message_free(message);
	return json;
}

json_t *ask(struct world *world, const struct ask *what)
{
	unsigned status;
	json_t *json = ask_status(world, what, &status);

	if (!json)
		fail_msg("answer %u", status);
	return json;
}

unsigned ask_refused(struct world *world, const struct ask *what)
{
	unsigned status;
	json_t *json = ask_status(world, what, &status);

	assert_null(json);
	return status;
}

const char *member(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

json_int_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

void run_expect(struct world *world, uint64_t run, const char *state, const char *reason)
{
	json_t *json = ask(world, ASK(.verb = API_RUN, .run = run));

	assert_string_equal(member(json, "state"), state);
	if (reason)
		assert_string_equal(member(json, "reason"), reason);
	json_decref(json);
}

void step_expect(struct world *world, uint64_t run, const char *slug, const char *state,
		 const char *reason)
{
	json_t *json = ask(world, ASK(.verb = API_RUN, .run = run)), *step;
	size_t i;

	json_array_foreach (json_object_get(json, "steps"), i, step) {
		if (strcmp(member(step, "slug"), slug) != 0)
			continue;
		assert_string_equal(member(step, "state"), state);
		if (reason)
			assert_string_equal(member(step, "reason"), reason);
		json_decref(json);
		return;
	}
	fail_msg("no step %s", slug);
}
