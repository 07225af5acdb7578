import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import gradcascade as gc
from gradcascade.fields.nulls import NULLS, undrawn

LAYOUT = [("embed", 500_000), ("layers.0.a", 1_000_000), ("layers.1.a", 700_000), ("layers.0.b", 800_000)]
FIELD = np.random.default_rng(3).standard_t(3, 3_000_000).astype(np.float32) * 1e-4 + 2e-5


@pytest.mark.parametrize("kind", NULLS)
def test_a_null_depends_on_seed_and_replicate_but_not_on_threads(kind):
    first = gc.null(kind, FIELD, seed=42, layout=LAYOUT, threads=1)
    assert first.shape == FIELD.shape and first.dtype == FIELD.dtype
    assert not np.array_equal(first, FIELD)
    assert np.array_equal(first, gc.null(kind, FIELD, seed=42, layout=LAYOUT, threads=3))
    fixed = kind in undrawn()
    assert np.array_equal(first, gc.null(kind, FIELD, seed=43, layout=LAYOUT)) == fixed
    assert np.array_equal(first, gc.null(kind, FIELD, seed=42, layout=LAYOUT, replicate=1)) == fixed


@pytest.mark.parametrize("kind", NULLS)
def test_a_null_leaves_the_field_as_it_was(kind):
    field = FIELD[:40_000].copy()
    field.flags.writeable = False
    gc.null(kind, field, seed=1, layout=[("a.0.w", 30_000), ("b", 10_000)])
    assert np.array_equal(field, FIELD[:40_000])


@pytest.mark.parametrize("kind", NULLS)
def test_a_seed_may_be_an_integer_of_numpy(kind):
    steps, layout = np.array([1000]), [("a.0.w", 600), ("a.1.w", 400)]
    drawn = gc.null(kind, FIELD[:1000], seed=42 + steps[0], layout=layout)
    assert np.array_equal(drawn, gc.null(kind, FIELD[:1000], seed=1042, layout=layout))


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
    with pytest.raises(
        gc.InputError, match="'N9' is unknown; choose one of N0, N1, N2, signs, in-tensor, in-block, clipped"
    ):
        gc.null("N9", FIELD, seed=1)


FIELDS = st.integers(3, 400).flatmap(
    lambda n: arrays(np.float64, n, elements=st.floats(-1e9, 1e9, allow_subnormal=False), unique=True)
)


@st.composite
def fields_and_layouts(draw):
    field = draw(FIELDS)
    cuts = sorted(draw(st.lists(st.integers(0, len(field)), max_size=6)))
    sizes = np.diff([0, *cuts, len(field)]).tolist()
    names = draw(
        st.lists(
            st.sampled_from(["embed", "layers.0.a", "layers.0.b.w", "layers.1.a", "norm", "layers.10.a"]),
            min_size=len(sizes),
            max_size=len(sizes),
        )
    )
    return field, list(zip(names, sizes, strict=True))


@given(FIELDS, st.integers(0, 2**40))
def test_drawn_signs_keep_every_magnitude_at_its_place_and_forget_the_signs_there_were(field, seed):
    drawn = gc.null("signs", field, seed)
    assert np.array_equal(np.abs(drawn), np.abs(field))
    assert np.array_equal(drawn, gc.null("signs", drawn, seed))
    assert np.array_equal(drawn, gc.null("signs", -field, seed))


def test_both_signs_are_equally_likely_wherever_an_entry_sits():
    positive = gc.null("signs", np.abs(FIELD), seed=5) > 0
    parts = positive.reshape(1000, 3000).mean(axis=1)
    assert abs(positive.mean() - 0.5) < 4 * 0.5 / np.sqrt(positive.size)
    assert parts.std(ddof=1) == pytest.approx(0.5 / np.sqrt(3000), rel=4 / np.sqrt(2 * 999))
    agree = positive[:-1] == positive[1:]
    assert abs(agree.mean() - 0.5) < 4 * 0.5 / np.sqrt(agree.size)


@given(fields_and_layouts(), st.integers(0, 2**40))
def test_each_tensor_keeps_its_own_values(both, seed):
    field, layout = both
    drawn = gc.null("in-tensor", field, seed, layout=layout)
    start = 0
    for _, size in layout:
        here = slice(start, start + size)
        assert np.array_equal(np.sort(drawn[here]), np.sort(field[here]))
        start += size


@given(fields_and_layouts(), st.integers(0, 2**40))
def test_each_block_keeps_its_own_values(both, seed):
    field, layout = both
    drawn = gc.null("in-block", field, seed, layout=layout)
    blocks: dict[object, list[int]] = {}
    start = 0
    for number, (name, size) in enumerate(layout):
        block = ".".join(name.split(".")[:2]) if "." in name else number
        blocks.setdefault(block, []).extend(range(start, start + size))
        start += size
    for places in blocks.values():
        assert np.array_equal(np.sort(drawn[places]), np.sort(field[places]))


