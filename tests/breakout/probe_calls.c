/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/breakout/probe.h"

static bool inject_input(const char *number)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave;
	unsigned long request = strtoul(number, NULL, 0);
	bool done = false;
	pid_t pid;
	int status;

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		return false;
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	pid = fork();
	if (pid == 0) {
		/* TIOCLINUX 0x541c on a pty is ENOTTY unless filtered: EPERM means filtered */
		char byte = '\n';
		bool through;

		(void)setsid();
		(void)ioctl(slave, TIOCSCTTY, 0);
		through = syscall(SYS_ioctl, (long)slave, request, &byte) == 0 || errno != EPERM;
		_exit(through);
	}
	(void)waitpid(pid, &status, 0);
	done = WIFEXITED(status) && WEXITSTATUS(status) == 1;
	(void)close(master);
	(void)close(slave);
	return done;
}

/* ---- system calls ---- */

/* @text: "number a b c": got through unless EPERM or ENOSYS says no. */
static bool unknown_is_not_enosys(const char *number)
{
	return syscall(strtol(number, NULL, 0)) >= 0 || errno != ENOSYS;
}

/* In a child, for the defence is its death. */
static bool survives(long (*act)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct rlimit none = {0, 0};

		(void)setrlimit(RLIMIT_CORE, &none);
		_exit(act() > 0 ? 42 : 41);
	}
	(void)waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 42;
}

static long getpid_x32(void)
{
	return syscall(0x40000000L | SYS_getpid);
}

static long getpid_i386(void)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(20L)
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
}

static bool x32_entry(const char *unused)
{
	return survives(getpid_x32);
}

static bool i386_entry(const char *unused)
{
	return survives(getpid_i386);
}

static bool personality_odd(const char *unused)
{
	return personality(READ_IMPLIES_EXEC) != -1;
}

static bool set_clock(const char *unused)
{
	struct timespec now;

	/* a set to the time it is: nobody's clock is harmed where it works */
	return clock_gettime(CLOCK_REALTIME, &now) == 0 && clock_settime(CLOCK_REALTIME, &now) == 0;
}

static bool tune_clock(const char *unused)
{
	struct timex same = {.modes = 0};
	struct timex change = {.modes = ADJ_STATUS};

	if (adjtimex(&same) < 0)
		return false;
	change.status = same.status;
	return adjtimex(&change) >= 0;
}

/* Only at 1 the kernel starts no piped handler of the host: at 0 it does. */
static bool core_allowed(const char *unused)
{
	struct rlimit limit = {0};

	(void)setrlimit(RLIMIT_CORE, &limit);
	return getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur != 1;
}

/* ---- sockets and networks ---- */

static bool socket_opens(const char *text)
{
	int family, type, protocol, fd;

	if (sscanf(text, "%d %d %d", &family, &type, &protocol) != 3)
		return false;
	fd = (int)syscall(SYS_socket, (long)family, (long)type, (long)protocol);
	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

/*
 * Whether the kernel saw the request at all, also where it then refuses it: it
 * looks for a module first. Such requests here are chosen so that no kernel
 * answers with the errors that the filter gives.
 */
static bool socket_asks_kernel(const char *text)
{
	errno = 0;
	return socket_opens(text) || (errno != EPROTONOSUPPORT && errno != ESOCKTNOSUPPORT);
}

static bool socket_high_bits(const char *unused)
{
	/* AF_VSOCK with bits that a careless comparison would see and the kernel does not */
	return syscall(SYS_socket, (1L << 32) | 40, (long)SOCK_STREAM, 0L) >= 0;
}

static bool abstract_connects(const char *unused)
{
	const char *name = getenv("ABSTRACT");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t length = name ? strlen(name) : 0;
	bool connected;

	if (!name || length + 1 > sizeof(address.sun_path))
		return false;
	memcpy(address.sun_path + 1, name, length);
	connected = connect(fd, (struct sockaddr *)&address,
			    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length)) == 0;
	(void)close(fd);
	return connected;
}

