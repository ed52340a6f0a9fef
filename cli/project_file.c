/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/project_file.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/limits.h"
#include "common/names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>

int project_file_key(struct text_buffer *file, const char *key, const char *value,
		     struct error *error)
{
	/* a control character would end the line, " ;" would start a comment */
	if (!text_printable(value) || strstr(value, " ;") || *value == '\0' || *value == ' ' ||
	    value[strlen(value) - 1] == ' ')
		return error_set(error, EINVAL,
				 "\"%.100s\" cannot be the value of %s= (no control characters, no "
				 "\" ;\", no spaces around it)",
				 value, key);
	text_printf(file, "%s=%s\n", key, value);
	return 0;
}

int project_file_write(const char *etc, const char *name, const struct text_buffer *file,
		       struct error *error)
{
	cleanup_close int dir_fd = -1;
	char path[PATH_MAX], base[PROJECT_NAME_MAX + 8];
	int result;

	if (file->failed || !file->data)
		return error_set(error, ENOMEM, "out of memory");
	(void)snprintf(path, sizeof(path), "%s/projects.d", etc);
	(void)snprintf(base, sizeof(base), "%s.conf", name);
	result = make_directories(AT_FDCWD, path, 0755);
	if (result < 0)
		return error_errno(error, -result, "cannot make %s", path);
	dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return error_errno(error, errno, "cannot open %s", path);
	result = file_replace(dir_fd, base, file->data, file->size, 0600);
	if (result < 0)
		return error_errno(error, -result, "cannot write %s/%s", path, base);
	return 0;
}

int project_secret_new(char out[65], struct error *error)
{
	unsigned char bytes[32];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return error_errno(error, errno, "cannot make a secret");
	for (size_t i = 0; i < sizeof(bytes); i++)
		(void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
	explicit_bzero(bytes, sizeof(bytes));
	return 0;
}

static int find_public_url(void *user, const char *section, const char *name, const char *value)
{
	char *url = user;

	if (strcmp(section, "Daemon") == 0 && strcmp(name, "PublicUrl") == 0)
		(void)snprintf(url, URL_MAX, "%s", value);
	return 1;
}

/* A later file overrides an earlier one, as in runbookd. */
static void read_public_url(const char *etc, char url[URL_MAX])
{
	struct dirent **list = NULL;
	char path[PATH_MAX];
	int n;

	(void)snprintf(path, sizeof(path), "%s/runbookd.conf", etc);
	(void)ini_parse(path, find_public_url, url);
	(void)snprintf(path, sizeof(path), "%s/runbookd.conf.d", etc);
	n = scandir(path, &list, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		size_t length = strlen(list[i]->d_name);

		if (length > 5 && strcmp(list[i]->d_name + length - 5, ".conf") == 0 &&
		    (size_t)snprintf(path, sizeof(path), "%s/runbookd.conf.d/%s", etc,
				     list[i]->d_name) < sizeof(path))
			(void)ini_parse(path, find_public_url, url);
		free(list[i]);
	}
	free(list);
}

/* Split "[::]:8471", "0.0.0.0:80" or "192.0.2.1:8471" into the host and port for a forge. */
static void split_address(char *address, char *host, size_t size, const char **ret_port)
{
	char *colon = strrchr(address, ':');

	*ret_port = "8471";
	(void)gethostname(host, size);
	host[size - 1] = '\0';
	if (!colon || strncmp(address, "unix:", 5) == 0)
		return;
	*colon = '\0';
	*ret_port = colon + 1;
	if (strcmp(address, "[::]") != 0 && strcmp(address, "0.0.0.0") != 0)
		(void)snprintf(host, size, "%s", address);
}

void project_webhook_url(char *out, size_t size, const char *etc, const char *run, const char *name)
{
	char url[URL_MAX] = "", path[PATH_MAX], host[256] = "localhost", address[256] = "";
	const char *port;
	FILE *file;

	read_public_url(etc, url);
	if (*url) {
		size_t length = strlen(url);

		(void)snprintf(out, size, "%s%swebhook/%s", url, url[length - 1] == '/' ? "" : "/",
			       name);
		return;
	}
	(void)snprintf(path, sizeof(path), "%s/webhook.address", run);
	file = fopen(path, "re");
	if (file) {
		if (!fgets(address, sizeof(address), file))
			address[0] = '\0';
		(void)fclose(file);
	}
	address[strcspn(address, "\n")] = '\0';
	split_address(address, host, sizeof(host), &port);
	(void)snprintf(out, size, "http://%s:%s/webhook/%s", host, port, name);
}
