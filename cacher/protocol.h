/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_PROTOCOL_H
#define CACHER_PROTOCOL_H

/*
 * DOC: What the client and the service say to each other
 *
 * An AF_UNIX stream socket, one request for each connection. Who the client is
 * (project, run, step) follows from the listening socket: every step has one
 * of its own, so nothing that the client says has to be believed.
 *
 *   service: struct cacher_answer with CACHER_HELLO as soon as it has accepted
 *   client:  struct cacher_request, key bytes
 *            put of a file: the file, opened for reading, by SCM_RIGHTS
 *            put of a directory: a pax archive as chunks, each a u32 length and
 *            as many bytes; length 0 completes it, CACHER_CHUNK_ABORT drops it
 *   service: struct cacher_answer, text bytes
 *            get: the artifact, opened for reading, by SCM_RIGHTS; what is stored packed
 *            is a pipe out of which it comes: less than the size says means that the
 *            service went away, and the client asks once more
 *            ls: a memfd with one line for each key
 *
 * An archive travels through the socket and not through a pipe of the step's
 * making, because a reader of a pipe whose flags and other readers belong to
 * somebody else can be made to wait for ever. The closing chunk tells the end
 * of an archive from the end of a client that was killed.
 *
 * Integers have the byte order of the machine: both ends are on it.
 */

#include <stdint.h>

#define CACHER_MAGIC 0x31414252u /* "RBA1" */
#define CACHER_VERSION 1
#define CACHER_SOCKET_DEFAULT "/run/runbookd/cacher.sock"
#define CACHER_CHUNK_MAX (1024u * 1024u)
#define CACHER_CHUNK_ABORT 0xffffffffu
#define CACHER_TEXT_MAX 1024u

enum cacher_verb {
	CACHER_PUT = 1,
	CACHER_GET = 2,
	CACHER_DELETE = 3,
	CACHER_LS = 4,
	CACHER_NUM_VERBS,
};

enum cacher_kind {
	CACHER_KIND_NONE = 0,
	CACHER_KIND_FILE = 1,
	CACHER_KIND_DIRECTORY = 2, /* stored as a pax archive */
	CACHER_NUM_KINDS,
};

enum cacher_status {
	CACHER_OK = 0,
	CACHER_INVALID = 1, /* the request makes no sense: the client exits 2 */
	CACHER_NO_KEY = 2,
	CACHER_OVER_LIMIT = 3,
	CACHER_FAILED = 4, /* the service could not, and trying again will not help */
	CACHER_HELLO = 5,
	CACHER_NUM_STATUS,
};

struct cacher_request {
	uint32_t magic;
	uint8_t version;
	uint8_t verb;
	uint8_t kind; /* put only, otherwise none */
	uint8_t reserved;
	uint32_t key_length; /* 0 for ls only */
	uint32_t mode;	     /* permission bits of a directory that is put */
};

struct cacher_answer {
	uint32_t magic;
	uint16_t status;
	uint8_t kind;
	uint8_t version;
	uint32_t text_length;
	uint32_t mode;
	uint64_t size;
	int64_t mtime_sec;
	uint32_t mtime_nsec;
	uint32_t reserved;
};

_Static_assert(sizeof(struct cacher_request) == 16, "wire format");
_Static_assert(sizeof(struct cacher_answer) == 40, "wire format");

#endif