static bool tcp_connects(const char *variable)
{
	const char *text = getenv(variable);
	struct sockaddr_in address = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval patience = {.tv_sec = 2};
	char host[64];
	unsigned port;
	bool connected;

	if (!text || sscanf(text, "%63[^:]:%u", host, &port) != 2)
		return false;
	address.sin_port = htons((uint16_t)port);
	(void)inet_pton(AF_INET, host, &address.sin_addr);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	connected = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	(void)close(fd);
	return connected;
}

static bool other_interface(const char *unused)
{
	struct if_nameindex *list = if_nameindex();
	bool other = false;

	for (struct if_nameindex *one = list; one && one->if_index; one++)
		other = other || strcmp(one->if_name, "lo") != 0;
	if_freenameindex(list);
	return other;
}

/* ---- terminals ---- */

/* Puts a line into what whoever started us reads next (CVE-2017-5226). */
static bool inject_into_input(const char *number)
{
	unsigned long request = strtoul(number, NULL, 0);
	char byte = ' ';

	return isatty(0) && syscall(SYS_ioctl, 0L, request, &byte) == 0;
}

/* ---- more of the kernel's doors ---- */

/* AF_ALG by the door that filters of native numbers forget (CVE-2026-31431). */
static long socketcall_i386(void)
{
	static uint32_t *arguments;
	struct stat st;
	long result;

	arguments = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (arguments == MAP_FAILED)
		return -1;
	arguments[0] = 1; /* AF_UNIX: it is about the door */
	arguments[1] = SOCK_STREAM;
	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(102L), "b"(1L), "c"((long)(uintptr_t)arguments)
			 : "memory", "r8", "r9", "r10", "r11");
	/* user-mode Linux takes the number for a native one: only a socket is through */
	return result >= 0 && fstat((int)result, &st) == 0 && S_ISSOCK(st.st_mode) ? 1 : -1;
}

static bool i386_socketcall(const char *unused)
{
	return survives(socketcall_i386);
}

static bool pair_opens(const char *family)
{
	int ends[2];

	return syscall(SYS_socketpair, strtol(family, NULL, 0), (long)SOCK_STREAM, 0L, ends) == 0 ||
	       (errno != EPERM && errno != EAFNOSUPPORT);
}

/* Every family but unix, inet, inet6 and netlink: one that answers otherwise is a door. */
static bool any_family(const char *unused)
{
	bool open = false;

	for (long family = 0; family < 64; family++) {
		if (family == AF_UNIX || family == AF_INET || family == AF_INET6 ||
		    family == AF_NETLINK)
			continue;
		for (long type = SOCK_STREAM; type <= SOCK_SEQPACKET; type++) {
			long fd = syscall(SYS_socket, family, type, 0L);

			if (fd >= 0)
				(void)close((int)fd);
			if (fd >= 0 || (errno != EPERM && errno != EAFNOSUPPORT)) {
				(void)fprintf(stderr, "family %ld type %ld: %s\n", family, type,
					      fd >= 0 ? "opens" : strerror(errno));
				open = true;
			}
		}
	}
	return open;
}

static bool netlink_new_link(const char *unused)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg link;
		struct nlattr info;
		struct nlattr kind;
		char name[8];
	} request = {
		.header = {.nlmsg_len = sizeof(request),
			   .nlmsg_type = RTM_NEWLINK,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK},
		.info = {.nla_len = 16, .nla_type = IFLA_LINKINFO},
		.kind = {.nla_len = 12, .nla_type = IFLA_INFO_KIND},
		.name = "dummy",
	};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[512];
	} answer;
	int fd = (int)syscall(SYS_socket, (long)AF_NETLINK, (long)SOCK_RAW, (long)NETLINK_ROUTE);
	bool made = fd >= 0 && send(fd, &request, sizeof(request), 0) > 0 &&
		    recv(fd, &answer, sizeof(answer), 0) > 0 && answer.error.error != -EPERM;

	if (fd >= 0)
		(void)close(fd);
	return made;
}

static bool routes_shown(const char *unused)
{
	char line[256];
	unsigned n = 0;
	FILE *file = fopen("/proc/net/route", "re");

	while (file && fgets(line, sizeof(line), file))
		n++;
	if (file)
		(void)fclose(file);
	return n > 1;
}

