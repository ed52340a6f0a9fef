/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/seccomp_list.h"

#include "common/cleanup.h"

#include <sys/syscall.h>

/*
 * DOC: System calls of a step
 *
 * Default deny. The list started from Docker's default profile (so that programs which run in a
 * container run here), without the calls that no build needs and those that have been a way out
 * before.
 *
 * Every listed number is in one group, which gives the reason. A denied call returns EPERM; an
 * unknown one (a gap in the numbering, or newer than the list) ENOSYS, so that a libc falls
 * back; sync returns 0 without effect; i386 and x32 entries kill the process. Rules that test
 * arguments are in seccomp_rules.c.
 *
 * runbook-sandbox --seccomp-list prints the list, --seccomp-report the denied calls of a
 * program.
 */

#define RULE(name, rule)                                                                           \
	{                                                                                          \
		SYS_##name, SECCOMP_RULE_##rule, #name                                             \
	}
#define ALLOW(name) RULE(name, ALLOW)
#define DENY(name) RULE(name, DENY)
/* calls that are missing in the headers of the oldest supported system */
#define NUMBERED(number, name, rule)                                                               \
	{                                                                                          \
		number, SECCOMP_RULE_##rule, #name                                                 \
	}

/* ---- allowed ---- */

static const struct seccomp_entry descriptors[] = {
	ALLOW(read),
	ALLOW(write),
	ALLOW(readv),
	ALLOW(writev),
	ALLOW(pread64),
	ALLOW(pwrite64),
	ALLOW(preadv),
	ALLOW(pwritev),
	ALLOW(preadv2),
	ALLOW(pwritev2),
	ALLOW(lseek),
	ALLOW(close),
	ALLOW(close_range),
	ALLOW(dup),
	ALLOW(dup2),
	ALLOW(dup3),
	ALLOW(fcntl),
	ALLOW(flock),
	ALLOW(fsync),
	ALLOW(fdatasync),
	ALLOW(sync_file_range),
	ALLOW(ftruncate),
	ALLOW(fallocate),
	ALLOW(fadvise64),
	ALLOW(readahead),
	ALLOW(sendfile),
	ALLOW(splice),
	ALLOW(tee),
	ALLOW(vmsplice),
	ALLOW(copy_file_range),
	ALLOW(pipe),
	ALLOW(pipe2),
	RULE(memfd_create, MEMFD),
	ALLOW(memfd_secret),
	NUMBERED(451, cachestat, ALLOW),
	RULE(ioctl, IOCTL),
};

/* statmount and listmount return what /proc/self/mountinfo contains */
static const struct seccomp_entry files[] = {
	ALLOW(open),
	ALLOW(openat),
	ALLOW(openat2),
	ALLOW(creat),
	ALLOW(stat),
	ALLOW(fstat),
	ALLOW(lstat),
	ALLOW(newfstatat),
	ALLOW(statx),
	ALLOW(statfs),
	ALLOW(fstatfs),
	ALLOW(access),
	ALLOW(faccessat),
	ALLOW(faccessat2),
	ALLOW(getcwd),
	ALLOW(chdir),
	ALLOW(fchdir),
	ALLOW(getdents),
	ALLOW(getdents64),
	ALLOW(mkdir),
	ALLOW(mkdirat),
	ALLOW(rmdir),
	ALLOW(link),
	ALLOW(linkat),
	ALLOW(symlink),
	ALLOW(symlinkat),
	ALLOW(readlink),
	ALLOW(readlinkat),
	ALLOW(rename),
	ALLOW(renameat),
	ALLOW(renameat2),
	ALLOW(unlink),
	ALLOW(unlinkat),
	ALLOW(truncate),
	ALLOW(umask),
	ALLOW(utime),
	ALLOW(utimes),
	ALLOW(utimensat),
	ALLOW(futimesat),
	ALLOW(chroot),
	NUMBERED(457, statmount, ALLOW),
	NUMBERED(458, listmount, ALLOW),
};

