"""Branches named by a pattern: stages, steps with leading zeros, several runs in one repository."""

import pytest

from gradcascade.errors import InputError
from gradcascade.sources.layouts.named_branches import branches_matching


def test_a_pattern_matches_whole_names():
    names = [
        "main",
        "stage1-step1000-tokens5B",
        "stage1-step500-tokens2.1B",
        "stage2-step10-tokens1B",
        "step150-tokens1B",
    ]
    pattern = "stage1-step{step}-tokens{tokens}B"
    assert branches_matching(pattern, names, "x/y") == {500: names[2], 1000: names[1]}
    assert branches_matching("step_{step}", ["step_00000477", "step_00000477_cooldown"], "x/y") == {
        477: "step_00000477"
    }
    assert branches_matching("v1.{step}", ["v1.7", "v1x7"], "x/y") == {7: "v1.7"}


@pytest.mark.parametrize(
    ("pattern", "names", "said"),
    [
        ("main", ["main"], "does not say where their step stands"),
        ("{step}-{step}", ["1-1"], "does not say where their step stands"),
        ("step{step}", ["main", "step-1"], "has no branch that step{step} matches, of 2"),
        ("step{step}", ["step1", "step01"], "has two branches for step 1, step1 and step01"),
    ],
)
def test_a_pattern_that_does_not_tell_the_steps_is_refused(pattern, names, said):
    with pytest.raises(InputError, match=said):
        branches_matching(pattern, names, "x/y")
