/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each allocation of each handler fails once: the handler must still answer its request, or
 * close the connection. A handler that did neither would leave the client waiting.
 *
 * Functions of the same names replace libmicrohttpd: a handler runs in this thread, and its
 * response is recorded. A thread that replies to each message stands for the other programs.
 */
#include "tests/unit/cmocka_headers.h"

#include "api/handlers.h"
#include "api/upload.h"
#include "common/cleanup.h"
#include "common/message_table.h"
#include "common/messages/api.h"
#include "common/messages/artifacts.h"
#include "common/messages/host.h"
#include "common/messages/images.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* The sanitizers have an allocator of their own, which cannot be replaced. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define REPLACED 0
#elif defined(__has_feature)
#define REPLACED (!__has_feature(address_sanitizer) && !__has_feature(memory_sanitizer))
#else
#define REPLACED 1
#endif

/* in the handler's thread: the number of the allocation that fails, counted down; 0: none */
static _Thread_local unsigned countdown;

#if REPLACED
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);

static bool fails(void)
{
	if (countdown == 0 || --countdown > 0)
		return false;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
	return fails() ? NULL : __libc_realloc(old, size);
}
#endif

/* ---- libmicrohttpd ---- */

static struct {
	unsigned n; /* answers that were queued */
	unsigned status;
} queued;

struct MHD_Response {
	int fd; /* -1 */
	void *text;
};

static struct MHD_Response *response_new(int fd, void *text)
{
	struct MHD_Response *response = malloc(sizeof(*response));

	if (response)
		*response = (struct MHD_Response){fd, text};
	return response;
}

struct MHD_Response *MHD_create_response_from_buffer(size_t size, void *buffer,
						     enum MHD_ResponseMemoryMode mode)
{
	return response_new(-1, mode == MHD_RESPMEM_MUST_FREE ? buffer : NULL);
}

struct MHD_Response *MHD_create_response_from_fd64(uint64_t size, int fd)
{
	return response_new(fd, NULL);
}

void MHD_destroy_response(struct MHD_Response *response)
{
	if (response->fd >= 0)
		(void)close(response->fd);
	free(response->text);
	free(response);
}

enum MHD_Result MHD_add_response_header(struct MHD_Response *response, const char *header,
					const char *content)
{
	return MHD_YES;
}

const char *MHD_get_response_header(struct MHD_Response *response, const char *key)
{
	return NULL;
}

enum MHD_Result MHD_queue_response(struct MHD_Connection *connection, unsigned int status,
				   struct MHD_Response *response)
{
	queued.n++;
	queued.status = status;
	return MHD_YES;
}

const char *MHD_lookup_connection_value(struct MHD_Connection *connection, enum MHD_ValueKind kind,
					const char *key)
{
	return NULL;
}

/* ---- the other programs ---- */

static struct api api;
static struct loop *loop;
static pthread_t loop_thread;
static struct channel others[4]; /* their ends, on the same loop */

static const char run_json[] = "{\"project\":\"p\",\"state\":\"succeeded\",\"steps\":[]}";

static int on_question(struct channel *channel, struct message *question)
{
	cleanup_close int fd = memfd_create("answer", MFD_CLOEXEC);
	uint64_t serial = question->serial;
	struct message *answer = NULL;
	const ssize_t size = (ssize_t)strlen(run_json);

	assert_true(fd >= 0 && write(fd, run_json, strlen(run_json)) == size);
	switch (question->type) {
	case MESSAGE_API_REQUEST:
		answer = MESSAGE_NEW(api_answer, serial, .status = 200, .content = fd);
		break;
	case MESSAGE_IMAGE_REQUEST:
		answer = MESSAGE_NEW(image_answer, serial, .status = 200, .content = fd);
		break;
	case MESSAGE_ARTIFACT_LIST:
		answer = MESSAGE_NEW(artifact_listed, serial, .status = 200, .list = fd);
		break;
	case MESSAGE_ARTIFACT_OPEN:
		answer = MESSAGE_NEW(artifact_opened, serial, .status = 200, .kind = "file",
				     .size = (uint64_t)size, .content = fd);
		break;
	case MESSAGE_ARTIFACT_PUT:
		answer = MESSAGE_NEW(artifact_kept, serial, .status = 200);
		break;
	case MESSAGE_RELOAD:
		answer = MESSAGE_NEW(reloaded, serial);
		break;
	default:
		fail_msg("question %d", question->type);
	}
	return channel_send(channel, answer);
}

