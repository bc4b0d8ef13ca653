"""A server for tests of downloads."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Server:
    """A local HTTP server that counts what it is asked.

    A path with "missing" in it is not found, one with "slow" takes its time, and of one with
    "truncated" half is sent.
    """

    def __init__(self, body: bytes) -> None:
        self.requests: list[str] = []
        self.body = body
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append(self.path)
                if "missing" in self.path:
                    self.send_error(404)
                    return
                self.send_response(200)
                cut = len(outer.body) // 2 if "truncated" in self.path else len(outer.body)
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                if "slow" in self.path:
                    time.sleep(0.3)
                self.wfile.write(outer.body[:cut])

            def log_message(self, format: str, *args: Any) -> None:
                """Keep the test output clean."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
