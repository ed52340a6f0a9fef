/* SPDX-License-Identifier: Apache-2.0 */
#include "common/step_mask.h"

#include "common/cleanup.h"
#include "common/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define FILE_SIZE_MAX                                                                              \
	(sizeof(struct step_mask_header) + STEP_MASK_BYTES_MAX +                                   \
	 STEP_MASK_VALUES_MAX * sizeof(uint32_t))

static int values_measure(const struct step_mask_value *values, size_t n_values, size_t *ret_size)
{
	size_t bytes = 0;

	if (n_values > STEP_MASK_VALUES_MAX)
		return -E2BIG;
	for (size_t i = 0; i < n_values; i++) {
		if (values[i].size > STEP_MASK_VALUE_MAX)
			return -E2BIG;
		bytes += values[i].size;
	}
	if (bytes > STEP_MASK_BYTES_MAX)
		return -E2BIG;
	*ret_size = bytes + n_values * sizeof(uint32_t);
	return 0;
}

int step_mask_new(const struct step_mask_value *values, size_t n_values)
{
	struct step_mask_header header = {.magic = STEP_MASK_MAGIC};
	char *data, *out;
	size_t size;
	int r = values_measure(values, n_values, &size);

	if (r < 0)
		return r;
	data = malloc(sizeof(header) + size);
	if (!data)
		return -ENOMEM;
	header.n_values = (uint32_t)n_values;
	header.size = (uint32_t)size;
	memcpy(data, &header, sizeof(header));
	out = data + sizeof(header);
	for (size_t i = 0; i < n_values; i++) {
		uint32_t length = (uint32_t)values[i].size;

		memcpy(out, &length, sizeof(length));
		if (length > 0)
			memcpy(out + sizeof(length), values[i].data, length);
		out += sizeof(length) + length;
	}
	r = memfd_sealed("step-mask", data, sizeof(header) + size);
	explicit_bzero(data, sizeof(header) + size);
	free(data);
	return r;
}

int step_mask_parse(const void *data, size_t size, struct step_mask_value *values, size_t max)
{
	const char *bytes = data;
	struct step_mask_header header;
	size_t at = sizeof(header), total = 0;

	if (size < sizeof(header) || size > FILE_SIZE_MAX)
		return -EBADMSG;
	memcpy(&header, bytes, sizeof(header));
	if (header.magic != STEP_MASK_MAGIC || header.size != size - sizeof(header) ||
	    header.n_values > STEP_MASK_VALUES_MAX)
		return -EBADMSG;
	if (header.n_values > max)
		return -E2BIG;
	for (uint32_t i = 0; i < header.n_values; i++) {
		uint32_t length;

		if (size - at < sizeof(length))
			return -EBADMSG;
		memcpy(&length, bytes + at, sizeof(length));
		at += sizeof(length);
		if (length > size - at || length > STEP_MASK_VALUE_MAX)
			return -EBADMSG;
		values[i] = (struct step_mask_value){.data = bytes + at, .size = length};
		at += length;
		total += length;
	}
	if (at != size || total > STEP_MASK_BYTES_MAX)
		return -EBADMSG;
	return (int)header.n_values;
}

bool step_mask_acceptable(int fd)
{
	const int wanted = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	return seals >= 0 && (seals & wanted) == wanted && fstat(fd, &st) == 0 &&
	       st.st_size >= (off_t)sizeof(struct step_mask_header) &&
	       st.st_size <= (off_t)FILE_SIZE_MAX;
}

int step_mask_map(int fd, struct step_mask *ret_mask)
{
	cleanup_free struct step_mask_value *values = NULL;
	struct stat st;
	void *data;
	int n;

	if (!step_mask_acceptable(fd) || fstat(fd, &st) < 0)
		return -EBADMSG;
	values = calloc(STEP_MASK_VALUES_MAX, sizeof(*values));
	if (!values)
		return -ENOMEM;
	/* a private mapping that is never written has no copies to wipe; before Linux 6.7 a
	 * shared one of a file with F_SEAL_WRITE is denied */
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return -errno; /* cppcheck-suppress memleak ; they are freed with their scope */
	(void)madvise(data, (size_t)st.st_size, MADV_DONTDUMP);
	(void)mlock(data, (size_t)st.st_size);
	n = step_mask_parse(data, (size_t)st.st_size, values, STEP_MASK_VALUES_MAX);
	if (n < 0) {
		(void)munmap(data, (size_t)st.st_size);
		return n;
	}
	*ret_mask = (struct step_mask){
		.values = TAKE_PTR(values),
		.n_values = (size_t)n,
		.data = data,
		.size = (size_t)st.st_size,
	};
	return 0;
}

void step_mask_unmap(struct step_mask *mask)
{
	if (mask->data)
		(void)munmap((void *)(uintptr_t)mask->data, mask->size);
	free(mask->values);
	*mask = (struct step_mask){.values = NULL};
}
