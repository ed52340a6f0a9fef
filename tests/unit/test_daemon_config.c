/* SPDX-License-Identifier: Apache-2.0 */

#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/log.h"
#include "common/remove_tree.h"
#include "daemon/config.h"
#include "daemon/listen.h"

#include "tests/unit/cmocka_headers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- text ---- */

static struct config *parse(const char *text, struct error *error)
{
	struct config *config = config_new();

	assert_non_null(config);
	if (config_parse_main(config, "c", text, strlen(text), error) < 0)
		return config_free(config);
	assert_int_equal(config_complete(config, error), 0);
	return config;
}

static void defaults(void **state)
{
	struct error error = ERROR_INIT;
	struct config *config = parse("", &error);

	assert_non_null(config);
	assert_int_equal(config->limits, SANDBOX_LIMITS_REQUIRED);
	assert_int_equal(config->max_running, 0);
	assert_int_equal(config->default_timeout_sec, 3600);
	assert_string_equal(config->webhook_listen.items[0], "[::]:8471");
	assert_string_equal(config->api_listen.items[0], "none");
	assert_int_equal(config->cacher_bytes, 10 * GIB);
	assert_int_equal(config->deliveries_sec, 90 * 86400);
	assert_int_equal(config->fetch_retry_sec, 300);
	assert_int_equal(config->step_log, GIB);
	(void)config_free(config);
}

static void every_key(void **state)
{
	static const char text[] = "# comment\n"
				   "[Daemon]\n"
				   "MaxRunning=7\n"
				   "  Limits=best-effort\n"
				   "PublicUrl=https://ci.example.org/base/\n"
				   "DefaultTimeout = 1h30m\n"
				   "; another\n"
				   "\n"
				   "[Limits]\n"
				   "StepsMemory=16G\n"
				   "RunMemory=4G\n"
				   "RunPids=1000\n"
				   "RunCpus=2.5\n"
				   "StepMemory=1G\n"
				   "StepPids=200\n"
				   "StepCpus=0.5\n"
				   "StepDisk=512M\n"
				   "StepLog=8M\n"
				   "MinFree=2G\n"
				   "FetchRetry=2m\n"
				   "[Host]\n"
				   "Cpus=7.5\n"
				   "Memory=12G\n"
				   "Labels=gpu  big-disk\n"
				   "Labels=arch=arm64\n"
				   "[Webhook]\n"
				   "Listen=127.0.0.1:1\n"
				   "Listen=unix:/run/w.sock\n"
				   "[Api]\n"
				   "Listen=none\n"
				   "[Cacher]\n"
				   "MaxBytes=2G\n"
				   "MaxCount=12\n"
				   "[Retention]\n"
				   "Deliveries=7d\n"
				   "[Sandbox]\n"
				   "Dns=9.9.9.9 2620:fe::fe\n"
				   "Dns=1.1.1.1\n";
	struct error error = ERROR_INIT;
	struct config *config = parse(text, &error);

	assert_string_equal(error.text, "");
	assert_non_null(config);
	assert_int_equal(config->max_running, 7);
	assert_int_equal(config->limits, SANDBOX_LIMITS_BEST_EFFORT);
	assert_string_equal(config->public_url, "https://ci.example.org/base");
	assert_int_equal(config->default_timeout_sec, 5400);
	assert_int_equal(config->steps_memory, 16 * GIB);
	assert_int_equal(config->run_limits.memory, 4 * GIB);
	assert_int_equal(config->run_limits.pids, 1000);
	assert_int_equal(config->run_limits.cpu_milli, 2500);
	assert_int_equal(config->step_limits.memory, GIB);
	assert_int_equal(config->step_limits.pids, 200);
	assert_int_equal(config->step_limits.cpu_milli, 500);
	assert_int_equal(config->step_disk, 512 * MIB);
	assert_int_equal(config->step_log, 8 * MIB);
	assert_int_equal(config->min_free, 2 * GIB);
	assert_int_equal(config->fetch_retry_sec, 120);
	assert_int_equal(config->host_cpu_milli, 7500);
	assert_int_equal(config->host_memory, 12 * GIB);
	assert_int_equal(config->host_labels.n_items, 3);
	assert_string_equal(config->host_labels.items[1], "big-disk");
	assert_int_equal(config->webhook_listen.n_items, 2);
	assert_string_equal(config->api_listen.items[0], "none");
	assert_int_equal(config->cacher_bytes, 2 * GIB);
	assert_int_equal(config->cacher_count, 12);
	assert_int_equal(config->deliveries_sec, 7 * 86400);
	assert_int_equal(config->dns.n_items, 3);
	assert_string_equal(config->dns.items[1], "2620:fe::fe");
	(void)config_free(config);
}

