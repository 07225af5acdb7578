import importlib.util

import pytest
from doc_pages import ROOT

SPEC = importlib.util.spec_from_file_location("check_site", ROOT / "docs" / "check_site.py")
assert SPEC is not None and SPEC.loader is not None
check_site = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(check_site)

GOOD = """<html><head><link rel="stylesheet" href="a.css"><link rel="canonical" href="https://example.org/"></head>
<body><h1 id="top">x</h1><a href="#top">up</a><a href="other.html#part">on</a><a href="https://example.org">out</a>
<img src="data:image/png;base64,AA=="></body></html>"""

BAD = {
    "script": ('<script src="https://example.org/a.js"></script>', "index.html fetches https://example.org/a.js"),
    "font": ('<link rel="preconnect" href="//example.org">', "index.html fetches //example.org"),
    "image": ('<img src="http://example.org/a.png">', "index.html fetches http://example.org/a.png"),
    "style": ('<p style="background:url(https://e.org/a)">', "index.html fetches https://e.org/a"),
    "missing-page": ('<a href="gone.html">x</a>', "index.html leads nowhere: gone.html"),
    "missing-part": ('<a href="other.html#gone">x</a>', "index.html leads nowhere: other.html#gone"),
    "missing-picture": ('<img src="gone.png">', "index.html leads nowhere: gone.png"),
}


@pytest.fixture
def site(tmp_path):
    (tmp_path / "index.html").write_text(GOOD)
    (tmp_path / "other.html").write_text('<h2 id="part">y</h2>')
    (tmp_path / "a.css").write_text("body { background: url(data:image/png;base64,AA==) }")
    return tmp_path


def test_a_good_site_has_nothing_to_complain_of(site):
    assert check_site.complaints(site) == []


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_named(site, case):
    addition, said = BAD[case]
    (site / "index.html").write_text(GOOD.replace("</body>", addition + "</body>"))
    assert check_site.complaints(site) == [said]


@pytest.mark.parametrize("rule", ["@import 'https://e.org/a.css';", "a { background: url( 'https://e.org/a.css' ) }"])
def test_style_sheets_are_looked_at(site, rule):
    (site / "a.css").write_text(rule)
    assert check_site.complaints(site) == ["a.css fetches https://e.org/a.css"]


def test_no_site_is_a_complaint(tmp_path):
    assert check_site.complaints(tmp_path / "nothing")
