"""What the report of matched runs comes to, as typed data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gradcascade.report.page_report import PageReport


@dataclass(frozen=True)
class ExperimentReport(PageReport):
    """What matched runs found: sentences, every table by name, the page that was written, and the window."""

    window: tuple[int, int]

    def found(self) -> dict[str, Any]:
        """All but the page's place as plain data."""
        return super().found() | {"window": list(self.window)}
