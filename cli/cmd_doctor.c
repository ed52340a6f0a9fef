/* SPDX-License-Identifier: Apache-2.0 */
/* runbookctl doctor: check what this host has and lacks, and print the fix. */

#include "cli/doctor.h"
#include "cli/json.h"
#include "cli/text.h"
#include "common/cleanup.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *word, *glyph, *ascii, *color;
} results[DOCTOR_NUM] = {
	[DOCTOR_OK] = {"ok", "✓", "ok  ", SGR_GREEN},
	[DOCTOR_WARNING] = {"warning", "!", "warn", SGR_YELLOW},
	[DOCTOR_FAILED] = {"failed", "✗", "FAIL", SGR_RED},
	[DOCTOR_SKIPPED] = {"skipped", "-", "-   ", SGR_DIM},
};

static void print_finding(const struct cli *cli, const struct doctor_check *check,
			  const struct doctor_finding *finding)
{
	(void)printf("%s%s%s %-16s %s\n", sgr(cli->color, results[finding->result].color),
		     cli->utf8 ? results[finding->result].glyph : results[finding->result].ascii,
		     sgr(cli->color, SGR_RESET), check->name, finding->seen);
	if (finding->fix[0])
		(void)printf("%*s fix: %s\n", cli->utf8 ? 18 : 21, "", finding->fix);
}

static void run_checks(struct cli *cli, const struct doctor_check *checks, json_t *list,
		       unsigned counts[DOCTOR_NUM])
{
	for (; checks->name; checks++) {
		struct doctor_finding finding = {0};

		checks->run(cli, &finding);
		counts[finding.result]++;
		if (!cli->json)
			print_finding(cli, checks, &finding);
		(void)json_array_append_new(list,
					    json_pack("{s:s, s:s, s:s, s:s}", "check", checks->name,
						      "result", results[finding.result].word,
						      "seen", finding.seen, "fix", finding.fix));
	}
}

static int run_doctor(struct cli *cli, const struct cli_arguments *arguments)
{
	cleanup_json json_t *list = json_array(), *answer = NULL;
	unsigned counts[DOCTOR_NUM] = {0};

	run_checks(cli, doctor_host_checks, list, counts);
	run_checks(cli, doctor_secret_checks, list, counts);
	run_checks(cli, doctor_kernel_checks, list, counts);
	run_checks(cli, doctor_network_checks, list, counts);
	if (cli->json) {
		answer = json_pack("{s:O, s:i, s:i}", "checks", list, "failed",
				   (int)counts[DOCTOR_FAILED], "warnings",
				   (int)counts[DOCTOR_WARNING]);
		json_print(answer);
	} else {
		(void)printf("\n%u ok, %u warnings, %u failed%s\n", counts[DOCTOR_OK],
			     counts[DOCTOR_WARNING], counts[DOCTOR_FAILED],
			     counts[DOCTOR_SKIPPED] ? ", the rest needs root (use sudo)" : "");
	}
	return counts[DOCTOR_FAILED] ? CLI_FAILED : CLI_OK;
}

const struct cli_command cmd_doctor = {
	.name = "doctor",
	.arguments = "",
	.summary = "check what this host has and lacks, and print fixes",
	.description = "Tries each feature that steps need. The exit code is 1 if a requirement is "
		       "missing.",
	.handler = run_doctor,
};
