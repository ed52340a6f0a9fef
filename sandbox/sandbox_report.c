/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox_report.h"

#include "common/cleanup.h"
#include "common/json_writer.h"
#include "common/names.h"
#include "sandbox/host_seccomp.h"
#include "sandbox/seccomp_rules.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROWS_MAX 2048
#define SHOWN_MAX 3
#define X32_BIT 0x40000000U
#define SIGN_BIT 0x80000000U
#define COMM_BYTES 16
/* the kernel's structures may be longer than those of our headers */
#define NOTIFICATION_BYTES 256

/* ---- arguments that a rule compares ---- */

enum kind { HEX, DECIMAL, FAMILY, SOCKET_TYPE, REQUEST, OPTION, RESOURCE, CLONE_FLAGS };

/* For all other calls the number alone decides. */
static const struct shown {
	uint16_t number;
	struct {
		uint8_t index;
		enum kind kind;
		const char *name;
	} arguments[SHOWN_MAX];
} shown_table[] = {
	{SYS_clone, {{0, CLONE_FLAGS, "flags"}}},
	{SYS_unshare, {{0, CLONE_FLAGS, "flags"}}},
	{SYS_setns, {{1, CLONE_FLAGS, "type"}}},
	{SYS_socket, {{0, FAMILY, "family"}, {1, SOCKET_TYPE, "type"}, {2, DECIMAL, "protocol"}}},
	{SYS_socketpair, {{0, FAMILY, "family"}}},
	{SYS_ioctl, {{1, REQUEST, "request"}}},
	{SYS_personality, {{0, HEX, "persona"}}},
	{SYS_prctl, {{0, OPTION, "option"}}},
	{SYS_setrlimit, {{0, RESOURCE, "resource"}}},
	{SYS_prlimit64, {{1, RESOURCE, "resource"}}},
	{SYS_keyctl, {{0, DECIMAL, "operation"}}},
	{SYS_bpf, {{0, DECIMAL, "command"}}},
	{SYS_mount, {{3, HEX, "flags"}}},
	{SYS_umount2, {{1, HEX, "flags"}}},
	{SYS_clock_settime, {{0, DECIMAL, "clock"}}},
};

static const struct {
	enum kind kind;
	uint32_t value;
	const char *name;
} value_names[] = {
	{FAMILY, AF_UNIX, "AF_UNIX"},
	{FAMILY, AF_INET, "AF_INET"},
	{FAMILY, AF_INET6, "AF_INET6"},
	{FAMILY, AF_NETLINK, "AF_NETLINK"},
	{FAMILY, AF_PACKET, "AF_PACKET"},
	{FAMILY, AF_ALG, "AF_ALG"},
	{FAMILY, AF_VSOCK, "AF_VSOCK"},
	{FAMILY, AF_BLUETOOTH, "AF_BLUETOOTH"},
	{FAMILY, AF_CAN, "AF_CAN"},
	{FAMILY, AF_TIPC, "AF_TIPC"},
	{FAMILY, AF_XDP, "AF_XDP"},
	{SOCKET_TYPE, SOCK_STREAM, "SOCK_STREAM"},
	{SOCKET_TYPE, SOCK_DGRAM, "SOCK_DGRAM"},
	{SOCKET_TYPE, SOCK_RAW, "SOCK_RAW"},
	{SOCKET_TYPE, SOCK_SEQPACKET, "SOCK_SEQPACKET"},
	{REQUEST, 0x5412, "TIOCSTI"},
	{REQUEST, 0x541c, "TIOCLINUX"},
	{REQUEST, 0x5423, "TIOCSETD"},
	{OPTION, PR_SET_MM, "PR_SET_MM"},
	{OPTION, PR_SET_IO_FLUSHER, "PR_SET_IO_FLUSHER"},
	{OPTION, PR_SCHED_CORE, "PR_SCHED_CORE"},
	{OPTION, 67, "PR_SET_MEMORY_MERGE"},
	{RESOURCE, 4, "RLIMIT_CORE"},
	{CLONE_FLAGS, CLONE_NEWNS, "CLONE_NEWNS"},
	{CLONE_FLAGS, CLONE_NEWCGROUP, "CLONE_NEWCGROUP"},
	{CLONE_FLAGS, CLONE_NEWUTS, "CLONE_NEWUTS"},
	{CLONE_FLAGS, CLONE_NEWIPC, "CLONE_NEWIPC"},
	{CLONE_FLAGS, CLONE_NEWUSER, "CLONE_NEWUSER"},
	{CLONE_FLAGS, CLONE_NEWPID, "CLONE_NEWPID"},
	{CLONE_FLAGS, CLONE_NEWNET, "CLONE_NEWNET"},
	{CLONE_FLAGS, 0x80, "CLONE_NEWTIME"},
};

