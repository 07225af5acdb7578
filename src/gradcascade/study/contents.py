"""What is in the fields of a study, kept beside it, so that a report can say so without the sources."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

from gradcascade.errors import InputError
from gradcascade.files import write_whole
from gradcascade.sources.contents import Described, Fields

FILE = "contents.json"


class FieldContents(TypedDict):
    """What the fields of one kind of one run are made of."""

    family: str
    scale: str
    run: str
    field: str
    tensors: int
    entries: int
    rule: str
    """The evidence that decided, :mod:`gradcascade.sources.parameters`."""
    left_out: dict[str, int]
    """Number of tensors by reason."""


def rows_of(described: Mapping[Fields, Described]) -> list[FieldContents]:
    """The descriptions as rows of a table."""
    return [
        FieldContents(
            family=key.family,
            scale=key.scale,
            run=key.run,
            field=key.field,
            tensors=len(own.description.tensors),
            entries=own.description.entries,
            rule=own.description.rule,
            left_out=dict(own.description.left_out),
        )
        for key, own in described.items()
    ]


def keep_contents(study: Path, described: Mapping[Fields, Described]) -> None:
    """Write what is in the fields that can be described; of others what was known stays."""
    known = {_key(row): row for row in contents_of_study(study)}
    known |= {_key(row): row for row in rows_of(described)}
    write_whole(study / FILE, json.dumps(list(known.values()), indent=1) + "\n")


def contents_of_study(study: Path) -> list[FieldContents]:
    """What was kept; none where a study was measured before this was."""
    path = study / FILE
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return [FieldContents(**{name: row[name] for name in FieldContents.__annotations__}) for row in rows]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError):
        raise InputError(f"{path} is not a list of contents; remove it, and measure again to renew it") from None


def _key(row: FieldContents) -> tuple[str, str, str, str]:
    return row["family"], row["scale"], row["run"], row["field"]