static const struct seccomp_entry nodes[] = {
	ALLOW(mknod),
	ALLOW(mknodat),
};

static const struct seccomp_entry attributes[] = {
	ALLOW(chmod),
	ALLOW(fchmod),
	ALLOW(fchmodat),
	NUMBERED(452, fchmodat2, ALLOW),
	ALLOW(chown),
	ALLOW(fchown),
	ALLOW(lchown),
	ALLOW(fchownat),
	ALLOW(getxattr),
	ALLOW(lgetxattr),
	ALLOW(fgetxattr),
	ALLOW(setxattr),
	ALLOW(lsetxattr),
	ALLOW(fsetxattr),
	ALLOW(listxattr),
	ALLOW(llistxattr),
	ALLOW(flistxattr),
	ALLOW(removexattr),
	ALLOW(lremovexattr),
	ALLOW(fremovexattr),
	NUMBERED(463, setxattrat, ALLOW),
	NUMBERED(464, getxattrat, ALLOW),
	NUMBERED(465, listxattrat, ALLOW),
	NUMBERED(466, removexattrat, ALLOW),
	NUMBERED(468, file_getattr, ALLOW),
	NUMBERED(469, file_setattr, ALLOW),
};

static const struct seccomp_entry events[] = {
	ALLOW(poll),
	ALLOW(ppoll),
	ALLOW(select),
	ALLOW(pselect6),
	ALLOW(epoll_create),
	ALLOW(epoll_create1),
	ALLOW(epoll_ctl),
	ALLOW(epoll_wait),
	ALLOW(epoll_pwait),
	ALLOW(epoll_pwait2),
	ALLOW(eventfd),
	ALLOW(eventfd2),
	ALLOW(signalfd),
	ALLOW(signalfd4),
	ALLOW(timerfd_create),
	ALLOW(timerfd_settime),
	ALLOW(timerfd_gettime),
	ALLOW(inotify_init),
	ALLOW(inotify_init1),
	ALLOW(inotify_add_watch),
	ALLOW(inotify_rm_watch),
};

static const struct seccomp_entry memory[] = {
	ALLOW(brk),
	RULE(mmap, MMAP),
	ALLOW(munmap),
	ALLOW(mremap),
	ALLOW(mprotect),
	ALLOW(madvise),
	ALLOW(mincore),
	ALLOW(msync),
	ALLOW(mlock),
	ALLOW(mlock2),
	ALLOW(munlock),
	ALLOW(mlockall),
	ALLOW(munlockall),
	ALLOW(remap_file_pages),
	ALLOW(pkey_alloc),
	ALLOW(pkey_free),
	ALLOW(pkey_mprotect),
	ALLOW(membarrier),
	NUMBERED(453, map_shadow_stack, ALLOW),
	NUMBERED(462, mseal, ALLOW),
	ALLOW(process_mrelease),
};

static const struct seccomp_entry processes[] = {
	RULE(clone, CLONE),
	ALLOW(fork),
	ALLOW(vfork),
	ALLOW(execve),
	ALLOW(execveat),
	ALLOW(exit),
	ALLOW(exit_group),
	ALLOW(wait4),
	ALLOW(waitid),
	ALLOW(getpid),
	ALLOW(getppid),
	ALLOW(gettid),
	ALLOW(getpgid),
	ALLOW(getpgrp),
	ALLOW(setpgid),
	ALLOW(getsid),
	ALLOW(setsid),
	ALLOW(set_tid_address),
	ALLOW(set_robust_list),
	ALLOW(get_robust_list),
	ALLOW(set_thread_area),
	ALLOW(get_thread_area),
	ALLOW(arch_prctl),
	RULE(prctl, PRCTL),
	ALLOW(rseq),
	ALLOW(futex),
	ALLOW(futex_waitv),
	NUMBERED(454, futex_wake, ALLOW),
	NUMBERED(455, futex_wait, ALLOW),
	NUMBERED(456, futex_requeue, ALLOW),
	ALLOW(pidfd_open),
	ALLOW(pidfd_send_signal),
	ALLOW(getrlimit),
	RULE(setrlimit, SETRLIMIT),
	RULE(prlimit64, PRLIMIT),
	ALLOW(getrusage),
	ALLOW(times),
	RULE(personality, PERSONALITY),
	ALLOW(uname),
	ALLOW(sysinfo),
	ALLOW(getcpu),
	ALLOW(getrandom),
	ALLOW(restart_syscall),
	RULE(unshare, UNSHARE),
};

