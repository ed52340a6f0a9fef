# SPDX-License-Identifier: Apache-2.0
"""Defences, each with what takes it out of the code and the check that must then fail.

(name, edits, suite, check): an edit is (file, pattern, replacement) and must match
once or more; the check's text is as the suite prints it.
"""

PROBE = "tests/breakout/10_probe.sh"
FILES = "tests/breakout/20_files.sh"
NEIGHBOURS = "tests/breakout/30_neighbours.sh"
NO_DIE = "tests/breakout/40_no_die.sh"
ROLES = "tests/breakout/55_roles.sh"
HOUSE = "tests/breakout/50_house.sh"
CONFIG = "tests/breakout/60_local_user.sh"
NETWORK = "tests/integration/20_sandbox_network.sh"
DELIVERIES = "tests/integration/84_deliveries.sh"
PUSH = "tests/integration/80_push.sh"
PAGE = "tests/integration/61_page_browser.sh"
LOG_CUT = "tests/integration/37_log_cut.sh"
LOG_LIMITS = "tests/integration/37_log_limits.sh"
ARTIFACTS = "tests/integration/86_artifacts.sh"

PLAN = "sandbox/plan.c"
RULES = "sandbox/seccomp_rules.c"
LIST = "sandbox/seccomp_list.c"
INIT = "sandbox/init_main.c"
STEP = "sandbox/step_mounts.c"
HOST = "sandbox/host_mounts.c"

