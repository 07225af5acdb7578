"""Why numbers are missing: a code, and its sentence, which is made here and nowhere else.

In Python a reason is a :class:`Reason`; in an expression of Polars a struct of both, missing where there is none.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from string import Formatter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import polars as pl

SENTENCES: dict[str, str] = tomllib.loads(
    (resources.files("gradcascade.tables") / "reasons.toml").read_text(encoding="utf-8")
)
"""By code, with the names of what is filled in."""


class Reason(NamedTuple):
    """Why numbers are missing."""

    code: str
    reason: str

    @classmethod
    def of(cls, code: str, **values: object) -> Reason:
        """The reason of a code, with the values of its sentence."""
        return cls(code, SENTENCES[code].format(**values))


def told(reason: Reason | None, prefix: str = "") -> dict[str, str | None]:
    """The two columns of a row that may have a reason."""
    return dict(zip((f"{prefix}code", f"{prefix}reason"), reason or (None, None), strict=True))


def reason_of(row: Mapping[str, Any], prefix: str = "") -> Reason | None:
    """The reason that a row has."""
    code, reason = row[f"{prefix}code"], row[f"{prefix}reason"]
    return None if code is None or reason is None else Reason(code, reason)


def because(code: str, **values: pl.Expr | str | float) -> pl.Expr:
    """A reason in an expression: what its sentence names is a column, unless a value is given."""
    import polars as pl

    named = [name for _, name, _, _ in Formatter().parse(SENTENCES[code]) if name]
    parts = [values.get(name, pl.col(name)) for name in named]
    filled = [part if isinstance(part, pl.Expr) else pl.lit(str(part)) for part in parts]
    pattern = SENTENCES[code].format(**dict.fromkeys(named, "{}"))
    return pl.struct(code=pl.lit(code), reason=pl.format(pattern, *filled) if filled else pl.lit(pattern))


def kept(prefix: str = "") -> pl.Expr:
    """The reason that a row has already, in an expression."""
    import polars as pl

    code = pl.col(f"{prefix}code")
    return pl.when(code.is_not_null()).then(pl.struct(code=code, reason=pl.col(f"{prefix}reason")))


def columns(reason: pl.Expr, prefix: str = "") -> list[pl.Expr]:
    """The two columns of a reason in an expression."""
    return [reason.struct.field(name).alias(f"{prefix}{name}") for name in Reason._fields]
