/* SPDX-License-Identifier: Apache-2.0 */

/* The pump with both engines: logs are complete and ordered, memory is bounded, and every way in
 * which a step ends is handled. */

#include "common/cleanup.h"
#include "common/fdio.h"
#include "daemon/log_pump.h"

#include "tests/unit/cmocka_headers.h"
#include "tests/unit/mask_model.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct fixture {
	struct loop *loop;
	struct log_pump *pump;
	struct log_sink *sink;
	int log_fd, index_fd; /* our own duplicates, to look at */
	int write_fds[2];
	bool done;
	struct log_result result;
	struct loop_timer timer;
};

static void pump_done(void *userdata, const struct log_result *result)
{
	struct fixture *fixture = userdata;

	assert_false(fixture->done);
	fixture->done = true;
	fixture->result = *result;
	fixture->sink = NULL;
	loop_exit(fixture->loop, 0);
}

static enum io_engine_kind kind_of(void **state)
{
	return *(const enum io_engine_kind *)*state;
}

static void open_sink(struct fixture *fixture, int log_fd)
{
	struct error error = ERROR_INIT;
	int out[2], err[2];

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	(void)fcntl(out[0], F_SETPIPE_SZ, (int)LOG_PIPE_SIZE);
	(void)fcntl(err[0], F_SETPIPE_SZ, (int)LOG_PIPE_SIZE);
	fixture->log_fd = log_fd;
	fixture->index_fd = memfd_create("index", MFD_CLOEXEC);
	fixture->write_fds[0] = out[1];
	fixture->write_fds[1] = err[1];
	assert_int_equal(log_pump_open(fixture->pump, dup(fixture->log_fd), dup(fixture->index_fd),
				       out[0], err[0], wall_usec(), pump_done, fixture,
				       &fixture->sink, &error),
			 0);
}

static void setup(struct fixture *fixture, void **state)
{
	struct error error = ERROR_INIT;

	memset(fixture, 0, sizeof(*fixture));
	fixture->timer = LOOP_TIMER_NULL;
	assert_int_equal(loop_new(&fixture->loop), 0);
	assert_int_equal(log_pump_new(fixture->loop, kind_of(state), &fixture->pump, &error), 0);
	open_sink(fixture, memfd_create("log", MFD_CLOEXEC));
}

static void teardown(struct fixture *fixture)
{
	fixture->pump = log_pump_free(fixture->pump);
	fixture->loop = loop_free(fixture->loop);
	(void)close(fixture->log_fd);
	(void)close(fixture->index_fd);
}

static void close_writers(struct fixture *fixture)
{
	(void)close(fixture->write_fds[0]);
	(void)close(fixture->write_fds[1]);
}

static uint64_t file_size(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return (uint64_t)st.st_size;
}

/* Checks the index against the log: ordered, complete, known streams. Return: records. */
static size_t check_index(const struct fixture *fixture, uint64_t per_stream[2])
{
	struct log_index_header header;
	const uint64_t begin = sizeof(header) + LOG_CUT_RECORDS * sizeof(struct log_index_record);
	uint64_t size = file_size(fixture->index_fd);
	size_t n = (size - begin) / sizeof(struct log_index_record);
	struct log_index_record *records = calloc(n + 1, sizeof(*records));

	assert_non_null(records);
	assert_int_equal((size - sizeof(header)) % sizeof(*records), 0);
	assert_int_equal(pread(fixture->index_fd, &header, sizeof(header), 0), sizeof(header));
	assert_int_equal(header.magic, LOG_INDEX_MAGIC);
	assert_int_equal(header.version, LOG_INDEX_VERSION);
	assert_int_equal(pread(fixture->index_fd, records, n * sizeof(*records), (off_t)begin),
			 n * sizeof(*records));
	records[n].offset = file_size(fixture->log_fd);
	for (size_t i = 0; i < n; i++) {
		uint64_t stream = records[i].time_and_stream >> LOG_STREAM_SHIFT;

		assert_in_range(stream, 1, 2);
		assert_true(records[i].offset < records[i + 1].offset);
		if (per_stream)
			per_stream[stream - 1] += records[i + 1].offset - records[i].offset;
	}
	if (n > 0)
		assert_int_equal(records[0].offset, 0);
	free(records);
	return n;
}

