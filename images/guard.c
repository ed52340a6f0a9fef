/* SPDX-License-Identifier: Apache-2.0 */
#include "images/guard.h"

#include "common/cleanup.h"
#include "images/destination.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#define ALLOWED_MAX 128

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
	struct sockaddr_storage storage;
};

struct watch {
	const struct guard *guard;
	pid_t pid;
	int pid_fd, notify_fd;
	union address allowed[ALLOWED_MAX];
	size_t n_allowed;
	bool resolved;	   /* the listed registries have been added to @allowed */
	char refused[512]; /* line about the last connection that was refused */
};

/* ---- allowed destinations ---- */

static void allow(struct watch *watch, const struct sockaddr *address, socklen_t size)
{
	if (watch->n_allowed < ALLOWED_MAX && size <= sizeof(watch->allowed[0]))
		memcpy(&watch->allowed[watch->n_allowed++], address, size);
}

static void allow_name(struct watch *watch, const char *host, const char *port)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;

	if (getaddrinfo(host, port, &hints, &found) != 0)
		return;
	for (const struct addrinfo *at = found; at; at = at->ai_next)
		allow(watch, at->ai_addr, at->ai_addrlen);
	freeaddrinfo(found);
}

/* Allow a registry, "registry.local:5000" or without a port. */
static void allow_listed(struct watch *watch, const char *listed)
{
	const char *colon = strrchr(listed, ':');
	char host[NI_MAXHOST];

	(void)snprintf(host, sizeof(host), "%.*s",
		       (int)(colon ? (size_t)(colon - listed) : strlen(listed)), listed);
	if (colon) {
		allow_name(watch, host, colon + 1);
		return;
	}
	allow_name(watch, host, "443");
	allow_name(watch, host, "80");
}

static void allow_servers(struct watch *watch)
{
	cleanup_fclose FILE *file = fopen("/etc/resolv.conf", "re");
	char line[512], server[256];
	size_t before = watch->n_allowed;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, " nameserver %255s", server) == 1)
			allow_name(watch, server, "53");
	}
	if (watch->n_allowed > before)
		return;
	allow_name(watch, "127.0.0.1", "53"); /* the default of resolv.conf(5) */
	allow_name(watch, "::1", "53");
}

/* Allow the proxy of an environment variable, "http://user:password@proxy.example:3128/". */
static void allow_proxy(struct watch *watch, const char *variable)
{
	const char *value = getenv(variable);
	const char *start, *at, *colon;
	char authority[512], host[NI_MAXHOST];

	if (!value || !*value)
		return;
	start = strstr(value, "://");
	start = start ? start + 3 : value;
	(void)snprintf(authority, sizeof(authority), "%.*s", (int)strcspn(start, "/"), start);
	at = strrchr(authority, '@');
	at = at ? at + 1 : authority;
	colon = strrchr(at, ':');
	if (at[0] == '[' && strchr(at, ']')) {
		(void)snprintf(host, sizeof(host), "%.*s", (int)strcspn(at + 1, "]"), at + 1);
		colon = strchr(at, ']')[1] == ':' ? strchr(at, ']') + 1 : NULL;
	} else {
		(void)snprintf(host, sizeof(host), "%.*s",
			       (int)(colon ? (size_t)(colon - at) : strlen(at)), at);
	}
	allow_name(watch, host,
		   colon				? colon + 1
		   : strncmp(value, "https://", 8) == 0 ? "443"
							: "80");
}

static bool is_allowed(const struct watch *watch, const union address *address)
{
	for (size_t i = 0; i < watch->n_allowed; i++) {
		if (destination_same(&watch->allowed[i].any, &address->any))
			return true;
	}
	return false;
}

/* Decide whether the child may connect to @address. Return: 0 if so, or -errno. */
static int judge(struct watch *watch, const union address *address, socklen_t size)
{
	char text[80];

	if (size < sizeof(sa_family_t))
		return -EINVAL;
	if (address->any.sa_family == AF_UNIX || address->any.sa_family == AF_UNSPEC)
		return 0;
	if (address->any.sa_family != AF_INET && address->any.sa_family != AF_INET6)
		return -EAFNOSUPPORT;
	if (is_allowed(watch, address))
		return 0;
	/* port 0: a resolver connects a UDP socket to find the source address, and sends nothing */
	if (destination_public(&address->any, size) &&
	    (destination_port(&address->any) == 0 || !destination_own(&address->any)))
		return 0;
	if (!watch->resolved) {
		watch->resolved = true;
		for (const char *const *at = watch->guard->listed; *at; at++)
			allow_listed(watch, *at);
		if (is_allowed(watch, address))
			return 0;
	}
	destination_describe(&address->any, text, sizeof(text));
	(void)snprintf(watch->refused, sizeof(watch->refused),
		       "msg=\"%s is a private address, or this host's own, and no registry that "
		       "AllowPrivate= or Insecure= in [Images] lists\"\n",
		       text);
	return -EACCES;
}

/* ---- the filter, in the new process ---- */

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF_EQUAL(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define IF_SET(bits, yes, no) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, yes, no)
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)

/*
 * The filter of runbook-image already refuses other architectures. sendto(2) with an address and
 * MSG_FASTOPEN would connect without connect(2), so it is refused.
 */
