"""apiflash-client of PyPI: capture and quota with `options`."""

import lines

lines.use("apiflash-client")
from apiflash import ApiFlashClient
from apiflash import client as module


def run(item, work):
    module.Endpoint.screenshot = f"{work['base']}/v1/urltoimage"
    module.Endpoint.quota = f"{work['base']}/v1/urltoimage/quota"
    client = ApiFlashClient(item.get("access_key", work["keys"]["apiflash"]), **item.get("settings", {}))
    if item.get("how") == "quota":
        return {"json": client.quota()}
    answer = client.capture(item.get("url", work["page"]), **item.get("options", {}))
    if isinstance(answer, bytes):
        return lines.raw(200, {}, answer)
    return {"json": answer}


lines.serve(run)
