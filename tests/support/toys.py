"""Adds a toy module to a package of declared objects, for tests that one file is all it takes."""

from __future__ import annotations

import sys
from importlib import import_module, invalidate_caches
from pathlib import Path
from textwrap import dedent

import pytest


def add_module(monkeypatch: pytest.MonkeyPatch, folder: Path, package: str, name: str, source: str) -> Path:
    """Let a package have one more module for the length of a test, in a file of its own in ``folder``."""
    home = import_module(package)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.py"
    file.write_text(dedent(source))
    full = f"{package}.{name}"
    monkeypatch.setattr(home, "__path__", [*home.__path__, str(folder)])
    monkeypatch.setitem(sys.modules, full, sys)  # so that whatever is imported under the name is gone afterwards
    del sys.modules[full]
    monkeypatch.setattr(home, name, None, raising=False)
    invalidate_caches()
    return file
