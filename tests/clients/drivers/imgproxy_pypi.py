"""Builders of imgproxy URLs from PyPI: `builder` says which."""

import lines

for package in ("imgproxy", "pyimgproxy", "mkimgproxy", "apiflash-client"):
    lines.use(package)
import requests


def url(item, work):
    key, salt = work["keys"]["imgproxy"]
    base, page, options = work["base"], work["page"], item.get("options", {})
    match item["builder"]:
        case "imgproxy":
            import imgproxy

            signed = {} if item.get("unsigned") else {"key": key, "salt": salt}
            return str(imgproxy.ImgProxy(page, proxy_host=base, advanced=item.get("advanced", []), **signed, **options))
        case "pyimgproxy":
            import pyimgproxy

            image = pyimgproxy.ImgProxy(url=base, key=key, salt=salt).image(page)
            for name, *values in item.get("calls", []):
                named = values.pop() if values and isinstance(values[-1], dict) else {}
                image = getattr(image, name)(*values, **named)
            return image.url
        case "mkimgproxy":
            import mkimgproxy

            return mkimgproxy.ImgProxy(key, salt, base).generate(page, options, item.get("extension"))


def run(item, work):
    return lines.response(requests.get(url(item, work), timeout=60))


lines.serve(run)
