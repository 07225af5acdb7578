"""The words of the method, declared once: channels, exponents, differences, columns of tables (arXiv:2605.02968)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import polars as pl

QUANTITIES = {"n": "N", "size": "s", "duration": "n_steps"}
"""Symbols of what is measured of a cascade, by column."""


@dataclass(frozen=True)
class Channel:
    """A channel: a product of powers of measured quantities, whose logarithm is fitted on log N."""

    name: str
    """Its column."""
    symbol: str
    plural: str
    """Its values, in a sentence."""
    unit: str
    powers: Mapping[str, int]
    """Power of every quantity (a column of measurements) that it is made of."""
    description: str

    @property
    def formula(self) -> str:
        """For example ``s / (N × n_steps)``."""
        parts = {
            sign: [QUANTITIES.get(name, name) for name, power in self.powers.items() for _ in range(sign * power)]
            for sign in (1, -1)
        }
        above, below = " × ".join(parts[1]) or "1", " × ".join(parts[-1])
        if len(parts[-1]) > 1:
            below = f"({below})"
        return f"{above} / {below}" if below else above


@dataclass(frozen=True)
class Exponent:
    """An exponent: the slope of a channel's logarithm on log N."""

    name: str
    """As in columns and options."""
    symbol: str
    """As in text that people read."""
    channel: str
    words: str
    """What it is the growth of."""
    neutral: int = 0
    """Its value where nothing but N changes with scale."""
    same_as: str = ""
    """Exponent that it equals up to a constant, and that is shown in its place where there is room for one."""


CHANNELS: dict[str, Channel] = {
    channel.name: channel
    for channel in (
        Channel(
            "size", "s", "sizes", "activation", {"size": 1},
            "activations of all nodes over all relaxation steps",
        ),
        Channel(
            "duration", "n_steps", "durations", "relaxation step", {"duration": 1},
            "relaxation steps until nothing was active",
        ),
        Channel(
            "v_abs", "v_abs", "values of v_abs", "activation per relaxation step", {"size": 1, "duration": -1},
            "size per relaxation step",
        ),
        Channel(
            "v_rel", "v_rel", "values of v_rel", "share of the entries", {"size": 1, "n": -1, "duration": -1},
            "transport efficiency: share of the entries that is active in a relaxation step, on average",
        ),
    )
}  # fmt: skip
"""Channels by name, in order."""

EXPONENTS: dict[str, Exponent] = {
    exponent.name: exponent
    for exponent in (
        Exponent("D", "D", "size", "size", neutral=1),
        Exponent("z", "z", "duration", "duration"),
        Exponent("beta", "β", "v_abs", "size per relaxation step", neutral=1, same_as="delta"),
        Exponent("delta", "δ", "v_rel", "transport efficiency v_rel"),
    )
}
"""Exponents by name, in the order of every table."""

SYMBOLS = {name: exponent.symbol for name, exponent in EXPONENTS.items()}
"""How text that people read writes an exponent."""

SHOWN_EXPONENTS = tuple(name for name, exponent in EXPONENTS.items() if not exponent.same_as)
"""Exponents that say something of their own: beta is delta + 1."""

EXPONENT_CHANNELS = {name: exponent.channel for name, exponent in EXPONENTS.items()}
"""Channel that each exponent is the slope of."""

REAL = "real"
"""Variant that is not a null: the field as it was read."""

PUBLISHED_NULLS = ("N0", "N1", "N2")
"""Nulls of the publication; every null's own words stand in its file in :mod:`gradcascade.fields.nulls`."""


@dataclass(frozen=True)
class Difference:
    """A null difference of an exponent: that of one variant less that of another."""

    name: str
    minuend: str
    subtrahend: str
    label: str
    description: str


DIFFERENCES: dict[str, Difference] = {
    difference.name: difference
    for difference in (
        Difference("total", REAL, "N0", "total", "how the real field differs from normal noise"),
        Difference("dist", "N2", "N0", "distribution", "what the distribution of the values explains"),
        Difference("assign", REAL, "N2", "assignment", "what the places of the values explain"),
    )
}
"""Null differences by name: total = dist + assign."""


TYPES = {"string": "String", "integer": "Int64", "number": "Float64", "boolean": "Boolean", "integers": "List"}
"""Types of columns and what Polars calls them: lists are of whole numbers of 64 bits."""


class Column(NamedTuple):
    """A column of a table."""

    name: str
    type: str
    """One of :data:`TYPES`."""
    unit: str
    """What a value of 1 is one of; empty for text and for pure numbers."""
    meaning: str
    """One sentence."""
    nullable: bool = False


def polars_schema(columns: Iterable[Column]) -> dict[str, pl.DataType]:
    """Columns with their types in Polars, in order."""
    import polars as pl

    types = {"integers": pl.List(pl.Int64)}
    return {column.name: types.get(column.type) or getattr(pl, TYPES[column.type])() for column in columns}


def text(name: str, meaning: str, nullable: bool = False) -> Column:
    """Describe a column of text."""
    return Column(name, "string", "", meaning, nullable)


