/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_IMAGE_RULE_H
#define COMMON_IMAGE_RULE_H

/** enum image_rule - kinds of rules about images in the configuration, in CONFIG_IMAGE_RULE */
enum image_rule {
	IMAGE_RULE_FORK = 0,	/* runs of forks may use it, pulled without credentials */
	IMAGE_RULE_PRIVATE = 1, /* a registry that is reachable despite its private address */
	IMAGE_NUM_RULES,
};

#endif
