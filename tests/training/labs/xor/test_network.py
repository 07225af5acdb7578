import numpy as np
import pytest

from gradcascade.training.labs.xor.network import INPUTS, TARGETS, Network

WIDTH = 5


def network(activation, init="uniform"):
    return Network.drawn(WIDTH, activation, init, np.random.default_rng(1))


def obvious_loss(theta, activation, which):
    """The loss as one would write it down first, pattern by pattern and unit by unit."""
    act = {"tanh": np.tanh, "relu": lambda z: max(z, 0.0), "sigmoid": lambda z: 1 / (1 + np.exp(-z))}[activation]
    weights, biases = theta[: 2 * WIDTH].reshape(WIDTH, 2), theta[2 * WIDTH : 3 * WIDTH]
    total = 0.0
    for pattern in which:
        z = theta[-1]
        for unit in range(WIDTH):
            z += theta[3 * WIDTH + unit] * act(weights[unit] @ INPUTS[pattern] + biases[unit])
        p = 1 / (1 + np.exp(-z))
        total -= np.log(p if TARGETS[pattern] else 1 - p)
    return total / len(which)


@pytest.mark.parametrize("which", [[0, 1, 2, 3], [2], [0, 3]], ids=str)
@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
def test_the_gradient_is_that_of_the_loss(activation, which):
    found = network(activation)
    numeric = []
    for entry in range(found.theta.size):
        ends = []
        for sign in (1, -1):
            moved = found.theta.copy()
            moved[entry] += sign * 1e-6
            ends.append(obvious_loss(moved, activation, which))
        numeric.append((ends[0] - ends[1]) / 2e-6)
    np.testing.assert_allclose(found.gradient(np.array(which)), numeric, atol=1e-9)
    assert found.loss() == pytest.approx(obvious_loss(found.theta, activation, range(4)), rel=1e-12)


def test_how_the_parameters_are_drawn():
    many = {
        init: Network.drawn(2000, "tanh", init, np.random.default_rng(0)).theta
        for init in ("uniform", "xavier", "normal")
    }
    parts = {"hidden": slice(0, 4000), "bias": slice(4000, 6000), "out": slice(6000, 8000)}
    spread = {init: {name: theta[part].std() for name, part in parts.items()} for init, theta in many.items()}
    root = np.sqrt(3)  # of the variance of a uniform number in (-1, 1)
    assert spread["uniform"] == pytest.approx(
        {"hidden": 1 / np.sqrt(2) / root, "bias": 1 / np.sqrt(2) / root, "out": 1 / np.sqrt(2000) / root}, rel=0.05
    )
    assert spread["xavier"] == pytest.approx(
        {"hidden": np.sqrt(6 / 2002) / root, "bias": 0, "out": np.sqrt(6 / 2001) / root}, rel=0.05
    )
    assert spread["normal"] == pytest.approx(
        {"hidden": 1 / np.sqrt(2), "bias": 0, "out": 1 / np.sqrt(2000)}, rel=0.05
    )
    assert np.abs(many["uniform"][:6000]).max() <= 1 / np.sqrt(2)


def test_accuracy_and_concentration():
    solved = Network(
        2, "relu", np.array([1, 1, 1, 1, 0, -1, 1, -2, -0.5], float)
    )  # max(a + b, 0) - 2 max(a + b - 1, 0)
    assert solved.outputs().tolist() == [-0.5, 0.5, 0.5, -0.5]
    assert solved.accuracy() == 1.0
    assert Network(2, "relu", np.zeros(9)).accuracy() == 0.5
    assert Network(2, "relu", np.zeros(9)).concentration() == 0
    assert Network(2, "relu", np.full(9, -3.0)).concentration() == pytest.approx(0)
    one = np.zeros(9)
    one[4] = 2
    assert Network(2, "relu", one).concentration() == pytest.approx(8 / 9)
    values = np.abs(network("tanh").theta)
    pairs = np.abs(values[:, None] - values).sum() / (2 * values.size**2 * values.mean())
    assert network("tanh").concentration() == pytest.approx(pairs)
