"""What the drivers of PyPI SDKs share: cases from standard input, results to standard output."""

import base64
import json
import os
import pathlib
import sys


def use(package):
    sys.path.insert(0, str(pathlib.Path(os.environ["TINTYPE_CLIENTS_PYPI"]) / package))


def raw(status, headers, body):
    headers = {name.lower(): value for name, value in headers.items()}
    return {"status": status, "headers": headers, "body": base64.b64encode(body).decode()}


def response(answer):
    """An answer of requests."""
    return raw(answer.status_code, answer.headers, answer.content)


def fields(error):
    return {name: value for name, value in vars(error).items() if isinstance(value, (str, int, float, bool, type(None)))}


def serve(run):
    for line in sys.stdin:
        work = json.loads(line)
        try:
            result = run(work["case"], work)
        except Exception as error:
            names = [kind.__name__ for kind in type(error).__mro__]
            result = {"error": {"class": names[0], "classes": names, "message": str(error), **fields(error)}}
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()
