/* SPDX-License-Identifier: Apache-2.0 */
#include "fetcher/mirror.h"

#include "common/beneath.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/names.h"
#include "common/remove_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CA_BUNDLE "/etc/ssl/certs/ca-certificates.crt"
#define KNOWN_HOSTS_HOME "ssh"		/* in the mirror; holds .ssh/known_hosts */
#define DEFAULT_BRANCH "default-branch" /* in the mirror; where the remote's HEAD points */

/* Why a callback failed: libgit2 reports only that it did. */
struct update {
	const struct mirror *mirror;
	unsigned asked; /* how often the remote requested a credential */
	bool no_credential;
	bool unknown_host;
	bool over_limit;
};

int mirror_setup(const struct fetch_limits *limits, struct fetch_result *result)
{
	static const int levels[] = {GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG,
				     GIT_CONFIG_LEVEL_GLOBAL, GIT_CONFIG_LEVEL_PROGRAMDATA};
	size_t object_max = limits->blob < 64 * MIB ? 64 * MIB : limits->blob;

	if (git_libgit2_init() < 0)
		return fetch_fail_git(result, -EIO, NULL, "cannot start libgit2");
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		(void)git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, levels[i], "");
	/* a host without CA certificates lacks it: https then fails with libgit2's own text */
	(void)git_libgit2_opts(GIT_OPT_SET_SSL_CERT_LOCATIONS, CA_BUNDLE, NULL);
	(void)git_libgit2_opts(GIT_OPT_SET_USER_AGENT, "runbookd/" RUNBOOK_VERSION);
	/*
	 * The mode of the mirror's directory keeps other users out. A file:// remote may have any
	 * owner: opening it executes nothing, and Landlock bounds what it can read.
	 */
	(void)git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
	(void)git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 1);
	(void)git_libgit2_opts(GIT_OPT_SET_MWINDOW_SIZE, (size_t)(32 * MIB));
	(void)git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, (size_t)(512 * MIB));
	(void)git_libgit2_opts(GIT_OPT_SET_MWINDOW_FILE_LIMIT, (size_t)256);
	(void)git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, (ssize_t)(64 * MIB));
	(void)git_libgit2_opts(GIT_OPT_SET_PACK_MAX_OBJECTS, (size_t)FETCH_OBJECTS_MAX);
	(void)git_libgit2_opts(GIT_OPT_SET_PACK_MAX_OBJECT_SIZE, object_max);
	return 0;
}

/* ---- the directory ---- */

static bool name_ends(const char *name, const char *suffix)
{
	size_t length = strlen(name);
	size_t n = strlen(suffix);

	return length >= n && strcmp(name + length - n, suffix) == 0;
}

/*
 * Is the file a lock or a partial file of a killed child, or a reference that a power cut left
 * empty? (References are not synced one by one.)
 */
static bool stale_is(int dir_fd, const char *name, bool references)
{
	struct stat st;

	if (references)
		return name_ends(name, ".lock") ||
		       (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			st.st_size < GIT_OID_HEXSZ);
	return name_ends(name, ".lock") || strncmp(name, "tmp_", 4) == 0 || strstr(name, "_git2_");
}

/* Remove stale files in the directory, and below it for references. Consumes @dir_fd. */
static void stale_remove(int dir_fd, bool references, unsigned depth)
{
	cleanup_closedir DIR *dir = fdopendir(dir_fd);
	const struct dirent *entry;

	if (!dir) {
		(void)close(dir_fd);
		return;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (entry->d_type == DT_DIR && references && depth < FETCH_DEPTH_MAX) {
			int child = openat(dir_fd, entry->d_name,
					   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			if (child >= 0)
				stale_remove(child, references, depth + 1);
		} else if (entry->d_type == DT_REG && stale_is(dir_fd, entry->d_name, references)) {
			(void)unlinkat(dir_fd, entry->d_name, 0);
		}
	}
}

static void mirror_tidy(const char *path)
{
	static const char *const places[] = {"refs", "objects", "objects/pack"};
	static const char *const locks[] = {"config.lock", "packed-refs.lock", "HEAD.lock"};
	cleanup_close int top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (top < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(locks); i++)
		(void)unlinkat(top, locks[i], 0);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		int fd = open_beneath(top, places[i], O_RDONLY | O_DIRECTORY, 0);

		if (fd >= 0)
			stale_remove(fd, i == 0, 0);
	}
}

