#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# install.sh DESTDIR PREFIX SYSCONFDIR LIBEXECDIR: what `make install` does.
set -eu
DESTDIR=$1 PREFIX=$2 SYSCONFDIR=$3 LIBEXECDIR=$4
bin=build/bin

install -d "$DESTDIR$PREFIX/bin" "$DESTDIR$PREFIX/sbin" "$DESTDIR$LIBEXECDIR"
install -m 0755 "$bin/runbookctl" "$bin/runbook-sandbox" "$DESTDIR$PREFIX/bin/"
install -m 0755 "$bin/runbookd" "$DESTDIR$PREFIX/sbin/"
for program in runbook-webhook runbook-scheduler runbook-fetcher runbook-cacher runbook-api \
    runbook-image runbook-unpack runbook-init cacher; do
    install -m 0755 "$bin/$program" "$DESTDIR$LIBEXECDIR/"
done

for page in build/man/*; do
    section=${page##*.}
    install -d "$DESTDIR$PREFIX/share/man/man$section"
    install -m 0644 "$page" "$DESTDIR$PREFIX/share/man/man$section/"
done

install -d -m 0755 "$DESTDIR$SYSCONFDIR/runbookd/runbookd.conf.d" \
    "$DESTDIR$SYSCONFDIR/runbookd"
install -d -m 0700 "$DESTDIR$SYSCONFDIR/runbookd/projects.d"
# an administrator's file is never overwritten
[ -e "$DESTDIR$SYSCONFDIR/runbookd/runbookd.conf" ] ||
    install -m 0644 packaging/runbookd.conf "$DESTDIR$SYSCONFDIR/runbookd/"
install -d "$DESTDIR$PREFIX/lib/sysusers.d" "$DESTDIR$PREFIX/lib/tmpfiles.d" \
    "$DESTDIR$PREFIX/lib/systemd/system"
install -m 0644 packaging/sysusers.d/runbookd.conf "$DESTDIR$PREFIX/lib/sysusers.d/"
[ ! -d packaging/tmpfiles.d ] ||
    install -m 0644 packaging/tmpfiles.d/*.conf "$DESTDIR$PREFIX/lib/tmpfiles.d/"
sed "s,/usr/sbin/runbookd,$PREFIX/sbin/runbookd,g" packaging/systemd/runbookd.service \
    >"$DESTDIR$PREFIX/lib/systemd/system/runbookd.service"
chmod 0644 "$DESTDIR$PREFIX/lib/systemd/system/runbookd.service"
install -m 0644 packaging/systemd/runbookd-steps.service "$DESTDIR$PREFIX/lib/systemd/system/"
install -D -m 0644 -t "$DESTDIR$PREFIX/lib/systemd/catalog" packaging/catalog/runbookd.catalog
install -D -m 0644 -t "$DESTDIR$PREFIX/share/runbookd" packaging/runbook.schema.json
install -d "$DESTDIR$PREFIX/share/bash-completion/completions"
[ ! -d packaging/completion ] ||
    install -m 0644 packaging/completion/* "$DESTDIR$PREFIX/share/bash-completion/completions/"

cat <<TXT
Installed. As root, once:
    systemd-sysusers && journalctl --update-catalog && systemctl daemon-reload && systemctl enable --now runbookd
    runbookctl doctor
TXT