def whole(name: str, unit: str, meaning: str, nullable: bool = False) -> Column:
    """Describe a column of whole numbers."""
    return Column(name, "integer", unit, meaning, nullable)


def number(name: str, unit: str, meaning: str, nullable: bool = True) -> Column:
    """Describe a column of numbers, by default such as can be missing."""
    return Column(name, "number", unit, meaning, nullable)


def flag(name: str, meaning: str, nullable: bool = False) -> Column:
    """Describe a column of truth values."""
    return Column(name, "boolean", "", meaning, nullable)


def _one_of(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}"


FAMILY = text("family", "Name of the family of models.")
SCALE = text("scale", "Name of the model size within its family.")
STEP = whole("step", "training step", "Training step that labels the field.")
TOKENS = whole(
    "tokens",
    "token",
    "Tokens that a run has seen at the step, where the plan, the family's file or the name of the branch says so; "
    "missing elsewhere, and where scales of the row differ.",
    True,
)
RUN = text("run", "Which training of the scale: its seed, or another label; 0 where there is one.")
FIELD = text("field", "Kind of the field, such as gradient or update.")
SPAN = whole("span", "training step", "Optimizer steps that an update covers; missing for gradients.", True)
VARIANT = text("variant", "Which field was measured: real, or the name of the null that was drawn of it.")
EXPONENT = text("exponent", f"Which exponent the row is about: {_one_of(EXPONENTS)}.")
N_SCALES = whole("n_scales", "scale", "Number of scales that entered the fit.")
CODE = text("code", "Why numbers of this row are missing, as a code; missing itself where none is.", True)
REASON = text("reason", "The same in words.", True)

DRAW = 1_000
"""What the replicates of one draw of the data are apart from those of the next; a plan asks for fewer."""

CASCADE_COLUMNS = (
    FAMILY,
    SCALE,
    RUN,
    STEP,
    FIELD,
    SPAN,
    VARIANT,
    whole(
        "replicate",
        "",
        f"Number of the null's replicate, from 0; 0 for the real field; {DRAW:,} more for each draw of the data.",
    ),
    whole("n", "entry", "Entries of the field, N."),
    number("tau", "unit of the field", "Threshold: the quantile of the magnitudes; missing if computed elsewhere."),
    whole("size", "activation", f"Size s: {CHANNELS['size'].description}."),
    whole("duration", "relaxation step", f"Duration n_steps: {CHANNELS['duration'].description}."),
    flag("ceiling", "Whether the ceiling of relaxation steps stopped the cascade."),
    Column("activity", "integers", "node", "Active nodes at each relaxation step; they add up to the size.", True),
    number("max_over_tau", "", "Largest magnitude of the field over the threshold; infinite where that is 0."),
    number("kurtosis", "", "Kurtosis of the field, 3 for a normal one; missing for a constant one."),
    number("zero_share", "", "Share of the field's entries that are zero; missing if computed elsewhere."),
    text(
        "source",
        "Where it came from: files relative to the source, repository and step, or a table computed elsewhere.",
    ),
    text("revision", "Version of the source: SHA of the commits, a mark of the files, or SHA-256 of the table."),
    text(
        "content_hash",
        "First 32 hexadecimal digits of a SHA-256 of the values of the real field, or of a table and place.",
    ),
    text("layout_hash", "Hash of the layout of tensors, for nulls that depend on it; empty for others."),
    text("probe_hash", "Name of the probe's settings: 16 hexadecimal digits."),
    whole("seed", "", "Seed of the null; 0 for the real field."),
    number("seconds", "s", "Time of the measurement; missing if computed elsewhere."),
)
"""The table of cascades, in the store and in exports."""

METRIC_COLUMNS = (
    FAMILY,
    SCALE,
    RUN,
    STEP,
    text("metric", "Name of the metric, such as a data set whose perplexity it is."),
    number("value", "unit of the metric", "The number; missing where it was not finite."),
)
"""The table of external performance numbers."""

REFUSAL_COLUMNS = (
    FAMILY,
    SCALE,
    RUN,
    STEP,
    FIELD,
    SPAN,
    text("code", "Kind of the reason: quarantine, gap, unreadable or unmeasurable."),
    text("reason", "Why it was not measured, in words."),
)
"""The table of snapshots that could not be measured."""

FITTED = (
    number("value", "", "The exponent: slope of the channel's logarithm on log N."),
    number("se", "", "Standard error of the exponent."),
    number("low", "", "Lower end of the 95 % t interval, with two degrees of freedom fewer than scales."),
    number("high", "", "Upper end of the 95 % t interval."),
)
"""An exponent with its interval."""

OF_STEP = (FAMILY, FIELD, VARIANT, STEP, EXPONENT)
"""Names a fit: one trajectory, one step, one exponent."""

FIT_COLUMNS = (
    *OF_STEP,
    *FITTED,
    number("r2", "", "R2 of the line, the compressibility; missing where the channel is equal at every scale."),
    N_SCALES,
    CODE,
    REASON,
)
"""The table of fits."""
