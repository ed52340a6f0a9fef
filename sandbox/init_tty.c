/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/init_tty.h"

#include "sandbox/init_fds.h"
#include "sandbox/init_sys.h"

#include <asm/ioctls.h>
#include <asm/termios.h>
#include <errno.h>
#include <fcntl.h>

#define STDOUT 1
/* Output of background processes after the command's end must not keep us without end. */
#define LAST_PIECES 64

/* Makes the terminal the command's three descriptors; @slave_fd stays open. */
static long take_standard(int slave_fd)
{
	for (int fd = 0; fd <= 2; fd++) {
		long result = init_call(SYS_dup3, slave_fd, fd, 0, 0);

		if (result < 0)
			return result;
	}
	return 0;
}

long init_tty_become(int socket_fd)
{
	const struct winsize size = {.ws_row = INIT_TTY_ROWS, .ws_col = INIT_TTY_COLUMNS};
	const int unlocked = 0;
	int ends[2];
	long result;

	/* O_NONBLOCK is a flag of the open file description, so it holds for the init */
	result = init_call(SYS_open, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0,
			   0);
	if (result < 0)
		return result;
	ends[0] = (int)result;
	result = init_call(SYS_ioctl, ends[0], TIOCSPTLCK, &unlocked, 0);
	if (result == 0)
		result = init_call(SYS_ioctl, ends[0], TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC,
				   0);
	if (result < 0)
		return result;
	ends[1] = (int)result;
	result = init_call(SYS_ioctl, ends[1], TIOCSWINSZ, &size, 0);
	if (result == 0)
		result = init_call(SYS_ioctl, ends[1], TIOCSCTTY, 0, 0);
	if (result == 0)
		result = init_fds_send(socket_fd, ends, 2);
	return result < 0 ? result : take_standard(ends[1]);
}

long init_tty_take(struct init_tty *tty, int socket_fd)
{
	int ends[2] = {-1, -1};
	long n = init_fds_receive(socket_fd, ends, 2);

	tty->master_fd = ends[0];
	tty->slave_fd = ends[1];
	return n < 0 ? n : n == 2 ? 0 : -EBADMSG;
}

static void give_up(struct init_tty *tty)
{
	(void)init_call(SYS_close, tty->master_fd, 0, 0, 0);
	tty->master_fd = -1;
	tty->done = tty->used = 0;
}

/* One write; a writable pipe takes the whole piece. Return: false if there is no reader. */
static bool write_out(struct init_tty *tty)
{
	long n = init_call(SYS_write, STDOUT, tty->data + tty->done, tty->used - tty->done, 0);

	if (n > 0)
		tty->done += (unsigned)n;
	if (tty->done == tty->used)
		tty->done = tty->used = 0;
	return n > 0 || n == -EINTR || n == -EAGAIN;
}

/* Return: whether there was any output. */
static bool read_in(struct init_tty *tty)
{
	long n = init_call(SYS_read, tty->master_fd, tty->data, sizeof(tty->data), 0);

	tty->used = n > 0 ? (unsigned)n : 0;
	/* EIO: a process inside hung the terminal up */
	if (n <= 0 && n != -EAGAIN && n != -EINTR)
		give_up(tty);
	return n > 0;
}

void init_tty_wanted(const struct init_tty *tty, struct pollfd *file)
{
	file->fd = tty->master_fd < 0 ? -1 : tty->used > 0 ? STDOUT : tty->master_fd;
	file->events = tty->used > 0 ? POLLOUT : POLLIN;
	file->revents = 0;
}

void init_tty_pump(struct init_tty *tty)
{
	if (tty->used == 0)
		(void)read_in(tty);
	else if (!write_out(tty))
		give_up(tty);
}

/* Writes the pending piece and waits for its reader. Return: false if there is no reader. */
static bool write_all(struct init_tty *tty)
{
	while (tty->used > 0) {
		struct pollfd file = {.fd = STDOUT, .events = POLLOUT};

		(void)init_call(SYS_poll, &file, 1, -1, 0);
		if (!write_out(tty))
			return false;
	}
	return true;
}

void init_tty_end(struct init_tty *tty)
{
	for (int i = 0; tty->master_fd >= 0 && i <= LAST_PIECES; i++) {
		if (!write_all(tty) || !read_in(tty))
			return;
	}
}
