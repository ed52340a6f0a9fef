#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes an uplink that leads nowhere, as network "egress" needs one. Only for a network
# namespace that was made for a measurement.
set -eu
if ip -o link | grep -qv '^[0-9]*: lo:'; then
    echo "uplink.sh: this network is in use: run it under unshare --net" >&2
    exit 1
fi
ip link set lo up
ip link add up0 type veth peer name up1
ip addr add 198.51.100.2/24 dev up0
ip link set up1 up
ip link set up0 up
ip route add default via 198.51.100.1
