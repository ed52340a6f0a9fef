/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/children.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/message_ids.h"
#include "common/messages/channels.h"
#include "common/process_spawn.h"
#include "daemon/config_send.h"
#include "daemon/daemon.h"
#include "daemon/program_path.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define BACKOFF_FIRST_USEC (100 * USEC_PER_MSEC)
#define BACKOFF_LAST_USEC (10 * USEC_PER_SEC)
#define BACKOFF_FORGIVEN_USEC (60 * USEC_PER_SEC)
#define GREETING_USEC (30 * USEC_PER_SEC)
#define MISBEHAVED_USEC (1 * USEC_PER_SEC)
#define STOP_USEC (5 * USEC_PER_SEC)
#define RECONNECT_PAUSE_USEC (1 * USEC_PER_SEC)

static const struct {
	enum process_role role;
	const char *program;
} child_specs[CHILD_NUM] = {
	[CHILD_SCHEDULER] = {ROLE_SCHEDULER, "runbook-scheduler"},
	[CHILD_FETCHER] = {ROLE_FETCHER, "runbook-fetcher"},
	[CHILD_CACHER] = {ROLE_CACHER, "runbook-cacher"},
	[CHILD_WEBHOOK] = {ROLE_WEBHOOK, "runbook-webhook"},
	[CHILD_API] = {ROLE_API, "runbook-api"},
	[CHILD_IMAGE] = {ROLE_IMAGE, "runbook-image"},
};

/* The channels between children, which runbookd makes and never reads. */
static const struct {
	enum child_index a, b;
} peers[] = {
	{CHILD_WEBHOOK, CHILD_SCHEDULER}, {CHILD_API, CHILD_SCHEDULER},
	{CHILD_SCHEDULER, CHILD_FETCHER}, {CHILD_API, CHILD_CACHER},
	{CHILD_SCHEDULER, CHILD_IMAGE},	  {CHILD_API, CHILD_IMAGE},
	{CHILD_SCHEDULER, CHILD_CACHER},
};

/* Variables of our environment that children get. */
static const char *const kept_environment[] = {
	"PATH",
	"LANG",
	"TZ",
	"RUNBOOK_LOG_LEVEL",
	"RUNBOOK_LOG_TARGET",
	"JOURNAL_STREAM",
	"ASAN_OPTIONS",
	"UBSAN_OPTIONS",
	"SSL_CERT_FILE",
	"SSL_CERT_DIR",
	/* for skopeo; our own programs do not read them */
	"HTTP_PROXY",
	"HTTPS_PROXY",
	"NO_PROXY",
};

extern char **environ;

static struct channel *channel_of(const struct child *child)
{
	return link_to(child->daemon, (enum child_index)(child - child->daemon->children));
}

static struct child *child_of(const struct channel *channel)
{
	struct daemon *daemon = channel->userdata;

	return &daemon->children[link_index(daemon, channel)];
}

static int child_spawn(struct child *child, struct error *error);
static void child_respawn(struct loop_timer *timer);

static void respawn_later(struct child *child)
{
	(void)loop_timer_set(child->daemon->loop, &child->timer, now_usec() + child->backoff_usec,
			     child_respawn);
}

static void backoff_grow(struct child *child)
{
	child->backoff_usec *= 2;
	if (child->backoff_usec > BACKOFF_LAST_USEC)
		child->backoff_usec = BACKOFF_LAST_USEC;
}

static void child_respawn(struct loop_timer *timer)
{
	struct child *child = container_of(timer, struct child, timer);
	struct error error = ERROR_INIT;

	if (child_spawn(child, &error) == 0)
		return;
	log_error("cannot start %s: %s", child->program, error.text);
	backoff_grow(child);
	respawn_later(child);
}

static void child_kill(struct child *child)
{
	if (child->pid > 0 && pidfd_send_signal(child->pidfd, SIGKILL, NULL, 0) < 0)
		log_error("cannot kill %s: %s", child->program, strerror(errno));
}

/* A deadline has passed: of HELLO, or of the exit after the channel was closed. */
static void child_overdue(struct loop_timer *timer)
{
	struct child *child = container_of(timer, struct child, timer);

	log_error("%s (pid %d) %s; killing it", child->program, child->pid,
		  channel_of(child)->open ? "did not greet in time" : "did not end in time");
	child_kill(child);
}

