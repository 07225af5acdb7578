"""The standing texts of the page, in TOML files beside this one: what a chart shows, how an answer was computed."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

FOLDER = resources.files(__name__)


@dataclass(frozen=True)
class Chart:
    """An interactive chart: `seen` says what is seen, `how` how it was computed; `assets/charts` has its script."""

    name: str
    title: str
    seen: str
    how: tuple[str, ...]
    wide: bool = False


@cache
def charts() -> tuple[Chart, ...]:
    """The charts in the order of the page."""
    texts = _read("charts")
    return tuple(
        Chart(name, one["title"], one["seen"], _how(texts, one), one.get("wide", False))
        for name, one in texts["charts"].items()
    )


def title(answer: str) -> str:
    """Heading of an answer."""
    return _read("answers")["answers"][answer]["title"]


def how(answer: str, **values: object) -> tuple[str, ...]:
    """How an answer was computed, with its sources; ``values`` take the places in braces."""
    texts = _read("answers")
    return tuple(text.format(**values) for text in _how(texts, texts["answers"][answer]))


def columns(answer: str) -> dict[str, str]:
    """What stands in the columns of an answer's table, by heading; the head of the file says how it is written."""
    return _read("answers")["answers"][answer].get("columns", {})


def claim(group: str, name: str, **values: object) -> str:
    """A statement of words/claims.toml; ``values`` take the places in braces."""
    return _read("claims")[group][name].format(**values)


def headings() -> dict[str, str]:
    """Headings of columns of tables that are not the columns' own names."""
    return _read("headings")


def caption(figure: str, **values: object) -> str:
    """What a figure shows; ``values`` fill the names in braces, within the clause of that name where there is one."""
    texts = _read("figures")[figure]
    filled = {name: texts.get(name, "{}").format(value) if value else "" for name, value in values.items()}
    return texts["caption"].format(**filled)


def of_page(page: str) -> dict[str, Any]:
    """The standing texts of a page of its own: captions of its figures, and paragraphs."""
    return _read(page)


def _how(texts: dict[str, Any], one: dict[str, Any]) -> tuple[str, ...]:
    """The paragraphs of an entry; "@name" stands for a paragraph that several entries share."""
    return tuple(texts["shared"][text[1:]] if text.startswith("@") else text for text in one["how"])


@cache
def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(FOLDER.joinpath(f"{name}.toml").read_text(encoding="utf-8"))
