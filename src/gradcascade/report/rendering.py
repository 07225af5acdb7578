"""How pages are rendered: one environment for all templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