static int mirror_create(struct mirror *mirror, struct fetch_result *result)
{
	git_repository_init_options options = GIT_REPOSITORY_INIT_OPTIONS_INIT;

	/* without a template, which could bring hooks and configuration of the host */
	options.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_NO_REINIT |
			GIT_REPOSITORY_INIT_NO_DOTGIT_DIR;
	options.initial_head = "main";
	if (git_repository_init_ext(&mirror->repository, mirror->path, &options) < 0)
		return fetch_fail_git(result, -EIO, NULL, "cannot make the mirror");
	return 0;
}

/*
 * Opens the reference database now, while GIT_OPT_ENABLE_FSYNC_GITDIR is off: references need not
 * be synced, packs do. See mirror_fetch_specs().
 */
static int mirror_ready(struct mirror *mirror, struct fetch_result *result)
{
	git_refdb *refdb = NULL;

	if (git_repository_refdb(&refdb, mirror->repository) < 0)
		return fetch_fail_git(result, -EIO, NULL, "cannot read the mirror's references");
	git_refdb_free(refdb);
	return 0;
}

int mirror_reset(struct mirror *mirror, struct fetch_result *result)
{
	cleanup_closedir DIR *dir = NULL;
	const struct dirent *entry;

	mirror_close(mirror);
	dir = opendir(mirror->path);
	if (!dir)
		return fetch_fail_errno(result, errno, "cannot open the mirror %s", mirror->path);
	/* the directory itself stays: our Landlock rule is for it, not for its parent */
	while ((entry = readdir(dir))) {
		int r;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		r = remove_tree(dirfd(dir), entry->d_name);
		if (r < 0)
			return fetch_fail_errno(result, -r, "cannot empty %s", mirror->path);
	}
	if (mirror_create(mirror, result) < 0)
		return -EIO;
	return mirror_ready(mirror, result);
}

int mirror_open(struct mirror *mirror, struct fetch_result *result)
{
	mirror_tidy(mirror->path);
	if (git_repository_open_ext(&mirror->repository, mirror->path,
				    GIT_REPOSITORY_OPEN_NO_SEARCH | GIT_REPOSITORY_OPEN_BARE,
				    NULL) == 0)
		return mirror_ready(mirror, result);
	return mirror_reset(mirror, result);
}

void mirror_close(struct mirror *mirror)
{
	git_repository_free(mirror->repository);
	mirror->repository = NULL;
}

/* ---- looking up ---- */

/* Find the commit that @id stands for, behind its tags. @what: the name of @id in errors. */
static int find_peeled(struct mirror *mirror, const git_oid *id, git_oid *ret_id, const char *what,
		       struct fetch_result *result)
{
	git_object *object = NULL;
	git_object *commit = NULL;
	int r = git_object_lookup(&object, mirror->repository, id, GIT_OBJECT_ANY);

	if (r < 0)
		return -ENOENT;
	r = git_object_peel(&commit, object, GIT_OBJECT_COMMIT);
	git_object_free(object);
	if (r < 0)
		return fetch_fail(result, FETCH_NO_SUCH_COMMIT,
				  "%s is not a commit in the repository of %s", what,
				  mirror->config->project);
	git_oid_cpy(ret_id, git_object_id(commit));
	git_object_free(commit);
	return 0;
}

int mirror_find(struct mirror *mirror, const char *ref, const char *commit, git_oid *ret_id,
		struct fetch_result *result)
{
	git_oid id;
	int r;

	if (*commit) {
		if (git_oid_fromstr(&id, commit) < 0 || strlen(commit) != GIT_OID_HEXSZ)
			return fetch_fail(result, FETCH_REFUSED,
					  "commit %s is a SHA-256 id; repositories in the SHA-256 "
					  "format are not supported, use one in the SHA-1 format",
					  commit);
		return find_peeled(mirror, &id, ret_id, commit, result);
	}
	r = git_reference_name_to_id(&id, mirror->repository, ref);
	if (r < 0)
		return -ENOENT;
	return find_peeled(mirror, &id, ret_id, ref, result);
}

