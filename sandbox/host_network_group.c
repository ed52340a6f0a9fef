/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/host_network_group.h"

#include "common/cleanup.h"
#include "common/fdio.h"
#include "sandbox/host_links.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define BRIDGE "run0"
#define SUBNET 0x0a4d0000U /* 10.77.0.0/16 */
#define SUBNET_BITS 16
#define INDEX_FIRST 2U
#define INDEX_LAST 65000U
/* "address name\n", IPv4 and IPv6: all of one length, so that a line can be overwritten */
#define LINE_BYTES 416

/* A step in the network of its run. */
struct group_member {
	struct group_member *next;
	unsigned index; /* of its address */
	unsigned slot;	/* of its lines in the hosts file */
	int netns_fd;	/* identifies the member; not owned */
};

/* The network of a run, while it has members. */
struct network_group {
	struct network_group *next;
	char name[GROUP_NAME_MAX + 1];
	struct host_network_step hub; /* namespace of the bridge */
	int bridge;		      /* its index */
	unsigned next_index;
	struct group_member *members;
	int hosts_fd;
	off_t hosts_head; /* offset of the first line */
	char hosts_path[PATH_MAX];
};

/* ---- the hosts file ---- */

/* Makes and locks the hosts file, with the lines that every /etc/hosts has. */
static int hosts_open(struct host_network *network, struct network_group *group,
		      const char *hostname, struct error *error)
{
	char head[512];
	int length, r;

	if (!network->directory)
		return error_errno(error, ENOMEM, "cannot keep the names of a run");
	r = make_directories(AT_FDCWD, network->directory, 0700);
	if (r < 0)
		return error_errno(error, -r, "cannot make %s", network->directory);
	if (snprintf(group->hosts_path, sizeof(group->hosts_path), "%s/%s.hosts",
		     network->directory, group->name) >= (int)sizeof(group->hosts_path))
		return error_set(error, ENAMETOOLONG, "the path of a hosts file is too long");
	(void)unlink(group->hosts_path);
	group->hosts_fd =
		open(group->hosts_path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	/* the lock keeps other programs' sweeps away */
	if (group->hosts_fd < 0 || flock(group->hosts_fd, LOCK_EX | LOCK_NB) < 0)
		return error_errno(error, errno, "cannot make %s", group->hosts_path);
	length = snprintf(head, sizeof(head),
			  "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
			  "127.0.1.1\t%.300s\n",
			  hostname);
	group->hosts_head = length;
	r = fd_write_all(group->hosts_fd, head, (size_t)length);
	return r < 0 ? error_errno(error, -r, "cannot write %s", group->hosts_path) : 0;
}

static struct in6_addr address6(unsigned index)
{
	return (struct in6_addr){.s6_addr = {0xfd, 0x77, 0x72, 0x75, 0x6e, 0, 0, 0, 0, 0, 0, 0, 0,
					     0, (uint8_t)(index >> 8), (uint8_t)index}};
}

/* @name: NULL to blank the line */
static int hosts_write(const struct network_group *group, const struct group_member *member,
		       const char *name)
{
	off_t at = group->hosts_head + (off_t)member->slot * LINE_BYTES;
	struct in_addr four = {.s_addr = htonl(SUBNET + member->index)};
	struct in6_addr six = address6(member->index);
	char text4[INET_ADDRSTRLEN], text6[INET6_ADDRSTRLEN], line[LINE_BYTES + 1];
	char alias[STEP_SLUG_MAX + 1];
	int used = 0;

	memset(line, ' ', LINE_BYTES);
	if (name) {
		(void)inet_ntop(AF_INET, &four, text4, sizeof(text4));
		(void)inet_ntop(AF_INET6, &six, text6, sizeof(text6));
		/* many programs reject an underscore in a host name */
		(void)snprintf(alias, sizeof(alias), "%s", name);
		for (char *mark = alias; (mark = strchr(mark, '_')) != NULL;)
			*mark = '-';
		used = snprintf(line, sizeof(line), "%s %s %.80s\n%s %s %.80s", text4, alias, name,
				text6, alias, name);
		if (used >= LINE_BYTES)
			return -ENAMETOOLONG;
		line[used] = ' ';
	}
	line[LINE_BYTES - 1] = '\n';
	return pwrite(group->hosts_fd, line, LINE_BYTES, at) == LINE_BYTES ? 0 : -EIO;
}

/* ---- groups ---- */

static struct network_group *group_find(const struct host_network *network, const char *name)
{
	struct network_group *group = network->groups;

	while (group && strcmp(group->name, name) != 0)
		group = group->next;
	return group;
}

static void group_free(struct network_group *group)
{
	if (group->hosts_fd >= 0) {
		(void)unlink(group->hosts_path);
		(void)close(group->hosts_fd);
	}
	if (group->hub.netlink_fd >= 0)
		(void)close(group->hub.netlink_fd);
	if (group->hub.netns_fd >= 0)
		(void)close(group->hub.netns_fd);
	free(group);
}

static int group_new(struct host_network *network, const struct host_network_request *request,
		     struct network_group **ret_group, struct error *error)
{
	struct network_group *group = calloc(1, sizeof(*group));
	int r;

	if (!group)
		return error_errno(error, ENOMEM, "cannot keep the network of a run");
	group->hosts_fd = -1;
	group->next_index = INDEX_FIRST;
	(void)snprintf(group->name, sizeof(group->name), "%s", request->group);
	r = plain_step_new(&group->hub, error);
	if (r == 0)
		r = group->bridge = host_bridge_make(group->hub.netlink_fd, BRIDGE, error);
	if (r >= 0)
		r = hosts_open(network, group, request->hostname, error);
	if (r < 0) {
		group_free(group);
		return r;
	}
	group->next = network->groups;
	network->groups = group;
	*ret_group = group;
	return 0;
}

static void group_drop_empty(struct host_network *network, struct network_group *group)
{
	struct network_group **at = &network->groups;

	if (group->members)
		return;
	while (*at != group)
		at = &(*at)->next;
	*at = group->next;
	group_free(group);
}

/* ---- members ---- */

static bool index_used(const struct network_group *group, unsigned index)
{
	for (const struct group_member *at = group->members; at; at = at->next) {
		if (at->index == index)
			return true;
	}
	return false;
}

static bool slot_used(const struct network_group *group, unsigned slot)
{
	for (const struct group_member *at = group->members; at; at = at->next) {
		if (at->slot == slot)
			return true;
	}
	return false;
}

/* Addresses are not reused soon: a peer of the earlier step would not notice the change. */
static struct group_member *member_new(struct network_group *group, int netns_fd)
{
	struct group_member *member = calloc(1, sizeof(*member));

	if (!member)
		return NULL;
	do {
		member->index = group->next_index++;
		if (group->next_index > INDEX_LAST)
			group->next_index = INDEX_FIRST;
	} while (index_used(group, member->index));
	while (slot_used(group, member->slot))
		member->slot++;
	member->netns_fd = netns_fd;
	return member;
}

/* Makes the link of a member to the bridge; takes the netlink socket of @step. */
static int member_connect(struct network_group *group, const struct group_member *member,
			  struct host_network_step *step, struct error *error)
{
	struct group_link link = {.address = SUBNET + member->index,
				  .bits = SUBNET_BITS,
				  .address6 = address6(member->index),
				  .bits6 = 64,
				  .mac = {0x02, 0x72, 0x75, 0x6e, (uint8_t)(member->index >> 8),
					  (uint8_t)member->index}};
	int netlink_fd = step->netlink_fd;

	step->netlink_fd = -1;
	(void)snprintf(link.name, sizeof(link.name), "step%04x", member->index);
	return host_bridge_join(&link, group->hub.netlink_fd, group->bridge, step->netns_fd,
				netlink_fd, error);
}

int network_group_join(struct host_network *network, const struct host_network_request *request,
		       struct host_network_step *step, struct error *error)
{
	struct network_group *group = group_find(network, request->group);
	struct group_member *member;
	int r = group ? 0 : group_new(network, request, &group, error);

	if (!group)
		return r;
	member = member_new(group, step->netns_fd);
	if (!member) {
		group_drop_empty(network, group);
		return error_errno(error, ENOMEM, "cannot keep the network of a run");
	}
	r = member_connect(group, member, step, error);
	if (r == 0 && request->name) {
		r = hosts_write(group, member, request->name);
		if (r < 0)
			(void)error_errno(error, -r, "cannot write the hosts file of the run");
	}
	if (r < 0) {
		free(member);
		group_drop_empty(network, group);
		return r == -EEXIST ? error_errno(error, EEXIST, "cannot join the run's network")
				    : r;
	}
	member->next = group->members;
	group->members = member;
	step->group = group;
	return 0;
}

void network_group_leave(struct host_network *network, struct host_network_step *step)
{
	struct network_group *group = step->group;
	struct group_member **at = &group->members;

	while (*at && (*at)->netns_fd != step->netns_fd)
		at = &(*at)->next;
	if (*at) {
		struct group_member *member = *at;

		(void)hosts_write(group, member, NULL);
		*at = member->next;
		free(member);
	}
	step->group = NULL;
	group_drop_empty(network, group);
}

/* ---- groups that outlive the process that made them ---- */

void network_group_persist(const struct host_network_step *step, struct host_network_kept *kept,
			   int fds[NETWORK_KEPT_FDS])
{
	const struct network_group *group = step->group;
	const struct group_member *member = group->members;

	while (member && member->netns_fd != step->netns_fd)
		member = member->next;
	if (!member)
		return;
	memcpy(kept->group, group->name, sizeof(kept->group));
	kept->bridge = group->bridge;
	kept->next_index = group->next_index;
	kept->member = member->index;
	kept->slot = member->slot;
	kept->hosts_head = (uint64_t)group->hosts_head;
	fds[0] = group->hub.netns_fd;
	fds[1] = group->hub.netlink_fd;
	fds[2] = group->hosts_fd;
}

/* Restores the predecessor's group with the first of its steps that is adopted. */
static struct network_group *group_adopt(struct host_network *network,
					 const struct host_network_kept *kept,
					 const int fds[NETWORK_KEPT_FDS])
{
	struct network_group *group = calloc(1, sizeof(*group));

	if (!group)
		return NULL;
	if (!network->directory ||
	    snprintf(group->hosts_path, sizeof(group->hosts_path), "%s/%s.hosts",
		     network->directory, kept->group) >= (int)sizeof(group->hosts_path)) {
		free(group);
		return NULL;
	}
	memcpy(group->name, kept->group, sizeof(group->name));
	group->hub = HOST_NETWORK_STEP_NULL;
	group->hub.netns_fd = fds[0];
	group->hub.netlink_fd = fds[1];
	group->hosts_fd = fds[2];
	group->bridge = kept->bridge;
	group->next_index = INDEX_FIRST;
	group->hosts_head = (off_t)kept->hosts_head;
	group->next = network->groups;
	network->groups = group;
	return group;
}

int network_group_adopt(struct host_network *network, const struct host_network_kept *kept,
			const int fds[NETWORK_KEPT_FDS], struct host_network_step *step)
{
	struct network_group *group = group_find(network, kept->group);
	struct group_member *member = calloc(1, sizeof(*member));
	struct network_group *made = NULL;

	if (member && !group)
		group = made = group_adopt(network, kept, fds);
	if (!made) {
		for (size_t i = 0; i < NETWORK_KEPT_FDS; i++)
			(void)close(fds[i]);
	}
	if (!member || !group) {
		free(member);
		return -ENOMEM;
	}
	if (kept->next_index > group->next_index)
		group->next_index = kept->next_index;
	member->index = kept->member;
	member->slot = kept->slot;
	member->netns_fd = step->netns_fd;
	member->next = group->members;
	group->members = member;
	step->group = group;
	return 0;
}

const char *network_group_hosts(const struct network_group *group)
{
	return group->hosts_path;
}

void network_groups_sweep(struct host_network *network)
{
	DIR *directory = network->directory ? opendir(network->directory) : NULL;
	const struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		cleanup_close int fd = -1;

		if (entry->d_name[0] == '.')
			continue;
		fd = openat(dirfd(directory), entry->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			(void)unlinkat(dirfd(directory), entry->d_name, 0);
	}
	if (directory)
		(void)closedir(directory);
}
