/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/config.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/names.h"
#include "daemon/config_keys.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- life ---- */

struct config *config_new(void)
{
	struct config *config = calloc(1, sizeof(*config));

	if (!config)
		return NULL;
	config->limits = SANDBOX_LIMITS_REQUIRED;
	config->max_running = RUNNING_STEPS_DEFAULT;
	config->default_timeout_sec = STEP_TIMEOUT_DEFAULT_SEC;
	config->fetch_retry_sec = FETCH_RETRY_DEFAULT_SEC;
	config->deliveries_sec = DELIVERIES_DEFAULT_SEC;
	config->cacher_bytes = ARTIFACT_BYTES_PER_RUN;
	config->cacher_count = ARTIFACT_COUNT_PER_RUN;
	config->images_pull = 1;
	config->step_log = LOG_BYTES_DEFAULT;
	config->min_free = CONFIG_MIN_FREE_DEFAULT;
	config->network_pool = NETWORK_POOL_DEFAULT;
	return config;
}

static void text_wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

static void secret_wipe(struct config_secret *secret)
{
	if (secret->data)
		explicit_bzero(secret->data, secret->size);
	free(secret->data);
	*secret = (struct config_secret){.data = NULL};
}

static void list_clear(struct config_list *list)
{
	for (size_t i = 0; i < list->n_items; i++)
		free(list->items[i]);
	memset(list, 0, sizeof(*list));
}

static void project_clear(struct config_project *project)
{
	free(project->repository);
	free(project->provider);
	text_wipe(project->secret_text);
	free(project->secret_file);
	free(project->workspace);
	free(project->user);
	free(project->password_file);
	free(project->ssh_key_file);
	free(project->known_hosts_file);
	free(project->auth_file);
	free(project->allow.rules);
	secret_wipe(&project->secret);
	secret_wipe(&project->password);
	secret_wipe(&project->ssh_key);
	secret_wipe(&project->known_hosts);
	secret_wipe(&project->auth);
}

struct config *config_free(struct config *config)
{
	if (!config)
		return NULL;
	for (size_t i = 0; i < config->n_projects; i++)
		project_clear(&config->projects[i]);
	free(config->projects);
	free(config->public_url);
	list_clear(&config->webhook_listen);
	list_clear(&config->api_listen);
	list_clear(&config->dns);
	list_clear(&config->host_labels);
	list_clear(&config->images_insecure);
	list_clear(&config->images_private);
	list_clear(&config->images_fork);
	free(config->images_directory);
	free(config->images_auth_file);
	secret_wipe(&config->images_auth);
	free(config);
	return NULL;
}

static void config_free_fn(struct config **config)
{
	(void)config_free(*config);
}

static int compare_projects(const void *a, const void *b)
{
	return strcmp(((const struct config_project *)a)->name,
		      ((const struct config_project *)b)->name);
}

const struct config_project *config_project_find(const struct config *config, const char *name)
{
	struct config_project wanted = {.weight = 0};

	if (config->n_projects == 0 || strlen(name) >= sizeof(wanted.name))
		return NULL;
	(void)snprintf(wanted.name, sizeof(wanted.name), "%s", name);
	return bsearch(&wanted, config->projects, config->n_projects, sizeof(wanted),
		       compare_projects);
}

/* ---- text ---- */

int config_parse_main(struct config *config, const char *file, const char *text, size_t size,
		      struct error *error)
{
	return config_schema_parse(&config_schema_main, config, file, text, size, error);
}

static int project_check(const struct config_project *project, const char *file,
			 struct error *error)
{
	if (!project->repository && !project->workspace)
		return error_set(error, EINVAL,
				 "%s: neither Repository= nor Workspace= is given: say where the "
				 "project comes from",
				 file);
	if (project->repository && project->workspace)
		return error_set(error, EINVAL,
				 "%s: Repository= and Workspace= exclude each other: remove one",
				 file);
	if (project->secret_text && project->secret_file)
		return error_set(error, EINVAL,
				 "%s: Secret= and SecretFile= exclude each other: remove one",
				 file);
	return 0;
}