static const struct shown *shown_find(uint32_t arch, uint32_t number)
{
	for (size_t i = 0; arch == AUDIT_ARCH_X86_64 && i < ARRAY_SIZE(shown_table); i++) {
		if (shown_table[i].number == number)
			return &shown_table[i];
	}
	return NULL;
}

static void flags_write(char *out, size_t size, uint32_t value)
{
	size_t used = 0;

	for (size_t i = 0; i < ARRAY_SIZE(value_names); i++) {
		if (value_names[i].kind != CLONE_FLAGS || !(value & value_names[i].value))
			continue;
		used += (size_t)snprintf(out + used, size - used, "%s%s", used ? "|" : "",
					 value_names[i].name);
		value &= ~value_names[i].value;
	}
	if (value || used == 0)
		(void)snprintf(out + used, size - used, "%s0x%x", used ? "|" : "", value);
}

static void value_write(char *out, size_t size, enum kind kind, uint32_t value)
{
	if (kind == CLONE_FLAGS) {
		flags_write(out, size, value);
		return;
	}
	if (kind == SOCKET_TYPE)
		value &= ~(uint32_t)(SOCK_CLOEXEC | SOCK_NONBLOCK);
	for (size_t i = 0; i < ARRAY_SIZE(value_names); i++) {
		if (value_names[i].kind == kind && value_names[i].value == value) {
			(void)snprintf(out, size, "%s", value_names[i].name);
			return;
		}
	}
	(void)snprintf(out, size, kind == HEX || kind == REQUEST ? "0x%x" : "%u", value);
}

/* ---- rows ---- */

struct row {
	uint32_t arch, number;
	uint32_t answer; /* SECCOMP_RET_* of the filter */
	uint32_t arguments[SHOWN_MAX];
	char comm[COMM_BYTES];
	uint64_t count;
};

struct seccomp_report {
	int sockets[2]; /* ours, the sandbox's */
	int listener_fd;
	struct sock_filter program[SECCOMP_PROGRAM_MAX];
	size_t n_program;
	struct row rows[ROWS_MAX];
	size_t n_rows;
	uint64_t n_unnoted; /* calls that found all rows used */
};

int seccomp_report_new(struct seccomp_report **ret_report, struct error *error)
{
	struct seccomp_report *report = calloc(1, sizeof(*report));
	int n = report ? seccomp_program_build(report->program, false) : -ENOMEM;

	if (n < 0) {
		free(report);
		return error_errno(error, -n, "cannot prepare a report of system calls");
	}
	report->n_program = (size_t)n;
	report->listener_fd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, report->sockets) < 0) {
		free(report);
		return error_errno(error, errno, "cannot make a socket");
	}
	*ret_report = report;
	return 0;
}

struct seccomp_report *seccomp_report_free(struct seccomp_report *report)
{
	if (!report)
		return NULL;
	for (int i = 0; i < 2; i++) {
		if (report->sockets[i] >= 0)
			(void)close(report->sockets[i]);
	}
	if (report->listener_fd >= 0)
		(void)close(report->listener_fd);
	free(report);
	return NULL;
}

int seccomp_report_socket(const struct seccomp_report *report)
{
	return report->sockets[1];
}

void seccomp_report_started(struct seccomp_report *report)
{
	(void)close(report->sockets[1]);
	report->sockets[1] = -1;
}

int seccomp_report_fd(const struct seccomp_report *report)
{
	return report->listener_fd >= 0 ? report->listener_fd : report->sockets[0];
}

