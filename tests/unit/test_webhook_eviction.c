/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/limits.h"
#include "webhook/body.h"
#include "webhook/eviction.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static struct address_key key_of(const char *text)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct sockaddr_in in = {.sin_family = AF_INET};

	if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1)
		return address_key((const void *)&in6);
	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		return address_key((const void *)&in);
	return address_key(NULL);
}

static void test_keys(void **state)
{
	static const struct {
		const char *one, *two;
		bool same;
	} cases[] = {
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
		{"2001:db8::1", "2001:db8::ffff:1", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"127.0.0.1", "127.9.9.9", true},
		{"127.0.0.1", "::1", true},
		{"::ffff:127.0.0.1", "::1", true},
		{"unix", "::1", true},
		{"unix", "192.0.2.1", false},
		{"::2", "192.0.2.1", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct address_key one = key_of(cases[i].one), two = key_of(cases[i].two);

		assert_int_equal(address_same_network(&one, &two), cases[i].same);
		assert_int_equal(address_same_network(&two, &one), cases[i].same);
	}
	for (size_t i = 0; i < 4; i++) {
		static const char *const local[] = {"127.0.0.1", "::ffff:127.1.2.3", "::1", "unix"};
		struct address_key key = key_of(local[i]), other = key_of("::ffff:128.0.0.1");

		assert_true(address_is_local(&key));
		assert_false(address_is_local(&other));
	}
}

/* A connection under test; the chosen one is compared by the letter in @userdata. */
struct place {
	const char *address;
	enum eviction_rank rank;
	uint64_t since_usec;
	char name;
};

static char chosen_of(const struct place *places, size_t n)
{
	struct occupant occupants[64];
	size_t chosen;

	assert_true(n <= ARRAY_SIZE(occupants));
	for (size_t i = 0; i < n; i++)
		occupants[i] = (struct occupant){key_of(places[i].address), places[i].rank,
						 places[i].since_usec, (void *)&places[i]};
	chosen = eviction_choose(occupants, n);
	return chosen == EVICTION_NONE ? '-' : ((struct place *)occupants[chosen].userdata)->name;
}

struct choice {
	const char *what;
	char wanted;
	struct place places[9];
};

static const struct choice choices[] = {
	{"nothing there", '-', {{NULL}}},
	{"complete ones stay",
	 '-',
	 {{"192.0.2.1", EVICTION_NEVER, 1, 'a'}, {"192.0.2.1", EVICTION_NEVER, 2, 'b'}}},
	{"one without a header goes before halted ones",
	 'b',
	 {{"192.0.2.1", EVICTION_HALTED, 1, 'a'},
	  {"192.0.2.2", EVICTION_HEADER, 9, 'b'},
	  {"192.0.2.1", EVICTION_HALTED, 2, 'c'}}},
	{"a halted one goes when every header is complete",
	 'b',
	 {{"192.0.2.1", EVICTION_NEVER, 1, 'a'}, {"192.0.2.2", EVICTION_HALTED, 9, 'b'}}},
	{"a young body goes after the halted ones",
	 'b',
	 {{"192.0.2.1", EVICTION_YOUNG, 1, 'a'}, {"192.0.2.2", EVICTION_HALTED, 9, 'b'}}},
	{"and not of a sender with few",
	 '-',
	 {{"192.0.2.1", EVICTION_YOUNG, 1, 'a'},
	  {"192.0.2.1", EVICTION_YOUNG, 2, 'b'},
	  {"192.0.2.1", EVICTION_YOUNG, 3, 'c'},
	  {"192.0.2.1", EVICTION_YOUNG, 4, 'd'},
	  {"192.0.2.2", EVICTION_YOUNG, 5, 'e'}}},
	{"but of one with more than that",
	 'b',
	 {{"192.0.2.2", EVICTION_YOUNG, 1, 'a'},
	  {"192.0.2.1", EVICTION_YOUNG, 2, 'b'},
	  {"192.0.2.1", EVICTION_YOUNG, 3, 'c'},
	  {"192.0.2.1", EVICTION_YOUNG, 4, 'd'},
	  {"192.0.2.1", EVICTION_YOUNG, 5, 'e'},
	  {"192.0.2.1", EVICTION_YOUNG, 6, 'f'}}},
	{"a fresh one goes after the halted ones",
	 'b',
	 {{"192.0.2.1", EVICTION_FRESH, 1, 'a'}, {"192.0.2.2", EVICTION_HALTED, 9, 'b'}}},
	{"one that hesitates stays when there is a crowd of fresh ones",
	 'b',
	 {{"192.0.2.2", EVICTION_HEADER, 1, 'a'},
	  {"192.0.2.1", EVICTION_FRESH, 2, 'b'},
	  {"192.0.2.1", EVICTION_FRESH, 3, 'c'},
	  {"192.0.2.1", EVICTION_FRESH, 4, 'd'},
	  {"192.0.2.1", EVICTION_FRESH, 5, 'e'},
	  {"192.0.2.1", EVICTION_FRESH, 6, 'f'}}},
	{"fresh ones and young bodies are one crowd",
	 'b',
	 {{"192.0.2.2", EVICTION_FRESH, 1, 'a'},
	  {"192.0.2.1", EVICTION_YOUNG, 2, 'b'},
	  {"192.0.2.1", EVICTION_FRESH, 3, 'c'},
	  {"192.0.2.1", EVICTION_YOUNG, 4, 'd'},
	  {"192.0.2.1", EVICTION_FRESH, 5, 'e'},
	  {"192.0.2.1", EVICTION_YOUNG, 6, 'f'}}},
	{"one that hesitates goes before young bodies",
	 'a',
	 {{"192.0.2.2", EVICTION_HEADER, 9, 'a'},
	  {"192.0.2.1", EVICTION_YOUNG, 2, 'b'},
	  {"192.0.2.1", EVICTION_YOUNG, 3, 'c'},
	  {"192.0.2.1", EVICTION_YOUNG, 4, 'd'},
	  {"192.0.2.1", EVICTION_YOUNG, 5, 'e'},
	  {"192.0.2.1", EVICTION_YOUNG, 6, 'f'}}},
	{"without a crowd the oldest fresh one",
	 'b',
	 {{"192.0.2.1", EVICTION_YOUNG, 1, 'a'},
	  {"192.0.2.2", EVICTION_FRESH, 2, 'b'},
	  {"192.0.2.3", EVICTION_FRESH, 3, 'c'},
	  {"192.0.2.4", EVICTION_NEVER, 0, 'd'}}},
	{"alone: the oldest",
	 'b',
	 {{"192.0.2.1", EVICTION_HEADER, 5, 'a'},
	  {"192.0.2.2", EVICTION_HEADER, 3, 'b'},
	  {"2001:db8::1", EVICTION_HEADER, 4, 'c'}}},
	{"the oldest of the fullest address",
	 'c',
	 {{"192.0.2.1", EVICTION_HEADER, 1, 'a'},
	  {"192.0.2.2", EVICTION_HEADER, 9, 'b'},
	  {"192.0.2.2", EVICTION_HEADER, 8, 'c'}}},
	{"complete ones do not make an address full",
	 'c',
	 {{"192.0.2.1", EVICTION_NEVER, 1, 'a'},
	  {"192.0.2.1", EVICTION_NEVER, 2, 'b'},
	  {"192.0.2.2", EVICTION_HEADER, 3, 'c'},
	  {"192.0.2.1", EVICTION_HEADER, 4, 'd'}}},
	{"mapped and plain are one address",
	 'b',
	 {{"192.0.2.1", EVICTION_HEADER, 1, 'a'},
	  {"192.0.2.2", EVICTION_HEADER, 2, 'b'},
	  {"::ffff:192.0.2.2", EVICTION_HEADER, 3, 'c'}}},
	{"neighbours in IPv4 are not a group",
	 'a',
	 {{"192.0.2.1", EVICTION_HEADER, 1, 'a'},
	  {"192.0.2.2", EVICTION_HEADER, 2, 'b'},
	  {"192.0.2.3", EVICTION_HEADER, 3, 'c'}}},
	{"many addresses of one /64",
	 'b',
	 {{"192.0.2.1", EVICTION_HEADER, 1, 'a'},
	  {"2001:db8::1", EVICTION_HEADER, 2, 'b'},
	  {"2001:db8::2", EVICTION_HEADER, 3, 'c'}}},
	{"many /64 of one /48",
	 'b',
	 {{"192.0.2.1", EVICTION_HEADER, 1, 'a'},
	  {"2001:db8:0:1::1", EVICTION_HEADER, 2, 'b'},
	  {"2001:db8:0:2::1", EVICTION_HEADER, 3, 'c'}}},
	{"who is alone in a /64 of a full /48 is left alone",
	 'c',
	 {{"2001:db8:0:1::1", EVICTION_HEADER, 1, 'a'},
	  {"2001:db8:0:2::1", EVICTION_HEADER, 4, 'b'},
	  {"2001:db8:0:2::2", EVICTION_HEADER, 3, 'c'}}},
	{"and so is one address in a full /64",
	 'd',
	 {{"2001:db8::1", EVICTION_HEADER, 1, 'a'},
	  {"2001:db8::2", EVICTION_HEADER, 6, 'b'},
	  {"2001:db8::2", EVICTION_HEADER, 5, 'd'}}},
	{"this host is a group of its own, not one with IPv4",
	 'b',
	 {{"127.0.0.1", EVICTION_HEADER, 1, 'a'},
	  {"192.0.2.1", EVICTION_HEADER, 2, 'b'},
	  {"192.0.2.1", EVICTION_HEADER, 3, 'c'}}},
};

static void test_choice(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(choices); i++) {
		const struct choice *choice = &choices[i];
		size_t n = 0;

		while (n < ARRAY_SIZE(choice->places) && choice->places[n].address)
			n++;
		if (chosen_of(choice->places, n) != choice->wanted)
			fail_msg("%s: %c", choice->what, chosen_of(choice->places, n));
	}
}

