"""tintype beside Playwright on real pages: are the pictures right, are they the same each time, what do they cost?

See scripts/bench-pages, and docs/CAPTURE_PAGES.md for what it found.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import re
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "capture"))

import browsers
import compare
import corpus
import processes
import report
import verdicts

# At most so much of a picture may differ from the reference and be taken for right unseen.
SAME = 0.01


class Store:
    """Reference pictures, kept from run to run: they do not depend on tintype."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)

    def place(self, item):
        return os.path.join(self.folder, item.key)

    def get(self, item):
        try:
            with open(self.place(item) + ".json", encoding="utf-8") as file:
                found = json.load(file)
        except (OSError, ValueError):
            return None
        return found if found.get("digest") == item.page.digest else None

    def pictures(self, item):
        found = []
        for name in (".png", ".late.png"):
            try:
                with open(self.place(item) + name, "rb") as file:
                    found.append(file.read())
            except OSError:
                found.append(None)
        return found

    def put(self, item, found, first, second):
        for name, body in ((".png", first), (".late.png", second)):
            if body:
                with open(self.place(item) + name, "wb") as file:
                    file.write(body)
            elif os.path.exists(self.place(item) + name):
                os.unlink(self.place(item) + name)
        # A page that failed on a busy machine gets another chance in the next run.
        if "error" in found:
            if os.path.exists(self.place(item) + ".json"):
                os.unlink(self.place(item) + ".json")
            return
        with open(self.place(item) + ".json", "w", encoding="utf-8") as file:
            json.dump({**found, "digest": item.page.digest}, file)


class Item:
    """One page in one mode at one latency."""

    def __init__(self, page, mode, latency):
        self.page, self.mode, self.latency = page, mode, latency
        self.key = f"{page.name}.{mode}.{latency}"


def judge(item, ours, reference, late, facts, theirs, known):
    """The facts of an item with the differences and the judgement."""
    row = {"page": item.page.name, "class": item.page.kind, "tags": sorted(item.page.tags), "mode": item.mode, "latency": item.latency}
    row["tintype"], row["reference"] = facts, theirs
    mine, first, second = (compare.pixels(one) if one else None for one in (ours, reference, late))
    height = int(facts.get("x-page-height") or 0)
    # A full page that a bound cut is compared as far as it goes.
    cut = mine is not None and item.mode == "full" and height > mine.shape[0]
    row["cut"] = cut
    if mine is not None:
        row["size"], row["trace"], row["blank"] = [mine.shape[1], mine.shape[0]], compare.fingerprint(mine), compare.one_colour(mine)
    if first is not None:
        row["reference_size"], row["reference_blank"] = [first.shape[1], first.shape[0]], compare.one_colour(first)
    row["share"] = compare.share(mine, first, cut) if mine is not None and first is not None else None
    row["late_share"] = compare.share(mine, second, cut) if mine is not None and second is not None else None
    row["reference_moved"] = compare.share(first, second) if first is not None and second is not None else None
    row["judgement"], row["why"] = verdicts.judge(row, known, SAME)
    return row, (mine, first, second)


async def capture_all(args, items, tintype, reference, site, store, known):
    os.makedirs(os.path.join(args.out, "pictures"), exist_ok=True)
    rows, gate, begun = [], asyncio.Semaphore(args.jobs), time.monotonic()

    async def one(item):
        async with gate:
            url = item.page.url(site.ports[str(item.latency)])
            full = item.mode == "full"
            theirs = store.get(item)
            if theirs is None or args.renew_reference:
                if args.no_reference:
                    theirs = {"error": "no reference picture yet (run without --no-reference)"}
                else:
                    theirs, first, second = await reference.capture(url, full, late=True)
                    store.put(item, theirs, first, second)
            facts, ours = await tintype.capture(url, full)
            if ours is not None and not args.once:
                again, other = await tintype.capture(url, full)
                facts["same_bytes"] = ours == other
                if other is not None and ours != other:
                    facts["again_share"] = await asyncio.to_thread(lambda: compare.share(compare.pixels(ours), compare.pixels(other)))
                    with open(os.path.join(args.out, "pictures", item.key + ".again.png"), "wb") as file:
                        file.write(other)
            first, second = store.pictures(item)
            place = os.path.join(args.out, "pictures", item.key)
            if ours is not None:
                with open(place + ".png", "wb") as file:
                    file.write(ours)
            elif os.path.exists(place + ".png"):
                os.unlink(place + ".png")
            row, pictures = await asyncio.to_thread(judge, item, ours, first, second, facts, theirs, known)
            if row["share"] is None or min(row["share"], 1 if row["late_share"] is None else row["late_share"]) > 0:
                row["thumbs"] = await asyncio.to_thread(report.thumbnails, os.path.join(args.out, "thumbs"), item.key, pictures)
            rows.append(row)
            note = facts.get("error", "") or facts.get("x-capture", "")
            differs = "  --  " if row["share"] is None else f"{row['share'] * 100:6.2f}"
            late = "  --  " if row["late_share"] is None else f"{row['late_share'] * 100:6.2f}"
            same = {True: "same", False: "VARY", None: ""}[facts.get("same_bytes")]
            print(
                f"[{len(rows)}/{len(items)} {time.monotonic() - begun:4.0f}s] {item.key:44} {row['judgement']:9} {differs}% late {late}%"
                f" {facts['ms']:6.0f} ms {same:4} {note[:90]}",
                flush=True,
            )
            # A run takes long: what ends it early leaves most of what it found.
            if len(rows) % 25 == 0:
                write(args, {"rows": rows})

    await asyncio.gather(*(one(item) for item in items))
    order = {item.key: number for number, item in enumerate(items)}
    rows.sort(key=lambda row: order[f"{row['page']}.{row['mode']}.{row['latency']}"])
    return rows


