"""A part of the campaign of benchmarks/mutations.py: no damage of a good checkpoint is measured without a word."""

import pytest

pytest.importorskip("transformers")

pytestmark = [pytest.mark.alone, pytest.mark.filterwarnings("ignore")]


def test_no_mutant_is_measured_wrong_without_a_word():
    from mutations import HARMLESS, LAYOUTS, OUTCOMES, REFUSED, SAID, WRONG, campaign

    results = list(campaign(range(0, 17 * 60, 17), seed=0))  # all mutations, and all layouts
    assert len(results) == 60 and {result.layout for result in results} == set(LAYOUTS)
    assert [result for result in results if result.outcome == WRONG] == []
    counts = {outcome: sum(result.outcome == outcome for result in results) for outcome in OUTCOMES}
    assert counts[REFUSED] > 15 and counts[SAID] > 10 and counts[HARMLESS] > 1
    assert all(result.words for result in results if result.outcome in (REFUSED, SAID))