static void log_end(const struct child *child, const siginfo_t *info)
{
	enum log_level level =
		daemon_state_ends(child->daemon->state) ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR;
	const struct log_field fields[] = {
		{"MESSAGE_ID", MESSAGE_ID_PART_DIED},
		{"RUNBOOK_PART", child->program},
	};

	if (info->si_code == CLD_EXITED)
		log_fields(level, fields, ARRAY_SIZE(fields), "%s (pid %d) ended with exit code %d",
			   child->program, child->pid, info->si_status);
	else
		log_fields(level, fields, ARRAY_SIZE(fields),
			   "%s (pid %d) was killed by signal %d (%s)", child->program, child->pid,
			   info->si_status, strsignal(info->si_status));
}

static void child_ended(struct loop_file *file, uint32_t events)
{
	struct child *child = container_of(file, struct child, pid_file);
	struct daemon *daemon = child->daemon;
	uint64_t lived = now_usec() - child->started_usec;
	siginfo_t info = {.si_pid = 0};

	if (waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0)
		return; /* it has not exited yet */
	log_end(child, &info);
	loop_remove(&child->pid_file);
	(void)close(child->pidfd);
	child->pidfd = -1;
	child->pid = 0;
	channel_close(channel_of(child));
	loop_timer_cancel(&child->timer);
	if (!daemon_state_ends(daemon->state)) {
		if (lived >= BACKOFF_FORGIVEN_USEC)
			child->backoff_usec = BACKOFF_FIRST_USEC;
		respawn_later(child);
		backoff_grow(child);
	}
	daemon->child_hooks.gone(daemon, (enum child_index)(child - daemon->children));
}

/* The child closed its channel or sent a message that is not allowed: it has to exit. */
static void child_channel_closed(struct channel *channel)
{
	struct child *child = child_of(channel);

	if (child->pid > 0)
		(void)loop_timer_set(child->daemon->loop, &child->timer,
				     now_usec() + MISBEHAVED_USEC, child_overdue);
}

static char **child_environment(char *storage[], size_t room)
{
	size_t n = 0;

	for (char **entry = environ; *entry && n + 1 < room; entry++) {
		size_t length = strcspn(*entry, "=");

		for (size_t i = 0; i < ARRAY_SIZE(kept_environment); i++) {
			if (strlen(kept_environment[i]) == length &&
			    strncmp(*entry, kept_environment[i], length) == 0) {
				storage[n++] = *entry;
				break;
			}
		}
	}
	storage[n] = NULL;
	return storage;
}

/* In a process group of its own: Ctrl-C at the terminal must not end children before steps. */
static int spawn_program(struct child *child, const char *path, int channel_fd, pid_t *ret_pid)
{
	char *argv[] = {(char *)child->program, NULL, NULL, NULL, NULL, NULL};
	char *storage[ARRAY_SIZE(kept_environment) + 1];
	const struct process_fd fds[] = {{-1, 0}, {channel_fd, 3}};
	const struct process_request request = {
		.argv = argv,
		.envp = child_environment(storage, ARRAY_SIZE(storage)),
		.fds = fds,
		.n_fds = ARRAY_SIZE(fds),
		.own_group = true,
	};
	size_t n_argv = 1;

	if (child->daemon->paths.root[0] != '\0') {
		argv[n_argv++] = (char *)"--root";
		argv[n_argv++] = child->daemon->paths.root;
	}
	if (child->role == ROLE_IMAGE) {
		argv[n_argv++] = (char *)"--store";
		argv[n_argv] = child->daemon->images_dir;
	}
	return process_spawn(path, &request, ret_pid);
}

static int child_spawn(struct child *child, struct error *error)
{
	struct daemon *daemon = child->daemon;
	char path[PATH_MAX];
	int pair[2];
	int r;

	if (program_path_find(child->program, path, error) < 0)
		return -error->number;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(error, errno, "cannot make a channel");
	r = spawn_program(child, path, pair[1], &child->pid);
	(void)close(pair[1]);
	if (r < 0) {
		child->pid = 0;
		(void)close(pair[0]);
		return error_errno(error, -r, "cannot execute %s", path);
	}
	child->started_usec = now_usec();
	/* no race: the pid is not used again until we reap the child */
	child->pidfd = pidfd_open(child->pid, 0);
	r = child->pidfd < 0 ? -errno : 0;
	if (r == 0)
		r = loop_add(daemon->loop, &child->pid_file, child->pidfd, EPOLLIN, child_ended);
	if (r < 0) {
		/* without a pidfd its end could not be noticed */
		(void)kill(child->pid, SIGKILL);
		(void)waitpid(child->pid, NULL, 0);
		child->pid = 0;
		(void)close(pair[0]);
		return error_errno(error, -r, "cannot watch %s", child->program);
	}
	(void)loop_timer_set(daemon->loop, &child->timer, now_usec() + GREETING_USEC,
			     child_overdue);
	r = channel_open(channel_of(child), daemon->loop, pair[0], ROLE_DAEMON, child->role,
			 daemon->child_hooks.requests, daemon->child_hooks.n_requests,
			 child_channel_closed, daemon);
	if (r < 0)
		child_kill(child); /* child_ended() follows, which starts it again */
	return 0;
}

