#!/usr/bin/env python3
"""What filter lists cost on pages with very many elements.

  benches/filters/run.py target/release/tintype [--rounds 10] [--cache DIR] [--full] [--only NAME] [--browser PROGRAM]

Captures pages of Debian packages in turns without filters and with every category and the lists below, on one server.
Says the median of the wall time, and of the CPU time of the server and all its processes. Lists and pages come from npm and
Debian packages, as those of benches/pages do, and are kept in DIR.
"""

import argparse
import functools
import glob
import http.client
import http.server
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "pages"))
import corpus

BROWSER = "/usr/lib/chromium/chromium-headless-shell"
PYTHON = "deb:python3.11-doc,libjs-sphinxdoc,libjs-jquery,libjs-underscore"
PAGES = [
    ("turtle.html (Python)", PYTHON, "usr/share/doc/python3.11/html", "library/turtle.html"),
    ("stdtypes.html (Python)", PYTHON, "usr/share/doc/python3.11/html", "library/stdtypes.html"),
    ("ffmpeg-all.html (FFmpeg)", "deb:ffmpeg-doc", "usr/share/doc/ffmpeg/manual", "ffmpeg-all.html"),
    ("all.html (Node.js)", "deb:nodejs-doc", "usr/share/doc/nodejs/api", "all.html"),
]
EASYLIST = "deb:webext-ublock-origin-chromium"
EASYLIST_FOLDER = "usr/share/chromium/extensions/ublock-origin/assets/thirdparties/easylist"
ADGUARD = "npm:@adguard/dnr-rulesets@3.3.20260320140136"
# Cookie notices, popups, app banners, other annoyances, widgets, social media.
ADGUARD_LISTS = [18, 19, 20, 21, 22, 4]
# EasyList has no generic rules for 127.0.0.1 itself ("@@://127.0.0.1$generichide").
ADDRESS = "127.77.0.2"
EVERYTHING = "block_ads=true&block_trackers=true&block_cookie_banners=true&block_chats=true"
CONFIG = """
[server]
listen = "127.0.0.1:0"
[admin]
enabled = false
[store]
dir = ""
[log]
level = "error"
access = false
[upstream.chrome]
kind = "chrome"
program = {browser}
allow_ranges = ["127.0.0.0/8"]
allow_ports = [{port}]
recycle_after = 1000000
# A busy machine may take its time.
deadline = "120s"
max_load = "15s"
max_settle = "5s"
ad_lists = {ads}
tracker_lists = {trackers}
cookie_lists = {cookies}
[route.screenshot]
path = "/screenshot"
upstream = "chrome"
"""


def lists(cache, scratch):
    """The paths of the lists against adverts, trackers and consent boxes."""
    folder = pathlib.Path(corpus.folder_of(cache, EASYLIST), EASYLIST_FOLDER)
    rules = pathlib.Path(corpus.folder_of(cache, ADGUARD), "dist/filters/declarative")
    annoyances = []
    for number in ADGUARD_LISTS:
        [first, *_] = json.loads((rules / f"ruleset_{number}/ruleset_{number}.json").read_text())
        path = pathlib.Path(scratch, f"adguard-{number}.txt")
        path.write_text(first["metadata"]["rawFilterList"])
        annoyances.append(str(path))
    return [str(folder / "easylist.txt")], [str(folder / "easyprivacy.txt")], annoyances


def cpu_ms(root):
    """CPU time of a process and all below it, and of those that they have waited for."""
    children, own = {}, {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path) as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(path.split("/")[2])
        children.setdefault(int(fields[1]), []).append(pid)
        own[pid] = sum(int(ticks) for ticks in fields[11:15])
    ticks, waiting = 0, [root]
    while waiting:
        pid = waiting.pop()
        ticks += own.get(pid, 0)
        waiting += children.get(pid, [])
    return ticks * 1000 / os.sysconf("SC_CLK_TCK")


def serve(folders):
    class Handler(http.server.SimpleHTTPRequestHandler):
        def translate_path(self, path):
            number, _, rest = urllib.parse.urlsplit(path).path.lstrip("/").partition("/")
            self.directory = folders.get(number, os.devnull)
            return super().translate_path("/" + rest)

        def log_message(self, *args):
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, address):
            pass

    server = Server((ADDRESS, 0), functools.partial(Handler, directory=os.devnull))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def capture(process, port, url, query):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    cpu, begun = cpu_ms(process.pid), time.monotonic()
    connection.request("GET", f"/screenshot?force=true&url={urllib.parse.quote(url, safe='')}&{query}")
    answer = connection.getresponse()
    body = answer.read()
    wall = (time.monotonic() - begun) * 1000
    connection.close()
    if answer.status != 200:
        sys.exit(f"{url} {query}: {answer.status} {body[:200]!r}")
    return wall, cpu_ms(process.pid) - cpu


def main():
    args = argparse.ArgumentParser()
    args.add_argument("program")
    args.add_argument("--rounds", type=int, default=10)
    args.add_argument("--cache", default=os.environ.get("BENCH_PAGES_CACHE", "target/bench-pages/cache"))
    args.add_argument("--full", action="store_true", help="full pages")
    args.add_argument("--only", action="append", default=[])
    args.add_argument("--browser", default=BROWSER)
    args = args.parse_args()
    chosen = [page for page in PAGES if not args.only or any(name in page[0] for name in args.only)]
    for source in sorted({page[1] for page in chosen} | {EASYLIST, ADGUARD}):
        corpus.fetch(args.cache, source)
    folders = {str(n): os.path.join(corpus.folder_of(args.cache, page[1]), page[2]) for n, page in enumerate(chosen)}
    site = serve(folders)
    with tempfile.TemporaryDirectory() as scratch:
        ads, trackers, cookies = (json.dumps(paths) for paths in lists(args.cache, scratch))
        config = pathlib.Path(scratch, "proxy.toml")
        config.write_text(CONFIG.format(
            browser=json.dumps(args.browser), port=site, ads=ads, trackers=trackers, cookies=cookies))
        process = subprocess.Popen([args.program, "serve", "--config", config], stdout=subprocess.PIPE, text=True)
        try:
            port = int(process.stdout.readline().strip().rpartition(":")[2])
            print("| page | elements | ms without | ms with | CPU ms without | CPU ms with | ratio of ms | ratio of CPU |")
            print("| --- |" + " ---: |" * 7, flush=True)
            for number, (name, _, folder, path) in enumerate(chosen):
                with open(os.path.join(folders[str(number)], path), encoding="utf-8", errors="replace") as file:
                    text = file.read()
                elements = sum(text[at + 1:at + 2].isalpha() for at, sign in enumerate(text) if sign == "<")
                url = f"http://{ADDRESS}:{site}/{number}/{path}"
                area = "full_page=true&" if args.full else ""
                taken = {"": [], EVERYTHING: []}
                # The first round compiles the lists and starts the browser.
                for round in range(args.rounds + 1):
                    for query, times in taken.items():
                        one = capture(process, port, url, area + query)
                        if round:
                            times.append(one)
                plain, filtered = ([statistics.median(times) for times in zip(*taken[query])] for query in taken)
                ratio = lambda at: f"{filtered[at] / plain[at]:.2f}"
                print(f"| {name} | {elements:,} | {plain[0]:,.0f} | {filtered[0]:,.0f} | {plain[1]:,.0f} | {filtered[1]:,.0f} "
                      f"| {ratio(0)} | {ratio(1)} |", flush=True)
        finally:
            process.terminate()
            process.wait()


main()
