/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDBOX_INIT_ACCOUNTS_H
#define SANDBOX_INIT_ACCOUNTS_H

/*
 * DOC: The command's line in /etc/passwd
 *
 * Programs find a home directory by $HOME or by getpwuid(3). This module makes the two agree
 * for the user that the command runs as, in the step's own copy of the file.
 */

/**
 * init_accounts_set_home() - write the home directory of user @uid in /etc/passwd as @home
 * @home: $HOME of the command's future environment
 *
 * Runs in the command's process when it is uid 0 inside and sees only the step's files: so it
 * reads and writes nothing that the command could not, and root of the host reads no file of an
 * image. The file stays an ordinary file of the root, not a mount, so that the command can
 * replace it (useradd, packages). A file that is a bind mount, or too large, is left as it is.
 *
 * Return: 0; -errno if the file could not be written.
 */
long init_accounts_set_home(const char *home, unsigned uid, unsigned gid);

#endif
