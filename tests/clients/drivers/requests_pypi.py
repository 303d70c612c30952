"""Requests as public code sends them: method, path with $PAGE and $..._KEY, body and fields."""

import urllib.parse

import lines

lines.use("apiflash-client")
import requests


def run(item, work):
    keys = {f"${name.upper()}_KEY": value[0] if isinstance(value, list) else value for name, value in work["keys"].items()}

    def fill(value):
        if isinstance(value, dict):
            return {name: fill(each) for name, each in value.items()}
        if isinstance(value, list):
            return [fill(each) for each in value]
        if isinstance(value, str):
            value = value.replace("$PAGE_ENCODED", urllib.parse.quote(work["page"], safe="")).replace("$PAGE", work["page"])
            for name, key in keys.items():
                value = value.replace(name, key)
        return value

    answer = requests.request(
        item.get("method", "GET"),
        work["base"] + fill(item["path"]),
        params=fill(item.get("query")),
        json=fill(item.get("body")),
        data=fill(item.get("form")),
        headers=fill(item.get("fields")),
        timeout=60,
    )
    return lines.response(answer)


lines.serve(run)
