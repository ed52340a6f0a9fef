/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCHER_UNPACK_H
#define FETCHER_UNPACK_H

#include "fetcher/fetch.h"

/*
 * DOC: Uploads
 *
 * A run may be started from a working copy that a person uploads as a tar. A child unpacks it
 * into a tree (tree.h), with libarchive's parsers and our own creation of files, which no path
 * in the archive leads out of the tree.
 */

/**
 * unpack_tar() - unpack an uploaded working copy
 * @tree_fd: an empty directory
 * @tar_fd:  a tar, plain or compressed with gzip or zstd, read from its current offset
 *
 * Unpacked are files, directories, symlinks and hard links within the archive. Refused are paths
 * that are absolute, contain "..", or lead through a symlink; devices, FIFOs and sockets; a name
 * that comes twice, except a directory's; and more than @limits allow. Owners, set-id bits, ACLs
 * and extended attributes are left out. A .git directory is allowed as part of the working copy.
 *
 * Return: 0, or -errno with @result set; the caller then removes what was written.
 */
int unpack_tar(int tree_fd, int tar_fd, const struct fetch_limits *limits,
	       struct fetch_result *result);

#endif
