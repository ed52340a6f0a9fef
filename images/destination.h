/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGES_DESTINATION_H
#define IMAGES_DESTINATION_H

/*
 * DOC: Classes of addresses
 *
 * A pull may reach any address of the internet, but private addresses and this host itself only
 * if the administrator lists them (guard.h). This module decides which class an address belongs
 * to, by the IANA registries of special-purpose addresses (RFC 6890 and its updates) and the
 * addresses of metadata services.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/** destination_port() - port of an IPv4 or IPv6 address in host order; 0 for another family */
uint16_t destination_port(const struct sockaddr *address);
/**
 * destination_public() - is @address an address of the internet?
 *
 * These are not: loopback, private, link-local, metadata, multicast, documentation, unspecified,
 * IPv6 addresses that embed such an IPv4 address (mapped, NAT64), and other families.
 */
bool destination_public(const struct sockaddr *address, socklen_t size);
/** destination_same() - the same address and port? IPv4 and IPv4-mapped are the same. */
bool destination_same(const struct sockaddr *a, const struct sockaddr *b);
/** destination_own() - does this host have the address? Found by binding a socket to it. */
bool destination_own(const struct sockaddr *address);
/** destination_describe() - "192.0.2.1:443" or "[2001:db8::1]:443"; "?" for another family */
void destination_describe(const struct sockaddr *address, char *out, size_t size);

#endif