static void errors_name_place_and_fix(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"[Webook]\n", "c:1: unknown section [Webook], did you mean [Webhook]?"},
		{"[Xyzzyxyzzy]\n", "c:1: unknown section [Xyzzyxyzzy], see runbookd.conf(5)"},
		{"[Daemon]\n\nMaxRuning=1\n",
		 "c:3: unknown key MaxRuning= in [Daemon], did you mean MaxRunning=?"},
		{"[Daemon]\nlimits=required\n",
		 "c:2: unknown key limits= in [Daemon], did you mean Limits=?"},
		{"Limits=required\n", "c:1: Limits= stands before any [Section]"},
		{"[Daemon]\nMaxRunning=1\nMaxRunning=2\n",
		 "c:3: MaxRunning= is given twice in this file"},
		{"[Daemon]\nMaxRunning\n", "c:2: expected Key=value or [Section]"},
		{"[Daemon\nMaxRunning=1\n", "c:1: a section is written [Name]"},
		{"[Daemon]\nMaxRunning=-1\n",
		 "c:2: MaxRunning=: \"-1\" is not a value from 0 to 1024 (a plain number)"},
		{"[Limits]\nRunCpus=0.001\n",
		 "c:2: RunCpus=: \"0.001\" is not a number of processors from 0.01 to 8192, like "
		 "1.5"},
		{"[Limits]\nRunMemory=1M\n",
		 "c:2: RunMemory=: \"1M\" is not a value from 4194304 to 1125899906842624 (bytes, "
		 "like 512M or 10G)"},
		{"[Daemon]\nMaxRunning=1k\n",
		 "c:2: MaxRunning=: \"1k\" is not a value from 0 to 1024 (a plain number)"},
		{"[Daemon]\nLimits=none\n",
		 "c:2: Limits=: \"none\" is neither required nor best-effort"},
		{"[Daemon]\nPublicUrl=ci.example.org\n",
		 "c:2: PublicUrl=: \"ci.example.org\" must start with http:// or https://"},
		{"[Daemon]\nPublicUrl=http://ci.example.org:/\n",
		 "c:2: PublicUrl=: \"http://ci.example.org:/\" lacks a host, or a port after its "
		 "colon"},
		{"[Daemon]\nPublicUrl=http:///ci\n",
		 "c:2: PublicUrl=: \"http:///ci\" lacks a host, or a port after its colon"},
		{"[Api]\nListen=example.org:80\n",
		 "c:2: Listen=: \"example.org:80\" is not an address to listen on: write "
		 "ADDRESS:PORT "
		 "with a numeric address (127.0.0.1:8471, [::]:8471), unix:/PATH or none"},
		{"[Sandbox]\nDns=dns.example\n", "c:2: Dns=: \"dns.example\" is not an IP address: "
						 "name servers are given by address, "
						 "like 9.9.9.9"},
		{"[Retention]\nAge=0\n",
		 "c:2: Age=: \"0\" is not a value from 1 to 3153600000 (seconds, like 90s or "
		 "1h30m)"},
		{"[Retention]\nCount=many\n",
		 "c:2: Count=: \"many\" is not a value from 1 to 1000000000 (a plain number)"},
		{"[Retention]\nLogsAge=1d\n",
		 "c:2: unknown key LogsAge= in [Retention], did you mean LogAge=?"},
		{"[Daemon]\n\xff\xfe=1\n", "c:2: the line is not valid UTF-8 text"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error error = ERROR_INIT;

		assert_null(parse(cases[i].text, &error));
		assert_string_equal(error.text, cases[i].error);
		assert_int_equal(error.number, EINVAL);
	}
}

