"""Which tensors of a checkpoint are parameters: decided by evidence, complete or refused.

The evidence, strongest first: patterns of the user; the manifest of a recorder; the names in the run's gradients; a
config that names an architecture whose buffers are known; failing all, every floating-point tensor that is no known
buffer, which is then said. A file of which a part is missing, empty, quantised or of an unknown type is refused: what
is left of it would pass for the model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gradcascade.errors import InputError
from gradcascade.sources.stored import FLOATS, MAX_HEADER, StoredTensor, shown

PATTERNS, MANIFEST, GRADIENTS, CONFIG, FLOATING = "patterns", "manifest", "gradients", "config", "floating"
"""The evidence that decided, strongest first."""

RULE_WORDS = {
    PATTERNS: "the tensors that the patterns name",
    MANIFEST: "the tensors that the run's manifest names",
    GRADIENTS: "the tensors that the run's gradients have",
    CONFIG: "the parameters of the architecture that config.json names",
    FLOATING: "all floating-point tensors; no config names the architecture",
    "pico": "Pico's tensors, v_proj, o_proj and swiglu.w_2 of every block",
}
"""The evidence in words."""

# Kept with the weights and never trained. Names: transformers, nanoGPT, litgpt, torch.nn; each is in a test.
_BUFFER = re.compile(
    r"(?:.*\.)?(?:"
    r"layers\.[0-9]+\.attention\.(?:masked_)?bias|h\.[0-9]+\.attn\.(?:attention\.)?(?:masked_)?bias"  # causal masks
    r"|causal_mask|attn_mask|attention_mask|mask_bias"
    r"|(?:original_)?inv_freq|(?:cos|sin)_cached|freqs_(?:cis|cos|sin)|rope_cache"  # rotary tables
    r"|alibi(?:_slopes)?|slope_rate|query_decay|key_decay|diagonal_decay"  # fixed decays of attention
    r"|e_score_correction_bias|expert_bias|tokens_per_expert"  # router balance, moved by rule, not by gradients
    r"|running_(?:mean|var)|num_batches_tracked"  # moving statistics
    r"|act_fn\.(?:beta|eps)|layer_scalar|embed_scale"  # constants
    r"|(?:pos_encoder|positional_encoding)\.pe|embed_positions\.weights|position_ids|token_type_ids"
    r")"
)
VERIFIED = frozenset((Path(__file__).parent / "architectures.txt").read_text(encoding="utf-8").split())
"""``model_type`` of the architectures of transformers whose saved files were compared with their parameters."""

_INTEGERS = ("int64", "int32", "int16", "uint64", "uint32", "uint16", "bool")
_MASK = re.compile(r"(?:.*\.)?(?:(?:attn|attention)\.(?:attention\.)?(?:masked_)?bias|.*mask)")
_PACKED = re.compile(
    r"(?:.*\.)?(?:qweight|qzeros|g_idx|weight_packed|weight_shape|absmax|quant_map|quant_state\..*|SCB)"
)
_EMBEDDING = re.compile(r"(?:.*\.)?(?:\w*embed\w*|wte|shared)\.weight")
_NUMBERED = re.compile(r"(?:.*\.)?[0-9]+\..*")


@dataclass(frozen=True)
class Contents:
    """What one file contributes to a field, and what it does not."""

    names: tuple[str, ...]
    """Tensors of the field, in the order of the file."""
    rule: str
    """The evidence that decided."""
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Names of the others, by why: ``buffer``, ``integers``, ``tied``, ``not chosen``, ``trainer state``."""

    @property
    def certain(self) -> bool:
        """Whether something better than the type of the numbers decided."""
        return self.rule != FLOATING


@dataclass(frozen=True)
class Evidence:
    """What is known of a run beside the file itself."""

    patterns: Callable[[Sequence[str]], Collection[str]] | None = None
    """Picks names by the user's patterns."""
    manifest: Sequence[str] | None = None
    """Names of the field by a recorder's manifest."""
    gradients: Collection[str] | None = None
    """Names in a gradient file of the run."""
    model_type: str | None = None
    """The architecture a config names."""


def contents_of(tensors: Mapping[str, StoredTensor], where: Path | str, evidence: Evidence = Evidence()) -> Contents:
    """Sort the tensors of a checkpoint into those of the field and the others.

    Raises
    ------
    InputError
        If a tensor that belongs to the model is missing, empty, quantised or of a type that cannot be measured, or
        nothing is left.
    """
    if evidence.patterns is None:
        _refuse_packed(tensors, where)
    left_out: dict[str, list[str]] = {}
    floating = []
    for name, tensor in tensors.items():
        bias = len(tensor.shape) == 1 and tensor.size > 1 and _MASK.fullmatch(name)  # a mask has one for every pair
        if _BUFFER.fullmatch(name) and not bias:
            left_out.setdefault("buffer", []).append(name)
        elif tensor.dtype in FLOATS:
            floating.append(name)
        elif tensor.dtype in _INTEGERS:
            left_out.setdefault("integers", []).append(name)
        elif tensor.dtype == "uint8" and _MASK.fullmatch(name):
            left_out.setdefault("buffer", []).append(name)
        elif evidence.patterns is None:
            _refuse_type(tensors, name, where)
    rule, chosen = _chosen(tensors, floating, where, evidence)
    left_out = {why: [name for name in names if name not in chosen] for why, names in left_out.items()}
    _refuse_empty(tensors, chosen, where)
    for name, first in tied(tensors, chosen).items():
        left_out.setdefault("tied", []).append(f"{name} (is {first})")
        chosen.remove(name)
    kept = set(chosen)
    known = {name.partition(" (is ")[0] for names in left_out.values() for name in names}
    if others := [name for name in tensors if name not in kept and name not in known]:
        left_out["not chosen"] = others
    if not chosen:
        types = " and ".join(
            sorted({shown(tensor.dtype) for tensor in tensors.values() if tensor.dtype not in FLOATS})
        )
        only = f"holds {types} and" if types else "holds"
        raise InputError(f"{where} {only} no parameters of floating-point numbers; name a checkpoint that does")
    return Contents(tuple(chosen), rule, {why: tuple(names) for why, names in left_out.items() if names})


