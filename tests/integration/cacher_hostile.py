#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a hostile step may try at its artifact socket: cacher_hostile.py SOCKET PID

Ends with a message and status 1 when the service does something it must not.
"""
import array
import os
import random
import resource
import socket
import struct
import sys
import tempfile
import threading
import time

PATH, PID = sys.argv[1], int(sys.argv[2])
MAGIC = 0x31414252
ANSWER = struct.Struct("<IHBBIIQqII")
OK, INVALID, NO_KEY, OVER, FAILED, HELLO = range(6)


def fail(text):
    print(text)
    sys.exit(1)


def exactly(sock, size):
    data = b""
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part:
            return None
        data += part
    return data


def connect(timeout=20):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(timeout)
    for attempt in range(200):
        try:
            sock.connect(PATH)
            break
        except BlockingIOError:  # the queue of connections is full, on a busy machine
            time.sleep(0.05)
    hello = ANSWER.unpack(exactly(sock, ANSWER.size))
    if hello[1] != HELLO:
        fail("no greeting")
    return sock


def request(verb, kind=0, key=b"", magic=MAGIC, version=1, reserved=0, length=None):
    return struct.pack("<IBBBBII", magic, version, verb, kind, reserved,
                       len(key) if length is None else length, 0o644) + key


def answer(sock):
    """Status and text, or None when the service hung up."""
    try:
        head = exactly(sock, ANSWER.size)
    except ConnectionResetError:
        return None
    if head is None:
        return None
    head = ANSWER.unpack(head)
    return head[1], (exactly(sock, head[4]) or b"").decode()


def put_fds(fds, key=b"hostile", kind=1):
    sock = connect()
    sock.sendmsg([request(1, kind, key)],
                 [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
    result = answer(sock)
    sock.close()
    return result


def expect(name, got, *statuses):
    if got is None and None in statuses:
        return
    if got is None or got[0] not in statuses:
        fail("%s: %r" % (name, got))


def descriptors():
    read, write = os.pipe()
    expect("FIFO", put_fds([read]), INVALID)
    directory = os.open("/", os.O_RDONLY)
    expect("directory", put_fds([directory]), INVALID)
    expect("device", put_fds([os.open("/dev/zero", os.O_RDONLY)]), INVALID)
    with tempfile.NamedTemporaryFile() as file:
        expect("write-only", put_fds([os.open(file.name, os.O_WRONLY)]), INVALID)
        expect("O_PATH", put_fds([os.open(file.name, os.O_PATH)]), INVALID)
    left, _right = socket.socketpair()
    expect("socket", put_fds([left.fileno()]), INVALID)
    expect("procfs", put_fds([os.open("/proc/self/maps", os.O_RDONLY)]), INVALID)
    expect("none", put_fds([]), INVALID)
    with tempfile.TemporaryFile() as file:
        file.write(b"x")
        file.flush()
        expect("many", put_fds([file.fileno()] * 50), OK)


def put_growing():
    """Put a file that another thread extends all the time."""
    stop = threading.Event()
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"x" * 4000000)
        file.flush()
        file.truncate(64 << 20)

        def grow():
            while not stop.is_set():
                os.pwrite(file.fileno(), b"y" * 4096, os.fstat(file.fileno()).st_size)

        thread = threading.Thread(target=grow)
        thread.start()
        result = put_fds([os.open(file.name, os.O_RDONLY)])
        stop.set()
        thread.join()
    return result


def growing():
    # A put reads the file in a few milliseconds. The thread may not run meanwhile when every
    # processor is busy, and a file that did not change is stored: hence more than one attempt.
    for _ in range(50):
        result = put_growing()
        if result and result[0] == INVALID:
            break
    expect("growing file", result, INVALID)
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(8 << 40)
        begin = time.monotonic()
        expect("8 TiB of nothing", put_fds([os.open(file.name, os.O_RDONLY)]), OVER)
        if time.monotonic() - begin > 60:
            fail("a sparse file was read")


def garbage():
    generator = random.Random(4711)
    for i in range(200):
        sock = connect()
        try:
            sock.sendall(generator.randbytes(generator.randrange(1, 600)))
            sock.shutdown(socket.SHUT_WR)
            expect("garbage", answer(sock), INVALID, None)
        except (BrokenPipeError, ConnectionResetError):
            pass
        sock.close()
    for name, data in {
        "magic": request(4, magic=1),
        "version": request(4, version=9),
        "verb": request(77),
        "verb 0": request(0),
        "reserved": request(4, reserved=1),
        "kind with get": request(2, 1, b"k"),
        "no kind with put": request(1, 0, b"k"),
        "kind 200": request(1, 200, b"k"),
        "key of ls": request(4, 0, b"k"),
        "long key": request(2, 0, b"k" * 256),
        "huge key": request(2, 0, b"", length=0xFFFFFFFF),
        "no key": request(2),
        "climbing": request(2, 0, b"../../etc/passwd"),
        "absolute": request(2, 0, b"/etc/passwd"),
        "newline": request(2, 0, b"a\nb"),
        "NUL": request(2, 0, b"a\0b"),
        "UTF-8": request(2, 0, "ü".encode()),
    }.items():
        sock = connect()
        sock.sendall(data)
        expect(name, answer(sock), INVALID)
        sock.close()


def archives():
    for name, chunks, wanted in (
        ("chunk too long", struct.pack("<I", (1 << 20) + 1) + b"x", [INVALID, None]),
        ("aborted", struct.pack("<I", 3) + b"abc" + struct.pack("<I", 0xFFFFFFFF), [None]),
        ("cut off", struct.pack("<I", 3) + b"ab", [None]),
        ("no end", struct.pack("<I", 3) + b"abc", [None]),
    ):
        sock = connect()
        sock.sendall(request(1, 2, b"half") + chunks)
        sock.shutdown(socket.SHUT_WR)
        expect(name, answer(sock), *wanted)
        sock.close()
    sock = connect()
    sock.sendall(request(2, 0, b"half"))
    expect("half an archive", answer(sock), NO_KEY)


def flood():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    held = []
    refused = 0
    for _ in range(10000):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            sock.connect(PATH)
            held.append(sock)
        except (BlockingIOError, OSError):
            sock.close()
            refused += 1
    time.sleep(1)
    with open("/proc/%d/status" % PID, encoding="ascii") as status:
        facts = dict(line.split(":", 1) for line in status)
    threads, memory = int(facts["Threads"]), int(facts["VmRSS"].split()[0])
    if threads > 60:
        fail("%d threads for one step" % threads)
    if memory > 64 * 1024:
        fail("%d KiB resident" % memory)
    other = PATH[:-1] + "a"  # another step is served at once
    begin = time.monotonic()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(5)
    sock.connect(other)
    exactly(sock, ANSWER.size)
    sock.sendall(request(4))
    expect("ls of another step during a flood", answer(sock), OK)
    if time.monotonic() - begin > 3:
        fail("another step waited %.1f s" % (time.monotonic() - begin))
    for sock in held:
        sock.close()
    # the step itself is served again
    sock = connect(30)
    sock.sendall(request(4))
    expect("ls after the flood", answer(sock), OK)


def silent():
    """A client that never asks is dropped."""
    sock = connect(30)
    sock.sendall(request(2, 0, b"key")[:7])
    begin = time.monotonic()
    if sock.recv(1) != b"" or not 8 < time.monotonic() - begin < 40:
        fail("half a request was kept for %.1f s" % (time.monotonic() - begin))


for test in (descriptors, growing, garbage, archives, flood, silent):
    test()
print("ok")
