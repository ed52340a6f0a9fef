# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by suites that need programs of another version: an earlier commit, or this
# tree with its kept structs changed. Objects of this tree are used where nothing changed.

# version_tree DIRECTORY: this tree, with its objects
version_tree() {
    mkdir -p "$1/build"
    tar -C "$TOP" --exclude=./build --exclude=./.git -cf - . | tar -C "$1" -xf - &&
        cp -a "$TOP/build/obj" "$TOP/build/obj-static" "$1/build/"
}

# version_commit DIRECTORY COMMIT: that commit's files; what is the same keeps its age, so
# that only what differs is compiled
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
# a header that is gone would still be asked for
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

# version_build DIRECTORY: its programs, in DIRECTORY/build/bin
version_build() {
    make -C "$1" -j"$(nproc)" -s programs >"$1.log" 2>&1 && return 0
    tail -n 20 "$1.log" | sed 's/^/    | /'
    return 1
}
