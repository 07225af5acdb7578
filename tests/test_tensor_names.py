import pytest

from gradcascade.tensor_names import plain_names, without_wrappers


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("layers.0.w", "layers.0.w"),
        ("_forward_module.module.layers.0.w", "layers.0.w"),
        ("module._orig_mod.layers.0.w", "layers.0.w"),
        ("layers.0._checkpoint_wrapped_module.w", "layers.0.w"),
        ("layers.0._orig_mod._fsdp_wrapped_module.w", "layers.0.w"),
        ("encoder.module.w", "encoder.module.w"),  # a module that its author called so
        ("module", "module"),
        ("_orig_mod", "_orig_mod"),
    ],
)
def test_wrappers_fall_and_names_stay(name, plain):
    assert without_wrappers(name) == plain
    assert without_wrappers(plain) == plain


def test_names_stay_as_they_are_where_two_would_become_one():
    assert plain_names(["module.w", "w"]) == {"module.w": "module.w", "w": "w"}
