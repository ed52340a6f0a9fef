/* SPDX-License-Identifier: Apache-2.0 */
/* The golden bytes of d2e21e4: built in a tree of that commit, see README.md here. */
#define KEPT_D2E21E4
#include "daemon/daemon.h"
#include "sandbox/status.h"
#include "tests/unit/kept_fixture.h"

#include <stdlib.h>
#include <sys/mman.h>

static struct fixture_sandbox fixture;

static int keep(const struct sandbox *sandbox, struct sandbox_kept *ret_kept)
{
	return sandbox_keep(sandbox, ret_kept);
}

static void dump(const char *directory, const char *name, const void *data, size_t used,
		 size_t size)
{
	char path[4096];
	FILE *out;

	(void)snprintf(path, sizeof(path), "%s/%s.d2e21e4", directory, name);
	out = fopen(path, "w");
	if (!out || !sparse_write(out, data, used, size) || fclose(out) != 0)
		abort();
}

static void dump_memory(const char *directory, const char *name, int fd, size_t used, size_t size)
{
	void *memory = mmap(NULL, used, PROT_READ, MAP_PRIVATE, fd, 0);

	if (memory == MAP_FAILED)
		abort();
	dump(directory, name, memory, used, size);
}

static int file(void)
{
	return memfd_create("golden", MFD_CLOEXEC);
}

int main(int argc, char **argv)
{
	static const struct sandbox_ops ops = {.keep = keep};
	const struct sandbox_host_options options = {.init_path = argv[2],
						     .cgroup_name = "runbook-golden",
						     .limits = SANDBOX_LIMITS_BEST_EFFORT};
	static char bag[FD_BAG_BYTES_MAX];
	const struct sandbox_status status = {
		.magic = SANDBOX_STATUS_MAGIC,
		.how = SANDBOX_EXEC_FAILED,
		.code = 2,
		.no_files_left = 1,
		.cpu_user_usec = 0x100000001,
		.cpu_system_usec = 12345,
		.process_peak = 0x200000002,
		.disk_bytes = 0x300000003,
		.disk_free = 4096,
		.text = "cannot execute /bin/nothing",
	};
	struct daemon daemon = {.sandbox_host = NULL};
	struct step_table table = {.daemon = &daemon, .ops = &ops};
	struct step step = {.table = &table};
	char layers[2][IMAGE_ID_SIZE];
	struct step_setup setup;
	struct sandbox_kept kept;
	struct log_journal *journal;
	struct error error = ERROR_INIT;
	int fds[7], bag_fds[FD_BAG_FDS_MAX], highest, pair[2];
	size_t n_fds;
	int mask_fd;
	ssize_t size;
	struct stat st;

	daemon.fds = fd_store_inherit(&highest);
	if (argc != 3 || ledger_new(-1, "0123456789abcdef0123456789abcdef", &daemon.ledger, &error))
		return 1;
	fixture_ledger(daemon.ledger);
	/* behind the fourth entry there are zeroes only */
	dump_memory(argv[1], "ledger", ledger_fd(daemon.ledger), 135168 + 4 * 12288,
		    135168 + 65536UL * 12288);
	(void)fstat(ledger_fd(daemon.ledger), &st);
	printf("ledger %lld head+steps, entry %zu\n", (long long)st.st_size,
	       sizeof(struct ledger_step));

	for (size_t i = 0; i < 7; i++)
		fds[i] = file();
	fixture_sandbox(&fixture, fds);
	if (sandbox_keep(&fixture.sandbox, &kept) < 0)
		return 1;
	dump(argv[1], "sandbox", kept.data, kept.size, kept.size);
	printf("sandbox: %zu descriptors\n", kept.n_fds);

	step.sandbox = fixture.sandbox;
	step.order.order = 1000002;
	step.order.mask_fd = file();
	step.order.n_layers = 2;
	memset(layers[0], 'a', 64);
	memset(layers[1], 'b', 64);
	layers[0][64] = layers[1][64] = '\0';
	step.order.layers = layers[0];
	setup = (struct step_setup){.log_fd = file(), .index_fd = file(), .cacher_fd = file()};
	setup.stdout_pipe[0] = file();
	setup.stderr_pipe[0] = file();
	step.kept = ledger_step_new(daemon.ledger);
	if (sandbox_host_new(&table.host, &options, &error) < 0)
		return 1;
	step_keep_running(&step, &setup);
	size = fd_bag_open(fd_store_get(daemon.fds, "rb.s1000002"), bag, sizeof(bag), bag_fds,
			   &n_fds);
	if (size < 0)
		return 1;
	dump(argv[1], "bag", bag, (size_t)size, (size_t)size);
	printf("bag: %zu descriptors\n", n_fds);

	mask_fd = step_mask_new(fixture_values, 4);
	if (mask_fd < 0 || fstat(mask_fd, &st) < 0)
		return 1;
	dump_memory(argv[1], "mask", mask_fd, (size_t)st.st_size, (size_t)st.st_size);

	dump(argv[1], "status", &status, sizeof(status), sizeof(status));

	if (log_journal_new(daemon.fds, &journal, &error) < 0 || pipe2(pair, O_CLOEXEC) < 0)
		return 1;
	log_journal_settle(journal);
	if (!fixture_journal(journal, pair[0], pair[1]))
		return 1;
	(void)fstat(fd_store_get(daemon.fds, "rb.journal"), &st);
	dump_memory(argv[1], "journal", fd_store_get(daemon.fds, "rb.journal"), (size_t)st.st_size,
		    (size_t)st.st_size);
	return 0;
}
