import re
from pathlib import Path

import polars as pl
import pytest
import yaml

import gradcascade as gc
from gradcascade.export.citations import GRADCASCADE, PROBE, TRANSPORT, bibtex, places, references
from gradcascade.study.plan import FamilyPlan
from gradcascade.study.presets import presets

ALWAYS = {"wang2026transport", "wang2026xor", "wang2026modular", "gradcascade"}
FAMILIES = {
    "own": ({"nano": ""}, set()),
    "nothing": ({}, set()),
    "on-disk": ({"pythia": "", "pico-lm": ""}, {"biderman2023pythia", "diehlmartinez2025pico"}),
    "own-in-pico-layout": ({"mine": "me/decoder-tiny"}, set()),
    "pico": ({"x": "pico-lm/pico-decoder-tiny"}, {"diehlmartinez2025pico"}),
    "pythia-deduped": ({"x": "EleutherAI/pythia-70m-deduped"}, {"biderman2023pythia"}),
    "pythia-seed": ({"x": "EleutherAI/pythia-70m-seed3"}, {"biderman2023pythia", "vanderwal2025polypythias"}),
    "seed-on-disk": ({"pythia-seed4": ""}, {"biderman2023pythia", "vanderwal2025polypythias"}),
    "own-named-like-one-but-fetched": ({"pythia": "me/other"}, set()),
}


@pytest.mark.parametrize("case", FAMILIES)
def test_what_was_used_is_cited_and_nothing_else(case):
    families, expected = FAMILIES[case]
    assert {reference.key for reference in references(families)} == ALWAYS | expected


def test_the_published_families_are_known_by_their_plans():
    plans = presets()
    plan = gc.Plan(families=(plans["pico-lm"], plans["pythia"], FamilyPlan(name="own", path=".")))
    measured = pl.DataFrame({"family": ["pythia", "own", "own"]})
    found = places(measured, plan)
    assert list(found) == ["pythia", "own"] and found["own"] == ""
    keys = {reference.key for reference in references(found)}
    assert keys == ALWAYS | {"biderman2023pythia", "vanderwal2025polypythias"}


def entries(text):
    """A small reader of BibTeX: key to fields, braces balanced."""
    found = {}
    for kind, key, body in re.findall(r"^@(\w+)\{([\w]+),\n(.*?)\n\}$", text, re.MULTILINE | re.DOTALL):
        assert kind == "misc"
        fields = dict(re.findall(r"^  (\w+) = \{(.*)\},$", body, re.MULTILINE))
        assert len(fields) == len(body.splitlines())
        assert all(value.count("{") == value.count("}") for value in fields.values())
        found[key] = fields
    return found


def test_bibtex_holds_every_entry_whole():
    families = FAMILIES["on-disk"][0] | FAMILIES["seed-on-disk"][0]
    text = bibtex(families)
    assert text.isascii()
    found = entries(text)
    assert list(found) == [reference.key for reference in references(families)]
    assert found["wang2026transport"]["eprint"] == "2605.02968"
    assert found["wang2026transport"]["author"] == "Wang, P. and Du, Y.-Q."
    assert found["gradcascade"]["note"] == f"Version {gc.__version__}"
    assert all(
        "arxiv.org/abs/" + fields["eprint"] in fields["url"] for fields in found.values() if "eprint" in fields
    )


def test_the_repository_cites_the_same():
    cited = yaml.safe_load((Path(__file__).parents[2] / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["version"] == gc.__version__
    assert cited["title"] == GRADCASCADE.title
    assert {part["name"] for part in cited["authors"]} == {GRADCASCADE.authors[0].strip("{}")}
    for reference, entry in zip((TRANSPORT, *PROBE), cited["references"], strict=True):
        assert entry["url"] == f"https://arxiv.org/abs/{reference.arxiv}"
        assert entry["identifiers"] == [{"type": "other", "value": f"arXiv:{reference.arxiv}"}]
        authors = [f"{author['family-names']}, {author['given-names']}" for author in entry["authors"]]
        assert tuple(authors) == reference.authors
        assert reference.title in ("", entry["title"])
