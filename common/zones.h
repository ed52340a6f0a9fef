/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_ZONES_H
#define COMMON_ZONES_H

/*
 * DOC: Time zones of this host
 *
 * Zones are files beneath ZONE_DIRECTORY (package tzdata), and differ from host to host. They
 * are looked up for schedules, whose runbooks contain names of zones.
 */

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
