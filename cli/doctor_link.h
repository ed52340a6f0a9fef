/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_DOCTOR_LINK_H
#define CLI_DOCTOR_LINK_H

/**
 * doctor_make_link() - make a network link in the current network namespace
 * @kind: "bridge", "veth"
 * @peer: name of the other end, NULL for a link without one
 *
 * One rtnetlink message (rtnetlink(7)), so that neither a library nor ip(8) is
 * needed to find out. Return: 0 or -errno.
 */
int doctor_make_link(const char *kind, const char *name, const char *peer);

#endif
