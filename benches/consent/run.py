#!/usr/bin/env python3
"""Captures a page with each consent library of libraries.py, and says how often the picture is that of the page without.

  benches/consent/run.py target/debug/tintype [--times 20] [--only NAME] [--keep DIR] [--browser PROGRAM]

Fetches the libraries with npm into a directory of its own (--keep to use it again), serves them on loopback, and captures with
block_cookie_banners: viewport and full page, with 0 and 150 ms before each answer. Every picture has to be byte for byte
that of the same page without the library. A library that changes nothing when banners are not blocked is told apart: it did
not show, so it proves nothing. One picture of each kind is left in DIR/pictures.
"""

import argparse
import concurrent.futures
import hashlib
import http.client
import http.server
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

from libraries import LIBRARIES

ESBUILD = "esbuild@0.25.12"
BROWSER = "/usr/lib/chromium/chromium-headless-shell"
BUSY_ATTEMPTS = 5
# Taller than the viewport, in colours, so that a lock, a blur or a shade of the page shows.
PAGE = """<!doctype html><html lang=en><meta charset=utf-8><title>Page</title>
<meta name=viewport content='width=device-width'><style>body{{margin:0;font:16px sans-serif}}main{{display:block}}
p{{margin:0;padding:40px;height:200px;box-sizing:border-box}}p:nth-child(odd){{background:#cde}}p:nth-child(even){{background:#edc}}
</style>{head}<body><main>{text}</main>{body}</html>"""
TEXT = "".join(f"<p>Paragraph {n} of the page, which has to be seen.</p>" for n in range(8))
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
program = "{browser}"
allow_ranges = ["127.0.0.0/8"]
allow_ports = [{port}]
[route.screenshot]
path = "/screenshot"
upstream = "chrome"
"""
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css",
         ".json": "application/json", ".svg": "image/svg+xml"}


def run(*command, cwd):
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command[0]} {command[1]}: {(done.stderr or done.stdout)[-600:]}")


def install(root, library):
    """The library with its page in a directory of its own."""
    there = root / library["name"]
    there.mkdir(parents=True, exist_ok=True)
    stamp = there / "installed.json"
    if not stamp.exists() or json.loads(stamp.read_text()) != library["packages"]:
        (there / "package.json").write_text('{"private":true}')
        run("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--legacy-peer-deps", *library["packages"], cwd=there)
        stamp.write_text(json.dumps(library["packages"]))
    if "prepare" in library:
        run("node", "-e", library["prepare"], cwd=there)
    head, body = library.get("head", ""), library.get("body", "")
    if "entry" in library:
        (there / "entry.js").write_text(library["entry"])
        aliases = [f"--alias:{name}={other}" for name, other in library.get("alias", {}).items()]
        run(root / "esbuild/node_modules/.bin/esbuild", "entry.js", "--bundle", "--outfile=bundle.js", "--log-level=error",
            "--define:process.env.NODE_ENV=\"production\"", "--define:global=globalThis", "--loader:.js=jsx", *aliases, cwd=there)
        body += "<script src=bundle.js></script>"
        if (there / "bundle.css").exists():
            head += "<link rel=stylesheet href=bundle.css>"
    fill = lambda text: text.replace("{m}", "node_modules")
    (there / "index.html").write_text(PAGE.format(head=fill(head), body=fill(body), text=TEXT))
    for name, text in library.get("files", {}).items():
        (there / name).write_text(text)


def serve(root):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            # /DELAY/LIBRARY/FILE
            _, delay, *path = urllib.parse.urlsplit(self.path).path.split("/")
            if delay.isdigit():
                time.sleep(min(int(delay), 1000) / 1000)
            file = root.joinpath(*path)
            if ".." in path or not file.is_file():
                body, kind, status = b"not found", "text/plain", 404
            else:
                body, kind, status = file.read_bytes(), TYPES.get(file.suffix, "application/octet-stream"), 200
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request, address):
            pass

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


class Tintype:
    def __init__(self, program, browser, site):
        self.config = tempfile.NamedTemporaryFile("w", suffix=".toml")
        self.config.write(CONFIG.format(browser=browser, port=site))
        self.config.flush()
        self.process = subprocess.Popen([program, "serve", "--config", self.config.name], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().strip().rpartition(":")[2])
        self.site, self.count = site, iter(range(sys.maxsize))

    def picture(self, name, delay, query):
        """A picture, or what was answered instead. A server that is too busy says nothing about a box: it is asked again."""
        url = f"http://127.0.0.1:{self.site}/{delay}/{name}/index.html?n={next(self.count)}"
        for _ in range(BUSY_ATTEMPTS):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
            connection.request("GET", f"/screenshot?url={urllib.parse.quote(url, safe='')}&{query}")
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            if answer.status not in (503, 504):
                break
            time.sleep(2)
        return body if answer.status == 200 else f"{answer.status} {body[:200]!r}".encode()

    def stop(self):
        self.process.terminate()
        self.process.wait()


def main():
    args = argparse.ArgumentParser()
    args.add_argument("program")
    args.add_argument("--times", type=int, default=20)
    args.add_argument("--only", action="append", default=[])
    args.add_argument("--keep", type=pathlib.Path)
    args.add_argument("--browser", default=BROWSER)
    args.add_argument("--at-once", type=int, default=2)
    args = args.parse_args()
    scratch = None if args.keep else tempfile.TemporaryDirectory()
    root = (args.keep or pathlib.Path(scratch.name)).resolve()
    pictures = root / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    chosen = [library for library in LIBRARIES if not args.only or library["name"] in args.only]
    if not (root / "esbuild").exists():
        (root / "esbuild").mkdir()
        (root / "esbuild/package.json").write_text('{"private":true}')
        run("npm", "install", "--no-audit", "--no-fund", ESBUILD, cwd=root / "esbuild")
    (root / "clean").mkdir(exist_ok=True)
    (root / "clean/index.html").write_text(PAGE.format(head="", body="", text=TEXT))

    tintype = Tintype(args.program, args.browser, serve(root))
    kinds = [(area, delay) for delay in (0, 150) for area in ("viewport", "full")]
    query = {"viewport": "", "full": "full_page=true"}
    clean = {area: tintype.picture("clean", 0, query[area]) for area in query}
    for area, picture in clean.items():
        if not picture.startswith(b"\x89PNG"):
            tintype.stop()
            sys.exit(f"no picture of the page without a library, {area}: {picture.decode(errors='replace')}")
    failed = False
    print("| library | version | shows | " + " | ".join(f"{area}, {delay} ms" for area, delay in kinds) + " |")
    print("| --- | --- | --- |" + " --- |" * len(kinds), flush=True)
    for library in chosen:
        name, version = library["name"], library["packages"][0].rpartition("@")[2]
        try:
            install(root, library)
        except RuntimeError as error:
            print(f"| {name} | {version} | not installed: {str(error)[:300]!r} |", flush=True)
            failed = True
            continue
        shown = {area: tintype.picture(name, 0, f"delay=2000&{query[area]}") for area in query}
        (pictures / f"{name}-shown.png").write_bytes(shown["full"])
        row = [name, version, "yes" if shown != clean else "no"]
        for area, delay in kinds:
            one = lambda _: tintype.picture(name, delay, f"block_cookie_banners=true&{query[area]}")
            with concurrent.futures.ThreadPoolExecutor(args.at_once) as pool:
                taken = list(pool.map(one, range(args.times)))
            good = sum(picture == clean[area] for picture in taken)
            bad = {hashlib.sha1(picture).hexdigest()[:6]: picture for picture in taken if picture != clean[area]}
            for digest, picture in bad.items():
                (pictures / f"{name}-{area}-{delay}-{digest}.png").write_bytes(picture)
            row.append(f"{good} of {args.times}")
            failed |= good != args.times
        print("| " + " | ".join(row) + " |", flush=True)
    tintype.stop()
    sys.exit(1 if failed else 0)


main()
