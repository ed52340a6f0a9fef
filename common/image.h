/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_IMAGE_H
#define COMMON_IMAGE_H

/*
 * DOC: Images as our processes know them
 *
 * An image is a list of unpacked layers and what its configuration says about
 * environment, working directory and user. runbook-image writes one record for
 * each; the scheduler gets it in a message, runbook-sandbox reads the file. The
 * record is plain: NUL-terminated items, each starting with a letter that says
 * what it is, so that no program needs a JSON parser to run an image.
 *
 *   "runbook-image 1"            first, exactly
 *   i ID                         64 hex digits
 *   s SOURCE  t USEC  b BYTES    where from, when, unpacked size
 *   w DIRECTORY                  working directory, "" for none
 *   u UID:GID                    who commands run as
 *   p LINES  g LINES             users and groups it knows, see step_user_compact(); may lack
 *   e NAME=VALUE                 any number
 *   l LAYER                      64 hex digits, at least one, the lowest first
 *   d DIGEST                     64 hex digits, what was downloaded for it
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
	const char *passwd, *group; /* NULL: nobody knows */
	const char *env[IMAGE_ENV_MAX];
	size_t n_env;
	const char *layers[IMAGE_LAYERS_MAX];
	size_t n_layers;
	const char *blobs[IMAGE_LAYERS_MAX + 2];
	size_t n_blobs;
};

/** image_id_valid() - 64 lower-case hex digits: of an image or a layer */
bool image_id_valid(const char *id);
/**
 * image_name_valid() - what `image:` may say
 *
 * [A-Za-z0-9] first, then also ._/:@- ; at most IMAGE_NAME_MAX bytes, no empty
 * part, no "..". "host" is a name, too, but not one of an image.
 */
bool image_name_valid(const char *name);
/** image_name_file() - @name as a file name: '/' becomes '+'. @out: IMAGE_NAME_MAX + 1 bytes. */
void image_name_file(const char *name, char *out);
/** image_name_strip() - @name without a leading "docker://" */
const char *image_name_strip(const char *name);
/**
 * image_name_is_reference() - does @name say which registry it is in ("docker://…", or a first
 * part with a dot, a colon or "localhost")? Only such are pulled without being asked.
 */
bool image_name_is_reference(const char *name);
/** image_name_default() - @name with ":latest" where it has neither tag nor digest */
void image_name_default(const char *name, char *out, size_t size);

/**
 * image_record_parse() - check and split @data, which must outlive @ret_record
 *
 * Return: 0, or -EBADMSG.
 */
int image_record_parse(const char *data, size_t size, struct image_record *ret_record);
/**
 * image_record_format() - the bytes of @record
 * @ret_data: malloc'ed
 *
 * Return: 0, -ENOMEM, or -E2BIG over IMAGE_RECORD_MAX.
 */
int image_record_format(const struct image_record *record, char **ret_data, size_t *ret_size);

#endif
