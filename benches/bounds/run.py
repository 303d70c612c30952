#!/usr/bin/env python3
"""How much memory and disk tintype takes under what would take more, against what its configuration allows.

    benches/bounds/run.py TINTYPE [CASE ...]

Starts the given binary for each case with small bounds, asks for ten times as much, and prints the resident size of the process: at rest, the highest, and
afterwards. Memory of the kernel (socket buffers, page cache) is not in it. Ends with 1 if a case is above its bound.
"""

import asyncio
import json
import os
import pathlib
import resource
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request

MIB = 1 << 20
# Bytes of the listing, with as many entries as max_listed has by default.
LISTED = 100_000 * 750
READERS, IDLE, VARIANTS, SMALL = 500, 10_000, 10_000, 150_000
# What the allocator may hold beyond what is in use, in parts of it, and what buffers of a few exchanges at once take.
SLACK, ROOM = 0.35, 16 * MIB


# --- the origin: /SIZE/anything, and Vary on /vary ------------------------------------------------------------------

async def answer(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            target = head.split(b" ", 2)[1].decode()
            size = int(target.split("/")[1])
            vary = b"vary: x-v\r\n" if "/vary" in target else b""
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncache-control: max-age=36000\r\netag: \"1\"\r\n%s"
                         b"content-length: %d\r\n\r\n" % (vary, size))
            left = size
            while left:
                piece = os.urandom(16) * (min(left, 1 << 16) // 16 + 1)
                writer.write(piece[:min(left, 1 << 16)])
                left -= min(left, 1 << 16)
                await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def origin(port):
    server = await asyncio.start_server(answer, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


# --- tintype ----------------------------------------------------------------------------------------------------------

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Tintype:
    def __init__(self, program, folder, origin_port, store, server=""):
        self.port, self.admin, self.folder = free_port(), free_port(), folder
        config = folder / "proxy.toml"
        config.write_text(f"""
[server]
listen = "127.0.0.1:{self.port}"
max_connections = 20000
max_connections_per_address = 20000
idle_timeout = "10m"
header_read_timeout = "10m"
backlog = 8192
{server}
[admin]
listen = "127.0.0.1:{self.admin}"
[store]
{store}
[upstream.origin]
kind = "remote"
url = "http://127.0.0.1:{origin_port}"
[route.all]
path = "/"
upstream = "origin"
""")
        self.process = subprocess.Popen([program, "serve", "--config", str(config)],
                                        stdout=subprocess.DEVNULL, stderr=open(folder / "log", "w"))
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        else:
            raise SystemExit((folder / "log").read_text())
        time.sleep(1)
        self.rest = self.size("VmRSS")

    def size(self, what):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(what + ":"):
                return int(line.split()[1]) * 1024

    def stats(self):
        return json.load(urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/cache/stats"))

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


async def ask(tintype, targets, fields=lambda n: "", at_once=8):
    """Asks for all targets over a few connections."""
    todo = iter(enumerate(targets))

    async def some():
        reader, writer = await asyncio.open_connection("127.0.0.1", tintype.port, ssl=tintype.context)
        for n, target in todo:
            writer.write(f"GET {target} HTTP/1.1\r\nhost: t\r\n{fields(n)}\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 200 " in head.split(b"\r\n")[0], head
            length = int(next(l for l in head.lower().split(b"\r\n") if l.startswith(b"content-length:")).split(b":")[1])
            while length:
                length -= len(await reader.read(min(length, 1 << 20)))
        writer.close()

    await asyncio.gather(*[some() for _ in range(at_once)])


def on_disk(folder):
    return sum(f.stat().st_blocks * 512 for f in folder.rglob("*") if f.is_file())


# --- cases: each gives (what was asked, tintype, bound in bytes above rest, notes) ----------------------------------------

BASE = 'max_stored_bytes = "8MiB"\nhold_for_tag = "0B"\nmax_fetch_buffer = "16MiB"\n'


def memory(start):
    t = start('dir = ""\nmemory = "32MiB"\n' + BASE)
    asyncio.run(ask(t, [f"/262144/{n}" for n in range(1280)]))
    return "320 MiB through memory = 32 MiB", t, 48 * MIB, f"tier {t.stats()['size'] / MIB:.1f} MiB"


def small(start):
    t = start('dir = ""\nmemory = "32MiB"\n' + BASE)
    asyncio.run(ask(t, [f"/1000/{n}" for n in range(SMALL)]))
    stats = t.stats()
    return f"{SMALL} of 1000 bytes through memory = 32 MiB", t, 48 * MIB + LISTED, f"tier {stats['size'] / MIB:.1f} MiB"


def disk(start):
    t = start('dir = "cache"\nmemory = "16MiB"\ndisk = "64MiB"\nblock = "8MiB"\nwrite_buffer = "16MiB"\n'
              + BASE.replace("8MiB", "4MiB"))
    asyncio.run(ask(t, [f"/262144/{n}" for n in range(2560)]))
    tier, used = on_disk(t.folder / "cache" / "blocks") / MIB, on_disk(t.folder / "cache") / MIB
    notes = f"{tier:.1f} MiB of blocks, {used - tier:.1f} MiB of ledger" + ("" if used <= 64 + 10 else ": ABOVE disk = 64 MiB")
    return "640 MiB through disk = 64 MiB, memory = 16 MiB", t, 64 * MIB, notes


async def hold(port, number, request, tls=None, read=True):
    """Opens connections, sends a request on each and reads the answer, if any; gives them."""
    gate, held = asyncio.Semaphore(200), []

    async def one():
        async with gate:
            s = socket.socket()
            s.setblocking(False)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 10)
            await asyncio.get_running_loop().sock_connect(s, ("127.0.0.1", port))
            if tls:
                reader, writer = await asyncio.open_connection(sock=s, ssl=tls, server_hostname="localhost")
                writer.write(request)
                if read:
                    await reader.readuntil(b"\r\n\r\n")
                held.append(writer)
                return
            held.append(s)
            if request:
                await asyncio.get_running_loop().sock_sendall(s, request)
                if read:
                    await asyncio.get_running_loop().sock_recv(s, 4096)

    await asyncio.gather(*[one() for _ in range(number)])
    return held


def slow(start, warm, tls=False):
    t = start('dir = ""\nmemory = "32MiB"\n' + BASE, tls)
    request = f"GET /{8 * MIB - 4096}/large HTTP/1.1\r\nhost: t\r\n\r\n".encode()
    if warm:
        asyncio.run(ask(t, [f"/{8 * MIB - 4096}/large"]))

    async def go():
        held = await hold(t.port, READERS, request, t.context)
        await asyncio.sleep(2)
        return held
    loop = asyncio.new_event_loop()
    held = loop.run_until_complete(go())
    t.held = (loop, held)
    # The object, maybe the fetch of it, and what a connection has: a buffer of hyper's, with TLS records that wait.
    each = (24 + 96 * tls) << 10
    return (f"{READERS} readers of 8 MiB that do not read, {'stored before' if warm else 'all at once'}"
            f"{', TLS' if tls else ''}", t, 16 * MIB + READERS * each, "")


def idle(start, request, tls=False):
    t = start('dir = ""\nmemory = "32MiB"\n' + BASE, tls)
    loop = asyncio.new_event_loop()
    t.held = (loop, loop.run_until_complete(hold(t.port, IDLE, request, t.context, read=bool(request))))
    time.sleep(2)
    each = (t.size("VmRSS") - t.rest) / IDLE / 1024
    name = f"{IDLE} idle connections, {'one request each' if request else 'no byte sent'}{', TLS' if tls else ''}"
    # After a request hyper keeps two buffers of 8 KiB; our own state; that of TLS.
    allowed = 24 + 20 * tls if request else 8
    return name, t, IDLE * allowed * 1024, f"{each:.1f} KiB each"


def variants(start):
    t = start('dir = ""\nmemory = "32MiB"\n' + BASE)
    asyncio.run(ask(t, ["/4096/vary"] * VARIANTS, lambda n: f"x-v: {n}\r\n"))
    # What is left of them is 32 of 4 KiB.
    return f"{VARIANTS} values of a field in Vary, 4 KiB each", t, 8 * MIB, f"tier {t.stats()['size'] / MIB:.2f} MiB"


GET = b"GET /1000/a HTTP/1.1\r\nhost: t\r\n\r\n"
CASES = {
    "memory": memory,
    "small": small,
    "disk": disk,
    "slow-cold": lambda start: slow(start, False),
    "slow-warm": lambda start: slow(start, True),
    "slow-tls": lambda start: slow(start, True, True),
    "idle-silent": lambda start: idle(start, b""),
    "idle": lambda start: idle(start, GET),
    "idle-tls": lambda start: idle(start, GET, True),
    "variants": variants,
}


def main():
    program, names = str(pathlib.Path(sys.argv[1]).resolve()), sys.argv[2:] or list(CASES)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    root = pathlib.Path(tempfile.mkdtemp(prefix="tintype-bounds-"))
    port = free_port()
    child = os.fork()
    if child == 0:
        asyncio.run(origin(port))
    secure = shutil.which("openssl") is not None
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if secure:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-keyout", root / "key.pem", "-out", root / "cert.pem"],
                       check=True, stderr=subprocess.DEVNULL)
    bad = 0
    print(f"| {'case':70} | at rest | highest | after | allowed | |\n|---|---|---|---|---|---|")
    try:
        for name in names:
            if name.endswith("-tls") and not secure:
                print(f"(no openssl: {name} was left out)")
                continue
            folder = root / name
            folder.mkdir()

            def start(store, tls=False):
                server = 'tls_certificate = "../cert.pem"\ntls_key = "../key.pem"\n' if tls else ""
                t = Tintype(program, folder, port, store, server)
                t.context = context if tls else None
                return t
            what, t, above, notes = CASES[name](start)
            highest, now = t.size("VmHWM"), t.size("VmRSS")
            allowed = t.rest + above * (1 + SLACK) + ROOM
            over = highest > allowed or "ABOVE" in notes
            bad += over
            cells = [f"{n / MIB:.1f} MiB" for n in (t.rest, highest, now, allowed)]
            print(f"| {what:70} | {' | '.join(cells)} | {notes}{' **above**' if over else ''} |", flush=True)
            if held := getattr(t, "held", None):
                for connection in held[1]:
                    connection.close() if hasattr(connection, "detach") else connection.transport.abort()
                held[0].run_until_complete(asyncio.sleep(0.5))
            t.stop()
    finally:
        os.kill(child, 9)
        shutil.rmtree(root, ignore_errors=True)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
