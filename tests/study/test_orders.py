import dataclasses

import numpy as np
import pytest
from safetensors.numpy import save_file
from sample_runs import write_pico_run

import gradcascade as gc
from gradcascade.sources.base import SnapshotRef
from gradcascade.sources.folder import discover
from gradcascade.study.orders import (
    MAX_RANDOM,
    USUAL,
    every_order,
    in_order,
    names_in_order,
    order_mark,
    parse_orders,
    rearranged,
)
from gradcascade.tensor_names import ORDERS, canonical_order

STEPS = (0, 10, 20)


def names_of(snapshot: SnapshotRef, order: str) -> list[str]:
    names = names_in_order(snapshot, order)
    assert names is not None
    return names


def values_of(snapshot: SnapshotRef, order: str) -> np.ndarray:
    return in_order(snapshot, snapshot.load(), order)


@pytest.fixture(scope="module")
def pico(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pico")
    for width in (6, 12):
        write_pico_run(folder / f"tiny-d{width}", STEPS, width, blocks=2)
    return folder


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Steps whose files hold the tensors in an order of their own, which is neither canonical nor grouped."""
    folder = tmp_path_factory.mktemp("mixed")
    rng = np.random.default_rng(0)
    names = ["layers.10.w", "head", "layers.2.w", "layers.2.v", "embed", "layers.10.v"]
    for step in STEPS:
        place = folder / "run" / f"step_{step}"
        place.mkdir(parents=True)
        tensors = {name: rng.standard_normal((5 + k, 3)).astype(np.float32) for k, name in enumerate(names)}
        save_file(tensors, place / "model.safetensors")
    return folder


@pytest.mark.parametrize("order", ["file", "sorted", "canonical", "grouped"])
@pytest.mark.parametrize("planned", ["file", "canonical"])
@pytest.mark.parametrize("family", ["pico", "mixed"])
def test_blocks_exchanged_are_the_field_read_in_that_order(request, family, planned, order):
    folder = request.getfixturevalue(family)
    fields = ("gradient", "update") if family == "pico" else ("update",)
    slow = {ref.name: ref for ref in discover(folder, fields=fields, order=order).snapshots()}
    found = discover(folder, fields=fields, order=planned).snapshots()
    assert len(found) == len(slow) > 0
    for snapshot in found:
        expected, values = slow[snapshot.name].load(), values_of(snapshot, order)
        np.testing.assert_array_equal(values, expected)
        assert gc.Probe()(values).activity.tolist() == gc.Probe()(expected).activity.tolist()


def test_reversed_is_the_canonical_order_backwards(pico):
    snapshot = discover(pico, order="file").snapshots()[0]
    names = names_of(snapshot, "canonical")
    assert names == canonical_order(names) and names_of(snapshot, "reversed") == names[::-1]
    sizes: dict[str, int] = dict(snapshot.layout() or [("", 0)])
    ends = np.cumsum([sizes[name] for name in names])[:-1]
    parts = dict(zip(names, np.split(values_of(snapshot, "canonical"), ends), strict=True))
    np.testing.assert_array_equal(
        values_of(snapshot, "reversed"), np.concatenate([parts[name] for name in reversed(names)])
    )


def test_a_random_order_is_one_for_all_steps_scales_and_planned_orders(pico):
    orders = {
        tuple(names_of(snapshot, "random 1"))
        for planned in ("file", "canonical")
        for snapshot in discover(pico, order=planned, fields=("gradient",)).snapshots()
    }
    assert len(orders) == 1
    snapshot = discover(pico).snapshots()[0]
    others = {tuple(names_of(snapshot, f"random {number}")) for number in range(1, 21)}
    assert len(others) > 15 and {tuple(sorted(names)) for names in others} == {tuple(sorted(*orders))}


def test_random_orders_put_every_tensor_everywhere_alike():
    snapshot = SnapshotRef("f", "s", 1, "update", (), "", "", Named([(f"layers.{k}.w", 2) for k in range(4)]))
    count = np.zeros((4, 4))
    for number in range(2000):
        for place, name in enumerate(names_of(snapshot, f"random {number}")):
            count[place, int(name.split(".")[1])] += 1
    assert ((count - 500) ** 2 / 500).sum() < 27.9  # chi squared of 9 degrees, p = 0.001


@dataclasses.dataclass(frozen=True)
class Named:
    """A reader whose tensors are known, or not, and have no other order."""

    sizes: list | None

    def __call__(self):
        return np.arange(sum(size for _, size in self.sizes or ()), dtype=np.float32)

    def describe(self):
        from gradcascade.sources.base import Description

        return None if self.sizes is None else Description(tuple((name, (size,)) for name, size in self.sizes))


def test_tensors_that_are_not_known_have_no_other_order():
    snapshot = SnapshotRef("f", "s", 1, "update", (), "", "", Named(None))
    assert names_in_order(snapshot, "reversed") is None
    with pytest.raises(gc.InputError, match="not known, so it has no other order"):
        in_order(snapshot, np.zeros(6, np.float32), "reversed")
    named = dataclasses.replace(snapshot, reader=Named([("a", 2), ("b", 3)]))
    assert names_in_order(named, "file") is None  # the source knows one order only
    np.testing.assert_array_equal(in_order(named, named.load(), "reversed"), [2, 3, 4, 0, 1])


@pytest.mark.parametrize(
    ("layout", "names"),
    [
        ([("a", 2), ("b", 3)], ["a", "c"]),
        ([("a", 2), ("b", 3)], ["a"]),
        ([("a", 2), ("b", 2)], ["a", "b"]),
        ([("a", 2), ("a", 3)], ["a", "a"]),
    ],
)
def test_tensors_that_are_not_those_of_the_field_are_refused(layout, names):
    with pytest.raises(gc.InputError, match="not those of the field"):
        rearranged(np.arange(5.0), layout, names)


def test_orders_by_name():
    assert parse_orders(["file", " reversed", "random:2", "file", ""]) == ("file", "reversed", "random 1", "random 2")
    assert parse_orders(["random"]) == ("random 1",) and parse_orders([]) == ()
    assert set(every_order()) >= {*ORDERS, "reversed", "random 1", f"random {MAX_RANDOM}"}
    for wrong in ("random:0", "random:65"):
        with pytest.raises(gc.InputError, match="give 1 to 64 random orders"):
            parse_orders([wrong])
    with pytest.raises(gc.InputError, match="there is no tensor order 'backwards'; choose from canonical, file"):
        parse_orders(["backwards"])


def test_an_arrangement_has_a_mark_of_its_own():
    assert order_mark(["a", "b"]) != order_mark(["b", "a"]) and 0 <= order_mark(["a"]) < 2**56


def test_the_command_asks_for_the_usual_orders():
    from gradcascade.cli import robustness

    assert robustness._ORDERS == USUAL
