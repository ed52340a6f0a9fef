/* SPDX-License-Identifier: Apache-2.0 */
#include "api/request.h"

#include <poll.h>

const char *http_argument(struct http_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *http_header(struct http_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

bool http_stream_alive(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct pollfd poll_fd = {.fd = info ? info->connect_fd : -1, .events = POLLRDHUP};

	if (poll(&poll_fd, 1, 0) > 0)
		return false;
	/* the timeout restarts only when it is set after it was unset */
	(void)MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, 0U);
	(void)MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT,
					(unsigned)HTTP_IDLE_SEC);
	return true;
}
