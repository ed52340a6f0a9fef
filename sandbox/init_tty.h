/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_INIT_TTY_H
#define SANDBOX_INIT_TTY_H

/*
 * DOC: A terminal for the command
 *
 * The command's process opens a terminal of the step's own /dev/pts, so that it
 * belongs to the user who works on it, makes it its standard input, output and
 * error, and sends its other end to the init over a socket. The init carries what
 * is printed on it to the command's standard output as the host gave it, piece by
 * piece and without ever waiting for its reader. Nobody types: reading from the
 * terminal waits.
 */

#include <poll.h>
#include <stdbool.h>

#define INIT_TTY_ROWS 24
#define INIT_TTY_COLUMNS 80
#define INIT_TTY_PIECE 4096 /* PIPE_BUF: what a pipe that is ready takes at once */

/** struct init_tty - in the init */
struct init_tty {
	int master_fd; /* -1: the command has no terminal, or it is at its end */
	int slave_fd;  /* ours: without it the terminal would hang up between two users of it */
	unsigned used, done; /* bytes in @data, and how many of them the reader has */
	char data[INIT_TTY_PIECE];
};

/**
 * init_tty_become() - in the command's process, a session leader
 * @socket_fd: where the ends are sent
 *
 * Return: 0 or -errno.
 */
long init_tty_become(int socket_fd);
/** init_tty_take() - in the init: receive the ends. Return: 0 or -errno. */
long init_tty_take(struct init_tty *tty, int socket_fd);
/** init_tty_wanted() - what to wait for: something printed, or room for what was */
void init_tty_wanted(const struct init_tty *tty, struct pollfd *file);
/** init_tty_pump() - that is ready: carry one piece */
void init_tty_pump(struct init_tty *tty);
/** init_tty_end() - the command has ended: carry what it printed, wait for the reader if needed */
void init_tty_end(struct init_tty *tty);

#endif
