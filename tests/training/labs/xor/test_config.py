import pytest

from gradcascade.errors import InputError
from gradcascade.training.labs.xor.config import XorConfig


def test_the_defaults_are_the_published_settings():
    config = XorConfig()
    assert [training.n for training in config.trainings[::6][:8]] == [81, 121, 201, 281, 401, 481, 801, 2001]
    assert (config.epochs, len(config.recorded_epochs), config.runs, config.learning_rate) == (500, 51, 6, 0.5)
    settings = config.probe().settings()
    assert (settings["alpha"], settings["quantile"], settings["max_steps"]) == (0.3, 0.9, 20)
    assert len(config.graph_kinds) == 5
    assert {variant.mode for variant in config.variants} == {"published", "shadow"}


def test_every_variant_is_trained_with_every_width_and_seed():
    config = XorConfig((20, 30, 50), runs=2, seed=7, inits=("uniform", "xavier"), batches=(4, 1))
    assert len(config.variants) == 2 * 2 * 2 * 2
    assert len({(t.variant, t.width, t.seed) for t in config.trainings}) == len(config.trainings) == 16 * 3 * 2
    assert {training.seed for training in config.trainings} == {7, 8}


def test_a_graph_of_its_own_for_every_run_has_a_seed_of_its_own():
    assert {XorConfig().probe(seed=seed).graph_seed for seed in (0, 1)} == {42}
    assert {XorConfig(graph_per_run=True).probe(seed=seed).graph_seed for seed in (0, 1)} == {42, 43}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"widths": (30, 20)}, "ascending"),
        ({"widths": ()}, "widths"),
        ({"runs": 0}, "runs must be at least 1"),
        ({"learning_rate": float("inf")}, "learning_rate"),
        ({"modes": ("published", "published")}, "different ones of published, shadow"),
        ({"activations": ("gelu",)}, "tanh, relu, sigmoid"),
        ({"batches": (3,)}, "1, 2, 4"),
        ({"order": "random"}, "layers, reversed"),
        ({"graph_kinds": ("star",)}, "graph kind"),
        ({"alpha": 1.5}, "alpha"),
    ],
    ids=str,
)
def test_what_cannot_be_trained_is_refused(given, words):
    with pytest.raises(InputError, match=words):
        XorConfig(**given)
