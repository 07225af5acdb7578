"""What a page of an experiment or a lab comes to, as typed data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradcascade.errors import InputError

if TYPE_CHECKING:
    import polars as pl

RESULTS = "results.json"


@dataclass(frozen=True)
class PageReport:
    """What was found: sentences, every table by name, and the page that was written."""

    headline: tuple[str, ...]
    tables: dict[str, pl.DataFrame]
    page: Path

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data, for JSON."""
        return {"report": str(self.page)} | self.found()

    def found(self) -> dict[str, Any]:
        """The same without the page's place."""
        tables = {name: table.to_dicts() for name, table in self.tables.items()}
        return {"headline": list(self.headline), **tables}

    def write(self, folder: Path) -> None:
        """Write what was found beside the page, as one JSON object."""
        try:
            text = json.dumps(self.found(), indent=1, allow_nan=False) + "\n"
            (folder / RESULTS).write_text(text, encoding="utf-8")
        except OSError as error:
            raise InputError(f"{folder / RESULTS} cannot be written: {error.strerror or error}") from error
