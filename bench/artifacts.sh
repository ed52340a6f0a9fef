#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Puts and gets artifacts through a step's socket, CACHER_SOCKET, and does the same with dd, cp
# and tar, in alternation, with files in the current directory, which should be in the file system
# of the store. Prints for each round and contest: NAME OURS THEIRS (milliseconds).
# artifacts.sh CACHER ROUNDS MIB
set -eu
cacher=$1 rounds=$2 mib=$3

timed() { # COMMAND...: set $took
    local began ended
    sync -f . # nothing of the contestant before is left to be written
    began=${EPOCHREALTIME/[.,]/}
    "$@" >/dev/null
    ended=${EPOCHREALTIME/[.,]/}
    took=$(((ended - began + 500) / 1000))
}

contest() { # NAME OURS THEIRS: names of functions
    local ours theirs
    if ((round % 2)); then
        timed "$2"; ours=$took
        timed "$3"; theirs=$took
    else
        timed "$3"; theirs=$took
        timed "$2"; ours=$took
    fi
    echo "$1 $ours $theirs"
}

put_noise() { "$cacher" put noise noise; }
put_text() { "$cacher" put text text; }
get_noise() { "$cacher" get noise noise.got; }
get_text() { "$cacher" get text text.got; }
put_tree() { "$cacher" put tree tree; }
get_tree() { "$cacher" get tree tree.got; }
dd_noise() { dd if=noise of=noise.dd bs=1M conv=fsync status=none; }
dd_text() { dd if=text of=text.dd bs=1M conv=fsync status=none; }
cp_noise() { cp --reflink=never noise noise.cp; }
cp_text() { cp --reflink=never text text.cp; }
tar_tree() { tar -cf tree.tar tree && sync tree.tar; }
untar_tree() { mkdir tree.untar && tar -xf tree.tar -C tree.untar; }

head -c "${mib}M" /dev/urandom >noise
seq -f 'line %.0f of a log that says the same again and again' 100000000 2>/dev/null | head -c "${mib}M" >text
mkdir tree
for i in $(seq 0 99); do
    mkdir "tree/$i"
    head -c 300000 /dev/urandom | split -b 3000 -a 2 -d - "tree/$i/file"
done
for round in $(seq "$rounds"); do
    contest put-file put_noise dd_noise
    contest get-file get_noise cp_noise
    contest put-packed put_text dd_text
    contest get-packed get_text cp_text
    contest put-tree put_tree tar_tree
    contest get-tree get_tree untar_tree
    [ "$round" != 1 ] || { cmp noise noise.got && cmp text text.got && diff -r tree tree.got; } >&2
    for key in noise text tree; do "$cacher" delete "$key"; done
    rm -rf noise.* text.* tree.*
    sync -f .
    sleep 1 # a disk may be told of the freed blocks
done