static bool set_time_of_day(const char *unused)
{
	struct timeval now;

	return gettimeofday(&now, NULL) == 0 && syscall(SYS_settimeofday, &now, NULL) == 0;
}

static bool adjust_clock(const char *unused)
{
	struct timex change = {.modes = ADJ_OFFSET_SINGLESHOT, .offset = 0};

	return syscall(SYS_clock_adjtime, (long)CLOCK_REALTIME, &change) >= 0;
}

/* ---- cores ---- */

static bool core_limit_is_more(void)
{
	struct rlimit limit = {0};

	return getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur != 1;
}

static bool raise_core_limit(const char *unused)
{
	struct rlimit limit = {4096, 4096};

	/* the call may succeed: programs that set limits for themselves should go on */
	(void)syscall(SYS_setrlimit, RLIMIT_CORE, &limit);
	return core_limit_is_more();
}

static bool raise_core_by_prlimit(const char *unused)
{
	struct rlimit limit = {4096, 4096};

	(void)syscall(SYS_prlimit64, 0, RLIMIT_CORE, &limit, NULL);
	return core_limit_is_more();
}

/* CORE_FILE is where a handler that the runner registered leaves its mark. */
static bool crash_leaves_core(const char *unused)
{
	const char *mark = getenv("CORE_FILE");
	bool left;
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		(void)!chdir("/tmp");
		(void)raise(SIGABRT);
		_exit(0);
	}
	(void)waitpid(pid, &status, 0);
	left = access("/tmp/core", F_OK) == 0;
	(void)unlink("/tmp/core");
	return WCOREDUMP(status) || left || (mark && access(mark, F_OK) == 0);
}

/* ---- the list ---- */