async def references(args, items, reference, site, store):
    """The reference pictures that are missing, without tintype."""
    items = [item for item in items if args.renew_reference or store.get(item) is None]
    gate, done = asyncio.Semaphore(args.jobs), []

    async def one(item):
        async with gate:
            found, first, second = await reference.capture(item.page.url(site.ports[str(item.latency)]), item.mode == "full", late=True)
            store.put(item, found, first, second)
            done.append(item)
            print(f"[{len(done)}/{len(items)}] {item.key:44} {found['ms']:6.0f} ms {found.get('error', '')[:90]}", flush=True)

    await asyncio.gather(*(one(item) for item in items))


async def speed(args, items, tintype, reference, site):
    """Both sides in turns, one capture at a time. Processor time is that of a side's own processes and of what it starts."""
    chosen = [item for item in items]
    random.Random(7).shuffle(chosen)
    chosen = chosen[: args.speed]
    taken = {"tintype": {"ms": [], "cpu": 0.0}, "playwright": {"ms": [], "cpu": 0.0}}
    me, others = os.getpid(), (tintype.process.pid, site.process.pid)

    def cpu(side):
        if side == "tintype":
            return processes.cpu(tintype.process.pid)
        # Playwright's driver and browser are the rest of what this process started; its own loop is this process.
        return processes.cpu(me) - sum(processes.cpu(pid) for pid in others)

    rows = []
    for number in range(args.speed_rounds):
        for count, item in enumerate(chosen):
            url, full = item.page.url(site.ports[str(item.latency)]), item.mode == "full"
            for side in ("tintype", "playwright") if (number + count) % 2 else ("playwright", "tintype"):
                before, begun = cpu(side), time.monotonic()
                found = (await (tintype if side == "tintype" else reference).capture(url, full))[0]
                took = (time.monotonic() - begun) * 1000
                # What a side does after its answer is its own too.
                await asyncio.sleep(0.2)
                spent = cpu(side) - before
                rows.append({"key": item.key, "side": side, "ms": took, "cpu_ms": spent * 1000, "error": found.get("error")})
                taken[side]["ms"].append(took)
                taken[side]["cpu"] += spent
    found = {}
    for side, one in taken.items():
        times = sorted(one["ms"])
        if times:
            found[side] = {
                "captures": len(times),
                "median_ms": statistics.median(times),
                "p95_ms": times[min(len(times) - 1, int(len(times) * 0.95))],
                "cpu_ms": one["cpu"] * 1000 / len(times),
                "failed": sum(1 for row in rows if row["side"] == side and row["error"]),
            }
    return found, rows


def write(args, found):
    with open(args.json + ".new", "w", encoding="utf-8") as file:
        json.dump(found, file, indent=1)
    os.replace(args.json + ".new", args.json)


