import pytest

from gradcascade.errors import InputError
from gradcascade.fields.tensor_sizes import block_ranges, tensor_ranges

PICO = [("layers.0.v", 2), ("layers.0.o", 3), ("layers.1.v", 2), ("layers.1.o", 3)]


def test_a_tensor_is_one_range():
    assert tensor_ranges(PICO, 10) == [[(0, 2)], [(2, 5)], [(5, 7)], [(7, 10)]]
    assert tensor_ranges([("a", 0), ("b", 4)], 4) == [[(0, 4)]]


def test_a_block_joins_the_tensors_whose_names_begin_alike_up_to_the_number():
    assert block_ranges(PICO, 10) == [[(0, 5)], [(5, 10)]]
    assert block_ranges([PICO[0], PICO[2], PICO[1], PICO[3]], 10) == [[(0, 2), (4, 7)], [(2, 4), (7, 10)]]


@pytest.mark.parametrize(
    ("names", "blocks"),
    [
        (["gpt_neox.layers.3.attention.dense.bias", "gpt_neox.layers.3.mlp.dense_4h_to_h.weight"], 1),
        (["layers.1.a", "layers.11.a"], 2),
        (["encoder.block.0.a", "decoder.block.0.a"], 2),
        (["h.0.experts.1.w", "h.0.experts.2.w"], 1),
        (["0.weight", "0.bias", "2.weight"], 2),
        (["embed", "embed"], 2),
        (["swiglu.w_2", "swiglu.w_1"], 2),
    ],
)
def test_blocks_of_names(names, blocks):
    assert len(block_ranges([(name, 5) for name in names], 5 * len(names))) == blocks


def test_a_layout_of_another_field_is_refused():
    with pytest.raises(InputError, match="tensors of 10 entries in all, but the field has 11"):
        tensor_ranges(PICO, 11)
