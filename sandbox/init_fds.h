/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_INIT_FDS_H
#define SANDBOX_INIT_FDS_H

/*
 * DOC: Passing descriptors without a C library
 *
 * The command's process sends descriptors, such as those of its terminal, to runbook-init or to
 * the host before it execs. runbook-init links no C library (init_sys.h), so SCM_RIGHTS
 * messages (unix(7)) are built here.
 */

/**
 * init_fds_send() - send one message with descriptors
 * @socket_fd: a unix socket
 * @n: at most 2
 *
 * Return: a positive number or -errno.
 */
long init_fds_send(int socket_fd, const int *fds, unsigned n);
/**
 * init_fds_receive() - receive one message with descriptors, without waiting
 * @n: at most 2
 *
 * Return: the number of descriptors received, which are FD_CLOEXEC; -errno.
 */
long init_fds_receive(int socket_fd, int *ret_fds, unsigned n);

#endif
