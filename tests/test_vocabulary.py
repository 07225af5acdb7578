import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from gradcascade import vocabulary
from gradcascade.vocabulary import CASCADE_COLUMNS, CHANNELS, DIFFERENCES, EXPONENTS, SHOWN_EXPONENTS


def test_every_exponent_is_the_slope_of_a_channel_of_its_own():
    assert [exponent.channel for exponent in EXPONENTS.values()] == list(CHANNELS)


@pytest.mark.parametrize("name", [name for name, exponent in EXPONENTS.items() if exponent.same_as])
def test_an_exponent_that_is_another_up_to_a_constant_differs_in_powers_of_n_alone(name):
    other = EXPONENTS[EXPONENTS[name].same_as]
    own, its = (CHANNELS[exponent.channel].powers for exponent in (EXPONENTS[name], other))
    assert {**own, "n": 0} == {**its, "n": 0} and other.name in SHOWN_EXPONENTS
    assert EXPONENTS[name].neutral - other.neutral == own.get("n", 0) - its.get("n", 0)


def test_formulas_are_written_as_the_publication_writes_them():
    assert [channel.formula for channel in CHANNELS.values()] == ["s", "n_steps", "s / n_steps", "s / (N × n_steps)"]


def test_the_parts_of_a_null_difference_add_up():
    total, dist, assign = (DIFFERENCES[name] for name in ("total", "dist", "assign"))
    assert (total.minuend, total.subtrahend) == (assign.minuend, dist.subtrahend)
    assert dist.minuend == assign.subtrahend


def test_columns_have_types_of_polars():
    schema = vocabulary.polars_schema(CASCADE_COLUMNS)
    assert schema["activity"] == pl.List(pl.Int64) and schema["tau"] == pl.Float64 and schema["ceiling"] == pl.Boolean


def test_no_text_makes_the_plural_of_a_kind_of_field_by_itself():
    source = Path(vocabulary.__file__).parent
    wrong = re.compile(r"field['\"]?\]?\)?\}s\b")
    files = [path for end in ("*.py", "*.js", "*.j2") for path in source.rglob(end)]
    assert [path.name for path in files if wrong.search(path.read_text(encoding="utf-8"))] == []


def test_the_vocabulary_is_light():
    heavy = ("polars", "numpy", "numba", "torch", "typer")
    code = f"import sys, gradcascade.vocabulary; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
