"""The list of what is not to be measured: from findings, to a file, and back."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcascade.errors import InputError
from gradcascade.sources.audit.evidence import (
    IdenticalAcrossRuns,
    IdenticalFiles,
    NotFinite,
    OddSize,
    Place,
    Unreadable,
)
from gradcascade.sources.audit.findings import FAULT, WARNING, Finding, Spoiled
from gradcascade.sources.audit.quarantine_list import (
    Conventions,
    Entry,
    Quarantine,
    entries_of,
    read_quarantine,
    write_quarantine,
)
from gradcascade.sources.base import RunName

STEPS = {RunName("a"): [0, 10, 20, 30], RunName("b"): [0, 20]}
GRADIENTS = {RunName("a"): [0, 10, 20]}


def finding(what: str, step: int, severity: str = FAULT, error: str = "it is wrong") -> Finding:
    spoils = (Spoiled(what, step),)
    return Finding(Unreadable(error), severity, "nano", "a", "0", (step,), None, (), spoils)


def quarantine(**notes: str) -> Quarantine:
    entries = [Entry("nano", scale, "0", "update", 10, note=note) for scale, note in notes.items()]
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
    entries = entries_of([finding(what, step)], STEPS, GRADIENTS, label)
    assert [(entry.field, entry.step) for entry in entries] == expected
    assert entries_of([finding(what, step, WARNING)], STEPS, GRADIENTS, label) == ()


def test_a_fault_of_one_run_leaves_the_others_of_its_scale() -> None:
    steps = {RunName("a", "1"): [0, 10, 20], RunName("a", "2"): [0, 10, 20]}
    spoiled = Finding(NotFinite(("w",)), FAULT, "nano", "a", "2", (20,), "update", (), (Spoiled("checkpoint", 20),))
    assert [(e.scale, e.run, e.step) for e in entries_of([spoiled], steps, {})] == [("a", "2", 20)]


def test_reasons_of_one_snapshot_are_joined() -> None:
    findings = [
        finding("checkpoint", 10),
        finding("difference", 20, error="and so is this"),
        finding("checkpoint", 10),
    ]
    entries = {entry.step: entry.reason for entry in entries_of(findings, STEPS, {})}
    assert entries == {10: "it is wrong", 20: "it is wrong; and so is this"}


TEXTS = st.text(min_size=1)
EVIDENCE = st.one_of(
    st.builds(Unreadable, TEXTS),
    st.builds(OddSize, st.integers(0, 2**40), st.integers(1, 2**40)),
    st.builds(NotFinite, st.lists(TEXTS, min_size=1, max_size=4).map(tuple)),
    st.builds(IdenticalFiles, st.booleans(), st.lists(st.integers(0, 99), max_size=3).map(tuple)),
    st.builds(
        IdenticalAcrossRuns,
        TEXTS,
        st.lists(st.builds(Place, TEXTS, TEXTS, st.integers(0, 99)), min_size=1, max_size=3).map(tuple),
        st.sampled_from([None, "size", "structure"]),
    ),
)


@given(TEXTS, st.text(), TEXTS, st.integers(0, 10**15), st.lists(EVIDENCE, max_size=3), TEXTS)
def test_a_list_is_read_as_it_was_written(tmp_path_factory, note, scale, run, step, evidence, file) -> None:
    path = tmp_path_factory.mktemp("list") / "deep" / "quarantine.toml"
    found = tuple(dict.fromkeys(Finding(e, FAULT, "nano", scale, run, (step,), "update", (file,)) for e in evidence))
    entries = [Entry("nano", scale, run, field, step, found, note) for field in ("update", "gradient")]
    written = Quarantine((Conventions(name="nano", label="earlier", gradients="val"),), tuple(entries))
    write_quarantine(written, path)
    first = path.read_bytes()
    again = read_quarantine(path)
    assert again == Quarantine(written.families, tuple(reversed(entries)))
    assert [entry.reason for entry in again.entries] == [entry.reason for entry in reversed(entries)]
    write_quarantine(again, path)
    assert path.read_bytes() == first
    assert [child.name for child in path.parent.iterdir()] == ["quarantine.toml"]


def test_a_finding_is_written_once_with_its_sentence_above_it(tmp_path: Path) -> None:
    found = Finding(NotFinite(("head",)), FAULT, "nano", "a", "0", (10,), "update", (), (Spoiled("checkpoint", 10),))
    entries = entries_of([found], STEPS, {})
    write_quarantine(Quarantine((Conventions(name="nano"),), entries), tmp_path / "q.toml")
    text = (tmp_path / "q.toml").read_text()
    assert text.count("[[findings]]") == 1 and text.count("[[snapshots]]") == 2
    assert "# the checkpoint of step 10 has entries that are not finite in 'head'\n[[findings]]" in text
    assert tomllib.loads(text)["findings"][0]["data"] == {"tensors": ["head"]}
    assert [entry.codes for entry in read_quarantine(tmp_path / "q.toml").entries] == [("not-finite",)] * 2


def test_a_path_that_is_not_text_does_not_spoil_the_file(tmp_path: Path) -> None:
    entries = entries_of([finding("difference", 10, error="the file \udcff is broken")], STEPS, {})
    write_quarantine(Quarantine((Conventions(name="nano"),), entries), tmp_path / "q.toml")
    assert read_quarantine(tmp_path / "q.toml").entries[0].reason == "the file ? is broken"


FORMAT_1 = """# Snapshots that `gradcascade measure` leaves out, and why.
format = 1

