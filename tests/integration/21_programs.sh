#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Programs that people build and test with run inside, unchanged. Each has a sandbox of
# its own, image "host", network "none". RUNBOOK_TEST_LONG=1 adds every
# stressor of stress-ng's classes cpu, memory and filesystem (four minutes).
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

sandbox() { "$BIN/runbook-sandbox" --root "$TEST_TMP/state" --timeout 120s --grace 1s "$@"; }

# inside "description" [PATTERN]: run the script on standard input, which must end with status 0
# and have a match of the extended regular expression in its output. A few run at a time;
# collect() checks their results.
AT_ONCE=3
DESCRIPTIONS=() PATTERNS=()
inside() {
    local out=$TEST_TMP/out.${#DESCRIPTIONS[@]} script
    script=$(cat)
    DESCRIPTIONS+=("$1") PATTERNS+=("${2:-}")
    while [ "$(jobs -pr | wc -l)" -ge $AT_ONCE ]; do wait -n; done
    {
        sandbox -- bash -euo pipefail -c "$script" >"$out" 2>&1 </dev/null
        echo $? >"$out.status"
    } &
}

collect() {
    local i out status
    wait
    for i in "${!DESCRIPTIONS[@]}"; do
        out=$TEST_TMP/out.$i
        status=$(cat "$out.status")
        if [ "$status" = 0 ] && grep -aEq -- "${PATTERNS[$i]}" "$out"; then
            passed "${DESCRIPTIONS[$i]}"
        else
            failed "${DESCRIPTIONS[$i]} (exit $status, wanted a match of \"${PATTERNS[$i]}\")"
            tail -n 25 "$out" | sed 's/^/    | /'
        fi
    done
}

# ---- compilers and builds ----

inside "gcc and make, in parallel" '^hello 3$' <<'EOF'
for i in 1 2 3 4; do echo "int f$i(void) { return $i; }" >"f$i.c"; done
printf '#include <stdio.h>\nint f1(void), f2(void);\nint main(void) { printf("hello %%d\\n", f1() + f2()); }\n' >main.c
printf 'main: main.o f1.o f2.o f3.o f4.o\n\t$(CC) -o $@ $^\nmain.o: private CFLAGS += -O2 -flto\n' >Makefile
make -j4 && ./main
EOF

inside "g++ and clang" '^42 43$' <<'EOF'
printf '#include <iostream>\n#include <thread>\nint main() { int a = 0; std::thread t([&] { a = 42; }); t.join(); std::cout << a << " "; }\n' >a.cc
g++ -O1 -pthread -o a a.cc
printf '#include <stdio.h>\nint main(void) { puts("43"); }\n' >b.c
clang -o b b.c
./a && ./b
EOF

inside "cmake, ninja-less, and ctest" '100% tests passed' <<'EOF'
printf 'cmake_minimum_required(VERSION 3.10)\nproject(x C)\nadd_executable(x x.c)\nenable_testing()\nadd_test(NAME x COMMAND x)\n' >CMakeLists.txt
echo 'int main(void) { return 0; }' >x.c
cmake -S . -B build && cmake --build build -j2 && cd build && ctest
EOF

inside "autoconf, configure, make check, make distcheck" 'archives ready for distribution' <<'EOF'
printf 'AC_INIT([x],[1])\nAM_INIT_AUTOMAKE([foreign])\nAC_PROG_CC\nAC_CONFIG_FILES([Makefile])\nAC_OUTPUT\n' >configure.ac
printf 'bin_PROGRAMS = x\ncheck_PROGRAMS = t\nTESTS = t\nx_SOURCES = x.c\nt_SOURCES = x.c\n' >Makefile.am
echo 'int main(void) { return 0; }' >x.c
autoreconf -i && ./configure -q && make -s check && grep -q 'PASS:  *1' test-suite.log && make -s distcheck
EOF

inside "a Debian package, as root of nobody" 'Package: x' <<'EOF'
mkdir -p d/DEBIAN d/usr/bin && cp /bin/true d/usr/bin/x && chown 0:0 d/usr/bin/x
printf 'Package: x\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b.invalid>\nDescription: x\n' >d/DEBIAN/control
dpkg-deb --build d >/dev/null && dpkg-deb -I d.deb
fakeroot sh -c 'mknod n c 1 3; chown daemon n; stat -c %U:%F n' | grep 'daemon:character special file'
apt-get --version | grep '^apt ' >/dev/null
EOF

# ---- languages and their package managers ----

inside "python3: venv, a wheel, pip from a simple index on loopback" '^from the wheel$' <<'EOF'
mkdir -p wheel/hello index/simple/hello
echo 'def hi(): print("from the wheel")' >wheel/hello/__init__.py
mkdir wheel/hello-1.0.dist-info
printf 'Metadata-Version: 2.1\nName: hello\nVersion: 1.0\n' >wheel/hello-1.0.dist-info/METADATA
printf 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n' >wheel/hello-1.0.dist-info/WHEEL
printf 'hello/__init__.py,,\nhello-1.0.dist-info/METADATA,,\nhello-1.0.dist-info/WHEEL,,\nhello-1.0.dist-info/RECORD,,\n' >wheel/hello-1.0.dist-info/RECORD
(cd wheel && python3 -m zipfile -c ../index/simple/hello/hello-1.0-py3-none-any.whl hello hello-1.0.dist-info)
python3 -m http.server --bind 127.0.0.1 --directory index 8000 2>server.log &
/usr/bin/python3 -m venv v
v/bin/pip install --no-cache-dir --disable-pip-version-check --index-url http://127.0.0.1:8000/simple hello
v/bin/python -c 'import hello; hello.hi()'
EOF

inside "python3: processes, threads, asyncio, shared memory, sockets" '^all well$' <<'EOF'
cat >p.py <<'PY'
import asyncio, concurrent.futures, multiprocessing, multiprocessing.shared_memory, os, socket, tempfile
def square(x): return x * x
async def child():
    process = await asyncio.create_subprocess_exec("true")
    return await process.wait()
if __name__ == "__main__":
    with multiprocessing.Pool(4) as pool: assert pool.map(square, range(9))[8] == 64
    with concurrent.futures.ThreadPoolExecutor() as pool: assert list(pool.map(square, [3])) == [9]
    assert asyncio.run(child()) == 0
    memory = multiprocessing.shared_memory.SharedMemory(create=True, size=4096); memory.close(); memory.unlink()
    a, b = socket.socketpair(); a.send(b"x"); assert b.recv(1) == b"x"
    six = socket.create_server(("::1", 0), family=socket.AF_INET6)
    socket.create_connection(six.getsockname()[:2]).close()
    os.posix_spawn("/bin/true", ["true"], {}); os.wait()
    print("all well")
PY
python3 p.py
EOF

inside "node: workers, child processes, files watched, http; npm from a tarball" '^1.2.3 changed hello child worker$' <<'EOF'
mkdir -p dep app
echo '{"name":"dep","version":"1.2.3","main":"index.js"}' >dep/package.json
echo 'module.exports = require("./package.json").version' >dep/index.js
(cd dep && npm pack --silent >/dev/null)
cd app && echo '{"name":"app","version":"1.0.0"}' >package.json
npm install --offline --no-audit --no-fund --silent ../dep/dep-1.2.3.tgz
cat >app.js <<'JS'
const fs = require('fs'), http = require('http'), os = require('os');
const { Worker } = require('worker_threads');
(async () => {
  const said = [require('dep')];
  fs.writeFileSync('watched', '1');
  said.push(await new Promise((done) => {
    const watcher = fs.watch('watched', () => { watcher.close(); done('changed'); });
    setTimeout(() => fs.writeFileSync('watched', '2'), 50);
  }));
  said.push(await new Promise((done) => {
    const server = http.createServer((_, answer) => answer.end('hello')).listen(0, '127.0.0.1', () =>
      http.get({ host: '127.0.0.1', port: server.address().port }, (answer) =>
        answer.on('data', (data) => { server.close(); done(data.toString()); })));
  }));
  said.push(require('child_process').execFileSync('echo', ['child']).toString().trim());
  said.push(await new Promise((done) =>
    new Worker('require("worker_threads").parentPort.postMessage("worker")', { eval: true }).on('message', done)));
  console.log(said.join(' '));
  process.exit(os.cpus().length > 0 ? 0 : 1);
})();
JS
node app.js
EOF

inside "java: javac, threads, a child process, a socket" '^thread child 7$' <<'EOF'
cat >A.java <<'JAVA'
import java.net.*;
public class A {
    public static void main(String[] a) throws Exception {
        Thread t = new Thread(() -> System.out.print("thread "));
        t.start(); t.join();
        Process p = new ProcessBuilder("echo", "child").start();
        System.out.print(new String(p.getInputStream().readAllBytes()).trim() + " ");
        try (ServerSocket s = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
             Socket c = new Socket(s.getInetAddress(), s.getLocalPort()); Socket d = s.accept()) {
            c.getOutputStream().write(7);
            System.out.println(d.getInputStream().read());
        }
    }
}
JAVA
java -version 2>&1 | grep version >/dev/null
javac A.java && java -Xmx256m A
EOF

inside "perl: fork, sockets, file locks, sysv ipc" '^well$' <<'EOF'
perl -e 'use strict; use IO::Socket::INET; use IPC::SysV qw(IPC_PRIVATE IPC_RMID S_IRUSR S_IWUSR); use Fcntl qw(:flock);
my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") or die;
if (!fork) { IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $s->sockport) or die; exit 0 }
$s->accept or die; wait; die if $?;
open my $f, ">", "lock" or die; flock $f, LOCK_EX or die;
my $q = msgget(IPC_PRIVATE, S_IRUSR | S_IWUSR) // die; msgctl($q, IPC_RMID, 0) or die; print "well\n"'
echo 'puts tcl' | tclsh | grep -x tcl >/dev/null
EOF