MUTATIONS = [
    ("a path is not masked", [(PLAN, r'"/proc/interrupts",', "")],
     PROBE, "proc-write/interrupts"),
    ("/proc/sys is not read-only", [(PLAN, r',\s*"/proc/sys"\};', "};")],
     PROBE, "proc-write/sys-read-only"),
    ("/proc/pressure is not read-only", [(PLAN, r'"/proc/pressure",', "")],
     PROBE, "proc-write/any-file"),
    ("/sys is not read-only", [(STEP, r"strict \| MOUNT_ATTR_RDONLY", "strict")],
     PROBE, "sys-write/read-only"),
    ("/usr is shown writable", [(HOST, r"attr\.attr_set \|= MOUNT_ATTR_RDONLY;", ";")],
     PROBE, "fs-host-write/usr-read-only"),
    ("the host's mounts stay shared", [(HOST, r"\.propagation = MS_PRIVATE", ".propagation = 0")],
     PROBE, "mount-tricks/propagation"),
    ("/dev is not read-only", [(HOST, r"(static int dev_new.*?\.attr_set = )MOUNT_ATTR_RDONLY", r"\g<1>0")],
     PROBE, "fs-host-write/dev-read-only"),
    ("devices of an image open", [(STEP, r"MOUNT_ATTR_NOSUID \| MOUNT_ATTR_NODEV, what\)",
                                   "MOUNT_ATTR_NOSUID, what)")],
     PROBE, "devices/image-node, in an image of one's own"),
    ("the root honours set-user-ID", [(STEP, r"MOUNT_ATTR_NOSUID \| MOUNT_ATTR_NODEV, what\)",
                                       "MOUNT_ATTR_NODEV, what)")],
     PROBE, "setuid/root-nosuid"),
    ("links inside are followed", [(STEP, r"\.resolve = RESOLVE_BENEATH \|[^}]*\}", ".resolve = 0}")],
     FILES, "fs-symlink-race: /proc of an image is a link"),
    ("ids of an image are not shifted", [(HOST, r"mapping_fd = slot->userns_fd;", ";"),
                                         (HOST, r"mapping_fd = user_slot_image[^;]*;", "mapping_fd = -1;")],
     FILES, "an image of one's own: root inside owns what is in it"),
    ("descriptors are not closed", [("sandbox/step_attach.c", r"syscall\(SYS_close_range, \(unsigned\)n, ~0U, 0U\)", "0"),
                                    (INIT, r"result = init_call\(SYS_close_range, 3[^;]*;", "result = 0;")],
     PROBE, "fs-host-read/inherited-descriptors"),
    ("host uid 0 is mapped", [("sandbox/host_users.c", r"slot->base = ID_STEP_FIRST[^;]*;", "slot->base = 0;")],
     PROBE, "userns-nest/host-root-mapped"),
    ("large ids are those of the host's users", [("common/limits.h", r"#define ID_LARGE_FIRST 0x80000000U", "#define ID_LARGE_FIRST 0x10000U"),
                                                 ("common/limits.h", r"#define ID_LARGE_COUNT 0x7ffffffeU", "#define ID_LARGE_COUNT 0x1000000U")],
     PROBE, "userns-nest/host-user-mapped"),
    ("the init has the step's id", [("sandbox/host_users.c", r"slot->init_id = [^;]*;",
                                     "slot->init_id = slot->base;")],
     PROBE, "signals/kill-init-0"),
    ("a capability is kept", [(INIT, r"CAP_NET_BIND_SERVICE,", "CAP_NET_BIND_SERVICE, CAP_SYS_PTRACE,")],
     PROBE, "setuid/capabilities"),
    ("no session of its own", [(INIT, r"\(void\)init_call\(SYS_setsid[^;]*;", ";")],
     PROBE, "signals/process-group-0"),
    ("the network is the host's", [("sandbox/sandbox.c", r"flags \|= CLONE_NEWNET;", ";"),
                                 ("sandbox/step_attach.c", r"setns\(attach->netns_fd, CLONE_NEWNET\)", "0")],
     PROBE, "net-host/loopback-of-host"),
    ("System V objects are the host's", [("sandbox/sandbox.c", r" \| CLONE_NEWIPC", "")],
     PROBE, "shm-ipc/system-v"),
    ("cores of no byte are allowed", [(PLAN, r'"core", NULL, 1', '"core", NULL, 0')],
     PROBE, "core-dump/limit"),
    ("a program sets the core limit", [(RULES, r"RLIMIT_CORE, SECCOMP_TO_PRETEND, SECCOMP_TO_ALLOW",
                                        "RLIMIT_CORE, SECCOMP_TO_ALLOW, SECCOMP_TO_ALLOW"),
                                       (RULES, r"JUMP\(BPF_JEQ, RLIMIT_CORE, 0, SECCOMP_TO_ALLOW\)",
                                        "JUMP(BPF_JEQ, RLIMIT_CORE, SECCOMP_TO_ALLOW, SECCOMP_TO_ALLOW)")],
     PROBE, "core-dump/limit"),
    ("AF_VSOCK is allowed", [(RULES, r"(check_socket\[\] = \{\s*LOAD\(ARGUMENT_LOW\(0\)\),)",
                              r"\1 JUMP(BPF_JEQ, AF_VSOCK, SECCOMP_TO_ALLOW, 0),")],
     PROBE, "sockets/vsock"),
    ("namespaces may be made", [(RULES, r" \| CLONE_NEWUSER \|", " |")],
     PROBE, "userns-nest/clone-user"),
    ("clone3 reaches the kernel", [(LIST, r"\bRULE\(clone3, ABSENT\)|ABSENT\(clone3\)", "ALLOW(clone3)")],
     PROBE, "userns-nest/clone3-falls-back"),
    ("the i386 door is open", [("sandbox/host_seccomp.c", r"JUMP\(BPF_JEQ, AUDIT_ARCH_X86_64, 0, SECCOMP_TO_KILL\)",
                                "JUMP(BPF_JEQ, AUDIT_ARCH_X86_64, 0, SECCOMP_TO_ALLOW)")],
     PROBE, "syscalls/i386"),
    ("skipped calls are taken for x32", [("sandbox/host_seccomp.c", r"#define NEGATIVE_FIRST 0x80000000U", "#define NEGATIVE_FIRST 0xfffffffeU")],
     PROBE, "must-work/skip-call-of-child-x32-bit"),
    ("TIOCSTI is allowed", [(RULES, r"JUMP\(BPF_JEQ, IOCTL_TIOCSTI, SECCOMP_TO_EPERM, 0\),", "")],
     PROBE, "tiocsti/tiocsti"),
    ("keyctl is allowed", [(LIST, r"DENY\(keyctl\)", "ALLOW(keyctl)")],
     PROBE, "keyring/session-keyring"),
    ("io_uring is allowed", [(LIST, r"DENY\(io_uring_setup\)", "ALLOW(io_uring_setup)")],
     PROBE, "syscalls/io-uring-setup"),
    ("any personality is allowed", [(RULES, r"~\(uint32_t\)PERSONALITY_HARMLESS", "0")],
     PROBE, "syscalls/personality"),
    ("the kill is a polite request", [("sandbox/sandbox.c",
                                       r"\(void\)cgroup_step_kill\([^;]*;", ";"),
                                      ("sandbox/sandbox.c",
                                       r"(SYS_pidfd_send_signal, sandbox->pidfd, )SIGKILL", r"\1SIGTERM")],
     NO_DIE, "no-die: SIGTERM ignored: reported as timeout"),
    ("metadata addresses are not blocked", [("sandbox/host_nft.c", r'"169\.254\.0\.0/16",', "")],
     NETWORK, "net-host: 169.254.169.254 is out of reach"),
    ("the webhook process is not filtered", [("webhook/main.c", r"r = isolate_syscalls\(", "r = 0; (void)(")],
     ROLES, "webhook-owned: webhook may not socket-tcp"),
    ("the webhook process may read files", [("webhook/main.c", r"r = isolate_filesystem\(NULL, 0, error\);", "r = 0;"),
                                            ("common/isolation.c", r'"newfstatat",', '"newfstatat", "openat",')],
     ROLES, "webhook-owned: webhook may not open-passwd"),
    ("the order's image is not checked", [("daemon/requests.c", r"\{!image_acceptable\(order\), \"image\"\},", "")],
     HOUSE, "sched-owned: an image that is a path"),
    ("the order's slug is not checked", [("daemon/requests.c", r"\{!step_slug_valid\(order->slug\), \"slug\"\},", "")],
     HOUSE, "sched-owned: no log lies where its name would lead"),
    ("what is no memfd is taken for one", [("daemon/requests.c", r"\{!payload_acceptable\([^)]*\), \"payload\"\},", "")],
     HOUSE, "sched-owned: a payload that is not sealed"),
    ("state directories are not looked at", [("daemon/state_dirs.c", r"if \(st\.st_uid != uid\)", "if (0)")],
     CONFIG, "config: a state directory of another user is refused"),
    ("configuration of others is obeyed", [("daemon/config.c", r"if \(st\.st_mode & S_IWOTH\)", "if (0)")],
     CONFIG, "config: a file that everybody can write is refused"),
    ("the digest of what was signed is not kept", [("webhook/forge.c", r"digest->known = true;",
                                                    "digest->known = false;")],
     DELIVERIES, "hub: an old body, sent again, runs nothing of its commit"),
    ("a body that came before is believed", [("scheduler/deliveries.c",
                                              r"return run->row\.again_of && !run->row\.tree\[0\];",
                                              "return false;")],
     DELIVERIES, "lab: an old body, sent again, runs nothing of its commit"),
    ("a branch need not have moved", [("scheduler/deliveries.c", r" && strcmp\(commit, last\.after\) != 0\)", ")")],
     DELIVERIES, "hub: what the branch is at is not run again, either"),
    ("the digest is that of the form", [("webhook/forge_gitea.c", r'return signature_check_hex\(&inner, header, "", digest, answer\);',
                                         'body_digest_set(digest, delivery); return signature_check_hex(&inner, header, "", '
                                         '&(struct body_digest){.known = false}, answer);')],
     DELIVERIES, "tea: a form around what was signed makes no other delivery of it"),
    ("names are shown with what is not seen", [("common/names.c", r"(point <= ranges\[i\]\.last\)\s*return )true", r"\1false")],
     PUSH, "show names the override"),
    ("the page shows names as they are", [("ui/log.js", r"joiner \|\| named\(c\)", "c")],
     PAGE, "a bidirectional override in a branch is shown as what it is"),
    ("the page lets a log turn its lines around", [("ui/log.js", r"\.replace\(harmful, named\)", "")],
     PAGE, "a bidirectional override in a log is shown as what it is"),
    ("one step's log fills the disk", [("daemon/log_pump_cut.c", r"return sink->cut\.limit > 0 && used\(sink\)[^;]*;", "return false;")],
     LOG_CUT, "and it takes no more room than it may"),
    ("one project's logs fill the disk", [("daemon/log_pump_cut.c", r"!log_share_full\([^)]*\)", "true")],
     LOG_LIMITS, "its logs are cut"),
    ("one project's artifacts fill the disk", [("cacher/store_account.c", r"fits = more == 0 \|\| \(more <= limit && used[^;]*;", "fits = true;")],
     ARTIFACTS, "a project at its limit: exit 4, and why"),
]
