/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/step_setup.h"

#include "common/beneath.h"
#include "common/cleanup.h"
#include "common/isolation.h"
#include "common/log.h"
#include "common/names.h"
#include "common/number.h"
#include "common/remove_tree.h"
#include "common/runbook_name.h"
#include "common/tree_layers.h"
#include "daemon/listen.h"
#include "daemon/log_pump.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- tree, layers, mirror ---- */

static int use_workspace(const char *path, struct step_setup *setup, struct error *error)
{
	struct stat st;

	if (!realpath(path, setup->workspace))
		return error_errno(error, errno, "cannot use Workspace=%s", path);
	if (stat(setup->workspace, &st) < 0)
		return error_errno(error, errno, "cannot use Workspace=%s", path);
	if (!S_ISDIR(st.st_mode))
		return error_set(error, ENOTDIR, "Workspace=%s is not a directory", path);
	setup->request.workspace_uid = st.st_uid;
	setup->request.workspace_gid = st.st_gid;
	return 0;
}

/* Looked up once: every step needs it, and a name service may use the network. */
static uid_t fetcher_uid(void)
{
	static bool known;
	static uid_t uid;

	if (!known)
		uid = role_user(ROLE_FETCHER).uid;
	known = true;
	return uid;
}

/*
 * Find a directory that the fetcher made, without following any link; it must belong to the
 * fetcher. That process may have been taken over, and must not choose which
 * directory of the host is bound into a sandbox.
 */
