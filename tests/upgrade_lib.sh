# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Functions for suites that need programs of another version: an earlier commit, or this tree
# with changed kept structs. Objects of this tree are reused where nothing changed.

# version_tree DIRECTORY: copy this tree, with its objects
version_tree() {
    mkdir -p "$1/build"
    tar -C "$TOP" --exclude=./build --exclude=./.git -cf - . | tar -C "$1" -xf - &&
        cp -a "$TOP/build/obj" "$TOP/build/obj-static" "$1/build/"
}

# version_commit DIRECTORY COMMIT: put that commit's files there; unchanged files keep their
# time, so that only changed ones are compiled
version_commit() {
    mkdir -p "$1.new"
    version_tree "$1" && git -C "$TOP" archive "$2" | tar -C "$1.new" -xf - || return 1
    python3 - "$1" "$1.new" <<'P'
import filecmp, os, shutil, sys
tree, new = sys.argv[1:]
wanted = set()
for folder, _, names in os.walk(new):
    for name in names:
        source = os.path.join(folder, name)
        target = os.path.join(tree, os.path.relpath(source, new))
        wanted.add(target)
        if os.path.islink(source) or not os.path.exists(target) or not filecmp.cmp(source, target, shallow=False):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if os.path.lexists(target):
                os.unlink(target)
            shutil.copy(source, target, follow_symlinks=False)
            if not os.path.islink(source):
                os.utime(target)
for folder, folders, names in os.walk(tree):
    if folder == tree:
        folders.remove("build")
    for name in names:
        path = os.path.join(folder, name)
        if path not in wanted:
            os.unlink(path)
# the dependencies would still name a header that is gone
for folder, _, names in os.walk(os.path.join(tree, "build")):
    for name in names:
        if name.endswith(".d"):
            path = os.path.join(folder, name)
            with open(path) as file:
                words = file.read().replace("\\\n", " ").split()
            if any(not os.path.exists(os.path.join(tree, word.rstrip(":"))) and not word.startswith("/")
                   for word in words if word.endswith((".h", ".c", ".h:"))):
                os.unlink(path)
                for other in (path[:-2] + ".o",):
                    if os.path.exists(other):
                        os.unlink(other)
P
    rm -rf "$1.new"
}

# version_build DIRECTORY: build its programs, in DIRECTORY/build/bin
version_build() {
    make -C "$1" -j"$(nproc)" -s programs >"$1.log" 2>&1 && return 0
    tail -n 20 "$1.log" | sed 's/^/    | /'
    return 1
}

# version_key NAME: print a key that changes when the version's programs do
version_key() {
    case $1 in
    previous) git -C "$TOP" rev-parse 'HEAD~1^{commit}' ;;
    d2e21e4) git -C "$TOP" rev-parse 'd2e21e4^{commit}' ;;
    *) (cd "$TOP" && find . \( -path ./build -o -path ./tests/unit -o -path ./tests/fuzz \) -prune -o \
        \( -name '*.[ch]' -o -name Makefile -o -name 'upgrade_variants*' \) -type f -print0 |
        sort -z | xargs -0 sha256sum | sha256sum) ;;
    esac
}

# version_make NAME: make its bin/ and systemd/ in build/versions/NAME, unless they exist;
# two suites that need the same version at once wait for each other
version_make() {
    local name=$1 dir=$TOP/build/versions/$1 key
    mkdir -p "$dir"
    key=$(version_key "$name") || return 1
    (
        flock 9
        [ "$(cat "$dir/key" 2>/dev/null)" != "$key" ] || exit 0
        rm -rf "${dir:?}"/{key,bin,systemd,tree}
        case $name in
        previous | d2e21e4) version_commit "$dir/tree" "$key" ;;
        *) version_tree "$dir/tree" && "$TOP/tests/upgrade_variants.py" "$dir/tree" "$name" ;;
        esac && version_build "$dir/tree" || exit 1
        mv "$dir/tree/build/bin" "$dir/bin" && cp -r "$dir/tree/packaging/systemd" "$dir/systemd" || exit 1
        [ ! -e "$dir/tree/daemon/kept_fields.h" ] || touch "$dir/systemd/tagged"
        rm -rf "$dir/tree" "$dir/tree.log"
        echo "$key" >"$dir/key"
    ) 9>"$dir/lock"
}
version_is_tagged() { [ -e "$TOP/build/versions/$1/systemd/tagged" ]; }

