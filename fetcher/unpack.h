/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_UNPACK_H
#define FETCHER_UNPACK_H

#include "fetcher/fetch.h"

/**
 * unpack_tar() - unpack an uploaded working copy
 * @tree_fd: an empty directory
 * @tar_fd:  a tar, plain or compressed with gzip or zstd, read from where it is
 *
 * Files, directories, symlinks and hard links within the archive. Refused: paths
 * that are absolute, contain "..", or lead through a symlink; devices, FIFOs and
 * sockets; a name that comes twice (but for directories); more than @limits. Owners,
 * set-id bits, ACLs and extended attributes are left out. A .git is part of the
 * working copy and allowed.
 *
 * Return: 0, or -errno with @result set; what was written is then the caller's
 * to remove.
 */
int unpack_tar(int tree_fd, int tar_fd, const struct fetch_limits *limits,
	       struct fetch_result *result);

#endif
