"""The two sides: a tintype server, asked over HTTP, and Playwright's loop over the same browser program."""

import asyncio
import contextlib
import http.client
import json
import os
import subprocess
import tempfile
import time
import urllib.parse

VIEWPORT = (1280, 720)
# The pages have nothing from outside, so a name that is none of ours is refused at once, as tintype's own exit does.
NO_OUTSIDE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.*, EXCLUDE localhost"
NETWORK_IDLE_MS = 5000
# A second picture of the reference, after that long: what a visitor sees when all that moves has come to an end.
LATE_MS = 2500

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
program = {program}
allow_ranges = ["127.0.0.0/8"]
{settings}
[route.screenshot]
path = "/screenshot"
upstream = "chrome"
"""


class Tintype:
    name = "tintype"

    def __init__(self, program, browser, settings=(), query=""):
        self.query = query
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
            config.write(CONFIG.format(program=json.dumps(browser), settings="\n".join(settings)))
            config.flush()
            self.process = subprocess.Popen([program, "serve", "--config", config.name], stdout=subprocess.PIPE, text=True)
            line = self.process.stdout.readline()
        if ":" not in line:
            raise SystemExit("tintype did not start")
        self.port = int(line.strip().rpartition(":")[2])

    def ask(self, url, full):
        """One capture, never from the cache."""
        target = "/screenshot?force=true&url=" + urllib.parse.quote(url, safe="") + ("&full_page=true" if full else "")
        target += "&" + self.query if self.query else ""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        begun = time.monotonic()
        try:
            connection.request("GET", target)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            return {"error": f"no answer: {error}", "ms": (time.monotonic() - begun) * 1000}, None
        finally:
            connection.close()
        found = {"ms": (time.monotonic() - begun) * 1000, "status": answer.status}
        for field in ("x-capture", "x-page-height", "cache-status"):
            if answer.getheader(field):
                found[field] = answer.getheader(field)
        if answer.status != 200:
            found["error"] = f"{answer.status} {body[:300].decode(errors='replace').strip()}"
            return found, None
        return found, body

    async def capture(self, url, full):
        return await asyncio.to_thread(self.ask, url, full)

    async def end(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Reference:
    """A new context for each picture; load, an idle network (bounded), fonts, picture."""

    name = "playwright"

    def __init__(self, browser):
        self.program = browser

    async def start(self):
        from playwright.async_api import async_playwright

        self.manager = async_playwright()
        self.playwright = await self.manager.__aenter__()
        # The sandbox is left as Playwright has it: off.
        self.browser = await self.playwright.chromium.launch(executable_path=self.program, args=[NO_OUTSIDE])

    async def capture(self, url, full, late=False):
        """Gives what there is to know, the picture, and a second one LATE_MS later where `late` asks for it."""
        if not self.browser.is_connected():
            self.browser = await self.playwright.chromium.launch(executable_path=self.program, args=[NO_OUTSIDE])
        found, picture, second = {}, None, None
        begun = time.monotonic()
        context = await self.browser.new_context(viewport={"width": VIEWPORT[0], "height": VIEWPORT[1]})
        try:
            page = await context.new_page()
            page.on("dialog", lambda dialog: asyncio.ensure_future(dialog.dismiss()))
            answer = await page.goto(url, wait_until="load", timeout=30000)
            found["status"] = answer.status if answer else None
            with contextlib.suppress(Exception):
                await page.wait_for_load_state("networkidle", timeout=NETWORK_IDLE_MS)
            await asyncio.wait_for(page.evaluate("document.fonts.ready.then(() => 0)"), 10)
            picture = await page.screenshot(full_page=full, timeout=60000)
            found["ms"] = (time.monotonic() - begun) * 1000
            if late:
                await page.wait_for_timeout(LATE_MS)
                second = await page.screenshot(full_page=full, timeout=60000)
        except Exception as error:  # Playwright's own and time-outs: a page without a picture.
            found["error"] = (str(error) or type(error).__name__).splitlines()[0][:300]
            found.setdefault("ms", (time.monotonic() - begun) * 1000)
        finally:
            try:
                await asyncio.wait_for(context.close(), 15)
            except Exception:
                # It does not answer: the next page gets another browser.
                with contextlib.suppress(Exception):
                    await asyncio.wait_for(self.browser.close(), 15)
        return found, picture, second

    async def end(self):
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self.browser.close(), 15)
        await self.manager.__aexit__(None, None, None)


class Site:
    """server.py, until end()."""

    def __init__(self, sites, latencies):
        import socket
        import sys

        self.ports = {}
        address = next(iter(sites))
        # The same ports each time, since some pages show their own address; others where somebody has these.
        for first in range(18700, 18800, 10):
            ports = {str(latency): first + number for number, latency in enumerate(latencies)}
            free = True
            for port in ports.values():
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    try:
                        probe.bind((address, port))
                    except OSError:
                        free = False
            # Another run may have other addresses: its mark is this one.
            if free:
                try:
                    self.mark = socket.create_server(("127.77.0.1", first))
                except OSError:
                    continue
                self.ports = ports
                break
        if not self.ports:
            raise SystemExit("no free ports from 18700 to 18790")
        here = os.path.dirname(os.path.abspath(__file__))
        self.process = subprocess.Popen([sys.executable, os.path.join(here, "server.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdin.write(json.dumps({"ports": self.ports, "sites": sites}) + "\n")
        self.process.stdin.flush()
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit("the server of the pages did not start")

    def end(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.mark.close()
