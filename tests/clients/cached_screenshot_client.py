"""A client of a screenshot API as its users write one: no cache of its own any more, since what it asks has one.

`CachedScreenshotClient` is the client; `main` is what its users do with it, against a tintype whose addresses are given. Whoever
runs it speaks with it over standard input and output, a line each: it says what it wants done (`later 3600`), and goes on
at the answer. It ends with `done`, or with an exception.
"""

import sys
from concurrent.futures import ThreadPoolExecutor, as_completed

import requests

PNG = b"\x89PNG\r\n\x1a\n"


class CachedScreenshotClient:
    def __init__(self, base_url, api_key, admin_url=None):
        self.base_url = base_url.rstrip("/")
        self.admin_url = (admin_url or base_url).rstrip("/")
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["X-API-Key"] = api_key
        self.last = None

    def _get(self, url, width, height, headers=None):
        response = self.session.get(
            f"{self.base_url}/screenshot",
            params={"url": url, "width": width, "height": height, "format": "png"},
            headers=headers or {},
            timeout=30,
        )
        response.raise_for_status()
        self.last = response
        return response

    def capture(self, url, width=1280, height=800, force_refresh=False):
        headers = {"Cache-Control": "no-cache"} if force_refresh else {}
        return self._get(url, width, height, headers).content

    def batch_capture(self, urls, width=1280, height=800, max_workers=5):
        results = {}
        with ThreadPoolExecutor(max_workers=max_workers) as workers:
            jobs = {workers.submit(self.capture, url, width, height): url for url in urls}
            for job in as_completed(jobs):
                try:
                    results[jobs[job]] = job.result()
                except Exception as error:
                    results[jobs[job]] = error
        return results

    def poll(self, url, tag, width=1280, height=800):
        """The picture if it is another than the one with this tag, and its tag."""
        response = self._get(url, width, height, {"If-None-Match": tag})
        if response.status_code == 304:
            assert response.content == b"", "a 304 has no body"
            return None, tag
        return response.content, response.headers["ETag"]

    def purge_expired(self):
        response = self.session.post(f"{self.admin_url}/gc", timeout=30)
        response.raise_for_status()
        return response.json()["dropped"]

    def cache_stats(self):
        response = self.session.get(f"{self.admin_url}/stats", timeout=30)
        response.raise_for_status()
        return response.json()["cache_stats"]


def equal(found, expected, what):
    if found != expected:
        raise AssertionError(f"{what}: {found!r}, not {expected!r}")


def tell(words):
    print(words, flush=True)
    answer = sys.stdin.readline().strip()
    equal(answer, "ok", words)


def main(base_url, admin_url):
    client = CachedScreenshotClient(base_url, api_key="of-this-client", admin_url=admin_url)
    cache = lambda: client.last.headers["X-Cache"]

    # Twice the same: once from the API, once from the cache.
    first = client.capture("https://example.com/page")
    equal((first[:8], cache()), (PNG, "MISS"), "first")
    equal(client.last.headers["Content-Type"], "image/png", "type")
    equal((client.capture("https://example.com/page"), cache()), (first, "HIT"), "second")
    client.capture("https://example.com/page", width=375, height=812)
    equal(cache(), "MISS", "another size is another picture")

    stats = client.cache_stats()
    equal(stats["hits"], {"memory": 1, "file": 0, "api": 2}, "hits by layer")
    equal(stats["total_requests"], 3, "requests")
    equal(stats["api_savings_percent"], 33.3, "savings")
    equal(sorted(stats["memory_cache"]), ["live_entries", "size", "ttl_seconds"], "memory cache")
    equal(stats["memory_cache"]["ttl_seconds"], 3600, "lifetime")

    # After a deployment: past the cache, and into it.
    tell("deploy")
    equal((client.capture("https://example.com/page"), cache()), (first, "HIT"), "still the old one")
    fresh = client.capture("https://example.com/page", force_refresh=True)
    equal((fresh != first, cache()), (True, "MISS"), "forced")
    equal((client.capture("https://example.com/page"), cache()), (fresh, "HIT"), "what was forced is stored")

    # A monitor that has the picture already.
    tag = client.last.headers["ETag"]
    equal(client.poll("https://example.com/page", tag), (None, tag), "unchanged")
    tell("deploy")
    tell("later 3601")
    picture, newer = client.poll("https://example.com/page", tag)
    equal((picture[:8], newer != tag), (PNG, True), "changed")
    equal(client.poll("https://example.com/page", newer), (None, newer), "unchanged again")

    # A batch: one failure fails nothing else, and what is asked for twice is made once.
    good = [f"https://example.com/{n}" for n in range(8)]
    results = client.batch_capture(good + ["https://example.com/broken", "https://example.com/gone"])
    equal(len(results), 10, "results")
    for url in good:
        equal(results[url][:8], PNG, url)
    equal(len(set(results[url] for url in good)), 8, "pictures of their own")
    for page, status in ("broken", 500), ("gone", 404):
        error = results[f"https://example.com/{page}"]
        equal(isinstance(error, requests.HTTPError), True, f"{page}: {error!r}")
        equal(error.response.status_code, status, page)
    again = client.batch_capture(good)
    equal(again, {url: results[url] for url in good}, "the same from the cache")

    # What is expired goes, and is counted: the first page in both sizes is, as the batch will be.
    client.purge_expired()
    equal(client.purge_expired(), 0, "nothing is expired")
    tell("later 3601")
    equal(client.purge_expired(), 9, "expired")
    equal(client.cache_stats()["memory_cache"]["live_entries"], 0, "nothing is left")
    print("done", flush=True)


def real(base_url, admin_url, page):
    """Pictures by a real browser: of the default size, and from the cache the second time."""
    client = CachedScreenshotClient(base_url, api_key="of-this-client", admin_url=admin_url)
    picture = client.capture(page)
    size = tuple(int.from_bytes(picture[at : at + 4], "big") for at in (16, 20))
    equal((picture[:8], size, client.last.headers["X-Cache"]), (PNG, (1280, 800), "MISS"), "first")
    equal((client.capture(page), client.last.headers["X-Cache"]), (picture, "HIT"), "second")
    equal(client.poll(page, client.last.headers["ETag"])[0], None, "unchanged")
    print("done", flush=True)


if __name__ == "__main__":
    real(*sys.argv[1:]) if len(sys.argv) > 3 else main(*sys.argv[1:])
