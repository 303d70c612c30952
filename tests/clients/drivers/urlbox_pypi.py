"""urlbox of PyPI: get, head, post, delete and generate_url with `options`."""

import warnings

import lines

lines.use("urlbox")
import requests
from urlbox import UrlboxClient

warnings.simplefilter("ignore")


def run(item, work):
    key, secret = work["keys"]["urlbox"]
    UrlboxClient.BASE_API_URL = work["base"] + item.get("prefix", "/v1/")
    client = UrlboxClient(api_key=key, api_secret=None if item.get("unsigned") else item.get("secret", secret))
    given = {**({} if item.get("html") else {"url": work["page"]}), **item.get("options", {})}
    if item.get("html"):
        given["html"] = item["html"]
    how = item.get("how", "get")
    if how == "generate_url":
        return lines.response(requests.get(client.generate_url(given), timeout=60))
    if how == "delete":
        client.get(given)
    return lines.response(getattr(client, how)(given))


lines.serve(run)
