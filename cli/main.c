/* SPDX-License-Identifier: Apache-2.0 */
/* runbookctl: what a person does with runbookd. See cli/cli.h for the layout. */

#include "cli/cli.h"

int main(int argc, char **argv)
{
	return cli_main(argc, argv);
}