int config_parse_project(struct config *config, const char *name, const char *file,
			 const char *text, size_t size, struct error *error)
{
	struct config_project project = {.weight = 1,
					 .max_running = PROJECT_RUNNING_DEFAULT,
					 .fetch_retry_sec = CONFIG_INHERIT};
	struct config_project *grown;
	int result;

	if (!project_name_valid(name))
		return error_set(error, EINVAL,
				 "%s: \"%s\" is not a project name: use up to %d of a-z 0-9 . _ -, "
				 "starting with a letter or digit",
				 file, name, PROJECT_NAME_MAX);
	if (config->n_projects >= CONFIG_PROJECTS_MAX)
		return error_set(error, E2BIG, "%s: more than %d projects", file,
				 CONFIG_PROJECTS_MAX);
	(void)snprintf(project.name, sizeof(project.name), "%s", name);
	result = config_schema_parse(&config_schema_project, &project, file, text, size, error);
	if (result == 0)
		result = project_check(&project, file, error);
	if (result == 0 && !project.provider) {
		project.provider = strdup("github");
		if (!project.provider)
			result = error_set(error, ENOMEM, "out of memory");
	}
	if (result < 0)
		goto fail;
	grown = reallocarray(config->projects, config->n_projects + 1, sizeof(project));
	if (!grown) {
		result = error_set(error, ENOMEM, "out of memory");
		goto fail;
	}
	config->projects = grown;
	config->projects[config->n_projects++] = project;
	return 0;
fail:
	project_clear(&project);
	return result;
}

static int list_default(struct config_list *list, const char *value, struct error *error)
{
	if (list->n_items > 0)
		return 0;
	list->items[0] = strdup(value);
	if (!list->items[0])
		return error_set(error, ENOMEM, "out of memory");
	list->n_items = 1;
	return 0;
}

int config_complete(struct config *config, struct error *error)
{
	if (list_default(&config->webhook_listen, "[::]:8471", error) < 0 ||
	    list_default(&config->api_listen, "none", error) < 0)
		return -ENOMEM;
	if (config->n_projects > 1)
		qsort(config->projects, config->n_projects, sizeof(config->projects[0]),
		      compare_projects);
	return 0;
}

/* ---- files ---- */

/* A user who can write a file that root obeys can become root: only root, or our user, may. */
static int check_trust(int fd, const char *path, bool directory, struct error *error)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(error, errno, "cannot stat %s", path);
	if (!directory && !S_ISREG(st.st_mode))
		return error_set(error, EINVAL, "%s is not a regular file", path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return error_set(error, EPERM,
				 "%s belongs to user %u: run `chown root %s`, because its owner "
				 "decides what root runs",
				 path, st.st_uid, path);
	if (st.st_mode & S_IWOTH)
		return error_set(error, EPERM, "%s is writable by everybody: run `chmod o-w %s`",
				 path, path);
	return 0;
}

/* Return: 0, 1 when the file is absent, or -errno. */
static int read_trusted(int dir_fd, const char *name, const char *path, size_t limit,
			char **ret_data, size_t *ret_size, struct error *error)
{
	cleanup_close int fd = -1;
	int result;

	/* O_NONBLOCK: a FIFO in its place must not hang the daemon */
	fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0)
		return error_errno(error, errno, "cannot open %s", path);
	if (check_trust(fd, path, false, error) < 0)
		return -error->number;
	result = fd_read_file(fd, limit, ret_data, ret_size);
	if (result == -EFBIG)
		return error_set(error, EFBIG, "%s is larger than %zu bytes", path, limit);
	if (result < 0)
		return error_errno(error, -result, "cannot read %s", path);
	return 0;
}

