/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_LIMITS_H
#define COMMON_LIMITS_H

/*
 * DOC: Limits
 *
 * All limits of runbookd, in bytes unless the name or a comment gives another unit.
 */

#define KIB (1024ULL)
#define MIB (1024ULL * KIB)
#define GIB (1024ULL * MIB)

/* names: project names are file names, step names are free text */
#define PROJECT_NAME_MAX 64 /* [a-z0-9][a-z0-9._-]*, also a directory name */
#define STEP_NAME_MAX 200   /* UTF-8 bytes, no control characters */
#define STEP_SLUG_MAX 80    /* [A-Za-z0-9._-], file name of a step's log */
#define REF_NAME_MAX 512
#define COMMIT_HEX_MAX 64    /* 40 for SHA-1, 64 for SHA-256 */
#define FETCH_TITLE_MAX 200  /* of a commit's first line; the rest is cut */
#define FETCH_AUTHOR_MAX 100 /* of its author's name */
#define DELIVERY_ID_MAX 128
#define ACTOR_NAME_MAX 256
#define TITLE_MAX 256	    /* of a commit or pull request, from the forge */
#define EVENT_NAME_MAX 64   /* "push", "pull_request", … */
#define BODY_DIGEST_SIZE 32 /* digest of a signed delivery */
#define URL_MAX 2048
#define REASON_MAX 512 /* a state's reason, one sentence */
#define CONTAINER_ID_MAX 200
#define INSTANCE_ID_MAX 128

/* runbook.yml */
#define RUNBOOK_BYTES_MAX (1 * MIB)
#define RUNBOOK_STEPS_MAX 10000
#define RUNBOOK_ENV_MAX 1000	 /* names per map */
#define RUNBOOK_DEPTH_MAX 32	 /* nesting of YAML nodes */
#define RUNBOOK_NODES_MAX 400000 /* nodes after aliases are expanded */
#define RUNBOOK_TIMEOUT_MAX_SEC (30 * 86400)
#define STEP_ARGUMENT_MAX (120 * KIB) /* execve(2): one argument or variable is at most 128 KiB */
#define STEP_TEXT_MAX (1 * MIB)	      /* command and environment; at most 2 MiB in execve(2) */
#define STEP_SHELL_MAX 256
#define ENV_NAME_MAX 256
#define IMAGE_NAME_MAX 255
#define STEP_TIMEOUT_DEFAULT_SEC 3600
#define STEP_GRACE_DEFAULT_SEC 10

/* memory reserved for the host: a sixteenth, within these bounds */
#define HOST_RESERVE_MIN (128 * MIB)
#define HOST_RESERVE_MAX (2 * GIB)
#define STEP_DISK_DEFAULT_MIN (1 * GIB) /* if half of the memory for steps is more */

/* logs: bytes of one step on disk, with its index */
#define LOG_BYTES_DEFAULT (1 * GIB)
#define LOG_LIMIT_MIN (1 * MIB)
#define LOG_LIMIT_MAX (1ULL << 50)

/* configuration: files whose contents are sent in messages */
#define CONFIG_SECRET_MAX 4096
#define CONFIG_SSH_KEY_MAX (16 * KIB)
#define CONFIG_KNOWN_HOSTS_MAX (32 * KIB)
#define CONFIG_AUTH_MAX (32 * KIB) /* credentials of registries */

/* of a step: command and environment in one sealed memfd */
#define STEP_PAYLOAD_MAX (4 * MIB)
/* secret values to mask in its log, in another memfd */
#define STEP_MASK_VALUES_MAX 1000
#define STEP_MASK_VALUE_MAX (64 * KIB)
#define STEP_MASK_BYTES_MAX (1 * MIB) /* all values together */

/* secrets */
#define SECRET_ENV_MAX 128	    /* bytes of a value of ENV */
#define SECRET_VALUE_MAX (64 * KIB) /* bytes of one */
#define SECRETS_PER_PROJECT 1000
#define SECRETS_BYTES_PER_ENV (1 * MIB) /* of all secrets of one step */
#define SECRET_BODY_MAX (128 * KIB)	/* a request that sets one: sealed and in base64 */

/* images */
#define IMAGE_LAYERS_MAX 127	    /* the limit of other runtimes, too */
#define IMAGE_ENV_MAX 512	    /* variables of one image */
#define IMAGE_RECORD_MAX (56 * KIB) /* environment and layers of one image */
#define IMAGE_LAYER_BYTES_MAX (32 * GIB)
#define IMAGE_LAYER_ENTRIES_MAX 2000000
#define IMAGE_BLOB_MAX (16 * GIB)   /* a packed layer */
#define IMAGE_JSON_MAX (4 * MIB)    /* index, manifest, configuration */
#define IMAGE_REPORT_MAX (16 * MIB) /* the unpacker's report about a layer */
#define IMAGE_OPAQUE_MAX 100000	    /* directories of a layer that hide lower layers */
#define IMAGE_PULL_TIMEOUT_SEC 3600
#define IMAGE_UNPACK_TIMEOUT_SEC 1800
#define IMAGE_JOBS_MAX 64     /* waiting and running pulls and imports */
#define IMAGE_PULLS_AT_ONCE 2 /* running pulls */
#define IMAGES_MAX 4096
#define IMAGE_RULES_MAX 16	     /* of one enum image_rule */
#define IMAGE_SCOPE_MAX 1024	     /* names of projects that may use an image */
#define IMAGE_WAITERS_MAX 256	     /* projects waiting for one pull */
#define IMAGE_ACCOUNTS_MAX (8 * KIB) /* users in a record, and groups */

