/* SPDX-License-Identifier: Apache-2.0 */
#include "common/program.h"
#include "common/message_table.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/memory_trim.h"
#include "common/messages/channels.h"
#include "common/messages/config.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

/* ---- options ---- */

enum { OPTION_ROOT, OPTION_PRINT, OPTION_VERSION, OPTION_HELP, OPTIONS_OF_ALL };

#define OPTIONS_MAX 16

static const struct program_option options_of_all[OPTIONS_OF_ALL] = {
	[OPTION_ROOT] = {.name = "root",
			 .value = "DIR",
			 .help = "all paths are beneath DIR (default $RUNBOOK_ROOT or /)"},
	[OPTION_PRINT] = {.name = "print-lock-down", .help = "what the program may reach"},
	[OPTION_VERSION] = {.name = "version", .help = "version of runbookd"},
	[OPTION_HELP] = {.name = "help", .help = "this text"},
};

static const struct program_option *option_of(const struct program *program, size_t index)
{
	return index < OPTIONS_OF_ALL ? &options_of_all[index]
				      : &program->options[index - OPTIONS_OF_ALL];
}

static void option_print(const struct program_option *option)
{
	char left[64];

	if (!option->help)
		return;
	(void)snprintf(left, sizeof(left), "--%s%s%s", option->name, option->value ? " " : "",
		       option->value ? option->value : "");
	(void)printf("  %-18s %s\n", left, option->help);
}

static void help_print(const struct program *program)
{
	(void)printf("Usage: %s [OPTION]...\n%s\n"
		     "runbookd starts it, with a channel on descriptor 3.\n\n",
		     program->name, program->purpose);
	for (size_t i = 0; i < program->n_options; i++)
		option_print(&program->options[i]);
	for (size_t i = 0; i < OPTIONS_OF_ALL; i++)
		option_print(&options_of_all[i]);
}

static int usage_error(const struct program *program, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static int usage_error(const struct program *program, const char *format, ...)
{
	va_list arguments;

	(void)fprintf(stderr, "%s: ", program->name);
	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	(void)fputs("; see --help\n", stderr);
	return 2;
}

/* Parses and stores a number. Return: -1 to go on, or an exit status. */
static int number_take(const struct program *program, const struct program_option *option,
		       const char *text)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end || *text < '0' || *text > '9' || value < option->min ||
	    value > option->max)
		return usage_error(
			program, "--%s takes a number from %" PRIu64 " to %" PRIu64 ", not \"%s\"",
			option->name, option->min, option->max, text);
	*option->number = value;
	return -1;
}

/* Stores the value of an option. Return: -1 to go on, or an exit status. */
static int option_take(struct process *process, size_t index, const char *value)
{
	const struct program *program = process->program;
	const struct program_option *option = option_of(program, index);

	switch (index) {
	case OPTION_HELP:
		help_print(program);
		return fflush(stdout) == 0 ? 0 : 1;
	case OPTION_VERSION:
		return printf("%s %s\n", program->name, RUNBOOK_VERSION) < 0 || fflush(stdout) != 0;
	case OPTION_PRINT:
		return lock_down_print(program->lock_down, stdout) < 0 || fflush(stdout) != 0;
	case OPTION_ROOT:
		process->root = value;
		return -1;
	default:
		break;
	}
	if (option->flag)
		*option->flag = true;
	if (option->text)
		*option->text = value;
	return option->number ? number_take(program, option, value) : -1;
}

int program_options_parse(struct process *process, int argc, char **argv)
{
	const struct program *program = process->program;
	struct option options[OPTIONS_MAX + 1] = {{0}};
	size_t n = OPTIONS_OF_ALL + program->n_options;
	int code = -1;

	if (n > OPTIONS_MAX)
		return usage_error(program, "it has too many options");
	for (size_t i = 0; i < n; i++)
		options[i] = (struct option){
			.name = option_of(program, i)->name,
			.has_arg = option_of(program, i)->value ? required_argument : no_argument,
			.val = (int)i,
		};
	while (code < 0) {
		int index = getopt_long(argc, argv, "", options, NULL);

		if (index == -1)
			break;
		if (index == '?')
			return usage_error(program, "it does not know that");
		code = option_take(process, (size_t)index, optarg);
	}
	if (code < 0 && optind < argc)
		return usage_error(program, "unexpected argument \"%s\"", argv[optind]);
	return code;
}

/* ---- messages of the daemon to every program ---- */

static struct process *process_of(struct channel *channel)
{
	return container_of(channel, struct process, daemon);
}

