"""Columns of printed tables, which never run together however wide a cell is."""

from collections.abc import Sequence

GAP = 2
"""Spaces between a cell and the next, at least."""


def cells(*pairs: tuple[str, int]) -> str:
    """Put cells at their widths, to the left; a wider one moves those after it."""
    return "".join(text.ljust(max(width, len(text) + GAP)) for text, width in pairs).rstrip()


def table(rows: Sequence[Sequence[str]], widths: Sequence[int], left: int) -> list[str]:
    """Lines of a table: the first ``left`` columns to the left, the others to the right, none narrower than given."""
    columns = [max(width, *(len(row[at]) + GAP for row in rows)) for at, width in enumerate(widths)]
    return [
        "".join(
            cell.ljust(width) if at < left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, columns, strict=True))
        ).rstrip()
        for row in rows
    ]