struct writer {
	int fd;
	const char *data;
	size_t size, chunk;
	pthread_t thread;
};

static void *writer_run(void *userdata)
{
	struct writer *writer = userdata;

	for (size_t at = 0; at < writer->size;) {
		size_t n = writer->size - at < writer->chunk ? writer->size - at : writer->chunk;

		if (fd_write_all(writer->fd, writer->data + at, n) < 0)
			break;
		at += n;
	}
	(void)close(writer->fd);
	return NULL;
}

static char *random_bytes(size_t size)
{
	char *data = malloc(size);
	uint64_t x = 88172645463325252ULL;

	assert_non_null(data);
	for (size_t i = 0; i + 8 <= size; i += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(data + i, &x, 8);
	}
	return data;
}

static void one_stream_whole(void **state)
{
	size_t size = 64 * MIB;
	cleanup_free char *data = random_bytes(size);
	struct writer writer;
	struct fixture fixture;
	uint64_t per_stream[2] = {0, 0};
	char *map;

	setup(&fixture, state);
	writer = (struct writer){fixture.write_fds[0], data, size, 65536};
	(void)close(fixture.write_fds[1]);
	assert_int_equal(pthread_create(&writer.thread, NULL, writer_run, &writer), 0);
	assert_int_equal(loop_run(fixture.loop), 0);
	(void)pthread_join(writer.thread, NULL);
	assert_true(fixture.done);
	assert_int_equal(fixture.result.bytes, size);
	assert_int_equal(fixture.result.lost, 0);
	assert_int_equal(file_size(fixture.log_fd), size);
	map = mmap(NULL, size, PROT_READ, MAP_SHARED, fixture.log_fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	assert_int_equal(memcmp(map, data, size), 0);
	(void)munmap(map, size);
	(void)check_index(&fixture, per_stream);
	assert_int_equal(per_stream[0], size);
	teardown(&fixture);
}

static void two_streams_small_writes(void **state)
{
	size_t size = 4 * MIB;
	cleanup_free char *a = malloc(size);
	cleanup_free char *b = malloc(size);
	struct writer writers[2];
	struct fixture fixture;
	uint64_t per_stream[2] = {0, 0};
	uint64_t counts[2] = {0, 0};
	char *map;

	assert_non_null(a);
	assert_non_null(b);
	memset(a, 'a', size);
	memset(b, 'b', size);
	setup(&fixture, state);
	writers[0] = (struct writer){fixture.write_fds[0], a, size, 100};
	writers[1] = (struct writer){fixture.write_fds[1], b, size, 733};
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&writers[i].thread, NULL, writer_run, &writers[i]),
				 0);
	assert_int_equal(loop_run(fixture.loop), 0);
	for (int i = 0; i < 2; i++)
		(void)pthread_join(writers[i].thread, NULL);
	assert_int_equal(fixture.result.bytes, 2 * size);
	(void)check_index(&fixture, per_stream);
	assert_int_equal(per_stream[0], size);
	assert_int_equal(per_stream[1], size);
	map = mmap(NULL, 2 * size, PROT_READ, MAP_SHARED, fixture.log_fd, 0);
	for (size_t i = 0; i < 2 * size; i++)
		counts[map[i] == 'b']++;
	assert_int_equal(counts[0], size);
	assert_int_equal(counts[1], size);
	(void)munmap(map, 2 * size);
	teardown(&fixture);
}

static void silence(void **state)
{
	struct fixture fixture;

	setup(&fixture, state);
	close_writers(&fixture);
	assert_int_equal(loop_run(fixture.loop), 0);
	assert_true(fixture.done);
	assert_int_equal(fixture.result.bytes, 0);
	assert_int_equal(check_index(&fixture, NULL), 0);
	teardown(&fixture);
}

static void stop_now(struct loop_timer *timer)
{
	struct fixture *fixture = container_of(timer, struct fixture, timer);

	log_sink_stop(fixture->sink);
}