static int on_channel(struct channel *channel, struct message *message)
{
	struct process *process = process_of(channel);
	const struct program_service *service = process->program->service;
	struct message_channel peer;
	int r = MESSAGE_GET(message, channel, &peer);

	if (r < 0)
		return r;
	for (size_t i = 0; i < service->n_peers; i++) {
		if (service->peers[i].role != peer.role)
			continue;
		r = service->peers[i].attach(process->userdata,
					     message_take_fd(message, peer.socket));
		if (r < 0) {
			/* runbookd makes another channel only when a program is restarted */
			log_error("cannot use the channel to the %s: %s: ending",
				  role_name(service->peers[i].role), strerror(-r));
			loop_exit(process->loop, 1);
		}
		return 0;
	}
	return -EBADMSG;
}

static int on_config_begin(struct channel *channel, struct message *message)
{
	const struct program_service *service = process_of(channel)->program->service;
	struct message_config_begin begin;
	int r = MESSAGE_GET(message, config_begin, &begin);

	return r < 0 ? r : service->config_begin(channel->userdata);
}

static int on_config_end(struct channel *channel, struct message *message)
{
	const struct program_service *service = process_of(channel)->program->service;
	struct message_config_end end;
	int r = MESSAGE_GET(message, config_end, &end);

	if (r < 0)
		return r;
	r = service->config_end(channel->userdata);
	memory_trim(); /* the start is over; after a reload the older configuration was freed */
	return r;
}

static void on_hung_up(struct channel *channel)
{
	struct process *process = process_of(channel);

	if (process->program->service->hung_up)
		process->program->service->hung_up(process->userdata);
	else
		loop_exit(process->loop, 0);
}

/* ---- running ---- */

static int handlers_join(struct process *process, size_t *ret_n)
{
	static const struct message_handler of_all[] = {
		{MESSAGE_CHANNEL, on_channel},
		{MESSAGE_CONFIG_BEGIN, on_config_begin},
		{MESSAGE_CONFIG_END, on_config_end},
	};
	const struct program_service *service = process->program->service;
	size_t n = ARRAY_SIZE(of_all);

	if (n + service->n_handlers > PROGRAM_HANDLERS_MAX)
		return -E2BIG;
	memcpy(process->handlers, of_all, sizeof(of_all));
	for (size_t i = 0; i < service->n_handlers; i++)
		process->handlers[n++] = service->handlers[i];
	*ret_n = n;
	return 0;
}

/* Return: exit status, or -errno. */
static int serve(struct process *process, struct error *error)
{
	const struct program *program = process->program;
	size_t n_handlers;
	int r = loop_new(&process->loop);

	if (r < 0)
		return error_errno(error, -r, "cannot make the event loop");
	r = program->service->start(process, error);
	if (r < 0)
		return error->number ? r : error_errno(error, -r, "cannot start");
	r = handlers_join(process, &n_handlers);
	if (r == 0)
		r = channel_open(&process->daemon, process->loop, CHANNEL_FD,
				 program->lock_down->role, ROLE_DAEMON, process->handlers,
				 n_handlers, on_hung_up, process->userdata);
	if (r < 0)
		return error_errno(error, -r, "cannot use the channel on descriptor %d",
				   CHANNEL_FD);
	r = loop_run(process->loop);
	channel_close(&process->daemon);
	if (program->service->stop)
		program->service->stop(process->userdata);
	/* do not free the loop: threads may use it until the process exits */
	return r < 0 ? error_errno(error, -r, "the event loop failed") : r;
}

int program_run(struct process *process)
{
	const struct program *program = process->program;
	struct error error = ERROR_INIT;
	struct stat status;
	int r;

	if (!program->no_channel && (fstat(CHANNEL_FD, &status) < 0 || !S_ISSOCK(status.st_mode)))
		return usage_error(program, "it is started by runbookd, with a channel on "
					    "descriptor 3");
	r = isolate_fds(program->no_channel ? STDERR_FILENO : CHANNEL_FD, &error);
	log_open(program->name); /* opens a socket, so after closing all others */
	(void)signal(SIGPIPE, SIG_IGN);
	if (r == 0)
		r = paths_init(&process->paths, process->root, &error);
	if (r == 0 && program->prepare)
		r = program->prepare(process, &error);
	if (r == 0)
		r = lock_down(program->lock_down, &process->paths, &error);
	if (r == 0)
		r = program->run ? program->run(process) : serve(process, &error);
	if (r >= 0)
		return r;
	log_error("%s", error.number ? error.text : strerror(-r));
	return 1;
}

int program_main(struct process *process, int argc, char **argv)
{
	int code = program_options_parse(process, argc, argv);

	return code < 0 ? program_run(process) : code;
}