/* webhook listener */
#define WEBHOOK_BODY_MAX (25 * MIB)
#define WEBHOOK_HEADERS_MAX (32 * KIB)
#define WEBHOOK_CONNECTIONS_MAX 512	     /* of one listener; beyond that some are evicted */
#define WEBHOOK_CONNECTIONS_SPARE 128	     /* extra, for senders with few */
#define WEBHOOK_CONNECTIONS_FEW 4	     /* fewer than so many per address or /64 are few */
#define WEBHOOK_CONNECTIONS_PER_ADDRESS 64   /* or per /64 */
#define WEBHOOK_HEADER_DEADLINE_SEC 5	     /* from the connection to the end of the header */
#define WEBHOOK_REQUEST_DEADLINE_SEC 30	     /* then for the body and the response */
#define WEBHOOK_IDLE_SEC 30		     /* from a response to the next request line */
#define WEBHOOK_FRESH_SEC 1		     /* a header may take so long to arrive */
#define WEBHOOK_BODY_RATE_MIN (1 * KIB)	     /* bytes a second: a slower body is halted */
#define WEBHOOK_HALTED_SEC 2		     /* after so long */
#define WEBHOOK_BODY_FREE (64 * KIB)	     /* of each body, not counted in the total */
#define WEBHOOK_BODIES_TOTAL_MAX (256 * MIB) /* all bodies in memory, without the free part */
#define WEBHOOK_ACCEPT_DEADLINE_SEC 10	     /* waiting for the scheduler's commit */

/* messages between our own processes */
#define MESSAGE_BYTES_MAX (64 * KIB)
#define MESSAGE_FDS_MAX 4
#define CHANNEL_QUEUE_MAX 65536 /* messages waiting for a slow peer */

#define CHANNEL_LOST_SEC 2 /* after so long without a channel, its end requests another one */

/* fetcher */
#define FETCH_TIMEOUT_SEC 600
#define FETCH_RETRY_DEFAULT_SEC 300 /* time during which a failed fetch is retried */
#define FETCH_RETRY_MAX_SEC (7 * 86400)
#define FETCH_PARALLEL_MAX 4
#define FETCH_MEMORY_MAX (2 * GIB)
#define FETCH_PACK_MAX (8 * GIB)
#define FETCH_BLOB_MAX (1 * GIB)
#define KEPT_COMMITS_MAX 1000000 /* of one project, in a MIRROR_PRUNE */
#define KEPT_COMMITS_BYTES_MAX (KEPT_COMMITS_MAX * 65ULL)
#define BRANCHES_MAX 200000 /* of one project, in a MIRROR_PRUNED */
#define BRANCHES_BYTES_MAX (64ULL << 20)
#define FETCH_TREE_ENTRIES_MAX 2000000
#define FETCH_TREE_BYTES_MAX (32 * GIB)
/* changed paths of a push; with more the paths are unknown, and filters match */
#define CHANGED_PATHS_MAX 100000
#define CHANGED_PATHS_BYTES_MAX (8 * MIB)

/* network namespaces that the daemon makes ahead, for each kind that steps have used */
#define NETWORK_POOL_DEFAULT 16
#define NETWORK_POOL_MAX 256

/* cacher: defaults, per run */
#define ARTIFACT_KEY_MAX 255
#define ARTIFACT_BYTES_PER_RUN (10 * GIB)
#define ARTIFACT_COUNT_PER_RUN 10000
#define CACHER_CONNECTIONS_PER_STEP 32

/* api */
#define API_CONNECTIONS_MAX 256
#define API_BODY_MAX (64 * KIB)
#define API_UPLOAD_MAX (4 * GIB)
#define API_PAGE_MAX 200

/* labels of the host and of steps */
#define LABEL_MAX 64
#define HOST_LABELS_MAX 2048 /* all labels, separated by blanks */

/* scheduler defaults */
#define RUNNING_STEPS_DEFAULT 0		       /* 0: one per processor */
#define PROJECT_RUNNING_DEFAULT 0	       /* 0: the global limit */
#define TRIGGER_WINDOW_SEC 60		       /* an equal delivery within it is a duplicate */
#define DELIVERIES_DEFAULT_SEC (90 * 86400ULL) /* time after which a delivery is forgotten */
#define DELIVERIES_MAX_SEC (100 * 365 * 86400ULL)

/*
 * Host ids, all above the range of systemd's containers (0x00080000-0x6fffffff): a range for
 * each step, an id for each step's init, and ids of our own processes if the system has no
 * users for them. They must not overlap.
 */
#define ID_STEP_FIRST 0x70000000U
#define ID_STEP_RANGE 0x10000U
#define ID_STEP_SLOTS 4094U
/* owners of files of unpacked images; id-mapped mounts show them to steps as 0-65535 */
#define ID_IMAGE_FIRST 0x7ffe0000U
#define ID_INIT_FIRST 0x7fff0000U /* one for each slot */
#define ID_PROCESS_FIRST 0x7fff8000U
/* host ids for those from ID_STEP_RANGE on inside; all steps share them (host_users.h) */
#define ID_LARGE_FIRST 0x80000000U
#define ID_LARGE_COUNT 0x7ffffffeU
_Static_assert(ID_STEP_FIRST + ID_STEP_SLOTS * ID_STEP_RANGE <= ID_IMAGE_FIRST, "ranges overlap");
_Static_assert(ID_IMAGE_FIRST + ID_STEP_RANGE <= ID_INIT_FIRST, "ranges overlap");
_Static_assert(ID_INIT_FIRST + ID_STEP_SLOTS <= ID_PROCESS_FIRST, "ids overlap");

#endif
