/* SPDX-License-Identifier: Apache-2.0 */
#include "api/upload.h"

#include "api/answer.h"
#include "api/ask.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

#define MEMORY_UPLOAD_MAX (256 * MIB) /* without a directory for uploads */

static atomic_uint uploads_now;

/* Make a file without a name on disk, or in memory. Return: fd or -errno. */
static int upload_open(const struct api *api)
{
	int fd = -1;

	if (api->upload_fd >= 0)
		fd = openat(api->upload_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		fd = memfd_create("upload", MFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

uint64_t upload_max(const struct http_request *request)
{
	if (request->api->upload_fd < 0)
		return MEMORY_UPLOAD_MAX;
	return request->route->body == BODY_ARTIFACT ? INT64_MAX : API_UPLOAD_MAX;
}

/* Leave a hundredth of the file system free, because even deleting may need room. */
static bool room_left(int fd, uint64_t more)
{
	struct statvfs status;

	return fstatvfs(fd, &status) < 0 ||
	       (status.f_bavail >= status.f_blocks / 100 &&
		more <= (uint64_t)(status.f_bavail - status.f_blocks / 100) * status.f_frsize);
}

bool upload_begin(struct http_request *request, uint64_t size)
{
	if (atomic_fetch_add(&uploads_now, 1) >= UPLOADS_AT_ONCE) {
		atomic_fetch_sub(&uploads_now, 1);
		http_answer_error(request, 503,
				  "%u working copies are being uploaded already: try again",
				  UPLOADS_AT_ONCE);
		return false;
	}
	request->uploading = true;
	request->upload_fd = upload_open(request->api);
	if (request->upload_fd < 0) {
		http_answer_error(request, 503, "no room for an upload: %s",
				  strerror(-request->upload_fd));
		return false;
	}
	if (request->api->upload_fd >= 0 && !room_left(request->upload_fd, size)) {
		http_answer_error(request, 507, "the host has no room for %llu bytes",
				  (unsigned long long)size);
		return false;
	}
	return true;
}

bool upload_take(struct http_request *request, const char *data, size_t size)
{
	uint64_t limit = upload_max(request);
	uint64_t before = request->upload_size;
	int r;

	if (before + size > limit)
		return false;
	if ((before + size) / MIB != before / MIB && !room_left(request->upload_fd, 0)) {
		log_warning("an upload was refused: no room in the state directory");
		return false;
	}
	r = fd_write_all(request->upload_fd, data, size);
	if (r < 0) {
		log_warning("an upload cannot be kept: %s", strerror(-r));
		return false;
	}
	request->upload_size += size;
	return true;
}

void upload_end(struct http_request *request)
{
	if (request->uploading)
		atomic_fetch_sub(&uploads_now, 1);
	request->uploading = false;
	if (request->upload_fd >= 0)
		(void)close(request->upload_fd);
	request->upload_fd = -1;
}

void upload_run(struct http_request *request)
{
	const char *project = http_argument(request, "project");
	const char *ref = http_argument(request, "ref");
	const char *commit = http_argument(request, "commit");
	struct message_api_request question = {
		.verb = request->route->verb,
		.project = project,
		.source = {.ref = ref, .commit = commit},
		.content = request->upload_fd,
	};

	if (project && *project && !project_name_valid(project)) {
		http_answer_error(request, 400, "project= is not a name of a project");
		return;
	}
	if (ref && (strlen(ref) > REF_NAME_MAX || !text_line_valid(ref))) {
		http_answer_error(request, 400, "ref= is not a name of a branch or tag");
		return;
	}
	if (commit && *commit && !commit_valid(commit)) {
		http_answer_error(request, 400, "commit= takes 40 or 64 hex digits");
		return;
	}
	if (request->upload_size == 0 || lseek(request->upload_fd, 0, SEEK_SET) < 0) {
		http_answer_error(request, 400, "send a tar archive of a working copy as the body");
		return;
	}
	http_answer_scheduler(request, &question);
}
