from dataclasses import replace

import numpy as np
import pytest
from twins import dense_double

import gradcascade as gc
from gradcascade.training.labs.xor.config import Training, Variant, XorConfig
from gradcascade.training.labs.xor.network import Network
from gradcascade.training.labs.xor.run import draw_gaussian, train

CONFIG = XorConfig((20,), runs=1, epochs=6, record_every=3, graph_kinds=("barabasi-albert", "ring"))


def a_training(mode, batch=4, seed=0):
    return Training(Variant(mode, "tanh", "uniform", batch), 20, seed)


def obvious(mode, order="layers"):
    """Sizes at every epoch and the loss at the end, with the dense twin of the probe in double precision."""
    network = Network.drawn(20, "tanh", "uniform", np.random.default_rng([0, 20, 0]))
    graph = gc.load_graph(gc.GraphSpec("barabasi-albert", 81, 2, 42))
    sizes, loss, turn = [], np.nan, slice(None, None, -1 if order == "reversed" else 1)
    for _ in range(7):
        field = network.gradient(np.arange(4)).astype(np.float32).astype(np.float64)[turn]
        activity, relaxed = dense_double(field, graph, max_steps=20)
        sizes.append(int(activity.sum()))
        loss = network.loss()
        network.theta = network.theta - 0.5 * (relaxed if mode == "published" else field)[turn]
    return sizes, loss


@pytest.mark.parametrize("order", ["layers", "reversed"])
@pytest.mark.parametrize("mode", ["published", "shadow"])
def test_a_training_is_that_of_the_obvious_loop(mode, order):
    sizes, loss = obvious(mode, order)
    found = train(a_training(mode), replace(CONFIG, order=order))
    real = found.cascades.filter(variant="real", graph="barabasi-albert")
    assert real["size"].to_list() == sizes[::3]
    assert real["step"].to_list() == [0, 3, 6]
    assert found.series["step"].to_list() == list(range(7))
    assert found.series["loss"][-1] == pytest.approx(loss, rel=1e-9)
    assert found.cascades.group_by("variant", "graph").len().sort("variant", "graph").rows() == [
        ("N2", "barabasi-albert", 3), ("real", "barabasi-albert", 3), ("real", "ring", 3),
    ]  # fmt: skip


def test_both_modes_begin_alike_and_part_at_the_first_update():
    published, shadow = (train(a_training(mode), CONFIG).series for mode in ("published", "shadow"))
    assert published["loss"][0] == shadow["loss"][0]
    assert published["loss"][1] != shadow["loss"][1]


def test_equal_seeds_give_equal_tables_and_other_seeds_others():
    first, again, other = (train(a_training("published", 1, seed), CONFIG) for seed in (0, 0, 1))
    assert first.cascades.equals(again.cascades) and first.series.equals(again.series)
    assert not first.cascades["tau"].equals(other.cascades["tau"])


def test_an_epoch_of_several_steps_has_a_cascade_for_each():
    found = train(a_training("shadow", 1), CONFIG).cascades.filter(variant="real", graph="ring", step=6)
    assert found["replicate"].to_list() == [0, 1, 2, 3]


def test_gaussian_fields_are_other_draws_for_every_epoch_run_and_width():
    tables = [draw_gaussian(width, seed, CONFIG) for width in (20, 30) for seed in (0, 1)]
    taus = [tau for table in tables for tau in table.filter(graph="ring")["tau"]]
    assert len(set(taus)) == len(taus) == 4 * 3
    assert tables[0]["tau"].to_list() == draw_gaussian(20, 0, CONFIG)["tau"].to_list()
