/* SPDX-License-Identifier: Apache-2.0 */
/* Checks whether other users can read secrets, and whether the secret store works. */

#include "cli/doctor.h"

#include "cli/client.h"
#include "cli/json.h"
#include "common/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Does the file at @path have a line with Secret=? */
static bool holds_secret(const char *path)
{
	cleanup_fclose FILE *file = fopen(path, "re");
	char line[4096];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file)) {
		const char *key = line + strspn(line, " \t");

		found = strncmp(key, "Secret", 6) == 0 && key[6 + strspn(key + 6, " \t")] == '=';
	}
	explicit_bzero(line, sizeof(line));
	return found;
}

/* Find the first project file with a secret that all users can read. */
static bool find_open_project(const struct cli *cli, char *out, size_t size)
{
	char directory[PATH_MAX + 16];
	cleanup_closedir DIR *dir = NULL;
	const struct dirent *entry;

	(void)snprintf(directory, sizeof(directory), "%s/projects.d", cli->paths.etc);
	dir = opendir(directory);
	while (dir && (entry = readdir(dir))) {
		const char *dot = strrchr(entry->d_name, '.');
		struct stat status;

		if (!dot || strcmp(dot, ".conf") != 0)
			continue;
		(void)snprintf(out, size, "%s/%s", directory, entry->d_name);
		if (stat(out, &status) == 0 && (status.st_mode & S_IROTH) && holds_secret(out))
			return true;
	}
	return false;
}

static void check_files(struct cli *cli, struct doctor_finding *finding)
{
	char path[PATH_MAX * 2], fix[PATH_MAX * 2 + 32];
	struct stat status;

	if (find_open_project(cli, path, sizeof(path))) {
		(void)snprintf(fix, sizeof(fix),
			       "chmod o-r %s, and change the secret if a user has read it", path);
		doctor_bad(finding, DOCTOR_FAILED, fix, "all users can read the Secret= in %.180s",
			   path);
		return;
	}
	(void)snprintf(path, sizeof(path), "%s/secret.key", cli->paths.lib);
	if (lstat(path, &status) == 0 &&
	    (!S_ISREG(status.st_mode) || status.st_uid != 0 || (status.st_mode & 077))) {
		(void)snprintf(fix, sizeof(fix), "chown root %s; chmod 600 %s", path, path);
		doctor_bad(finding, DOCTOR_FAILED, fix, "%.180s is not root's alone", path);
		return;
	}
	doctor_ok(finding, "no file with a secret can be read by all users");
}

static void check_store(struct cli *cli, struct doctor_finding *finding)
{
	cleanup_json json_t *answer = NULL;
	struct error error = ERROR_INIT;

	if (!client_reachable(cli->client, NULL)) {
		doctor_bad(finding, DOCTOR_SKIPPED, "", "no runbookd answers");
		return;
	}
	if (client_get_json(cli->client, &answer, &error, "/api/v1/secrets") != CLI_OK)
		doctor_bad(finding, DOCTOR_FAILED, "see its log: journalctl -u runbookd", "%.200s",
			   error.text);
	else if (json_has(answer, "problem"))
		doctor_bad(finding, DOCTOR_FAILED, json_text(answer, "problem"),
			   "no step can get a secret");
	else
		doctor_ok(finding, "%zu secrets, encrypted with the key %.32s",
			  json_array_size(json_object_get(answer, "secrets")),
			  json_text(answer, "key"));
}

/* Over TCP every user of this host can read: there are no permissions as on a unix socket. */
static void check_api(struct cli *cli, struct doctor_finding *finding)
{
	char path[PATH_MAX + 16], line[256];
	cleanup_fclose FILE *file = NULL;

	(void)snprintf(path, sizeof(path), "%s/api.address", cli->paths.run);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (!line[0] || strncmp(line, "unix:", 5) == 0)
			continue;
		doctor_bad(finding, DOCTOR_WARNING,
			   "remove Listen= of [Api] from the configuration, and look at the page "
			   "by ssh -L 8470:/run/runbookd/api.sock HOST",
			   "every user of this host may read logs, artifacts and runbooks at %s",
			   line);
		return;
	}
	doctor_ok(finding, "the API is on unix sockets only");
}

const struct doctor_check doctor_secret_checks[] = {
	{"who may read", check_api},
	{"secret files", check_files},
	{"secret store", check_store},
	{NULL, NULL},
};
