/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/key_file.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/messages/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

void key_source_find(const struct paths *paths, struct key_source *ret_source)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");

	if (directory && directory[0] == '/') {
		int length = snprintf(ret_source->path, sizeof(ret_source->path), "%s/%s",
				      directory, KEY_CREDENTIAL);

		ret_source->fixed = true;
		if (length < (int)sizeof(ret_source->path) && access(ret_source->path, F_OK) == 0)
			return;
	}
	ret_source->fixed = false;
	(void)snprintf(ret_source->path, sizeof(ret_source->path), "%s/%s", paths->lib, KEY_FILE);
}

static int key_make(struct secret_key *key, struct error *error)
{
	uint64_t name;

	if (getrandom(key->bytes, sizeof(key->bytes), 0) != (ssize_t)sizeof(key->bytes) ||
	    getrandom(&name, sizeof(name), 0) != (ssize_t)sizeof(name))
		return error_errno(error, errno, "cannot get random bytes");
	(void)snprintf(key->id, sizeof(key->id), "%016" PRIx64, name);
	return 0;
}

/* Remove temporary files of file_replace() of a runbookd that was killed: they may contain a key
 * that was removed since. */
static void leftovers_remove(const struct key_source *source)
{
	const size_t n_name = strlen(KEY_FILE), n_end = strlen(".tmp");
	char directory[sizeof(source->path)];
	cleanup_closedir DIR *dir = NULL;
	const struct dirent *entry;

	(void)snprintf(directory, sizeof(directory), "%.*s", (int)(strlen(source->path) - n_name),
		       source->path);
	dir = opendir(directory);
	while (dir && (entry = readdir(dir))) {
		size_t length = strlen(entry->d_name);

		if (length > n_name + n_end &&
		    strncmp(entry->d_name, KEY_FILE ".", n_name + 1) == 0 &&
		    strcmp(entry->d_name + length - n_end, ".tmp") == 0)
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	}
}

static int keys_write(const struct key_source *source, const struct secret_keys *keys,
		      struct error *error)
{
	char text[SECRET_KEYS_TEXT_MAX];
	size_t size = secret_keys_format(keys, text);
	int r = file_replace(AT_FDCWD, source->path, text, size, 0600);

	explicit_bzero(text, sizeof(text));
	if (r < 0)
		return error_errno(error, -r, "cannot write %s", source->path);
	leftovers_remove(source);
	return 0;
}

static int check_private(int fd, const struct key_source *source, struct error *error)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return error_errno(error, errno, "cannot stat %s", source->path);
	if (!S_ISREG(status.st_mode))
		return error_set(error, EINVAL, "%s is not a regular file", source->path);
	if (status.st_uid != 0 && status.st_uid != geteuid())
		return error_set(error, EPERM, "%s belongs to user %u: run `chown root %s`",
				 source->path, status.st_uid, source->path);
	/* a credential may be a link, or have an ACL: its directory protects it */
	if (!source->fixed && (status.st_mode & 077))
		return error_set(error, EPERM,
				 "%s can be read by others than root: run `chmod 600 %s`, and "
				 "`runbookctl secret rekey` if one of them did",
				 source->path, source->path);
	return 0;
}

static int keys_create(const struct key_source *source, struct secret_keys *keys,
		       struct error *error)
{
	int r;

	memset(keys, 0, sizeof(*keys));
	r = key_make(&keys->keys[0], error);
	if (r < 0)
		return r;
	keys->n = 1;
	r = keys_write(source, keys, error);
	if (r == 0)
		log_notice("made a key for secrets: %s in %s", keys->keys[0].id, source->path);
	return r;
}

int key_file_load(const struct key_source *source, struct secret_keys *ret_keys,
		  struct error *error)
{
	char text[SECRET_KEYS_TEXT_MAX + 1];
	cleanup_close int fd = -1;
	ssize_t size;
	int r;

