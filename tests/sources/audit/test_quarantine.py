"""The list of what is not to be measured: from findings, to a file, and back."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcascade.errors import InputError
from gradcascade.sources.audit.findings import FAULT, WARNING, Finding, Spoiled
from gradcascade.sources.audit.quarantine import (
    Conventions,
    Entry,
    Quarantine,
    entries_of,
    read_quarantine,
    write_quarantine,
)

STEPS = {"a": [0, 10, 20, 30], "b": [0, 20]}


def finding(what: str, step: int, scale: str = "a", severity: str = FAULT, sentence: str = "it is wrong") -> Finding:
    return Finding("kind", severity, "nano", scale, (step,), (), sentence, (Spoiled(what, step),))


def quarantine(**reasons: str) -> Quarantine:
    entries = [Entry(family="nano", scale=s, field="update", step=10, reason=r) for s, r in reasons.items()]
    return Quarantine((Conventions(name="nano"),), tuple(entries))


@pytest.mark.parametrize(
    ("what", "step", "label", "expected"),
    [
        ("checkpoint", 10, "later", [("update", 10), ("update", 20)]),
        ("checkpoint", 10, "earlier", [("update", 0), ("update", 10)]),
        ("checkpoint", 0, "later", [("update", 10)]),
        ("checkpoint", 30, "later", [("update", 30)]),
        ("checkpoint", 15, "later", []),
        ("difference", 10, "later", [("update", 10)]),
        ("difference", 10, "earlier", [("update", 0)]),
        ("difference", 0, "later", []),
        ("gradient", 20, "earlier", [("gradient", 20)]),
        ("gradient", 30, "later", []),
    ],
)
def test_what_a_fault_puts_into_quarantine(what: str, step: int, label: str, expected: list) -> None:
    entries = entries_of([finding(what, step)], STEPS, {"a": [0, 10, 20]}, label)
    assert [(entry.field, entry.step) for entry in entries] == expected
    assert entries_of([finding(what, step, severity=WARNING)], STEPS, {"a": [0, 10, 20]}, label) == ()


def test_reasons_of_one_snapshot_are_joined() -> None:
    findings = [
        finding("checkpoint", 10),
        finding("difference", 20, sentence="and so is this"),
        finding("checkpoint", 10),
    ]
    entries = {entry.step: entry.reason for entry in entries_of(findings, STEPS, {})}
    assert entries == {10: "it is wrong", 20: "it is wrong; and so is this"}


@given(st.text(min_size=1), st.text(), st.integers(0, 10**15))
def test_a_list_is_read_as_it_was_written(tmp_path_factory, reason: str, scale: str, step: int) -> None:
    path = tmp_path_factory.mktemp("list") / "deep" / "quarantine.toml"
    entries = [
        Entry(family="nano", scale=scale, field=field, step=step, reason=reason) for field in ("update", "gradient")
    ]
    written = Quarantine((Conventions(name="nano", label="earlier", gradients="val"),), tuple(entries))
    write_quarantine(written, path)
    first = path.read_bytes()
    found = read_quarantine(path)
    assert found == Quarantine(written.families, tuple(reversed(entries)))
    write_quarantine(found, path)
    assert path.read_bytes() == first
    assert [child.name for child in path.parent.iterdir()] == ["quarantine.toml"]


def test_a_path_that_is_no_text_does_not_spoil_the_file(tmp_path: Path) -> None:
    entries = entries_of([finding("difference", 10, sentence="the file \udcff is broken")], STEPS, {})
    write_quarantine(Quarantine((Conventions(name="nano"),), entries), tmp_path / "q.toml")
    assert read_quarantine(tmp_path / "q.toml").entries[0].reason == "the file ? is broken"


GOOD = """[[families]]
name = "nano"
[[snapshots]]
family = "nano"
scale = "a"
field = "update"
step = 10
reason = "x"
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense", "not a TOML file"),
        ("format = 2", "format"),
        ("mistyped = 1", "mistyped is unknown"),
        (GOOD + "why = 3", "snapshots.0.why is unknown"),
        (GOOD.replace("10", "-1"), "snapshots.0.step"),
        (GOOD.replace('"x"', '""'), "snapshots.0.reason"),
        (GOOD.replace("update", "weights"), "snapshots.0.field"),
        (GOOD.replace('family = "nano"', 'family = "mini"'), "'mini'"),
        (GOOD + GOOD.partition("\n[[snap")[0], "lists the family 'nano' twice"),
        (GOOD + "[[snap" + GOOD.partition("[[snap")[2], "a, step 10, update twice"),
    ],
)
def test_a_list_that_is_not_one_is_refused(tmp_path: Path, text: str, words: str) -> None:
    tomllib.loads(GOOD)
    path = tmp_path / "q.toml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_quarantine(path)
    assert words in str(error.value) and str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_list_that_is_missing_or_unreadable_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_quarantine(tmp_path / "q.toml")
    with pytest.raises(InputError, match="cannot be read"):
        read_quarantine(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        write_quarantine(quarantine(), tmp_path / "file" / "q.toml")


def test_a_newer_list_replaces_its_own_families_only() -> None:
    other = Quarantine(
        (Conventions(name="other"),), (Entry(family="other", scale="a", field="gradient", step=1, reason="r"),)
    )
    merged = quarantine(a="old", b="old").merged(other).merged(quarantine(a="new"))
    assert {(e.family, e.scale): e.reason for e in merged.entries} == {("other", "a"): "r", ("nano", "a"): "new"}
    assert {family.name for family in merged.families} == {"nano", "other"}


def test_a_list_made_under_other_conventions_is_refused() -> None:
    listed = quarantine(a="x")
    listed.check("nano", "later", "train", ["a"], "q.toml")
    listed.check("other", "earlier", "val", [], "q.toml")
    for label, gradients, scales, words in [
        ("earlier", "train", ["a"], "label = later"),
        ("later", "val", ["a"], "gradients = train"),
        ("later", "train", ["b"], "the scale 'a'"),
    ]:
        with pytest.raises(InputError, match=words):
            listed.check("nano", label, gradients, scales, "q.toml")