bool mirror_sound(struct mirror *mirror)
{
	git_strarray names = {0};
	git_odb *odb = NULL;
	bool sound = git_repository_odb(&odb, mirror->repository) == 0 &&
		     git_reference_list(&names, mirror->repository) == 0;

	for (size_t i = 0; sound && i < names.count; i++) {
		git_oid id;

		sound = git_reference_name_to_id(&id, mirror->repository, names.strings[i]) == 0 &&
			git_odb_exists(odb, &id);
	}
	git_strarray_dispose(&names);
	git_odb_free(odb);
	return sound;
}

/* ---- fetching ---- */

static int on_credentials(git_credential **out, const char *url, const char *url_user,
			  unsigned allowed, void *payload)
{
	struct update *update = payload;
	const struct repository *config = update->mirror->config;
	const char *user = *config->user ? config->user : url_user;

	if (!user || !*user)
		user = "git";
	if (allowed & GIT_CREDENTIAL_USERNAME) /* ssh requests the name before the key */
		return git_credential_username_new(out, user);
	/* a second request means that the remote refused the first credential */
	if (update->asked++ > 0)
		return GIT_EAUTH;
	if (url_user && *url_user)
		user = url_user; /* libgit2 accepts no other name than the URL's */
	if ((allowed & GIT_CREDENTIAL_SSH_MEMORY) && *config->ssh_key)
		return git_credential_ssh_key_memory_new(out, user, NULL, config->ssh_key, NULL);
	if ((allowed & GIT_CREDENTIAL_USERPASS_PLAINTEXT) && *config->password)
		return git_credential_userpass_plaintext_new(out, user, config->password);
	update->no_credential = true;
	return GIT_EAUTH;
}

static int on_certificate(git_cert *cert, int valid, const char *host, void *payload)
{
	struct update *update = payload;

	if (valid)
		return 0;
	if (cert->cert_type == GIT_CERT_HOSTKEY_LIBSSH2)
		update->unknown_host = true;
	return GIT_ECERTIFICATE;
}

static int on_progress(const git_indexer_progress *stats, void *payload)
{
	struct update *update = payload;

	if (stats->received_bytes <= update->mirror->limits->pack)
		return 0;
	update->over_limit = true;
	return GIT_EUSER;
}

/* Has the line a key of @kind, an index into kinds[], or past the end a key of no kind in it? */
static bool host_line_is(const char *line, size_t length, size_t kind)
{
	static const char *const kinds[] = {" ssh-ed25519 ", " ecdsa-sha2-"};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (memmem(line, length, kinds[i], strlen(kinds[i])))
			return i == kind;
	}
	return kind == ARRAY_SIZE(kinds);
}

/*
 * The lines of @known with modern keys first. libgit2 requests the kind of host key that it finds
 * first, and this libssh2 knows RSA keys with SHA-1 only, which servers no longer offer.
 */
static char *known_hosts_order(const char *known)
{
	char *out = malloc(strlen(known) + 2);
	char *end = out;

	for (size_t kind = 0; out && kind < 3; kind++) {
		for (const char *line = known; *line;) {
			size_t length = strcspn(line, "\n");

			if (length > 0 && host_line_is(line, length, kind)) {
				end = mempcpy(end, line, length);
				*end++ = '\n';
			}
			line += length + (line[length] == '\n');
		}
	}
	if (out)
		*end = '\0';
	return out;
}

