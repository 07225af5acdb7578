"""The scripts and styles of the page, joined from short files, and the policy that lets these alone run."""

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

ASSETS = resources.files("gradcascade.report").joinpath("assets")

SCRIPTS = tuple(ASSETS.joinpath("order.txt").read_text(encoding="utf-8").split())
"""Modules of the page in the order in which they are joined: each after those whose constants it needs."""

_IMPORT = re.compile(r"^import .*\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=\w)", re.MULTILINE)


@dataclass(frozen=True)
class Bundle:
    """What stands in the page besides its words."""

    library: str
    script: str
    style: str
    policy: str


def scripts() -> tuple[str, ...]:
    """Every module in order: what charts share, the charts (found in `assets/charts`), and the start."""
    entries = ASSETS.joinpath("charts").iterdir()
    names = sorted(entry.name.removesuffix(".js") for entry in entries if entry.name.endswith(".js"))
    return (*SCRIPTS, *(f"charts/{name}" for name in names), "main")


@cache
def bundle() -> Bundle:
    """Join scripts and styles; modules lose import and export, which a page opened from disk cannot use."""
    library = _read("uplot/uPlot.iife.min.js")
    modules = "\n".join(_EXPORT.sub("", _IMPORT.sub("", _read(f"{name}.js"))) for name in scripts())
    script = f'(() => {{\n"use strict";\n{modules}}})();\n'
    style = f"{_read('uplot/uPlot.min.css')}\n{_read('page.css')}"
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash(library)} {_hash(script)}",
            f"style-src-elem {_hash(style)}",
            # Pictures written by Matplotlib carry their colours in style attributes.
            "style-src-attr 'unsafe-inline'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    return Bundle(library, script, style, policy)


def _read(name: str) -> str:
    return ASSETS.joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