/* Send each its end of a new channel, which replaces the channel that it had to the other. */
static void peers_connect(struct child *a, struct child *b)
{
	struct child *sides[2] = {a, b};
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		log_error("cannot make a channel between %s and %s: %s", a->program, b->program,
			  strerror(errno));
		return;
	}
	for (int i = 0; i < 2; i++) {
		struct message *message =
			MESSAGE_NEW(channel, 0, .role = sides[1 - i]->role, .socket = pair[i]);

		if (channel_send(channel_of(sides[i]), message) < 0)
			log_error("cannot send %s its channel to %s", sides[i]->program,
				  sides[1 - i]->program);
	}
	a->connected_usec[b - a->daemon->children] = now_usec();
	b->connected_usec[a - a->daemon->children] = now_usec();
	(void)close(pair[0]);
	(void)close(pair[1]);
}

int child_channel_lost(struct channel *channel, struct message *message)
{
	struct daemon *daemon = channel->userdata;
	enum child_index index = link_index(daemon, channel);
	struct message_channel_lost lost;
	int r = MESSAGE_GET(message, channel_lost, &lost);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
		struct child *a = &daemon->children[peers[i].a];
		struct child *b = &daemon->children[peers[i].b];
		struct child *other = peers[i].a == index ? b : a;

		if ((peers[i].a != index && peers[i].b != index) || other->role != lost.role)
			continue;
		if (!link_ready(daemon, peers[i].a) || !link_ready(daemon, peers[i].b) ||
		    now_usec() - a->connected_usec[peers[i].b] < RECONNECT_PAUSE_USEC)
			return 0;
		log_notice("the channel between %s and %s was closed: making another one",
			   a->program, b->program);
		peers_connect(a, b);
		return 0;
	}
	return -EBADMSG;
}

int child_greeted(struct channel *channel, struct message *message)
{
	struct daemon *daemon = channel->userdata;
	enum child_index index = link_index(daemon, channel);
	struct child *child = &daemon->children[index];

	loop_timer_cancel(&child->timer);
	log_info("%s is up (pid %d)", child->program, child->pid);
	config_send(daemon, index);
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
		struct child *a = &daemon->children[peers[i].a];
		struct child *b = &daemon->children[peers[i].b];

		if ((peers[i].a == index || peers[i].b == index) &&
		    link_ready(daemon, peers[i].a) && link_ready(daemon, peers[i].b))
			peers_connect(a, b);
	}
	daemon->child_hooks.greeted(daemon, index);
	return 0;
}

void children_start(struct daemon *daemon)
{
	for (int i = 0; i < CHILD_NUM; i++) {
		struct child *child = &daemon->children[i];

		*child = (struct child){
			.daemon = daemon,
			.role = child_specs[i].role,
			.program = child_specs[i].program,
			.pidfd = -1,
			.pid_file = LOOP_FILE_NULL,
			.timer = LOOP_TIMER_NULL,
			.backoff_usec = BACKOFF_FIRST_USEC,
		};
		child_respawn(&child->timer);
	}
}

bool children_greeted(const struct daemon *daemon)
{
	for (int i = 0; i < CHILD_NUM; i++) {
		if (!link_ready(daemon, (enum child_index)i))
			return false;
	}
	return true;
}

void children_send_config(struct daemon *daemon)
{
	for (int i = 0; i < CHILD_NUM; i++) {
		if (link_ready(daemon, (enum child_index)i))
			config_send(daemon, (enum child_index)i);
	}
}

void children_stop(struct daemon *daemon)
{
	for (int i = 0; i < CHILD_NUM; i++) {
		struct child *child = &daemon->children[i];

		channel_close(channel_of(child));
		loop_timer_cancel(&child->timer);
		if (child->pid > 0)
			(void)loop_timer_set(daemon->loop, &child->timer, now_usec() + STOP_USEC,
					     child_overdue);
	}
}

bool children_gone(const struct daemon *daemon)
{
	for (int i = 0; i < CHILD_NUM; i++) {
		if (daemon->children[i].pid > 0)
			return false;
	}
	return true;
}