/* runbook-init has another uid and is not dumpable, so these cannot reach it */
static const struct seccomp_entry debugging[] = {
	ALLOW(ptrace),
	ALLOW(process_vm_readv),
	ALLOW(process_vm_writev),
};

static const struct seccomp_entry signals[] = {
	ALLOW(kill),
	ALLOW(tkill),
	ALLOW(tgkill),
	ALLOW(pause),
	ALLOW(alarm),
	ALLOW(sigaltstack),
	ALLOW(rt_sigaction),
	ALLOW(rt_sigprocmask),
	ALLOW(rt_sigpending),
	ALLOW(rt_sigreturn),
	ALLOW(rt_sigsuspend),
	ALLOW(rt_sigtimedwait),
	ALLOW(rt_sigqueueinfo),
	ALLOW(rt_tgsigqueueinfo),
};

static const struct seccomp_entry scheduling[] = {
	ALLOW(sched_yield),
	ALLOW(sched_getaffinity),
	ALLOW(sched_setaffinity),
	ALLOW(sched_getparam),
	ALLOW(sched_setparam),
	ALLOW(sched_getscheduler),
	ALLOW(sched_setscheduler),
	ALLOW(sched_getattr),
	ALLOW(sched_setattr),
	ALLOW(sched_get_priority_max),
	ALLOW(sched_get_priority_min),
	ALLOW(sched_rr_get_interval),
	ALLOW(getpriority),
	ALLOW(setpriority),
	ALLOW(ioprio_get),
	ALLOW(ioprio_set),
};

/* setting a clock needs a capability that the step lacks; adjtimex also reads */
static const struct seccomp_entry time_reading[] = {
	ALLOW(time),
	ALLOW(gettimeofday),
	ALLOW(clock_gettime),
	ALLOW(clock_getres),
	ALLOW(clock_nanosleep),
	ALLOW(nanosleep),
	ALLOW(getitimer),
	ALLOW(setitimer),
	ALLOW(timer_create),
	ALLOW(timer_delete),
	ALLOW(timer_settime),
	ALLOW(timer_gettime),
	ALLOW(timer_getoverrun),
	ALLOW(adjtimex),
	ALLOW(clock_adjtime),
};

static const struct seccomp_entry identity[] = {
	ALLOW(getuid),	  ALLOW(geteuid),   ALLOW(getgid),    ALLOW(getegid),  ALLOW(getgroups),
	ALLOW(getresuid), ALLOW(getresgid), ALLOW(setuid),    ALLOW(setgid),   ALLOW(setreuid),
	ALLOW(setregid),  ALLOW(setresuid), ALLOW(setresgid), ALLOW(setfsuid), ALLOW(setfsgid),
	ALLOW(setgroups), ALLOW(capget),    ALLOW(capset),
};

static const struct seccomp_entry confining[] = {
	ALLOW(seccomp),
	ALLOW(landlock_create_ruleset),
	ALLOW(landlock_add_rule),
	ALLOW(landlock_restrict_self),
};

