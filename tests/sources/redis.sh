# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# One line for each unit of redis's own tests, with how it ended.
exec 3>&1 1>&2
set -e
make -j2 MALLOC=libc
status=0
units=(unit/type/string unit/type/list unit/type/set unit/type/zset unit/type/hash unit/type/stream unit/expire unit/scan unit/sort
    unit/multi unit/pubsub unit/dump unit/bitops unit/hyperloglog unit/geo unit/protocol unit/keyspace unit/introspection
    unit/auth unit/acl unit/tracking integration/aof integration/rdb)
single=()
for unit in "${units[@]}"; do single+=(--single "$unit"); done
./runtest --clients 4 --timeout 600 "${single[@]}" >run.log 2>&1 || status=$?
cat run.log
grep -aE '^\[(ok|err|exception)\]' run.log | sed -E 's/ \([0-9]+ ms\)//; s/[0-9]{2,}/N/g' | sort | uniq -c >&3
exit $status
