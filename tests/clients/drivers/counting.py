"""A reverse proxy in front of tintype that lists which requests a cache in a client sends."""

import http.client
import http.server
import threading
import urllib.parse


class Counting:
    def __init__(self, base):
        seen = self.seen = []
        target = urllib.parse.urlsplit(base)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                fields = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
                upstream = http.client.HTTPConnection(target.netloc, timeout=60)
                upstream.request("GET", target.path + self.path, headers=fields)
                answer = upstream.getresponse()
                body = answer.read()
                seen.append({"status": answer.status, "conditional": "If-None-Match" in self.headers or "If-Modified-Since" in self.headers})
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("connection", "transfer-encoding"):
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                upstream.close()

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
