"""A page of sections: what it shows is in files beside it, and nothing is fetched."""

import re
from html.parser import HTMLParser

import polars as pl
import pytest

from gradcascade.errors import InputError
from gradcascade.report.document import Section, write_document
from gradcascade.report.drawing.canvas import Canvas
from gradcascade.report.drawing.figure import Drawn


class Line(Drawn):
    name, title = "line", "A line"

    def _frame(self):
        return pl.DataFrame({"x": [0.0, 1.0, 2.0], "y": [1.0, 4.0, 2.0]})

    def _draw(self, canvas: Canvas):
        panel = canvas.panels(["a panel"])[0, 0]
        panel.plot(self.frame()["x"], self.frame()["y"])

    def _caption(self):
        return "y on x"


class Nothing(Line):
    name = "nothing"

    def _missing(self):
        return "there was nothing to draw"


class Links(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("href", "src")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("document")
    table = pl.DataFrame({"rung": ["gradient", "=1+1"], "z": [0.16, None]})
    sections = [
        Section("ladder", "The ladder", ["It falls by 10 %."], [Line(), Nothing()], {"z": ("z by rung", table)}),
        Section("plan", "The plan", code='a = "<b>"', how=["By hand."]),
    ]
    write_document(folder, "An <experiment>", ["z falls."], sections, ["two runs"])
    return folder


def test_everything_linked_is_there_and_nothing_is_fetched(folder):
    text = (folder / "index.html").read_text()
    links = Links(text).found
    assert {f"figures/line.{ending}" for ending in ("svg", "pdf", "png", "csv")} < set(links)
    for link in links:
        assert link.startswith(("#", "data:")) or (folder / link).is_file(), link
    assert all(f'id="{link[1:]}"' in text for link in links if link.startswith("#") and "line" not in link)


def test_the_words_are_shown_and_escaped(folder):
    text = (folder / "index.html").read_text()
    assert "<h1>An &lt;experiment&gt;</h1>" in text and "a = &#34;&lt;b&gt;&#34;" in text
    assert "there was nothing to draw" in text and "It falls by 10\N{NO-BREAK SPACE}%." in text
    assert not re.search(r"<script[^>]+src=", text)


def test_a_table_is_a_file_that_no_spreadsheet_runs(folder):
    assert (folder / "tables" / "z.csv").read_text().splitlines() == ["rung,z", "gradient,0.16", "'=1+1,"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written to"):
        write_document(tmp_path / "file", "title", [], [])
