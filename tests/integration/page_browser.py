#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the page does in a browser: page_browser.py BASE-URL API-SOCKET DAEMON-PID RUNS.json SHOTS.

Looks at roles and at what people read and do, never at how the markup is made, so that it holds
for any page. Prints "ok NAME" or "not ok NAME: WHY" for each check."""
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from webdriver import Browser, WebDriverError, WAIT_SECONDS  # noqa: E402

BASE, SOCKET, DAEMON, RUNS, SHOTS = sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4]), sys.argv[5]

# The log that is shown, and what can be pressed that has a name.
LOG = "const log = document.querySelector('[role=log]') || document.querySelector('pre');"
NAMED = """const named = (name) => [...document.querySelectorAll('button, [role=button], a, [role=tab], [role=option]')]
    .find((item) => item.offsetParent && item.innerText.split('\\n').some((line) => line.trim() === name));"""
CURRENT = "const current = () => document.querySelector('[aria-current=true], [aria-current=step], [aria-selected=true]');"


def say(good, name, why=""):
    detail = f": {why}".replace("\n", "\\n") if why and not good else ""
    print(("ok " if good else "not ok ") + name + detail, flush=True)
    return good


class UnixConnection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(WAIT_SECONDS)
        self.sock.connect(SOCKET)


def api(method, path, body="{}"):
    """The body; asked again while a process of the daemon restarts."""
    end = time.monotonic() + WAIT_SECONDS
    while True:
        connection = UnixConnection("runbook")
        try:
            connection.request(method, "/api/v1" + path, body if method == "POST" else None,
                               {"Content-Type": "application/json"})
            answer = connection.getresponse()
            body = answer.read()
            if answer.status < 500:
                return body
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        if time.monotonic() > end:
            raise RuntimeError(f"{method} {path} is not answered")
        time.sleep(0.1)


def state(run):
    return json.loads(api("GET", f"/runs/{run}"))["state"]


def child(name):
    """Pid of a process of the daemon, None while it is away."""
    found = subprocess.run(["pgrep", "-P", str(DAEMON), "-x", name[:15]], stdout=subprocess.PIPE, text=True, check=False)
    pids = found.stdout.split()
    return int(pids[0]) if pids else None


def log_text(browser):
    return browser.run(LOG + "return log ? log.textContent : '';")


def last_tick(browser):
    return browser.run(LOG + """const all = (log ? log.textContent : '').match(/tick [0-9]+(?=\\n)/g) || [];
        return all.length ? Number(all[all.length - 1].slice(5)) : -1;""")


def open_run(browser, run, step=None):
    browser.open(f"{BASE}/runs/{run}")
    if not browser.wait(f"return document.title.includes('#{run}')"):
        return False
    if step is None:
        return True
    item = browser.wait(NAMED + "return named(arguments[0]) || null;", step)
    if not item:
        return False
    browser.run(NAMED + "named(arguments[0]).click();", step)
    return True


# ---- a followed log ----

def follow_goes_on(browser, what, disturb):
    """More ticks come after a process was disturbed, and each of them once."""
    before = last_tick(browser)
    disturb()
    more = browser.wait(LOG + """const all = log.textContent.match(/tick [0-9]+(?=\\n)/g) || [];
        return all.length && Number(all[all.length - 1].slice(5)) > arguments[0];""", before + 20)
    say(more, f"a followed log goes on after {what}", f"it stands at tick {last_tick(browser)}, was {before}: "
        + log_text(browser)[-200:])


def kill(name):
    pid = child(name)
    os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + WAIT_SECONDS
    while child(name) in (None, pid) and time.monotonic() < end:
        time.sleep(0.05)


def upgrade():
    before = child("runbook-api")
    os.kill(DAEMON, signal.SIGUSR2)
    end = time.monotonic() + WAIT_SECONDS
    while child("runbook-api") in (None, before) and time.monotonic() < end:
        time.sleep(0.05)


def test_follow(browser):
    run = RUNS["ticker"]
    open_run(browser, run, "ticker")
    if not say(browser.wait(LOG + "return log && log.textContent.includes('tick 5\\n')"), "a running log is followed",
               log_text(browser)[-200:]):
        return
    follow_goes_on(browser, "the death of the api", lambda: kill("runbook-api"))
    follow_goes_on(browser, "the death of the scheduler", lambda: kill("runbook-scheduler"))
    follow_goes_on(browser, "an upgrade of the daemon", upgrade)
    follow_goes_on(browser, "another death of the api", lambda: kill("runbook-api"))


def test_follow_cut(browser):
    """The log has a hole: a new connection goes on where the last one was, not where its bytes end."""
    open_run(browser, RUNS["ticker"], "cut")
    browser.wait(LOG + "return log && log.textContent.includes('tick 5\\n')")
    say("bytes are missing here" in log_text(browser), "the page says where a log was cut", log_text(browser)[:300])
    follow_goes_on(browser, "the death of the api, of a log that was cut", lambda: kill("runbook-api"))
    again = browser.run(LOG + """const all = log.textContent.match(/^(tick|line) [0-9]+(?=[ \\n])/gm);
        return all.filter((line, i) => all.indexOf(line) !== i).slice(0, 5);""")
    say(again == [], "and shows each of its lines once", str(again))


def test_follow_ends(browser):
    run = RUNS["ticker"]
    api("POST", f"/runs/{run}/cancel")
    ended = browser.wait("return document.body.innerText.includes('cancelled')")
    say(ended, "the end of the run is shown")
    wanted = api("GET", f"/runs/{run}/steps/ticker/log").decode()
    same = browser.wait(LOG + "return log.textContent === arguments[0]", wanted)
    shown = log_text(browser)
    say(same, "the log is there to the byte, without a gap or a repetition",
        f"{len(shown)} characters of {len(wanted)}: ...{shown[-100:]!r}")
    say("error" not in browser.run("return document.body.innerText").lower(), "and no error is left on the page")


# ---- clicks, focus and selection while things change ----

def changes(browser, times):
    """Wait until what the page says of a running step has changed so many times."""
    seen = browser.run("return document.body.innerText")
    for _ in range(times):
        if not browser.wait(LOG + """const copy = document.body.cloneNode(true);
                copy.querySelectorAll('[role=log], pre').forEach((part) => part.remove());
                window.seenText = window.seenText || copy.textContent;
                if (copy.textContent === window.seenText) return false;
                window.seenText = copy.textContent; return true;"""):
            return False
    return bool(seen)


def test_focus(browser):
    open_run(browser, RUNS["ticker"], "ticker")
    item = browser.wait(NAMED + "return named('second') || null;")
    browser.run("arguments[0].focus()", item)
    if not say(changes(browser, 3), "a running run changes on the page"):
        return
    still = browser.run("return document.activeElement !== document.body && document.activeElement.innerText.includes('second')")
    say(still, "the focus stays where it was while the page changes",
        browser.run("return document.activeElement.tagName"))
    try:
        item.click()
        clicked = True
    except WebDriverError as error:
        clicked = str(error)
    say(clicked is True, "what was there some changes ago can be clicked", clicked)
    say(browser.wait(LOG + "return log.textContent.includes('I am the second')"), "and its log is shown",
        log_text(browser)[-100:])
    browser.run(NAMED + "named('ticker').focus();")
    changes(browser, 2)
    browser.press("\ue007")
    say(browser.wait(LOG + "return log.textContent.includes('tick 1\\n')"), "Enter opens the step that has the focus",
        log_text(browser)[-100:])


def test_list(browser):
    browser.open(BASE + "/")
    if not say(browser.wait(f"return document.body.innerText.includes('#{RUNS['failing']}')"), "the list has the runs"):
        return
    browser.run("""const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        let node; while ((node = walker.nextNode())) if (node.data.trim() === 'a change') break;
        const range = document.createRange(); range.selectNodeContents(node);
        getSelection().removeAllRanges(); getSelection().addRange(range);
        document.querySelector("a[href='/runs/%d']").focus({preventScroll: true});""" % RUNS["failing"])
    asked = "return performance.getEntriesByType('resource').filter((entry) => entry.name.includes('/api/v1/runs')).length"
    before = browser.run(asked)
    say(browser.wait(asked + " >= arguments[0]", before + 3), "the list asks again")
    say(browser.run("return String(getSelection())").strip() == "a change", "a selection in the list stays",
        repr(browser.run("return String(getSelection())")))
    say(browser.run("return document.activeElement.getAttribute('href')") == f"/runs/{RUNS['failing']}",
        "so does the focus", browser.run("return document.activeElement.tagName"))


# ---- a first request that fails ----

def test_first_request(browser):
    wanted = ((f"/runs/{RUNS['failing']}", f"#{RUNS['failing']}"), ("/", f"#{RUNS['failing']}"), ("/queue", "running"))
    browser.cdp("Network.enable")
    for path, text in wanted:
        browser.cdp("Network.setBlockedURLs", urls=["*/api/v1/*"])
        browser.open(BASE + path)
        browser.wait("return document.body.innerText.length > 0")
        say(not browser.run("return document.querySelector('main, body').innerText.includes(arguments[0])", text),
            f"{path} has nothing to show while its requests fail")
        browser.cdp("Network.setBlockedURLs", urls=[])
        say(browser.wait("return document.querySelector('main, body').innerText.includes(arguments[0])", text),
            f"{path} recovers from a first request that failed", browser.run("return document.body.innerText")[:200])
        say(not browser.run("return /failed to fetch|network error/i.test(document.body.innerText)"),
            f"{path} takes back what it said about that")


def test_unknown_run(browser):
    browser.open(BASE + "/runs/999999")
    say(browser.wait("return /999999/.test(document.querySelector('main, body').innerText)"),
        "a run that does not exist is named", browser.run("return document.body.innerText")[:200])


# ---- a failed run ----

def test_failed(browser):
    run = RUNS["failing"]
    open_run(browser, run)
    text = browser.wait(CURRENT + "const item = current(); return item ? item.innerText : null;") or ""
    say("unit" in text.split("\n")[0], "a failed run opens with the step that failed it, not with an allowed failure", text)
    say(browser.wait(LOG + "return log.textContent.includes('the reason')"), "what follows a NUL byte is shown",
        log_text(browser)[-200:])
    shown = log_text(browser)
    lines = shown.rstrip("\n").split("\n")
    say("x<U+0000>y" in shown, "the NUL byte itself is named")
    say("\u202e" not in shown and "<U+202E>" in shown, "a bidirectional override in a log is shown as what it is")
    say([line for line in lines if "of 10000" in line] == ["10000 of 10000"], "a progress bar is one line, its last state",
        repr([line for line in lines if "of 10000" in line][:3]))
    body = browser.run("return document.body.innerText")
    say("exit code 3" in body, "the exit code is shown", body[:400])
    say(f"page-{run}-unit-1" in body, "the container's name is shown", body[:400])


def test_retried(browser):
    """A run that is over goes on when a step of it is tried again."""
    run = RUNS["failing"]
    open_run(browser, run)
    browser.wait(LOG + "return log.textContent.includes('the reason')")
    api("POST", f"/runs/{run}/retry", '{"step": "unit"}')
    say(browser.wait("return document.body.innerText.includes('2 attempts')"), "a retry is seen without a reload",
        browser.run("return document.body.innerText")[:300])


def test_names(browser):
    run = RUNS["names"]
    for path in ("/", f"/runs/{run}"):
        browser.open(BASE + path)
        say(browser.wait("return document.querySelector('main, body').innerText.includes('feature<U+202E>gpj')"),
            "a bidirectional override in a branch is shown as what it is" + ("" if path == "/" else " on its page"))
        body = browser.run("return document.documentElement.textContent + document.title")
        say(not any(mark in body for mark in "\u202e\u200b\u2066"), f"no such character is left: {path}")


def test_findings(browser):
    open_run(browser, RUNS["names"])
    say(browser.wait("return document.body.innerText.includes('no secret of that ENV')"), "findings of a run are shown",
        browser.run("return document.body.innerText")[:300])


# ---- a run that cannot be fetched yet ----

def test_fetching(browser):
    open_run(browser, RUNS["fetching"])
    say(browser.wait("return /cannot be fetched yet .*again/.test(document.body.innerText)"),
        "a run that cannot be fetched yet says why, and when it is tried again",
        browser.run("return document.body.innerText")[:300])
    browser.open(BASE + "/queue")
    say(browser.wait("return /away\\s+\\(fetch\\)[^]*cannot be fetched yet/.test(document.body.innerText)"),
        "it is in the queue", browser.run("return document.body.innerText")[:300])


# ---- how it looks: for people to look at ----

def test_shots(browser):
    for width in (1280, 390):
        browser.resize(width, 800)
        for name, path in (("list", "/"), ("queue", "/queue"), ("run", f"/runs/{RUNS['failing']}"),
                           ("live", f"/runs/{RUNS['ticker']}")):
            browser.open(BASE + path)
            browser.wait("return document.querySelector('main').innerText.length > 40")
            time.sleep(0.3)
            browser.screenshot(f"{SHOTS}/{name}-{width}.png")
            say(browser.run("return document.documentElement.scrollWidth <= innerWidth"),
                f"{path} fits into {width} pixels",
                browser.run("return document.documentElement.scrollWidth"))


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the browser ends with us
    with Browser() as browser:
        for test in (test_failed, test_retried, test_names, test_findings, test_fetching, test_unknown_run,
                     test_first_request, test_list, test_focus, test_shots, test_follow_cut, test_follow, test_follow_ends):
            if len(sys.argv) > 6 and test.__name__ not in sys.argv[6:]:
                continue
            try:
                browser.resize(1280, 800)
                test(browser)
            except (WebDriverError, RuntimeError, OSError) as error:
                say(False, test.__name__, f"{type(error).__name__}: {error}")


main()
