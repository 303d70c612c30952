#!/usr/bin/env python3
"""Runs the client libraries of the screenshot services against a tintype and compares the results
with the table in cases.toml.

  tests/clients/run.py TINTYPE [--only CLIENT,...] [--case WORD] [--json] [--all] [--keep DIR]

The libraries are those of clients.lock, as scripts/install-clients installs them. For each client
there is a driver in drivers/, a program that does with the SDK what a case says. A case has one of
three expectations:

  works      The SDK gets the picture or the document, of the size, colour and fields of the case.
  error      The page or the request is at fault, and the SDK raises what its own service makes it
             raise.
  refused    tintype does not do this, and says so by name in the service's form of errors.

`today` names the failure (F-number of the issue) that a case is known to fail by. The exit status is
1 where a case differs from the table: it fails and is not known to, or is known to fail and does not.
"""

import argparse
import base64
import collections
import hmac
import io
import json
import os
import pathlib
import queue
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import urllib.parse
import urllib.request

from site_pages import GREEN, Site

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BROWSERS = ["/usr/bin/chromium-headless-shell", "chromium-headless-shell", "/usr/bin/chromium", "chromium"]
CASE_SECONDS = 100
WEBHOOK_SECONDS = 20
WEBHOOK_SECRET = "secret-of-webhooks-1"
KEYS = {
    "screenshotone": ["so-access-key-1", "so-secret-key-1"],
    "urlbox": ["ub-public-key-1", "ub-secret-key-1"],
    "apiflash": "af-access-key-1",
    "microlink": "ml-api-key-0001",
    "imgproxy": ["943b421c9eb07c830af81030552c8600", "520f986b998545b4785e0defbc4f3c12"],
}
DIALECTS = ["screenshotone", "urlbox", "apiflash", "microlink", "web2img"]


def configuration(port, admin, browser):
    """One route for each dialect, open and with authentication, each under a prefix of its own."""
    text = f"""
[server]
listen = "127.0.0.1:{port}"
[admin]
listen = "127.0.0.1:{admin}"
[store]
dir = ""
memory = "64MiB"
[log]
level = "warn"
access = false
[jobs]
allow_ranges = ["127.0.0.0/8"]
webhook_secret = "{WEBHOOK_SECRET}"
[upstream.chrome]
kind = "chrome"
program = "{browser}"
allow_ranges = ["127.0.0.0/8"]
# Shorter than the defaults, so that cases that wait for what does not come end soon.
max_wait = "2s"
max_load = "4s"
deadline = "20s"
[keys.{KEYS["screenshotone"][0]}]
secret = "{KEYS["screenshotone"][1]}"
api_key = "{KEYS["screenshotone"][0]}"
[keys.{KEYS["urlbox"][0]}]
secret = "{KEYS["urlbox"][1]}"
# These services have no secret. The links in JSON are signed with one, so that a browser gets the
# picture without the key.
[keys.apiflash]
api_key = "{KEYS["apiflash"]}"
secret = "af-links-secret-1"
[keys.microlink]
api_key = "{KEYS["microlink"]}"
secret = "ml-links-secret-1"
[imgproxy]
key = "{KEYS["imgproxy"][0]}"
salt = "{KEYS["imgproxy"][1]}"
[route.shots]
path = "/screenshot"
upstream = "chrome"
# At the root: one of the builders takes no prefix.
[route.imgproxy]
path = "/"
upstream = "chrome"
dialect = "imgproxy"
"""
    for dialect in DIALECTS:
        # `public` is what CORS goes by: a picture that any page may show.
        text += f'[route.{dialect}]\npath = "/{dialect}"\nupstream = "chrome"\ndialect = "{dialect}"\npublic = true\n'
        text += f'[route.{dialect}-auth]\npath = "/{dialect}-auth"\nupstream = "chrome"\ndialect = "{dialect}"\nauth = "either"\n'
    return text


