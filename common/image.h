/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_IMAGE_H
#define COMMON_IMAGE_H

/*
 * DOC: Records of images
 *
 * An image is a list of unpacked layers with environment, working directory and user from its
 * configuration. runbook-image writes one record for each; the scheduler gets it in a message,
 * runbook-sandbox reads the file. A record consists of NUL-terminated items whose first letter
 * is their kind, so that no program needs a JSON parser to run an image.
 *
 *   "runbook-image 1"            first, exactly
 *   i ID                         64 hex digits
 *   s SOURCE  t USEC  b BYTES    source, time of the pull, unpacked size
 *   w DIRECTORY                  working directory, "" for none
 *   u UID:GID                    ids of commands
 *   p LINES  g LINES             its users and groups, see step_user_compact(); optional
 *   e NAME=VALUE                 any number
 *   l LAYER                      64 hex digits, at least one, the lowest first
 *   d DIGEST                     64 hex digits, of a packed layer that was downloaded
 */

#include "common/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_ID_SIZE 65

/** struct image_record - one parsed record; strings point into the parsed bytes */
struct image_record {
	const char *id;
	const char *source;
	const char *workdir;
	uint64_t created_usec;
	uint64_t bytes;
	uint32_t uid, gid;
	const char *passwd, *group; /* NULL: unknown */
	const char *env[IMAGE_ENV_MAX];
	size_t n_env;
	const char *layers[IMAGE_LAYERS_MAX];
	size_t n_layers;
	const char *blobs[IMAGE_LAYERS_MAX + 2];
	size_t n_blobs;
};

/** image_id_valid() - is @id 64 lower-case hex digits, the id of an image or a layer? */
bool image_id_valid(const char *id);
/**
 * image_name_valid() - may @name be a value of `image:`?
 *
 * [A-Za-z0-9] first, then also ._/:@- ; at most IMAGE_NAME_MAX bytes, no empty component, no
 * "..". "host" is valid, too, but not the name of a stored image.
 */
bool image_name_valid(const char *name);
/** image_name_file() - @name as a file name: '/' becomes '+'. @out: IMAGE_NAME_MAX + 1 bytes. */
void image_name_file(const char *name, char *out);
/** image_name_strip() - @name without a leading "docker://" */
const char *image_name_strip(const char *name);
/**
 * image_name_is_reference() - does @name contain its registry ("docker://…", or a first
 * component with a dot, a colon or "localhost")? Only such images are pulled automatically.
 */
bool image_name_is_reference(const char *name);
/** image_name_default() - @name with ":latest" if it has neither tag nor digest */
void image_name_default(const char *name, char *out, size_t size);

/**
 * image_record_parse() - check and split @data, which must outlive @ret_record
 *
 * Return: 0, or -EBADMSG.
 */
int image_record_parse(const char *data, size_t size, struct image_record *ret_record);
/**
 * image_record_format() - write @record as bytes
 * @ret_data: malloc'ed
 *
 * Return: 0, -ENOMEM, or -E2BIG over IMAGE_RECORD_MAX.
 */
int image_record_format(const struct image_record *record, char **ret_data, size_t *ret_size);

#endif
