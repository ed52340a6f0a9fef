/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_MESSAGES_API_H
#define COMMON_MESSAGES_API_H

/*
 * Requests of people, from the api to the scheduler, and events back. See
 * common/message_fields.h for the tables, common/message_table.h for senders and receivers.
 */

#include "common/limits.h"
#include "common/message_fields.h"

/** enum api_verb - a request, with the fields that it uses; those in brackets are optional */
enum api_verb {
	API_STATUS = 0, /* version, uptime, counts */
	API_PROJECTS = 1,
	API_PROJECT = 2,	/* project */
	API_RUNS = 3,		/* [project], page: runs below page.after (0: the newest) */
	API_RUN = 4,		/* run: with steps and attempts */
	API_EVENTS = 5,		/* run (0: all), page: events behind page.after */
	API_QUEUE = 6,		/* page.limit: waiting steps with their reasons */
	API_RUNBOOK = 7,	/* run: the frozen runbook as text in {"runbook": …} */
	API_RUN_TRIGGER = 8,	/* project, source */
	API_RUN_UPLOAD = 9,	/* [project], source, content: tar of a working copy */
	API_RUN_CANCEL = 10,	/* run, cancel */
	API_RUN_RETRY = 11,	/* run, retry */
	API_PROJECT_PAUSE = 12, /* project */
	API_PROJECT_UNPAUSE = 13,
	API_BACKUP = 14,	    /* the reply's descriptor is the backup itself */
	API_SECRETS = 15,	    /* [project]: names, never values */
	API_SECRET_PUBLIC_KEY = 16, /* the public key to seal values for */
	API_SECRET_SET = 17,	    /* project, secret, content: the sealed value in a memfd */
	API_SECRET_REMOVE = 18,	    /* project, secret: without a name all secrets of that ENV */
	API_SECRET_REKEY = 19,
	API_GC = 20,	  /* gc */
	API_RUN_PIN = 21, /* run */
	API_RUN_UNPIN = 22,
	API_NUM_VERBS,
};

#define API_PAGE_FIELDS(X, M)                                                                      \
	X(M, NUMBER, after, UINT64_MAX)                                                            \
	X(M, NUMBER, limit, UINT64_MAX)

/* ref "": the default branch; commit "": the commit of the ref */
#define API_SOURCE_FIELDS(X, M)                                                                    \
	X(M, TEXT, ref, REF_NAME_MAX)                                                              \
	X(M, TEXT, commit, COMMIT_HEX_MAX)

#define API_CANCEL_FIELDS(X, M)                                                                    \
	/* slug or name; "": the whole run */                                                      \
	X(M, TEXT, step, STEP_NAME_MAX)

#define API_RETRY_FIELDS(X, M)                                                                     \
	/* a step, retried within the run; "": the whole run, as a new one */                      \
	X(M, TEXT, step, STEP_NAME_MAX)                                                            \
	/* retry all steps that did not succeed, within the run */                                 \
	X(M, FLAG, failed)

#define API_SECRET_FIELDS(X, M)                                                                    \
	/* value of the variable ENV */                                                            \
	X(M, TEXT, env, SECRET_ENV_MAX)                                                            \
	X(M, TEXT, name, ENV_NAME_MAX)

#define API_COLLECT_FIELDS(X, M)                                                                   \
	/* only report what would be removed */                                                    \
	X(M, FLAG, dry_run)

/* A request. Fields that enum api_verb does not list for the verb are ignored. */
#define API_REQUEST_FIELDS(X, M)                                                                   \
	/* enum api_verb; an unknown one gets status 501 */                                        \
	X(M, NUMBER, verb, UINT64_MAX)                                                             \
	X(M, TEXT, project, PROJECT_NAME_MAX)                                                      \
	X(M, NUMBER, run, UINT64_MAX)                                                              \
	X(M, RECORD, page, api_page)                                                               \
	X(M, RECORD, source, api_source)                                                           \
	X(M, RECORD, cancel, api_cancel)                                                           \
	X(M, RECORD, retry, api_retry)                                                             \
	X(M, RECORD, secret, api_secret)                                                           \
	X(M, RECORD, gc, api_collect)                                                              \
	X(M, FD_OR_NONE, content)

#define API_SENTENCE_MAX 4095

/* The reply, with the request's serial. */
#define API_ANSWER_FIELDS(X, M)                                                                    \
	/* HTTP status */                                                                          \
	X(M, NUMBER, status, UINT64_MAX)                                                           \
	/* a memfd of JSON, or as the verb describes; none with an error */                        \
	X(M, FD_OR_NONE, content)                                                                  \
	X(M, SENTENCE, error, API_SENTENCE_MAX)

/* A change of a run or step, for all that follow events. */
#define EVENT_FIELDS(X, M)                                                                         \
	/* increases over all runs */                                                              \
	X(M, NUMBER, id, UINT64_MAX)                                                               \
	X(M, NUMBER, run, UINT64_MAX)                                                              \
	X(M, TEXT, json, 32767)

#define MESSAGES_API_RECORDS(X)                                                                    \
	X(API_PAGE, api_page)                                                                      \
	X(API_SOURCE, api_source)                                                                  \
	X(API_CANCEL, api_cancel)                                                                  \
	X(API_RETRY, api_retry)                                                                    \
	X(API_SECRET, api_secret)                                                                  \
	X(API_COLLECT, api_collect)
#define MESSAGES_API(X)                                                                            \
	X(API_REQUEST, api_request)                                                                \
	X(API_ANSWER, api_answer)                                                                  \
	X(EVENT, event)

MESSAGES_API_RECORDS(MESSAGE_RECORD)
MESSAGES_API(MESSAGE_DECLARE)

#endif
