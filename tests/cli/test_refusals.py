import pytest

from gradcascade.cli.refusals import SHOWN, said


@pytest.mark.parametrize(
    ("snapshots", "others", "words"),
    [
        (["d12, step 7: gone"], [], "1 snapshot could not be measured: d12, step 7: gone"),
        ([], ["d12: lost"], "1 evaluation or configuration file could not be read: d12: lost"),
        (["a", "b"], [], "2 snapshots could not be measured:\n  a\n  b"),
        (
            ["a"],
            ["b", "c"],
            "1 snapshot could not be measured and 2 evaluation or configuration files could not be read:"
            "\n  a\n  b\n  c",
        ),
    ],
)
def test_what_was_refused_is_counted_by_its_kind(snapshots, others, words):
    assert said(snapshots, others) == words


def test_many_are_not_all_listed():
    lines = said([f"s{i}" for i in range(SHOWN + 17)]).splitlines()
    assert len(lines) == SHOWN + 2
    assert lines[-1] == "  ... and 17 more; --json lists all of them"
