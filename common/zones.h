/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_ZONES_H
#define COMMON_ZONES_H

/* Names of time zones that this host has, below ZONE_DIRECTORY (package tzdata). */

#include <stdbool.h>

#define ZONE_DIRECTORY "/usr/share/zoneinfo"

/** zone_known() - does this host have a zone of this name ("Europe/Berlin")? "" is UTC. */
bool zone_known(const char *name);
/** zones_present() - does this host have zones at all, but UTC? */
bool zones_present(void);
/**
 * zone_names() - names of zones, each with a newline behind it
 *
 * Return: malloc'ed; "" where the host does not list them, NULL when out of memory.
 */
char *zone_names(void);

#endif
