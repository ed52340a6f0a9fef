/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/instance.h"

#include "cli/client.h"
#include "cli/report.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

int instance_run(struct cli *cli, const struct embedded_options *options,
		 int (*work)(struct cli *cli, void *userdata), void *userdata)
{
	struct embedded embedded;
	struct error error = ERROR_INIT;
	struct client *own;
	sigset_t signals;
	char run_dir[PATH_MAX + 32];
	int code;

	/* the instance has to be cleaned up, so signals stay pending until we check for them */
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	code = embedded_start(options, &embedded, &error);
	if (code < 0)
		return cli_fail(code == -EINTR ? CLI_INTERRUPTED : CLI_REFUSED, &error);
	(void)snprintf(run_dir, sizeof(run_dir), "%s/run/runbookd", embedded.root);
	own = client_new(run_dir);
	if (own) {
		struct cli inner = *cli;

		inner.client = own;
		code = work(&inner, userdata);
		(void)client_free(own);
	} else {
		cli_note("out of memory");
		code = CLI_REFUSED;
	}
	if (code == CLI_UNREACHABLE) { /* our own instance has exited */
		char tail[800];

		embedded_log_tail(&embedded, tail, sizeof(tail));
		cli_note("runbookd ended early:\n%s", tail);
	}
	if (embedded_stop(&embedded, &error) < 0)
		cli_note("%s", error.text);
	return code;
}

int instance_or_daemon(struct cli *cli, const struct embedded_options *options, const char *instead,
		       int (*with_daemon)(struct cli *cli, void *userdata),
		       int (*with_instance)(struct cli *cli, void *userdata), void *userdata)
{
	struct error error = ERROR_INIT;

	if (client_reachable(cli->client, &error))
		return with_daemon(cli, userdata);
	if (geteuid() == 0)
		return instance_run(cli, options, with_instance, userdata);
	if (error.number == EACCES)
		return cli_fail(CLI_REFUSED, &error);
	(void)error_set(&error, ECONNREFUSED,
			"no runbookd answers at %s (start it with \"systemctl start runbookd\", or "
			"run \"sudo %s\", which needs none)",
			client_socket(cli->client), instead);
	return cli_fail(CLI_UNREACHABLE, &error);
}
