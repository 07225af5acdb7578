"""A server for one reader on the loopback address: the live report, and nothing else."""

import errno
import json
import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from importlib import resources
from typing import Any
from urllib.parse import unquote, urlsplit

from gradcascade import __version__
from gradcascade.errors import InputError
from gradcascade.view.live import LiveReport

ADDRESS = "127.0.0.1"

_TYPES = {
    "css": "text/css; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "pdf": "application/pdf",
    "png": "image/png",
    "svg": "image/svg+xml",
}
_FRAME = {"/": "index.html", "/view.js": "view.js", "/view.css": "view.css"}
"""The page around the report, which reloads it."""

_FRAME_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; frame-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_REPORT_POLICY = "frame-ancestors 'self'"
"""The report's page has its own policy inside."""

_FILE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; sandbox; frame-ancestors 'self'"
)
"""For pictures that are opened by themselves: no scripts."""

_REPORT = "/report/"


class ReportServer(socketserver.ThreadingTCPServer):
    """Serves the state of a live report."""

    allow_reuse_address = sys.platform != "win32"  # there it would let two servers share a port
    daemon_threads = True

    def __init__(self, live: LiveReport, port: int = 0) -> None:
        self.live = live
        files = resources.files("gradcascade.view") / "static"
        self.frame = {path: (files / name).read_bytes() for path, name in _FRAME.items()}
        try:
            super().__init__((ADDRESS, port), _Handler)
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            why = "is in use" if taken else f"cannot be had ({error.strerror or error})"
            raise InputError(f"port {port} {why}; give --port another, or leave it out") from None
        self.port = int(self.server_address[1])
        self.hosts = {f"{name}:{self.port}" for name in (ADDRESS, "localhost")}
        if self.port == 80:
            self.hosts |= {ADDRESS, "localhost"}

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://{ADDRESS}:{self.port}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing when a browser closes its connection."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@contextmanager
def serving(live: LiveReport, port: int = 0) -> Iterator[ReportServer]:
    """Serve in threads within a block; port 0 lets the system choose."""
    server = ReportServer(live, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: ReportServer  # type: ignore[assignment]
    protocol_version = "HTTP/1.1"
    server_version = f"gradcascade/{__version__}"
    sys_version = ""
    timeout = 30
    error_message_format = "%(code)d %(message)s\n"
    error_content_type = "text/plain; charset=utf-8"

    def do_GET(self) -> None:
        """Answer with a file of the frame or of the report, or with how the study stands."""
        # DNS rebinding: a foreign page can resolve its name to the loopback address, but not change this header.
        if self.headers.get_all("Host", []) not in [[host] for host in self.server.hosts]:
            self.send_error(HTTPStatus.FORBIDDEN, "This server answers to its loopback address only")
            return
        path = unquote(urlsplit(self.path).path)
        state = self.server.live.state
        if path in self.server.frame:
            self._send(self.server.frame[path], _FRAME[path], _FRAME_POLICY)
        elif path == "/version":
            told = {"version": state.version, "words": state.words, "measuring": state.measuring}
            self._send(json.dumps(told).encode(), "version.json", _FILE_POLICY)
        elif (name := path.removeprefix(_REPORT)) != path and name in state.files:
            self._send(state.files[name], name, _REPORT_POLICY if name == "index.html" else _FILE_POLICY)
        else:
            self.send_error(HTTPStatus.NOT_FOUND, "There is no such file in the report")

    do_HEAD = do_GET  # noqa: N815

    def _refuse(self) -> None:
        self.close_connection = True  # the body of the request is not read
        self.send_error(HTTPStatus.METHOD_NOT_ALLOWED, "This server is for reading only")

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse  # noqa: N815

    def _send(self, content: bytes, name: str, policy: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", _TYPES.get(name.rpartition(".")[2], "application/octet-stream"))
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", policy)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def end_headers(self) -> None:
        """Add what every answer has."""
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing for every request."""
