/* SPDX-License-Identifier: Apache-2.0 */
#include "fetcher/tree.h"

#include "common/cleanup.h"

#include <string.h>
#include <strings.h>

/* Length of a UTF-8 character at @s that HFS+ ignores when it compares names; 0: it is not one. */
static size_t hfs_ignorable(const unsigned char *s, size_t left)
{
	if (left < 3)
		return 0;
	if (s[0] == 0xef && s[1] == 0xbb && s[2] == 0xbf) /* U+FEFF */
		return 3;
	if (s[0] != 0xe2)
		return 0;
	if (s[1] == 0x80 && ((s[2] >= 0x8c && s[2] <= 0x8f) || /* U+200C-200F */
			     (s[2] >= 0xaa && s[2] <= 0xae)))  /* U+202A-202E */
		return 3;
	if (s[1] == 0x81 && s[2] >= 0xaa && s[2] <= 0xaf) /* U+206A-206F */
		return 3;
	return 0;
}

/* Is @name ".git" without the characters that HFS+ ignores? */
static bool dot_git_hfs(const char *name, size_t length)
{
	static const char wanted[] = ".git";
	size_t matched = 0;

	for (size_t i = 0; i < length;) {
		size_t ignored = hfs_ignorable((const unsigned char *)name + i, length - i);

		if (ignored > 0) {
			i += ignored;
			continue;
		}
		if (matched == 4 || (name[i] | 0x20) != (wanted[matched] | 0x20))
			return false;
		matched++;
		i++;
	}
	return matched == 4;
}

/* Does NTFS take @name for .git: that or its short name, then dots, spaces or a stream (":…")? */
static bool dot_git_ntfs(const char *name, size_t length)
{
	static const char *const disguises[] = {".git", "git~1"};

	for (size_t i = 0; i < ARRAY_SIZE(disguises); i++) {
		size_t n = strlen(disguises[i]);

		if (length < n || strncasecmp(name, disguises[i], n) != 0)
			continue;
		while (n < length && (name[n] == ' ' || name[n] == '.'))
			n++;
		if (n == length || name[n] == ':')
			return true;
	}
	return false;
}

static bool dot_git(const char *name, size_t length)
{
	/* a backslash separates directories on NTFS */
	for (;;) {
		const char *backslash = memchr(name, '\\', length);
		size_t part = backslash ? (size_t)(backslash - name) : length;

		if (dot_git_hfs(name, part) || dot_git_ntfs(name, part))
			return true;
		if (!backslash)
			return false;
		name += part + 1;
		length -= part + 1;
	}
}

enum tree_name tree_name_check(const char *name, size_t length)
{
	if (length == 0)
		return TREE_NAME_EMPTY;
	if (length > FETCH_NAME_MAX)
		return TREE_NAME_LONG;
	if ((length == 1 && name[0] == '.') || (length == 2 && memcmp(name, "..", 2) == 0))
		return TREE_NAME_DOTS;
	if (memchr(name, '/', length) || memchr(name, '\0', length))
		return TREE_NAME_SLASH;
	return dot_git(name, length) ? TREE_NAME_DOT_GIT : TREE_NAME_OK;
}

const char *tree_name_reason(enum tree_name name)
{
	static const char *const reasons[] = {
		[TREE_NAME_OK] = "is fine",
		[TREE_NAME_EMPTY] = "is empty",
		[TREE_NAME_LONG] = "is longer than 255 bytes",
		[TREE_NAME_DOTS] = "points at a directory above",
		[TREE_NAME_SLASH] = "contains a slash or NUL",
		[TREE_NAME_DOT_GIT] = "is .git in disguise",
	};

	_Static_assert(ARRAY_SIZE(reasons) == TREE_NAME_NUM, "a reason for each");
	return reasons[name];
}