def choose(args, pages):
    found = [
        page
        for page in pages
        if (not args.only or any(re.fullmatch(one, page.name) for one in args.only))
        and (not args.kind or page.kind in args.kind)
        and (not args.tag or page.tags & set(args.tag))
    ]
    if args.sample and args.sample < len(found):
        kept = set(random.Random(args.seed).sample([page.name for page in found], args.sample))
        found = [page for page in found if page.name in kept]
    return found


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, prog="bench-pages")
    parser.add_argument("--tintype", required=True, help="its program")
    parser.add_argument("--browser", required=True, help="the browser program of both")
    parser.add_argument("--cache", required=True, help="folder of packages and reference pictures, kept from run to run")
    parser.add_argument("--out", required=True, help="folder of this run's pictures, results.json and report.html")
    parser.add_argument("--only", nargs="+", metavar="REGEX", help="pages whose whole name matches")
    parser.add_argument("--class", dest="kind", nargs="+", help="pages of these classes")
    parser.add_argument("--tag", nargs="+", help="pages with one of these tags, such as script")
    parser.add_argument("--sample", type=int, help="so many of them, the same each time")
    parser.add_argument("--seed", type=int, default=1, help="another sample")
    parser.add_argument("--latency", default="0,150", help="milliseconds before each answer, such as 0,150")
    parser.add_argument("--mode", default="viewport,full", help="viewport, full or both")
    parser.add_argument("--jobs", type=int, default=2, help="captures at once (not in the speed section)")
    parser.add_argument("--once", action="store_true", help="no second capture to see whether the bytes are the same")
    parser.add_argument("--no-reference", action="store_true", help="start no Playwright: only the reference pictures that are kept")
    parser.add_argument("--renew-reference", action="store_true", help="take the reference pictures anew")
    parser.add_argument("--reference-only", action="store_true", help="only take the reference pictures that are missing")
    parser.add_argument("--query", default="", help="more parameters of tintype's captures, such as wait_until=networkidle")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="settings under [upstream.chrome], as TOML")
    parser.add_argument("--speed", type=int, default=0, metavar="N", help="also time N captures in turns with Playwright")
    parser.add_argument("--speed-rounds", type=int, default=2)
    parser.add_argument("--json", help="file for all figures (default: results.json in --out)")
    parser.add_argument("--list", action="store_true", help="list the pages that would be captured")
    parser.add_argument("--fetch", action="store_true", help="only fetch the packages")
    parser.add_argument("--serve", action="store_true", help="serve the pages, print their URLs, and wait")
    parser.add_argument("--decide", nargs=3, metavar=("RIGHT", "MODE", "REASON"), help="note who is right (tintype, reference, both) on the pages of --only, by the last results")
    return parser.parse_args()


async def main():
    args = arguments()
    latencies, modes = [int(one) for one in args.latency.split(",")], args.mode.split(",")
    os.makedirs(args.out, exist_ok=True)
    args.json = args.json or os.path.join(args.out, "results.json")
    pages = choose(args, corpus.load())
    if args.list:
        for page in pages:
            print(f"{page.name:44} {page.kind:14} {' '.join(sorted(page.tags)):14} {' '.join(page.sources)}")
        print(f"{len(pages)} pages")
        return
    if args.decide:
        verdicts.decide(args.json, [page.name for page in pages], *args.decide)
        return
    failed = corpus.fetch_all(args.cache, pages)
    left_out = [page for page in pages if any(source in failed for source in page.sources)]
    pages = [page for page in pages if page not in left_out]
    for source, error in failed.items():
        print(f"could not be had: {source}: {error}", file=sys.stderr)
    if left_out:
        print(f"left out: {', '.join(page.name for page in left_out)}", file=sys.stderr)
    if args.fetch:
        return
    if not pages:
        sys.exit("no page is left")
    site = browsers.Site(corpus.sites(args.cache, pages), latencies)
    try:
        if args.serve:
            for page in pages:
                print(f"{page.name:44} {' '.join(page.url(port) for port in site.ports.values())}")
            print("Serving until interrupted.", flush=True)
            await asyncio.Event().wait()
        items = [Item(page, mode, latency) for latency in latencies for mode in modes for page in pages]
        store, known = Store(os.path.join(args.cache, "reference")), verdicts.load()
        needed = args.speed or (not args.no_reference and any(args.renew_reference or store.get(item) is None for item in items))
        reference = browsers.Reference(args.browser)
        if needed:
            await reference.start()
        if args.reference_only:
            await references(args, items, reference, site, store)
            await reference.end()
            return
        tintype = browsers.Tintype(args.tintype, args.browser, args.set, args.query)
        try:
            begun = time.monotonic()
            rows = await capture_all(args, items, tintype, reference, site, store, known)
            seconds = time.monotonic() - begun
            costs, turns = await speed(args, items, tintype, reference, site) if args.speed else ({}, [])
        finally:
            await tintype.end()
            if needed:
                await reference.end()
    finally:
        site.end()
    machine = {"cores": os.cpu_count(), "system": platform.platform(), "load": os.getloadavg()}
    whole = {"machine": machine, "seconds": seconds, "left_out": [page.name for page in left_out], "rows": rows, "speed": costs, "turns": turns}
    write(args, whole)
    text = report.markdown(rows, costs)
    with open(os.path.join(args.out, "report.md"), "w", encoding="utf-8") as file:
        file.write(text)
    report.html(os.path.join(args.out, "report.html"), rows, text, store.folder)
    print("\n" + text)
    print(f"Pictures side by side: {os.path.join(args.out, 'report.html')}")
    print(f"All figures: {args.json}")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(130)