/* libgit2 1.5 reads known hosts from $HOME/.ssh only, so we write one and set HOME to it. */
static int known_hosts_write(const struct mirror *mirror, struct fetch_result *result)
{
	cleanup_free char *known = known_hosts_order(mirror->config->known_hosts);
	cleanup_close int top = open(mirror->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char home[PATH_MAX];
	int r;

	if (top < 0 || !known)
		return fetch_fail_errno(result, errno, "cannot open %s", mirror->path);
	r = make_directories(top, KNOWN_HOSTS_HOME "/.ssh", 0700);
	if (r == 0)
		r = file_replace(top, KNOWN_HOSTS_HOME "/.ssh/known_hosts", known, strlen(known),
				 0600);
	if (r < 0)
		return fetch_fail_errno(result, -r, "cannot write the known ssh host keys");
	if (snprintf(home, sizeof(home), "%s/" KNOWN_HOSTS_HOME, mirror->path) >= (int)sizeof(home))
		return fetch_fail(result, FETCH_UNREACHABLE,
				  "the state directory's path is too "
				  "long");
	(void)setenv("HOME", home, 1);
	return 0;
}

/* Faults of the configuration that need no connection to find. */
static int update_check(const struct mirror *mirror, struct fetch_result *result)
{
	const struct repository *config = mirror->config;
	const struct remote *remote = mirror->remote;

	if (remote->scheme == REMOTE_SCHEME_FILE && access(remote->path, R_OK | X_OK) < 0)
		return fetch_fail(
			result, FETCH_DENIED,
			"the repository %s cannot be opened by uid %u, which fetches: %s; %s",
			remote->path, geteuid(), strerror(errno),
			errno == ENOENT
				? "correct the URL in the project's configuration"
				: "give that user read access to it and to the directories above");
	if (remote->scheme == REMOTE_SCHEME_HTTP && *config->password &&
	    !remote_is_loopback(remote))
		return fetch_fail(
			result, FETCH_REFUSED,
			"the credential of %s would travel in the clear over http://; use "
			"https:// in the repository URL, or remove the credential",
			config->project);
	if (remote->scheme != REMOTE_SCHEME_SSH)
		return 0;
	if (!*config->known_hosts)
		return fetch_fail(result, FETCH_REFUSED,
				  "no known ssh host key for %s: check the key that \"ssh-keyscan "
				  "%s\" prints against the forge's published fingerprint, and put "
				  "it into the project's known_hosts file",
				  remote->host, remote->host);
	if (!*config->ssh_key && !*config->password)
		return fetch_fail(result, FETCH_REFUSED,
				  "no ssh key for %s: make one with \"ssh-keygen -t ed25519\", add "
				  "its public half to the repository as a deploy key, and name the "
				  "private half in the project's configuration",
				  config->project);
	return known_hosts_write(mirror, result);
}

/* Does the forge's HTTP status mean that this project may not read the repository? */
static bool is_denied(int status)
{
	return status == 401 || status == 403 || status == 404 || status == 410;
}

/* Turn a failure of libgit2 into the result's sentence, by what the callbacks noted in @update. */
static int update_failed(const struct update *update, int code, struct fetch_result *result)
{
	const struct mirror *mirror = update->mirror;
	const char *url = mirror->config->url;
	const char *words = git_words_of(code);

	if (update->over_limit)
		return fetch_fail(result, FETCH_REFUSED,
				  "%s sends more than %s, the limit of one fetch; make its history "
				  "smaller or fetch from a slimmer mirror",
				  url, size_text(mirror->limits->pack));
	if (update->unknown_host)
		return fetch_fail(
			result, FETCH_REFUSED,
			"the ssh host key that %s showed is not among the project's known "
			"hosts: if the host got a new key, check its fingerprint and "
			"update the known_hosts file; otherwise the connection is intercepted",
			mirror->remote->host);
	if (update->no_credential)
		return fetch_fail(result, FETCH_DENIED,
				  "%s asks for a credential and the project has no suitable one; "
				  "configure a token for https:// or a key for ssh://",
				  url);
	if (update->asked > 0 && (code == GIT_EAUTH || update->asked > 1))
		return fetch_fail(
			result, FETCH_DENIED,
			"%s refused the project's credential (%s); check that it is valid "
			"and may read the repository%s",
			url, words,
			mirror->remote->scheme == REMOTE_SCHEME_SSH
				? "; many servers take no RSA key from this library, "
				  "an ed25519 key works"
				: "");
	return fetch_fail(
		result, is_denied(git_http_status()) ? FETCH_DENIED : fetch_outcome_of(git_errno()),
		"cannot fetch %s: %s; %s", url, words,
		fetch_fix(git_errno(), "check the URL and that this host can reach it"));
}

/* Download the objects that @specs name, and update the references. */
static int mirror_fetch_specs(git_remote *remote, struct update *update, const git_strarray *specs,
			      bool prune)
{
	git_fetch_options options = GIT_FETCH_OPTIONS_INIT;
	git_remote_callbacks callbacks = GIT_REMOTE_CALLBACKS_INIT;
	int r;

	callbacks.transfer_progress = on_progress;
	callbacks.payload = update;
	options.callbacks = callbacks;
	options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
	options.update_fetchhead = 0;
	/*
	 * Packs are synced, references are not, since there may be thousands, one file each: a
	 * torn reference is fetched again, but a torn pack would cost the whole mirror.
	 */
	(void)git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
	r = git_remote_download(remote, specs, &options);
	(void)git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 0);
	/* remove old names first: "a/b" cannot be created while "a" exists */
	if (r == 0 && prune)
		r = git_remote_prune(remote, &callbacks);
	if (r == 0)
		r = git_remote_update_tips(remote, &callbacks, 0, GIT_REMOTE_DOWNLOAD_TAGS_NONE,
					   "fetch");
	return r;
}

