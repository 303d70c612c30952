"""CPU time of a cache hit: tintype beside nginx and Varnish, each pinned to one core, the load on another.

For every case each server takes its turn in every round; what is printed is the median over the rounds of the CPU time (user and system) that
all processes of the server spent per request. CPU time, since wall time says more about the neighbours than about the server.
"""

import argparse
import json
import os
import platform
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
import zlib
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
SIZES = {"1k": 1 << 10, "100k": 100 << 10, "1m": 1 << 20}
# The disk tier: so many pictures of 100 KB, ten times the memory tier that is given to them.
PICTURES = 600


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, process):
    for _ in range(200):
        if process.poll() is not None:
            sys.exit(f"a server ended with {process.returncode} before it listened")
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nothing listens on port {port}")


class Server:
    """A server with its processes; `ports` by what is spoken there: http, https."""

    def __init__(self, name, command, ports, core, env=None):
        self.name, self.ports = name, ports
        pinned = ["taskset", "-c", str(core), *command] if core is not None else command
        self.process = subprocess.Popen(
            pinned, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, env=env
        )
        for port in ports.values():
            wait_for(port, self.process)

    def family(self):
        """Its processes: those that descend from the one that was started."""
        parents = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    stat = (entry / "stat").read_text()
                except OSError:
                    continue
                parents[int(entry.name)] = int(stat.rsplit(")", 1)[1].split()[1])
        found = {self.process.pid}
        while True:
            more = {pid for pid, parent in parents.items() if parent in found} - found
            if not more:
                return found
            found |= more

    def cpu(self):
        """Seconds of CPU that its threads have used. Read from schedstat, in nanoseconds."""
        total = 0
        for pid in self.family():
            for task in Path(f"/proc/{pid}/task").iterdir():
                try:
                    total += int((task / "schedstat").read_text().split()[0])
                except OSError:
                    pass
        return total / 1e9

    def resident(self):
        total = 0
        for pid in self.family():
            try:
                found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
            except OSError:
                found = None
            total += int(found[1]) if found else 0
        return total / 1024

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()


def wrk(url, seconds, connections, core, headers=(), script=None):
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    for header in headers:
        command += ["-H", header]
    if script:
        command += ["-s", str(script)]
    out = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    requests = int(re.search(r"(\d+) requests in", out)[1])
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    errors = re.search(r"Socket errors: (.*)", out)
    if bad or (errors and re.search(r"(connect|read|write) [1-9]", errors[1])):
        sys.exit(f"{url}: {bad and bad[0]} {errors and errors[0]}")
    return requests


def h2load(url, seconds, connections, core, headers=()):
    command = ["taskset", "-c", str(core), "h2load", f"-c{connections}", "-m8", f"-D{seconds}", "--warm-up-time=0"]
    for header in headers:
        command += ["-H", header]
    out = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    done = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", out)
    if int(done[2]) or int(done[3]):
        sys.exit(f"{url}: {done[0]}")
    return int(done[1])


def fetch(url, headers=None):
    request = urllib.request.Request(url, headers=headers or {})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.headers, answer.read()


