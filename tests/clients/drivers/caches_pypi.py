"""Caches in clients: requests-cache, CacheControl, hishel, and the conditions of curl and wget.

The picture is asked for twice, then once more with max-age=0: the second time nothing is sent, the
third time a condition.
"""

import pathlib
import subprocess
import tempfile
import time
import urllib.parse

import lines
from counting import Counting

for package in ("requests-cache", "CacheControl", "hishel", "httpx"):
    lines.use(package)
AGAIN = {"Cache-Control": "max-age=0"}


def requests_cache(url, directory):
    import requests_cache

    session = requests_cache.CachedSession(backend="memory", cache_control=True)
    return [session.get(url, headers=fields).content for fields in (None, None, AGAIN)]


def cachecontrol(url, directory):
    import requests
    from cachecontrol import CacheControl

    session = CacheControl(requests.Session())
    return [session.get(url, headers=fields).content for fields in (None, None, AGAIN)]


def hishel(url, directory):
    from hishel import SqliteStorage
    from hishel.httpx import CacheClient

    now = time.time
    with CacheClient(storage=SqliteStorage(database_path=directory / "cache.db"), rfc=True) as client:
        bodies = [client.get(url).content for _ in range(2)]
        # It takes no directives of requests, so its clock is set to a day on, when the picture is
        # not fresh any more.
        time.time = lambda: now() + 86_400
        try:
            return [*bodies, client.get(url).content]
        finally:
            time.time = now


def curl(url, directory):
    tag, file, bodies = directory / "tag", directory / "file", []
    # -z of the first file as its time; the second is by the tag.
    for extra in ([], ["-z", str(file)], ["--etag-compare", str(tag)]):
        command = ["curl", "-sS", "--remote-time", "--etag-save", str(tag), "-o", str(file), *extra, url]
        subprocess.run(command, check=True, capture_output=True)
        bodies.append(file.read_bytes())
    return bodies


def wget(url, directory):
    bodies = []
    for _ in range(2):
        subprocess.run(["wget", "-q", "-N", "-P", str(directory), url], check=True, capture_output=True)
        bodies.append(next(iter(directory.iterdir())).read_bytes())
    return bodies


def run(item, work):
    counting = Counting(work["base"])
    try:
        with tempfile.TemporaryDirectory() as directory:
            path = item["path"].replace("$PAGE", urllib.parse.quote(work["page"], safe=""))
            bodies = globals()[item["library"]](counting.base + path, pathlib.Path(directory))
    finally:
        counting.close()
    seen = [request["status"] for request in counting.seen]
    same = all(body == bodies[0] and body for body in bodies)
    return {"status": 200, "json": {"same": same, "seen": seen, "conditional": counting.seen[-1]["conditional"]}}


lines.serve(run)
