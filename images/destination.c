/* SPDX-License-Identifier: Apache-2.0 */
#include "images/destination.h"

#include "common/cleanup.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct range {
	const char *prefix;
	unsigned bits;
};

static const struct range ranges4[] = {
	{"0.0.0.0", 8},	     {"10.0.0.0", 8},	  {"100.64.0.0", 10},	 {"127.0.0.0", 8},
	{"169.254.0.0", 16}, {"172.16.0.0", 12},  {"192.0.0.0", 24},	 {"192.0.2.0", 24},
	{"192.88.99.0", 24}, {"192.168.0.0", 16}, {"198.18.0.0", 15},	 {"198.51.100.0", 24},
	{"203.0.113.0", 24}, {"224.0.0.0", 3},	  {"168.63.129.16", 32},
};

/* IANA assigns public addresses from 2000::/3 only; these ranges of it are not public. */
static const struct range ranges6[] = {
	{"2001::", 23},
	{"2001:db8::", 32},
	{"2002::", 16},
	{"3fff::", 20},
};

/* IPv6 ranges that embed an IPv4 address from byte @at on; the IPv4 address decides. */
static const struct {
	struct range range;
	unsigned at;
} embedded[] = {
	{{"::ffff:0.0.0.0", 96}, 12},
	{{"64:ff9b::", 96}, 12},
};

static bool in_range(const uint8_t *bytes, int family, const struct range *range)
{
	uint8_t prefix[16];
	unsigned whole = range->bits / 8, rest = range->bits % 8;

	if (inet_pton(family, range->prefix, prefix) != 1 || memcmp(bytes, prefix, whole) != 0)
		return false;
	return rest == 0 || ((bytes[whole] ^ prefix[whole]) & (0xff << (8 - rest)) & 0xff) == 0;
}

static bool public4(const uint8_t bytes[4])
{
	for (size_t i = 0; i < ARRAY_SIZE(ranges4); i++) {
		if (in_range(bytes, AF_INET, &ranges4[i]))
			return false;
	}
	return true;
}

static bool public6(const uint8_t bytes[16])
{
	for (size_t i = 0; i < ARRAY_SIZE(embedded); i++) {
		if (in_range(bytes, AF_INET6, &embedded[i].range))
			return public4(bytes + embedded[i].at);
	}
	for (size_t i = 0; i < ARRAY_SIZE(ranges6); i++) {
		if (in_range(bytes, AF_INET6, &ranges6[i]))
			return false;
	}
	return (bytes[0] & 0xe0) == 0x20;
}

/* The address as IPv6, with IPv4 mapped. Return: false for another family. */
static bool address_bytes(const struct sockaddr *address, uint8_t out[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (address->sa_family == AF_INET) {
		memcpy(out, mapped, sizeof(mapped));
		memcpy(out + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
		return true;
	}
	if (address->sa_family != AF_INET6)
		return false;
	memcpy(out, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
	return true;
}

uint16_t destination_port(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
	if (address->sa_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)(const void *)address)->sin6_port);
	return 0;
}

bool destination_public(const struct sockaddr *address, socklen_t size)
{
	uint8_t bytes[16];

	if (size < (address->sa_family == AF_INET ? sizeof(struct sockaddr_in)
						  : sizeof(struct sockaddr_in6)) ||
	    !address_bytes(address, bytes))
		return false;
	return public6(bytes);
}

bool destination_same(const struct sockaddr *a, const struct sockaddr *b)
{
	uint8_t one[16], two[16];

	return address_bytes(a, one) && address_bytes(b, two) &&
	       memcmp(one, two, sizeof(one)) == 0 && destination_port(a) == destination_port(b);
}

bool destination_own(const struct sockaddr *address)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} own = {.any.sa_family = AF_UNSPEC};
	cleanup_close int fd = -1;
	socklen_t size;

	if (address->sa_family == AF_INET) {
		memcpy(&own.in, address, sizeof(own.in));
		own.in.sin_port = 0;
		size = sizeof(own.in);
	} else {
		memcpy(&own.in6, address, sizeof(own.in6));
		own.in6.sin6_port = 0;
		size = sizeof(own.in6);
	}
	fd = socket(own.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd < 0 || bind(fd, &own.any, size) == 0;
}

void destination_describe(const struct sockaddr *address, char *out, size_t size)
{
	char text[INET6_ADDRSTRLEN] = "?";
	uint8_t bytes[16];

	(void)snprintf(out, size, "?");
	if (!address_bytes(address, bytes))
		return;
	if (address->sa_family == AF_INET) {
		(void)inet_ntop(AF_INET, bytes + 12, text, sizeof(text));
		(void)snprintf(out, size, "%s:%u", text, destination_port(address));
	} else {
		(void)inet_ntop(AF_INET6, bytes, text, sizeof(text));
		(void)snprintf(out, size, "[%s]:%u", text, destination_port(address));
	}
}
