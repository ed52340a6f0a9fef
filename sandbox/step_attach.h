/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_STEP_ATTACH_H
#define SANDBOX_STEP_ATTACH_H

/*
 * DOC: The step's side of a plan
 *
 * Runs between clone3() and exec, as root in the new namespaces, in the memory of the host
 * process: no allocation, no locks, no stdio streams. A failure is written to .error, which the
 * host reads when clone3() returns.
 */

#include "sandbox/plan.h"

/** struct attach - input and working state of the step's side; filled in by sandbox.c */
struct attach {
	const struct plan *plan;
	const int *op_fds; /* for each operation: a descriptor from the host, or -1 */
	int base_fd;	   /* an empty mount namespace to start in; -1: a copy of the host's */
	const char *stage; /* a directory in it to mount scratch on */
	uid_t base;
	int netns_fd; /* -1: clone3 made a fresh one */
	int stdio_fds[3];
	int status_fd, userns_fd, filter_fd, payload_fd;
	int init_fd;   /* runbook-init, a sealed memfd */
	int report_fd; /* -1: none */
	const char *workdir;
	char ids[24]; /* of the command, inside, "uid:gid" */
	bool tty;     /* the command gets a terminal */
	/* working state */
	int stage_fd;
	int scratch_fd;
	int root_fd;
	int dev_fd;   /* the step's /dev: source of masks */
	bool as_step; /* new files get the step's ids */
	struct error error;
};

/** step_attach_main() - execute the plan and become runbook-init; returns only on failure */
int step_attach_main(void *argument);

/*
 * step_mount_*(), step_mount_scratch_*() - handlers of the plan's verbs about mounts
 * @fd: the descriptor from the host, or -1
 *
 * In step_mounts.c. Return: 0 or -errno with attach->error.
 */
int step_mount_private(struct attach *attach, const struct plan_op *op, int fd);
int step_mount_scratch(struct attach *attach, const struct plan_op *op, int fd);
int step_mount_scratch_dir(struct attach *attach, const struct plan_op *op, int fd);
int step_mount_scratch_file(struct attach *attach, const struct plan_op *op, int fd);
int step_mount_layer(struct attach *attach, const struct plan_op *op, int fd);
int step_mount_root(struct attach *attach, const struct plan_op *op, int fd);
int step_mount_overlay(struct attach *attach, const struct plan_op *op, int fd);
int step_mount_bind(struct attach *attach, const struct plan_op *op, int fd);
int step_mount_scratch_bind(struct attach *attach, const struct plan_op *op, int fd);
int step_mount_filesystem(struct attach *attach, const struct plan_op *op, int fd);
int step_mount_mask(struct attach *attach, const struct plan_op *op, int fd);
int step_mount_readonly(struct attach *attach, const struct plan_op *op, int fd);
int step_mount_narrow(struct attach *attach, const struct plan_op *op, int fd);
int step_mount_pivot(struct attach *attach, const struct plan_op *op, int fd);

/* ---- used by more than one file of these ---- */

/** struct fs_option - an option for fsconfig(2); a list ends with a NULL key */
struct fs_option {
	const char *key;
	const char *value; /* NULL: a flag */
};

/**
 * step_mount_target() - open the path that @op mounts on
 * @create: make it if it does not exist, as a directory or a file by @directory
 *
 * Return: descriptor; -ENOENT without @create if @op is optional; -errno with attach->error.
 */
int step_mount_target(struct attach *attach, const struct plan_op *op, bool create, bool directory);
/** step_mount_move() - mount @mount_fd on @target_fd, which error messages call @name */
int step_mount_move(struct attach *attach, int mount_fd, int target_fd, const char *name);
/** step_mount_make() - Return: a detached mount of @type with MOUNT_ATTR_* @attributes, -errno */
int step_mount_make(struct attach *attach, const char *type, const struct fs_option *options,
		    unsigned attributes, const char *what);

#endif