/* Interprets the subset of classic BPF that our own filter uses. */
static uint32_t program_answer(const struct seccomp_report *report, const struct seccomp_data *data)
{
	uint32_t value = 0;

	for (size_t at = 0; at < report->n_program;) {
		const struct sock_filter *in = &report->program[at++];
		bool yes;

		switch (in->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&value, (const char *)data + in->k, sizeof(value));
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			value &= in->k;
			continue;
		case BPF_RET | BPF_K:
			return in->k;
		case BPF_JMP | BPF_JEQ | BPF_K:
			yes = value == in->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			yes = value > in->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			yes = value >= in->k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			yes = (value & in->k) != 0;
			break;
		default:
			return SECCOMP_RET_KILL_PROCESS;
		}
		at += yes ? in->jt : in->jf;
	}
	return SECCOMP_RET_KILL_PROCESS;
}

static void comm_read(uint32_t tid, char *comm)
{
	char path[64];
	cleanup_close int fd = -1;
	ssize_t length;

	(void)snprintf(path, sizeof(path), "/proc/%u/comm", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, comm, COMM_BYTES - 1);
	comm[length > 0 ? length : 0] = '\0';
	comm[strcspn(comm, "\n")] = '\0';
}

/* Counts a call in the row of equal calls of the same program, or in a new row. */
static void row_note(struct seccomp_report *report, const struct seccomp_notif *call,
		     uint32_t answer)
{
	struct row row = {.arch = call->data.arch,
			  .number = (uint32_t)call->data.nr,
			  .answer = answer,
			  .count = 1};
	const struct shown *shown = shown_find(row.arch, row.number);

	comm_read(call->pid, row.comm);
	for (int i = 0; shown && i < SHOWN_MAX && shown->arguments[i].name; i++)
		row.arguments[i] = (uint32_t)call->data.args[shown->arguments[i].index];
	for (size_t i = 0; i < report->n_rows; i++) {
		struct row *known = &report->rows[i];

		if (known->arch == row.arch && known->number == row.number &&
		    known->answer == row.answer && strcmp(known->comm, row.comm) == 0 &&
		    memcmp(known->arguments, row.arguments, sizeof(row.arguments)) == 0) {
			known->count++;
			return;
		}
	}
	if (report->n_rows < ROWS_MAX)
		report->rows[report->n_rows++] = row;
	else
		report->n_unnoted++;
}

/* ---- answering ---- */

/* Receives the filter's listener from the command's process. */
static void listener_receive(struct seccomp_report *report)
{
	char byte;
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr message = {.msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control.space)};
	ssize_t got = recvmsg(report->sockets[0], &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	const struct cmsghdr *header = got >= 0 ? CMSG_FIRSTHDR(&message) : NULL;

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&report->listener_fd, CMSG_DATA(header), sizeof(int));
	/* there is just one message, or none if the sandbox could not be built */
	(void)close(report->sockets[0]);
	report->sockets[0] = -1;
}

/* Is SIGSYS blocked, ignored or handled, so that it would not kill as the filter does? */
static bool survives_sigsys(uint32_t tid, uint32_t *ret_tgid)
{
	char path[64], line[256];
	FILE *file;
	uint64_t masks = 0, mask;

	*ret_tgid = 0;
	(void)snprintf(path, sizeof(path), "/proc/%u/status", tid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Tgid: %" SCNu32, ret_tgid) == 1)
			continue;
		if (sscanf(line, "SigBlk: %" SCNx64, &mask) == 1 ||
		    sscanf(line, "SigIgn: %" SCNx64, &mask) == 1 ||
		    sscanf(line, "SigCgt: %" SCNx64, &mask) == 1)
			masks |= mask;
	}
	if (file)
		(void)fclose(file);
	return masks & (1ULL << (SIGSYS - 1));
}