def free_ports(count):
    """Ports that were free a moment ago: all are held until the last one is found."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


class Tintype:
    def __init__(self, program, browser, directory):
        port, admin = free_ports(2)
        self.base, self.admin = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{admin}"
        path = directory / "proxy.toml"
        path.write_text(configuration(port, admin, browser))
        self.log = open(directory / "tintype.log", "wb")
        command = [program, "serve", "--config", path]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=self.log, cwd=directory)
        until = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"{self.admin}/readyz", timeout=2).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    self.stop()
                    sys.exit(f"tintype did not start:\n{(directory / 'tintype.log').read_text()}")
                time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Driver:
    """The program that does with one SDK what cases say."""

    def __init__(self, name, cache, browser):
        environment = {
            **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
            "TINTYPE_CLIENTS_NPM": str(cache / "npm"),
            "TINTYPE_CLIENTS_PYPI": str(cache / "pypi"),
            "TINTYPE_CLIENTS_BROWSER": browser,
            "NO_PROXY": "*",
        }
        path = HERE / "drivers" / name
        command = ["node", "--no-warnings"] if path.suffix == ".mjs" else [sys.executable, "-B"]
        self.process = subprocess.Popen(
            [*command, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        )

    def run(self, work):
        timer = threading.Timer(CASE_SECONDS, self.process.kill)
        timer.start()
        try:
            self.process.stdin.write(json.dumps(work).encode() + b"\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = b""
        finally:
            timer.cancel()
        if line:
            return json.loads(line)
        self.stop()
        errors = self.process.stderr.read().decode(errors="replace").strip().splitlines()
        return {"error": {"class": "Driver", "message": f"ended: {' '.join(errors[-3:]) or 'too slow'}"}}

    def stop(self):
        # At the end of its input a driver ends by itself, and its browser with it.
        try:
            self.process.stdin.close()
            self.process.wait(5)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()


def member(value, path):
    """What is at a.b.0.c of JSON, or None."""
    for name in path.split("."):
        try:
            value = value[int(name)] if isinstance(value, list) else value[name]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return value


def close(found, expected):
    """Are two colours the same but for what compression does?"""
    rgb = [int(expected[at : at + 2], 16) for at in (1, 3, 5)]
    return all(abs(one - other) <= 12 for one, other in zip(found, rgb))


class Checks:
    """Compares what came with what a case expects. Each difference is a sentence."""

    def __init__(self, pillow, tintype, site):
        self.image, self.tintype, self.site = pillow, tintype, site

    def differences(self, case, result, visits):
        if "error" in case or "refused" in case:
            wanted = case.get("error", case.get("refused"))
            return [*self.of_error(wanted, result), *self.of_visits(case, visits)]
        if "error" in result:
            error = result["error"]
            known = {name: value for name, value in error.items() if name not in ("classes", "headers", "class", "name")}
            return [f"{error['class']}: {json.dumps(known)[:400]}"]
        if result.get("status", 200) != case.get("status", 200):
            return [f"status {result['status']}: {base64.b64decode(result.get('body', '')).decode(errors='replace')[:300]}"]
        found = []
        body = base64.b64decode(result["body"]) if "body" in result else b""
        document = result.get("json")
        if document is None and any(name in case for name in ("json", "follow")):
            try:
                document = json.loads(body)
            except ValueError:
                return [f"no JSON but {body[:80]!r}"]
        for path, value in case.get("json", {}).items():
            found += self.of_member(path, member(document, path), value)
        for name, value in case.get("headers", {}).items():
            there = result.get("headers", {}).get(name.lower())
            if there is None or (value is not True and str(value) not in there):
                found.append(f"field {name}: {there!r}, not {value!r}")
        if "follow" in case:
            link = member(document, case["follow"])
            if not isinstance(link, str):
                return [*found, f"{case['follow']}: {link!r} is no link"]
            try:
                with urllib.request.urlopen(link, timeout=60) as answer:
                    body = answer.read()
            except OSError as error:
                return [*found, f"{link}: {error}"]
        found += self.of_picture(case, body)
        for words in case.get("text", []):
            if words not in body.decode(errors="replace"):
                found.append(f"the text has no {words!r}: {body[:120]!r}")
        for words in case.get("no_text", []):
            if words in body.decode(errors="replace"):
                found.append(f"the text has {words!r}")
        if "starts" in case and not body.startswith(case["starts"].encode()):
            found.append(f"begins with {body[:16]!r}, not {case['starts']!r}")
        if "webhook" in case and not found:
            found += self.of_webhook(case["webhook"], self.site.webhook(case["number"], WEBHOOK_SECONDS))
        return found + self.of_visits(case, visits)

    def of_webhook(self, wanted, came):
        if came is None:
            return [f"no webhook within {WEBHOOK_SECONDS} s"]
        fields, body = came
        found = []
        if wanted["signed"] == "screenshotone":
            right = hmac.new(KEYS["screenshotone"][1].encode(), body, "sha256").hexdigest()
            if fields.get("x-screenshotone-signature") != right:
                found.append(f"x-screenshotone-signature: {fields.get('x-screenshotone-signature')}")
        elif wanted["signed"] == "urlbox":
            # As the validator of urlbox's package has it: the time, a dot, and the JSON without blanks.
            signature = fields.get("x-urlbox-signature", "")
            stamp = signature.partition(",")[0].removeprefix("t=")
            signed = f"{stamp}.{json.dumps(json.loads(body), separators=(',', ':'))}".encode()
            right = hmac.new(WEBHOOK_SECRET.encode(), signed, "sha256").hexdigest()
            if signature != f"t={stamp},sha256={right}":
                found.append(f"x-urlbox-signature: {signature!r}")
        elif any("signature" in name for name in fields):
            found.append("the webhook is signed")
        if "json" in wanted:
            document = json.loads(body)
            for path, value in wanted["json"].items():
                found += self.of_member(path, member(document, path), value)
        return found + self.of_picture(wanted, body)

    def of_visits(self, case, visits):
        if "visits" in case and visits > case["visits"]:
            return [f"the page was asked for {visits} times, not {case['visits']}"]
        return []

    @staticmethod
    def of_member(path, found, value):
        if value is True and isinstance(value, bool):
            right = found is not None and found is not False and found != ""
        elif isinstance(value, dict):
            right = value["has"] in (found if isinstance(found, (list, str)) else json.dumps(found))
        else:
            right = found == value
        return [] if right else [f"{path}: {json.dumps(found)[:120]}, not {json.dumps(value)}"]

    def of_picture(self, case, body):
        wanted = [name for name in ("size", "format", "green", "pixels", "alpha", "bytes_below") if name in case]
        if not wanted:
            return []
        try:
            picture = self.image.open(io.BytesIO(body))
            picture.load()
        except Exception as error:
            return [f"no picture: {error} {body[:60]!r}"]
        found = []
        if "format" in case and picture.format.lower() != case["format"]:
            found.append(f"format {picture.format}, not {case['format']}")
        if "size" in case and any(side and side != there for side, there in zip(case["size"], picture.size)):
            found.append(f"size {picture.size[0]}x{picture.size[1]}, not {case['size'][0]}x{case['size'][1]}")
        if "alpha" in case:
            alpha = picture.convert("RGBA").getpixel((picture.width // 2, picture.height // 2))[3]
            if alpha != case["alpha"]:
                found.append(f"alpha {alpha}, not {case['alpha']}")
        if "bytes_below" in case and len(body) >= case["bytes_below"]:
            found.append(f"{len(body)} bytes, not below {case['bytes_below']}")
        rgb = picture.convert("RGB")
        points = [*case.get("pixels", [])]
        if case.get("green"):
            points.append([rgb.width // 2, rgb.height // 2, GREEN])
        for x, y, colour in points:
            # From the right and the bottom, where it is negative.
            x, y = (x if x >= 0 else rgb.width + x), (y if y >= 0 else rgb.height + y)
            if x >= rgb.width or y >= rgb.height:
                found.append(f"no pixel at {x},{y}")
            elif not close(rgb.getpixel((x, y)), colour):
                found.append("at %d,%d #%02x%02x%02x, not %s" % (x, y, *rgb.getpixel((x, y)), colour))
        return found

    @staticmethod
    def of_error(wanted, result):
        error = result.get("error")
        status = result.get("status")
        if error is None:
            if status is None or status < 400:
                kind = result.get("headers", {}).get("content-type", "")
                return [f"no error: {status} {kind}"]
            text = base64.b64decode(result.get("body", "")).decode(errors="replace")
            try:
                document = json.loads(text)
            except ValueError:
                document = {}
            if not isinstance(document, dict):
                document = {}
            # One form of what the services say, for drivers that give the answer as it is.
            inner = document.get("error") if isinstance(document.get("error"), dict) else {}
            error = {"status": status, "code": document.get("error_code") or document.get("code") or inner.get("code"), "message": text}
            if not text and "x-urlbox-error-message" in result.get("headers", {}):
                error["message"] = result["headers"]["x-urlbox-error-message"]
            error["document"], error["headers"] = document, result.get("headers", {})
        else:
            # Each SDK has its own name for the status, and for the code.
            names = ("httpStatusCode", "http_status_code", "statusCode", "status_code", "status")
            numbers = [error[name] for name in names if isinstance(error.get(name), int)]
            codes = [error[name] for name in ("errorCode", "error_code", "code") if error.get(name)]
            text = json.dumps(error)
            error = {**error, "status": numbers[0] if numbers else None, "code": codes[0] if codes else None, "message": text}
        found = []
        for name in ("status", "code"):
            if name in wanted and error.get(name) != wanted[name]:
                found.append(f"{name} {error.get(name)!r}, not {wanted[name]!r}")
        if "class" in wanted and wanted["class"] not in (error.get("class"), *error.get("classes", [])):
            found.append(f"class {error.get('class')}, not {wanted['class']}")
        for name, value in wanted.get("fields", {}).items():
            there = error.get(name, member(error.get("document", {}), name))
            if there is None or (value is not True and there != value):
                found.append(f"{name} {there!r}, not {value!r}")
        for words in wanted.get("says", []):
            if words not in error["message"]:
                found.append(f"does not say {words!r}")
        return found and [f"{'; '.join(found)}: {error['message'][:300]}"]


def substitute(value, words):
    if isinstance(value, str):
        for word, text in words.items():
            value = value.replace(word, text)
        return value
    if isinstance(value, list):
        return [substitute(each, words) for each in value]
    if isinstance(value, dict):
        return {name: substitute(each, words) for name, each in value.items()}
    return value


def page_of(case, site):
    """The URL of the page of a case: a path, or a table of what /test takes."""
    page = case.get("page", "/page")
    if isinstance(page, dict):
        page = "/test?" + urllib.parse.urlencode(page)
    page = page if "://" in page else site + page
    return f"{page}{'&' if '?' in page else '?'}n={case['number']}"


def devices_of(kind, cache, only):
    """A case for each device that a package of the lock file names."""
    script = {
        "screenshotone-devices": """
            const list = require("screenshotone-devices").default.devices;
            console.log(JSON.stringify(Object.entries(list).map(([id, d]) => [id, d])));""",
        "@browserless/devices": """
            const { devices } = require("@browserless/devices")({ puppeteer: require("puppeteer-core") });
            console.log(JSON.stringify(Object.entries(devices)));""",
    }[kind]
    output = subprocess.run(["node", "-e", script], cwd=cache / "npm", capture_output=True, text=True, check=True).stdout
    for name, device in json.loads(output):
        view = device["viewport"]
        scale = view.get("deviceScaleFactor") or 1
        # A picture in which the page says that it sees this device.
        asks = [
            f"innerWidth=={view['width']}",
            f"innerHeight=={view['height']}",
            f"Math.abs(devicePixelRatio-{scale})<0.01",
            f"(navigator.maxTouchPoints>0)=={json.dumps(bool(view.get('hasTouch')))}",
            f"navigator.userAgent=={json.dumps(device['userAgent'])}",
        ]
        yield {
            "id": name,
            "page": {"js": "&&".join(asks)},
            **only(name),
            "size": [round(view["width"] * scale), round(view["height"] * scale)],
            "green": True,
        }


def mirrored(rows):
    """Cases of ScreenshotOne's SDK of npm for the one of PyPI: other names and classes."""
    special = {"async": "async_option", "openAiApiKey": "openai_api_key", "storageACL": "storage_acl"}
    for row in rows:
        known = row.get("how", "take") in ("take", "link") and "base" not in row
        if not known or row["id"].startswith("README") or row["id"] == "serversRegion":
            continue
        options = {
            special.get(name, re.sub("([A-Z])", lambda found: "_" + found[1].lower(), name)): value
            for name, value in row.get("options", {}).items()
        }
        case = {**row, "options": options}
        for kind in ("error", "refused"):
            if "class" in case.get(kind, {}):
                raised = "InvalidRequestException" if case[kind]["status"] == 400 else "APIErrorException"
                case[kind] = {**case[kind], "class": raised}
        yield case


