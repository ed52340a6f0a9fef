/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_IMAGE_RULE_H
#define COMMON_IMAGE_RULE_H

/** enum image_rule - what the administrator says of images, in CONFIG_IMAGE_RULE */
enum image_rule {
	IMAGE_RULE_FORK = 0,	/* runs of forks may have it, pulled without credentials */
	IMAGE_RULE_PRIVATE = 1, /* a registry at a private address that may be reached */
	IMAGE_NUM_RULES,
};

#endif
