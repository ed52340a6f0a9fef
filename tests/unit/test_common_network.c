/* SPDX-License-Identifier: Apache-2.0 */
/* Rules about destinations: common/network_rule.h */
#include "tests/unit/cmocka_headers.h"

#include "common/cleanup.h"
#include "common/network_rule.h"

#include <stdio.h>
#include <string.h>

/* "4 0a010200/24 6 443-443" */
static const char *show(const struct network_rule *rule)
{
	static char text[128];
	int used = snprintf(text, sizeof(text), "%u ", rule->version);

	for (int i = 0; i < (rule->version == 4 ? 4 : 16); i++)
		used += snprintf(text + used, sizeof(text) - (size_t)used, "%02x",
				 rule->address[i]);
	(void)snprintf(text + used, sizeof(text) - (size_t)used, "/%u %u-%u %u-%u", rule->bits,
		       rule->protocol_first, rule->protocol_last, rule->port_first,
		       rule->port_last);
	return text;
}

static void test_good(void **state)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{"10.1.2.0/24:443", "4 0a010200/24 6-6 443-443"},
		{"10.1.2.3", "4 0a010203/32 0-255 0-65535"},
		{"10.1.2.3:53/udp", "4 0a010203/32 17-17 53-53"},
		{"10.1.2.3:1000-2000/tcp", "4 0a010203/32 6-6 1000-2000"},
		{"0.0.0.0/0:80", "4 00000000/0 6-6 80-80"},
		{"fd00::/8", "6 fd000000000000000000000000000000/8 0-255 0-65535"},
		{"::1", "6 00000000000000000000000000000001/128 0-255 0-65535"},
		{"[fd00::1]:5432", "6 fd000000000000000000000000000001/128 6-6 5432-5432"},
		{"[fd00::/16]:5432", "6 fd000000000000000000000000000000/16 6-6 5432-5432"},
		{"[fd00::/16]", "6 fd000000000000000000000000000000/16 0-255 0-65535"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t packed[NETWORK_RULE_BYTES];
		struct network_rule rule, again;
		struct error error = ERROR_INIT;

		assert_int_equal(network_rule_parse(cases[i].text, &rule, &error), 0);
		assert_string_equal(show(&rule), cases[i].shown);
		network_rule_pack(&rule, packed);
		assert_int_equal(network_rule_unpack(packed, &again), 0);
		assert_string_equal(show(&again), cases[i].shown);
	}
}

static void test_bad(void **state)
{
	static const struct {
		const char *text, *fix;
	} cases[] = {
		{"", "not an IP address"},
		{"example.org:443", "names are not followed"},
		{"10.1.2.3/24", "write 10.1.2.0/24 for the network, or 10.1.2.3"},
		{"10.1.2.0/33", "up to 32"},
		{"10.1.2.0/", "up to 32"},
		{"10.1.2.0/-1", "up to 32"},
		{"10.1.2.3:0", "not a port"},
		{"10.1.2.3:65536", "not a port"},
		{"10.1.2.3:", "not a port"},
		{"10.1.2.3:90-80", "not a range of ports"},
		{"10.1.2.3:80/sctp", "/tcp or /udp"},
		{"[fd00::1", "[ADDRESS/BITS]:PORT"},
		{"[fd00::1]443", "[ADDRESS/BITS]:PORT"},
		{"fd00::1/129", "up to 128"},
		{"010.1.2.3", "not an IP address"},
		{"10.1.2.3 ", "not an IP address"},
		{"10.1.2.3:443 ", "not a port"},
	};
	char long_one[200] = "";

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error error = ERROR_INIT;
		struct network_rule rule;

		assert_int_equal(network_rule_parse(cases[i].text, &rule, &error), -22);
		assert_non_null(strstr(error.text, cases[i].fix));
	}
	memset(long_one, '1', sizeof(long_one) - 1);
	assert_int_equal(network_rule_parse(long_one, &(struct network_rule){0}, NULL), -22);
}

static void test_unpack_refuses(void **state)
{
	static const struct {
		int at;
		uint8_t value;
	} changes[] = {{0, 5}, {1, 33}, {2, 5}, {4, 255}, {5, 0}, {11, 1}, {23, 1}};
	struct network_rule rule;
	uint8_t good[NETWORK_RULE_BYTES];

	assert_int_equal(network_rule_parse("10.1.2.0/24:80", &rule, NULL), 0);
	network_rule_pack(&rule, good);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		uint8_t bad[NETWORK_RULE_BYTES];

		memcpy(bad, good, sizeof(bad));
		bad[changes[i].at] = changes[i].value;
		if (changes[i].at == 23) /* bytes behind an IPv4 address are ignored */
			assert_int_equal(network_rule_unpack(bad, &rule), 0);
		else
			assert_int_equal(network_rule_unpack(bad, &rule), -22);
	}
}

/* Rules before and after, joined by spaces: overlaps are cut off, in any order of the input. */
static void test_tidy(void **state)
{
	static const struct {
		const char *rules[4];
		const char *tidy;
	} cases[] = {
		{{"10.1.2.0/24:443", "10.0.0.0/8"}, "4 0a000000/8 0-255 0-65535;"},
		{{"10.0.0.1:80", "10.0.0.1:80"}, "4 0a000001/32 6-6 80-80;"},
		{{"10.0.0.1:80/udp", "10.0.0.1:80"},
		 "4 0a000001/32 17-17 80-80;4 0a000001/32 6-6 80-80;"},
		{{"10.0.0.0/16:1-100", "10.0.0.0/8:50-200"},
		 "4 0a000000/8 6-6 50-200;4 0a000000/16 6-6 1-49;"},
		{{"10.0.0.0/16:1-1000", "10.0.0.0/8:443"},
		 "4 0a000000/8 6-6 443-443;4 0a000000/16 6-6 1-442;4 0a000000/16 6-6 444-1000;"},
		{{"10.0.0.0/8:443", "10.0.0.0/16"},
		 "4 0a000000/8 6-6 443-443;4 0a000000/16 0-255 0-65535;"},
		{{"10.0.0.1:1-10", "10.0.0.1:5-20", "10.0.0.1:8"},
		 "4 0a000001/32 6-6 1-10;4 0a000001/32 6-6 11-20;"},
		{{"10.0.0.0/8", "fd00::/8"},
		 "4 0a000000/8 0-255 0-65535;6 fd000000000000000000000000000000/8 0-255 "
		 "0-65535;"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct network_rule rules[4], out[8];
		char shown[512] = "";
		size_t n = 0;
		int tidy;

		for (; n < 4 && cases[i].rules[n]; n++)
			assert_int_equal(network_rule_parse(cases[i].rules[n], &rules[n], NULL), 0);
		tidy = network_rules_tidy(rules, n, out, ARRAY_SIZE(out));
		for (int k = 0; k < tidy; k++)
			(void)snprintf(shown + strlen(shown), sizeof(shown) - strlen(shown), "%s;",
				       show(&out[k]));
		assert_string_equal(shown, cases[i].tidy);
		assert_int_equal(network_rules_tidy(rules, n, out, 0), -28);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_unpack_refuses),
		cmocka_unit_test(test_tidy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
