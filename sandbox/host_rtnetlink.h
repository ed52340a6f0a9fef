/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_HOST_RTNETLINK_H
#define SANDBOX_HOST_RTNETLINK_H

/*
 * DOC: Requests of rtnetlink(7)
 *
 * What host_links.c asks the kernel, one function for each kind of request. Each waits for the
 * kernel's answer. Numbers of failures are those of libnl until rt_error() translates them.
 */

#include "common/error.h"

#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

/** rt_error() - describe failure @code of libnl. Return: -EEXIST without @error; -errno. */
int rt_error(struct error *error, int code, const char *what);

/** rt_socket_free_fn() - for cleanup_rt_socket: free the socket unless it is NULL */
void rt_socket_free_fn(struct nl_sock **socket);
#define cleanup_rt_socket __attribute__((cleanup(rt_socket_free_fn)))
/**
 * rt_socket_over() - use a duplicate of @fd, which stays the caller's
 *
 * The socket may be a predecessor's that was killed in the middle of a request: replies that wait
 * in it are dropped, because they would be taken for those of the next request.
 *
 * Return: NULL on failure.
 */
struct nl_sock *rt_socket_over(int fd);

/**
 * rt_link_message() - begin a message about a link; the caller adds attributes
 * @up: flags of the link to set
 *
 * If an attribute does not fit, the kernel rejects the message. Return: NULL without memory.
 */
struct nl_msg *rt_link_message(int type, int flags, int index, unsigned up);
/** rt_call() - send @message, which may be NULL, and free it. Return: 0 or libnl's failure. */
int rt_call(struct nl_sock *socket, struct nl_msg *message);

/**
 * rt_address_add() - add an address; IP addresses are in network byte order
 * @peer: point-to-point, for which the kernel adds the route; NULL: none
 *
 * Return: 0 or libnl's failure.
 */
int rt_address_add(struct nl_sock *socket, int index, int family, const void *local,
		   const void *peer, int bits);
/**
 * rt_route_add() - add a route
 * @info:        family, prefix length, table, scope and type
 * @destination: NULL: all
 * @gateway:     NULL: the destinations are on the link
 *
 * Return: 0 or libnl's failure.
 */
int rt_route_add(struct nl_sock *socket, struct rtmsg info, const void *destination,
		 const void *gateway, int index);
/** rt_link_find() - the index of the link @name. Return: libnl's failure if there is none. */
int rt_link_find(struct nl_sock *socket, const char *name);
/** rt_link_up() - set IFF_UP. Return: 0 or libnl's failure. */
int rt_link_up(struct nl_sock *socket, int index);

#endif
