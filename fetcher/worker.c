/* SPDX-License-Identifier: Apache-2.0 */
#include "fetcher/worker.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/message_table.h"
#include "common/messages/fetching.h"
#include "common/messages/starter.h"
#include "common/names.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOB_BUFFER_MAX (256 * 1024) /* CONFIG_REPOSITORY and FETCH wait in the socket */

/* ---- the end of a child ---- */

/* The starter kills the child and then reports FETCH_CHILD_ENDED. */
static void worker_kill(const struct worker *worker)
{
	struct workers *workers = worker->workers;
	int r = channel_send(&workers->starter,
			     MESSAGE_NEW(fetch_child_kill, 0, .child = worker->number));

	if (r == 0 || r == -ENOTCONN)
		return;
	log_error("cannot have a fetching process killed: %s: ending", strerror(-r));
	loop_exit(workers->loop, 1);
}

/* Set the result of a child that sent none, by how it ended. */
static void worker_describe_end(struct worker *worker, int error, int status)
{
	struct fetch_result *result = &worker->result;

	if (error)
		(void)fetch_fail(result, FETCH_UNREACHABLE, "cannot start a fetching process: %s",
				 strerror(error));
	else if (worker->late)
		(void)fetch_fail(
			result, FETCH_UNREACHABLE,
			"the fetch took longer than %" PRIu64 " s and was stopped; check "
			"that the remote answers, or fetch from a nearer or smaller mirror",
			worker->workers->limits->timeout_sec);
	else if (WIFSIGNALED(status))
		(void)fetch_fail(result, FETCH_UNREACHABLE,
				 "the fetching process died of signal %d (%s); see the log for the "
				 "cause, then retry",
				 WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		(void)fetch_fail(
			result, FETCH_UNREACHABLE,
			"the fetching process ended with %d, without a result; see the log",
			WEXITSTATUS(status));
}

static void worker_end(struct worker *worker, int error, int status)
{
	loop_timer_cancel(&worker->deadline);
	loop_remove(&worker->socket_file);
	(void)close(worker->socket_fd);
	worker->socket_fd = -1;
	worker->killed = !worker->answered && !worker->late && WIFSIGNALED(status) &&
			 WTERMSIG(status) == SIGKILL;
	if (!worker->answered)
		worker_describe_end(worker, error, status);
	worker->workers->running[worker->number] = NULL;
	worker->workers = NULL;
	worker->done(worker);
}

static int pruned_take(const struct message_mirror_pruned *pruned, struct fetch_result *ret_result)
{
	struct fetch_result result = {.freed = pruned->freed};

	result.branches_known = pruned->branches >= 0;
	result.branches_fd = pruned->branches;
	result.outcome = *pruned->error ? FETCH_UNREACHABLE : FETCH_OK;
	text_first_line(result.error.text, sizeof(result.error.text), pruned->error,
			strlen(pruned->error));
	*ret_result = result;
	return 0;
}

static int pruned_read(struct message *message, struct fetch_result *ret_result)
{
	struct message_mirror_pruned pruned;
	int r = MESSAGE_GET(message, mirror_pruned, &pruned);

	if (r < 0)
		return r;
	pruned.branches = message_take_fd(message, pruned.branches);
	return pruned_take(&pruned, ret_result);
}

static int removed_read(struct message *message, struct fetch_result *ret_result)
{
	struct message_tree_removed removed;
	int r = MESSAGE_GET(message, tree_removed, &removed);

	if (r < 0)
		return r;
	return pruned_take(&(const struct message_mirror_pruned){.freed = removed.freed,
								 .error = removed.error,
								 .branches = -1},
			   ret_result);
}

/* Could an intact child send this? */
static bool fetched_valid(const struct message_fetched *fetched)
{
	bool ok = fetched->outcome == FETCH_OK;

	if ((fetched->paths >= 0 && !ok) ||
	    (*fetched->default_branch && !ref_name_valid(fetched->default_branch)))
		return false;
	if (!text_line_valid(fetched->title) || !text_line_valid(fetched->author))
		return false;
	if (ok ? !commit_valid(fetched->commit)
	       : *fetched->commit || *fetched->view || !*fetched->error)
		return false;
	if ((*fetched->view && !commit_valid(fetched->view)) ||
	    (fetched->view_objects && !*fetched->view))
		return false;
	/* only the service sets these, when it opens the runbook */
	return fetched->runbook < 0 && !*fetched->misnamed;
}

static int fetched_read(struct message *message, struct fetch_result *ret_result)
{
	struct fetch_result result = {.outcome = FETCH_OK};
	struct message_fetched fetched;
	int r = MESSAGE_GET(message, fetched, &fetched);

	if (r < 0)
		return r;
	if (!fetched_valid(&fetched))
		return -EBADMSG;
	result.outcome = fetched.outcome;
	memcpy(result.commit, fetched.commit, strlen(fetched.commit) + 1);
	memcpy(result.title, fetched.title, strlen(fetched.title) + 1);
	memcpy(result.author, fetched.author, strlen(fetched.author) + 1);
	memcpy(result.default_branch, fetched.default_branch, strlen(fetched.default_branch) + 1);
	memcpy(result.view, fetched.view, strlen(fetched.view) + 1);
	result.view_objects = fetched.view_objects;
	text_first_line(result.error.text, sizeof(result.error.text), fetched.error,
			strlen(fetched.error));
	result.paths_known = fetched.paths >= 0;
	result.paths_fd = message_take_fd(message, fetched.paths);
	*ret_result = result;
	return 0;
}

int worker_result_read(struct message *message, struct fetch_result *ret_result)
{
	switch (message->type) {
	case MESSAGE_FETCHED:
		return fetched_read(message, ret_result);
	case MESSAGE_TREE_REMOVED:
		return removed_read(message, ret_result);
	default:
		return pruned_read(message, ret_result);
	}
}

static void on_answer(struct loop_file *file, uint32_t events)
{
	struct worker *worker = container_of(file, struct worker, socket_file);
	cleanup_message struct message *message = NULL;
	int r = message_receive(worker->socket_fd, &message);

	loop_remove(file); /* a child sends one result; the starter reports its end */
	if (r == 0)
		return;
	if (r < 0 || message->type != worker->answer ||
	    worker_result_read(message, &worker->result) < 0) {
		log_error("a fetching process sent a malformed result: it is killed");
		worker_kill(worker);
		return;
	}
	worker->answered = true;
}

static int on_ended(struct channel *channel, struct message *message)
{
	struct workers *workers = channel->userdata;
	struct message_fetch_child_ended ended;
	struct worker *worker;
	int r = MESSAGE_GET(message, fetch_child_ended, &ended);

	if (r < 0)
		return r;
	worker = workers->running[ended.child];
	if (!worker)
		return -EBADMSG;
	/* the result may still be unread in the child's socket */
	if (worker->socket_file.loop)
		on_answer(&worker->socket_file, EPOLLIN);
	worker_end(worker, (int)ended.error, (int)ended.status);
	return 0;
}

static void on_deadline(struct loop_timer *timer)
{
	struct worker *worker = container_of(timer, struct worker, deadline);

	worker->late = !worker->answered;
	worker_kill(worker);
}

/* ---- the starter ---- */

static const struct message_handler starter_handlers[] = {
	{MESSAGE_FETCH_CHILD_ENDED, on_ended},
};

static void on_starter_closed(struct channel *channel)
{
	const struct workers *workers = channel->userdata;

	log_error("the process that starts fetching processes is gone: ending");
	loop_exit(workers->loop, 1);
}

int workers_open(struct workers *workers, struct loop *loop, pid_t starter_pid, int starter_fd,
		 const struct fetch_limits *limits)
{
	*workers = (struct workers){.loop = loop, .starter_pid = starter_pid, .limits = limits};
	return channel_open(&workers->starter, loop, starter_fd, ROLE_FETCHER, ROLE_STARTER,
			    starter_handlers, ARRAY_SIZE(starter_handlers), on_starter_closed,
			    workers);
}

void workers_close(struct workers *workers)
{
	channel_close(&workers->starter);
	while (waitpid(workers->starter_pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* ---- the start of a child ---- */

/* Put the configuration, if any, and the job into the socket. Consumes @job. */
static int job_send(int fd, const struct repository *repository, struct message *job)
{
	struct message *config = NULL;
	int r;

	if (repository) {
		config = repository_write(repository);
		if (!config) {
			(void)message_free(job);
			return -ENOMEM;
		}
		r = message_transmit(fd, config);
		if (r < 0) {
			(void)message_free(job);
			return r;
		}
	}
	return message_transmit(fd, job);
}

/* Make the socket pair and put the job into it, before the child exists. */
static int worker_sockets(struct worker *worker, const struct repository *repository,
			  struct message *job, int *ret_child_fd)
{
	int fds[2];
	int size = JOB_BUFFER_MAX;
	int r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
		r = -errno;
		(void)message_free(job);
		return r;
	}
	(void)setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	r = job_send(fds[0], repository, job);
	if (r < 0) {
		(void)close(fds[0]);
		(void)close(fds[1]);
		return r;
	}
	worker->socket_fd = fds[0];
	*ret_child_fd = fds[1];
	return 0;
}

static enum message_type answer_to(enum message_type job)
{
	switch (job) {
	case MESSAGE_TREE_REMOVE:
		return MESSAGE_TREE_REMOVED;
	case MESSAGE_MIRROR_PRUNE:
		return MESSAGE_MIRROR_PRUNED;
	default:
		return MESSAGE_FETCHED;
	}
}

/* A number that no running child has. Return: FETCH_PARALLEL_MAX when all are taken. */
static size_t number_find(const struct workers *workers)
{
	size_t number = 0;

	while (number < ARRAY_SIZE(workers->running) && workers->running[number])
		number++;
	return number;
}

int worker_start(struct workers *workers, struct worker *worker,
		 const struct repository *repository, struct message *job, worker_done_fn done,
		 struct error *error)
{
	cleanup_close int child_fd = -1;
	int r;

	*worker = WORKER_NULL;
	worker->done = done;
	worker->answer = answer_to(job->type);
	worker->number = number_find(workers);
	r = worker_sockets(worker, repository, job, &child_fd);
	if (r < 0)
		return error_errno(error, -r, "cannot pass the job to the fetching process");
	r = worker->number < ARRAY_SIZE(workers->running) ? 0 : -EBUSY;
	if (r == 0)
		r = loop_add(workers->loop, &worker->socket_file, worker->socket_fd, EPOLLIN,
			     on_answer);
	if (r == 0)
		r = loop_timer_set(workers->loop, &worker->deadline,
				   now_usec() + workers->limits->timeout_sec * USEC_PER_SEC,
				   on_deadline);
	if (r == 0)
		r = channel_send(&workers->starter,
				 MESSAGE_NEW(fetch_child_start, 0, .child = worker->number,
					     .job = child_fd));
	if (r == 0) {
		worker->workers = workers;
		workers->running[worker->number] = worker;
		return 0;
	}
	loop_timer_cancel(&worker->deadline);
	loop_remove(&worker->socket_file);
	(void)close(worker->socket_fd);
	*worker = WORKER_NULL;
	return error_errno(error, -r, "cannot start a fetching process");
}
