/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_DOCTOR_LINK_H
#define CLI_DOCTOR_LINK_H

/*
 * DOC: Network links for a check
 *
 * The check of networks makes a bridge and a veth pair. It sends the rtnetlink(7) message
 * itself, so that it needs neither a library nor ip(8).
 */

/**
 * doctor_make_link() - make a network link in the current network namespace
 * @kind: "bridge", "veth"
 * @peer: name of the other end, NULL for a link without one
 *
 * Return: 0 or -errno.
 */
int doctor_make_link(const char *kind, const char *name, const char *peer);

#endif
