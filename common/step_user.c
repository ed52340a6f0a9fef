/* SPDX-License-Identifier: Apache-2.0 */
#include "common/step_user.h"

#include "common/limits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char step_user_host_passwd[] = "root:x:0:0:root:/workspace:/bin/bash\n"
				     "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
				     "bin:x:2:2:bin:/bin:/usr/sbin/nologin\n"
				     "sys:x:3:3:sys:/dev:/usr/sbin/nologin\n"
				     "man:x:6:12:man:/var/cache/man:/usr/sbin/nologin\n"
				     "mail:x:8:8:mail:/var/mail:/usr/sbin/nologin\n"
				     "www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n"
				     "_apt:x:42:65534::/nonexistent:/usr/sbin/nologin\n"
				     "user:x:1000:1000:user:/workspace:/bin/bash\n"
				     "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";

const char step_user_host_group[] =
	"root:x:0:\ndaemon:x:1:\nbin:x:2:\nsys:x:3:\nadm:x:4:\ntty:x:5:\ndisk:x:6:\n"
	"man:x:12:\nmail:x:8:\nwww-data:x:33:\nutmp:x:43:\nstaff:x:50:\nusers:x:100:\n"
	"user:x:1000:\nnogroup:x:65534:\n";

/* Names of useradd(8), and others found in images: no blanks, no "/". */
static size_t name_length(const char *name)
{
	size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789._-");

	return name[0] == '-' ? 0 : length;
}

bool step_user_valid(const char *user)
{
	size_t length = name_length(user);

	if (length == 0 || strlen(user) >= STEP_USER_MAX)
		return false;
	if (user[length] == '\0')
		return true;
	user += length + 1;
	length = name_length(user);
	return user[-1] == ':' && length > 0 && user[length] == '\0';
}

bool step_user_is_number(const char *user)
{
	size_t length = strspn(user, "0123456789");

	return length > 0 && (user[length] == '\0' || user[length] == ':');
}

/* Field @index of the line at @line, which ends at a newline or NUL. */
static const char *field(const char *line, unsigned index, size_t *ret_length)
{
	for (; index > 0; index--) {
		line += strcspn(line, ":\n");
		if (*line != ':')
			return NULL;
		line++;
	}
	*ret_length = strcspn(line, ":\n");
	return line;
}

static bool field_is(const char *line, unsigned index, const char *text)
{
	size_t length = 0;
	const char *at = field(line, index, &length);

	return at && strlen(text) == length && memcmp(at, text, length) == 0;
}

static int field_number(const char *line, unsigned index, uint32_t *ret_number)
{
	size_t length = 0;
	const char *at = field(line, index, &length);
	unsigned long number = 0;

	if (!at || length == 0 || length > 5)
		return -EINVAL;
	for (size_t i = 0; i < length; i++) {
		if (at[i] < '0' || at[i] > '9')
			return -EINVAL;
		number = number * 10 + (unsigned long)(at[i] - '0');
	}
	if (number >= ID_STEP_RANGE)
		return -EINVAL;
	*ret_number = (uint32_t)number;
	return 0;
}

/* The line of @text whose field @index is @wanted, or NULL. */
static const char *line_find(const char *text, unsigned index, const char *wanted)
{
	while (text && *text) {
		if (field_is(text, index, wanted))
			return text;
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return NULL;
}

int step_user_resolve(const char *user, const char *passwd, const char *group, uint32_t *ret_uid,
		      uint32_t *ret_gid, struct error *error)
{
	const char *colon = strchr(user, ':');
	const char *line;
	char name[256];

	*ret_uid = *ret_gid = 0;
	if (*user == '\0')
		return 0;
	(void)snprintf(name, sizeof(name), "%.*s", (int)(colon ? colon - user : 255), user);
	if (field_number(name, 0, ret_uid) == 0) {
		line = line_find(passwd, 2, name);
	} else {
		line = line_find(passwd, 0, name);
		if (!line || field_number(line, 2, ret_uid) < 0)
			return error_set(
				error, EINVAL,
				"user \"%.100s\" is not in the image's /etc/passwd: name one "
				"that is, or give its number",
				name);
	}
	if (!colon) {
		if (line)
			(void)field_number(line, 3, ret_gid);
		return 0;
	}
	(void)snprintf(name, sizeof(name), "%s", colon + 1);
	if (field_number(name, 0, ret_gid) == 0)
		return 0;
	line = line_find(group, 0, name);
	if (!line || field_number(line, 2, ret_gid) < 0)
		return error_set(error, EINVAL,
				 "group \"%.100s\" is not in the image's /etc/group: name one that "
				 "is, or give its number",
				 name);
	return 0;
}

/* Has the line a valid name and @n_ids valid ids? */
static bool line_usable(const char *line, unsigned n_ids)
{
	size_t length = 0;
	const char *name = field(line, 0, &length);
	uint32_t number;

	if (!name || length == 0 || name_length(name) != length)
		return false;
	for (unsigned i = 0; i < n_ids; i++) {
		if (field_number(line, 2 + i, &number) < 0)
			return false;
	}
	return true;
}

char *step_user_compact(const char *text, unsigned n_ids, size_t max)
{
	char *out = text ? malloc(max + 1) : NULL;
	size_t used = 0;

	if (!out)
		return NULL;
	for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
		char line[STEP_USER_MAX + 32];
		size_t length = strcspn(text, ":\n"), n;
		uint32_t ids[2] = {0, 0};

		if (!line_usable(text, n_ids) || length >= STEP_USER_MAX)
			continue;
		for (unsigned i = 0; i < n_ids; i++)
			(void)field_number(text, 2 + i, &ids[i]);
		n = (size_t)snprintf(line, sizeof(line), n_ids > 1 ? "%.*s::%u:%u\n" : "%.*s::%u\n",
				     (int)length, text, ids[0], ids[1]);
		if (used + n > max)
			break;
		memcpy(out + used, line, n);
		used += n;
	}
	out[used] = '\0';
	return out;
}