# versions_possible: fail with a sentence if there is no earlier commit to build
versions_possible() {
    if ! git -C "$TOP" rev-parse --git-dir >/dev/null 2>&1; then
        echo "an upgrade needs the previous commit's programs, and $TOP is not a git repository: run this in a clone"
        return 1
    fi
    git -C "$TOP" rev-parse --verify -q 'HEAD~1^{commit}' >/dev/null && return
    echo "an upgrade needs the previous commit's programs, which this clone does not have: git fetch --unshallow"
    return 1
}
# version_raw: commit d2e21e4, if the history has it
version_raw() { git -C "$TOP" rev-parse --verify -q 'd2e21e4^{commit}' >/dev/null && echo d2e21e4; }

# ---- steps that count until they are told to stop ----

# step_pids MARK: print the shells of those steps. A child that a shell has just forked looks alike.
step_pids() {
    local pids
    pids=$(pgrep -d, -f -- "# $1") || return 0
    ps -o pid=,ppid= -p "$pids" |
        awk '{ parent[$1] = $2 } END { for (pid in parent) if (!(parent[pid] in parent)) print pid }'
}

# steps_end MARK: make them stop counting. A signal to the shell could interrupt one of its writes,
# which then fails; so their background process gets it.
steps_end() {
    local pid
    for pid in $(step_pids "$1"); do
        pkill -PIPE -P "$pid" -f '^sleep 5h$' || return
    done
}

# counters_yaml MARK: print a runbook.yml of five of them, which uses secret TOKEN of ENV prod
counters_yaml() {
    local loop="sleep 5h & i=0; while kill -0 \$! 2>/dev/null; do"
    cat <<Y
global: {network: none, timeout: 5h}
steps:
  - name: tick
    command: |
      $loop echo \$((++i)); sleep 0.01 || true; done; echo end \$i; exit 3 # $1
  - name: pour
    command: |
      $loop echo \$((++i)); [ \$((i % 500)) != 0 ] || sleep 0.05 || true; done; echo end \$i; exit 4 # $1
  - name: terminal
    tty: true
    command: |
      $loop echo \$((++i)); sleep 0.01 || true; done; echo end \$i; exit 5 # $1
  - name: secret
    env: {ENV: prod}
    command: |
      $loop echo "\$((++i)) \$TOKEN."; printf %s "\$TOKEN" >&2; sleep 0.01 || true; done; echo end \$i; exit 6 # $1
  - name: out
    network: egress
    command: |
      $loop echo \$((++i)); sleep 0.02 || true; done; ip route get 1.1.1.1 >&2; echo end \$i; exit 7 # $1
Y
}

# numbers: print "whole N" if the input is 1, 2, 3, … N and "end N"
numbers() {
    tr -d '\r' | awk '$1 == "end" { e = $2; next } $1 != ++n { print "line " NR " is " $0; bad = 1; exit }
        END { if (!bad) print (e == n ? "whole" : "cut at " n), e }'
}

# check_counters RUN MARK WHAT: make the counters end, and check their logs and results
check_counters() {
    local run=$1 what=$3 slug
    check "$what: running steps were found and made to stop" steps_end "$2"
    check_equal "$what: the run ends as failed" failed "$(wait_run "$run" 60)"
    for slug in tick pour terminal; do
        check_match "$what: the log of $slug has every number" '^whole [0-9]+$' "$(step_log "$run" $slug | numbers)"
    done
    check_match "$what: the log of the step with egress has every number" '^whole [0-9]+$' \
        "$(step_log "$run" out | grep -v -E ' via .* dev eth0|^ *cache *$' | numbers)"
    check_match "$what: its network worked to the end" ' via .* dev eth0' "$(step_log "$run" out)"
    check_match "$what: secrets are masked, and nothing else is lost" '^whole [0-9]+$' \
        "$(step_log "$run" secret | awk '/whatNobody/ { print "shown in line " NR; exit } { gsub(/\*\*\*/, ""); print }' | numbers)"
    check_equal "$what: each step has its own exit code" "3 4 5 6 7" \
        "$(api "runs/$run" | jq -r '[.steps[].exit_code | tostring] | join(" ")')"
    check_equal "$what: each ran once" 5 "$(api "runs/$run" | jq '[.steps[].attempts | length] | add')"
}