static int filter_install(void)
{
	struct sock_filter code[] = {
		LOAD(nr),
		IF_EQUAL(SYS_connect, 0, 1),
		RETURN(SECCOMP_RET_USER_NOTIF),
		IF_EQUAL(SYS_sendto, 0, 4),
		LOAD(args[4]),
		IF_EQUAL(0, 0, 10),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[4]) + 4),
		IF_EQUAL(0, 7, 8),
		IF_EQUAL(SYS_sendmsg, 2, 0),
		IF_EQUAL(SYS_sendmmsg, 3, 0),
		RETURN(SECCOMP_RET_ALLOW),
		LOAD(args[2]),
		IF_SET(MSG_FASTOPEN, 3, 2),
		LOAD(args[3]),
		IF_SET(MSG_FASTOPEN, 1, 0),
		RETURN(SECCOMP_RET_ALLOW),
		RETURN(SECCOMP_RET_ERRNO | EACCES),
	};
	const struct sock_fprog program = {.len = ARRAY_SIZE(code), .filter = code};

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			    &program);
}

/* Pass the filter's notification descriptor from the child to the guard. */
static void descriptor_send(int socket_fd, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.bytes = {0}};
	char byte = 0;
	struct iovec part = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	if (sendmsg(socket_fd, &message, MSG_NOSIGNAL) != 1)
		_exit(GUARD_FAILED);
}

static int descriptor_receive(int socket_fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.bytes = {0}};
	char byte = 0;
	struct iovec part = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	int fd;

	if (recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC) != 1 ||
	    message.msg_controllen < sizeof(control.header) ||
	    control.header.cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	return fd;
}

/* ---- the guard ---- */

/* Connect the child's socket with our copy of the address. Return: 0 or -errno, for the child. */
static int connect_for(const struct watch *watch, const struct seccomp_notif *asked,
		       const union address *address, socklen_t size)
{
	cleanup_close int fd =
		(int)syscall(SYS_pidfd_getfd, watch->pid_fd, (int)asked->data.args[0], 0);

	if (fd < 0)
		return -errno;
	return connect(fd, &address->any, size) < 0 ? -errno : 0;
}

static int answer_connect(struct watch *watch, const struct seccomp_notif *asked)
{
	union address address = {.storage = {.ss_family = AF_UNSPEC}};
	socklen_t size = (socklen_t)asked->data.args[2];
	struct iovec ours = {.iov_base = &address, .iov_len = size};
	struct iovec theirs = {.iov_base = (void *)(uintptr_t)asked->data.args[1], .iov_len = size};
	int r;

	if (asked->data.args[2] > sizeof(address))
		return -EINVAL;
	if (process_vm_readv((pid_t)asked->pid, &ours, 1, &theirs, 1, 0) != (ssize_t)size)
		return errno == EPERM ? -EPERM : -EFAULT;
	r = judge(watch, &address, size);
	return r < 0 ? r : connect_for(watch, asked, &address, size);
}

/* process_vm_readv(2) needs the right to trace the child, which Yama may refuse to a parent. */
static void note_unreadable(struct watch *watch)
{
	(void)snprintf(watch->refused, sizeof(watch->refused),
		       "msg=\"the addresses that skopeo connects to cannot be read on this host: "
		       "kernel.yama.ptrace_scope may be at most 1\"\n");
}

static void notified(struct watch *watch)
{
	struct seccomp_notif asked = {.id = 0};
	struct seccomp_notif_resp answer = {.id = 0};

	if (ioctl(watch->notify_fd, SECCOMP_IOCTL_NOTIF_RECV, &asked) < 0)
		return; /* the calling thread is gone, or a signal interrupted its call */
	answer.id = asked.id;
	answer.error = answer_connect(watch, &asked);
	if (answer.error == -EPERM)
		note_unreadable(watch);
	(void)ioctl(watch->notify_fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

/* Exit with the child's status, or by the same signal. */
static _Noreturn void end_as(const struct watch *watch)
{
	int status = 0;

	while (waitpid(watch->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status)) {
		(void)signal(WTERMSIG(status), SIG_DFL);
		(void)kill(getpid(), WTERMSIG(status));
	}
	if (watch->refused[0] && status != 0)
		(void)!write(STDERR_FILENO, watch->refused, strlen(watch->refused));
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : GUARD_FAILED);
}

static _Noreturn void child_begin(int socket_fd, pid_t guard, void (*start)(const void *user),
				  const void *user)
{
	int fd;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != guard)
		_exit(GUARD_FAILED);
	fd = filter_install();
	if (fd < 0)
		_exit(GUARD_FAILED);
	descriptor_send(socket_fd, fd);
	(void)close(fd);
	(void)close(socket_fd);
	start(user);
	_exit(GUARD_FAILED);
}

_Noreturn void guard_run(const struct guard *guard, void (*start)(const void *user),
			 const void *user)
{
	static struct watch watch; /* static is safe: this process has one guard */
	pid_t self = getpid();
	int pair[2];

	watch.guard = guard;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		_exit(GUARD_FAILED);
	watch.pid = fork();
	if (watch.pid == 0)
		child_begin(pair[1], self, start, user);
	(void)close(pair[1]);
	if (watch.pid < 0)
		_exit(GUARD_FAILED);
	watch.pid_fd = (int)syscall(SYS_pidfd_open, watch.pid, 0);
	watch.notify_fd = descriptor_receive(pair[0]);
	if (watch.pid_fd < 0 || watch.notify_fd < 0)
		end_as(&watch);
	allow_servers(&watch);
	allow_proxy(&watch, "HTTPS_PROXY");
	allow_proxy(&watch, "HTTP_PROXY");
	for (;;) {
		struct pollfd files[] = {{.fd = watch.pid_fd, .events = POLLIN},
					 {.fd = watch.notify_fd, .events = POLLIN}};

		if (poll(files, ARRAY_SIZE(files), -1) < 0 && errno != EINTR)
			_exit(GUARD_FAILED);
		if (files[0].revents)
			end_as(&watch);
		if (files[1].revents & POLLIN)
			notified(&watch);
	}
}
