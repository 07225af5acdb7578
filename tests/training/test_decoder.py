import math

import pytest
import torch

from gradcascade.errors import InputError
from gradcascade.live.recorder import PICO_PATTERNS, Recorder
from gradcascade.training.decoder import Attention, Decoder, DecoderShape, rotary_angles, rotate


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(1)


@pytest.mark.parametrize(("width", "n"), [(24, 36_864), (48, 147_456), (96, 589_824), (192, 2_359_296)])
def test_recorded_tensors_have_64_d_squared_entries(width, n, tmp_path):
    with torch.device("meta"):
        model = Decoder(DecoderShape(width, 8))
    parameters = dict(model.named_parameters())
    names = Recorder(tmp_path, model, PICO_PATTERNS).names
    assert len(names) == 36
    assert sum(parameters[name].numel() for name in names) == n == 64 * width**2
    assert model.shape.recorded_entries == n
    assert sum(p.numel() for p in parameters.values()) == model.shape.parameters


def test_recorded_tensors_have_picos_names_shapes_and_order(tmp_path):
    model = Decoder(DecoderShape(24, 8))
    parameters = dict(model.named_parameters())
    recorded = [(name, tuple(parameters[name].shape)) for name in Recorder(tmp_path, model, PICO_PATTERNS).names]
    assert recorded == [
        (f"layers.{block}.{name}.weight", shape)
        for block in range(12)
        for name, shape in (("attention.v_proj", (8, 24)), ("attention.o_proj", (24, 24)), ("swiglu.w_2", (24, 96)))
    ]
    assert not any(name.endswith("bias") for name in parameters)


@pytest.mark.parametrize("width", [0, -24, 12, 36, 100])
def test_a_width_without_even_heads_is_refused(width):
    with pytest.raises(InputError, match=f"width {width} .*multiple of 24"):
        DecoderShape(width, 8)


def test_a_context_of_one_is_refused():
    with pytest.raises(InputError, match="context of 1 "):
        DecoderShape(24, 1)


def test_the_future_does_not_reach_the_past():
    model = Decoder(DecoderShape(24, 16))
    tokens = torch.randint(0, 256, (1, 16))
    changed = tokens.clone()
    changed[0, 9] = (tokens[0, 9] + 1) % 256
    before, after = model(tokens)[0], model(changed)[0]
    torch.testing.assert_close(before[:9], after[:9])
    assert not torch.allclose(before[9:], after[9:])


def test_rotation_is_the_complex_one_and_sees_only_distance():
    cosines, sines = rotary_angles(32, 8)
    x = torch.randn(1, 1, 32, 8)
    turned = torch.view_as_complex(x.reshape(1, 1, 32, 4, 2)) * torch.complex(cosines, sines)
    torch.testing.assert_close(rotate(x, cosines, sines), torch.view_as_real(turned).flatten(-2))
    constant = rotate(torch.randn(8).expand(1, 1, 32, 8), cosines, sines)[0, 0]
    products = constant @ constant.T
    for distance in (0, 1, 7):
        diagonal = products.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[0].expand_as(diagonal), rtol=1e-4, atol=1e-4)


def test_attention_agrees_with_an_obvious_one():
    """Head by head, query by query; three query heads share one head of keys and values."""
    attention = Attention(DecoderShape(48, 10)).double()
    cosines, sines = (part.double() for part in rotary_angles(10, 4))
    x = torch.randn(2, 10, 48, dtype=torch.float64)
    result = torch.zeros(2, 10, 48, dtype=torch.float64)
    for b in range(2):
        for head in range(12):
            q = rotate((x[b] @ attention.q_proj.weight.T)[:, 4 * head : 4 * head + 4], cosines, sines)
            shared = head // 3
            k = rotate((x[b] @ attention.k_proj.weight.T)[:, 4 * shared : 4 * shared + 4], cosines, sines)
            v = (x[b] @ attention.v_proj.weight.T)[:, 4 * shared : 4 * shared + 4]
            for t in range(10):
                weights = torch.softmax(k[: t + 1] @ q[t] / 2.0, 0)
                result[b, t, 4 * head : 4 * head + 4] = weights @ v[: t + 1]
    torch.testing.assert_close(attention(x, cosines, sines), result @ attention.o_proj.weight.T)


def test_untrained_loss_is_that_of_the_initialisation():
    """Logits start with variance about 1/3, so the loss is about log 256 + 1/6."""
    model = Decoder(DecoderShape(96, 32))
    loss = model.loss(torch.randint(0, 256, (16, 33))).item()
    assert loss == pytest.approx(math.log(256) + 1 / 6, abs=0.1)


def test_loss_predicts_each_byte_from_those_before():
    model = Decoder(DecoderShape(24, 8))
    windows = torch.randint(0, 256, (2, 9))
    log_p = model(windows[:, :8]).log_softmax(-1)
    expected = -sum(log_p[b, t, windows[b, t + 1]] for b in range(2) for t in range(8)) / 16
    torch.testing.assert_close(model.loss(windows), expected)