/* Ten senders with 50 connections each, and one with a single old connection: it goes last. */
static void test_few_go_last(void **state)
{
	static struct occupant occupants[501];
	size_t n = ARRAY_SIZE(occupants);

	occupants[0] = (struct occupant){key_of("198.51.100.1"), EVICTION_HEADER, 0, NULL};
	for (size_t i = 1; i < n; i++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "192.0.2.%zu", i % 10);
		occupants[i] = (struct occupant){key_of(text), EVICTION_HEADER, i, text};
	}
	while (n > 11) {
		size_t chosen = eviction_choose(occupants, n);

		assert_true(chosen < n);
		assert_non_null(occupants[chosen].userdata);
		occupants[chosen] = occupants[--n];
	}
}

static void test_small_bodies_are_free(void **state)
{
	struct body_budget budget = {.max = 1 * MIB, .free_each = WEBHOOK_BODY_FREE};
	struct body large = {.data = NULL}, small = {.data = NULL};
	static char data[WEBHOOK_BODY_FREE - 1];
	int r = 0;

	while (r == 0)
		r = body_append(&large, &budget, data, sizeof(data), WEBHOOK_BODY_MAX);
	assert_int_equal(r, -ENOBUFS);
	assert_int_equal(body_append(&small, &budget, data, sizeof(data), WEBHOOK_BODY_MAX), 0);
	body_release(&small, &budget);
	body_release(&large, &budget);
	assert_int_equal(budget.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_few_go_last),
		cmocka_unit_test(test_small_bodies_are_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