/* As ssh does with private keys: a file that all users can read is not a secret any more. */
static int check_secret(int dir_fd, const char *name, const char *path, struct error *error)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, 0) < 0 || !(st.st_mode & S_IROTH))
		return 0; /* other failures are reported when the file is read */
	return error_set(error, EPERM,
			 "%s holds a secret and can be read by all users: run `chmod o-r %s`, and "
			 "change the secret if one of them did",
			 path, path);
}

static int load_secret(const struct paths *paths, const struct config_project *project,
		       const char *key, const char *file, size_t limit,
		       struct config_secret *secret, struct error *error)
{
	cleanup_close int dir_fd = -1;
	int result;

	if (!file)
		return 0;
	/* relative names start at the directory of runbookd.conf; an absolute one ignores dir_fd */
	dir_fd = open(paths->etc, O_PATH | O_DIRECTORY | O_CLOEXEC);
	result = secret == &project->known_hosts ? 0 : check_secret(dir_fd, file, file, error);
	if (result == 0)
		result = read_trusted(dir_fd, file, file, limit, &secret->data, &secret->size,
				      error);
	if (result == 1)
		(void)error_set(error, ENOENT, "%s does not exist", file);
	if (result != 0)
		return error_wrap(error, "project %s: %s=", project->name, key);
	return 0;
}

/* Editors end a file with a newline, which is not part of the secret. */
static void secret_trim(struct config_secret *secret)
{
	while (secret->size > 0 &&
	       (secret->data[secret->size - 1] == '\n' || secret->data[secret->size - 1] == '\r'))
		secret->data[--secret->size] = '\0';
}

static int project_load_secrets(const struct paths *paths, struct config_project *project,
				struct error *error)
{
	if (load_secret(paths, project, "SecretFile", project->secret_file, CONFIG_SECRET_MAX,
			&project->secret, error) < 0 ||
	    load_secret(paths, project, "PasswordFile", project->password_file, CONFIG_SECRET_MAX,
			&project->password, error) < 0 ||
	    load_secret(paths, project, "AuthFile", project->auth_file, CONFIG_AUTH_MAX,
			&project->auth, error) < 0 ||
	    load_secret(paths, project, "SshKeyFile", project->ssh_key_file, CONFIG_SSH_KEY_MAX,
			&project->ssh_key, error) < 0 ||
	    load_secret(paths, project, "KnownHostsFile", project->known_hosts_file,
			CONFIG_KNOWN_HOSTS_MAX, &project->known_hosts, error) < 0)
		return -error->number;
	if (project->secret_text) {
		project->secret.size = strlen(project->secret_text);
		project->secret.data = TAKE_PTR(project->secret_text);
	}
	secret_trim(&project->secret);
	secret_trim(&project->password);
	if (project->secret_file && project->secret.size == 0)
		return error_set(error, EINVAL, "project %s: SecretFile= %s is empty",
				 project->name, project->secret_file);
	if (project->known_hosts.data &&
	    strlen(project->known_hosts.data) != project->known_hosts.size)
		return error_set(error, EINVAL, "project %s: KnownHostsFile= %s is not text",
				 project->name, project->known_hosts_file);
	return 0;
}

static int load_images_auth(const struct paths *paths, struct config *config, struct error *error)
{
	cleanup_close int dir_fd = -1;
	int result;

	if (!config->images_auth_file)
		return 0;
	dir_fd = open(paths->etc, O_PATH | O_DIRECTORY | O_CLOEXEC);
	result = check_secret(dir_fd, config->images_auth_file, config->images_auth_file, error);
	if (result == 0)
		result = read_trusted(dir_fd, config->images_auth_file, config->images_auth_file,
				      CONFIG_AUTH_MAX, &config->images_auth.data,
				      &config->images_auth.size, error);
	if (result == 1)
		(void)error_set(error, ENOENT, "%s does not exist", config->images_auth_file);
	return result != 0 ? error_wrap(error, "[Images] AuthFile=") : 0;
}