def screenshot(width=1280, height=720):
    """A PNG with something to see: stripes, boxes and noise as of text."""
    noise = os.urandom(width)
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            text = noise[x] if y % 24 < 12 and 200 < x < 900 else 255
            rows += bytes((text, 230 if (x // 160 + y // 90) % 2 else text, 250 * y // height))
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(rows), 6)) + chunk(b"IEND", b"")


class Field:
    """Everything that one run needs: folder, origin, servers."""

    def __init__(self, options, folder):
        self.options, self.folder, self.servers = options, folder, []
        self.site = site = folder / "site"
        site.mkdir()
        (site / "page.png").write_bytes(screenshot())
        for name, size in SIZES.items():
            (site / name).write_bytes(os.urandom(size))
        pictures = site / "pictures"
        pictures.mkdir()
        for number in range(PICTURES):
            (pictures / str(number)).write_bytes(os.urandom(SIZES["100k"]))
        os.chmod(folder, 0o755)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
            check=True, capture_output=True)
        self.origin_port = free_port()
        self.origin = self.nginx("origin", f"""
            server {{
                listen 127.0.0.1:{self.origin_port} backlog=1024;
                root {site};
                location / {{ add_header Cache-Control max-age=36000; }}
                location = /screenshot {{ default_type image/png; try_files /page.png =404; add_header Cache-Control max-age=36000; }}
                location = /take {{ default_type image/png; try_files /1k =404; add_header Cache-Control max-age=36000; }}
                location /fresh/ {{ alias {site}/; try_files /1k =404; add_header Cache-Control max-age=36000; }}
            }}""", {"http": self.origin_port}, self.options.load_core)

    def nginx(self, name, http, ports, core):
        home = self.folder / name
        home.mkdir()
        config = home / "nginx.conf"
        config.write_text(f"""
            worker_processes 1; daemon off; pid {home}/pid; error_log {home}/error.log;
            events {{ worker_connections 4096; }}
            http {{
                access_log {"off" if name == "origin" or not self.options.access else f"{home}/access.log"}; sendfile on; tcp_nopush on; tcp_nodelay on;
                keepalive_requests 100000000; keepalive_timeout 600s;
                client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;
                fastcgi_temp_path {home}/f; uwsgi_temp_path {home}/u; scgi_temp_path {home}/s;
                open_file_cache max=4000 inactive=600s;
                {http}
            }}""")
        return Server(name, ["nginx", "-c", str(config), "-p", str(home)], ports, core)

    def start(self, disk):
        """The servers of a group of cases; for `disk` with a memory tier a tenth of what is asked for."""
        core, origin = self.options.server_core, self.origin_port
        group = "disk" if disk else "memory"
        plain, secure = free_port(), free_port()
        if shutil.which("nginx"):
            home = self.folder / f"nginx-cache-{group}"
            self.servers.append(self.nginx(f"nginx-{group}", f"""
                proxy_cache_path {home} levels=1:2 keys_zone=shots:10m max_size=2g inactive=1h use_temp_path=off;
                upstream origin {{ server 127.0.0.1:{origin}; keepalive 32; }}
                server {{
                    listen 127.0.0.1:{plain} backlog=1024; listen 127.0.0.1:{secure} ssl http2 backlog=1024;
                    ssl_certificate {self.folder}/cert.pem; ssl_certificate_key {self.folder}/key.pem;
                    http2_max_requests 100000000;
                    location / {{
                        proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection "";
                        proxy_cache shots; add_header X-Cache $upstream_cache_status;
                    }}
                }}""".replace("http2_max_requests 100000000;", ""), {"http": plain, "https": secure}, core))
            self.servers[-1].name = "nginx"
        if shutil.which("varnishd") and not disk:
            port = free_port()
            vcl = self.folder / "default.vcl"
            vcl.write_text(f'vcl 4.1; backend default {{ .host = "127.0.0.1"; .port = "{origin}"; }}\n')
            self.servers.append(Server("varnish", [
                "varnishd", "-F", "-n", str(self.folder / "varnish"), "-a", f"127.0.0.1:{port}", "-f", str(vcl),
                "-s", "malloc,512m", "-T", "none", "-p", "thread_pool_min=20",
            ], {"http": port}, core))
        for name, program in self.tintypes():
            self.servers.append(self.tintype(name, program, disk, core))

    def tintypes(self):
        yield "tintype", self.options.tintype
        if self.options.against:
            yield "other", self.options.against

    def tintype(self, name, program, disk, core, extra=""):
        plain, secure = free_port(), free_port()
        home = self.folder / f"{name}-{plain}"
        home.mkdir()
        for port, tls in ((plain, ""), (secure, 'tls_certificate = "../cert.pem"\ntls_key = "../key.pem"')):
            (home / f"{port}.toml").write_text(f"""
[server]
listen = "127.0.0.1:{port}"
max_requests_per_connection = 1000000000
{tls}
[admin]
enabled = false
[store]
dir = "cache-{port}"
memory = "{'6MiB' if disk else '256MiB'}"
disk = "512MiB"
block = "16MiB"
max_stored_bytes = "4MiB"
write_buffer = "128MiB"
[upstream.origin]
kind = "remote"
url = "http://127.0.0.1:{self.origin_port}"
[route.all]
path = "/"
upstream = "origin"
[route.shots]
path = "/screenshot"
upstream = "origin"
capture = true
only_pictures = false
dialect = "tintype"
derive = true
[route.take]
path = "/take"
upstream = "origin"
capture = true
only_pictures = false
dialect = "screenshotone"
[log]
access = {"true" if self.options.access else "false"}
level = "{"info" if self.options.access else "error"}"
{extra}
""")
        # One process for each, so that the processor time of one is its own.
        server = Server(name, [program, "serve", "--config", str(home / f"{plain}.toml")], {"http": plain}, core)
        if not disk:
            server.tls = Server(name, [program, "serve", "--config", str(home / f"{secure}.toml")], {"https": secure}, core)
        return server

    def stop(self):
        for server in self.servers:
            if getattr(server, "tls", None):
                server.tls.stop()
            server.stop()
        self.servers = []