static void retention(void **state)
{
	static const char text[] = "[Retention]\nAge=30s\nCount=none\nBytes=1G\nLogAge=\n"
				   "ArtifactBytes=2G\nKeepFree=none\n";
	static const char project[] = "[Project]\nRepository=https://x/y.git\nProvider=github\n"
				      "Secret=s\n[Retention]\nCount=5\nLogBytes=10M\n";
	struct error error = ERROR_INIT;
	struct config *config = parse(text, &error);
	const struct config_keep *kinds;

	assert_non_null(config);
	kinds = config->retention.kinds;
	assert_int_equal(kinds[RETENTION_RUNS].age_sec, 30);
	assert_true(kinds[RETENTION_RUNS].count == CONFIG_NO_LIMIT);
	assert_int_equal(kinds[RETENTION_RUNS].bytes, GIB);
	assert_int_equal(kinds[RETENTION_LOGS].age_sec, 0);
	assert_int_equal(kinds[RETENTION_ARTIFACTS].bytes, 2 * GIB);
	assert_true(config->keep_free == CONFIG_NO_LIMIT);
	assert_int_equal(
		config_parse_project(config, "p", "p.conf", project, strlen(project), &error), 0);
	kinds = config->projects[0].retention.kinds;
	assert_int_equal(kinds[RETENTION_RUNS].count, 5);
	assert_int_equal(kinds[RETENTION_RUNS].age_sec, 0);
	assert_int_equal(kinds[RETENTION_LOGS].bytes, 10 * MIB);
	(void)config_free(config);
}

static void long_lines(void **state)
{
	struct error error = ERROR_INIT;
	size_t size = 5000;
	char *text = malloc(size + 1);
	struct config *config;

	assert_non_null(text);
	memset(text, 'x', size);
	memcpy(text, "#", 1);
	text[size] = '\0';
	assert_null(parse(text, &error));
	assert_string_equal(error.text, "c:1: the line is longer than 4093 bytes");
	free(text);
	text = malloc(2200);
	assert_non_null(text);
	memset(text, 'u', 2199);
	memcpy(text, "[Daemon]\nPublicUrl=https://", 27);
	text[2000] = '\0';
	error = ERROR_INIT;
	config = parse(text, &error);
	assert_non_null(config);
	assert_int_equal(strlen(config->public_url), 2000 - 19);
	(void)config_free(config);
	free(text);
}

static void later_files_win(void **state)
{
	static const char first[] = "[Daemon]\nMaxRunning=1\n[Webhook]\nListen=1\nListen=2\n";
	static const char second[] = "[Daemon]\nMaxRunning=2\n[Webhook]\nListen=3\n";
	struct error error = ERROR_INIT;
	struct config *config = config_new();

	assert_int_equal(config_parse_main(config, "a", first, strlen(first), &error), 0);
	assert_int_equal(config->webhook_listen.n_items, 2);
	assert_int_equal(config_parse_main(config, "b", second, strlen(second), &error), 0);
	assert_int_equal(config->max_running, 2);
	assert_int_equal(config->webhook_listen.n_items, 1);
	assert_string_equal(config->webhook_listen.items[0], "3");
	(void)config_free(config);
}