	*ret_keys = (struct secret_keys){.n = 0};
	/* O_NONBLOCK: a FIFO in its place must not hang the daemon */
	fd = open(source->path,
		  O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (source->fixed ? 0 : O_NOFOLLOW));
	if (fd < 0 && errno == ENOENT && !source->fixed)
		return keys_create(source, ret_keys, error);
	if (fd < 0)
		return error_errno(error, errno, "cannot open %s", source->path);
	if (check_private(fd, source, error) < 0)
		return -error->number;
	size = fd_read_all(fd, text, sizeof(text));
	if (size < 0)
		r = error_errno(error, (int)-size, "cannot read %s", source->path);
	else if (size > SECRET_KEYS_TEXT_MAX)
		r = error_set(error, EFBIG, "%s is larger than %d bytes", source->path,
			      SECRET_KEYS_TEXT_MAX);
	else
		r = secret_keys_parse(text, (size_t)size, ret_keys, error);
	if (r == -EINVAL)
		(void)error_wrap(error, "%s", source->path);
	if (r < 0) /* keys of the lines before the bad one */
		explicit_bzero(ret_keys, sizeof(*ret_keys));
	explicit_bzero(text, sizeof(text));
	return r;
}

int key_file_add(const struct key_source *source, struct secret_keys *keys, struct error *error)
{
	struct secret_keys more = {.n = keys->n + 1};
	int r;

	if (source->fixed)
		return error_set(error, EROFS, "%s is a credential: change it where it comes from",
				 source->path);
	if (keys->n == SECRET_KEYS_MAX)
		return error_set(error, E2BIG, "%s has %d keys already: remove those not in use",
				 source->path, SECRET_KEYS_MAX);
	memcpy(&more.keys[1], keys->keys, keys->n * sizeof(keys->keys[0]));
	r = key_make(&more.keys[0], error);
	if (r == 0)
		r = keys_write(source, &more, error);
	if (r == 0) {
		memcpy(keys, &more, sizeof(more));
		log_notice("made a new key for secrets: %s in %s", keys->keys[0].id, source->path);
	}
	explicit_bzero(&more, sizeof(more));
	return r;
}

int key_file_keep(const struct key_source *source, const char *id, struct error *error)
{
	struct secret_keys keys, one = {.n = 1};
	const struct secret_key *key;
	int r;

	if (source->fixed)
		return 0;
	r = key_file_load(source, &keys, error);
	if (r < 0)
		return r;
	key = secret_keys_find(&keys, id);
	if (!key) {
		r = error_set(error, ENOENT, "%s has no key of that name", source->path);
	} else if (keys.n > 1) {
		one.keys[0] = *key;
		r = keys_write(source, &one, error);
		if (r == 0)
			log_notice("secrets are encrypted with the key %s, the others were removed "
				   "from %s",
				   one.keys[0].id, source->path);
	}
	explicit_bzero(&keys, sizeof(keys));
	explicit_bzero(&one, sizeof(one));
	return r;
}

struct message *key_message(const struct paths *paths, bool make_new)
{
	struct error error = ERROR_INIT;
	char text[SECRET_KEYS_TEXT_MAX];
	struct key_source source;
	struct secret_keys keys;
	cleanup_close int fd = -1;
	int r;

	key_source_find(paths, &source);
	r = key_file_load(&source, &keys, &error);
	if (r == 0) {
		if (make_new) /* on failure the old keys are still valid */
			(void)key_file_add(&source, &keys, &error);
		fd = memfd_sealed("secret-keys", text, secret_keys_format(&keys, text));
		if (fd < 0)
			(void)error_errno(&error, -fd, "keys of secrets");
	}
	explicit_bzero(&keys, sizeof(keys));
	explicit_bzero(text, sizeof(text));
	if (error.number)
		log_error("%s", error.text);
	return MESSAGE_NEW(secret_keys, 0, .fixed = source.fixed, .source = source.path,
			   .error = error.text, .keys = fd);
}
