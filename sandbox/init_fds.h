/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_INIT_FDS_H
#define SANDBOX_INIT_FDS_H

/* Descriptors from the command's process to others, while it is still ours. */

/**
 * init_fds_send() - one message with descriptors, SCM_RIGHTS
 * @socket_fd: a unix socket
 * @n: at most 2
 *
 * Return: a positive number or -errno.
 */
long init_fds_send(int socket_fd, const int *fds, unsigned n);
/**
 * init_fds_receive() - the other end of it; never waits
 *
 * Return: how many descriptors of @n came, at most 2, with FD_CLOEXEC; -errno.
 */
long init_fds_receive(int socket_fd, int *ret_fds, unsigned n);

#endif