static void projects(void **state)
{
	static const struct {
		const char *name, *text, *error;
	} cases[] = {
		{"b", "[Project]\nRepository=https://example.org/x.git\nWeight=3\n", NULL},
		{"a", "[Project]\nWorkspace=/srv/x\n", NULL},
		{"Bad", "[Project]\nWorkspace=/srv/x\n",
		 "f: \"Bad\" is not a project name: use up to 64 of a-z 0-9 . _ -, starting with a "
		 "letter or digit"},
		{"c", "[Project]\n",
		 "f: neither Repository= nor Workspace= is given: say where the project comes "
		 "from"},
		{"c", "[Project]\nWorkspace=/a\nRepository=file:///b\n",
		 "f: Repository= and Workspace= exclude each other: remove one"},
		{"c", "[Project]\nWorkspace=a\n",
		 "f:2: Workspace=: \"a\" is not absolute: write the path from /"},
		{"c", "[Project]\nRepository=--upload-pack=x\n",
		 "f:2: Repository=: \"--upload-pack=x\" is not a repository URL"},
		{"c", "[Project]\nRepository=http://host:/\n",
		 "f:2: Repository=: the repository URL has a colon after the host and no port "
		 "(write "
		 "the number, or leave the colon out); write file:///path, https://host/path, "
		 "ssh://user@host/path or user@host:path"},
		{"c", "[Project]\nRepository=ext::sh -c x\n",
		 "f:2: Repository=: \"ext::sh -c x\" is not a repository URL"},
		{"c", "[Project]\nRepository=https://me:word@host/a\n",
		 "f:2: Repository=: the repository URL contains a password, which would show up in "
		 "logs; take it out and put it into the project's credential file"},
		{"c", "[Project]\nWorkspace=/a\n[Network]\nAllow=10.0.0.0/8:443 db.example:5432\n",
		 "f:4: Allow=: \"db.example\" is not an IP address: names are not followed, "
		 "because "
		 "their addresses change"},
		{"c", "[Project]\nProvider=githab\n",
		 "f:2: Provider=: unknown provider \"githab\": choose github, gitlab, gitea, "
		 "forgejo, bitbucket or standard"},
		/* protocols that the fetcher does not have */
		{"c", "[Project]\nRepository=ftp://host/x.git\n",
		 "f:2: Repository=: \"ftp://host/x.git\" is not fetched: write https://, http://, "
		 "ssh://, file:// or HOST:PATH"},
		{"c", "[Project]\nRepository=/srv/x.git\n",
		 "f:2: Repository=: \"/srv/x.git\" is not fetched: write https://, http://, "
		 "ssh://, file:// or HOST:PATH"},
		{"c", "[Project]\nRepository=ext::sh -c\n",
		 "f:2: Repository=: \"ext::sh -c\" is not a repository URL"},
		/* a forge that the webhook process does not know */
		{"c", "[Project]\nProvider=sourcehut\n",
		 "f:2: Provider=: unknown provider \"sourcehut\": choose github, gitlab, gitea, "
		 "forgejo, bitbucket or standard"},
		{"c", "[Project]\nRepository=file:///x\nSecret=a\nSecretFile=/b\n",
		 "f: Secret= and SecretFile= exclude each other: remove one"},
		{"c", "[Daemon]\nMaxRunning=1\n",
		 "f:1: unknown section [Daemon], see runbookd.conf(5)"},
	};
	struct error error = ERROR_INIT;
	struct config *config = config_new();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r;

		error = ERROR_INIT;
		r = config_parse_project(config, cases[i].name, "f", cases[i].text,
					 strlen(cases[i].text), &error);
		assert_string_equal(error.text, cases[i].error ? cases[i].error : "");
		assert_int_equal(r < 0, cases[i].error != NULL);
	}
	assert_int_equal(config_complete(config, &error), 0);
	assert_int_equal(config->n_projects, 2);
	assert_string_equal(config->projects[0].name, "a");
	assert_int_equal(config_project_find(config, "b")->weight, 3);
	assert_string_equal(config_project_find(config, "b")->provider, "github");
	assert_null(config_project_find(config, "c"));
	(void)config_free(config);
}

/* ---- files ---- */

struct root {
	char directory[64];
	struct paths paths;
};

static void root_new(struct root *root)
{
	struct error error = ERROR_INIT;

	(void)snprintf(root->directory, sizeof(root->directory), "/tmp/rbtest-config-XXXXXX");
	assert_non_null(mkdtemp(root->directory));
	assert_int_equal(paths_init(&root->paths, root->directory, &error), 0);
}

static void root_write(const struct root *root, const char *name, const char *text, mode_t mode)
{
	char path[PATH_MAX + 128];
	char *slash;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", root->paths.etc, name);
	slash = strrchr(path, '/');
	*slash = '\0';
	assert_int_equal(make_directories(AT_FDCWD, path, 0755), 0);
	*slash = '/';
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
}

