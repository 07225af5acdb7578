"""An imitation of the Hugging Face hub on the loopback address, with faults on request.

It speaks the part of the protocol that reading needs: branches, commits (in pages), trees with hashes (in pages), and
files by commit, where large ones are redirected to a second address that takes ranges, as the hub does with its CDN.
"""

import contextlib
import functools
import hashlib
import json
import re
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = (".pt", ".bin", ".safetensors", ".arrow", ".pickle")


@functools.cache
def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass
class Change:
    sha: str
    title: str
    files: dict[str, bytes]


@dataclass
class Remote:
    """A repository: branches of commits, the oldest first."""

    branches: dict[str, list[Change]] = field(default_factory=dict)

    def commit(self, branch: str, title: str, files: dict[str, bytes], *, start: str | None = None) -> str:
        """Add a commit that sets files and keeps the others; a new branch continues `start`, or begins empty."""
        history = self.branches.setdefault(branch, list(self.branches[start]) if start else [])
        before = history[-1] if history else Change("", "", {})
        sha = hashlib.sha1(repr((before.sha, branch, title, sorted(files))).encode()).hexdigest()
        history.append(Change(sha, title, {**before.files, **files}))
        return sha

    def at(self, revision: str) -> Change | None:
        for name, history in self.branches.items():
            for change in history:
                if change.sha == revision:
                    return change
            if name == revision:
                return history[-1]
        return None


