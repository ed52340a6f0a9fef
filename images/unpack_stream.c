/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stream of a layer is read, hashed, decompressed, hashed again, and then passed to the tar
 * reader. These are two libarchive readers in a row, because the digest includes padding that the
 * tar reader leaves unread.
 */
#include "images/unpack.h"

#include "common/cleanup.h"
#include "common/digest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BLOCK (256 * KIB)

struct stream {
	struct unpack *unpack;
	int fd;
	struct archive *packed;
	uint64_t unpacked_bytes;
	uint64_t packed_bytes;
	struct digest packed_hash, unpacked_hash;
	bool ended;
	char block[BLOCK];
};

static la_ssize_t packed_read(struct archive *archive, void *userdata, const void **ret_block)
{
	struct stream *stream = userdata;
	ssize_t n;

	do
		n = read(stream->fd, stream->block, sizeof(stream->block));
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		archive_set_error(archive, errno, "cannot read the layer");
		return -1;
	}
	stream->packed_bytes += (uint64_t)n;
	digest_add(&stream->packed_hash, stream->block, (size_t)n);
	*ret_block = stream->block;
	return n;
}

/* The next block of the decompressed stream, for the tar reader. */
static la_ssize_t unpacked_read(struct archive *archive, void *userdata, const void **ret_block)
{
	struct stream *stream = userdata;
	const void *data = NULL;
	size_t size = 0;
	la_int64_t offset;
	int r;

	if (stream->ended)
		return 0;
	do
		r = archive_read_data_block(stream->packed, &data, &size, &offset);
	while (r == ARCHIVE_OK && size == 0);
	if (r == ARCHIVE_EOF) {
		stream->ended = true;
		return 0;
	}
	if (r != ARCHIVE_OK) {
		archive_set_error(archive, EINVAL, "%s", archive_error_string(stream->packed));
		return -1;
	}
	stream->unpacked_bytes += size;
	/* headers count, so that a stream of nothing but names is bounded as well */
	if (stream->unpacked_bytes > stream->unpack->limits.bytes * 2) {
		archive_set_error(archive, EFBIG, "it unpacks to more bytes than the limit");
		return -1;
	}
	digest_add(&stream->unpacked_hash, data, size);
	*ret_block = data;
	return (la_ssize_t)size;
}

static int open_packed(struct stream *stream)
{
	struct archive_entry *entry;

	stream->packed = archive_read_new();
	if (!stream->packed)
		return -ENOMEM;
	/* the compressions of layers and of root file systems; none that makes libarchive run a
	 * program */
	(void)archive_read_support_filter_gzip(stream->packed);
	(void)archive_read_support_filter_zstd(stream->packed);
	(void)archive_read_support_filter_xz(stream->packed);
	(void)archive_read_support_filter_bzip2(stream->packed);
	(void)archive_read_support_format_raw(stream->packed);
	(void)archive_read_support_format_empty(stream->packed);
	if (archive_read_open(stream->packed, stream, NULL, packed_read, NULL) != ARCHIVE_OK ||
	    archive_read_next_header(stream->packed, &entry) != ARCHIVE_OK)
		return unpack_refuse(stream->unpack, "the layer cannot be decompressed: %s",
				     archive_error_string(stream->packed));
	return 0;
}

static int open_tar(struct stream *stream)
{
	struct archive *archive = archive_read_new();

	if (!archive)
		return -ENOMEM;
	stream->unpack->archive = archive;
	(void)archive_read_support_format_tar(archive);
	(void)archive_read_support_format_empty(archive);
	if (archive_read_open(archive, stream, NULL, unpacked_read, NULL) != ARCHIVE_OK)
		return unpack_refuse(stream->unpack, "the layer is not a tar: %s",
				     archive_error_string(archive));
	return 0;
}

/* Read the rest after the end of the tar, and after the end of the compressed stream. */
static int drain(struct stream *stream)
{
	const void *block;
	la_ssize_t n;

	while ((n = unpacked_read(stream->unpack->archive, stream, &block)) > 0)
		;
	if (n < 0)
		return unpack_damaged(stream->unpack, "the layer is damaged: %s",
				      archive_error_string(stream->unpack->archive));
	while ((n = packed_read(stream->packed, stream, &block)) > 0)
		;
	return n < 0 ? unpack_refuse(stream->unpack, "the layer cannot be read") : 0;
}

#define DIGEST_SENTENCE "the layer %s: its digest is %.12s instead of %.12s"

/* @packed: @state is over the packed bytes; otherwise over the unpacked stream. */
static int check_digest(struct stream *stream, struct digest *state, const char *wanted,
			bool packed, char *hex)
{
	uint8_t digest[DIGEST_BYTES];

	digest_end(state, digest);
	digest_hex(hex, digest);
	if (!*wanted || strcmp(hex, wanted) == 0)
		return 0;
	if (packed)
		return unpack_damaged(stream->unpack, DIGEST_SENTENCE, "is damaged", hex, wanted);
	return unpack_refuse(stream->unpack, DIGEST_SENTENCE, "is not what the image says", hex,
			     wanted);
}

/* Read the rest of the stream, check both digests, and report id, bytes and entries. */
static int finish(struct stream *stream, const char *digest, const char *layer)
{
	char hex[DIGEST_HEX_SIZE];
	char number[32];
	int r = drain(stream);

	if (r == 0)
		r = check_digest(stream, &stream->packed_hash, digest, true, hex);
	if (r == 0)
		r = check_digest(stream, &stream->unpacked_hash, layer, false, hex);
	if (r == 0)
		r = unpack_report(stream->unpack, 'D', hex);
	(void)snprintf(number, sizeof(number), "%llu", (unsigned long long)stream->unpack->bytes);
	if (r == 0)
		r = unpack_report(stream->unpack, 'B', number);
	(void)snprintf(number, sizeof(number), "%llu", (unsigned long long)stream->unpack->entries);
	if (r == 0)
		r = unpack_report(stream->unpack, 'N', number);
	return r;
}

int unpack_stream(struct unpack *unpack, int fd, const char *digest, const char *layer)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	int r;

	if (!stream)
		return -ENOMEM;
	stream->unpack = unpack;
	stream->fd = fd;
	digest_begin(&stream->packed_hash);
	digest_begin(&stream->unpacked_hash);
	r = open_packed(stream);
	if (r == 0)
		r = open_tar(stream);
	if (r == 0)
		r = unpack_tree(unpack);
	if (r == 0)
		r = finish(stream, digest, layer);
	if (unpack->archive)
		(void)archive_read_free(unpack->archive);
	unpack->archive = NULL;
	if (stream->packed)
		(void)archive_read_free(stream->packed);
	free(stream);
	return r;
}
