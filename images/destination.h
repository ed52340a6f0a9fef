/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMAGES_DESTINATION_H
#define IMAGES_DESTINATION_H

/* Which addresses a pull may reach without being told: those of the internet. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/** destination_port() - of an IPv4 or IPv6 address, 0 for another family */
uint16_t destination_port(const struct sockaddr *address);
/**
 * destination_public() - is it an address of the internet?
 *
 * Not so: loopback, private, link-local, metadata, multicast, documentation, unspecified, and
 * IPv6 addresses in which such an IPv4 address is embedded (mapped, NAT64). Return: false
 * for another family, too.
 */
bool destination_public(const struct sockaddr *address, socklen_t size);
/** destination_same() - the same address and port? IPv4 and IPv4-mapped are the same. */
bool destination_same(const struct sockaddr *a, const struct sockaddr *b);
/** destination_own() - does this host have the address? Tried with a socket that is bound to it. */
bool destination_own(const struct sockaddr *address);
/** destination_describe() - "192.0.2.1:443" or "[2001:db8::1]:443"; "?" for another family */
void destination_describe(const struct sockaddr *address, char *out, size_t size);

#endif
