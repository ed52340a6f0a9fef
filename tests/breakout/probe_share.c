/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/breakout/probe.h"

/* ---- shared things of the host ---- */

static bool shared_memory(const char *unused)
{
	const char *key = getenv("SHM_KEY");

	return key && shmget((key_t)strtol(key, NULL, 0), 0, 0) >= 0;
}

/* ---- what one step makes and another looks for ---- */

/* Names are the same for all: two steps of one image would choose the same, too. */
#define KEY 0x52421
#define NAME "breakout-shared"

static bool queue_there(const char *unused)
{
	return msgget(KEY, 0) >= 0;
}

static bool semaphore_there(const char *unused)
{
	return semget(KEY, 1, 0) >= 0;
}

static bool segment_there(const char *unused)
{
	return shmget(KEY, 0, 0) >= 0;
}

static bool posix_queue_there(const char *unused)
{
	int fd = (int)syscall(SYS_mq_open, NAME, O_RDONLY | O_CLOEXEC, 0, NULL);

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

static socklen_t neighbour_address(struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(address->sun_path + 1, NAME, sizeof(NAME) - 1);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof(NAME));
}

static bool neighbour_socket(const char *unused)
{
	struct sockaddr_un address;
	socklen_t length = neighbour_address(&address);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool connected = connect(fd, (struct sockaddr *)&address, length) == 0;

	(void)close(fd);
	return connected;
}

static bool neighbour_port(const char *unused)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(5242),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool connected = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

	(void)close(fd);
	return connected;
}

static bool neighbour_process(const char *unused)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	char path[PATH_MAX], text[256];
	bool found = false;

	while (dir && (entry = readdir(dir))) {
		ssize_t size;
		int fd;

		(void)snprintf(path, sizeof(path), "/proc/%s/cmdline", entry->d_name);
		fd = entry->d_name[0] >= '0' && entry->d_name[0] <= '9'
			     ? open(path, O_RDONLY | O_CLOEXEC)
			     : -1;
		size = fd < 0 ? 0 : read(fd, text, sizeof(text));
		if (fd >= 0)
			(void)close(fd);
		found = found || (size > 0 && memmem(text, (size_t)size, "hold", sizeof("hold")));
	}
	if (dir)
		(void)closedir(dir);
	return found;
}

static bool file_there(const char *path)
{
	return access(path, F_OK) == 0;
}

static const char *const held_files[] = {
	"/tmp/" NAME,	    "/dev/shm/" NAME, "/var/tmp/" NAME, "/run/" NAME,
	"/workspace/" NAME, "/etc/" NAME,     "/root/" NAME,	"/" NAME,
};

/* Another's terminal would be here if its instance of devpts were shared. */
static bool list_terminals(const char *unused)
{
	DIR *dir = opendir("/dev/pts");
	struct dirent *entry;
	bool found = false;

	while (dir && (entry = readdir(dir)))
		found = found || (entry->d_name[0] >= '0' && entry->d_name[0] <= '9');
	if (dir)
		(void)closedir(dir);
	return found;
}

/* Makes all of it, says so, and stays until its input ends. */
int share_hold(void)
{
	struct sockaddr_un address;
	socklen_t length = neighbour_address(&address);
	struct sockaddr_in port = {.sin_family = AF_INET,
				   .sin_port = htons(5242),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), tcp = socket(AF_INET, SOCK_STREAM, 0);
	char byte;

	if (msgget(KEY, IPC_CREAT | 0666) < 0 || semget(KEY, 1, IPC_CREAT | 0666) < 0 ||
	    shmget(KEY, 4096, IPC_CREAT | 0666) < 0 ||
	    syscall(SYS_mq_open, NAME, O_RDWR | O_CREAT, 0666, NULL) < 0 ||
	    bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 1) < 0 ||
	    bind(tcp, (struct sockaddr *)&port, sizeof(port)) < 0 || listen(tcp, 1) < 0) {
		perror("hold");
		return 1;
	}
	for (size_t i = 0; i < COUNT(held_files); i++) {
		int file = open(held_files[i], O_CREAT | O_WRONLY, 0666);

		if (file < 0 || write(file, "held", 4) != 4) {
			perror(held_files[i]);
			return 1;
		}
	}
	(void)printf("holding\n");
	(void)fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}

/* ---- the list ---- */

const struct attack share_attacks[] = {
	{"shm-ipc", "system-v", shared_memory, NULL},
	{"shm-ipc", "dev-shm", environment_path, "SHM_FILE"},
	{"shm-ipc", "neighbour-queue", queue_there, NULL},
	{"shm-ipc", "neighbour-semaphore", semaphore_there, NULL},
	{"shm-ipc", "neighbour-segment", segment_there, NULL},
	{"shm-ipc", "neighbour-posix-queue", posix_queue_there, NULL},
	{"shm-ipc", "neighbour-abstract-socket", neighbour_socket, NULL},
	{"shm-ipc", "neighbour-dev-shm", file_there, "/dev/shm/" NAME},
	{"cross-step", "neighbour-port", neighbour_port, NULL},
	{"cross-step", "neighbour-process", neighbour_process, NULL},
	{"cross-step", "neighbour-tmp", file_there, "/tmp/" NAME},
	{"cross-step", "neighbour-var-tmp", file_there, "/var/tmp/" NAME},
	{"cross-step", "neighbour-run", file_there, "/run/" NAME},
	{"cross-step", "neighbour-workspace", file_there, "/workspace/" NAME},
	{"cross-step", "neighbour-root", file_there, "/" NAME},
	{"cross-step", "neighbour-etc", file_there, "/etc/" NAME},
	{"cross-step", "neighbour-home", file_there, "/root/" NAME},
	{"cross-step", "terminals", list_terminals, NULL},
};
const size_t n_share_attacks = COUNT(share_attacks);
