"""screenshotone of PyPI. `options` are methods of TakeOptions with their argument."""

import lines

lines.use("screenshotone")
import requests
from screenshotone import sdk


def options(item, page):
    start = item.get("from", "url")
    made = getattr(sdk.TakeOptions, start)(item.get(start, page))
    for name, value in item.get("options", {}).items():
        made = getattr(made, name)(value)
    return made


def run(item, work):
    sdk.API_BASE_URL = work["base"]
    access, secret = work["keys"]["screenshotone"]
    client = sdk.Client(item.get("access_key", access), item.get("secret", secret))
    how = item.get("how", "take")
    made = options(item, work["page"])
    if how == "link":
        return lines.response(requests.get(client.generate_take_url(made), timeout=60))
    if how == "header":
        query = dict(made.query())
        return lines.response(
            requests.post(f"{work['base']}/take", json=query, headers={"X-Access-Key": access}, timeout=60)
        )
    if how == "metadata":
        taken = client.take_with_metadata(made).screenshot
    else:
        taken = client.take(made)
    return lines.raw(200, taken.headers, taken.read())


lines.serve(run)
