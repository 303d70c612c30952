"""The pages that the captures of run.py look at, on loopback.

Most of them are red, and turn green when what an option promises is so: /test evaluates `js` in the
page, and /header looks at the request that came. Requests are counted by the parameter `n`, which
run.py gives each case.
"""

import http.server
import io
import struct
import threading
import time
import urllib.parse
import zlib

GREEN, RED = "#00c000", "#d00000"

# Fixed size: the picture of a viewport has the colour at its centre, whatever `html` adds at the
# top left.
TEST = """<!doctype html><html lang=en{attributes}><head><meta charset=utf-8><title>Test</title>
<meta name=viewport content='width=device-width,initial-scale=1'>
<style>html,body{{margin:0}}#state{{position:fixed;inset:0;z-index:-1;background:{start}}}{mark}{css}</style>
<script>
function paint(colour) {{ document.getElementById('state').style.background = colour }}
function ok() {{ paint('{green}') }}
function bad() {{ paint('{red}') }}
</script></head><body><div id=state></div><div id=mark></div>{html}
<script>
function ask() {{ try {{ if ({js}) ok() }} catch (error) {{ document.title = String(error) }} }}
ask(); addEventListener('load', ask); addEventListener('resize', ask);
</script></body></html>"""

# A picture of one colour is no good picture, so there is a mark in the corner of each page.
MARK = "#mark{position:fixed;right:0;bottom:0;width:8px;height:8px;z-index:99999;background:#000}"

PAGE = """<!doctype html><html lang=en><head><meta charset=utf-8><title>Page of the site</title>
<meta name=viewport content='width=device-width,initial-scale=1'>
<meta name=description content='A page with everything that metadata has.'>
<meta name=author content='Jane Doe'><meta property=article:published_time content=2026-01-02T03:04:05Z>
<meta property=og:title content='Title for cards'><meta property=og:description content='Description for cards'>
<meta property=og:site_name content='The Site'><meta property=og:image content='{base}/green.png'>
<link rel=icon href='{base}/green.png'><link rel=canonical href='{base}/page'>
<style>html,body{{margin:0;background:#fff;font:16px/20px sans-serif}}
#box{{position:absolute;left:20px;top:20px;width:200px;height:100px;background:{red}}}
article{{display:block;padding:140px 20px 0}}</style></head>
<body><div id=box class=box></div><article><h1>Heading of the page</h1>
<p>First paragraph, with <a href='{base}/other'>a link</a> and words enough to be the content of a page that is read.</p>
<p>Second paragraph: the quick brown fox jumps over the lazy dog, again and again, until the text is long enough.</p>
</article></body></html>"""

# 3000 CSS pixels in 30 strips of 100, of which the first is red, the last green, and the others
# grey.
TALL = """<!doctype html><html><head><meta charset=utf-8><title>Tall</title><meta name=viewport content='width=device-width'>
<style>html,body{{margin:0}}div{{height:100px;background:#888}}div:first-child{{background:{red}}}div:last-child{{background:{green}}}
</style></head><body>{strips}</body></html>"""


def picture(colour, side=64):
    """A PNG of one colour."""
    rgb = bytes.fromhex(colour[1:])
    rows = (b"\0" + rgb * side) * side
    out = io.BytesIO(b"\x89PNG\r\n\x1a\n")
    out.seek(0, 2)
    for kind, data in (
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ):
        out.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))
    return out.getvalue()


class Site:
    def __init__(self):
        site = self
        self.visits = {}
        self.webhooks = {}
        self.files = {}
        self.lock = threading.Condition()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle(self):
                # A browser may go while it is answered.
                try:
                    super().handle()
                except (BrokenPipeError, ConnectionResetError):
                    pass

            def reply(self, status, body, kind="text/html; charset=utf-8", headers=()):
                body = body.encode() if isinstance(body, str) else body
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                for name, value in headers:
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def do_HEAD(self):
                self.do_GET()

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                number = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query)).get("n", "")
                with site.lock:
                    fields = {name.lower(): value for name, value in self.headers.items()}
                    site.webhooks[number] = (fields, body)
                    site.lock.notify_all()
                self.reply(200, "ok", "text/plain")

            def do_GET(self):
                url = urllib.parse.urlsplit(self.path)
                query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
                with site.lock:
                    number = query.pop("n", "")
                    site.visits[number] = site.visits.get(number, 0) + 1
                site.answer(self, url.path, query)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def webhook(self, number, seconds):
        """The fields and the body of the webhook with this number, or None if none comes in time."""
        with self.lock:
            self.lock.wait_for(lambda: number in self.webhooks, seconds)
            return self.webhooks.get(number)

    def answer(self, handler, path, query):
        if path in self.files:
            return handler.reply(200, *self.files[path])
        if path == "/page":
            return handler.reply(200, PAGE.format(base=self.base, red=RED), headers=[("X-Site", "page")])
        if path == "/tall":
            return handler.reply(200, TALL.format(red=RED, green=GREEN, strips="<div></div>" * 30))
        if path == "/test":
            start = {"green": GREEN, "none": "transparent"}.get(query.get("start"), RED)
            fields = {"attributes": "", "css": "", "html": "", "js": "false", **query, "start": start, "mark": MARK}
            return handler.reply(200, TEST.format(green=GREEN, red=RED, **fields))
        if path == "/header":
            # Green if each named field of the request has the value in it; an empty value says that
            # it is not there.
            right = all(
                value in handler.headers.get(name, "") if value else name not in handler.headers
                for name, value in query.items()
            )
            return handler.reply(200, self.colour(right))
        if path == "/green.png":
            return handler.reply(200, picture(GREEN), "image/png")
        if path == "/red.png":
            return handler.reply(200, picture(RED), "image/png")
        if path == "/ok.js":
            return handler.reply(200, "ok()", "text/javascript")
        if path == "/bad.js":
            return handler.reply(200, "bad()", "text/javascript")
        if path == "/green.css":
            return handler.reply(200, f"#state{{background:{GREEN} !important}}", "text/css")
        if path.startswith("/status/"):
            return handler.reply(int(path.rsplit("/", 1)[1]), self.colour(True))
        if path == "/redirect":
            return handler.reply(302, "", headers=[("Location", query.get("to", "/page"))])
        if path == "/slow":
            time.sleep(float(query.get("seconds", 60)))
            return handler.reply(200, self.colour(True))
        if path == "/reset":
            handler.close_connection = True
            return handler.connection.close()
        if path == "/favicon.ico":
            return handler.reply(404, "", "text/plain")
        return handler.reply(404, self.colour(False))

    @staticmethod
    def colour(right):
        colour = GREEN if right else RED
        return f"<!doctype html><title>Colour</title><style>{MARK}</style><body style='background:{colour}'><div id=mark></div>"