def _chosen(
    tensors: Mapping[str, StoredTensor], floating: list[str], where: Path | str, evidence: Evidence
) -> tuple[str, list[str]]:
    if evidence.patterns is not None:
        picked = set(evidence.patterns(list(tensors)))
        return PATTERNS, [name for name in tensors if name in picked]
    for rule, names in ((MANIFEST, evidence.manifest), (GRADIENTS, evidence.gradients)):
        if names is None:
            continue
        if missing := [name for name in names if name not in tensors]:
            source = "its run's manifest names" if rule == MANIFEST else "the gradients of its run have"
            raise InputError(
                f"{where} lacks {_some(missing)}, which {source}; a part of it measured would pass for the whole: "
                "write or download it again"
            )
        wanted = set(names)
        return rule, [name for name in tensors if name in wanted]
    return (CONFIG if evidence.model_type in VERIFIED else FLOATING), list(floating)


def tied(tensors: Mapping[str, StoredTensor], names: Sequence[str]) -> dict[str, str]:
    """Tensors that are another one again, by its name: one place in the file, or an output that copies the embedding.

    Of several names the embedding's stays, since formats that store a tied tensor once keep that one.
    """
    embeddings = [name for name in names if _EMBEDDING.fullmatch(name)]
    places: dict[tuple, list[str]] = {}
    for name in names:
        tensor = tensors[name]
        place = tensor.place if tensor.size else (name,)
        places.setdefault(place, []).append(name)
    found: dict[str, str] = {}
    for alike in places.values():
        first = next((name for name in alike if name in embeddings), alike[0])
        found |= {name: first for name in alike if name != first}
    # Layers may start as copies of one another, so only what stands outside of them can be tied by its values.
    outside = [name for name in names if name not in found and not _NUMBERED.fullmatch(name)]
    for name in outside:
        for other in embeddings if len(tensors[name].shape) == 2 else [name.replace("decoder.", "")]:
            before = other != name and other in outside and other not in found
            bias = other not in embeddings  # a head's bias starts at zero, tied or not; its name says that it is
            if before and _same(tensors[name], tensors[other], constant=bias):
                found[name] = other
                break
    return found


def model_type(checkpoint: Path) -> str | None:
    """The architecture that a ``config.json`` beside a checkpoint names; None if there is none that can be read."""
    try:
        path = checkpoint.parent / "config.json"
        if path.stat().st_size > MAX_HEADER:
            return None
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    found = content.get("model_type") if isinstance(content, dict) else None
    return found if isinstance(found, str) else None


def is_buffer(name: str) -> bool:
    """Whether a name is that of something kept with the weights and never trained."""
    return bool(_BUFFER.fullmatch(name))


def _same(one: StoredTensor, other: StoredTensor, *, constant: bool) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype or not one.size:
        return False
    step = max(1, one.shape[0] // 64)  # a look at some rows spares reading both whole
    first, second = one.read(), other.read()
    if not np.array_equal(first[::step], second[::step]) or not np.array_equal(first, second):
        return False
    return constant or bool((first != first.flat[0]).any())  # zeros are equal to zeros whether tied or not


_QUANTISED = "and what is left of the model is not the model; measure the checkpoint that training wrote"


def _refuse_type(tensors: Mapping[str, StoredTensor], name: str, where: Path | str) -> None:
    dtype = tensors[name].dtype
    alike = _some([other for other, tensor in tensors.items() if tensor.dtype == dtype])
    if dtype.startswith(("float8", "int8", "uint8", "int4", "uint4", "float4")):
        raise InputError(f"{where} is quantised: {dtype} in {alike}, {_QUANTISED}")
    raise InputError(
        f"{where} holds {shown(dtype)} in {alike}, which is no part of a field; choose the tensors without it"
    )


def _refuse_packed(tensors: Mapping[str, StoredTensor], where: Path | str) -> None:
    if packed := [name for name in tensors if _PACKED.fullmatch(name)]:
        raise InputError(f"{where} is quantised: packed weights in {_some(packed)}, {_QUANTISED}")


def _refuse_empty(tensors: Mapping[str, StoredTensor], names: Iterable[str], where: Path | str) -> None:
    if empty := [name for name in names if not tensors[name].size]:
        raise InputError(
            f"{where} holds no entries of {_some(empty)}: its weights are partitioned over other files (ZeRO-3, "
            "FSDP) or were never written; gather them into one checkpoint first"
        )


def _some(names: Sequence[str]) -> str:
    return shown(names[0]) + (f" and {len(names) - 1} more" if len(names) > 1 else "")
