#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 20_sandbox_network_lists.sh, with the sandboxes' links in a gateway as those of runbookd's steps.
RBT_GATEWAY=1 exec "$(dirname "$0")/20_sandbox_network_lists.sh"
