from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from gradcascade.cli.main import app
from gradcascade.errors import InputError

PICO = "589824,9437184,37748736,150994944"


def asked(*words: str) -> str:
    found = CliRunner().invoke(app, ["design", *words], catch_exceptions=False)
    assert found.exit_code == 0
    return found.output


def test_a_design_that_is_given() -> None:
    said = asked("--scales", PICO, "--run-sd", "0.05", "--difference", "0.04")
    assert "as it is                  ± 0.0437          0.0689" in said
    assert "one more size" in said and "cheapest for a difference of 0.04:" in said
    found = json.loads(asked("--sizes", PICO, "--run-sd", "0.05", "--runs", "3", "--json"))
    assert found["designs"][0]["half_width"] == pytest.approx(0.0437 / 3**0.5, rel=0.06) and found["cheapest"] is None


def test_what_is_missing_is_said() -> None:
    for words, sentence in (
        ([], "give the folder of a study, or --scales"),
        (["--scales", PICO], "--scales needs --run-sd"),
        (["--sizes", "a,b", "--run-sd", "0.05"], "--scales takes numbers with commas between them, got a,b"),
    ):
        with pytest.raises(InputError, match=sentence):
            asked(*words)
