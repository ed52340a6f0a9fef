# SPDX-License-Identifier: Apache-2.0
"""The forge: bare repositories, one of them served over HTTP. It is unavailable at times, and it
publishes some commits later than it announces them."""
import os
import signal
import subprocess
import sys
import threading
import time

import plan
from instance import now_usec

SERVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../demo/git_http.py")
PORT = 8473
HTTP = "blue"   # the project that is fetched over HTTP; the others over file://


class Forge:
    def __init__(self, directory):
        self.directory = directory
        self.repositories, self.staging = directory + "/repos", directory + "/staging"
        self.locks = {project: threading.Lock() for project in plan.PROJECTS}
        self.server = None
        self.absences = []  # facts

    def start(self):
        for place in (self.repositories, self.staging):
            for project in plan.PROJECTS:
                subprocess.run(["git", "init", "-q", "--bare", "-b", "main", f"{place}/{project}.git"], check=True)
        self.serve()

    def serve(self):
        port = f"{self.directory}/port"
        if os.path.exists(port):
            os.unlink(port)
        self.server = subprocess.Popen(
            [sys.executable, SERVER, self.repositories, port], env=dict(os.environ, GIT_HTTP_PORT=str(PORT)),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        while not os.path.exists(port):
            if self.server.poll() is not None:
                raise RuntimeError(f"the forge's server ended with {self.server.returncode}")
            time.sleep(0.01)

    def stop(self):
        os.killpg(self.server.pid, signal.SIGKILL)
        self.server.wait()

    def url(self, project):
        if project == HTTP:
            return f"http://127.0.0.1:{PORT}/{project}.git"
        return f"file://{self.repositories}/{project}.git"

    def branches(self, project):
        """Return: all references, published or not."""
        listed = subprocess.run(["git", "-C", f"{self.staging}/{project}.git", "for-each-ref", "--format=%(refname)"],
                                stdout=subprocess.PIPE, text=True, check=True)
        return set(listed.stdout.split())

    def commit(self, project, stream):
        """Make commits with git-fast-import(1), without publishing them. Return: commit by mark."""
        file = f"{self.directory}/marks"
        subprocess.run(["git", "-C", f"{self.staging}/{project}.git", "fast-import", "--quiet",
                        "--export-marks=" + file], input=stream.encode(), check=True)
        with open(file) as lines:
            return {mark[1:]: commit for mark, commit in map(str.split, lines)}

    def publish(self, project, branches):
        """Wait until the project's repository exists."""
        with self.locks[project]:
            subprocess.run(["git", "-C", f"{self.staging}/{project}.git", "push", "-q",
                            f"{self.repositories}/{project}.git"] +
                           [f"refs/heads/{branch}" for branch in branches], check=True)

    def heads(self, project):
        """Return: commit by reference, as published. Waits until the project's repository exists."""
        with self.locks[project]:
            listed = subprocess.run(["git", "-C", f"{self.repositories}/{project}.git", "for-each-ref",
                                     "--format=%(refname) %(objectname)"],
                                    stdout=subprocess.PIPE, text=True, check=True)
        return dict(line.split() for line in listed.stdout.splitlines())

    def parents(self, project):
        """Return: the parents of each commit that ever existed."""
        listed = subprocess.run(["git", "-C", f"{self.staging}/{project}.git", "rev-list", "--all", "--parents"],
                                stdout=subprocess.PIPE, text=True, check=True)
        return {words[0]: words[1:] for words in map(str.split, listed.stdout.splitlines())}

    def delete(self, project, branch):
        """Delete a branch; its later commits, if any, follow commits that are no longer published."""
        with self.locks[project]:
            subprocess.run(["git", "-C", f"{self.repositories}/{project}.git", "update-ref", "-d",
                            "refs/heads/" + branch], check=True)

    def away(self, project, seconds):
        """Make the project's repository unavailable for a while."""
        with self.locks[project]:
            fact = {"project": project, "from": now_usec()}
            path = f"{self.repositories}/{project}.git"
            if project == HTTP:
                self.stop()
            else:
                os.rename(path, path + ".away")
            time.sleep(seconds)
            if project == HTTP:
                self.serve()
            else:
                os.rename(path + ".away", path)
            self.absences.append(dict(fact, to=now_usec()))
