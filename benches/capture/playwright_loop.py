"""The loop that most people write: one browser, a new context for each shot.

Reads orders from standard input, one JSON object a line: {"url", "at_once", "seconds"}; answers each with
{"seconds", "latencies", "bytes"}. Every capture has a URL of its own (`?n=`).
"""

import asyncio
import json
import sys
import time

from playwright.async_api import async_playwright


async def capture(browser, url):
    context = await browser.new_context(viewport={"width": 1280, "height": 720})
    page = await context.new_page()
    await page.goto(url)
    picture = await page.screenshot()
    await context.close()
    return len(picture)


async def run(browser, order):
    begun = time.monotonic()
    latencies, sizes, number = [], [], 0

    async def worker():
        nonlocal number
        while time.monotonic() - begun < order["seconds"]:
            number += 1
            at = time.monotonic()
            sizes.append(await capture(browser, f"{order['url']}?n={order['from'] + number}"))
            latencies.append(time.monotonic() - at)

    await asyncio.gather(*(worker() for _ in range(order["at_once"])))
    return {"seconds": time.monotonic() - begun, "latencies": latencies, "bytes": max(sizes)}


async def main():
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=sys.argv[1])
        print("ready", flush=True)
        while line := await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline):
            print(json.dumps(await run(browser, json.loads(line))), flush=True)
        await browser.close()


asyncio.run(main())