static const struct seccomp_entry sockets[] = {
	RULE(socket, SOCKET), RULE(socketpair, SOCKETPAIR),
	ALLOW(bind),	      ALLOW(listen),
	ALLOW(accept),	      ALLOW(accept4),
	ALLOW(connect),	      ALLOW(shutdown),
	ALLOW(getsockname),   ALLOW(getpeername),
	ALLOW(getsockopt),    ALLOW(setsockopt),
	ALLOW(sendto),	      ALLOW(recvfrom),
	ALLOW(sendmsg),	      ALLOW(recvmsg),
	ALLOW(sendmmsg),      ALLOW(recvmmsg),
};

static const struct seccomp_entry ipc[] = {
	ALLOW(shmget),	  ALLOW(shmat),		ALLOW(shmdt),	     ALLOW(shmctl),
	ALLOW(semget),	  ALLOW(semop),		ALLOW(semtimedop),   ALLOW(semctl),
	ALLOW(msgget),	  ALLOW(msgsnd),	ALLOW(msgrcv),	     ALLOW(msgctl),
	ALLOW(mq_open),	  ALLOW(mq_unlink),	ALLOW(mq_timedsend), ALLOW(mq_timedreceive),
	ALLOW(mq_notify), ALLOW(mq_getsetattr),
};

/* the host's uretprobes call it in the traced program, which a denial would kill */
static const struct seccomp_entry trampolines[] = {
	NUMBERED(335, uretprobe, ALLOW),
	NUMBERED(336, uprobe, ALLOW),
};

/* ---- answered as if the kernel were older ---- */

/* the flags of clone3 are behind a pointer that a filter cannot read: libc falls back to clone */
static const struct seccomp_entry absent[] = {
	RULE(clone3, ABSENT),
	NUMBERED(459, lsm_get_self_attr, ABSENT),
	NUMBERED(460, lsm_set_self_attr, ABSENT),
	NUMBERED(461, lsm_list_modules, ABSENT),
};

/*
 * fs.aio-max-nr is one limit for the machine, and one process may use all of it. Programs with
 * libaio fall back to threads or plain calls, as on a kernel without AIO.
 */
static const struct seccomp_entry aio[] = {
	RULE(io_setup, ABSENT),	 RULE(io_destroy, ABSENT),   RULE(io_submit, ABSENT),
	RULE(io_cancel, ABSENT), RULE(io_getevents, ABSENT), RULE(io_pgetevents, ABSENT),
};

/* ---- answered with success, without effect ---- */

/* A step's files are in memory and end with it; fsync of single files is executed. */
static const struct seccomp_entry syncing[] = {
	RULE(sync, PRETEND),
	RULE(syncfs, PRETEND),
};

/* ---- denied ---- */

/* paths that mounts hide or protect must stay so */
static const struct seccomp_entry mounting[] = {
	DENY(mount),	 DENY(umount2),	   DENY(pivot_root),	DENY(setns),
	DENY(open_tree), DENY(move_mount), DENY(fsopen),	DENY(fsconfig),
	DENY(fsmount),	 DENY(fspick),	   DENY(mount_setattr), NUMBERED(467, open_tree_attr, DENY),
};

static const struct seccomp_entry hosts_names[] = {
	DENY(sethostname),
	DENY(setdomainname),
};

static const struct seccomp_entry keys[] = {
	DENY(add_key),
	DENY(request_key),
	DENY(keyctl),
};

static const struct seccomp_entry surface[] = {
	DENY(bpf),
	DENY(perf_event_open),
	DENY(userfaultfd),
	DENY(io_uring_setup),
	DENY(io_uring_enter),
	DENY(io_uring_register),
};

static const struct seccomp_entry handles[] = {
	DENY(name_to_handle_at),
	DENY(open_by_handle_at),
};

static const struct seccomp_entry watching[] = {
	DENY(fanotify_init),
	DENY(fanotify_mark),
};

static const struct seccomp_entry administration[] = {
	DENY(reboot),	     DENY(swapon),	    DENY(swapoff),	   DENY(acct),
	DENY(quotactl),	     DENY(quotactl_fd),	    DENY(syslog),	   DENY(vhangup),
	DENY(kexec_load),    DENY(kexec_file_load), DENY(init_module),	   DENY(finit_module),
	DENY(delete_module), DENY(create_module),   DENY(get_kernel_syms), DENY(query_module),
	DENY(nfsservctl),
};

