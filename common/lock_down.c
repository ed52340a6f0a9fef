/* SPDX-License-Identifier: Apache-2.0 */
#include "common/lock_down.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/owned_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

/** struct resolved - a lock-down's paths in the form for isolate_reach() */
struct resolved {
	char texts[LOCK_DOWN_PATHS_MAX][PATH_MAX];
	struct isolation_path paths[LOCK_DOWN_PATHS_MAX];
	size_t n;
};

static const char *place_root(enum lock_down_place place, const struct paths *paths)
{
	return place == PLACE_LIB ? paths->lib : place == PLACE_LOG ? paths->log : "";
}

/* Return: 1; 0 if there is no such path; -errno. */
static int path_resolve(const struct lock_down_path *path, const struct paths *paths, char *out,
			struct error *error)
{
	const char *found = path->find ? path->find() : path->path;
	const char *root = place_root(path->place, paths);

	if (!found)
		return 0;
	if (snprintf(out, PATH_MAX, "%s%s", root, found) >= PATH_MAX)
		return error_set(error, ENAMETOOLONG, "%s%s is too long a path", root, found);
	return 1;
}

/* Makes and opens the directory if its line requests that. */
static int path_prepare(const struct lock_down_path *path, struct role_user user, const char *text,
			struct error *error)
{
	if (path->mode != 0) {
		int r = owned_directory_make(text, user.uid, user.gid, path->mode, error);

		if (r < 0)
			return r;
	} else if (path->place != PLACE_HOST) {
		/* runbookd has made it, except for a program that a test starts alone */
		(void)make_directories(AT_FDCWD, text, 0755);
	}
	if (!path->fd)
		return 0;
	*path->fd = open(text, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *path->fd < 0 ? error_errno(error, errno, "cannot open %s", text) : 0;
}

static int paths_prepare(const struct lock_down *lock_down, const struct paths *paths,
			 struct resolved *resolved, struct error *error)
{
	if (lock_down->n_paths > LOCK_DOWN_PATHS_MAX)
		return error_set(error, E2BIG, "too many paths to lock down to");
	for (size_t i = 0; i < lock_down->n_paths; i++) {
		const struct lock_down_path *path = &lock_down->paths[i];
		char *text = resolved->texts[resolved->n];
		struct error reason = ERROR_INIT;
		int r;

		if (path->fd)
			*path->fd = -1;
		r = path_resolve(path, paths, text, &reason);
		if (r > 0)
			r = path_prepare(path, role_user(lock_down->role), text, &reason);
		else if (r == 0)
			continue;
		if (r < 0 && path->optional) {
			log_warning("%s, going on without it", reason.text);
			continue;
		}
		if (r < 0)
			return error_set(error, -r, "%s", reason.text);
		resolved->paths[resolved->n++] =
			(struct isolation_path){.path = text,
						.write = path->write,
						.execute = path->execute,
						.whiteouts = path->whiteouts};
	}
	return 0;
}

static void fds_raise(uint64_t max)
{
	struct rlimit limit;

	if (max == 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max < max ? limit.rlim_max : max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

int lock_down(const struct lock_down *lock_down, const struct paths *paths, struct error *error)
{
	cleanup_free struct resolved *resolved = calloc(1, sizeof(*resolved));
	int r;

	if (!resolved)
		return error_set(error, ENOMEM, "out of memory");
	r = paths_prepare(lock_down, paths, resolved, error);
	if (r < 0)
		return r;
	(void)umask(0077); /* no other role reads its files */
	fds_raise(lock_down->fds_max);
	r = isolate_user(role_user(lock_down->role), error);
	if (r < 0 || lock_down->user_only)
		return r;
	r = isolate_reach(resolved->paths, resolved->n, &lock_down->network, error);
	if (r == 0)
		r = isolate_syscalls(lock_down->syscalls, error);
	return r;
}

/* ---- printing ---- */

static void path_print(const struct lock_down_path *path, FILE *file)
{
	static const char *const roots[] = {
		[PLACE_HOST] = "",
		[PLACE_LIB] = "LIB",
		[PLACE_LOG] = "LOG",
	};

	(void)fprintf(file, "%s%s%s %s%s", path->write ? "write" : "read",
		      path->whiteouts ? ", whiteouts" : "", path->execute ? ", execute" : "",
		      roots[path->place], path->path);
	if (path->mode)
		(void)fprintf(file, ", made with mode %04o", path->mode);
	(void)fprintf(file, "%s\n", path->optional ? ", optional" : "");
}

static void network_print(const struct isolation_network *network, FILE *file)
{
	if (network->connects_anywhere)
		(void)fputs("connect to any port\n", file);
	for (size_t i = 0; i < ARRAY_SIZE(network->connects) && network->connects[i]; i++)
		(void)fprintf(file, "connect to port %u\n", network->connects[i]);
	if (network->binds_free_port)
		(void)fputs("bind a free port\n", file);
}

static int compare_names(const void *first, const void *second)
{
	return strcmp(*(const char *const *)first, *(const char *const *)second);
}

static int process_print(const struct lock_down *lock_down, FILE *file)
{
	cleanup_free const char **names = NULL;
	size_t n = 0;

	if (lock_down->process)
		(void)fprintf(file, "process %s\n", lock_down->process);
	(void)fprintf(file, "user of %s\n", role_name(lock_down->role));
	if (lock_down->fds_max)
		(void)fprintf(file, "descriptors %llu\n", (unsigned long long)lock_down->fds_max);
	for (size_t i = 0; i < lock_down->n_paths; i++)
		path_print(&lock_down->paths[i], file);
	if (lock_down->user_only) {
		(void)fprintf(file, "the rest is closed later\n");
		return 0;
	}
	network_print(&lock_down->network, file);
	while (lock_down->syscalls && lock_down->syscalls[n])
		n++;
	names = calloc(n + 1, sizeof(*names));
	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		names[i] = lock_down->syscalls[i];
	qsort(names, n, sizeof(*names), compare_names);
	for (size_t i = 0; i < n; i++)
		(void)fprintf(file, "call %s\n", names[i]);
	return 0;
}

int lock_down_print(const struct lock_down *lock_down, FILE *file)
{
	int r = 0;

	for (; lock_down && r == 0; lock_down = lock_down->next)
		r = process_print(lock_down, file);
	return r;
}
