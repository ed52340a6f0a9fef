#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fetches several times from one runbook-fetcher, whose starter makes the next process ahead:
fetcher_spare.py ROOT URL prints a line for each thing that was seen."""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import fetcher_driver  # noqa: E402


def spare_of(fetcher, not_this=None):
    """The one process that waits for a job."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        children = fetcher.children()
        if len(children) == 1 and children[0] != not_this:
            return children[0]
        time.sleep(0.01)
    raise TimeoutError("no spare process")


def gone(pid):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if not os.path.exists(f"/proc/{pid}"):
            return True
        time.sleep(0.01)
    return False


def fetch(fetcher, serial):
    fetcher.request(serial, "demo", "main")
    return fetcher.answers(1, 120)[serial]["outcome"]


def main():
    repository = {"project": "demo", "url": sys.argv[2], "user": "", "password": b"", "ssh_key": b"",
                  "known_hosts": ""}
    fetcher = fetcher_driver.Fetcher(sys.argv[1], [repository])
    print("before the first fetch:", len(fetcher.children()))
    print("first:", fetch(fetcher, 1))
    spare = spare_of(fetcher)
    os.kill(spare, signal.SIGSTOP)
    fetcher.request(2, "demo", "main")
    time.sleep(0.5)
    print("a fetch waits for the spare:", not fetcher.answered())
    os.kill(spare, signal.SIGCONT)
    print("second:", fetcher.answers(1, 120)[2]["outcome"])
    print("it had one job:", gone(spare))
    spare = spare_of(fetcher, spare)
    os.kill(spare, signal.SIGKILL)
    print("third, after it was killed:", fetch(fetcher, 3))
    spare = spare_of(fetcher, spare)
    print("status:", fetcher.stop())
    print("the last one ends with the fetcher:", gone(spare))


main()
