/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_STEP_ATTACH_H
#define SANDBOX_STEP_ATTACH_H

/*
 * DOC: The step's side of a plan
 *
 * Runs between clone3() and exec, as root in the new namespaces, on memory that
 * is still the host process's: no allocation, no locks, no stdio streams. What
 * fails is written into @error, which the host reads when the call returns.
 */

#include "sandbox/plan.h"

struct attach {
	const struct plan *plan;
	const int *op_fds; /* for each operation: what the host prepared, or -1 */
	int base_fd;	   /* an empty mount namespace to begin with; -1: in a copy of the host's */
	const char *stage; /* a directory to mount scratch on, in the one or the other */
	uid_t base;
	int netns_fd; /* -1: clone3 made a fresh one */
	int stdio_fds[3];
	int status_fd, userns_fd, filter_fd, payload_fd;
	int init_fd;   /* runbook-init, a sealed memfd */
	int report_fd; /* -1: none */
	const char *workdir;
	char ids[24]; /* who the command is inside, "uid:gid" */
	bool tty;     /* the command gets a terminal */
	/* working state */
	int stage_fd;
	int scratch_fd;
	int root_fd;
	int dev_fd;   /* of the host's making: where masks come from */
	bool as_step; /* files are made with the step's ids */
	struct error error;
};

/** step_attach_main() - execute the plan and become runbook-init; returns only on failure */
int step_attach_main(void *argument);

/*
 * step_mount_*(), step_mount_scratch_*() - handlers of the verbs that concern mounts,
 * in step_mounts.c.
 * @fd: what the host prepared, or -1. Return: 0, or -errno with attach->error.
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

/** struct fs_option - of a file system; a list ends with a NULL key */
struct fs_option {
	const char *key;
	const char *value; /* NULL: a flag */
};

/**
 * step_mount_target() - a descriptor of the place to mount on
 * @create: make it when it is not there, as @directory says
 *
 * Return: descriptor; -ENOENT without @create when @op is optional; -errno with attach->error.
 */
int step_mount_target(struct attach *attach, const struct plan_op *op, bool create, bool directory);
/** step_mount_move() - mount @mount_fd on @target_fd, which people know as @name */
int step_mount_move(struct attach *attach, int mount_fd, int target_fd, const char *name);
/** step_mount_make() - a new file system of @type with MOUNT_ATTR_* @attributes, not yet anywhere */
int step_mount_make(struct attach *attach, const char *type, const struct fs_option *options,
		    unsigned attributes, const char *what);

#endif