def endpoint(server, scheme):
    """The process that speaks `scheme` for `server`, and its base URL; nothing if it does not."""
    at = server if scheme in server.ports else getattr(server, "tls", None)
    return (at, f"{scheme}://127.0.0.1:{at.ports[scheme]}") if at and scheme in at.ports else None


PAGE = "url=https%3A%2F%2Fexample.com%2F"
CASES = {
    # name: (scheme, tool, path, connections, conditional); tintype may be asked for the same by another path
    "1 KB": ("http", wrk, "/1k", 16, False),
    "100 KB": ("http", wrk, "/100k", 16, False),
    "1 MB": ("http", wrk, "/1m", 16, False),
    "304": ("http", wrk, "/100k", 16, True),
    # Made of a stored PNG by tintype; for the others a file of the origin's with the same octets.
    "thumbnail": ("http", wrk, {"tintype": f"/screenshot?{PAGE}&format=jpeg&image_width=320", "others": "/thumbnail"}, 16, False),
    "1 KB, another's dialect": ("http", wrk, {"tintype": f"/take?{PAGE}&access_key=k&viewport_width=800", "others": "/1k"}, 16, False),
    "1 KB, TLS": ("https", wrk, "/1k", 16, False),
    "100 KB, TLS": ("https", wrk, "/100k", 16, False),
    "1 KB, HTTP/2 over TLS": ("https", h2load, "/1k", 4, False),
    "100 KB, HTTP/2 over TLS": ("https", h2load, "/100k", 4, False),
}


def warm(url, conditional):
    """Has it stored and in memory; gives the fields of the load's requests."""
    import ssl
    ssl._create_default_https_context = ssl._create_unverified_context
    for _ in range(3):
        fields, _ = fetch(url)
    if not conditional:
        return []
    return [f"If-None-Match: {fields['etag']}"]


def measure(field, case):
    scheme, tool, path, connections, conditional = CASES[case]
    options, figures = field.options, {}
    paths, turns = path, []
    for server in sorted(field.servers, key=lambda server: server.name not in ("tintype", "other")):
        found = endpoint(server, scheme)
        if found:
            at, base = found
            if isinstance(paths, dict):
                path = paths["tintype" if server.name in ("tintype", "other") else "others"]
                if server.name == "tintype" and case == "thumbnail":
                    (field.site / "thumbnail").write_bytes(fetch(base + path)[1])
            headers = warm(base + path, conditional)
            tool(base + path, 1, connections, options.load_core, headers)
            turns.append((server.name, at, base + path, headers))
    figures = {server.name: [] for server in field.servers if any(server.name == name for name, *_ in turns)}
    for _ in range(options.rounds):
        for name, at, url, headers in turns:
            before = at.cpu()
            done = tool(url, options.seconds, connections, options.load_core, headers)
            figures[name].append((at.cpu() - before) / done * 1e6)
    return figures


def spread(field, misses):
    """Hits on disk over a working set ten times the memory tier; or misses, each of a URL of its own."""
    options, figures = field.options, {}
    script = field.folder / "spread.lua"
    if misses:
        script.write_text('local n = tonumber(os.getenv("FIRST"))\n'
                          'request = function() n = n + 1 return wrk.format("GET", "/fresh/" .. n) end\n')
    else:
        script.write_text(f'math.randomseed(7)\nrequest = function() return wrk.format("GET", "/pictures/" .. math.random(0, {PICTURES - 1})) end\n')
    for server in field.servers:
        if not misses:
            for number in range(PICTURES):
                fetch(f"http://127.0.0.1:{server.ports['http']}/pictures/{number}")
        figures[server.name] = []
    time.sleep(1)
    first = 0
    for _ in range(options.rounds):
        for server in field.servers:
            first += 10_000_000
            os.environ["FIRST"] = str(first)
            before = server.cpu()
            done = wrk(f"http://127.0.0.1:{server.ports['http']}", options.seconds, 8, options.load_core, script=script)
            figures[server.name].append((server.cpu() - before) / done * 1e6)
    return figures


