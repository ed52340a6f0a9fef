/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets through the whole scheduler: which steps get them, new keys, kills in between. */
#include "tests/unit/scheduler_world.h"

#include "common/fdio.h"

#include <sodium.h>

static const char needs[] = "steps:\n  - {name: one, env: {ENV: prod}, command: 'true'}\n";
static const char clash[] =
	"steps:\n  - {name: one, env: {ENV: prod, TOKEN: x}, command: 'true'}\n";

/* Key number @n: every digit of it is @n. */
static void key_line(char *out, unsigned n)
{
	out += sprintf(out, "k%u ", n);
	for (unsigned i = 0; i < SECRET_KEY_SIZE; i++)
		out += sprintf(out, "%02x", n);
	(void)strcpy(out, "\n");
}

/* Keys @first and, if it is not 0, @second, as runbookd sends them. */
static void keys_send(struct world *world, unsigned first, unsigned second, const char *error)
{
	struct message *message;
	char text[SECRET_KEYS_TEXT_MAX] = "";
	cleanup_close int fd = -1;

	if (first)
		key_line(text, first);
	if (second)
		key_line(text + strlen(text), second);
	if (first)
		fd = memfd_sealed("keys", text, strlen(text));
	message = MESSAGE_NEW(secret_keys, 0, .source = "the-file", .error = error, .keys = fd);
	assert_int_equal(message_transmit(world->daemon, message), 0);
}

/* Wait until the store's key is @key; "" waits for a problem, whose text is checked. */
static void key_expect(struct world *world, const char *key, const char *problem)
{
	for (unsigned i = 0; i < 500; i++) {
		json_t *json = ask(world, ASK(.verb = API_SECRETS));
		bool found = strcmp(member(json, "key"), key) == 0 &&
			     !strstr(member(json, "problem"), "not handed over");

		if (found)
			assert_non_null(strstr(member(json, "problem"), problem));
		json_decref(json);
		if (found)
			return;
		(void)usleep(10000);
	}
	fail_msg("the key is not %s", key);
}

static unsigned secret_set(struct world *world, const char *env, const char *name,
			   const char *value)
{
	unsigned char public_key[SECRET_PUBLIC_SIZE], sealed[256];
	json_t *json = ask(world, ASK(.verb = API_SECRET_PUBLIC_KEY));
	size_t size = strlen(value) + SECRET_SEAL_OVERHEAD;
	cleanup_close int fd = -1;
	unsigned status;

	assert_int_equal(sodium_base642bin(public_key, sizeof(public_key),
					   member(json, "public_key"),
					   strlen(member(json, "public_key")), NULL, NULL, NULL,
					   sodium_base64_VARIANT_ORIGINAL),
			 0);
	json_decref(json);
	assert_int_equal(
		crypto_box_seal(sealed, (const unsigned char *)value, strlen(value), public_key),
		0);
	fd = memfd_sealed("sealed", sealed, size);
	json = ask_status(
		world,
		ASK(.verb = API_SECRET_SET, .project = "a", .env = env, .name = name, .fd = fd),
		&status);
	json_decref(json);
	return status;
}

static void keep_expect(struct world *world, char *ret_id)
{
	struct message *message = fixture_receive(world->daemon, MESSAGE_SECRET_KEY_KEEP);

	struct message_secret_key_keep keep;

	assert_int_equal(MESSAGE_GET(message, secret_key_keep, &keep), 0);
	(void)strcpy(ret_id, keep.id);
	(void)message_free(message);
}

static void rekey_ask(struct world *world)
{
	assert_int_equal(message_transmit(world->api, MESSAGE_NEW(api_request, ++world->serial,
								  .verb = API_SECRET_REKEY)),
			 0);
	(void)message_free(fixture_receive(world->daemon, MESSAGE_SECRET_KEY_NEW));
}

static void rekey_answered(struct world *world, unsigned want)
{
	struct message *message = fixture_receive(world->api, MESSAGE_API_ANSWER);
	struct message_api_answer answer;

	assert_int_equal(MESSAGE_GET(message, api_answer, &answer), 0);
	assert_int_equal(answer.status, want);
	(void)message_free(message);
}

/* Start a run whose step must get TOKEN=@value. */
static void value_expect(struct world *world, const char *delivery, const char *value)
{
	static unsigned n_commits;
	char line[256], commit[41];
	struct order order;

	(void)snprintf(commit, sizeof(commit), "%040x", ++n_commits);
	(void)trigger(world, "a", delivery, commit);
	fetch_answer(world, commit, needs);
	order_expect(world, &order);
	(void)snprintf(line, sizeof(line), "\nTOKEN=%s\n", value);
	assert_non_null(strstr(order.env, line));
	(void)snprintf(line, sizeof(line), "%s\n", value);
	assert_string_equal(order.masked, line);
	order_exited(world, order.id, 0);
	ack_expect(world, order.id);
}

static struct world *world_with_secret(void)
{
	struct world *world = world_new();

	world_start(world);
	keys_send(world, 1, 0, "");
	key_expect(world, "k1", "");
	assert_int_equal(secret_set(world, "prod", "TOKEN", "the-value"), 200);
	return world;
}