def load(cache):
    """All cases of cases.toml, with what their client gives all of its own."""
    table = tomllib.loads((HERE / "cases.toml").read_text())
    cases, seen = [], set()
    for client, section in table.items():
        rows = section.get("cases", [])
        if "devices" in section:
            given = {
                "screenshotone-devices": lambda name: {"options": {"viewportDevice": name, "format": "png"}},
                "@browserless/devices": lambda name: {"options": {"device": name}, "follow": "data.screenshot.url"},
            }[section["devices"]]
            rows = [*devices_of(section["devices"], cache, given)]
            for row in rows:
                if row["id"] not in section["pass"]:
                    row["today"] = section["today"]
        if "mirror" in section:
            rows = [*mirrored(table[section["mirror"]]["cases"]), *rows]
        for row in rows:
            shared = {"base": section["base"], **section.get("every", {})}
            case = {**shared, **row, "client": client, "driver": section["driver"]}
            case["options"] = {**section.get("every", {}).get("options", {}), **row.get("options", {})}
            if (client, case["id"]) in seen:
                sys.exit(f"cases.toml: {client} has {case['id']} twice")
            seen.add((client, case["id"]))
            case["number"] = str(len(cases) + 1)
            cases.append(case)
    return cases


def main():
    parser = argparse.ArgumentParser(description=" ".join(__doc__.split("\n\n")[0].split()))
    parser.add_argument("tintype", type=pathlib.Path)
    parser.add_argument("--only", help="clients of cases.toml, separated by commas")
    parser.add_argument("--case", help="cases whose id has this in it")
    parser.add_argument("--json", action="store_true", help="print every outcome as JSON")
    parser.add_argument("--all", action="store_true", help="print every case that fails, also those that are known to")
    parser.add_argument("--keep", type=pathlib.Path, help="directory for configuration, log and pictures")
    parser.add_argument("--browser", default=next((p for p in BROWSERS if shutil.which(p)), None))
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    given = parser.parse_args()

    default = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "clients"
    cache = pathlib.Path(os.environ.get("TINTYPE_CLIENTS_CACHE", default)).resolve()
    if not (cache / "clients.lock").exists():
        sys.exit(f"the client libraries are not in {cache}: scripts/install-clients")
    if given.browser is None:
        sys.exit("no browser: scripts/install-browser")
    sys.path.insert(0, str(cache / "pypi/pillow"))
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    cases = load(cache)
    if given.only:
        wanted = given.only.split(",")
        unknown = set(wanted) - {case["client"] for case in cases}
        if unknown:
            sys.exit(f"no such client: {', '.join(sorted(unknown))}")
        cases = [case for case in cases if case["client"] in wanted]
    if given.case:
        cases = [case for case in cases if given.case in case["id"]]

    site = Site()
    with tempfile.TemporaryDirectory(prefix="tintype-clients-") as temporary:
        directory = given.keep or pathlib.Path(temporary)
        directory.mkdir(parents=True, exist_ok=True)
        tintype = Tintype(given.tintype.resolve(), given.browser, directory.resolve())
        try:
            outcomes = run_all(cases, tintype, site, Checks(Image, tintype, site), cache, given)
        finally:
            tintype.stop()
    sys.exit(report(cases, outcomes, given))