/* The pid belongs to the caller for as long as the notification is valid. */
static void kill_caller(const struct seccomp_report *report, const struct seccomp_notif *call)
{
	uint32_t tgid;
	bool survives = survives_sigsys(call->pid, &tgid);
	int pidfd = tgid ? (int)syscall(SYS_pidfd_open, (pid_t)tgid, 0) : -1;
	uint64_t id = call->id;

	if (pidfd < 0)
		return;
	if (ioctl(report->listener_fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0)
		(void)syscall(SYS_pidfd_send_signal, pidfd, survives ? SIGKILL : SIGSYS, NULL, 0);
	(void)close(pidfd);
}

static void call_answer(struct seccomp_report *report, const struct seccomp_notif *call)
{
	union {
		struct seccomp_notif_resp response;
		char space[NOTIFICATION_BYTES];
	} answer = {0};
	uint32_t wanted = program_answer(report, &call->data);
	bool kills = (wanted & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ERRNO;

	/* a tracer sets -1 to skip a call, so no call was made */
	if (call->data.nr != -1)
		row_note(report, call, wanted);
	if (kills)
		kill_caller(report, call);
	answer.response.id = call->id;
	answer.response.error = kills ? -ENOSYS : -(int)(wanted & SECCOMP_RET_DATA);
	/* fails if the caller is gone, which is fine */
	(void)ioctl(report->listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

void seccomp_report_handle(struct seccomp_report *report)
{
	union {
		struct seccomp_notif call;
		char space[NOTIFICATION_BYTES];
	} notification = {0};
	struct pollfd file = {.fd = report->listener_fd, .events = POLLIN};

	if (report->listener_fd < 0) {
		if (report->sockets[0] >= 0)
			listener_receive(report);
		return;
	}
	/* kernels before 6.11 block forever in the ioctl once all callers are gone */
	if (poll(&file, 1, 0) >= 0 && !(file.revents & POLLIN)) {
		if (file.revents == 0)
			return;
		(void)close(report->listener_fd);
		report->listener_fd = -1;
		return;
	}
	if (ioctl(report->listener_fd, SECCOMP_IOCTL_NOTIF_RECV, &notification) == 0) {
		call_answer(report, &notification.call);
		return;
	}
	if (errno == ENOENT || errno == EINTR)
		return; /* the caller was killed while it waited */
	(void)close(report->listener_fd);
	report->listener_fd = -1;
}

/* ---- printing ---- */

/* A number below 0 also has bit 30: a tracer sets it to skip a call. */
static bool is_x32(const struct row *row)
{
	return row->arch == AUDIT_ARCH_X86_64 && (row->number & (SIGN_BIT | X32_BIT)) == X32_BIT;
}

static const char *arch_name(const struct row *row)
{
	if (row->arch == AUDIT_ARCH_I386)
		return "i386";
	return is_x32(row) ? "x32" : "x86_64";
}

static int number_shown(const struct row *row)
{
	return (int)(is_x32(row) ? row->number & ~X32_BIT : row->number);
}

static void name_write(char *out, size_t size, const struct row *row)
{
	/* x32 has the numbers of x86_64 plus bit 30; i386 has other numbers */
	const struct seccomp_entry *entry =
		row->arch == AUDIT_ARCH_X86_64
			? seccomp_entry_find((uint32_t)number_shown(row), NULL)
			: NULL;

	if (entry)
		(void)snprintf(out, size, "%s", entry->name);
	else
		(void)snprintf(out, size, "%d", number_shown(row));
}

static const char *answer_name(uint32_t answer)
{
	if ((answer & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ERRNO)
		return (answer & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ALLOW ? "allow" : "killed";
	if ((answer & SECCOMP_RET_DATA) == 0)
		return "ignored";
	return strerrorname_np((int)(answer & SECCOMP_RET_DATA));
}

static const char *row_reason(const struct row *row)
{
	const char *reason = "not known to this version's list: callers fall back";
	const struct seccomp_entry *entry;

	if (strcmp(arch_name(row), "x86_64") != 0)
		return "only the native system calls are offered";
	entry = seccomp_entry_find(row->number, &reason);
	if (entry && seccomp_checks[entry->rule].reason)
		return seccomp_checks[entry->rule].reason;
	return reason;
}

/* Sorts denied calls first, then those answered with ENOSYS, then the harmless ones. */
static int row_rank(const struct row *row)
{
	if (row->answer == (SECCOMP_RET_ERRNO | 0))
		return 2;
	return row->answer == (SECCOMP_RET_ERRNO | ENOSYS) ? 1 : 0;
}

static int row_compare(const void *left, const void *right)
{
	const struct row *a = left, *b = right;

	if (row_rank(a) != row_rank(b))
		return row_rank(a) - row_rank(b);
	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return a->number < b->number ? -1 : a->number > b->number;
}

static void call_write(char *out, size_t size, const struct row *row)
{
	const struct shown *shown = shown_find(row->arch, row->number);
	size_t used;

	name_write(out, size, row);
	used = strlen(out);
	if (strcmp(arch_name(row), "x86_64") != 0)
		used += (size_t)snprintf(out + used, size - used, " (%s)", arch_name(row));
	for (int i = 0; shown && i < SHOWN_MAX && shown->arguments[i].name; i++) {
		char value[160];

		value_write(value, sizeof(value), shown->arguments[i].kind, row->arguments[i]);
		if (used < size)
			used += (size_t)snprintf(out + used, size - used, " %s=%s",
						 shown->arguments[i].name, value);
	}
}

void seccomp_report_print(struct seccomp_report *report, FILE *out)
{
	if (report->n_rows == 0) {
		(void)fprintf(out, "runbook-sandbox: no system call was denied\n");
		return;
	}
	qsort(report->rows, report->n_rows, sizeof(report->rows[0]), row_compare);
	(void)fprintf(out, "runbook-sandbox: system calls that were denied\n"
			   "  count  answer           process          call\n");
	for (size_t i = 0; i < report->n_rows; i++) {
		const struct row *row = &report->rows[i];
		char call[512], comm[4 * COMM_BYTES];

		call_write(call, sizeof(call), row);
		text_escape(comm, sizeof(comm), row->comm);
		(void)fprintf(out, "%7" PRIu64 "  %-15s  %-15s  %s: %s\n", row->count,
			      answer_name(row->answer), comm, call, row_reason(row));
	}
	if (report->n_unnoted)
		(void)fprintf(out, "%7" PRIu64 "  of more kinds than are kept\n",
			      report->n_unnoted);
}

static int row_print_json(const struct row *row, FILE *out)
{
	const struct shown *shown = shown_find(row->arch, row->number);
	cleanup_json struct json json = {0};
	char text[512];

	name_write(text, sizeof(text), row);
	json_open(&json, NULL, '{');
	json_text(&json, "name", text);
	json_signed(&json, "number", number_shown(row));
	json_text(&json, "abi", arch_name(row));
	json_open(&json, "arguments", '{');
	for (int i = 0; shown && i < SHOWN_MAX && shown->arguments[i].name; i++) {
		value_write(text, sizeof(text), shown->arguments[i].kind, row->arguments[i]);
		json_text(&json, shown->arguments[i].name, text);
	}
	json_close(&json, '}');
	json_text(&json, "answer", answer_name(row->answer));
	json_text(&json, "process", row->comm);
	json_number(&json, "count", row->count);
	json_text(&json, "reason", row_reason(row));
	json_close(&json, '}');
	return json_print(&json, out);
}

int seccomp_report_print_json(struct seccomp_report *report, FILE *out)
{
	int r = 0;

	qsort(report->rows, report->n_rows, sizeof(report->rows[0]), row_compare);
	for (size_t i = 0; i < report->n_rows && r == 0; i++)
		r = row_print_json(&report->rows[i], out);
	if (r == 0 && report->n_unnoted) {
		cleanup_json struct json json = {0};

		json_open(&json, NULL, '{');
		json_number(&json, "unnoted", report->n_unnoted);
		json_close(&json, '}');
		r = json_print(&json, out);
	}
	return r;
}

void seccomp_list_print(FILE *out)
{
	for (uint32_t number = 0; number <= SECCOMP_NEWEST_KNOWN; number++) {
		const char *reason = NULL;
		const struct seccomp_entry *entry = seccomp_entry_find(number, &reason);
		const struct seccomp_check *check = entry ? &seccomp_checks[entry->rule] : NULL;
		const char *answer = "arguments";

		if (!entry)
			continue;
		if (!check->code)
			answer = answer_name(
				seccomp_label_answers[check->label - SECCOMP_LABEL_FIRST]);
		(void)fprintf(out, "%u\t%s\t%s\t%s\n", number, entry->name, answer, reason);
	}
}