def latencies(field, path):
    """How long an answer takes at 4,800 requests a second over 16 connections, a load that leaves room: 50th, 99th and 99.9th percentile in us,
    medians over the rounds."""
    options, log = field.options, field.folder / "latencies"
    figures = {server.name: [] for server in field.servers}
    for _ in range(options.rounds):
        for server in field.servers:
            url = f"http://127.0.0.1:{server.ports['http']}{path}"
            fetch(url)
            log.unlink(missing_ok=True)
            command = ["taskset", "-c", str(options.load_core), "h2load", "--h1", "-c16", "--rps=300", f"-D{options.seconds}",
                       "--warm-up-time=0", f"--log-file={log}", url]
            subprocess.run(command, capture_output=True, check=True)
            times = sorted(int(line.split()[2]) for line in log.read_text().splitlines())
            figures[server.name].append([times[int(len(times) * share)] for share in (0.5, 0.99, 0.999)])
    return {name: [statistics.median(column) for column in zip(*rounds)] for name, rounds in figures.items()}


def show(case, figures, table):
    medians = {name: statistics.median(values) for name, values in figures.items() if values}
    ours = medians.get("tintype")
    table[case] = {name: {"median_us": round(value, 2), "rounds_us": [round(v, 2) for v in figures[name]],
                          "tintype_ratio": round(ours / value, 3) if ours else None}
                   for name, value in medians.items()}
    cells = "".join(
        f"  {name} {value:7.1f} us" + (f" ({ours / value:4.2f})" if name != "tintype" and ours else "")
        for name, value in medians.items())
    print(f"{case:26}{cells}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tintype", required=True, help="the program to measure")
    parser.add_argument("--against", help="another build of it, to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="length of each turn")
    parser.add_argument("--only", help="cases whose name contains this")
    parser.add_argument("--json", help="where to write the figures")
    parser.add_argument("--access", action="store_true", help="with a line in a log for each request, as is the default")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    options = parser.parse_args()
    for tool, what in (("nginx", "no origin and nothing to compare with: apt-get install nginx-light"),
                       ("wrk", "no load: apt-get install wrk"), ("openssl", "no certificate"), ("taskset", "nothing can be pinned")):
        if not shutil.which(tool):
            sys.exit(f"bench: {tool} is missing: {what}")
    if not shutil.which("varnishd"):
        print("varnishd is missing (apt-get install varnish): its column is left out")
    cases = [case for case in CASES if not options.only or options.only in case]
    if not shutil.which("h2load"):
        print("h2load is missing (apt-get install nghttp2-client): HTTP/2 is left out")
        cases = [case for case in cases if CASES[case][1] is not h2load]
    table = {}
    with tempfile.TemporaryDirectory(prefix="tintype-bench-") as name:
        field = Field(options, Path(name))
        try:
            print("CPU time per request, median; in parentheses tintype's share of it")
            field.start(disk=False)
            for case in cases:
                show(case, measure(field, case), table)
            for path in ("/1k", "/100k") if shutil.which("h2load") else ():
                if not options.only or options.only in "latency":
                    found = latencies(field, path)
                    table[f"latency of {path}"] = {name: dict(zip(("p50_us", "p99_us", "p999_us"), times)) for name, times in found.items()}
                    cells = "".join("  " + name + " " + " ".join(f"{time:.0f}" for time in times) for name, times in found.items())
                    print(f"{'latency of ' + path:26}{cells}  us (50, 99, 99.9 %)", flush=True)
            if not options.only or options.only in "miss":
                show("miss", spread(field, misses=True), table)
            print("resident (PSS), MiB:  " + "  ".join(f"{server.name} {server.resident():.0f}" for server in field.servers))
            field.stop()
            if not options.only or options.only in "disk":
                field.start(disk=True)
                show("100 KB from disk", spread(field, misses=False), table)
        finally:
            field.stop()
            field.origin.stop()
    if options.json:
        report = {"machine": {"cores": os.cpu_count(), "kernel": platform.release()}, "rounds": options.rounds,
                  "seconds": options.seconds, "cases": table}
        Path(options.json).write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
