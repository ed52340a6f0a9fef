/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_PROGRAM_H
#define COMMON_PROGRAM_H

/*
 * DOC: The common main() of our unprivileged programs
 *
 * runbookd starts each of them as root, with its channel on descriptor 3. One struct program
 * describes each of them, and program_main() is its main():
 *
 *   options      --root, --help, --version, --print-lock-down and those of the program
 *   descriptors  all above the channel are closed, then the log is opened
 *   prepare()    work that needs root
 *   lock-down    see lock_down.h; everything below runs as the role's user
 *   service      makes the program's objects and handles the daemon's messages until the
 *                daemon hangs up
 *
 * Messages that the daemon sends to every program are handled here: CHANNEL, a new channel to
 * another program, CONFIG_BEGIN and CONFIG_END. The program handles all others.
 */

#include "common/lock_down.h"
#include "common/message.h"

struct process;

/**
 * struct program_option - one option, and the variable that its value is stored in
 * @name:   without its dashes
 * @value:  name of its value in --help; NULL: it takes none
 * @help:   one line; NULL: internal, so --help omits it
 * @flag:   set to true; for options without a value
 * @text:   set to the value
 * @number: set to the value, which must be within @min and @max
 */
struct program_option {
	const char *name, *value, *help;
	bool *flag;
	const char **text;
	uint64_t *number;
	uint64_t min, max;
};

/**
 * struct program_peer - another program to which runbookd makes a channel
 * @attach: serve @fd in place of an older channel; owns @fd. Return: 0, or -errno and the
 *          process ends, after which runbookd makes all channels again
 */
struct program_peer {
	enum process_role role;
	int (*attach)(void *userdata, int fd);
};

/**
 * struct program_service - how a program serves the daemon's channel
 * @start:        makes the program's objects and sets process->userdata
 * @config_begin: begins a configuration; discards an incomplete one. < 0 closes the channel
 * @config_end:   the configuration is complete: apply it. < 0 closes the channel
 * @handlers:     of the daemon's other messages; their channel's userdata is process->userdata
 * @peers:        programs to which it has channels
 * @hung_up:      called when the daemon's channel is closed; NULL: exit with status 0
 * @stop:         called after the loop; may be NULL
 */
struct program_service {
	int (*start)(struct process *process, struct error *error);
	int (*config_begin)(void *userdata);
	int (*config_end)(void *userdata);
	const struct message_handler *handlers;
	size_t n_handlers;
	const struct program_peer *peers;
	size_t n_peers;
	void (*hung_up)(void *userdata);
	void (*stop)(void *userdata);
};

/**
 * struct program - one of our programs
 * @name:       of its file
 * @purpose:    a sentence for --help
 * @prepare:    called before the lock-down; may be NULL
 * @service:    serves the channel
 * @run:        in place of @service: may serve CHANNEL_FD itself. Return: exit status
 * @no_channel: people start it, not runbookd, so descriptor 3 is closed
 */
struct program {
	const char *name, *purpose;
	const struct program_option *options;
	size_t n_options;
	const struct lock_down *lock_down;
	int (*prepare)(struct process *process, struct error *error);
	const struct program_service *service;
	int (*run)(struct process *process);
	bool no_channel;
};

#define PROGRAM_HANDLERS_MAX 32

/** struct process - state of the running program; one per process, zeroed except .program */
struct process {
	const struct program *program;
	const char *root; /* value of --root, or NULL */
	struct paths paths;
	struct loop *loop;
	struct channel daemon;
	void *userdata; /* set by the program's prepare() or start() */
	struct message_handler handlers[PROGRAM_HANDLERS_MAX];
};

/**
 * program_options_parse() - read the command line
 *
 * Return: -1 to go on with program_run(), or the exit status: 0 after --help and its like, 2
 * after a message on standard error.
 */
int program_options_parse(struct process *process, int argc, char **argv);
/** program_run() - everything after the options. Return: exit status. */
int program_run(struct process *process);
/** program_main() - program_options_parse(), then program_run(). Return: exit status. */
int program_main(struct process *process, int argc, char **argv);

#endif
