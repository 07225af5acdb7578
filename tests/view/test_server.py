import http.client
import json
import socket
import threading
import time

import pytest

import gradcascade as gc
from gradcascade.errors import InputError
from gradcascade.view.live import LiveReport, State
from gradcascade.view.server import ReportServer, serving


@pytest.fixture
def live(study, render):
    found = LiveReport(study, render)
    found.look()
    return found


@pytest.fixture
def server(live):
    with serving(live) as running:
        yield running


def ask(server, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def raw(server, text):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(text.replace("\n", "\r\n").encode())
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_the_frame_and_the_report_are_served(server):
    status, headers, body = ask(server, "/")
    assert status == 200 and b"view.js" in body
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert ask(server, "/view.js")[1]["Content-Type"].startswith("text/javascript")
    assert ask(server, "/view.css")[0] == 200
    assert ask(server, "/report/index.html?x=1")[2] == b"<title>42 cascades</title>"
    status, headers, body = ask(server, "/report/figures/a.svg")
    assert (status, body, headers["Content-Type"]) == (200, b"<svg/>", "image/svg+xml")
    assert "sandbox" in headers["Content-Security-Policy"]
    told = json.loads(ask(server, "/version")[2])
    assert told["words"] == "Nothing is being measured now: 42 cascades."


def test_every_answer_is_kept_nowhere_and_by_no_one_else(server):
    for path in ("/", "/report/index.html", "/version", "/nothing"):
        headers = ask(server, path)[1]
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_head_gives_the_same_without_the_body(server):
    for path in ("/", "/report/index.html", "/version"):
        status, headers, body = ask(server, path, "HEAD")
        assert (status, body) == (200, b"")
        assert int(headers["Content-Length"]) == len(ask(server, path)[2])


@pytest.mark.parametrize(
    "path",
    [
        "/report", "/report/", "/report/figures", "/report/figures/", "/report//index.html", "/index.html",
        "/report/../plan.toml", "/report/..%2fplan.toml", "/report/%2e%2e/plan.toml", "/cascades.sqlite",
        "/etc/passwd", "//127.0.0.1/report/index.html", "/report/index.html%00", "/favicon.ico", "/view.js/",
        "/static/view.js",
    ],
)  # fmt: skip
def test_only_files_of_the_report_are_served(server, path):
    status, _, body = ask(server, path)
    assert (status, body) == (404, b"404 There is no such file in the report\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_only_get_and_head_are_answered(server, method):
    assert ask(server, "/report/index.html", method)[0] == 405
    assert raw(server, "BREW / HTTP/1.1\nHost: x\n\n").startswith(b"HTTP/1.1 501 ")


def test_another_host_name_is_refused(server):
    for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1", f"127.0.0.1.evil.example:{server.port}"):
        status, _, body = ask(server, "/report/index.html", Host=host)
        assert status == 403 and b"cascades" not in body
    for host in (f"127.0.0.1:{server.port}", f"localhost:{server.port}"):
        assert ask(server, "/report/index.html", Host=host)[0] == 200
    assert raw(server, "GET / HTTP/1.0\n\n").startswith(b"HTTP/1.1 403 ")
    doubled = f"GET / HTTP/1.1\nHost: localhost:{server.port}\nHost: evil.example\n\n"
    assert raw(server, doubled).startswith(b"HTTP/1.1 403 ")


def test_it_listens_on_the_loopback_address_only(server):
    assert server.server_address[0] == "127.0.0.1"
    assert server.url == f"http://127.0.0.1:{server.port}/"


def test_a_port_in_use_is_named(server, live):
    with pytest.raises(InputError, match=f"port {server.port} is in use"):
        ReportServer(live, server.port)


def test_readers_that_go_away_or_say_nothing_do_not_matter(server, capfd):
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
    idle[0].sendall(b"GET / HTTP/1.1\r\nHost")
    idle[0].close()
    raw(server, "nonsense\n\n")
    assert ask(server, "/")[0] == 200
    for connection in idle:
        connection.close()
    assert capfd.readouterr() == ("", "")


def test_the_state_is_always_of_one_version(server, live):
    """A report that is replaced while it is read is the old one or the new one."""
    stop = threading.Event()

    def replace():
        number = 0
        while not stop.is_set():
            number += 1
            live.state = State(str(number), "words", True, {"index.html": str(number).encode() * 10_000})

    thread = threading.Thread(target=replace)
    thread.start()
    try:
        for _ in range(30):
            status, _, body = ask(server, "/report/index.html")
            text = body.decode()
            width = len(text) // 10_000
            assert status == 200 and text == text[:width] * 10_000
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def following(live):
    stopped = threading.Event()
    thread = threading.Thread(target=live.follow, args=[stopped])
    thread.start()
    yield
    stopped.set()
    thread.join()


@pytest.mark.usefixtures("following")
def test_a_writer_appends_while_the_server_runs(server, study, add_cascade):
    versions = [json.loads(ask(server, "/version")[2])["version"]]
    with gc.Study.open(study) as writer:
        for more in range(1, 4):
            add_cascade(writer)
            told = until(server, lambda told: told["version"] not in versions)
            versions.append(told["version"])
            assert ask(server, "/report/index.html")[2] == f"<title>{42 + more} cascades</title>".encode()
            assert told["measuring"]
    until(server, lambda told: told["words"] == "Measuring has ended: 45 cascades.")


def until(server, reached):
    deadline = time.monotonic() + 60
    while not reached(told := json.loads(ask(server, "/version")[2])):
        assert time.monotonic() < deadline, told
        time.sleep(0.05)
    return told
