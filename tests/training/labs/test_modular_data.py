import numpy as np
import pytest

from gradcascade.training.labs.modular_data import modular_pairs


@pytest.mark.parametrize(("prime", "share", "count"), [(59, 0.8, 2785), (7, 0.5, 24), (59, 0.2, 696)])
def test_every_pair_is_there_once_with_its_sum(prime, share, count):
    parts = modular_pairs(prime, share, seed=3)
    assert [len(part.answers) for part in parts] == [count, prime * prime - count]
    numbers = np.concatenate([part.numbers for part in parts])
    assert sorted(map(tuple, numbers.tolist())) == [(a, b) for a in range(prime) for b in range(prime)]
    for part in parts:
        assert [(a + b) % prime for a, b in part.numbers.tolist()] == part.answers.tolist()


def test_seeds_draw_other_pairs_and_one_seed_the_same():
    one, same, other = (modular_pairs(11, 0.5, seed)[0].numbers for seed in (0, 0, 1))
    assert np.array_equal(one, same) and not np.array_equal(one, other)


def test_random_answers_keep_the_pairs_and_know_nothing_of_the_sum():
    for seed in range(3):
        for real, drawn in zip(
            modular_pairs(59, 0.8, seed), modular_pairs(59, 0.8, seed, random_answers=True), strict=True
        ):
            assert np.array_equal(real.numbers, drawn.numbers)
            assert set(drawn.answers) <= set(range(59))
            hits, expected = (real.answers == drawn.answers).sum(), len(drawn.answers) / 59
            assert abs(hits - expected) < 5 * np.sqrt(expected)
