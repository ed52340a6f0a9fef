/* SPDX-License-Identifier: Apache-2.0 */
#include "images/oci.h"

#include "common/beneath.h"
#include "common/cleanup.h"
#include "common/digest.h"
#include "common/fdio.h"
#include "common/names.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char *const layer_types[] = {
	"application/vnd.oci.image.layer.v1.tar",
	"application/vnd.oci.image.layer.v1.tar+gzip",
	"application/vnd.oci.image.layer.v1.tar+zstd",
	"application/vnd.docker.image.rootfs.diff.tar",
	"application/vnd.docker.image.rootfs.diff.tar.gzip",
};

static const char *const manifest_types[] = {
	"application/vnd.oci.image.manifest.v1+json",
	"application/vnd.docker.distribution.manifest.v2+json",
};

static void json_free_fn(json_t **json)
{
	json_decref(*json);
}
#define cleanup_json __attribute__((cleanup(json_free_fn)))

static json_t *load(const char *text, size_t size, const char *what, struct error *error)
{
	json_error_t where;
	json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);

	if (!json_is_object(json)) {
		(void)error_set(error, EBADMSG, "the image's %s is not a JSON object: %s", what,
				json ? "something else" : where.text);
		json_decref(json);
		return NULL;
	}
	return json;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* The digest ("sha256:…") of a descriptor. Return: 0, or -errno with @error set. */
static int descriptor_digest(const json_t *descriptor, char *out, const char *what,
			     struct error *error)
{
	const char *digest = text_of(descriptor, "digest");

	if (strncmp(digest, "sha256:", 7) != 0 || !image_id_valid(digest + 7))
		return error_set(error, EBADMSG, "the image's %s has no sha256 digest", what);
	memcpy(out, digest + 7, IMAGE_ID_SIZE);
	return 0;
}

static bool one_of(const char *text, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(text, list[i]) == 0)
			return true;
	}
	return false;
}

int oci_parse_index(const char *text, size_t size, char *out, struct error *error)
{
	cleanup_json json_t *index = load(text, size, "index", error);
	const json_t *manifests = json_object_get(index, "manifests");
	const json_t *first = json_array_get(manifests, 0);
	const char *type = text_of(first, "mediaType");

	if (!index)
		return -EBADMSG;
	if (json_array_size(manifests) != 1)
		return error_set(error, EBADMSG, "the image's index names %zu manifests, not one",
				 json_array_size(manifests));
	if (!one_of(type, manifest_types, ARRAY_SIZE(manifest_types)))
		return error_set(error, EBADMSG, "a manifest of the kind \"%.100s\" is not known",
				 text_printable(type) ? type : "");
	return descriptor_digest(first, out, "manifest", error);
}

int oci_parse_manifest(const char *text, size_t size, struct oci_image *image, char *config,
		       struct error *error)
{
	cleanup_json json_t *manifest = load(text, size, "manifest", error);
	const json_t *layers = json_object_get(manifest, "layers");
	size_t n = json_array_size(layers);

	if (!manifest)
		return -EBADMSG;
	if (n == 0 || n > IMAGE_LAYERS_MAX)
		return error_set(error, EBADMSG, "the image has %zu layers: 1 to %d are allowed", n,
				 IMAGE_LAYERS_MAX);
	image->layers = calloc(n, sizeof(*image->layers));
	if (!image->layers)
		return error_set(error, ENOMEM, "out of memory");
	for (; image->n_layers < n; image->n_layers++) {
		const json_t *layer = json_array_get(layers, image->n_layers);
		const char *type = text_of(layer, "mediaType");

		if (!one_of(type, layer_types, ARRAY_SIZE(layer_types)))
			return error_set(error, EBADMSG,
					 "a layer of the kind \"%.100s\" cannot be unpacked",
					 text_printable(type) ? type : "");
		if (descriptor_digest(layer, image->layers[image->n_layers].digest, "layer",
				      error) < 0)
			return -error->number;
	}
	return descriptor_digest(json_object_get(manifest, "config"), config, "configuration",
				 error);
}

static int copy_env(const json_t *env, struct oci_image *image, struct error *error)
{
	size_t n = json_array_size(env);

	if (n > IMAGE_ENV_MAX)
		return error_set(error, EBADMSG, "the image has more than %d variables",
				 IMAGE_ENV_MAX);
	image->env = calloc(n + 1, sizeof(*image->env));
	if (!image->env)
		return error_set(error, ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		const char *entry = json_string_value(json_array_get(env, i));
		const char *equals = entry ? strchr(entry, '=') : NULL;
		char name[300];

		if (!equals || (size_t)(equals - entry) >= sizeof(name))
			return error_set(error, EBADMSG, "a variable of the image has no name");
		(void)snprintf(name, sizeof(name), "%.*s", (int)(equals - entry), entry);
		if (!env_name_valid(name))
			continue; /* a shell could not use such a name */
		image->env[image->n_env] = strdup(entry);
		if (!image->env[image->n_env])
			return error_set(error, ENOMEM, "out of memory");
		image->n_env++;
	}
	return 0;
}

