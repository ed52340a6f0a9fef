/* SPDX-License-Identifier: Apache-2.0 */
#include "fetcher/child.h"

#include "common/cleanup.h"
#include "common/isolation.h"
#include "common/log.h"
#include "common/message_table.h"
#include "common/messages/fetching.h"
#include "common/messages/starter.h"
#include "common/names.h"
#include "common/remove_tree.h"
#include "fetcher/changes.h"
#include "fetcher/checkout.h"
#include "fetcher/mirror.h"
#include "fetcher/prune.h"
#include "fetcher/refs.h"
#include "fetcher/remote.h"
#include "fetcher/request.h"
#include "fetcher/tree.h"
#include "fetcher/unpack.h"
#include "fetcher/view.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DNS_PORT 53

struct job;

struct job_kind {
	enum message_type type, answer;
	int (*run)(struct job *job);
	bool mirror; /* the job needs the project's mirror */
};

struct job {
	const struct job_kind *kind;
	struct request *request;
	const struct fetch_limits *limits;
	struct fetch_result *result;
	struct repository *repository; /* FETCH only, else NULL */
	struct remote remote;
	int project_fd; /* lib/trees/<project>, locked */
	char mirror_path[PATH_MAX];
	char trees_path[PATH_MAX];
};

/* ---- confinement ---- */

/* System calls of libgit2 and libarchive on files. */
#define FILE_SYSCALLS                                                                              \
	"openat", "openat2", "open", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename",  \
		"renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "readlink",     \
		"readlinkat", "stat", "lstat", "access", "faccessat", "faccessat2", "getdents64",  \
		"ftruncate", "fallocate", "fsync", "fdatasync", "syncfs", "msync", "utimensat",    \
		"fchmod", "flock", "getcwd", "statfs", "fadvise64", "umask", "copy_file_range",    \
		"mknodat-whiteout"

/* To connect, and to resolve host names; mmap is for the libraries that glibc loads to do so. */
#define NETWORK_SYSCALLS "socket", "connect", "bind", "sendmmsg", "recvmmsg", "ioctl", "mmap"

static const char *const local_syscalls[] = {FILE_SYSCALLS, NULL};
static const char *const network_syscalls[] = {FILE_SYSCALLS, NETWORK_SYSCALLS, NULL};

/* Files that are read to resolve a host name and to check a certificate. */
static const struct isolation_path network_paths[] = {
	{.path = "/usr"},
	{.path = "/lib"},
	{.path = "/lib64"},
	{.path = "/etc/ssl"},
	{.path = "/etc/resolv.conf"},
	{.path = "/run/systemd/resolve"},
	{.path = "/etc/nsswitch.conf"},
	{.path = "/etc/hosts"},
	{.path = "/etc/host.conf"},
	{.path = "/etc/gai.conf"},
	{.path = "/etc/services"},
	{.path = "/etc/ld.so.cache"},
	{.path = "/dev/urandom"},
};

/* The one port that the project's URL names; redirects are not followed. */
static uint16_t remote_port(const struct remote *remote)
{
	static const uint16_t ports[REMOTE_SCHEME_NUM] = {
		[REMOTE_SCHEME_HTTP] = 80,
		[REMOTE_SCHEME_HTTPS] = 443,
		[REMOTE_SCHEME_SSH] = 22,
	};

	return remote->port ? (uint16_t)remote->port : ports[remote->scheme];
}

/*
 * Restrict the process by Landlock and seccomp to this job.
 * Should: leave the project's directories, and for a FETCH the remote's port and name service.
 * Mustn't: leave another project's directories, or any network for other jobs.
 */