[[families]]
name = "nano"
label = "later"
gradients = "train"

[[snapshots]]
family = "nano"
scale = "a"
field = "update"
step = 10
reason = "x"
"""


def test_a_list_of_format_1_is_read_and_written_in_format_2(tmp_path: Path) -> None:
    path = tmp_path / "q.toml"
    path.write_text(FORMAT_1)
    found = read_quarantine(path)
    assert found == quarantine(a="x") and found.entries[0].reason == "x" and found.entries[0].codes == ()
    write_quarantine(found, path)
    assert tomllib.loads(path.read_text())["format"] == 2 and read_quarantine(path) == found


GOOD = """[[families]]
name = "nano"
[[findings]]
id = 1
code = "odd-size"
family = "nano"
scale = "a"
steps = [10]
files = ["w"]
data = {bytes = 3, usual_bytes = 4}
[[snapshots]]
family = "nano"
scale = "a"
field = "update"
step = 10
reason = "x"
findings = [1]
"""
FINDING = GOOD.partition("[[findings]]")[2].partition("[[snap")[0]
SNAPSHOT = "[[snap" + GOOD.partition("[[snap")[2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense", "not a TOML file"),
        ("format = 3", "format"),
        ("mistyped = 1", "mistyped is unknown"),
        (GOOD + "why = 3", "snapshots.0.why is unknown"),
        (GOOD.replace("step = 10", "step = -1"), "snapshots.0.step"),
        (GOOD.replace('"x"', '""'), "snapshots.0.reason"),
        (GOOD.replace("update", "weights"), "snapshots.0.field"),
        (GOOD.replace('family = "nano"', 'family = "mini"'), "'mini'"),
        (GOOD + GOOD.partition("\n[[find")[0], "lists the family 'nano' twice"),
        (GOOD + SNAPSHOT, "a, step 10, update is there twice"),
        (GOOD.replace("findings = [1]", "").replace('reason = "x"', ""), "neither findings nor a reason"),
        (GOOD.replace("findings = [1]", "findings = [2]"), "names the finding 2"),
        (GOOD.replace("odd-size", "odd-eyes"), "'odd-eyes', which no check has"),
        (GOOD.replace("bytes = 3", 'bytes = "many"'), "finding 1: bytes"),
        (GOOD.replace("bytes = 3, ", ""), "finding 1: bytes"),
        (GOOD.replace("bytes = 3", "bites = 3, bytes = 3"), "finding 1: bites is unknown"),
        (GOOD.replace('files = ["w"]', ""), "finding 1 lacks steps or files"),
        (GOOD.replace("steps = [10]", "steps = []"), "finding 1 lacks steps or files"),
        (GOOD.replace("[[snapshots]]", "[[findings]]" + FINDING + "[[snapshots]]"), "two findings with the id 1"),
    ],
)
def test_a_broken_list_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "q.toml"
    path.write_text(GOOD)
    (entry,) = read_quarantine(path).entries
    assert entry.reason.endswith("it is another file or a part of one; x")
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
    other = Quarantine((Conventions(name="other"),), (Entry("other", "a", "0", "gradient", 1, note="r"),))
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