static void grandchild_holds_the_pipe(void **state)
{
	struct fixture fixture;
	uint64_t begin = now_usec();

	setup(&fixture, state);
	/* written just before the stop: it must still arrive */
	assert_int_equal(write(fixture.write_fds[0], "last words", 10), 10);
	assert_int_equal(loop_timer_set(fixture.loop, &fixture.timer, now_usec(), stop_now), 0);
	assert_int_equal(loop_run(fixture.loop), 0);
	assert_true(fixture.done);
	assert_int_equal(fixture.result.bytes, 10);
	assert_true(now_usec() - begin < 2 * USEC_PER_SEC);
	close_writers(&fixture);
	teardown(&fixture);
}

static void pipes_grow_with_the_output(void **state)
{
	static const char output[32 * KIB];
	struct fixture fixture;
	int out[2], err[2], fds[2];
	struct error error = ERROR_INIT;

	setup(&fixture, state);
	close_writers(&fixture);
	assert_int_equal(loop_run(fixture.loop), 0);
	/* pipes as the kernel makes them */
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	fds[0] = memfd_create("log", MFD_CLOEXEC);
	fds[1] = memfd_create("index", MFD_CLOEXEC);
	fixture.done = false;
	assert_int_equal(log_pump_open(fixture.pump, fds[0], fds[1], out[0], err[0], wall_usec(),
				       pump_done, &fixture, &fixture.sink, &error),
			 0);
	assert_int_equal(write(out[1], output, sizeof(output)), sizeof(output));
	assert_int_equal(write(err[1], "a line\n", 7), 7);
	assert_int_equal(loop_timer_set(fixture.loop, &fixture.timer, now_usec(), stop_now), 0);
	assert_int_equal(loop_run(fixture.loop), 0);
	assert_int_equal(fixture.result.bytes, sizeof(output) + 7);
	assert_int_equal(fcntl(out[1], F_GETPIPE_SZ), LOG_PIPE_SIZE);
	assert_int_equal(fcntl(err[1], F_GETPIPE_SZ), 64 * KIB);
	(void)close(out[1]);
	(void)close(err[1]);
	teardown(&fixture);
}

static void *endless_run(void *userdata)
{
	static const char line[65536];
	const int *fd = userdata;

	while (write(*fd, line, sizeof(line)) > 0)
		;
	return NULL;
}

static void stopped_while_flooded(void **state)
{
	struct fixture fixture;
	pthread_t thread;

	(void)signal(SIGPIPE, SIG_IGN);
	setup(&fixture, state);
	assert_int_equal(pthread_create(&thread, NULL, endless_run, &fixture.write_fds[0]), 0);
	assert_int_equal(loop_timer_set(fixture.loop, &fixture.timer, now_usec() + 20000, stop_now),
			 0);
	assert_int_equal(loop_run(fixture.loop), 0);
	assert_true(fixture.done);
	(void)pthread_join(thread, NULL); /* ended by EPIPE */
	close_writers(&fixture);
	assert_int_equal(fixture.result.bytes, file_size(fixture.log_fd));
	teardown(&fixture);
}

static void disk_full(void **state)
{
	struct error error = ERROR_INIT;
	struct fixture fixture;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	assert_true(full >= 0);
	memset(&fixture, 0, sizeof(fixture));
	assert_int_equal(loop_new(&fixture.loop), 0);
	assert_int_equal(log_pump_new(fixture.loop, kind_of(state), &fixture.pump, &error), 0);
	open_sink(&fixture, full);
	assert_int_equal(write(fixture.write_fds[0], "0123456789", 10), 10);
	close_writers(&fixture);
	assert_int_equal(loop_run(fixture.loop), 0);
	assert_true(fixture.done);
	assert_int_equal(fixture.result.bytes, 0);
	assert_int_equal(fixture.result.lost, 10);
	assert_int_equal(fixture.result.error, ENOSPC);
	teardown(&fixture);
}

/* ---- with secrets ---- */

static struct mask *mask_make(void)
{
	static const struct step_mask_value values[] = {
		{"secret-word", 11},
		{"a rather long secret that is cut into several pieces", 52},
	};
	struct error error = ERROR_INIT;
	struct mask *mask = NULL;

	assert_int_equal(mask_new(values, ARRAY_SIZE(values), &mask, &error), 0);
	return mask;
}