# ---- version control, data, transport ----

inside "git: init, commit, clone, worktree, gc, bisect" 'first bad commit' <<'EOF'
git init -q -b main r && cd r
git config user.email a@b.invalid && git config user.name n
for i in 1 2 3 4 5; do echo $i >f; git add f; git commit -qm "$i"; done
git clone -q "file://$PWD" ../s && git -C ../s log --oneline | grep . >/dev/null
git worktree add -q ../w HEAD~1 && git gc -q && git fsck --strict
git bisect start HEAD HEAD~4 && git bisect run sh -c 'test "$(cat f)" -lt 4'
EOF

inside "openssl: s_server and s_client over loopback" 'Verify return code: 0' <<'EOF'
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -out c -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -days 1 2>/dev/null
openssl s_server -quiet -accept 127.0.0.1:4433 -key k -cert c -www &
for i in $(seq 50); do
    printf 'GET / HTTP/1.0\r\n\r\n' | timeout 5 openssl s_client -connect 127.0.0.1:4433 -servername localhost \
        -CAfile c -ign_eof >answer 2>&1 && break
    sleep 0.1
done
cat answer
kill $!
EOF

inside "sqlite3: write-ahead log, two at once" '^2000$' <<'EOF'
sqlite3 db 'pragma journal_mode=wal; create table t(x)' >/dev/null
add() { for i in $(seq 10); do
    echo '.timeout 20000
    with recursive n(i) as (select 1 union all select i+1 from n where i<100) insert into t select i from n;' | sqlite3 db; done; }
add & add; wait
sqlite3 db 'pragma integrity_check' | grep -x ok >/dev/null
sqlite3 db 'select count(*) from t'
EOF

inside "ssh-keygen, ssh over a pipe to its own server" '^over ssh$' <<'EOF'
ssh-keygen -q -t ed25519 -N '' -f host && ssh-keygen -q -t ed25519 -N '' -f user && chmod 700 .
cp user.pub authorized && mkdir -p /run/sshd
grep -q '^sshd:' /etc/passwd || useradd -r -d /run/sshd -s /usr/sbin/nologin sshd
usermod -p '*' root
printf 'StrictModes no\nUsePAM no\nPermitRootLogin yes\nAuthorizedKeysFile %s/authorized\n' "$PWD" >config
ssh -F none -o ProxyCommand="/usr/sbin/sshd -i -f $PWD/config -h $PWD/host" -o StrictHostKeyChecking=no \
    -o UserKnownHostsFile=/dev/null -i user root@localhost echo over ssh
EOF

inside "tar, gzip, bzip2, xz, zstd: owners, modes, links, holes, attributes" '^same$' <<'EOF'
mkdir -p a/b && echo x >a/f && ln a/f a/hard && ln -s f a/soft && mkfifo a/fifo && truncate -s 10M a/hole
chown 1000:100 a/f && chmod 2751 a/b && setfattr -n user.test -v 1 a/f && setcap cap_net_bind_service+ep a/f
for z in gzip bzip2 xz zstd; do
    tar --xattrs --xattrs-include='*' -S -c --$z -f a.$z a && mkdir $z
    tar --xattrs --xattrs-include='*' -x --$z -f a.$z -C $z
    (cd $z/a && find . -printf '%p %y %m %U:%G %n %s %l\n' | sort; getfattr -d -m - f; du f) >$z.list
    cmp gzip.list $z.list
done
grep -q '^./f f 751 1000:100 2 2 $\|^./f f 644 1000:100 2 2 $' gzip.list && grep -q 'user.test="1"' gzip.list && grep -q security.capability gzip.list
echo same
EOF

inside "busybox" '^root root$' <<'EOF'
busybox sh -c 'busybox id -un; busybox id -gn' | busybox xargs
EOF

# ---- debuggers and sanitizers, for processes of the step itself ----

inside "strace of a shell and its children" 'execve\("/[a-z/]*true"' <<'EOF'
strace -f -o trace sh -c 'true; /bin/true & wait' && cat trace
EOF

inside "gdb: break, run, bt, attach" '^#0 +inner .*|in pause' <<'EOF'
printf '#include <unistd.h>\nint inner(int x) { return x - 3; }\nint main(int n, char **v) { if (n > 1) pause(); return inner(3); }\n' >a.c
gcc -g -O0 -o a a.c
gdb -nx -batch -ex 'break inner' -ex run -ex bt -ex continue ./a >run.log 2>&1
grep '^#1 .* main' run.log && grep 'exited normally' run.log
./a wait & sleep 0.2
gdb -nx -batch -p $! -ex bt >attach.log 2>&1
grep main attach.log && kill $! && cat run.log attach.log
EOF

inside "address, leak, thread, undefined behaviour sanitizers" 'detected memory leaks' <<'EOF'
printf '#include <stdlib.h>\nint main(int n, char **v) { char *volatile p = malloc(7); if (n > 1) p[7] = 1; p = 0; return 0; }\n' >a.c
gcc -g -fsanitize=address,undefined -o a a.c && ! ./a >leak.log 2>&1 && ! ./a x >overflow.log 2>&1
grep heap-buffer-overflow overflow.log
printf '#include <pthread.h>\nint x; static void *f(void *a) { x++; return a; }\n' >t.c
printf 'int main(void) { pthread_t t; pthread_create(&t, 0, f, 0); x++; pthread_join(t, 0); return 0; }\n' >>t.c
gcc -g -fsanitize=thread -o t t.c -pthread && { ./t >race.log 2>&1 || true; } && grep 'data race' race.log
cat leak.log
EOF

inside "valgrind" 'definitely lost: 7 bytes' <<'EOF'
printf '#include <stdlib.h>\nint main(void) { char *volatile p = malloc(7); p = 0; return 0; }\n' >a.c
gcc -g -o a a.c && valgrind --leak-check=full ./a
EOF

# ---- terminals, users, processes ----

inside "job control under a terminal of one's own" '^back and done' <<'EOF'
script -qec 'bash -ic "sleep 0.3 & jobs; fg >/dev/null; echo back and done"' /dev/null
EOF

inside "tmux" '^in tmux$' <<'EOF'
tmux -L x -f /dev/null new-session -d 'echo in tmux >out; sleep 5'
for i in $(seq 50); do [ -s out ] && break; sleep 0.1; done
cat out && tmux -L x kill-server
EOF

inside "su, runuser, setpriv, sudo: down, and not up again" '^1000 65534 33 1000 1001$' <<'EOF'
! su user -c 'su root -c true </dev/null || sudo -n true' 2>/dev/null
useradd -m someone && su someone -c 'cd && touch file && test "$(stat -c %U file)" = someone'
echo "$(su user -c 'id -u') $(runuser -u nobody -- id -u)" \
    "$(setpriv --reuid 33 --regid 33 --clear-groups id -u) $(sudo -u user id -u) $(su - someone -c 'id -u')"
EOF

inside "ping of the loopback, by root and by others" '^2$' <<'EOF'
{ ping -qc1 -W2 127.0.0.1 && su user -c 'ping -qc1 -W2 ::1'; } | grep -c ' 0% packet loss'
EOF

inside "nice, taskset, chrt, ionice, prlimit, flock, timeout, setarch" '^i686$' <<'EOF'
nice -n 5 ionice -c 3 taskset -c 0 chrt --idle 0 prlimit --nofile=1000:1000 flock lock timeout 10 setarch i686 uname -m
EOF

inside "a namespace of its own is refused, and says so" 'unshare failed: Operation not permitted' <<'EOF'
! unshare -U true
! unshare -m true
EOF

collect

# ---- stress-ng, which verifies its own results ----

# Left out, because a step may not do what they do:
#   numa      get_mempolicy: pages and nodes shared with other processes
#   binderfs  mounts a file system
#   handle    name_to_handle_at: reaches files past mounts
#   uprobe    writes to the kernel's tracing files, which a step does not have
LEFT_OUT=numa,binderfs,handle,uprobe
SOME=atomic,bsearch,cpu,fork,futex,getdent,hash,malloc,memfd,mmap,mremap,pipe,pthread,rename,shm,shm-sysv,sock,udp,vm

# stress ARGUMENT...: run stress-ng, which must succeed and leave no process
stress() {
    # shellcheck disable=SC2016  # expanded by the shell inside
    sandbox --disk 2G --timeout 900s -- bash -c '
        stress-ng "$@" --timeout 1 --verify 2>&1 || exit 1
        ! ps -eo comm= | grep "^stress-ng"' stress "$@"
}
for stressor in ${SOME//,/ }; do SOME_ARGUMENTS+=(--"$stressor" 1); done
check "stress-ng succeeds with some stressors at once" stress "${SOME_ARGUMENTS[@]}" --vm-bytes 32M
if [ -n "${RUNBOOK_TEST_LONG:-}" ]; then
    for class in cpu memory filesystem; do
        check "stress-ng succeeds with every stressor of class $class" \
            stress --class $class --sequential 1 --exclude $LEFT_OUT
    done
fi