static int job_confine(struct job *job, struct error *error)
{
	struct isolation_path paths[ARRAY_SIZE(network_paths) + 3];
	bool network = job->repository && job->remote.scheme != REMOTE_SCHEME_FILE;
	struct isolation_network ports = {.binds_free_port = false};
	size_t n = 0;
	int r;

	if (network) {
		ports.connects[0] = remote_port(&job->remote);
		ports.connects[1] = DNS_PORT; /* TCP, for an answer that exceeds a datagram */
	}
	paths[n++] =
		(struct isolation_path){.path = job->trees_path, .write = true, .whiteouts = true};
	if (job->mirror_path[0])
		paths[n++] = (struct isolation_path){.path = job->mirror_path, .write = true};
	if (job->repository && job->remote.scheme == REMOTE_SCHEME_FILE &&
	    access(job->remote.path, F_OK) == 0)
		paths[n++] = (struct isolation_path){.path = job->remote.path};
	for (size_t i = 0; network && i < ARRAY_SIZE(network_paths); i++)
		paths[n++] = network_paths[i];
	r = isolate_reach(paths, n, &ports, error);
	if (r == 0)
		r = isolate_syscalls(network ? network_syscalls : local_syscalls, error);
	return r;
}

/* ---- the work ---- */

static int job_directory(const char *path, const char *project, const char *suffix, char *out)
{
	if (snprintf(out, PATH_MAX, "%s/%s%s", path, project, suffix) >= PATH_MAX)
		return -ENAMETOOLONG;
	return mkdir(out, 0750) < 0 && errno != EEXIST ? -errno : 0;
}

/* Remove the partial trees of a killed child; we have the lock, so it is gone. */
static void stale_trees_remove(int project_fd)
{
	int copy = openat(project_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, ".tmp-", 5) == 0)
			(void)remove_tree(project_fd, entry->d_name);
	}
}

