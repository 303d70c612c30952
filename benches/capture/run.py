"""tintype beside Playwright: same pages, same browser program, one run, in turns. See scripts/bench-capture.

Everything that a contestant starts is counted: the loop itself, its driver or server, and the browser.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import threading
import time

import processes

HERE = os.path.dirname(os.path.abspath(__file__))
PAGES = ["light", "heavy"]
# After the last capture of a turn: what goes on in the background is counted too.
TAIL_SECONDS = 0.3
MEMORY_EVERY = 0.5


class Contestant:
    def __init__(self, name, command):
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            sys.exit(f"{name} did not start")

    def turn(self, url, at_once, seconds, first):
        """One turn, and what it took."""
        peak, over = [0], threading.Event()

        def watch():
            while not over.wait(MEMORY_EVERY):
                peak[0] = max(peak[0], processes.memory(self.process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        before = processes.cpu(self.process.pid)
        order = {"url": url, "at_once": at_once, "seconds": seconds, "from": first}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        time.sleep(TAIL_SECONDS)
        cpu = processes.cpu(self.process.pid) - before
        over.set()
        watcher.join()
        if not line:
            sys.exit(f"{self.name} ended")
        return {**json.loads(line), "cpu": cpu, "memory": peak[0]}

    def end(self):
        self.process.stdin.close()
        self.process.wait(30)


def summary(turns):
    latencies = sorted(latency for turn in turns for latency in turn["latencies"])
    return {
        "captures": len(latencies),
        "per_second": len(latencies) / sum(turn["seconds"] for turn in turns),
        "per_second_of_rounds": [round(len(turn["latencies"]) / turn["seconds"], 2) for turn in turns],
        "median_ms": statistics.median(latencies) * 1000,
        "p95_ms": latencies[min(len(latencies) - 1, int(len(latencies) * 0.95))] * 1000,
        "cpu_ms_per_capture": sum(turn["cpu"] for turn in turns) * 1000 / len(latencies),
        "memory_mib": max(turn["memory"] for turn in turns) / 2**20,
        "picture_bytes": turns[-1]["bytes"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tintype", required=True, help="its program, a release build")
    parser.add_argument("--browser", required=True, help="the browser program of both")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="of each turn")
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--pages", nargs="+", choices=PAGES, default=PAGES)
    parser.add_argument("--alone", action="store_true", help="without Playwright")
    parser.add_argument("--json", help="file for all figures")
    args = parser.parse_args()

    site = subprocess.Popen([sys.executable, f"{HERE}/site.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    port = int(site.stdout.readline())
    contestants = [Contestant("tintype", [sys.executable, f"{HERE}/tintype_loop.py", args.tintype, args.browser])]
    if not args.alone:
        contestants.append(Contestant("playwright", [sys.executable, f"{HERE}/playwright_loop.py", args.browser]))

    first, turns = 0, {}
    for number in range(args.rounds + 1):
        for page in args.pages:
            for at_once in args.at_once:
                # Who begins changes from round to round.
                for one in contestants if number % 2 else reversed(contestants):
                    # Round 0 warms up.
                    seconds = args.seconds if number else 1
                    done = one.turn(f"http://127.0.0.1:{port}/{page}", at_once, seconds, first)
                    first += 100_000
                    if number:
                        turns.setdefault((page, at_once, one.name), []).append(done)
    for one in contestants:
        one.end()
    site.stdin.close()
    site.wait(10)

    rows = []
    print("page   at once  who         per s  median ms  p95 ms  CPU ms  PSS MiB")
    for page in args.pages:
        for at_once in args.at_once:
            seen = {one.name: summary(turns[page, at_once, one.name]) for one in contestants}
            for name, s in seen.items():
                rows.append({"page": page, "at_once": at_once, "who": name, **s})
                print(
                    f"{page:6} {at_once:7}  {name:10} {s['per_second']:6.2f} {s['median_ms']:10.0f} {s['p95_ms']:7.0f}"
                    f" {s['cpu_ms_per_capture']:7.0f} {s['memory_mib']:8.0f}"
                )
            if not args.alone:
                ours, theirs = seen["tintype"], seen["playwright"]
                ratio = {key: ours[key] / theirs[key] for key in ours if isinstance(ours[key], float)}
                print(
                    f"{'':14}  {'ratio':10} {ratio['per_second']:6.2f} {ratio['median_ms']:10.2f} {ratio['p95_ms']:7.2f}"
                    f" {ratio['cpu_ms_per_capture']:7.2f} {ratio['memory_mib']:8.2f}"
                )
    if args.json:
        machine = {"cores": os.cpu_count(), "system": platform.platform(), "load": os.getloadavg()}
        with open(args.json, "w") as file:
            json.dump({"machine": machine, "rounds": args.rounds, "seconds": args.seconds, "rows": rows}, file, indent=1)
        print(f"All figures: {args.json}")


if __name__ == "__main__":
    main()
