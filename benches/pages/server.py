"""Serves the pages of the corpus on loopback: each page is a site with an address of its own, so absolute paths stay within it.

Started by run.py with a JSON object on standard input:
{"ports": {"0": 18700, "150": 18701}, "sites": {"127.77.0.1": {"mounts": [["/", "/some/folder"], ...], "rules": [[REGEX, TEXT], ...]}}}.
A port is a latency: the time before each answer, in milliseconds. A mount is a prefix and the folder that it shows; the longest prefix
wins. Rules change HTML: what it names at a content delivery network is a mount of its own site here.
Prints "ready", and ends when standard input does.
"""

import asyncio
import json
import mimetypes
import os
import re
import signal
import sys
import urllib.parse
import zlib

TYPES = {
    ".html": "text/html; charset=utf-8", ".htm": "text/html; charset=utf-8", ".xhtml": "application/xhtml+xml",
    ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
    ".json": "application/json", ".map": "application/json", ".geojson": "application/json", ".md": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8", ".svg": "image/svg+xml", ".wasm": "application/wasm", ".woff": "font/woff",
    ".woff2": "font/woff2", ".ttf": "font/ttf", ".otf": "font/otf", ".eot": "application/vnd.ms-fontobject", ".webp": "image/webp",
    ".avif": "image/avif", ".ico": "image/x-icon", ".glb": "model/gltf-binary", ".mp4": "video/mp4", ".webm": "video/webm",
    ".vtt": "text/vtt", ".xml": "application/xml", ".yaml": "application/yaml", ".yml": "application/yaml", ".cast": "text/plain",
}
INDEX = ["index.html", "index.htm"]
# Without this a page's own character set, in a meta element, would lose against the field.
DECLARED = re.compile(rb"<meta[^>]+charset", re.I)


def media_type(path, body):
    kind = TYPES.get(os.path.splitext(path)[1].lower()) or mimetypes.guess_type(path)[0] or "application/octet-stream"
    if kind.startswith("text/html") and DECLARED.search(body[:4096]):
        return "text/html"
    return kind


def locate(mounts, path):
    """The file that a site shows at `path`, a redirect that begins with "/", or nothing."""
    for prefix, place in sorted(mounts, key=lambda mount: -len(mount[0])):
        if not path.startswith(prefix) or not os.path.isdir(place):
            continue
        root = os.path.realpath(place)
        file = os.path.realpath(os.path.join(root, path[len(prefix):].lstrip("/")))
        if file != root and not file.startswith(root + os.sep):
            return None
        if os.path.isdir(file):
            if not path.endswith("/"):
                return path + "/"
            file = next((os.path.join(file, name) for name in INDEX if os.path.isfile(os.path.join(file, name))), None)
        if file and os.path.isfile(file):
            return file
    return None


def picture(name):
    """A picture of 640 by 360 that looks otherwise for each name."""
    seed = zlib.crc32(name.encode())
    hue, x, y = seed % 360, 120 + seed // 7 % 400, 80 + seed // 11 % 200
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="640" height="360" viewBox="0 0 640 360"><rect width="640" height="360" fill="hsl({hue} 50% 70%)"/>
<circle cx="{x}" cy="{y}" r="90" fill="hsl({(hue + 150) % 360} 60% 45%)"/><path d="M0 360 L{x} 200 L640 360Z" fill="hsl({(hue + 40) % 360} 40% 35%)"/>
<text x="20" y="60" font-family="sans-serif" font-size="48">{name}</text></svg>""".encode()


def answer(sites, host, target, fields):
    """Head and body for one request."""
    path = urllib.parse.unquote(urllib.parse.urlsplit(target).path) or "/"
    made = re.fullmatch(r"/picture/(\w+)\.svg", path)
    if made:
        return b"200 OK", [("content-type", "image/svg+xml"), ("access-control-allow-origin", "*")], picture(made[1])
    site = sites.get(host, {"mounts": [], "rules": []})
    found = locate(site["mounts"], path)
    if found is None:
        body = b"not found"
        return b"404 Not Found", [("content-type", "text/plain")], body
    if found == path + "/":
        return b"301 Moved Permanently", [("location", urllib.parse.quote(found))], b""
    with open(found, "rb") as file:
        body = file.read()
    if site["rules"] and found.endswith((".html", ".htm")):
        text = body.decode("latin-1")
        for pattern, to in site["rules"]:
            text = re.sub(pattern, to, text)
        body = text.encode("latin-1")
    head = [("content-type", media_type(found, body)), ("access-control-allow-origin", "*"), ("accept-ranges", "bytes")]
    span = re.fullmatch(r"bytes=(\d+)-(\d*)", fields.get("range", ""))
    if span and int(span[1]) < len(body):
        first, last = int(span[1]), min(int(span[2] or len(body) - 1), len(body) - 1)
        head.append(("content-range", f"bytes {first}-{last}/{len(body)}"))
        return b"206 Partial Content", head, body[first:last + 1]
    return b"200 OK", head, body


async def main():
    order = json.loads(sys.stdin.readline())
    sites = order["sites"]

    def serve(latency):
        async def connection(reader, writer):
            try:
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
                    lines = head.decode("latin-1").split("\r\n")[1:]
                    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
                    body = await reader.readexactly(int(fields.get("content-length", 0)))
                    del body
                    await asyncio.sleep(latency)
                    host = fields.get("host", "").rpartition(":")[0]
                    status, extra, body = answer(sites, host, target, fields)
                    extra.append(("content-length", str(len(body))))
                    out = b"HTTP/1.1 " + status + b"\r\n"
                    out += b"".join(f"{name}: {value}\r\n".encode() for name, value in extra) + b"\r\n"
                    writer.write(out if method == "HEAD" else out + body)
                    await writer.drain()
            except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError, ConnectionError, ValueError):
                pass
            finally:
                writer.close()

        return connection

    for latency, port in order["ports"].items():
        await asyncio.start_server(serve(int(latency) / 1000), list(sites), port, backlog=256)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(main())
