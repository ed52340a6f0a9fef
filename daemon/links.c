/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/links.h"

#include "daemon/daemon.h"

#include <errno.h>

struct channel *link_to(struct daemon *daemon, enum child_index index)
{
	return &daemon->links[index];
}

bool link_ready(const struct daemon *daemon, enum child_index index)
{
	return daemon->links[index].greeted;
}

enum child_index link_index(const struct daemon *daemon, const struct channel *channel)
{
	return (enum child_index)(channel - daemon->links);
}

int link_send(struct daemon *daemon, enum child_index index, struct message *message)
{
	if (link_ready(daemon, index))
		return channel_send(link_to(daemon, index), message);
	(void)message_free(message);
	return -ENOTCONN;
}
