/* SPDX-License-Identifier: Apache-2.0 */

/* Tests every message, with values made from its table. */

#include "tests/unit/cmocka_headers.h"

#include "common/cleanup.h"
#include "common/message_table.h"
#include "common/messages/steps.h"
#include "tests/unit/message_samples.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const struct message_format *format_next(unsigned *type)
{
	return message_format(++*type);
}

/* Makes the received message, which has duplicates of the descriptors. */
static struct message *arrive(const struct message *message)
{
	cleanup_free uint8_t *data = NULL;
	struct message *arrived = NULL;
	int fds[MESSAGE_FDS_MAX];
	size_t size;

	for (size_t i = 0; i < message->n_fds; i++)
		fds[i] = fcntl(message->fds[i], F_DUPFD_CLOEXEC, 3);
	assert_int_equal(message_encode(message, &data, &size), 0);
	assert_int_equal(message_decode(data, size, fds, message->n_fds, &arrived), 0);
	return arrived;
}

static int null_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(fd > 0);
	return fd;
}

/* ---- messages within the bounds ---- */

static void round_trip(const struct message_format *format, enum sample sample, int fd)
{
	cleanup_message struct message *sent = sample_message(format, sample, fd);
	cleanup_message struct message *arrived = NULL, *again = NULL;
	cleanup_free void *fields = calloc(1, format->table->size + 1);

	assert_string_equal(sent->problem, "");
	assert_int_equal(sent->failed, 0);
	if (sample == SAMPLE_MOST) { /* MESSAGE_ROOM() is the exact maximum */
		assert_int_equal(sent->length, format->length_max);
		assert_int_equal(sent->n_fds, format->n_fds);
	}
	arrived = arrive(sent);
	assert_int_equal(message_read(arrived, format, fields), 0);
	again = message_build(format, 7, fields);
	assert_int_equal(again->length, sent->length);
	assert_memory_equal(again->payload, sent->payload, sent->length);
	assert_int_equal(again->n_fds, sent->n_fds);
}

static void test_round_trip(void **state)
{
	const struct message_format *format;
	unsigned type = 0;
	int fd = null_fd();

	while ((format = format_next(&type))) {
		assert_int_equal(format->type, type);
		assert_string_equal(format->table->name, message_info(type)->name);
		for (int sample = 0; sample < SAMPLE_NUM; sample++)
			round_trip(format, sample, fd);
	}
	assert_int_equal(type, MESSAGE_NUM_TYPES);
	(void)close(fd);
}

/* ---- messages beyond the bounds ---- */

/* Sets @field of @object beyond its bound. Return: false if it has none. */
static bool break_bound(const struct field *field, char *object)
{
	char *at = object + field->offset;
	uint64_t beyond = field->most + 1;

	switch (field->type) {
	case FIELD_TYPE_STRING:
		*(const char **)(void *)at = sample_text(field->most + 1);
		return !(field->flags & FIELD_CUT);
	case FIELD_TYPE_BLOB:
		*(struct field_blob *)(void *)at =
			(struct field_blob){sample_text(field->most + 1), field->most + 1};
		return true;
	case FIELD_TYPE_FD:
		*(int *)(void *)at = -1;
		return !(field->flags & FIELD_NONE);
	case FIELD_TYPE_LIST:
		free(*(void **)(void *)at);
		*(void **)(void *)at = calloc(field->most + 1, field->record->size);
		*(size_t *)(void *)(object + field->counter) = field->most + 1;
		return true;
	case FIELD_TYPE_BOOL:
		*at = 2;
		return true;
	case FIELD_TYPE_RECORD:
		return false;
	default:
		memcpy(at, &beyond, field->size);
		return field->most < (field->size == 8 ? UINT64_MAX : UINT32_MAX);
	}
}

static void test_bounds(void **state)
{
	const struct message_format *format;
	unsigned type = 0, n = 0;
	int fd = null_fd();

	while ((format = format_next(&type))) {
		for (size_t i = 0; i < format->table->n_fields; i++) {
			cleanup_free char *fields = calloc(1, format->table->size + 1);
			cleanup_message struct message *message = NULL;
			char name[128];

			sample_fill(format->table, fields, SAMPLE_LEAST, fd);
			if (break_bound(&format->table->fields[i], fields)) {
				message = message_build(format, 7, fields);
				(void)snprintf(name, sizeof(name), "%s.%s ", format->table->name,
					       format->table->fields[i].name);
				assert_int_equal(message->failed, -EBADMSG);
				assert_non_null(strstr(message->problem, name));
				assert_int_equal(message_transmit(fd, TAKE_PTR(message)), -EBADMSG);
				n++;
			}
			sample_empty(format->table, fields);
		}
	}
	assert_true(n > 10);
	(void)close(fd);
}

