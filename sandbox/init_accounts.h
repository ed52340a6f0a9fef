/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_INIT_ACCOUNTS_H
#define SANDBOX_INIT_ACCOUNTS_H

/**
 * init_accounts_agree() - let /etc/passwd say what $HOME says
 * @home: of the command's environment to be
 *
 * In the command's process, when it is uid 0 inside and sees the step's files
 * alone: what it reads and writes is what the command itself could, and root of
 * the host reads no file of an image. The files may be replaced by the command
 * (useradd, packages): they are ordinary files of the root, nothing is mounted.
 * One that is a bind of its own, or too large, is left as it is.
 *
 * Return: 0 or -errno, when it could not be written.
 */
long init_accounts_agree(const char *home, unsigned uid, unsigned gid);

#endif
