#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every MESSAGE_ID has an entry in the catalog and the other way around, each is used,
# and the entries name only fields that are logged.
set -u
cd "$(dirname "$0")/../.." || exit 2
catalog=packaging/catalog/runbookd.catalog
bad=0
complain() {
    echo "$*"
    bad=1
}
ids=$(sed -nE 's/^#define (MESSAGE_ID_[A-Z_]+) "([0-9a-f]{32})"$/\1 \2/p' common/message_ids.h)
[ -n "$ids" ] || complain "common/message_ids.h: no id was found"
while read -r name id; do
    grep -qx -- "-- $id" "$catalog" || complain "$catalog: $name ($id) is missing"
    grep -rqw "$name" --include='*.c' daemon scheduler webhook || complain "common/message_ids.h: $name is never logged"
done <<<"$ids"
while read -r id; do
    grep -q "$id" <<<"$ids" || complain "$catalog: nobody logs $id"
done < <(sed -n 's/^-- //p' "$catalog")
while read -r field; do
    grep -rq "\"$field\"" --include='*.c' daemon scheduler webhook || complain "$catalog: $field is no field that is logged"
done < <(grep -oE '@[A-Z_]+@' "$catalog" | tr -d @ | sort -u)
exit $bad
