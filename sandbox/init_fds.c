/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/init_fds.h"

#include "sandbox/init_sys.h"

#include <sys/socket.h>

#define FDS_MAX 2

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
};

long init_fds_send(int socket_fd, const int *fds, unsigned n)
{
	char byte = 0;
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	union control control = {.header = {.cmsg_len = CMSG_LEN(n * sizeof(int)),
					    .cmsg_level = SOL_SOCKET,
					    .cmsg_type = SCM_RIGHTS}};
	struct msghdr message = {.msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = CMSG_SPACE(n * sizeof(int))};

	for (unsigned i = 0; i < n; i++)
		((int *)(void *)CMSG_DATA(&control.header))[i] = fds[i];
	return init_call(SYS_sendmsg, socket_fd, &message, 0, 0);
}

long init_fds_receive(int socket_fd, int *ret_fds, unsigned n)
{
	char byte;
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	union control control = {.header = {.cmsg_len = 0}};
	struct msghdr message = {.msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control.space)};
	long result =
		init_call(SYS_recvmsg, socket_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, 0);
	unsigned n_here;

	if (result < 0)
		return result;
	if (message.msg_controllen < CMSG_LEN(sizeof(int)) ||
	    control.header.cmsg_type != SCM_RIGHTS)
		return 0;
	n_here = (unsigned)((control.header.cmsg_len - CMSG_LEN(0)) / sizeof(int));
	if (n_here > n)
		n_here = n;
	for (unsigned i = 0; i < n_here; i++)
		ret_fds[i] = ((int *)(void *)CMSG_DATA(&control.header))[i];
	return n_here;
}
