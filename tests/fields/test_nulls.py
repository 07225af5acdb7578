import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gradcascade as gc
from gradcascade.fields.nulls import KINDS, permute
from gradcascade.probe.hashing import stream_key

FIELD = np.random.default_rng(3).standard_t(3, 3_000_000).astype(np.float32) * 1e-4 + 2e-5


@pytest.mark.parametrize("kind", KINDS)
def test_a_null_depends_on_seed_and_replicate_but_not_on_threads(kind):
    first = gc.null(kind, FIELD, seed=42, threads=1)
    assert np.array_equal(first, gc.null(kind, FIELD, seed=42, threads=3))
    assert not np.array_equal(first, gc.null(kind, FIELD, seed=43))
    assert not np.array_equal(first, gc.null(kind, FIELD, seed=42, replicate=1))


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_may_be_an_integer_of_numpy(kind):
    steps = np.array([1000])
    assert np.array_equal(gc.null(kind, FIELD[:1000], seed=42 + steps[0]), gc.null(kind, FIELD[:1000], seed=1042))


def test_n0_is_standard_normal_and_needs_only_the_number_of_entries():
    drawn = gc.null("N0", FIELD, seed=1)
    assert drawn.dtype == np.float32
    assert np.array_equal(drawn, gc.null("N0", len(FIELD), seed=1))
    assert abs(drawn.mean(dtype=float)) < 4 / np.sqrt(len(drawn))
    assert drawn.std(dtype=float) == pytest.approx(1, abs=4 / np.sqrt(2 * len(drawn)))
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 4 / np.sqrt(len(drawn))


def test_n1_has_the_fields_mean_and_variance_and_other_numbers_than_n0():
    drawn = gc.null("N1", FIELD, seed=1)
    error = FIELD.std(dtype=float) / np.sqrt(len(FIELD))
    assert drawn.mean(dtype=float) == pytest.approx(FIELD.mean(dtype=float), abs=4 * error)
    assert drawn.std(dtype=float) == pytest.approx(FIELD.std(dtype=float), rel=4 / np.sqrt(2 * len(FIELD)))
    assert abs(np.corrcoef(drawn, gc.null("N0", FIELD, seed=1))[0, 1]) < 4 / np.sqrt(len(drawn))


def test_n1_takes_either_standard_deviation():
    field = np.array([0.0, 1.0, 5.0])
    population, sample = (gc.null("N1", field, seed=1, deviation=name) for name in ("population", "sample"))
    ratio = (sample - 2) / (population - 2)
    assert ratio == pytest.approx(np.full(3, np.sqrt(3 / 2)))


@pytest.mark.parametrize("n", [3, 1000, 100_000])
def test_n2_holds_the_same_values_in_another_order(n):
    drawn = gc.null("N2", FIELD[:n], seed=1)
    assert np.array_equal(np.sort(drawn), np.sort(FIELD[:n]))
    assert drawn.dtype == FIELD.dtype
    if n > 3:
        assert abs(np.corrcoef(drawn, FIELD[:n])[0, 1]) < 5 / np.sqrt(n)


def test_every_order_is_equally_likely():
    orders = [tuple(permute(np.arange(4.0), stream_key(1, seed))) for seed in range(12_000)]
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 24
    assert ((counts - 500) ** 2 / 500).sum() < 58  # chi-square, 23 degrees of freedom, p = 1e-4


def test_an_entry_goes_anywhere_across_the_buckets():
    n, draws = 200_000, 400
    label = np.zeros(n)
    label[:1000] = 1
    counts = np.zeros(20)
    for seed in range(draws):
        places = np.flatnonzero(permute(label, stream_key(2, seed)))
        counts += np.bincount(places * 20 // n, minlength=20)
    expected = 1000 * draws / 20
    assert ((counts - expected) ** 2 / expected).sum() < 51  # chi-square, 19 degrees of freedom, p = 1e-4


@given(st.integers(1, 300), st.integers(0, 2**32))
def test_permuting_loses_and_doubles_nothing(n, seed):
    assert sorted(permute(np.arange(float(n)), stream_key(seed), threads=2)) == list(range(n))


@pytest.mark.parametrize("factor", [2.0**-660, 2.0**660])
def test_n1_of_tiny_and_huge_fields_is_n1_scaled(factor):
    field = FIELD[:10_000].astype(np.float64)
    assert np.allclose(
        gc.null("N1", field * factor, seed=1) / factor, gc.null("N1", field, seed=1), rtol=1e-12, atol=0
    )


@pytest.mark.parametrize("arguments", [("N0", -5, 1), ("N0", 2, 1)])
def test_a_null_needs_entries(arguments):
    with pytest.raises(gc.InputError, match="at least 3 entries"):
        gc.null(*arguments)


def test_an_unknown_standard_deviation_is_refused():
    with pytest.raises(gc.InputError, match="population or sample, got 'wrong'"):
        gc.null("N1", FIELD, 1, deviation="wrong")  # pyright: ignore[reportArgumentType]


def test_an_unknown_null_is_refused():
    with pytest.raises(gc.InputError, match="'N9' is unknown; choose one of N0, N1, N2"):
        gc.null("N9", FIELD, seed=1)
