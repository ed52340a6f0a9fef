# SPDX-License-Identifier: Apache-2.0
"""A page in a browser that fetches all the time, as pages that show news do. For each line on
standard input it prints how many fetches succeeded and failed since the line before."""
import http.server
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from webdriver import Browser

# more at once than the browser opens connections to one host, so that some always wait for one
PAGE = b"""<!doctype html><title>fetches</title><script>
let succeeded = 0, failed = 0;
async function loop() {
    for (;;) {
        try { await (await fetch("/news", {cache: "no-store"})).text(); succeeded++; }
        catch (error) { failed++; await new Promise(later => setTimeout(later, 10)); }
    }
}
for (let i = 0; i < 12; i++) loop();
</script>"""


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = PAGE
        if self.path == "/news":
            time.sleep(0.05)
            body = b"news"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except ConnectionError:
            pass  # the browser gave the request up: it counts that itself

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
with Browser() as browser:
    browser.open(f"http://127.0.0.1:{server.server_port}/")
    print("ready", flush=True)
    for _ in sys.stdin:
        print(*browser.run("const n = [succeeded, failed]; succeeded = failed = 0; return n;"), flush=True)
