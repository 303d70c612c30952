"""The corpus: what pages.toml names, fetched into the cache by npm and apt, and laid out as sites for server.py."""

import concurrent.futures
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib

HERE = os.path.dirname(os.path.abspath(__file__))
LOADERS = os.path.join(HERE, "loaders")
DATA = os.path.join(HERE, "data")
LIBRARY = re.compile(r"/npm/((?:@[\w.-]+/)?[\w.-]+)/")


class Page:
    """One page of the corpus, and where its files come from."""

    def __init__(self, name, kind, path, sources, mounts, tags, text="", rules=()):
        self.name, self.kind, self.path, self.tags, self.rules = name, kind, path, set(tags), list(rules)
        # Packages such as "npm:redoc@2.5.0", and mounts as (prefix, package or None, folder in it).
        self.sources, self.mounts = sources, mounts
        self.address = None
        self.digest = hashlib.sha256(json.dumps([path, sorted(sources), text] + self.rules).encode()).hexdigest()[:16]

    def url(self, port):
        return f"http://{self.address}:{port}{self.path}"


def text_of(folder):
    """All that the loaders share, so that a change of it renews the reference pictures."""
    digest = hashlib.sha256()
    for path in sorted(glob.glob(os.path.join(folder, "**"), recursive=True)):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                digest.update(path[len(folder):].encode() + file.read())
    return digest.hexdigest()


def load():
    """The pages of pages.toml, in its order."""
    with open(os.path.join(HERE, "pages.toml"), "rb") as file:
        manifest = tomllib.load(file)
    versions = manifest["npm"]
    pages, shared = [], text_of(DATA)

    def npm(name):
        return f"npm:{name}@{versions[name]}"

    for group in manifest["loaders"]:
        for name in group["names"]:
            with open(os.path.join(LOADERS, name + ".html"), encoding="utf-8") as file:
                text = file.read()
            used = sorted(set(LIBRARY.findall(text)) | set(group.get("with", [])))
            mounts = [("/", None, LOADERS), ("/data/", None, DATA)] + [(f"/npm/{one}/", npm(one), "") for one in used]
            data = shared if "/data/" in text else ""
            pages.append(Page(name, "loader", f"/{name}.html", [npm(one) for one in used], mounts, group.get("tags", []), text + data))
    for group in manifest["site"]:
        source, rules = group["package"], [tuple(rule) for rule in group.get("replace", [])]
        if source.startswith("npm:"):
            source = npm(source[4:])
        mounts = [("/", source, group.get("root", ""))]
        sources = [source]
        for prefix, other in group.get("mounts", {}).items():
            other, _, folder = other.partition("!")
            other = npm(other[4:]) if other.startswith("npm:") else other
            sources.append(other)
            mounts.append((prefix, other, folder))
        for other in group.get("cdn", []):
            sources.append(npm(other))
            mounts.append((f"/npm/{other}/", npm(other), ""))
            rules += [tuple(rule) for rule in manifest["cdn"] if tuple(rule) not in rules]
        base = group.get("name", re.sub(r"^\w+:(?:@)?|[ @=].*$", "", group["package"]).replace("/", "-"))
        short = group.get("names", [])
        for number, path in enumerate(group["paths"]):
            stem = re.sub(r"/index$", "", os.path.splitext(path)[0]) or "index"
            name = f"{base}-{short[number] if short else stem.replace('/', '-')}"
            tags = group.get("tags", []) + manifest.get("tags", {}).get(name, [])
            pages.append(Page(name, group["class"], "/" + path, sources, mounts, tags, rules=rules))
    names = [page.name for page in pages]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        sys.exit(f"pages.toml names pages twice: {', '.join(sorted(twice))}")
    # The address depends on the name alone, so that a new page moves no other one.
    taken = set()
    for page in pages:
        number = int(hashlib.sha256(page.name.encode()).hexdigest()[:8], 16) % 62000 + 256
        while number in taken:
            number += 1
        taken.add(number)
        page.address = f"127.77.{number // 256}.{number % 256}"
    return pages


def folder_of(cache, source):
    return os.path.join(cache, "packages", re.sub(r"[^\w.@:=,+-]", "+", source))


def unpack(archive, place):
    with tarfile.open(archive) as file:
        # No link or path may leave the folder, no owner or device is made.
        file.extractall(place, filter="data")


def without_top(place):
    """Archives of npm have one folder on top."""
    entries = os.listdir(place)
    return os.path.join(place, entries[0]) if len(entries) == 1 and os.path.isdir(os.path.join(place, entries[0])) else place


def run(command, cwd):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600)
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        wanted = [line for line in lines if re.search(r"error|^E:|not found|no matching", line, re.I)]
        raise RuntimeError((wanted or lines or ["no message"])[0].strip()[:200])


def relative_links(root):
    """Symbolic links of Debian packages are absolute; here they start from the unpacked tree."""
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(folder, name)
            if os.path.islink(path) and os.readlink(path).startswith("/"):
                target = os.path.relpath(os.path.join(root, os.readlink(path).lstrip("/")), folder)
                os.unlink(path)
                os.symlink(target, path)


def fetch(cache, source):
    """Puts one package into the cache, if it is not there."""
    place = folder_of(cache, source)
    if os.path.isdir(place):
        return
    kind, _, what = source.partition(":")
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(place)) as work:
        whole = os.path.join(work, "whole")
        os.mkdir(whole)
        if kind == "npm":
            run(["npm", "pack", "--silent", what], work)
            unpack(glob.glob(os.path.join(work, "*.tgz"))[0], whole)
            whole = without_top(whole)
        elif kind == "deb":
            run(["apt-get", "-qq", "download", *what.split(",")], work)
            for archive in glob.glob(os.path.join(work, "*.deb")):
                run(["dpkg", "-x", archive, whole], work)
            relative_links(whole)
        else:
            raise RuntimeError(f"unknown kind of package: {source}")
        os.rename(whole, place)


def fetch_all(cache, pages, at_once=4):
    """Fetches what the pages need. Gives the sources that could not be had, with the reason."""
    wanted = sorted({source for page in pages for source in page.sources})
    missing = [source for source in wanted if not os.path.isdir(folder_of(cache, source))]
    failed = {}
    if any(source.startswith("deb:") for source in missing) and not shutil.which("apt-get"):
        failed.update({source: "apt-get is not here" for source in missing if source.startswith("deb:")})
    if any(source.startswith("npm:") for source in missing) and not shutil.which("npm"):
        failed.update({source: "npm is not here" for source in missing if source.startswith("npm:")})
    missing = [source for source in missing if source not in failed]
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        running = {pool.submit(fetch, cache, source): source for source in missing}
        for number, done in enumerate(concurrent.futures.as_completed(running), 1):
            source = running[done]
            error = done.exception()
            print(f"[{number}/{len(missing)}] {source}{f': {error}' if error else ''}", file=sys.stderr, flush=True)
            if error:
                failed[source] = str(error)
    return failed


def sites(cache, pages):
    """What server.py is told: the mounts of every page by its address."""
    found = {}
    for page in pages:
        mounts = [
            (prefix, os.path.join(folder_of(cache, source), folder).rstrip("/") if source else folder)
            for prefix, source, folder in page.mounts
        ]
        found[page.address] = {"mounts": mounts, "rules": page.rules}
    return found