static void root_free(const struct root *root)
{
	assert_int_equal(remove_tree(AT_FDCWD, root->directory), 0);
}

static void loads_a_tree(void **state)
{
	struct error error = ERROR_INIT;
	struct config *config = NULL;
	struct root root;

	root_new(&root);
	assert_int_equal(config_load(&root.paths, &config, &error),
			 0); /* without files: the defaults */
	assert_int_equal(config->n_projects, 0);
	config = config_free(config);
	root_write(&root, "runbookd.conf", "[Daemon]\nMaxRunning=1\n", 0644);
	root_write(&root, "runbookd.conf.d/20.conf", "[Daemon]\nMaxRunning=20\n", 0644);
	root_write(&root, "runbookd.conf.d/10.conf", "[Daemon]\nMaxRunning=10\n", 0644);
	root_write(&root, "runbookd.conf.d/30.conf~", "nonsense", 0644);
	root_write(&root, "projects.d/.hidden.conf", "nonsense", 0644);
	root_write(&root, "secret", "hook key\n", 0600);
	root_write(&root, "password", "pass\r\n", 0600);
	root_write(&root, "projects.d/one.conf",
		   "[Project]\nRepository=https://example.org/r\nSecretFile=secret\nUser=u\n"
		   "PasswordFile=password\n",
		   0600);
	assert_int_equal(config_load(&root.paths, &config, &error), 0);
	assert_int_equal(config->max_running, 20);
	assert_int_equal(config->n_projects, 1);
	assert_int_equal(config->projects[0].secret.size, 8);
	assert_string_equal(config->projects[0].secret.data, "hook key");
	assert_string_equal(config->projects[0].password.data, "pass");
	config = config_free(config);
	root_free(&root);
}

static void refuses_untrusted_files(void **state)
{
	struct error error = ERROR_INIT;
	struct config *config = NULL;
	char path[PATH_MAX + 32];
	struct root root;

	root_new(&root);
	root_write(&root, "runbookd.conf", "[Daemon]\n", 0666);
	assert_int_equal(config_load(&root.paths, &config, &error), -EPERM);
	assert_non_null(strstr(error.text, "writable by everybody: run `chmod o-w "));
	root_write(&root, "runbookd.conf", "[Daemon]\n", 0644);
	if (geteuid() == 0) {
		(void)snprintf(path, sizeof(path), "%s/runbookd.conf", root.paths.etc);
		assert_int_equal(chown(path, 4711, 4711), 0);
		assert_int_equal(config_load(&root.paths, &config, &error), -EPERM);
		assert_non_null(strstr(error.text, "belongs to user 4711: run `chown root "));
		assert_int_equal(chown(path, 0, 0), 0);
	}
	root_write(&root, "projects.d/one.conf",
		   "[Project]\nRepository=file:///r\nSecretFile=absent\n", 0600);
	assert_int_equal(config_load(&root.paths, &config, &error), -ENOENT);
	assert_string_equal(error.text, "project one: SecretFile=: absent does not exist");
	assert_null(config);
	root_free(&root);
}

/* ---- addresses ---- */