static const struct seccomp_entry clocks[] = {
	DENY(settimeofday),
	DENY(clock_settime),
};

static const struct seccomp_entry hardware[] = {
	DENY(iopl),
	DENY(ioperm),
	DENY(modify_ldt),
};

static const struct seccomp_entry pages[] = {
	DENY(mbind),	     DENY(set_mempolicy), DENY(get_mempolicy),
	DENY(migrate_pages), DENY(move_pages),	  DENY(set_mempolicy_home_node),
};

static const struct seccomp_entry insides[] = {
	DENY(pidfd_getfd),
	DENY(kcmp),
	DENY(process_madvise),
};

static const struct seccomp_entry obsolete[] = {
	DENY(uselib),	      DENY(ustat),    DENY(sysfs),   DENY(_sysctl),
	DENY(lookup_dcookie), DENY(getpmsg),  DENY(putpmsg), DENY(afs_syscall),
	DENY(tuxcall),	      DENY(security), DENY(vserver), DENY(epoll_ctl_old),
	DENY(epoll_wait_old),
};

#define GROUP(entries, reason)                                                                     \
	{                                                                                          \
		reason, entries, ARRAY_SIZE(entries)                                               \
	}
const struct seccomp_group seccomp_groups[] = {
	GROUP(descriptors, "reading and writing descriptors one already has"),
	GROUP(files, "files by name: paths end at the own mounts"),
	GROUP(nodes, "FIFOs, sockets, whiteouts; devices need a capability that the step lacks"),
	GROUP(attributes, "owners, modes and attributes of own files"),
	GROUP(events, "waiting for events"),
	GROUP(memory, "own memory"),
	GROUP(processes, "own processes and threads; no namespaces"),
	GROUP(debugging, "debuggers and sanitizers of own children"),
	GROUP(signals, "signals to own processes"),
	GROUP(scheduling, "scheduling of own processes"),
	GROUP(time_reading, "time: reading and waiting"),
	GROUP(identity, "ids and capabilities inside the own user namespace"),
	GROUP(confining, "confining oneself further"),
	GROUP(sockets, "sockets of the own network"),
	GROUP(ipc, "System V and POSIX IPC of the own namespace"),
	GROUP(trampolines, "called by what the kernel puts into traced programs"),
	GROUP(absent, "not offered here: callers fall back"),
	GROUP(aio, "the machine has one number of them for all"),
	GROUP(syncing, "writes the whole host's files; a step's are memory"),
	GROUP(mounting, "mounts and namespaces are made by the host"),
	GROUP(hosts_names, "the name belongs to the host namespace"),
	GROUP(keys, "the keyring is not namespaced"),
	GROUP(surface, "large kernel surface for attacks"),
	GROUP(handles, "reaches files past mounts"),
	GROUP(watching, "watches the whole file system"),
	GROUP(administration, "administers the machine"),
	GROUP(clocks, "sets the clock of the machine"),
	GROUP(hardware, "reaches hardware or changes segments"),
	GROUP(pages, "touches pages that others share"),
	GROUP(insides, "the insides of other processes"),
	GROUP(obsolete, "obsolete, or never implemented"),
};
const size_t seccomp_n_groups = ARRAY_SIZE(seccomp_groups);

const struct seccomp_entry *seccomp_entry_find(uint32_t number, const char **ret_reason)
{
	for (size_t i = 0; i < seccomp_n_groups; i++) {
		const struct seccomp_group *group = &seccomp_groups[i];

		for (size_t j = 0; j < group->n_entries; j++) {
			if (group->entries[j].number != number)
				continue;
			if (ret_reason)
				*ret_reason = group->reason;
			return &group->entries[j];
		}
	}
	return NULL;
}
