/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/requests.h"

#include "common/cleanup.h"
#include "daemon/daemon.h"

#include <errno.h>

static struct daemon *daemon_of(struct channel *channel)
{
	return ((struct child *)channel->userdata)->daemon;
}

static int reload(struct channel *channel, struct message *message)
{
	struct error error = ERROR_INIT;
	struct message *answer;

	if (message_end(message) < 0)
		return -EBADMSG;
	(void)daemon_reload(daemon_of(channel), &error);
	answer = message_new(MESSAGE_RELOADED, message->serial);
	if (answer)
		message_put_string(answer, error.number ? error.text : "");
	(void)channel_send(channel, answer); /* gone: it asks again when it is back */
	return 0;
}

const struct message_handler requests_table[] = {
	{MESSAGE_HELLO, child_greeted},
	{MESSAGE_RELOAD, reload},
};
const size_t requests_table_size = ARRAY_SIZE(requests_table);
