# SPDX-License-Identifier: Apache-2.0
"""A browser for tests: Debian's Chromium, driven by chromedriver's own HTTP protocol (W3C
WebDriver). Only what is on this machine's loopback is ever asked for."""
import base64
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

WAIT_SECONDS = float(os.environ.get("BROWSER_SECONDS", "60"))
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-default-apps", "--disable-extensions", "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--force-color-profile=srgb",
]


class WebDriverError(Exception):
    def __init__(self, value):
        super().__init__(f"{value.get('error')}: {value.get('message', '').splitlines()[0]}")
        self.error = value.get("error")


class Element:
    def __init__(self, browser, number):
        self.browser = browser
        self.number = number

    def ask(self, method, path, body=None):
        return self.browser.ask(method, f"/element/{self.number}{path}", body)

    def text(self):
        return self.ask("GET", "/text")

    def click(self):
        self.ask("POST", "/click", {})

    def keys(self, text):
        self.ask("POST", "/value", {"text": text})

    def attribute(self, name):
        return self.ask("GET", f"/attribute/{name}")

    def as_argument(self):
        return {ELEMENT: self.number}


class Browser:
    """One window; a context manager that ends Chromium and removes its profile.

    All of it is one process group, whose number is in the file that $BROWSER_GROUP names: a shell
    that is killed with us can end it, too."""

    def __init__(self, width=1280, height=800):
        self.profile = tempfile.mkdtemp(prefix="rbt-browser.")
        self.session = None
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, start_new_session=True, text=True,
            env=dict(os.environ, HOME=self.profile, TMPDIR=self.profile, LC_ALL="C.UTF-8", TZ="UTC"))
        if os.environ.get("BROWSER_GROUP"):
            with open(os.environ["BROWSER_GROUP"], "w", encoding="ascii") as file:
                file.write(str(self.driver.pid))
        try:
            self.port = self._port()
            self._open(width, height)
        except BaseException:
            self.close()
            raise

    def _port(self):
        for line in self.driver.stdout:
            if "started successfully on port" in line:
                return int(line.rstrip().rstrip(".").rsplit(" ", 1)[1])
        raise RuntimeError("chromedriver did not start")

    def _open(self, width, height):
        options = {"args": FLAGS + [f"--user-data-dir={self.profile}/profile",
                                    f"--window-size={width},{height}"],
                   "binary": shutil.which("chromium")}
        answer = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options,
            "timeouts": {"pageLoad": int(WAIT_SECONDS * 1000), "script": int(WAIT_SECONDS * 1000)}}}})
        self.session = answer["sessionId"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.session:
            try:
                self._call("DELETE", f"/session/{self.session}")
            except (OSError, WebDriverError, http.client.HTTPException):
                pass
        try:  # the driver and what it started: a session of our own
            os.killpg(self.driver.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.driver.wait()
        self.driver.stdout.close()
        for _ in range(50):  # the last of its processes may still write there
            shutil.rmtree(self.profile, ignore_errors=True)
            if not os.path.exists(self.profile):
                break
            time.sleep(0.1)

    def _call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=3 * WAIT_SECONDS)
        try:
            connection.request(method, path, None if body is None else json.dumps(body),
                               {"Content-Type": "application/json"})
            value = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        if isinstance(value, dict) and "error" in value:
            raise WebDriverError(value)
        return value

    def ask(self, method, path, body=None):
        return self._call(method, f"/session/{self.session}{path}", body)

    def open(self, url):
        self.ask("POST", "/url", {"url": url})

    def title(self):
        return self.ask("GET", "/title")

    def run(self, script, *arguments):
        """The value of a JavaScript function body; elements become Element."""
        given = [a.as_argument() if isinstance(a, Element) else a for a in arguments]
        return self._wrap(self.ask("POST", "/execute/sync", {"script": script, "args": given}))

    def _wrap(self, value):
        if isinstance(value, dict) and ELEMENT in value:
            return Element(self, value[ELEMENT])
        if isinstance(value, list):
            return [self._wrap(item) for item in value]
        return value

    def press(self, key):
        """A key for what has the focus: "\\ue004" is Tab, "\\ue007" Enter."""
        self.ask("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": [
            {"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]}]})

    def cdp(self, command, **parameters):
        return self.ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def resize(self, width, height):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=1, mobile=width < 600)

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.ask("GET", "/screenshot")))

    def wait(self, script, *arguments):
        """Until the function body gives something true, which is returned; None when it never does."""
        end = time.monotonic() + WAIT_SECONDS
        while True:
            value = self.run(script, *arguments)
            if value or time.monotonic() > end:
                return value or None
            time.sleep(0.05)
