"""What is in the fields of a study, kept beside it, so that a report can say so without the sources."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from gradcascade.errors import InputError
from gradcascade.files import write_whole
from gradcascade.sources.base import ALONE
from gradcascade.sources.contents import Described, Fields, left_out_in_words, rule_in_words, words
from gradcascade.sources.folder import FolderSource

if TYPE_CHECKING:
    import polars as pl

FILE = "contents.json"

RunOf = tuple[str, str, str]
"""Family, scale and run."""


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
    order: str
    """Name of the order of the tensors; empty where it is not known."""
    copies: list[str]
    """Checkpoints of the run that were passed over, since they hold a step again."""
    stored: list[str]
    """Types that the files hold the tensors in."""


_LATER_KEYS = {"order": "", "copies": [], "stored": []}
"""What studies of earlier versions do not say."""


def copies_in(sources: Iterable[object]) -> dict[RunOf, list[str]]:
    """Checkpoints that hold a step again, by family, scale and run; known of folders."""
    return {
        (source.family, name.scale, name.run): list(run.copies)
        for source in sources
        if isinstance(source, FolderSource)
        for name, run in source.runs.items()
    }


def rows_of(
    described: Mapping[Fields, Described], copies: Mapping[RunOf, list[str]] | None = None
) -> list[FieldContents]:
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
            order=own.description.order,
            copies=(copies or {}).get((key.family, key.scale, key.run), []),
            stored=list(own.description.stored),
        )
        for key, own in described.items()
    ]


def keep_contents(
    study: Path, described: Mapping[Fields, Described], copies: Mapping[RunOf, list[str]] | None = None
) -> None:
    """Write what is in the fields that can be described; of others what was known stays."""
    write_whole(study / FILE, _joined(contents_of_study(study), rows_of(described, copies)))


def contents_of_studies(studies: Iterable[Path]) -> str | None:
    """The file of a study that joins others; None if none of them has one."""
    known = [rows for study in studies if (rows := contents_of_study(study))]
    return _joined(*known) if known else None


def _joined(*tables: Iterable[FieldContents]) -> str:
    known = {_key(row): row for rows in tables for row in rows}
    return json.dumps(list(known.values()), indent=1) + "\n"


def contents_of_study(study: Path) -> list[FieldContents]:
    """What was kept; none where a study was measured before this was."""
    path = study / FILE
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return [_row(_LATER_KEYS | row) for row in rows]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError):
        raise InputError(f"{path} is not a list of contents; remove it, and measure again to renew it") from None


def lines(rows: Iterable[FieldContents]) -> list[str]:
    """What fields are made of in words; runs whose fields differ in entries alone share a line."""
    alike: dict[tuple, list[FieldContents]] = {}
    for row in rows:
        kind = (
            *(row["family"], row["field"], row["tensors"], row["rule"], row["order"]),
            *row["left_out"].items(),
            *row["stored"],
        )
        alike.setdefault(kind, []).append(row)
    found = []
    for own in alike.values():
        runs = ", ".join(row["scale"] if row["run"] == ALONE else f"{row['scale']} run {row['run']}" for row in own)
        sizes = sorted({row["entries"] for row in own})
        entries = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
        row = own[0]
        said = words(row["tensors"], entries, row["rule"], row["left_out"], row["order"], row["stored"])
        found.append(f"{row['family']} / {runs} / {row['field']}: {said}")
    return found


def contents_table(study: Path) -> pl.DataFrame:
    """What was kept, in words, a row for every scale, run and kind of field."""
    import polars as pl

    columns = ["family", "field", "scale", "run", "tensors", "entries", "chosen", "order", "left_out", "passed_over"]
    rows = [
        (
            *(row["family"], row["field"], row["scale"], row["run"], row["tensors"], row["entries"]),
            rule_in_words(row["rule"]),
            row["order"],
            left_out_in_words(row["left_out"]),
            ", ".join(row["copies"]),
        )
        for row in contents_of_study(study)
    ]
    kinds = {name: pl.Int64 if name in ("tensors", "entries") else pl.String for name in columns}
    return pl.DataFrame(rows, schema=kinds, orient="row")


def _row(row: Mapping[str, Any]) -> FieldContents:
    return FieldContents(**{name: row[name] for name in FieldContents.__annotations__})


def _key(row: FieldContents) -> tuple[str, str, str, str]:
    return row["family"], row["scale"], row["run"], row["field"]