static const struct message_handler questions[] = {
	{MESSAGE_API_REQUEST, on_question},   {MESSAGE_IMAGE_REQUEST, on_question},
	{MESSAGE_ARTIFACT_LIST, on_question}, {MESSAGE_ARTIFACT_OPEN, on_question},
	{MESSAGE_ARTIFACT_PUT, on_question},  {MESSAGE_RELOAD, on_question},
};

static int on_answer(struct channel *channel, struct message *message)
{
	return peers_answer(api.peers, message);
}

static const struct message_handler answers[] = {
	{MESSAGE_API_ANSWER, on_answer},      {MESSAGE_IMAGE_ANSWER, on_answer},
	{MESSAGE_ARTIFACT_LISTED, on_answer}, {MESSAGE_ARTIFACT_OPENED, on_answer},
	{MESSAGE_ARTIFACT_KEPT, on_answer},   {MESSAGE_RELOADED, on_answer},
};

static void *loop_main(void *userdata)
{
	(void)loop_run(loop);
	return NULL;
}

static int setup(void **state)
{
	static const enum process_role roles[] = {ROLE_DAEMON, ROLE_SCHEDULER, ROLE_CACHER,
						  ROLE_IMAGE};

	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(peers_new(loop, &api.peers), 0);
	api.log_fd = api.upload_fd = -1;
	for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
		assert_int_equal(
			peers_attach(api.peers, roles[i], pair[0], answers, ARRAY_SIZE(answers)),
			0);
		assert_int_equal(channel_open(&others[i], loop, pair[1], roles[i], ROLE_API,
					      questions, ARRAY_SIZE(questions), NULL, NULL),
				 0);
	}
	return pthread_create(&loop_thread, NULL, loop_main, NULL);
}

/* ---- the handlers ---- */

static const struct route routes[] = {
	{"GET", "query", BODY_NONE, API_RUNS, handle_query},
	{"POST", "command", BODY_JSON, API_RUN_CANCEL, handle_command},
	{"GET", "health", BODY_NONE, 0, handle_health},
	{"POST", "reload", BODY_JSON, 0, handle_reload},
	{"POST", "backup", BODY_JSON, API_BACKUP, handle_backup},
	{"POST", "gc", BODY_JSON, API_GC, handle_gc},
	{"GET", "artifacts", BODY_NONE, 0, handle_artifacts},
	{"GET", "artifact", BODY_NONE, 0, handle_artifact},
	{"PUT", "put", BODY_ARTIFACT, 0, handle_artifact_put},
	{"GET", "images", BODY_NONE, IMAGE_LIST, handle_images},
	{"POST", "image", BODY_JSON, IMAGE_PRUNE, handle_image_change},
	{"GET", "secrets", BODY_NONE, API_SECRETS, handle_secrets},
	{"GET", "page", BODY_NONE, 0, handle_page},
	{"GET", "style", BODY_NONE, 0, handle_style},
};

/* Return: true when no allocation failed, because there were fewer than @fail_at. */
static bool handled(const struct route *route, unsigned fail_at)
{
	struct http_request request = {
		.api = &api,
		.local = true,
		.route = route,
		.match = {.project = "p", .run = 1, .key = "k"},
		.upload_fd = -1,
		.result = MHD_YES,
	};
	bool all;

	if (route->body == BODY_ARTIFACT)
		request.upload_fd = memfd_create("upload", MFD_CLOEXEC);
	queued.n = 0;
	countdown = fail_at;
	route->handle(&request);
	all = countdown > 0 || fail_at == 0;
	countdown = 0;
	if (request.upload_fd >= 0)
		(void)close(request.upload_fd);
	if (!request.answered)
		fail_msg("%s: no answer when allocation %u fails", route->pattern, fail_at);
	/* a response, or the connection is closed */
	assert_int_equal(queued.n, request.result == MHD_YES ? 1 : 0);
	if (fail_at == 0)
		assert_true(queued.n == 1 && queued.status / 100 == 2);
	return all;
}

static void test_each_handler_answers(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++)
		(void)handled(&routes[i], 0);
}

static void test_none_is_silent_without_memory(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		unsigned n = 1;

		while (!handled(&routes[i], n))
			n++;
		if (REPLACED)
			assert_true(n > 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_handler_answers),
		cmocka_unit_test(test_none_is_silent_without_memory),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