@dataclass
class Fault:
    """What goes wrong with requests whose address matches, and how many times."""

    pattern: str
    kind: str
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, imitation: "Imitation", handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.imitation = imitation

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # clients hang up, here on purpose
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class Imitation:
    """The servers; use as a context manager.

    Parameters
    ----------
    page : int
        Items on a page of a listing.
    """

    def __init__(self, page: int = 7) -> None:
        self.page = page
        self.rate: float | None = None
        """Bytes of large files in a second, all requests together; None for no limit."""
        self.repositories: dict[str, Remote] = {}
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.watchers: list[Callable[[], None]] = []
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._servers: list[_Server] = []

    def repository(self, name: str) -> Remote:
        return self.repositories.setdefault(name, Remote())

    def fail(self, pattern: str, kind: str, times: int = 1, **headers: str) -> None:
        """Let requests fail: ``stall``, ``drop``, a status such as ``503``, or, on the way, ``cut, pause, wrong``."""
        self.faults.append(Fault(pattern, kind, times, {k.replace("_", "-"): v for k, v in headers.items()}))

    def asked(self, pattern: str) -> list[str]:
        """Paths that were asked for and match."""
        return [path for _, path, _ in self.requests if re.search(pattern, path)]

    def __enter__(self) -> "Imitation":
        for handler in (_Hub, _Store):
            server = _Server(self, handler)
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
            self._servers.append(server)
        self.endpoint, self.store = (f"http://127.0.0.1:{server.server_address[1]}" for server in self._servers)
        return self

    def __exit__(self, *_: object) -> None:
        from huggingface_hub.utils import close_session

        close_session()  # its connections end before the servers do
        self.closing.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def seen(self, method: str, path: str, headers: dict[str, str]) -> Fault | None:
        """Note a request; the fault that it meets, if any."""
        with self._lock:
            self.requests.append((method, path, headers))
            for watcher in self.watchers:
                watcher()
            for fault in self.faults:
                if fault.times > 0 and re.search(fault.pattern, path):
                    fault.times -= 1
                    return fault
        return None

    def blob(self, sha256: str) -> bytes | None:
        for remote in self.repositories.values():
            for history in remote.branches.values():
                for change in history:
                    for content in change.files.values():
                        if sha256_of(content) == sha256:
                            return content
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body go in two writes, and the second must not wait

    @property
    def imitation(self) -> Imitation:
        return self.server.imitation  # type: ignore[attr-defined]

    def log_message(self, format: str, *args: object) -> None:
        return

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(self.path)
        fault = self.imitation.seen(self.command, path, {k.lower(): v for k, v in self.headers.items()})
        with contextlib.suppress(ConnectionError):
            if fault and fault.kind.isdigit():
                self.reply(int(fault.kind), b"{}", fault.headers)
            elif fault and fault.kind == "drop":
                self.close_connection = True
            elif fault and fault.kind == "stall":
                self.imitation.closing.wait(20)
                self.close_connection = True
            else:
                self.answer(fault)

    def answer(self, fault: Fault | None) -> None:
        raise NotImplementedError

    def reply(self, status: int, body: bytes, headers: dict[str, str] | None = None, broken: str = "") -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if not headers or "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        if broken:
            self.send_header("Connection", "close")
            self.close_connection = True
            body = body[: len(body) // 2]
        self.end_headers()
        if self.command != "HEAD":
            self.send(body)
        if broken == "pause":
            self.wfile.flush()
            self.imitation.closing.wait(20)

    def send(self, body: bytes) -> None:
        """Write an answer, at the imitation's rate where it has one."""
        rate, piece = self.imitation.rate, 1 << 16
        if rate is None or len(body) < piece:
            self.wfile.write(body)
            return
        begun = time.monotonic()
        for at in range(0, len(body), piece):
            self.wfile.write(body[at : at + piece])
            time.sleep(max(0.0, begun + (at + piece) / rate - time.monotonic()))

    def content(self, body: bytes, headers: dict[str, str], fault: Fault | None) -> None:
        """Send a file, or the part of it that was asked for."""
        if fault and fault.kind == "wrong":
            body = bytes(255 - byte for byte in body[:16]) + body[16:]
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        status = 200
        if match:
            start = int(match[1])
            headers = {**headers, "Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
            body, status = body[start:], 206
        self.reply(status, body, headers, fault.kind if fault and fault.kind in ("cut", "pause") else "")


class _Store(_Handler):
    """Where large files come from."""

    def answer(self, fault: Fault | None) -> None:
        body = self.imitation.blob(urlsplit(self.path).path.rpartition("/")[2])
        if body is None:
            self.reply(403, b"")
        else:
            self.content(body, {"Accept-Ranges": "bytes"}, fault)


class _Hub(_Handler):
    def answer(self, fault: Fault | None) -> None:
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        parts = [unquote(part) for part in address.path.strip("/").split("/")]
        if parts == ["api", "agent-harnesses"]:  # huggingface_hub asks for it by itself
            self.missing("EntryNotFound")
            return
        if parts[:2] == ["api", "models"]:
            name, what, rest = "/".join(parts[2:4]), parts[4], parts[5:]
        elif parts[:2] == ["api", "datasets"]:
            name, what, rest = "/".join(parts[1:4]), parts[4], parts[5:]
        elif parts[0] == "datasets":
            name, what, rest = "/".join(parts[:3]), parts[3], parts[4:]
        else:
            name, what, rest = "/".join(parts[:2]), parts[2], parts[3:]
        remote = self.imitation.repositories.get(name)
        if remote is None:  # the hub does not tell strangers what exists
            message = "Invalid username or password."
            self.reply(401, json.dumps({"error": message}).encode(), {"X-Error-Message": message})
        elif what == "refs":
            branches = [
                {"name": branch, "ref": f"refs/heads/{branch}", "targetCommit": history[-1].sha}
                for branch, history in remote.branches.items()
            ]
            self.reply(200, json.dumps({"tags": [], "converts": [], "branches": branches}).encode())
        elif what == "commits":
            self.commits(remote, rest[0], query)
        elif (change := remote.at(rest[0])) is None:
            self.missing("RevisionNotFound")
        elif what == "tree":
            self.tree(change, "/".join(rest[1:]), query)
        else:
            self.resolve(change, "/".join(rest[1:]), fault)

    def missing(self, code: str) -> None:
        self.reply(404, b"{}", {"X-Error-Code": code})

    def paged(self, items: list, query: dict[str, str]) -> None:
        at = int(query.get("cursor", "0"))
        page = self.imitation.page
        headers = {"Content-Type": "application/json"}
        if at + page < len(items):
            path = urlsplit(self.path).path
            rest = "".join(f"&{name}={value}" for name, value in query.items() if name != "cursor")
            headers["Link"] = f'<{self.imitation.endpoint}{path}?cursor={at + page}{rest}>; rel="next"'
        self.reply(200, json.dumps(items[at : at + page]).encode(), headers)

    def commits(self, remote: Remote, revision: str, query: dict[str, str]) -> None:
        if revision not in remote.branches:
            self.missing("RevisionNotFound")
            return
        items = [
            {
                "id": change.sha,
                "title": change.title,
                "message": "",
                "authors": [{"user": "someone"}],
                "date": "2025-03-01T12:00:00.000Z",
            }
            for change in reversed(remote.branches[revision])
        ]
        self.paged(items, query)

    def tree(self, change: Change, folder: str, query: dict[str, str]) -> None:
        inside = f"{folder}/" if folder else ""
        items, folders = [], set()
        for path, content in sorted(change.files.items()):
            if not path.startswith(inside):
                continue
            below = path[len(inside) :]
            if query.get("recursive") == "false" and "/" in below:
                folders.add(inside + below.split("/")[0])
                continue
            item: dict = {"type": "file", "path": path, "size": len(content), "oid": oid(content)}
            if path.endswith(LARGE):
                sha256 = sha256_of(content)
                item |= {"oid": oid(sha256.encode())}
                item["lfs"] = {"oid": sha256, "size": len(content), "pointerSize": 134}
            items.append(item)
        items += [{"type": "directory", "path": path, "size": 0, "oid": "0" * 40} for path in sorted(folders)]
        if folder and not items:
            self.missing("EntryNotFound")
        else:
            self.paged(items, query)

    def resolve(self, change: Change, path: str, fault: Fault | None) -> None:
        content = change.files.get(path)
        if content is None:
            self.missing("EntryNotFound")
            return
        headers = {"X-Repo-Commit": change.sha, "Accept-Ranges": "bytes"}
        if path.endswith(LARGE):
            sha256 = sha256_of(content)
            headers |= {
                "X-Linked-Etag": f'"{sha256}"',
                "X-Linked-Size": str(len(content)),
                "Location": f"{self.imitation.store}/files/{sha256}?Signature=imitated",
            }
            self.reply(302, b"", headers)
        else:
            self.content(content, headers | {"ETag": f'"{oid(content)}"'}, fault)