static void addresses(void **state)
{
	static const struct {
		const char *text;
		enum listen_kind kind;
		bool fails;
	} cases[] = {
		{"none", LISTEN_NONE, false},
		{"[::]:8471", LISTEN_TCP, false},
		{"127.0.0.1:0", LISTEN_TCP, false},
		{"localhost:80", LISTEN_TCP, false},
		{"*:80", LISTEN_TCP, false},
		{"8471", LISTEN_TCP, false},
		{"unix:/run/x", LISTEN_UNIX, false},
		{"unix:x", LISTEN_NONE, true},
		{"::1:80", LISTEN_NONE, true},
		{"[::1]", LISTEN_NONE, true},
		{"127.0.0.1:65536", LISTEN_NONE, true},
		{"127.0.0.1:", LISTEN_NONE, true},
		{":80", LISTEN_NONE, true},
		{"", LISTEN_NONE, true},
		{"1.2.3:80", LISTEN_NONE, true},
		{"127.0.0.1:+80", LISTEN_NONE, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct listen_address address = {.kind = LISTEN_NONE};
		struct error error = ERROR_INIT;
		int r = listen_parse(cases[i].text, &address, &error);

		assert_int_equal(r < 0, cases[i].fails);
		assert_int_equal(address.kind, cases[i].kind);
	}
}

/* A socket with a wider mode, as earlier versions made it, is bound anew instead of kept. */
static void unix_listeners_have_their_mode(void **state)
{
	char directory[] = "/tmp/rbt.XXXXXX", item[64], *path = item + 5;
	struct config_list list = {.items = {item}, .n_items = 1};
	struct listener_set none = {.n_items = 0}, wide, narrow, kept;
	struct error error = ERROR_INIT;
	struct stat st;
	int fd;

	assert_non_null(mkdtemp(directory));
	(void)snprintf(item, sizeof(item), "unix:%s/s", directory);
	assert_int_equal(listener_set_update(&none, &list, 0666, getegid(), &wide, &error), 0);
	fd = wide.items[0].fd;
	assert_int_equal(listener_set_update(&wide, &list, 0660, getegid(), &narrow, &error), 0);
	assert_int_equal(wide.items[0].fd, fd);
	assert_true(narrow.items[0].fresh);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	fd = narrow.items[0].fd;
	assert_int_equal(listener_set_update(&narrow, &list, 0660, getegid(), &kept, &error), 0);
	assert_int_equal(kept.items[0].fd, fd);
	listener_set_close(&wide);
	listener_set_close(&kept);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
}

static void listeners_survive_a_failed_update(void **state)
{
	struct config_list first = {.items = {(char *)"127.0.0.1:0"}, .n_items = 1};
	struct config_list second = {.items = {(char *)"127.0.0.1:0", (char *)"203.0.113.1:1"},
				     .n_items = 2};
	struct listener_set none = {.n_items = 0}, old, new;
	struct error error = ERROR_INIT;
	char address[LISTEN_TEXT_MAX];
	int fd;

	assert_int_equal(listener_set_update(&none, &first, 0600, getegid(), &old, &error), 0);
	fd = old.items[0].fd;
	listen_describe(fd, address, sizeof(address));
	assert_memory_equal(address, "127.0.0.1:", 10);
	assert_string_not_equal(address, "127.0.0.1:0");
	/* an address that this host does not have cannot be bound */
	assert_true(listener_set_update(&old, &second, 0600, getegid(), &new, &error) < 0);
	assert_int_equal(old.items[0].fd, fd);
	/* the same address again keeps the socket, and with it the clients in its backlog */
	assert_int_equal(listener_set_update(&old, &first, 0600, getegid(), &new, &error), 0);
	assert_int_equal(new.items[0].fd, fd);
	listener_set_close(&old);
	listener_set_close(&new);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void long_socket_paths(void **state)
{
	char path[PATH_MAX + 64];
	struct error error = ERROR_INIT;
	struct root root;
	struct stat st;
	int fd;

	root_new(&root);
	(void)snprintf(path, sizeof(path), "%s/%0150d", root.directory, 0);
	assert_int_equal(mkdir(path, 0755), 0);
	(void)strcat(path, "/api.sock");
	for (int i = 0; i < 2; i++) { /* twice: the first is replaced */
		fd = listen_unix(path, 0660, getegid(), &error);
		assert_true(fd >= 0);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0660);
		(void)close(fd);
	}
	/* a file that is not a socket is not deleted: the path may be mistyped */
	assert_int_equal(unlink(path), 0);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(listen_unix(path, 0660, getegid(), &error), -EEXIST);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	root_free(&root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(every_key),
		cmocka_unit_test(errors_name_place_and_fix),
		cmocka_unit_test(retention),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(later_files_win),
		cmocka_unit_test(projects),
		cmocka_unit_test(loads_a_tree),
		cmocka_unit_test(refuses_untrusted_files),
		cmocka_unit_test(addresses),
		cmocka_unit_test(unix_listeners_have_their_mode),
		cmocka_unit_test(listeners_survive_a_failed_update),
		cmocka_unit_test(long_socket_paths),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
