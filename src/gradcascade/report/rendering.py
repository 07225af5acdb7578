"""How pages are rendered: one environment for all templates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gradcascade.errors import InputError
from gradcascade.fields.kinds import field_plural
from gradcascade.report.grids import together

if TYPE_CHECKING:
    from jinja2 import Environment


def environment() -> Environment:
    """Templates of the report, which escape what they are given and refuse what they are not."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("gradcascade.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"together": together, "plural": field_plural}
    return found


@contextmanager
def written_to(folder: Path) -> Iterator[None]:
    """Say in one sentence that a report could not be written to its folder."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"the report cannot be written to {folder} ({reason}); choose a folder with room that you may write to"
        ) from error


def write_page(page: Path, text: str) -> None:
    """Write a page, with the same bytes everywhere."""
    page.write_text(text, encoding="utf-8", errors="replace", newline="\n")
