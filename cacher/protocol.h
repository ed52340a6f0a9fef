/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHER_PROTOCOL_H
#define CACHER_PROTOCOL_H

/*
 * DOC: The protocol between client and service
 *
 * An AF_UNIX stream socket with one request for each connection. The listening socket tells the
 * service which project, run and step the client belongs to, because every step has a socket of
 * its own; so the client need not be trusted for it.
 *
 *   service: struct cacher_answer with CACHER_HELLO, as soon as it has accepted
 *   client:  struct cacher_request, key bytes
 *            put of a file: the file, opened for reading, by SCM_RIGHTS
 *            put of a directory: a pax archive as chunks, each a u32 length and
 *            as many bytes; length 0 completes it, CACHER_CHUNK_ABORT drops it
 *   service: struct cacher_answer, text bytes
 *            get: the artifact, opened for reading, by SCM_RIGHTS. A packed one comes
 *            through a pipe; when the pipe ends before the announced size, the service
 *            has died, and the client sends its request again
 *            ls: a memfd with one line for each key
 *
 * An archive is sent through the socket, not through a pipe that the step made: the step controls
 * the flags and the other readers of such a pipe, and could make the service wait without end. The
 * closing chunk tells a complete archive from one of a client that was killed.
 *
 * Integers have the byte order of the machine, since both ends run on the same one.
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
	CACHER_INVALID = 1, /* the request is invalid: the client exits with 2 */
	CACHER_NO_KEY = 2,
	CACHER_OVER_LIMIT = 3,
	CACHER_FAILED = 4, /* the service failed, and would fail again */
	CACHER_HELLO = 5,
	CACHER_NUM_STATUS,
};

struct cacher_request {
	uint32_t magic;
	uint8_t version;
	uint8_t verb;
	uint8_t kind; /* enum cacher_kind; CACHER_KIND_NONE unless it is a put */
	uint8_t reserved;
	uint32_t key_length; /* 0 for ls only */
	uint32_t mode;	     /* put of a directory: its permission bits */
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