def test_within_a_block_values_pass_from_one_tensor_to_another():
    layout = [("layers.0.a", 1000), ("layers.1.a", 1000), ("layers.0.b", 1000)]
    field = np.repeat([1.0, 2.0, 3.0], 1000) + np.arange(3000) * 1e-6
    drawn = np.floor(gc.null("in-block", field, 1, layout=layout))
    assert 400 < (drawn[:1000] == 3).sum() < 600 and (drawn[1000:2000] == 2).all()


def test_one_tensor_is_permuted_as_a_whole():
    field = FIELD[:100_000]
    drawn = gc.null("in-tensor", field, 1, layout=[("array", 100_000)])
    assert np.array_equal(np.sort(drawn), np.sort(field))
    assert abs(np.corrcoef(drawn, field)[0, 1]) < 5 / np.sqrt(100_000)


@given(FIELDS, st.floats(1.0001, 5), st.floats(0.05, 0.95))
def test_clipping_is_numpys(field, multiple, quantile):
    bound = multiple * np.quantile(np.abs(field), quantile)
    drawn = gc.null("clipped", field, 1, clip=multiple, quantile=quantile)
    assert np.allclose(drawn, np.clip(field, -bound, bound), rtol=1e-12, atol=0)
    untouched = np.abs(field) < bound * (1 - 1e-9)
    assert np.array_equal(drawn[untouched], field[untouched])


def test_clipping_keeps_the_threshold_and_spares_a_normal_field():
    clipped = gc.null("clipped", FIELD, 1)
    assert gc.Probe()(clipped).tau == gc.Probe()(FIELD).tau
    assert gc.Probe()(clipped).max_over_tau == pytest.approx(3, rel=1e-6)
    normal = gc.null("N0", 1_000_000, 1)
    assert np.count_nonzero(gc.null("clipped", normal, 1) != normal) < 10


@pytest.mark.parametrize("kind", ["in-tensor", "in-block"])
def test_permuting_within_needs_the_layout_of_the_field(kind):
    with pytest.raises(gc.InputError, match=f"null {kind} needs the layout of the field"):
        gc.null(kind, FIELD, 1)
    with pytest.raises(gc.InputError, match="tensors of 5 entries in all, but the field has 3,000,000"):
        gc.null(kind, FIELD, 1, layout=[("a", 2), ("b", 3)])


@pytest.mark.parametrize("clip", [1, -3, float("nan"), float("inf")])
def test_a_multiple_that_leaves_nothing_active_is_refused(clip):
    with pytest.raises(gc.InputError, match="clip must be a number above 1"):
        gc.null("clipped", FIELD, 1, clip=clip)


def test_the_nulls_of_a_field_are_pinned():
    """Results that are in studies already must stay what they were."""
    field = np.arange(1.0, 13.0)
    layout = [("a.0.w", 4), ("a.1.w", 4), ("a.0.v", 4)]
    found = {kind: gc.null(kind, field, 42, layout=layout).tolist() for kind in ("N2", "signs", "in-tensor")}
    assert found == {
        "N2": [7, 3, 2, 9, 10, 8, 5, 6, 11, 12, 1, 4],
        "signs": [-1, 2, -3, 4, -5, 6, -7, 8, 9, -10, -11, 12],
        "in-tensor": [3, 4, 2, 1, 7, 8, 5, 6, 10, 11, 12, 9],
    }


@pytest.mark.parametrize("kind", ["N1", "N2", "signs", "clipped"])
@pytest.mark.parametrize("entry", [np.nan, -np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_entries_that_are_not_finite_are_refused_as_the_probe_does(kind, entry, dtype):
    field = np.random.default_rng(0).standard_normal(1000).astype(dtype)
    field[[17, 400]] = entry
    with pytest.raises(gc.InputError, match=r"the field has 2 of 1,000 entries that .* at index 17"):
        gc.null(kind, field, 42)
    assert np.isfinite(gc.null("N0", field, 42)).all()


@pytest.mark.parametrize("seed", [-1, 2**64, 2**70])
def test_seeds_that_would_count_modulo_are_refused(seed):
    with pytest.raises(gc.InputError, match=rf"seed must be from 0 to 2\*\*64 - 1, got {seed}"):
        gc.null("N0", 1000, seed)
    with pytest.raises(gc.InputError, match=rf"graph_seed must be from 0 to 2\*\*64 - 1, got {seed}"):
        gc.Probe(graph_seed=seed)
    assert gc.null("N0", 1000, 2**64 - 1).size == 1000
