/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

/*
 * DOC: Configuration
 *
 * Only root reads the configuration files; children get their part by messages
 * (daemon/config_send.h). Files are read in this order: runbookd.conf, then
 * runbookd.conf.d/<name>.conf in the order of their names, then projects.d/<project>.conf.
 * A key is one line of a table in config_keys.c. A key that is given again in a later file
 * replaces the earlier value; twice in one file is an error, except for lists. A struct
 * config never changes once it is loaded: a reload makes a new one and swaps them, or
 * fails and keeps the old one.
 */

#include "common/error.h"
#include "common/limits.h"
#include "common/paths.h"
#include "common/retention.h"
#include "sandbox/sandbox.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_FILE_MAX (1 * MIB)
#define CONFIG_LINE_MAX 4096
#define CONFIG_PROJECTS_MAX 10000
#define CONFIG_LIST_MAX 16
#define CONFIG_TIMEOUT_MAX_SEC (30ULL * 86400)

#define CONFIG_INHERIT UINT64_MAX /* the project has no value of its own */
#define CONFIG_NO_LIMIT UINT64_MAX
#define CONFIG_MIN_FREE_DEFAULT UINT64_MAX /* depends on the file system, see space.c */

/** struct config_secret - bytes that are wiped when they are freed */
struct config_secret {
	char *data; /* NUL-terminated after @size */
	size_t size;
};

/** struct config_list - the values of a list key, malloc'ed */
struct config_list {
	char *items[CONFIG_LIST_MAX + 1]; /* NULL-terminated */
	size_t n_items;
};

/** struct config_rules - destinations that steps may reach */
struct config_rules {
	struct network_rule *rules; /* NETWORK_RULES_MAX, or NULL */
	size_t n_rules;
};

/** struct config_keep - limits of retention for one kind of thing; 0: not configured */
struct config_keep {
	uint64_t age_sec, count, bytes; /* CONFIG_NO_LIMIT: "none" was configured */
};

/** struct config_retention - [Retention] of runbookd.conf or of a project */
struct config_retention {
	struct config_keep kinds[RETENTION_NUM];
};

/** struct config_project - one file of projects.d; strings are malloc'ed, NULL: not given */
struct config_project {
	char name[PROJECT_NAME_MAX + 1];
	char *repository; /* NULL for a workspace */
	char *provider;
	char *secret_text; /* Secret=, moved into @secret */
	char *secret_file;
	char *workspace;       /* directory that steps use in place; NULL: commits are fetched */
	uint64_t fork_secrets; /* 1: pull requests from forks get secrets */
	char *user;
	char *password_file;
	char *ssh_key_file;
	char *known_hosts_file;
	char *auth_file; /* credentials of registries, for runs of this project only */
	struct config_rules allow;
	uint64_t max_running;
	uint64_t weight;
	uint64_t fetch_retry_sec;	    /* CONFIG_INHERIT: that of struct config */
	struct sandbox_limits run_limits;   /* 0: those of struct config */
	uint64_t step_log, logs, artifacts; /* bytes; 0: that of struct config */
	struct config_retention retention;
	/* contents of the files above */
	struct config_secret secret;
	struct config_secret password;
	struct config_secret ssh_key;
	struct config_secret known_hosts;
	struct config_secret auth;
};

/** struct config - everything that the files say, with defaults filled in */
struct config {
	uint64_t max_running;  /* 0: one per processor */
	uint64_t limits;       /* enum sandbox_limits_policy */
	uint64_t steps_memory; /* bytes for all steps together, 0: most of the host's memory */
	/* sum that the resources of running steps may reach; 0: processors, and steps_memory */
	uint64_t host_cpu_milli, host_memory;
	struct config_list host_labels;
	uint64_t min_free;  /* bytes on disk below which no step starts */
	uint64_t keep_free; /* bytes on disk below which retention removes the oldest; 0: default */
	struct config_retention retention;
	struct sandbox_limits run_limits;
	struct sandbox_limits step_limits; /* of steps whose runbook gives none */
	uint64_t step_disk;
	uint64_t step_log; /* bytes of a step's log on disk */
	char *public_url;
	uint64_t default_timeout_sec;
	struct config_list webhook_listen;
	struct config_list api_listen;
	struct config_list dns;
	uint64_t network_pool;		       /* network namespaces kept ready */
	uint64_t fetch_retry_sec;	       /* how long a failed fetch is tried again */
	uint64_t deliveries_sec;	       /* how long a delivery's id is remembered */
	uint64_t artifacts, project_artifacts; /* bytes, 0: no limit */
	uint64_t logs, project_logs;	       /* the same */
	uint64_t cacher_bytes;
	uint64_t cacher_count;
	char *images_directory; /* NULL: images/ beneath the state directory */
	char *images_auth_file;
	struct config_secret images_auth;
	struct config_list images_insecure;
	struct config_list images_private; /* registries that may have private addresses */
	struct config_list images_fork;	   /* patterns of images that runs of forks may pull */
	uint64_t images_pull;		   /* 1: a missing image is pulled */
	struct config_project *projects;   /* sorted by name */
	size_t n_projects;
};

/**
 * config_load() - read and check every file
 *
 * Files must belong to root or to our own user and must not be writable by all
 * users. Absent files and directories are fine: defaults are used.
 *
 * Return: 0, with @ret_config to be freed with config_free(); -errno with @error naming
 * file, line and fix.
 */
int config_load(const struct paths *paths, struct config **ret_config, struct error *error);
/** config_free() - wipes secrets. NULL is fine. Return: NULL. */
struct config *config_free(struct config *config);
/** config_project_find() - by name. Return: owned by @config; NULL if there is none. */
const struct config_project *config_project_find(const struct config *config, const char *name);

/* ---- pieces, public for tests and the fuzz target ---- */

/** config_new() - defaults only; NULL when out of memory */
struct config *config_new(void);
/**
 * config_parse_main() - one runbookd.conf in memory
 * @file: its name in errors
 *
 * Return: 0; -errno with @error, values before the bad line are set in @config then.
 */
int config_parse_main(struct config *config, const char *file, const char *text, size_t size,
		      struct error *error);
/**
 * config_parse_project() - one projects.d file in memory
 *
 * Only its text is checked; the files that it names are read by config_load().
 * On success the project is appended to @config (unsorted). Return: 0; -errno with @error.
 */
int config_parse_project(struct config *config, const char *name, const char *file,
			 const char *text, size_t size, struct error *error);
/** config_complete() - fill in defaults of lists, sort projects. Return: 0; -ENOMEM with @error. */
int config_complete(struct config *config, struct error *error);

#endif