/* Secrets and beginnings of secrets at random places, also across the ends of reads. */
static void secrets_are_hidden(void **state)
{
	size_t size = 1 * MIB, expected;
	cleanup_free char *text = random_bytes(size);
	cleanup_free char *wanted = malloc(size);
	cleanup_free char *got = malloc(size);
	struct mask *mask = mask_make();
	struct fixture fixture;
	struct writer writer;
	uint64_t per_stream[2] = {0, 0};
	uint64_t seed = 17;

	for (size_t at = 0; at + 100 < size; at += 40 + mask_model_random(&seed) % 60) {
		const char *secret =
			mask_model_random(&seed) % 2
				? "secret-word"
				: "a rather long secret that is cut into several pieces";

		memcpy(text + at, secret, strlen(secret) - mask_model_random(&seed) % 3);
	}
	memcpy(text + size - 5, "secre", 5); /* held back until the end */
	expected = mask_model(mask, text, size, wanted);
	assert_true(expected < size);
	setup(&fixture, state);
	log_sink_mask(fixture.sink, mask);
	(void)mask_unref(mask);
	(void)close(fixture.write_fds[0]);
	writer = (struct writer){fixture.write_fds[1], text, size, 733};
	assert_int_equal(pthread_create(&writer.thread, NULL, writer_run, &writer), 0);
	assert_int_equal(loop_run(fixture.loop), 0);
	(void)pthread_join(writer.thread, NULL);
	assert_int_equal(fixture.result.bytes, expected);
	assert_int_equal(pread(fixture.log_fd, got, size, 0), expected);
	assert_memory_equal(got, wanted, expected);
	(void)check_index(&fixture, per_stream);
	assert_int_equal(per_stream[1], expected);
	teardown(&fixture);
}

static void each_stream_by_itself(void **state)
{
	struct mask *mask = mask_make();
	struct fixture fixture;
	char text[64] = "";

	setup(&fixture, state);
	log_sink_mask(fixture.sink, mask);
	(void)mask_unref(mask);
	assert_int_equal(write(fixture.write_fds[0], "secret", 6), 6);
	assert_int_equal(write(fixture.write_fds[1], "-word\n", 6), 6);
	close_writers(&fixture);
	assert_int_equal(loop_run(fixture.loop), 0);
	assert_int_equal(fixture.result.bytes, 12);
	assert_int_equal(pread(fixture.log_fd, text, sizeof(text), 0), 12);
	assert_null(strstr(text, "***"));
	(void)check_index(&fixture, NULL);
	teardown(&fixture);
}

struct prompt {
	struct fixture fixture;
	unsigned looks;
};

/* Wait until the last letter is in the log: it is the first of a secret, and nothing follows. */
static void look_for_prompt(struct loop_timer *timer)
{
	struct prompt *prompt = container_of(timer, struct prompt, fixture.timer);

	assert_true(prompt->looks++ < 1000);
	if (file_size(prompt->fixture.log_fd) == 5)
		close_writers(&prompt->fixture);
	else
		assert_int_equal(loop_timer_set(prompt->fixture.loop, timer, now_usec() + 20000,
						look_for_prompt),
				 0);
}

static void prompt_is_shown(void **state)
{
	struct mask *mask = mask_make();
	static struct prompt prompt;

	setup(&prompt.fixture, state);
	prompt.looks = 0;
	log_sink_mask(prompt.fixture.sink, mask);
	(void)mask_unref(mask);
	assert_int_equal(write(prompt.fixture.write_fds[0], "yes/s", 5), 5);
	assert_int_equal(loop_timer_set(prompt.fixture.loop, &prompt.fixture.timer, now_usec(),
					look_for_prompt),
			 0);
	assert_int_equal(loop_run(prompt.fixture.loop), 0);
	assert_int_equal(prompt.fixture.result.bytes, 5);
	assert_int_equal(check_index(&prompt.fixture, NULL), 2);
	teardown(&prompt.fixture);
}

static void stop_shows_the_rest(void **state)
{
	struct mask *mask = mask_make();
	struct fixture fixture;
	char text[32] = "";

	setup(&fixture, state);
	log_sink_mask(fixture.sink, mask);
	(void)mask_unref(mask);
	assert_int_equal(write(fixture.write_fds[0], "last secret-w", 13), 13);
	assert_int_equal(loop_timer_set(fixture.loop, &fixture.timer, now_usec(), stop_now), 0);
	assert_int_equal(loop_run(fixture.loop), 0);
	assert_int_equal(fixture.result.bytes, 13);
	assert_int_equal(pread(fixture.log_fd, text, sizeof(text), 0), 13);
	assert_string_equal(text, "last secret-w");
	close_writers(&fixture);
	teardown(&fixture);
}

