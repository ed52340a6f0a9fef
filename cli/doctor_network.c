/* SPDX-License-Identifier: Apache-2.0 */

/* Checks for networks of steps, and for settings of the host that interfere with them. */

#include "cli/doctor.h"
#include "cli/doctor_link.h"
#include "common/cleanup.h"
#include "common/fdio.h"
#include "common/firewall.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int try_links(void *user)
{
	int result;

	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	result = doctor_make_link("bridge", "rbdoctor0", NULL);
	return result < 0 ? result : doctor_make_link("veth", "rbdoctor1", "rbdoctor2");
}

static void check_links(struct cli *cli, struct doctor_finding *finding)
{
	int result;

	if (!doctor_need_root(finding))
		return;
	result = doctor_try(try_links, NULL);
	if (result == 0)
		doctor_ok(finding, "bridges and veth pairs can be made");
	else
		doctor_bad(finding, DOCTOR_FAILED, "modprobe veth bridge",
			   "cannot make a bridge and a veth pair: %s", strerror(-result));
}

static int try_nft(void *user)
{
	static const char rules[] = "add table inet runbook_doctor\n"
				    "add set inet runbook_doctor hosts { type ipv4_addr; }\n"
				    "add chain inet runbook_doctor out { type nat hook postrouting "
				    "priority 100; }\n"
				    "add rule inet runbook_doctor out ip saddr @hosts masquerade\n";
	int input = memfd_create("rules", MFD_CLOEXEC),
	    null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	if (input < 0 || null < 0 || fd_write_all(input, rules, strlen(rules)) < 0 ||
	    lseek(input, 0, SEEK_SET) < 0 || dup2(input, STDIN_FILENO) < 0 ||
	    dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
		return -EIO;
	(void)setenv("PATH", "/usr/sbin:/sbin:/usr/bin:/bin", 1);
	(void)execlp("nft", "nft", "-f", "-", (char *)NULL);
	return -errno;
}

static void check_nft(struct cli *cli, struct doctor_finding *finding)
{
	int result;

	if (!doctor_need_root(finding))
		return;
	result = doctor_try(try_nft, NULL);
	if (result == 0)
		doctor_ok(finding, "a NAT table was loaded");
	else if (result == -ENOENT)
		doctor_bad(finding, DOCTOR_FAILED, "install it: apt-get install nftables",
			   "nft is not installed");
	else
		doctor_bad(finding, DOCTOR_FAILED,
			   "modprobe nf_tables nft_masq (until then only network: none works)",
			   "nft cannot load a NAT table with family inet");
}

static void check_firewall(struct cli *cli, struct doctor_finding *finding)
{
	struct firewall firewall;
	char seen[256], fix[512];
	int result;

	if (!doctor_need_root(finding))
		return;
	result = firewall_probe(&firewall);
	if (result < 0) {
		doctor_bad(finding, DOCTOR_WARNING, "modprobe nf_tables",
			   "cannot see the host's nftables rules: %s", strerror(-result));
		return;
	}
	firewall_describe(&firewall, seen, sizeof(seen));
	firewall_fix(&firewall, fix, sizeof(fix));
	if (firewall.kind == FIREWALL_NONE)
		doctor_ok(finding, "%s", seen);
	else
		doctor_bad(finding, DOCTOR_WARNING, fix, "%s", seen);
}

/* Read the first word of a file, "" when it cannot be read. */
static void read_word(const char *path, char *word, size_t size)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, word, size - 1);

	word[length < 0 ? 0 : length] = '\0';
	word[strcspn(word, " \n")] = '\0';
}

/* Is there an IPv6 default route that does not reject packets? */
static bool has_default_route6(void)
{
	cleanup_fclose FILE *routes = fopen("/proc/net/ipv6_route", "re");
	char line[256], name[64];
	unsigned bits, flags;

	while (routes && fgets(line, sizeof(line), routes)) {
		if (sscanf(line, "%*s %x %*s %*x %*s %*x %*x %*x %x %63s", &bits, &flags, name) ==
			    3 &&
		    bits == 0 && strncmp(line, "00000000000000000000000000000000 ", 33) == 0 &&
		    !(flags & 0x0200U) && strcmp(name, "lo") != 0)
			return true;
	}
	return false;
}

/* Writing "all" changes every interface, so an interface with another value would lose it. */
static bool forwards_apart(char *name, size_t size)
{
	glob_t found;
	bool apart = false;

	if (glob("/proc/sys/net/ipv6/conf/*/forwarding", 0, NULL, &found) != 0)
		return false;
	for (size_t i = 0; i < found.gl_pathc && !apart; i++) {
		char value[8];

		read_word(found.gl_pathv[i], value, sizeof(value));
		apart = strcmp(value, "0") != 0;
		if (apart)
			(void)snprintf(name, size, "%s", found.gl_pathv[i]);
	}
	globfree(&found);
	return apart;
}

static void check_ipv6(struct cli *cli, struct doctor_finding *finding)
{
	char all[8], force[8], apart[256];

	read_word("/proc/sys/net/ipv6/conf/all/forwarding", all, sizeof(all));
	read_word("/proc/sys/net/ipv6/conf/all/force_forwarding", force, sizeof(force));
	if (!has_default_route6())
		doctor_ok(finding, "this host has no IPv6 default route, so steps have no IPv6");
	else if (all[0] == '1')
		doctor_ok(finding, "steps reach it; this host forwards already");
	else if (force[0])
		doctor_ok(finding, "steps reach it; forwarding is switched on only for their links "
				   "and the uplink");
	else if (forwards_apart(apart, sizeof(apart)))
		doctor_bad(
			finding, DOCTOR_WARNING,
			"sysctl net.ipv6.conf.all.forwarding=1 (with accept_ra=2 if the host uses "
			"router advertisements), or Linux 6.17",
			"steps have no IPv6: this kernel forwards for all interfaces or none, and "
			"the value of %.100s could not be restored",
			apart);
	else
		doctor_ok(finding, "steps reach it; while one runs, this kernel forwards for all "
				   "interfaces, and a rule drops the packets of others");
}

const struct doctor_check doctor_network_checks[] = {
	{"links", check_links},
	{"nftables", check_nft},
	{"firewall", check_firewall},
	{"steps' IPv6", check_ipv6},
	{NULL, NULL},
};
