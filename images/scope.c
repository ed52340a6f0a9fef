/* SPDX-License-Identifier: Apache-2.0 */
#include "images/scope.h"

#include "common/beneath.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/names.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define SCOPE_FILE_MAX (IMAGE_SCOPE_MAX + IMAGE_ID_SIZE + 16)

static bool words_valid(const char *words)
{
	while (*words) {
		char name[PROJECT_NAME_MAX + 1];
		size_t n = strcspn(words, " ");

		if (n == 0 || n >= sizeof(name) || (words[n] == ' ' && !words[n + 1]))
			return false;
		memcpy(name, words, n);
		name[n] = '\0';
		if (!project_name_valid(name))
			return false;
		words += n + (words[n] == ' ');
	}
	return true;
}

int scope_parse(const char *text, const char *id, struct scope *ret_scope)
{
	struct scope scope = {.forks = false};
	const char *what;

	if (strlen(text) < IMAGE_ID_SIZE || text[IMAGE_ID_SIZE - 1] != ' ')
		return -EBADMSG;
	what = text + IMAGE_ID_SIZE;
	if (strcmp(what, "forks") == 0) {
		scope.forks = scope.everyone = true;
	} else if (strcmp(what, "everyone") == 0) {
		scope.everyone = true;
	} else if (strncmp(what, "projects ", 9) == 0 && strlen(what + 9) <= IMAGE_SCOPE_MAX &&
		   words_valid(what + 9)) {
		(void)snprintf(scope.projects, sizeof(scope.projects), "%s", what + 9);
	} else {
		return -EBADMSG;
	}
	if (memcmp(text, id, IMAGE_ID_SIZE - 1) != 0)
		return -ESTALE;
	*ret_scope = scope;
	return 0;
}

void scope_format(const struct scope *scope, const char *id, char *out, size_t size)
{
	if (scope->everyone)
		(void)snprintf(out, size, "%s %s", id, scope->forks ? "forks" : "everyone");
	else
		(void)snprintf(out, size, "%s projects %s", id, scope->projects);
}

static bool has_project(const struct scope *scope, const char *project)
{
	const char *at = scope->projects;
	size_t length = strlen(project);

	while (*at) {
		size_t n = strcspn(at, " ");

		if (n == length && memcmp(at, project, n) == 0)
			return true;
		at += n + (at[n] == ' ');
	}
	return false;
}

void scope_add(struct scope *scope, const char *auth)
{
	size_t used = strlen(scope->projects);

	if (strcmp(auth, SCOPE_ANYONE) == 0)
		scope->forks = scope->everyone = true;
	else if (strcmp(auth, SCOPE_EVERYONE) == 0)
		scope->everyone = true;
	if (scope->everyone) {
		scope->projects[0] = '\0';
		return;
	}
	if (has_project(scope, auth))
		return;
	while (used > 0 && used + 1 + strlen(auth) > IMAGE_SCOPE_MAX) {
		size_t first = strcspn(scope->projects, " ");

		first += scope->projects[first] == ' ';
		memmove(scope->projects, scope->projects + first, used - first + 1);
		used -= first;
	}
	(void)snprintf(scope->projects + used, sizeof(scope->projects) - used, "%s%s",
		       used ? " " : "", auth);
}

/* ---- files ---- */

static void scope_path(const char *name, char *out, size_t size)
{
	char file[IMAGE_NAME_MAX + 1];

	image_name_file(name, file);
	(void)snprintf(out, size, "scopes/%s", file);
}

int scope_read(struct store *store, const char *name, const char *id, struct scope *ret_scope)
{
	char path[IMAGE_NAME_MAX + 16];
	cleanup_free char *text = NULL;
	cleanup_close int fd = -1;
	size_t size;
	int r;

	scope_path(name, path, sizeof(path));
	fd = open_beneath(store->fd, path, O_RDONLY, 0);
	if (fd < 0)
		return fd;
	r = fd_read_file(fd, SCOPE_FILE_MAX, &text, &size);
	/* with an unreadable scope, no run may use the image; it is pulled again */
	return r < 0 || scope_parse(text, id, ret_scope) < 0 ? -ESTALE : 0;
}

int scope_note(struct store *store, const char *name, const char *id, const char *auth)
{
	char path[IMAGE_NAME_MAX + 16], text[SCOPE_FILE_MAX + 1], old[IMAGE_ID_SIZE];
	struct scope scope = {.forks = false};
	int r = scope_read(store, name, id, &scope);

	/* a scope applies only while the name still has that image; otherwise start a new one */
	if (r == 0 && (store_name_get(store, name, old) < 0 || strcmp(old, id) != 0))
		scope = (struct scope){.forks = false};
	scope_add(&scope, auth);
	scope_format(&scope, id, text, sizeof(text));
	scope_path(name, path, sizeof(path));
	return file_replace(store->fd, path, text, strlen(text), 0600);
}

/* ---- credentials ---- */

/* Does an entry ("registry/path") cover @name ("registry/path/more:tag")? */
static bool entry_covers(const char *entry, const char *name)
{
	size_t length = strlen(entry);

	return length > 0 && strncmp(entry, name, length) == 0 &&
	       (name[length] == '\0' || strchr("/:@", name[length]));
}

/* Is the entry one of the names of Docker's own registry? */
static bool entry_is_docker(const char *entry)
{
	static const char *const names[] = {"docker.io", "index.docker.io",
					    "https://index.docker.io/v1/", "registry-1.docker.io"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(entry, names[i]) == 0 || entry_covers("docker.io", entry))
			return true;
	}
	return false;
}

static bool reference_is_docker(const char *reference)
{
	size_t n = strcspn(reference, "/");

	return reference[n] == '\0' || entry_covers("docker.io", reference) ||
	       (!memchr(reference, '.', n) && !memchr(reference, ':', n) &&
		strncmp(reference, "localhost/", 10) != 0);
}

bool auth_covers(const char *auth, size_t size, const char *reference)
{
	const char *name = image_name_strip(reference);
	json_t *root, *entries, *value;
	bool covers = false;
	const char *key;

	if (size == 0)
		return false;
	root = json_loadb(auth, size, 0, NULL);
	if (!json_is_object(root) || json_object_get(root, "credHelpers") ||
	    json_object_get(root, "credsStore"))
		covers = true;
	entries = json_object_get(root, "auths");
	json_object_foreach (entries, key, value) {
		const char *entry = key;

		if (strncmp(entry, "https://", 8) == 0 && !entry_is_docker(entry))
			entry += 8;
		else if (strncmp(entry, "http://", 7) == 0)
			entry += 7;
		covers = covers || entry_covers(entry, name) ||
			 (entry_is_docker(entry) && reference_is_docker(name));
	}
	json_decref(root);
	return covers;
}
