"""What the report of matched runs comes to, as typed data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

RESULTS = "results.json"


@dataclass(frozen=True)
class ExperimentReport:
    """What matched runs found: sentences, every table by name, and the page that was written."""

    headline: tuple[str, ...]
    tables: dict[str, pl.DataFrame]
    window: tuple[int, int]
    page: Path

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data, for JSON."""
        return {
            "headline": list(self.headline),
            "window": list(self.window),
            "report": str(self.page),
            **{name: table.to_dicts() for name, table in self.tables.items()},
        }


def as_json(report: ExperimentReport) -> str:
    """The tables of a report as one JSON object; the page's folder is not part of it."""
    content = report.to_dict()
    del content["report"]
    return json.dumps(content, indent=1, allow_nan=False) + "\n"
