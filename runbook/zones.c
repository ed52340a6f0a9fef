/* SPDX-License-Identifier: Apache-2.0 */
#include "common/cleanup.h"
#include "runbook/findings.h"
#include "runbook/nearest.h"
#include "runbook/runbook.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Is @word the last component of @name, as "berlin" of "Europe/Berlin"? */
static bool is_city(const char *name, const char *word)
{
	const char *slash = strrchr(name, '/');

	return slash && strcasecmp(slash + 1, word) == 0;
}

/* The line in @names whose name looks like @word; NULL: none. */
static const char *nearest_line(char *names, const char *word)
{
	struct nearest nearest = nearest_start(word);
	const char *city = NULL;

	for (char *line = names, *end; line && *line; line = end + 1) {
		end = strchr(line, '\n');
		if (!end)
			break;
		*end = '\0';
		nearest_offer(&nearest, line);
		if (!city && is_city(line, word))
			city = line;
		*end = '\n';
	}
	return nearest.best ? nearest.best : city;
}

static void report_zone(struct findings *findings, const struct runbook *runbook, size_t i,
			char *names)
{
	const struct runbook_schedule *schedule = &runbook->schedules[i];
	struct node_path on = {.key = "on"}, list = {.parent = &on, .key = "schedule"};
	struct node_path entry = {.parent = &list, .index = i};
	struct node_path path = {.parent = runbook->schedules_listed ? &entry : &list,
				 .key = "timezone"};
	const char *nearest = nearest_line(names, schedule->timezone);
	struct runbook_finding *finding;

	finding = findings_add(findings, schedule->timezone_place, &path,
			       "this host has no time zone \"%s\": the schedule never starts a run",
			       QUOTE(schedule->timezone));
	if (nearest)
		finding_fix(finding, "did you mean \"%.*s\"?", (int)strcspn(nearest, "\n"),
			    nearest);
	else
		finding_fix(finding, "write UTC, or a name such as Europe/Berlin, or install the "
				     "zone on the host");
}

size_t runbook_check_zones(const struct runbook *runbook, const struct runbook_zones *zones,
			   struct runbook_finding *list)
{
	struct findings findings = {.list = list};
	cleanup_free char *names = NULL;

	for (size_t i = 0; i < runbook->n_schedules; i++) {
		const char *timezone = runbook->schedules[i].timezone;

		if (!timezone || zones->known(timezone))
			continue;
		if (!names)
			names = zones->names();
		report_zone(&findings, runbook, i, names);
	}
	findings_finish(&findings);
	return findings.n;
}
