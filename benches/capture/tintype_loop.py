"""The same for tintype: starts the server, asks it over HTTP, one connection for each capture at once.

Same orders and answers as playwright_loop.py. Every capture has a URL of its own, so none comes from the cache.
"""

import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

CONFIG = """
[server]
listen = "127.0.0.1:0"
[admin]
enabled = false
[store]
dir = ""
[log]
level = "warn"
access = false
[upstream.chrome]
kind = "chrome"
program = "{program}"
allow_ranges = ["127.0.0.0/8"]
recycle_after = 1000000
[route.screenshot]
path = "/screenshot"
upstream = "chrome"
"""


def run(port, order):
    begun = time.monotonic()
    latencies, sizes, failed = [], [], []
    numbers = iter(range(order["from"] + 1, sys.maxsize))

    def worker():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while time.monotonic() - begun < order["seconds"]:
            at = time.monotonic()
            url = urllib.parse.quote(f"{order['url']}?n={next(numbers)}", safe="")
            connection.request("GET", f"/screenshot?url={url}")
            answer = connection.getresponse()
            picture = answer.read()
            latencies.append(time.monotonic() - at)
            sizes.append(len(picture))
            if answer.status != 200 or "MISS" not in answer.getheader("x-cache", ""):
                failed.append(f"{answer.status} {answer.getheader('cache-status')} {picture[:200]}")

    workers = [threading.Thread(target=worker) for _ in range(order["at_once"])]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    if failed:
        sys.exit(f"tintype failed: {failed[0]}")
    return {"seconds": time.monotonic() - begun, "latencies": latencies, "bytes": max(sizes)}


def main():
    program, browser = sys.argv[1:3]
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
        config.write(CONFIG.format(program=browser))
        config.flush()
        server = subprocess.Popen([program, "serve", "--config", config.name], stdout=subprocess.PIPE, text=True)
        port = int(server.stdout.readline().strip().rpartition(":")[2])
        print("ready", flush=True)
        for line in sys.stdin:
            print(json.dumps(run(port, json.loads(line))), flush=True)
        server.terminate()
        server.wait()


main()