static int copy_command(const json_t *config, struct oci_image *image, struct error *error)
{
	const char *workdir = text_of(config, "WorkingDir");
	const char *user = text_of(config, "User");

	/* "/" is the default of tools that build images, so it means that none was chosen */
	if (strcmp(workdir, "/") == 0)
		workdir = "";
	if (*workdir && (*workdir != '/' || !text_printable(workdir) || strlen(workdir) > 1024 ||
			 strstr(workdir, "/../") || strstr(workdir, "/./")))
		return error_set(error, EBADMSG,
				 "the image's working directory is not a plain path");
	if (strlen(user) > 200 || !text_printable(user))
		return error_set(error, EBADMSG, "the image's user is not a name");
	image->workdir = strdup(workdir);
	image->user = strdup(user);
	if (!image->workdir || !image->user)
		return error_set(error, ENOMEM, "out of memory");
	for (size_t n = strlen(image->workdir); n > 1 && image->workdir[n - 1] == '/'; n--)
		image->workdir[n - 1] = '\0';
	return copy_env(json_object_get(config, "Env"), image, error);
}

int oci_parse_config(const char *text, size_t size, struct oci_image *image, struct error *error)
{
	cleanup_json json_t *config = load(text, size, "configuration", error);
	const json_t *rootfs = json_object_get(config, "rootfs");
	const json_t *ids = json_object_get(rootfs, "diff_ids");
	const char *os = text_of(config, "os"), *machine = text_of(config, "architecture");

	if (!config)
		return -EBADMSG;
	if ((*os && strcmp(os, "linux") != 0) || (*machine && strcmp(machine, "amd64") != 0))
		return error_set(error, EBADMSG, "the image is for %.20s/%.20s, not linux/amd64",
				 text_printable(os) ? os : "?",
				 text_printable(machine) ? machine : "?");
	if (json_array_size(ids) != image->n_layers)
		return error_set(error, EBADMSG,
				 "the image's configuration names %zu layers, its manifest %zu",
				 json_array_size(ids), image->n_layers);
	for (size_t i = 0; image->layers && i < image->n_layers; i++) {
		const char *id = json_string_value(json_array_get(ids, i));

		if (!id || strncmp(id, "sha256:", 7) != 0 || !image_id_valid(id + 7))
			return error_set(error, EBADMSG, "a layer of the image has no sha256 id");
		memcpy(image->layers[i].id, id + 7, IMAGE_ID_SIZE);
	}
	return copy_command(json_object_get(config, "config"), image, error);
}

/* Read a blob of JSON and check its size and digest. */
static int read_blob(struct store *store, const char *digest, const char *what, char **ret_text,
		     size_t *ret_size, struct error *error)
{
	cleanup_close int fd = store_blob_open(store, digest);
	char hex[DIGEST_HEX_SIZE];
	int r = fd < 0 ? fd : fd_read_file(fd, IMAGE_JSON_MAX, ret_text, ret_size);

	if (r < 0)
		return error_errno(error, -r, "cannot read the image's %s", what);
	digest_hex_of(hex, *ret_text, *ret_size);
	if (strcmp(hex, digest) == 0)
		return 0;
	store_blob_remove(store, digest);
	return error_set(error, EBADMSG, "the image's %s is damaged: pull it again", what);
}

int oci_read(struct store *store, int directory_fd, struct oci_image *image, struct error *error)
{
	cleanup_close int fd = open_beneath(directory_fd, "index.json", O_RDONLY | O_NONBLOCK, 0);
	cleanup_free char *index = NULL, *manifest = NULL, *config = NULL;
	size_t size;
	int r = fd < 0 ? fd : fd_read_file(fd, IMAGE_JSON_MAX, &index, &size);

	*image = (struct oci_image){.n_layers = 0};
	if (r < 0)
		return error_errno(error, -r, "cannot read the image's index");
	if (oci_parse_index(index, size, image->manifest, error) < 0 ||
	    read_blob(store, image->manifest, "manifest", &manifest, &size, error) < 0 ||
	    oci_parse_manifest(manifest, size, image, image->id, error) < 0 ||
	    read_blob(store, image->id, "configuration", &config, &size, error) < 0 ||
	    oci_parse_config(config, size, image, error) < 0) {
		oci_clear(image);
		return -error->number;
	}
	return 0;
}

void oci_clear(struct oci_image *image)
{
	for (size_t i = 0; i < image->n_env; i++)
		free(image->env[i]);
	free(image->env);
	free(image->layers);
	free(image->workdir);
	free(image->user);
	*image = (struct oci_image){.n_layers = 0};
}
