/* SPDX-License-Identifier: Apache-2.0 */
/* runbookctl: the command line for people who use runbookd. cli/cli.h explains its structure. */

#include "cli/cli.h"

int main(int argc, char **argv)
{
	return cli_main(argc, argv);
}