const struct attack call_attacks[] = {
	{"tiocsti", "tiocsti", inject_input, "0x5412"},
	{"tiocsti", "tiocsti-high-bits", inject_input, "0x100005412"},
	{"tiocsti", "tioclinux", inject_input, "0x541c"},
	{"tiocsti", "inherited", inject_into_input, "0x5412"},
	{"syscalls", "keyctl", call, "250 0 -3 0"},
	{"syscalls", "add-key", call, "248"},
	{"syscalls", "request-key", call, "249"},
	{"syscalls", "bpf", call, "321 0 0 0"},
	{"syscalls", "perf-event-open", call, "298"},
	{"syscalls", "userfaultfd", call, "323 1"},
	{"syscalls", "io-uring-setup", call, "425 1 0"},
	{"syscalls", "io-uring-enter", call, "426 -1"},
	{"syscalls", "io-uring-register", call, "427 -1"},
	{"syscalls", "kexec-load", call, "246"},
	{"syscalls", "kexec-file-load", call, "320 -1 -1"},
	{"syscalls", "init-module", call, "175"},
	{"syscalls", "finit-module", call, "313 -1"},
	{"syscalls", "delete-module", call, "176"},
	{"syscalls", "swapon", call, "167"},
	{"syscalls", "acct", call, "163 1"},
	{"syscalls", "quotactl", call, "179 -1"},
	{"syscalls", "open-by-handle-at", call, "304 -1"},
	{"syscalls", "name-to-handle-at", call, "303 -1"},
	{"syscalls", "lookup-dcookie", call, "212"},
	{"syscalls", "move-pages", call, "279 0 0"},
	{"syscalls", "mbind", call, "237 0 0 0"},
	{"syscalls", "set-mempolicy", call, "238 0 0 0"},
	{"syscalls", "migrate-pages", call, "256 0 0"},
	{"syscalls", "iopl", call, "172 0"},
	{"syscalls", "ioperm", call, "173 0 1 0"},
	{"syscalls", "modify-ldt", call, "154 0 0 0"},
	{"syscalls", "syslog", call, "103 10 0 0"},
	{"syscalls", "vhangup", call, "153"},
	{"syscalls", "kcmp", call, "312 1 1 0"},
	{"syscalls", "process-madvise", call, "440 -1"},
	{"syscalls", "pidfd-getfd", call, "438 -1"},
	{"syscalls", "fanotify-init", call, "300 0 0"},
	{"syscalls", "personality", personality_odd, NULL},
	{"syscalls", "unknown-500", unknown_is_not_enosys, "500"},
	{"syscalls", "unknown-1000", unknown_is_not_enosys, "1000"},
	{"syscalls", "x32", x32_entry, NULL},
	{"syscalls", "i386", i386_entry, NULL},
	{"syscalls", "reboot", call, "169 0 0 0"},
	{"syscalls", "swapoff", call, "168 0"},
	{"syscalls", "nfsservctl", call, "180"},
	{"syscalls", "landlock-like-futures", unknown_is_not_enosys, "600"},
	{"syscalls", "quotactl-fd", call, "443 -1"},
	{"syscalls", "mount", call, "165 0 0 0 0"},
	{"syscalls", "uselib", call, "134 0"},
	{"syscalls", "i386-socketcall", i386_socketcall, NULL},
	{"sockets", "alg", socket_opens, "38 5 0"},
	{"sockets", "vsock", socket_opens, "40 1 0"},
	{"sockets", "vsock-high-bits", socket_high_bits, NULL},
	{"sockets", "packet", socket_opens, "17 3 3"},
	{"sockets", "raw", socket_opens, "2 3 1"},
	{"sockets", "raw6", socket_opens, "10 3 58"},
	{"sockets", "xdp", socket_opens, "44 3 0"},
	{"sockets", "key", socket_opens, "15 3 2"},
	{"sockets", "netlink-audit", socket_opens, "16 3 9"},
	{"sockets", "netlink-netfilter", socket_opens, "16 3 12"},
	{"sockets", "netlink-uevent", socket_opens, "16 3 15"},
	{"sockets", "protocol-sctp", socket_asks_kernel, "2 3 132"},
	{"sockets", "protocol-dccp6", socket_asks_kernel, "10 3 33"},
	{"sockets", "type-packet", socket_asks_kernel, "2 10 768"},
	{"sockets", "abstract", abstract_connects, NULL},
	{"sockets", "netlink-xfrm", socket_opens, "16 3 6"},
	{"sockets", "netlink-connector", socket_opens, "16 3 11"},
	{"sockets", "netlink-generic", socket_opens, "16 3 16"},
	{"sockets", "netlink-crypto", socket_opens, "16 3 21"},
	{"sockets", "route-new-link", netlink_new_link, NULL},
	{"sockets", "pair-of-vsock", pair_opens, "40"},
	{"socket-modules", "sctp", socket_opens, "2 1 132"},
	{"socket-modules", "sctp-seqpacket", socket_opens, "2 5 132"},
	{"socket-modules", "sctp6", socket_opens, "10 1 132"},
	{"socket-modules", "dccp", socket_opens, "2 6 33"},
	{"socket-modules", "smc", socket_opens, "2 1 256"},
	{"socket-modules", "l2tp", socket_opens, "2 2 115"},
	{"socket-modules", "any-family", any_family, NULL},
	{"net-host", "interfaces", other_interface, NULL},
	{"net-host", "loopback-of-host", tcp_connects, "HOST_SERVICE"},
	{"net-host", "metadata", tcp_connects, "METADATA"},
	{"net-host", "routes", routes_shown, NULL},
	{"keyring", "session-keyring", call, "250 0 -3 0"},
	{"time-host", "clock-settime", set_clock, NULL},
	{"time-host", "adjtimex", tune_clock, NULL},
	{"time-host", "settimeofday", set_time_of_day, NULL},
	{"time-host", "clock-adjtime", adjust_clock, NULL},
	{"core-dump", "limit", core_allowed, NULL},
	{"core-dump", "raise", raise_core_limit, NULL},
	{"core-dump", "raise-by-prlimit", raise_core_by_prlimit, NULL},
	{"core-dump", "crash-writes-file", crash_leaves_core, NULL},
};
const size_t n_call_attacks = COUNT(call_attacks);