static int job_prepare(struct job *job, const struct paths *paths)
{
	char state[PATH_MAX + 8];
	int r;

	(void)snprintf(state, sizeof(state), "%s/trees", paths->lib);
	r = job_directory(state, job->request->project, "", job->trees_path);
	(void)snprintf(state, sizeof(state), "%s/repos", paths->lib);
	if (r == 0 && job->kind->mirror)
		r = job_directory(state, job->request->project, ".git", job->mirror_path);
	if (r == 0) {
		job->project_fd =
			open(job->trees_path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = job->project_fd < 0 ? -errno : 0;
	}
	/* wait for an earlier child that is still being killed */
	if (r == 0 && flock(job->project_fd, LOCK_EX) < 0)
		r = -errno;
	if (r < 0)
		return fetch_fail_errno(job->result, -r,
					"cannot prepare the directories of project %s beneath %s",
					job->request->project, paths->lib);
	stale_trees_remove(job->project_fd);
	return 0;
}

/* Check the commit out unless its tree exists, and set commit, title and author of the result. */
static int checkout(struct job *job, struct mirror *mirror, const git_oid *id, bool foreign)
{
	const struct checkout_request request = {
		.project_fd = job->project_fd,
		.project_path = job->trees_path,
		.repository = mirror->repository,
		.commit = *id,
		.foreign = foreign,
		.limits = job->limits,
	};
	char hex[GIT_OID_HEXSZ + 1];
	int r = 0;

	(void)git_oid_tostr(hex, sizeof(hex), id);
	if (tree_exists(job->project_fd, hex)) {
		tree_info_read(job->project_fd, hex, job->result);
		r = tree_wanted(job->project_fd, hex, job->result);
	} else {
		r = checkout_make(&request, job->result);
	}
	if (r < 0)
		return r;
	memcpy(job->result->commit, hex, sizeof(hex));
	job->result->outcome = FETCH_OK;
	return 0;
}

static int no_such(struct job *job)
{
	if (*job->request->commit)
		return fetch_fail(job->result, FETCH_NO_SUCH_COMMIT,
				  "commit %s is not in %s: it does not exist there any more (a "
				  "forced push, or its branch was deleted), or the forge has not "
				  "published it yet; push again, or trigger with a branch",
				  job->request->commit, job->repository->url);
	return fetch_fail(job->result, FETCH_NO_SUCH_COMMIT,
			  "%s has no %s: it does not exist, or the forge has not published it "
			  "yet; check the spelling, or push the branch first",
			  job->repository->url,
			  *job->request->ref ? job->request->ref : "default branch");
}

/* Add the changed paths to the result. Best effort: unknown paths let every filter through. */
static void changes_tell(struct job *job, const struct mirror *mirror, const git_oid *id)
{
	struct fetch_result *result = job->result;
	const struct changes_question question = {
		.ref = job->request->ref,
		.before = job->request->before,
		.base_ref = job->request->base_ref,
		.default_branch = result->default_branch,
	};

	mirror_default_read(mirror, result->default_branch);
	if (*job->request->before || *job->request->base_ref)
		result->paths_known =
			changes_find(mirror->repository, id, &question, &result->paths_fd) == 0;
}

/* Does a branch or tag of the remote reach the commit? */
static int commit_is_ours(const struct job *job, git_repository *repository, const git_oid *id,
			  bool *ret_ours)
{
	struct refs refs = {.n = 0};
	cleanup_free git_oid *tips = NULL;
	int r = refs_read(repository, &refs);

	if (r == 0)
		tips = calloc(refs.n + 1, sizeof(*tips));
	for (size_t i = 0; tips && i < refs.n; i++)
		git_oid_cpy(&tips[i], &refs.items[i].target);
	if (tips)
		*ret_ours = refs.n > 0 &&
			    git_graph_reachable_from_any(repository, id, tips, refs.n) == 1;
	refs_clear(&refs);
	if (!tips)
		return fetch_fail(job->result, FETCH_UNREACHABLE, "out of memory");
	return 0;
}

/* Is the commit a stranger's? Return: 0 or -errno. */
static int commit_is_foreign(const struct job *job, struct mirror *mirror, const git_oid *id,
			     bool *ret_foreign)
{
	bool ours = true;
	int r = 0;

	if (job->request->whose == FETCH_UNKNOWN)
		r = commit_is_ours(job, mirror->repository, id, &ours);
	if (r == 0)
		*ret_foreign = job->request->whose == FETCH_FOREIGN || !ours;
	return r;
}

/* Make the view with the references, and for a foreign commit the objects, that the run may see. */
static int view(struct job *job, struct mirror *mirror, const git_oid *id, bool foreign)
{
	struct view_request request = {
		.project_fd = job->project_fd,
		.project_path = job->trees_path,
		.repository = mirror->repository,
		.ref = strncmp(job->request->ref, "refs/", 5) == 0 ? job->request->ref : "",
		.base = *job->request->base_ref ? job->request->base_ref
						: job->result->default_branch,
		.commit = *id,
		.foreign = foreign,
	};
	git_oid tip;

	/* a branch that does not reach the commit is not moved to it, but is its base */
	if (job->request->whose == FETCH_UNKNOWN && foreign && *request.ref &&
	    git_reference_name_to_id(&tip, mirror->repository, request.ref) == 0) {
		request.base = request.ref;
		request.ref = "";
	}
	return view_make(&request, job->result);
}

/*
 * Is the mirror recent enough for this request? It is when another fetch updated it after the
 * request came. This holds for commits only: references other than branches and tags are not
 * updated by each fetch.
 */
static bool is_fresh(const struct job *job)
{
	return job->request->fresh && *job->request->commit;
}

/* Update the mirror from the remote, find the commit in it, and check the commit out. */
static int fetch_once(struct job *job, struct mirror *mirror)
{
	bool foreign = false;
	git_oid id;
	int r = -ENOENT;

	if (is_fresh(job))
		r = mirror_find(mirror, job->request->ref, job->request->commit, &id, job->result);
	if (r == -ENOENT) {
		r = mirror_update(mirror, job->request->ref, job->request->commit, job->result);
		if (r == 0)
			r = mirror_find(mirror, job->request->ref, job->request->commit, &id,
					job->result);
		if (r == -ENOENT)
			return no_such(job);
	}
	if (r == 0)
		r = commit_is_foreign(job, mirror, &id, &foreign);
	if (r == 0)
		r = checkout(job, mirror, &id, foreign);
	if (r == 0) {
		changes_tell(job, mirror, &id);
		r = view(job, mirror, &id, foreign);
	}
	return r;
}

static int job_fetch(struct job *job)
{
	struct mirror mirror = {
		.path = job->mirror_path,
		.config = job->repository,
		.remote = &job->remote,
		.limits = job->limits,
	};
	int r = mirror_setup(job->limits, job->result);

	if (r == 0)
		r = mirror_open(&mirror, job->result);
	if (r == 0)
		r = fetch_once(job, &mirror);
	if (r < 0 && job->result->outcome != FETCH_REFUSED && mirror.repository &&
	    (r == -ENODATA || !mirror_sound(&mirror))) {
		/* the mirror is a cache: one that a power cut damaged is fetched anew, once */
		log_warning("the mirror of %s is damaged, fetching it anew: %s",
			    job->request->project, job->result->error.text);
		r = mirror_reset(&mirror, job->result);
		if (r == 0)
			r = fetch_once(job, &mirror);
	}
	if (r == 0)
		mirror_repack(&mirror);
	mirror_close(&mirror);
	return r;
}

static int job_unpack(struct job *job)
{
	cleanup_tree struct tree tree = TREE_NULL;
	int r;

	if (!tree_exists(job->project_fd, job->request->commit)) {
		r = tree_begin(&tree, job->project_fd, job->request->commit, "", job->result);
		if (r == 0)
			r = unpack_tar(tree.fd, job->request->fd, job->limits, job->result);
		if (r == 0)
			r = tree_commit(&tree, job->result);
		if (r < 0)
			return r;
	}
	memcpy(job->result->commit, job->request->commit, sizeof(job->request->commit));
	job->result->outcome = FETCH_OK;
	return 0;
}

static int job_tree_remove(struct job *job)
{
	const struct request *request = job->request;

	job->result->outcome = FETCH_OK;
	return tree_remove(job->project_fd, request->commit, request->view, job->result);
}

/* Prune the mirror; a project that never fetched has none, which is a success. */
static int job_mirror_prune(struct job *job)
{
	struct mirror mirror = {.path = job->mirror_path, .limits = job->limits};
	struct name_list kept = {.n_items = 0};
	char head[PATH_MAX + 8];
	int r = name_list_read(job->request->fd, KEPT_COMMITS_BYTES_MAX, KEPT_COMMITS_MAX, &kept);

	if (r < 0)
		return fetch_fail(job->result, FETCH_REFUSED,
				  "the list of commits that are kept cannot be read: %s",
				  strerror(-r));
	(void)snprintf(head, sizeof(head), "%s/HEAD", job->mirror_path);
	if (access(head, F_OK) < 0) { /* nothing was fetched yet */
		job->result->outcome = FETCH_OK;
		name_list_clear(&kept);
		return 0;
	}
	r = mirror_setup(job->limits, job->result);
	if (r == 0)
		r = mirror_open(&mirror, job->result);
	if (r == 0) {
		job->result->outcome = FETCH_OK;
		r = mirror_prune(&mirror, job->project_fd, &kept, job->result);
	}
	mirror_close(&mirror);
	name_list_clear(&kept);
	return r;
}

static const struct job_kind job_kinds[] = {
	{MESSAGE_FETCH, MESSAGE_FETCHED, job_fetch, true},
	{MESSAGE_UNPACK, MESSAGE_FETCHED, job_unpack, false},
	{MESSAGE_TREE_REMOVE, MESSAGE_TREE_REMOVED, job_tree_remove, false},
	{MESSAGE_MIRROR_PRUNE, MESSAGE_MIRROR_PRUNED, job_mirror_prune, true},
};

static const struct job_kind *job_find(enum message_type type)
{
	for (size_t i = 0; i < ARRAY_SIZE(job_kinds); i++) {
		if (job_kinds[i].type == type)
			return &job_kinds[i];
	}
	return NULL;
}

/* ---- receiving the job ---- */

/*
 * Wait for the starter to pass the socket with the job, which takes the place of ours to it.
 * Return: 0; -ENOENT when no job will come; -errno.
 */
static int socket_receive(void)
{
	cleanup_message struct message *message = NULL;
	struct message_fetch_child_start start;
	int r = message_receive(CHANNEL_FD, &message);

	if (r <= 0)
		return r == 0 ? -ENOENT : r;
	if (message->type != MESSAGE_FETCH_CHILD_START)
		return -EBADMSG;
	r = MESSAGE_GET(message, fetch_child_start, &start);
	if (r < 0)
		return r;
	return dup2(start.job, CHANNEL_FD) < 0 ? -errno : 0;
}

/* The service has checked every field, so a malformed job is a bug of the service. */
static int job_receive(struct job *job)
{
	cleanup_message struct message *message = NULL;
	struct error error = ERROR_INIT;

	if (message_receive(CHANNEL_FD, &message) != 1)
		return -EBADMSG;
	if (message->type == MESSAGE_CONFIG_REPOSITORY) {
		if (repository_read(message, &job->repository) < 0 ||
		    remote_parse(job->repository->url, &job->remote, &error) < 0)
			return -EBADMSG;
		message = message_free(message);
		if (message_receive(CHANNEL_FD, &message) != 1)
			return -EBADMSG;
	}
	job->kind = job_find(message->type);
	if ((message->type == MESSAGE_FETCH) != (job->repository != NULL) || !job->kind)
		return -EBADMSG;
	return request_read(message, &job->request);
}

static struct message *removed_answer(enum message_type answer, const struct fetch_result *result)
{
	const char *error = result->outcome == FETCH_OK ? "" : result->error.text;

	if (answer == MESSAGE_TREE_REMOVED)
		return MESSAGE_NEW(tree_removed, 0, .freed = result->freed, .error = error);
	return MESSAGE_NEW(mirror_pruned, 0, .freed = result->freed, .error = error,
			   .branches = result->branches_known ? result->branches_fd : -1);
}

static struct message *fetched_answer(const struct fetch_result *result)
{
	bool ok = result->outcome == FETCH_OK;

	return MESSAGE_NEW(fetched, 0, .outcome = result->outcome,
			   .commit = ok ? result->commit : "", .title = result->title,
			   .author = result->author, .error = ok ? "" : result->error.text,
			   .default_branch = result->default_branch, .view = ok ? result->view : "",
			   .view_objects = ok && result->view_objects,
			   .paths = ok && result->paths_known ? result->paths_fd : -1);
}

static int job_run(struct job *job, const struct paths *paths)
{
	struct error error = ERROR_INIT;
	int r = job_prepare(job, paths);

	if (r == 0 && job_confine(job, &error) < 0)
		r = fetch_fail(job->result, fetch_outcome_of(error.number),
			       "cannot confine the fetch: %s", error.text);
	if (r < 0)
		return r;
	return job->kind->run(job);
}

int child_run(const struct paths *paths, const struct fetch_limits *limits)
{
	struct fetch_result result = {.outcome = FETCH_UNREACHABLE};
	struct job job = {.limits = limits, .result = &result, .project_fd = -1};
	enum message_type answer;
	int r;

	(void)umask(022);
	/* names in a tar are UTF-8; libarchive converts them to the locale's encoding */
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	r = socket_receive();
	if (r == -ENOENT)
		return 0;
	if (r < 0 || job_receive(&job) < 0) {
		log_error("fetch: malformed job");
		return 1;
	}
	if (job_run(&job, paths) < 0 && result.outcome == FETCH_OK)
		(void)fetch_fail_git(&result, -EIO, "see the log", "the fetch failed");
	answer = job.kind->answer;
	r = message_transmit(CHANNEL_FD, answer == MESSAGE_FETCHED
						 ? fetched_answer(&result)
						 : removed_answer(answer, &result));
	(void)request_free(job.request);
	return r < 0;
}