static int fetched_directory(const char *base, const char *name, struct stat *ret_stat)
{
	cleanup_close int base_fd = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int fd = -1;

	if (base_fd < 0)
		return -errno;
	fd = open_beneath(base_fd, name, O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	if (fstat(fd, ret_stat) < 0)
		return -errno;
	if (geteuid() == 0 && ret_stat->st_uid != fetcher_uid())
		return -EPERM;
	return 0;
}

_Static_assert(TREE_LAYERS_MAX == SANDBOX_WORKSPACE_LOWERS_MAX + 1,
	       "a sandbox takes as many layers as a tree may have");

/* Find the layers of @commit's tree. Return: 0 or -errno. */
static int tree_find(const char *base, const struct step_order *order,
		     struct tree_layers *ret_layers)
{
	cleanup_close int base_fd = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int project_fd = -1;

	if (base_fd < 0)
		return -errno;
	project_fd = open_beneath(base_fd, order->project, O_PATH | O_DIRECTORY, 0);
	if (project_fd < 0)
		return project_fd;
	return tree_layers_find(project_fd, order->commit, ret_layers);
}

/* Let the sandbox have the layer @index of a tree. Return: 0 or -errno. */
static int use_layer(const char *base, const char *name, size_t index, struct step_setup *setup)
{
	struct stat st = {.st_uid = 0};
	int r = fetched_directory(base, name, &st);

	if (r < 0)
		return r;
	if (index == 0) {
		setup->request.workspace_uid = st.st_uid;
		setup->request.workspace_gid = st.st_gid;
		return snprintf(setup->workspace, sizeof(setup->workspace), "%s/%s", base, name) >=
				       (int)sizeof(setup->workspace)
			       ? -ENAMETOOLONG
			       : 0;
	}
	if (asprintf(&setup->lowers[index - 1], "%s/%s", base, name) < 0) {
		setup->lowers[index - 1] = NULL;
		return -ENOMEM;
	}
	setup->request.workspace_lowers = (const char *const *)setup->lowers;
	setup->request.n_workspace_lowers = index;
	return 0;
}

static int use_tree(const struct paths *paths, const struct step_order *order,
		    struct step_setup *setup, struct error *error)
{
	char base[PATH_MAX + 16];
	char name[PROJECT_NAME_MAX + COMMIT_HEX_MAX + 24];
	struct tree_layers layers = {.n = 0};
	int r;

	if (!commit_valid(order->commit)) /* "" would be the directory of all trees */
		return error_set(error, EINVAL, "the order names no commit");
	(void)snprintf(base, sizeof(base), "%s/trees", paths->lib);
	r = tree_find(base, order, &layers);
	for (size_t i = 0; r == 0 && i < layers.n; i++) {
		(void)snprintf(name, sizeof(name), "%s/%s", order->project, layers.names[i]);
		r = use_layer(base, name, i, setup);
	}
	if (r < 0) /* the caller may use a directory of the host instead */
		setup->request.n_workspace_lowers = 0;
	if (r == -ENOENT)
		return error_set(error, ENOENT,
				 "the tree of commit %s is not there: retry the run, so that it is "
				 "fetched again",
				 order->commit);
	if (r < 0)
		return error_errno(error, -r, "cannot use the tree of commit %s", order->commit);
	return 0;
}

/* A part of a view: "top" is laid over the tree; "objects" may be the view's own git objects. */
static int view_path(const struct paths *paths, const struct step_order *order, const char *part,
		     char *out, struct stat *ret_stat)
{
	char base[PATH_MAX + 16];
	char name[PROJECT_NAME_MAX + 2 * COMMIT_HEX_MAX + 32];
	int r;

	(void)snprintf(base, sizeof(base), "%s/trees", paths->lib);
	(void)snprintf(name, sizeof(name), "%s/%s.views/%s/%s", order->project, order->commit,
		       order->view, part);
	r = fetched_directory(base, name, ret_stat);
	if (r == 0 && snprintf(out, PATH_MAX, "%s/%s", base, name) >= PATH_MAX)
		return -ENAMETOOLONG;
	return r;
}

static int use_view(const struct paths *paths, const struct step_order *order,
		    struct step_setup *setup, struct error *error)
{
	struct stat st = {.st_uid = 0};
	int r;

	if (!order->view[0])
		return 0;
	r = view_path(paths, order, "top", setup->view, &st);
	if (r < 0)
		return error_errno(error, -r,
				   "cannot use the references of commit %s; retry the run, so that "
				   "they are fetched again",
				   order->commit);
	setup->request.workspace_view = setup->view;
	return 0;
}

/* A project with Workspace= uses that directory, unless the commit has a tree: an upload's. */
static int find_workspace(const struct paths *paths, const struct config_project *project,
			  const struct step_order *order, struct step_setup *setup,
			  struct error *error)
{
	struct error ignored = ERROR_INIT;
	int r;

	if (!project || !project->workspace) {
		r = use_tree(paths, order, setup, error);
		if (r == 0)
			r = use_view(paths, order, setup, error);
	} else if (order->commit[0] != '\0' && use_tree(paths, order, setup, &ignored) == 0)
		r = 0;
	else
		r = use_workspace(project->workspace, setup, error);
	setup->request.workspace = setup->workspace;
	return r;
}

int step_setup_layer(struct step_setup *setup, const char *path)
{
	char **grown = reallocarray(setup->layers, setup->request.n_layers + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	setup->layers = grown;
	grown[setup->request.n_layers] = strdup(path);
	if (!grown[setup->request.n_layers])
		return -ENOMEM;
	setup->request.n_layers++;
	setup->request.layers = (const char *const *)grown;
	return 0;
}

static int mirror_path(const struct paths *paths, const struct step_order *order, char *out,
		       struct stat *ret_stat)
{
	char base[PATH_MAX + 16];
	char name[PROJECT_NAME_MAX + 16];
	int r;

	(void)snprintf(base, sizeof(base), "%s/repos", paths->lib);
	(void)snprintf(name, sizeof(name), "%s.git/objects", order->project);
	r = fetched_directory(base, name, ret_stat);
	if (r == 0 && snprintf(out, PATH_MAX, "%s/%s", base, name) >= PATH_MAX)
		return -ENAMETOOLONG;
	return r;
}

/* Missing objects are not an error: git reports which one it misses, and the tree is complete. */
static void bind_objects(const struct paths *paths, const struct step_order *order,
			 struct step_setup *setup)
{
	struct stat st = {.st_uid = 0};
	int r = -ENOENT;

	if (order->objects == STEP_OBJECTS_MIRROR)
		r = mirror_path(paths, order, setup->objects, &st);
	else if (order->objects == STEP_OBJECTS_VIEW)
		r = view_path(paths, order, "objects", setup->objects, &st);
	if (r < 0)
		return;
	setup->binds[setup->request.n_binds++] = (struct sandbox_bind){
		.source = setup->objects,
		.target = STEP_MIRROR_TARGET,
		.idmap = true,
		.owner_uid = st.st_uid,
		.owner_gid = st.st_gid,
	};
}

/* ---- log, pipes, socket ---- */

static int log_create(int dir_fd, const char *name, const char *suffix, struct error *error)
{
	char file[STEP_SLUG_MAX + 64];
	int fd = -1;

	(void)snprintf(file, sizeof(file), "%s.%s", name, suffix);
	for (int i = 0; i < 2; i++) {
		fd = openat(dir_fd, file, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
		if (fd >= 0 || errno != EEXIST)
			break;
		/* run numbers started again (a lost database): a log must not be of two runs */
		log_warning("log %s of an earlier run with this number is replaced", file);
		(void)unlinkat(dir_fd, file, 0);
	}
	if (fd < 0)
		return error_errno(error, errno, "cannot make log file %s", file);
	return fd;
}

static int open_logs(const struct paths *paths, const struct step_order *order,
		     struct step_setup *setup, struct error *error)
{
	static const struct beneath_make make = {.mode = 0750};
	cleanup_close int log_fd = -1;
	cleanup_close int dir_fd = -1;
	char path[PROJECT_NAME_MAX + 32];
	char name[STEP_SLUG_MAX + 32];
	int r;

	log_fd = open(paths->log, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (log_fd < 0)
		return error_errno(error, errno, "cannot open %s", paths->log);
	(void)snprintf(path, sizeof(path), "%s/%llu", order->project,
		       (unsigned long long)order->run);
	/* group and set-group-ID bit are inherited from the parent directory */
	r = mkdir_beneath(log_fd, path, &make);
	if (r < 0)
		return error_errno(error, -r, "cannot make log directory %s/%s", paths->log, path);
	dir_fd = open_beneath(log_fd, path, O_RDONLY | O_DIRECTORY, 0);
	if (dir_fd < 0)
		return error_errno(error, -dir_fd, "cannot open log directory %s/%s", paths->log,
				   path);
	(void)snprintf(name, sizeof(name), "%s.%llu", order->slug,
		       (unsigned long long)order->attempt);
	setup->log_fd = log_create(dir_fd, name, "log", error);
	if (setup->log_fd < 0)
		return setup->log_fd;
	setup->index_fd = log_create(dir_fd, name, "idx", error);
	return setup->index_fd < 0 ? setup->index_fd : 0;
}

static int open_pipe(int pipe_fds[2], struct error *error)
{
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return error_errno(error, errno, "cannot make a pipe");
	/* the step runs as another user and may open /dev/stdout again, for writing only */
	(void)fchmod(pipe_fds[1], 0222);
	return 0;
}

static int open_socket(const struct paths *paths, const struct step_order *order,
		       struct step_setup *setup, struct error *error)
{
	char path[PATH_MAX];
	unsigned long long number = order->order;

	if (snprintf(path, sizeof(path), "%s/steps/%llu", paths->run, number) >=
		    (int)sizeof(path) ||
	    snprintf(setup->socket, sizeof(setup->socket), "%s/steps/%llu/cacher.sock", paths->run,
		     number) >= (int)sizeof(setup->socket))
		return error_set(error, ENAMETOOLONG, "the path of the step's socket is too long");
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return error_errno(error, errno, "cannot make %s", path);
	setup->cacher_fd = listen_unix(setup->socket, 0666, (gid_t)-1, error);
	if (setup->cacher_fd < 0)
		return setup->cacher_fd;
	setup->binds[setup->request.n_binds++] = (struct sandbox_bind){
		.source = setup->socket,
		.target = STEP_CACHER_TARGET,
	};
	return 0;
}

/* ---- life ---- */

static void fill_request(const struct step_order *order, const char *container,
			 struct step_setup *setup)
{
	struct sandbox_request *request = &setup->request;

	(void)snprintf(setup->hostname, sizeof(setup->hostname), "%.30s-%llu", order->project,
		       (unsigned long long)order->run);
	request->id = container;
	request->image = "host"; /* unless layers follow */
	request->workdir = order->workdir;
	request->uid = order->uid;
	request->gid = order->gid;
	request->tty = order->tty;
	request->hostname = setup->hostname;
	request->binds = setup->binds;
	request->network = order->network;
	request->network_name = order->slug;
	request->payload_fd = order->payload_fd;
	request->stdin_fd = -1;
	request->stdout_fd = setup->stdout_pipe[1];
	request->stderr_fd = setup->stderr_pipe[1];
}

/*
 * Limits of a step: from its runbook, otherwise from the configuration. Limits of its run: from
 * the project, otherwise from the configuration.
 */
static void fill_limits(const struct config *config, const struct config_project *project,
			const struct step_order *order, struct step_setup *setup)
{
	static const struct sandbox_limits none;
	const struct sandbox_limits *of_project = project ? &project->run_limits : &none;
	const struct sandbox_limits *of_all = &config->run_limits, *of_step = &config->step_limits;
	struct sandbox_request *request = &setup->request;

	(void)snprintf(setup->group, sizeof(setup->group), "run-%llu",
		       (unsigned long long)order->run);
	request->group = setup->group;
	request->group_limits = (struct sandbox_limits){
		.memory = value_or(of_project->memory, of_all->memory),
		.pids = value_or(of_project->pids, of_all->pids),
		.cpu_milli = value_or(of_project->cpu_milli, of_all->cpu_milli),
	};
	request->memory = value_or(order->memory, of_step->memory);
	request->pids = value_or(order->pids, of_step->pids);
	request->cpu_milli = value_or(order->cpu_milli, of_step->cpu_milli);
	request->disk = value_or(order->disk, config->step_disk);
	request->io = order->io;
	setup->log_limit = value_or(project ? project->step_log : 0, config->step_log);
}

int step_setup_make(const struct paths *paths, const struct config *config,
		    const struct config_project *project, const struct step_order *order,
		    const char *container, struct step_setup *setup, struct error *error)
{
	memset(setup, 0, sizeof(*setup));
	setup->log_fd = -1;
	setup->index_fd = -1;
	setup->cacher_fd = -1;
	setup->stdout_pipe[0] = setup->stdout_pipe[1] = -1;
	setup->stderr_pipe[0] = setup->stderr_pipe[1] = -1;
	if (find_workspace(paths, project, order, setup, error) < 0 ||
	    open_logs(paths, order, setup, error) < 0 || open_pipe(setup->stdout_pipe, error) < 0 ||
	    open_pipe(setup->stderr_pipe, error) < 0 ||
	    open_socket(paths, order, setup, error) < 0) {
		step_setup_close(setup);
		step_setup_remove(paths, order->order);
		return -error->number;
	}
	bind_objects(paths, order, setup);
	fill_request(order, container, setup);
	fill_limits(config, project, order, setup);
	if (project && order->network == STEP_NETWORK_EGRESS) {
		setup->request.allow = project->allow.rules;
		setup->request.n_allow = project->allow.n_rules;
	}
	return 0;
}

void step_setup_close(struct step_setup *setup)
{
	int *fds[] = {&setup->log_fd,	      &setup->index_fd,	      &setup->cacher_fd,
		      &setup->stdout_pipe[0], &setup->stdout_pipe[1], &setup->stderr_pipe[0],
		      &setup->stderr_pipe[1]};

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		if (*fds[i] >= 0)
			(void)close(*fds[i]);
		*fds[i] = -1;
	}
	for (size_t i = 0; i < setup->request.n_layers; i++)
		free(setup->layers[i]);
	free(setup->layers);
	setup->layers = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(setup->lowers); i++) {
		free(setup->lowers[i]);
		setup->lowers[i] = NULL;
	}
	setup->request.n_workspace_lowers = 0;
	setup->request.n_layers = 0;
}

void step_setup_remove(const struct paths *paths, uint64_t order)
{
	cleanup_close int run_fd = open(paths->run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[48];
	int r;

	(void)snprintf(name, sizeof(name), "steps/%llu", (unsigned long long)order);
	r = run_fd < 0 ? -errno : remove_tree(run_fd, name);
	if (r < 0)
		log_warning("cannot remove %s/%s: %s", paths->run, name, strerror(-r));
}

void step_setup_sweep(const struct paths *paths,
		      bool (*is_kept)(const void *userdata, uint64_t order), const void *userdata)
{
	cleanup_close int run_fd = open(paths->run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *directory = NULL;
	const struct dirent *entry;

	if (run_fd < 0)
		return;
	if (mkdirat(run_fd, "steps", 0700) < 0 && errno != EEXIST)
		log_error("cannot make %s/steps: %s", paths->run, strerror(errno));
	directory = fdopendir(openat(run_fd, "steps", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	while (directory && (entry = readdir(directory))) {
		uint64_t order = 0;

		if (entry->d_name[0] == '.')
			continue;
		if (sscanf(entry->d_name, "%" SCNu64, &order) != 1 || !is_kept(userdata, order))
			(void)remove_tree(dirfd(directory), entry->d_name);
	}
}

int workspace_open_runbook(const struct config_project *project, const char **ret_misnamed,
			   struct error *error)
{
	cleanup_close int dir_fd = -1;
	cleanup_close int fd = -1;
	struct stat st;

	dir_fd = open(project->workspace, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return error_errno(error, errno, "cannot use Workspace=%s", project->workspace);
	/* the directory's owner may have put a FIFO or a link there: do not wait, do not follow */
	fd = open_beneath(dir_fd, "runbook.yml", O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (fd == -ENOENT) {
		*ret_misnamed = runbook_misnamed(dir_fd);
		return -ENOENT;
	}
	if (fd == -ELOOP)
		return error_set(error, ELOOP,
				 "runbook.yml is a symbolic link: make it a regular file");
	if (fd < 0)
		return error_errno(error, -fd, "cannot open runbook.yml");
	if (fstat(fd, &st) < 0)
		return error_errno(error, errno, "cannot stat runbook.yml");
	if (!S_ISREG(st.st_mode))
		return error_set(error, EINVAL, "runbook.yml is not a regular file");
	return TAKE_FD(fd);
}
