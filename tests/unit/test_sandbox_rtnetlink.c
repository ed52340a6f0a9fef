/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cmocka_headers.h"

#include "sandbox/host_links.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Request all links, and read none of the replies, as a program that is killed now. */
static void request_and_die(int fd)
{
	const struct {
		struct nlmsghdr header;
		struct ifinfomsg info;
	} request = {
		.header = {.nlmsg_len = sizeof(request),
			   .nlmsg_type = RTM_GETLINK,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			   .nlmsg_seq = 1},
	};
	struct pollfd file = {.fd = fd, .events = POLLIN};

	assert_int_equal(send(fd, &request, sizeof(request), 0), sizeof(request));
	assert_int_equal(poll(&file, 1, 10000), 1);
}

static void finds_a_link_after_a_killed_program(void **state)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	assert_true(fd >= 0);
	assert_true(host_link_present(fd, "lo"));
	for (int i = 0; i < 3; i++) {
		request_and_die(fd);
		assert_true(host_link_present(fd, "lo"));
		assert_false(host_link_present(fd, "no-such-link"));
	}
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_a_link_after_a_killed_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
