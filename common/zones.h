/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_ZONES_H
#define COMMON_ZONES_H

/* Time zones of this host, files beneath ZONE_DIRECTORY (package tzdata). */

#include <stdbool.h>

#define ZONE_DIRECTORY "/usr/share/zoneinfo"

/** zone_known() - does this host have the zone @name ("Europe/Berlin")? "" is UTC. */
bool zone_known(const char *name);
/** zones_present() - does this host have any zones besides UTC? */
bool zones_present(void);
/**
 * zone_names() - names of all zones, each followed by a newline
 *
 * Return: malloc'ed; "" if the host has no list of them, NULL if out of memory.
 */
char *zone_names(void);

#endif
