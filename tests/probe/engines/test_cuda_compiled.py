"""What the kernels become for a GPU: Triton compiles them to PTX and machine code without one."""

import re

import pytest

triton = pytest.importorskip("triton", reason="Triton exists for Linux only")

from triton.backends.compiler import GPUTarget  # noqa: E402  # pyright: ignore[reportMissingImports]
from triton.compiler import ASTSource  # noqa: E402  # pyright: ignore[reportMissingImports]

from gradcascade.probe.engines.cuda import counting, kernels  # noqa: E402

HOPPER = GPUTarget("cuda", 90, 32)

TYPES = {
    "units": "*i64", "offsets": "*i32", "neighbours": "*i32", "candidates": "*i32", "lifted": "*i64",
    "marks": "*i32", "nodes": "*i32", "shifts": "*i64", "shares": "*i64", "ends": "*i64", "first": "*i32",
    "tally": "*i64", "alpha": "*fp64", "threshold": "i64", "count": "i32", "total": "i64", "found": "*i64",
    "n": "i32", "words": "*i32", "counts": "*i32", "prefix": "i64", "magnitude": "i64", "field": "*fp32",
    "powers": "*fp64",
}  # fmt: skip


def ptx(kernel, **constants):
    types = {name: TYPES.get(name, "constexpr") for name in kernel.arg_names}
    source = ASTSource(kernel, types, constants)
    compiled = triton.compile(source, target=HOPPER, options={"enable_fp_fusion": False})
    assert compiled.asm["cubin"]
    return compiled.asm["ptx"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))


@pytest.mark.parametrize("everyone", [True, False])
@pytest.mark.parametrize("narrow", [True, False])
def test_a_share_is_one_quotient_and_one_product_each_rounded_to_nearest(everyone, narrow):
    code = ptx(kernels.settle, ALL=everyone, NARROW=narrow, BLOCK=1024, SPAN=512)
    quotients, products = re.findall(r"\bdiv\.\S+", code), re.findall(r"\bmul\S*\.f64", code)
    assert set(quotients) == {"div.rn.f64"} and set(products) == {"mul.rn.f64"}
    assert len(quotients) == len(products)
    assert "cvt.rzi.s64.f64" in code and "fma" not in code
    assert ("atom.global.gpu.relaxed.or.b32" in code) != everyone


def test_units_are_cut_without_flushing_subnormal_entries():
    code = ptx(counting._cut, BLOCK=2048)
    assert (
        "cvt.f64.f32" in code
        and "cvt.rzi.s64.f64" in code
        and set(re.findall(r"\bmul\S*\.f64", code)) == {"mul.rn.f64"}
    )
    assert "ftz" not in code and "fma" not in code


def test_shares_are_added_by_atomics_of_64_bits():
    code = ptx(kernels.distribute, SPAN=512)
    assert "atom.global.gpu.relaxed.add.u64" in code


@pytest.mark.parametrize(
    ("kernel", "constants"),
    [
        (kernels.count_active, {}),
        (counting._count_leading, {"WIDTH": 32, "COPIES": 32}),
        (counting._count_following, {"WIDTH": 32, "COPIES": 32, "SHIFT": 0}),
        (counting._least_above, {"WIDTH": 32}),
    ],
    ids=["count-active", "count-leading", "count-following", "least-above"],
)
def test_every_other_kernel_compiles(kernel, constants):
    assert re.search(r"(atom|red)\.global\.gpu\.relaxed\.(add|min)", ptx(kernel, **constants, BLOCK=2048))