static int name_is_config(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > 5 &&
	       strcmp(entry->d_name + length - 5, ".conf") == 0;
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

typedef int (*load_file_fn)(struct config *config, const char *name, const char *path,
			    const char *text, size_t size, struct error *error);

static int load_main_file(struct config *config, const char *name, const char *path,
			  const char *text, size_t size, struct error *error)
{
	return config_parse_main(config, path, text, size, error);
}

static int load_project_file(struct config *config, const char *name, const char *path,
			     const char *text, size_t size, struct error *error)
{
	cleanup_free char *project = strndup(name, strlen(name) - 5); /* without .conf */

	if (!project)
		return error_set(error, ENOMEM, "out of memory");
	return config_parse_project(config, project, path, text, size, error);
}

static int load_file(struct config *config, int dir_fd, const char *directory, const char *name,
		     load_file_fn load, struct error *error)
{
	char path[PATH_MAX * 2];
	char *text = NULL;
	size_t size = 0;
	int result;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	result = read_trusted(dir_fd, name, path, CONFIG_FILE_MAX, &text, &size, error);
	if (result == 0 && text) {
		result = load(config, name, path, text, size, error);
		explicit_bzero(text, size); /* it may have Secret= */
		assert(result < 0 || load != load_project_file || config->projects);
		if (result == 0 && load == load_project_file &&
		    config->projects[config->n_projects - 1].secret_text)
			result = check_secret(dir_fd, name, path, error);
	}
	free(text);
	return result > 0 ? 0 : result;
}

/* Every *.conf of @subdirectory, in the order of their names. An absent directory is fine. */
static int load_directory(struct config *config, int etc_fd, const char *etc,
			  const char *subdirectory, load_file_fn load, struct error *error)
{
	char path[PATH_MAX + 64];
	cleanup_close int dir_fd = -1;
	struct dirent **entries = NULL;
	int n_entries;
	int result = 0;

	(void)snprintf(path, sizeof(path), "%s/%s", etc, subdirectory);
	dir_fd = openat(etc_fd, subdirectory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return errno == ENOENT ? 0 : error_errno(error, errno, "cannot open %s", path);
	if (check_trust(dir_fd, path, true, error) < 0)
		return -error->number;
	n_entries = scandirat(dir_fd, ".", &entries, name_is_config, compare_names);
	if (n_entries < 0)
		return error_errno(error, errno, "cannot list %s", path);
	for (int i = 0; i < n_entries; i++) {
		if (result == 0)
			result = load_file(config, dir_fd, path, entries[i]->d_name, load, error);
		free(entries[i]);
	}
	free(entries);
	return result;
}

int config_load(const struct paths *paths, struct config **ret_config, struct error *error)
{
	__attribute__((cleanup(config_free_fn))) struct config *config = config_new();
	cleanup_close int etc_fd = -1;

	if (!config)
		return error_set(error, ENOMEM, "out of memory");
	etc_fd = open(paths->etc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (etc_fd < 0 && errno != ENOENT)
		return error_errno(error, errno, "cannot open %s", paths->etc);
	if (etc_fd >= 0) {
		if (check_trust(etc_fd, paths->etc, true, error) < 0 ||
		    load_file(config, etc_fd, paths->etc, "runbookd.conf", load_main_file, error) <
			    0 ||
		    load_directory(config, etc_fd, paths->etc, "runbookd.conf.d", load_main_file,
				   error) < 0 ||
		    load_directory(config, etc_fd, paths->etc, "projects.d", load_project_file,
				   error) < 0)
			return -error->number;
	}
	for (size_t i = 0; i < config->n_projects; i++) {
		if (project_load_secrets(paths, &config->projects[i], error) < 0)
			return -error->number;
	}
	if (load_images_auth(paths, config, error) < 0 || config_complete(config, error) < 0)
		return -error->number;
	*ret_config = TAKE_PTR(config);
	return 0;
}