/* A received message with its payload cut, or with one bit changed. */
static void test_malformed(void **state)
{
	const struct message_format *format;
	unsigned type = 0;
	int fd = null_fd();

	while ((format = format_next(&type))) {
		cleanup_message struct message *message = sample_message(format, SAMPLE_SOME, fd);
		cleanup_free char *fields = calloc(1, format->table->size + 1);
		uint32_t whole = message->length;

		for (message->length = 0; message->length < whole; message->length++)
			assert_int_equal(message_read(message, format, fields), -EBADMSG);
		for (uint32_t bit = 0; bit < whole * 8; bit++) {
			message->payload[bit / 8] ^= 1 << bit % 8;
			(void)message_read(message, format, fields);
			message->payload[bit / 8] ^= 1 << bit % 8;
		}
		message->problem[0] = '\0';
		assert_int_equal(message_read(message, format, fields), 0);
		/* one descriptor more, and one less than announced */
		message->fds[message->n_fds++] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		assert_int_equal(message_read(message, format, fields), -EBADMSG);
		if (format->n_fds > 0) {
			message->n_fds -= 2;
			assert_int_equal(message_read(message, format, fields), -EBADMSG);
			message->n_fds += 2;
		}
	}
	(void)close(fd);
}

/* ---- single things ---- */

static void test_sentence_is_cut(void **state)
{
	char reason[REASON_MAX + 8];
	struct message_step_exited exited;
	struct message *message;

	memset(reason, 'x', sizeof(reason));
	reason[sizeof(reason) - 1] = '\0';
	memcpy(reason + REASON_MAX - 1, "\303\251", 2); /* the end would split it */
	message = MESSAGE_NEW(step_exited, 0, .reason = reason);
	assert_int_equal(message->failed, 0);
	assert_int_equal(MESSAGE_GET(message, step_exited, &exited), 0);
	assert_int_equal(strlen(exited.reason), REASON_MAX - 1);
	(void)message_free(message);
}

static void test_descriptors(void **state)
{
	int fd = null_fd(), taken;
	struct message *sent = MESSAGE_NEW(step_start, 0, .order = 1, .payload = fd);
	struct message *arrived = arrive(sent);
	struct message_step_start start;

	assert_int_equal(MESSAGE_GET(arrived, step_start, &start), 0);
	assert_true(start.payload > 0);
	assert_int_equal(start.mask, -1);
	assert_int_equal(message_take_fd(arrived, start.mask), -1);
	taken = message_take_fd(arrived, start.payload);
	assert_int_equal(taken, start.payload);
	assert_int_equal(message_take_fd(arrived, start.payload), -1); /* once */
	(void)message_free(arrived);
	assert_true(fcntl(taken, F_GETFD) & FD_CLOEXEC);
	(void)close(taken);
	arrived = arrive(sent);
	assert_int_equal(MESSAGE_GET(arrived, step_start, &start), 0);
	(void)message_free(arrived); /* closes descriptors that were not taken */
	assert_int_equal(fcntl(start.payload, F_GETFD), -1);
	(void)message_free(sent);
	(void)close(fd);
}

static void test_another_type(void **state)
{
	struct message *message = MESSAGE_NEW(step_ack, 0, .order = 1);
	struct message_step_cancel cancel;

	assert_int_equal(MESSAGE_GET(message, step_cancel, &cancel), -EBADMSG);
	(void)message_free(message);
}

static void test_print(void **state)
{
	struct message_step_figure figures[] = {{STEP_USAGE_CPU, 5}, {STEP_USAGE_IO_READ, 6}};
	struct message *message =
		MESSAGE_NEW(step_exited, 0, .order = 7, .result = STEP_RESULT_SIGNALED, .signal = 9,
			    .reason = "\"a\"\n", .figures = figures, .n_figures = 2);
	char text[512], small[24];

	message_print(message, text, sizeof(text));
	assert_string_equal(text,
			    "STEP_EXITED order=7 result=1 exit_code=0 signal=9 "
			    "reason=\"\\x22a\\x22\\x0a\" started_usec=0 ended_usec=0 log_bytes=0 "
			    "figures=[{kind=0 value=5} {kind=5 value=6}]");
	message_print(message, small, sizeof(small));
	assert_string_equal(small, "STEP_EXITED order=7 res");
	message->length--;
	message_print(message, text, sizeof(text));
	assert_non_null(strstr(text, "STEP_EXITED.figures"));
	(void)message_free(message);
}

struct hidden {
	const char *secret;
	struct field_blob blob;
	int fd;
};

static void test_print_hides(void **state)
{
	static const struct field list[] = {
		{FIELD_PLACE(1, struct hidden, secret), FIELD_ONE(struct hidden, secret),
		 .type = FIELD_TYPE_STRING, .flags = FIELD_HIDDEN},
		{FIELD_BLOB(2, struct hidden, blob)},
		{FIELD_PLACE(3, struct hidden, fd), FIELD_ONE(struct hidden, fd),
		 .type = FIELD_TYPE_FD},
	};
	static const struct field_table table = FIELD_TABLE(struct hidden, list);
	char text[128];

	fields_line(&table, &(struct hidden){"password", {"token", 5}, 3}, text, sizeof(text));
	assert_string_equal(text, "secret=<8 bytes> blob=<5 bytes> fd=<fd>");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_malformed),   cmocka_unit_test(test_sentence_is_cut),
		cmocka_unit_test(test_descriptors), cmocka_unit_test(test_another_type),
		cmocka_unit_test(test_print),	    cmocka_unit_test(test_print_hides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