#define MANY 40

struct many {
	struct fixture *first;
	unsigned left;
};

static struct many many_state;

static void many_done(void *userdata, const struct log_result *result)
{
	struct fixture *fixture = userdata;

	fixture->done = true;
	fixture->result = *result;
	if (--many_state.left == 0)
		loop_exit(fixture->loop, 0);
}

/* More streams than buffers, all at once: each stream goes on, memory stays bounded. */
static void many_sinks(void **state)
{
	struct error error = ERROR_INIT;
	size_t size = 1 * MIB;
	cleanup_free char *data = random_bytes(size);
	static struct fixture fixtures[MANY];
	static struct writer writers[MANY][2];
	struct log_pump *pump;
	struct loop *loop;

	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(log_pump_new(loop, kind_of(state), &pump, &error), 0);
	many_state = (struct many){.left = MANY};
	for (int i = 0; i < MANY; i++) {
		struct fixture *fixture = &fixtures[i];
		int out[2], err[2];

		memset(fixture, 0, sizeof(*fixture));
		fixture->loop = loop;
		assert_int_equal(pipe2(out, O_CLOEXEC), 0);
		assert_int_equal(pipe2(err, O_CLOEXEC), 0);
		fixture->log_fd = memfd_create("log", MFD_CLOEXEC);
		fixture->index_fd = memfd_create("index", MFD_CLOEXEC);
		assert_int_equal(log_pump_open(pump, dup(fixture->log_fd), dup(fixture->index_fd),
					       out[0], err[0], wall_usec(), many_done, fixture,
					       &fixture->sink, &error),
				 0);
		writers[i][0] = (struct writer){out[1], data, size, 4096};
		writers[i][1] = (struct writer){err[1], data, size, 100000};
		for (int j = 0; j < 2; j++)
			assert_int_equal(pthread_create(&writers[i][j].thread, NULL, writer_run,
							&writers[i][j]),
					 0);
	}
	assert_int_equal(loop_run(loop), 0);
	for (int i = 0; i < MANY; i++) {
		uint64_t per_stream[2] = {0, 0};

		(void)pthread_join(writers[i][0].thread, NULL);
		(void)pthread_join(writers[i][1].thread, NULL);
		assert_int_equal(fixtures[i].result.bytes, 2 * size);
		(void)check_index(&fixtures[i], per_stream);
		assert_int_equal(per_stream[0], size);
		(void)close(fixtures[i].log_fd);
		(void)close(fixtures[i].index_fd);
	}
	(void)log_pump_free(pump);
	(void)loop_free(loop);
}

int main(void)
{
	static enum io_engine_kind kinds[] = {IO_ENGINE_URING, IO_ENGINE_EPOLL};
	int failed = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct CMUnitTest tests[] = {
			cmocka_unit_test_prestate(one_stream_whole, &kinds[i]),
			cmocka_unit_test_prestate(two_streams_small_writes, &kinds[i]),
			cmocka_unit_test_prestate(silence, &kinds[i]),
			cmocka_unit_test_prestate(pipes_grow_with_the_output, &kinds[i]),
			cmocka_unit_test_prestate(grandchild_holds_the_pipe, &kinds[i]),
			cmocka_unit_test_prestate(stopped_while_flooded, &kinds[i]),
			cmocka_unit_test_prestate(disk_full, &kinds[i]),
			cmocka_unit_test_prestate(many_sinks, &kinds[i]),
			cmocka_unit_test_prestate(secrets_are_hidden, &kinds[i]),
			cmocka_unit_test_prestate(each_stream_by_itself, &kinds[i]),
			cmocka_unit_test_prestate(prompt_is_shown, &kinds[i]),
			cmocka_unit_test_prestate(stop_shows_the_rest, &kinds[i]),
		};

		failed += cmocka_run_group_tests_name(i == 0 ? "io_uring" : "epoll", tests, NULL,
						      NULL);
	}
	return failed;
}
