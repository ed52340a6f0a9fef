#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Everything that reads the code without running it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
cd "$TOP" || exit 2

FOLDERS=(common runbook sandbox daemon webhook scheduler fetcher cacher api images cli)
mapfile -t SOURCES < <(find "${FOLDERS[@]}" bench tests/unit tests/fuzz -name '*.c' | sort)
mapfile -t HEADERS < <(find "${FOLDERS[@]}" bench tests/unit -name '*.h' | sort)
mapfile -t SCRIPTS < <(git ls-files '*.sh' .ci/run 2>/dev/null || find . -name '*.sh')
FLAGS=(-I. -Ibuild -D_GNU_SOURCE -std=gnu17 "-DRUNBOOK_VERSION=\"0\"" "-DRUNBOOK_LIBEXECDIR=\"/x\""
    "-DRUNBOOK_SYSCONFDIR=\"/etc\"")
mapfile -t -O ${#FLAGS[@]} FLAGS < <(pkg-config --cflags libnl-3.0 | tr ' ' '\n' | sed '/^$/d')

format() { clang-format --dry-run --Werror "${SOURCES[@]}" "${HEADERS[@]}"; }
# How far the analyser follows a function. Its own 225,000 take six times as long, minutes
# of the check: by hand, with RUNBOOK_TEST_LONG=1.
TIDY_FLAGS=("${FLAGS[@]}")
[ -n "${RUNBOOK_TEST_LONG:-}" ] || TIDY_FLAGS+=(-Xclang -analyzer-config -Xclang max-nodes=25000)
tidy() {
    local command
    command="clang-tidy --quiet \"\$@\" -- $(printf "'%s' " "${TIDY_FLAGS[@]}")"
    printf '%s\n' "${SOURCES[@]}" | grep -v '^tests/' |
        xargs -P "$(nproc)" -n 8 sh -c "$command" sh 2>"$TEST_TMP/tidy.err" >"$TEST_TMP/tidy.out" && return 0
    grep -E "(error|warning):" "$TEST_TMP/tidy.out"
    return 1
}
check_cpp() {
    cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr -j "$(nproc)" \
        --suppressions-list=tests/lint/cppcheck.txt --error-exitcode=1 -I. -D_GNU_SOURCE \
        --template='{file}:{line}: {severity}: {message} [{id}]' "${FOLDERS[@]}"
}
clang_builds() {
    printf '%s\n' "${SOURCES[@]}" | grep -v '^tests/' | xargs -P "$(nproc)" -n 6 clang -fsyntax-only -Wall -Wextra -Werror \
        -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla -Wno-unused-parameter \
        -Wno-missing-field-initializers "${FLAGS[@]}"
}
# The project names no registry host, no path of a build machine.
no_private_names() {
    ! git grep -nIE '/wor[k]/|/far[m]/|deb[.]debian[.]org|registry[.]npmjs'
}
no_promises() {
    ! grep -rnE 'TODO|FIXME|\bXXX\b|HACK' --include='*.[ch]' "${FOLDERS[@]}"
}
# One place in daemon/ watches and ends sandboxes (its children are processes of their own).
one_supervisor() {
    ! git grep -nE 'pidfd|status_fd|ops->|\bsandbox_(start|signal|kill|finish|collect|keep|adopt)\(' -- \
        'daemon/*.[ch]' ':!daemon/supervise.[ch]' ':!daemon/children.[ch]'
}
documented() { # every header says what it is for, and every function in it has a comment
    python3 tests/lint/documented.py "${FOLDERS[@]}"
}

check "clang-format" format
check "clang builds without a warning" clang_builds
check "clang-tidy" tidy
check "cppcheck" check_cpp
check "shellcheck" shellcheck -x "${SCRIPTS[@]}"
check "layer rule" tests/lint/layers.sh
check "link rule" tests/lint/links.sh
check "files do not call each other in circles" python3 tests/lint/circles.py
check "function names" python3 tests/lint/function_names.py
check "fields of messages have names" python3 tests/lint/messages.py
check "catalog of the journal" tests/lint/catalog.sh
check "sandboxes are supervised in one place" one_supervisor
check "sizes of files and functions" tests/lint/sizes.sh
check "every threat has its checks" python3 tests/breakout/covered.py
check "every mutation finds its defence" python3 tests/breakout/mutate.py --applies
check "no names of a build machine" no_private_names
check "no promises in the code" no_promises
check "texts are plain English" python3 tests/lint/words.py
check "headers and public functions are documented" documented