def run_all(cases, tintype, site, checks, cache, given):
    jobs, outcomes = queue.SimpleQueue(), {}
    for case in cases:
        jobs.put(case)

    def work():
        drivers = {}
        while True:
            try:
                case = jobs.get_nowait()
            except queue.Empty:
                break
            begun = time.monotonic()
            page = page_of(case, site.base)
            base = tintype.base + case["base"]
            words = {"$SITE": site.base, "$N": case["number"]}
            asked = substitute({name: value for name, value in case.items() if name not in ("error", "refused")}, words)
            message = {"case": asked, "page": page, "base": base, "keys": KEYS, "site": site.base}
            name = case["driver"]
            if name not in drivers or drivers[name].process.poll() is not None:
                drivers[name] = Driver(name, cache, given.browser)
            result = drivers[name].run(message)
            with site.lock:
                visits = site.visits.get(case["number"], 0)
            try:
                found = checks.differences(case, result, visits)
            except Exception as error:
                found = [f"the check failed: {error!r}"]
            outcomes[case["number"]] = {"found": found, "seconds": time.monotonic() - begun, "visits": visits}
            if given.keep and result.get("body"):
                name = re.sub(r"[^\w.-]+", "_", f"{case['client']}-{case['id']}")
                (given.keep / name).write_bytes(base64.b64decode(result["body"]))
        for driver in drivers.values():
            driver.stop()

    threads = [threading.Thread(target=work) for _ in range(max(1, given.workers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def report(cases, outcomes, given):
    figures = collections.defaultdict(collections.Counter)
    rows, differences = [], 0
    for case in cases:
        outcome = outcomes[case["number"]]
        wanted = next((kind for kind in ("refused", "error") if kind in case), "works")
        known = case.get("today")
        right = not outcome["found"]
        state = "fails" if not right else "refused" if wanted == "refused" else "works"
        differs = right if known else not right
        differences += differs
        figures[case["client"]][state] += 1
        figures[case["client"]]["differs"] += differs
        rows.append(
            {
                "client": case["client"], "case": case["id"], "expectation": wanted, "state": state, "known": known,
                "differs": differs, "why": outcome["found"], "seconds": round(outcome["seconds"], 2), "visits": outcome["visits"],
            }
        )
    if given.json:
        print(json.dumps({"figures": figures, "cases": rows}, indent=1))
        return 1 if differences else 0
    width = max([len("client"), *(len(client) for client in figures)])
    print(f"{'client':{width}}  works  refused  fails  not as in cases.toml")
    for client, count in figures.items():
        print(f"{client:{width}}  {count['works']:5}  {count['refused']:7}  {count['fails']:5}  {count['differs'] or '':>5}")
    total = sum(figures.values(), collections.Counter())
    print(f"{'all':{width}}  {total['works']:5}  {total['refused']:7}  {total['fails']:5}  {total['differs'] or '':>5}")
    known = collections.Counter(row["known"] for row in rows if row["known"] and row["state"] == "fails")
    if known:
        print("known failures:", ", ".join(f"{name} {count}" for name, count in sorted(known.items())))
    for row in rows:
        if row["differs"] or (given.all and row["why"]):
            label = "DIFFERS" if row["differs"] else row["known"]
            what = " ".join("; ".join(row["why"]).split()) or f"is right, and cases.toml has it as {row['known']}"
            print(f"{label} {row['client']} {row['case']}: {what}")
    return 1 if differences else 0


if __name__ == "__main__":
    main()
