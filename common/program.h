/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_PROGRAM_H
#define COMMON_PROGRAM_H

/*
 * DOC: What our unprivileged programs do alike
 *
 * runbookd starts each of them as root, with its channel on descriptor 3. Each is described by one
 * struct program, and program_main() is its main():
 *
 *   options      --root, --help, --version, --print-lock-down and those of the program
 *   descriptors  all above the channel are closed, then the log is opened
 *   prepare()    what needs root
 *   lock-down    see lock_down.h; everything below runs as the role's user
 *   service      the program's objects are made, and the daemon's messages are handled until it
 *                hangs up
 *
 * Four of the daemon's messages reach every program and are read here: CHANNEL, a new channel to
 * another program, CONFIG_BEGIN and CONFIG_END. The handlers of all others are the program's.
 */

#include "common/lock_down.h"
#include "common/message.h"

struct process;

/**
 * struct program_option - one option, and the variable that its value is stored in
 * @name:   without its dashes
 * @value:  how --help names its value; NULL: it takes none
 * @help:   one line; NULL: of no interest to people, so --help leaves it out
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
 * struct program_peer - a program that runbookd makes a channel to
 * @attach: serve @fd, which is owned by it from now on, in place of an older channel.
 *          Return: 0 or -errno; then the process ends, and runbookd makes all channels anew
 */
struct program_peer {
	enum process_role role;
	int (*attach)(void *userdata, int fd);
};

/**
 * struct program_service - how a program serves the daemon's channel
 * @start:        makes the program's objects and sets process->userdata
 * @config_begin: a configuration begins: forget one that was cut off. Return: < 0 closes the channel
 * @config_end:   the configuration is complete: use it. Return: likewise
 * @handlers:     of the daemon's other messages; their channel's userdata is process->userdata
 * @peers:        programs that it has channels to
 * @hung_up:      the daemon's channel is closed; NULL: end with status 0
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
 * @purpose:    what it is for: a sentence of --help
 * @prepare:    called before the lock-down; may be NULL
 * @service:    what serves the channel
 * @run:        in its place: serves CHANNEL_FD, or does without. Return: exit status
 * @no_channel: it is not started by runbookd, so descriptor 3 is closed
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

/** struct process - a program that runs; one of a process, zeroed but for .program */
struct process {
	const struct program *program;
	const char *root; /* value of --root, or NULL */
	struct paths paths;
	struct loop *loop;
	struct channel daemon;
	void *userdata; /* the program's, set by prepare() or start() */
	struct message_handler handlers[PROGRAM_HANDLERS_MAX];
};

/**
 * program_options_parse() - read the command line
 *
 * Return: -1 to go on with program_run(), or the exit status: 0 after --help and its like, 2 with
 * a sentence on standard error.
 */
int program_options_parse(struct process *process, int argc, char **argv);
/** program_run() - everything after the options. Return: exit status. */
int program_run(struct process *process);
/** program_main() - both. Return: exit status. */
int program_main(struct process *process, int argc, char **argv);

#endif
