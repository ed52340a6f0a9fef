#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A way out that leads nowhere, for what network "egress" sets up beside it. Only for a
# network namespace that was made for a measurement.
set -eu
if [ "$(readlink /proc/self/ns/net)" = "$(readlink /proc/1/ns/net)" ]; then
    echo "uplink.sh: this is the host's own network: run it under unshare --net" >&2
    exit 1
fi
ip link set lo up
ip link add up0 type veth peer name up1
ip addr add 198.51.100.2/24 dev up0
ip link set up1 up
ip link set up0 up
ip route add default via 198.51.100.1
