"""What the figures of every lab have in common."""

from __future__ import annotations

from typing import Any, ClassVar

from gradcascade.report import words
from gradcascade.report.drawing.figure import Drawn


class LabFigure(Drawn):
    """A figure of a lab; its standing texts are those of the lab's page."""

    page: ClassVar[str]

    def __init__(self, findings: Any):
        self.findings = findings

    def _caption(self) -> str:
        return words.of_page(self.page)["captions"][self.name]

    def _missing(self) -> str | None:
        frame = self.frame()
        return words.of_page(self.page)["few"] if frame["value"].is_null().all() else None