static void restart(struct world *world, unsigned first, unsigned second)
{
	world_kill(world);
	world_start(world);
	keys_send(world, first, second, "");
}

static void test_step_gets_it(void **state)
{
	struct world *world = world_with_secret();
	uint64_t run;

	value_expect(world, "1", "the-value");
	assert_int_equal(secret_set(world, "prod", "TOKEN", "another"), 200);
	restart(world, 1, 0);
	key_expect(world, "k1", "");
	world->serial += 100;
	run = trigger(world, "a", "2", COMMIT_B);
	fetch_answer(world, COMMIT_B, clash);
	for (int i = 0; i < 200; i++) {
		json_t *json = ask(world, ASK(.verb = API_RUN, .run = run));
		bool over = strcmp(member(json, "state"), "failed") == 0;

		json_decref(json);
		if (over)
			break;
		(void)usleep(10000);
	}
	step_expect(world, run, "one", "failed", NULL);
	world_stop(world);
	world_free(world);
}

static void test_rekey(void **state)
{
	struct world *world = world_with_secret();
	char id[SECRET_KEY_ID_MAX + 1];

	rekey_ask(world);
	keys_send(world, 2, 1, "");
	keep_expect(world, id);
	assert_string_equal(id, "k2");
	rekey_answered(world, 200);
	restart(world, 2, 0);
	key_expect(world, "k2", "");
	value_expect(world, "1", "the-value");
	/* runbookd could not make a key: nothing changes */
	rekey_ask(world);
	keys_send(world, 2, 0, "no space");
	rekey_answered(world, 409);
	key_expect(world, "k2", "");
	value_expect(world, "2", "the-value");
	world_stop(world);
	world_free(world);
}

static void test_killed_before(void **state)
{
	struct world *world = world_with_secret();
	char id[SECRET_KEY_ID_MAX + 1];

	rekey_ask(world);
	restart(world, 2, 1);
	keep_expect(world, id);
	assert_string_equal(id, "k1");
	key_expect(world, "k1", "");
	value_expect(world, "1", "the-value");
	world_stop(world);
	world_free(world);
}

static void test_killed_anywhere(void **state)
{
	struct world *world = world_with_secret();
	char id[SECRET_KEY_ID_MAX + 1], delivery[16];
	unsigned current = 1, committed = 0;

	for (unsigned i = 0; i < 24; i++) {
		rekey_ask(world);
		keys_send(world, current + 1, current, "");
		(void)usleep(i * 100);
		restart(world, current + 1, current);
		keep_expect(world, id);
		assert_true(atoi(id + 1) == (int)current || atoi(id + 1) == (int)current + 1);
		committed += atoi(id + 1) != (int)current;
		current = (unsigned)atoi(id + 1);
		(void)snprintf(delivery, sizeof(delivery), "d%u", i);
		value_expect(world, delivery, "the-value");
	}
	print_message("%u of 24 were committed\n", committed);
	world_stop(world);
	world_free(world);
}

static void test_wrong_keys(void **state)
{
	struct world *world = world_with_secret();
	struct order order;

	restart(world, 3, 0);
	key_expect(world, "", "encrypted with the key k1");
	assert_int_equal(secret_set(world, "prod", "NEW", "x"), 409);
	assert_int_equal(ask_refused(world, ASK(.verb = API_SECRET_REKEY)), 409);
	/* a step without secrets goes on */
	(void)trigger(world, "a", "1", COMMIT_A);
	fetch_answer(world, COMMIT_A, "steps:\n  - {name: one, command: 'true'}\n");
	order_expect(world, &order);
	keys_send(world, 0, 0, "cannot open it");
	keys_send(world, 1, 0, "");
	key_expect(world, "k1", "");
	order_exited(world, order.id, 0);
	ack_expect(world, order.id);
	value_expect(world, "2", "the-value");
	/* the last secret of a lost key is gone: another key is accepted */
	restart(world, 3, 0);
	key_expect(world, "", "encrypted with the key k1");
	json_decref(ask(world, ASK(.verb = API_SECRET_REMOVE, .project = "a", .env = "prod")));
	key_expect(world, "k3", "");
	assert_int_equal(secret_set(world, "prod", "TOKEN", "new"), 200);
	world_stop(world);
	world_free(world);
}

/* The file is removed or replaced, and read again while its key is still in memory. */
static void test_key_replaced(void **state)
{
	struct world *world = world_with_secret();
	char id[SECRET_KEY_ID_MAX + 1];

	keys_send(world, 3, 0, "");
	key_expect(world, "k3", "");
	value_expect(world, "1", "the-value");
	restart(world, 3, 0);
	key_expect(world, "k3", "");
	value_expect(world, "2", "the-value");
	/* no key of the file is the one in use: its first key is taken */
	keys_send(world, 5, 4, "");
	keep_expect(world, id);
	assert_string_equal(id, "k5");
	restart(world, 5, 0);
	key_expect(world, "k5", "");
	value_expect(world, "3", "the-value");
	world_stop(world);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_step_gets_it),  cmocka_unit_test(test_rekey),
		cmocka_unit_test(test_killed_before), cmocka_unit_test(test_killed_anywhere),
		cmocka_unit_test(test_wrong_keys),    cmocka_unit_test(test_key_replaced),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