static bool remote_has(const git_remote_head *const *heads, size_t n_heads, const char *name)
{
	for (size_t i = 0; i < n_heads; i++) {
		if (strcmp(heads[i]->name, name) == 0)
			return true;
	}
	return false;
}

/*
 * Store the reference of the remote's HEAD in a file. The mirror's own HEAD cannot hold it,
 * because that has a value before the first fetch.
 */
static void default_learn(const struct mirror *mirror, git_remote *remote)
{
	cleanup_close int top = open(mirror->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char old[REF_NAME_MAX + 1];
	git_buf name = GIT_BUF_INIT;

	if (top >= 0 && git_remote_default_branch(&name, remote) == 0 &&
	    name.size <= REF_NAME_MAX && ref_name_valid(name.ptr)) {
		mirror_default_read(mirror, old);
		/* after a failure it is unknown or old until the next fetch */
		if (strcmp(old, name.ptr) != 0)
			(void)file_replace(top, DEFAULT_BRANCH, name.ptr, name.size, 0640);
	}
	git_buf_dispose(&name);
}

void mirror_default_read(const struct mirror *mirror, char *ret_ref)
{
	cleanup_close int top = open(mirror->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int fd = top < 0 ? -1 : open_beneath(top, DEFAULT_BRANCH, O_RDONLY, 0);
	cleanup_free char *text = NULL;
	size_t size;

	*ret_ref = '\0';
	if (fd >= 0 && fd_read_file(fd, REF_NAME_MAX, &text, &size) == 0 && ref_name_valid(text))
		memcpy(ret_ref, text, strlen(text) + 1);
}

static int default_complete(const struct mirror *mirror, git_remote *remote, char *ref,
			    struct fetch_result *result)
{
	git_buf name = GIT_BUF_INIT;
	int r = git_remote_default_branch(&name, remote);

	if (r == 0 && name.size <= REF_NAME_MAX && ref_name_valid(name.ptr))
		memcpy(ref, name.ptr, name.size + 1);
	git_buf_dispose(&name);
	if (r == GIT_ENOTFOUND)
		return fetch_fail(
			result, FETCH_NO_SUCH_COMMIT,
			"%s has no default branch: the branch that its HEAD names does "
			"not exist; set the default branch at the forge, or name a branch",
			mirror->config->url);
	return r;
}

/*
 * "" → the default branch, "main" → refs/heads/main or refs/tags/main. Unknown names stay as they
 * are, and so does "" with a @commit. Return: 0, libgit2's error, or -EINVAL with @result set.
 */
static int ref_complete(const struct mirror *mirror, git_remote *remote, char *ref,
			const char *commit, struct fetch_result *result)
{
	static const char *const prefixes[] = {"refs/heads/", "refs/tags/"};
	const git_remote_head **heads = NULL;
	size_t n_heads = 0;
	int r = git_remote_ls(&heads, &n_heads, remote);

	if (strcmp(ref, "HEAD") == 0)
		*ref = '\0';
	if (!*ref)
		return r < 0 || *commit ? r : default_complete(mirror, remote, ref, result);
	if (strncmp(ref, "refs/", 5) == 0)
		return r;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(prefixes); i++) {
		char full[REF_NAME_MAX + 16];

		if (snprintf(full, sizeof(full), "%s%s", prefixes[i], ref) > REF_NAME_MAX ||
		    !remote_has((const git_remote_head *const *)heads, n_heads, full))
			continue;
		memcpy(ref, full, strlen(full) + 1);
		break;
	}
	return r;
}

/* Is the remote without a push so far? libgit2 has no error text for that. */
static bool remote_empty(git_remote *remote)
{
	const git_remote_head **heads = NULL;
	size_t n_heads = 0;

	return git_remote_ls(&heads, &n_heads, remote) == 0 && n_heads == 0;
}

/* Fetch branches and tags, and @ref if it is another reference, such as a pull request's. */
static int fetch_names(git_remote *remote, struct update *update, const char *ref)
{
	char wanted[2 * REF_NAME_MAX + 4];
	char heads[] = "+refs/heads/*:refs/heads/*";
	char tags[] = "+refs/tags/*:refs/tags/*";
	char *specs[3] = {heads, tags, wanted};
	git_strarray array = {.strings = specs, .count = 2};

	if (strncmp(ref, "refs/", 5) == 0 && strncmp(ref, "refs/heads/", 11) != 0 &&
	    strncmp(ref, "refs/tags/", 10) != 0) {
		(void)snprintf(wanted, sizeof(wanted), "+%s:%s", ref, ref);
		array.count = 3;
	}
	return mirror_fetch_specs(remote, update, &array, true);
}

static int fetch_commit(git_remote *remote, struct update *update, const char *commit)
{
	char spec[256];
	char *specs[1] = {spec};
	git_strarray array = {.strings = specs, .count = 1};

	(void)snprintf(spec, sizeof(spec), "%s:refs/runbook/%s", commit, commit);
	return mirror_fetch_specs(remote, update, &array, false);
}

/* Connect, complete @ref, fetch, and fetch @commit by id if the branches did not bring it. */
static int update_run(struct mirror *mirror, git_remote *remote, struct update *update, char *ref,
		      const char *commit, struct fetch_result *result)
{
	git_remote_connect_options options = GIT_REMOTE_CONNECT_OPTIONS_INIT;
	git_oid id;
	int r;

	options.callbacks.credentials = on_credentials;
	options.callbacks.certificate_check = on_certificate;
	options.callbacks.transfer_progress = on_progress;
	options.callbacks.payload = update;
	options.follow_redirects = GIT_REMOTE_REDIRECT_NONE; /* to other hosts */
	git_error_clear(); /* an earlier failure must not explain one that comes now */
	result->outcome = FETCH_OK;
	r = git_remote_connect_ext(remote, GIT_DIRECTION_FETCH, &options);
	if (r == 0 && remote_empty(remote))
		return fetch_fail(result, FETCH_NO_SUCH_COMMIT,
				  "%s is empty: nothing was pushed to it yet, or the forge has not "
				  "published it yet; push a branch first",
				  mirror->config->url);
	if (r == 0)
		default_learn(mirror, remote);
	if (r == 0)
		r = ref_complete(mirror, remote, ref, commit, result);
	if (r == 0)
		r = fetch_names(remote, update, ref);
	if (r < 0)
		return result->outcome != FETCH_OK ? r : update_failed(update, r, result);
	if (!*commit)
		return 0;
	r = mirror_find(mirror, ref, commit, &id, result);
	if (r != -ENOENT)
		return r;
	if (mirror->remote->scheme == REMOTE_SCHEME_FILE)
		return 0; /* mirror_copy_local() has copied it if the remote has it */
	/* a failure does not matter: the caller looks whether the mirror has the commit now */
	if (!git_remote_connected(remote))
		(void)git_remote_connect_ext(remote, GIT_DIRECTION_FETCH, &options);
	if (fetch_commit(remote, update, commit) < 0 && update->over_limit)
		return update_failed(update, -1, result);
	return 0;
}

int mirror_update(struct mirror *mirror, char *ref, const char *commit, struct fetch_result *result)
{
	struct update update = {.mirror = mirror};
	git_remote *remote = NULL;
	int r;

	r = update_check(mirror, result);
	if (r < 0)
		return r;
	if (mirror->remote->scheme == REMOTE_SCHEME_FILE) {
		r = mirror_copy_local(mirror, ref, commit, result);
		if (r < 0)
			return r;
	}
	r = git_remote_create_anonymous(&remote, mirror->repository, mirror->config->url);
	if (r < 0)
		return update_failed(&update, r, result);
	r = update_run(mirror, remote, &update, ref, commit, result);
	(void)git_remote_disconnect(remote);
	git_remote_free(remote);
	return r;
}
