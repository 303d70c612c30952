"""The pages that are captured, and their server: an asyncio loop in a process of its own.

/light has what most small pages have: two style sheets, two scripts, three SVG images, two web fonts. /heavy has a grid of
200 cards with shadows and gradients, 60 images, a table of 3,000 cells built by script, and a canvas. Queries are
ignored, so that every capture can have a URL of its own.
"""

import asyncio
import contextlib
import glob
import struct
import sys
import zlib

FONTS = ["Sans-Regular", "Serif-Bold"]


def font(name):
    """A font of the system, served as a web font; an empty answer where it is missing."""
    found = glob.glob(f"/usr/share/fonts/**/Liberation{name}.ttf", recursive=True)
    if not found:
        return b""
    with open(found[0], "rb") as file:
        return file.read()


def png(seed, side=160):
    """A picture that is no single colour and compresses badly enough to be worth decoding."""
    rows = b"".join(
        b"\0" + bytes((x * seed + y * channel * 7 + (x * y >> 3)) & 0xFF for x in range(side) for channel in (1, 2, 3))
        for y in range(side)
    )

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def svg(colour):
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 120"><defs><linearGradient id="g">
<stop stop-color="{colour}"/><stop offset="1" stop-color="#fff"/></linearGradient></defs>
<rect width="200" height="120" rx="12" fill="url(#g)"/><circle cx="60" cy="60" r="40" fill="{colour}" opacity=".6"/>
<path d="M20 100 C 60 10, 120 150, 190 30" stroke="#222" stroke-width="4" fill="none"/></svg>"""


WORDS = "A tintype is a photograph fixed on a varnished plate of iron, made by an ambulant photographer in minutes. "

CSS = """
@font-face { font-family: One; src: url(/font/0) } @font-face { font-family: Two; src: url(/font/1) }
body { margin: 0; font: 16px/1.5 One, sans-serif; color: #223; background: linear-gradient(#fafaff, #e8eef8) }
header { padding: 24px 48px; background: #23395b; color: #fff } h1, h2 { font-family: Two, serif; margin: 0 0 8px }
main { display: grid; grid-template-columns: repeat(3, 1fr); gap: 20px; padding: 24px 48px }
"""
CARDS = """
.card { background: #fff; border-radius: 10px; padding: 16px; box-shadow: 0 2px 10px rgba(20, 40, 80, .18) }
.card img { width: 100%; height: 120px } td { border: 1px solid #ccd; padding: 2px 6px; font-size: 12px }
"""


def card(image, text=WORDS):
    return f'<div class="card"><img src="{image}" alt=""><h2>Plate</h2><p>{text}</p></div>'


def document(cards, more):
    return f"""<!doctype html><meta charset="utf-8"><title>Bench</title><link rel="stylesheet" href="/one.css">
<link rel="stylesheet" href="/two.css"><header><h1>Varnished plates</h1><p>{WORDS}</p></header>
<main>{cards}</main>{more}<script src="/one.js"></script><script src="/two.js"></script>"""


def pages():
    light = "".join(card(f"/svg/{n}") + card(f"/svg/{n}", WORDS * 2) for n in range(3))
    heavy = "".join(card(f"/png/{n}" if n < 60 else f"/svg/{n % 3}") for n in range(200))
    table = '<canvas id="c" width="900" height="300"></canvas><table id="t"></table><script src="/heavy.js"></script>'
    script = """const c = document.getElementById('c').getContext('2d');
for (let i = 0; i < 2000; i++) { c.fillStyle = `hsl(${i % 360} 70% 60%)`; c.fillRect((i * 37) % 900, (i * 53) % 300, 30, 20); }
const t = document.getElementById('t');
for (let r = 0; r < 150; r++) { const row = t.insertRow(); for (let k = 0; k < 20; k++) row.insertCell().textContent = r * k; }"""
    found = {
        "/light": ("text/html", document(light, "")),
        "/heavy": ("text/html", document(heavy, table)),
        "/one.css": ("text/css", CSS),
        "/two.css": ("text/css", CARDS),
        "/one.js": ("text/javascript", "for (const h of document.querySelectorAll('h2')) h.textContent += ' ' + h.textContent.length;"),
        "/two.js": ("text/javascript", "document.body.dataset.ready = [...Array(1000).keys()].reduce((a, b) => a + b);"),
        "/heavy.js": ("text/javascript", script),
    }
    for n, colour in enumerate(["#c0504d", "#4f81bd", "#9bbb59"]):
        found[f"/svg/{n}"] = ("image/svg+xml", svg(colour))
    for n in range(60):
        found[f"/png/{n}"] = ("image/png", png(n + 3))
    for n, name in enumerate(FONTS):
        found[f"/font/{n}"] = ("font/ttf", font(name))
    return found


def answers():
    """Whole responses by path."""
    made = {}
    for path, (kind, body) in pages().items():
        body = body.encode() if isinstance(body, str) else body
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\ncache-control: max-age=600\r\n\r\n"
        made[path] = head.encode() + body
    return made


NOTHING = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"


async def main():
    known = answers()

    async def serve(reader, writer):
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                target = head.split(b" ", 2)[1].decode()
                writer.write(known.get(target.partition("?")[0], NOTHING))
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    # Ends with whoever started it.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
