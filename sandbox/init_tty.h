/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_INIT_TTY_H
#define SANDBOX_INIT_TTY_H

/*
 * DOC: A terminal for the command
 *
 * The command's process opens a terminal of the step's own /dev/pts, so that it belongs to the
 * command's user, makes it its standard input, output and error, and sends the master end to
 * runbook-init over a socket. The init copies the output to the standard output that the host
 * gave the step, in pieces and without ever waiting for its reader. There is no input: reading
 * from the terminal blocks.
 */

#include <poll.h>
#include <stdbool.h>

#define INIT_TTY_ROWS 24
#define INIT_TTY_COLUMNS 80
#define INIT_TTY_PIECE 4096 /* PIPE_BUF: a writable pipe takes so much without blocking */

/** struct init_tty - in the init */
struct init_tty {
	int master_fd;	     /* -1: no terminal, or it is at its end */
	int slave_fd;	     /* held open so that the terminal does not hang up between users */
	unsigned used, done; /* bytes in .data, and how many of them are written out */
	char data[INIT_TTY_PIECE];
};

/**
 * init_tty_become() - open the terminal and send its ends to the init
 * @socket_fd: to the init
 *
 * Called in the command's process, which must be a session leader.
 *
 * Return: 0 or -errno.
 */
long init_tty_become(int socket_fd);
/** init_tty_take() - receive the ends, in the init. Return: 0 or -errno. */
long init_tty_take(struct init_tty *tty, int socket_fd);
/** init_tty_wanted() - set @file to poll for output or, if a piece is pending, for its reader */
void init_tty_wanted(const struct init_tty *tty, struct pollfd *file);
/** init_tty_pump() - copy one piece; call it when that descriptor is ready */
void init_tty_pump(struct init_tty *tty);
/** init_tty_end() - copy all output after the command's end; may wait for the reader */
void init_tty_end(struct init_tty *tty);

#endif
