"""Damages good checkpoints as a copy, a script or a trainer might; prints tables of docs/validation.md.

python benchmarks/mutations.py [--mutants 1000] [--seed 0] [--layouts hf-sharded,...] [--show wrong,...]

A tiny model is trained, and its checkpoints or gradients are written by the libraries that write each layout. Every
mutant is such a run with one thing wrong with one of its steps, or with all. What measuring and the audit make of it:

refused         the snapshots concerned, or the family, are refused; all other fields are as they were
said            a field differs, and the audit or the description of the fields says something new about it
harmless        every field is as it was, bit for bit
wrong           a field differs and nothing says so
untold          the same, of a mutation that no reader of these files could tell; see `UNTOLD`
"""

from __future__ import annotations

import argparse
import copy
import os
import shutil
import tempfile
import warnings
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import gradcascade as gc
from gradcascade.sources.audit import audit_family
from gradcascade.sources.contents import describe_fields, in_words, refuse_differing
from gradcascade.sources.folder import discover

State = dict[str, Any]
"""Tensors of torch by name."""

STEPS = (0, 10, 20, 30, 40, 50, 60)
REFUSED, SAID, HARMLESS, WRONG, UNTOLD_OUTCOME = "refused", "said", "harmless", "wrong", "untold"
OUTCOMES = (REFUSED, SAID, HARMLESS, WRONG, UNTOLD_OUTCOME)


@dataclass
class Moment:
    """What a trainer holds at one step."""

    step: int
    weights: State
    gradients: State
    moments: dict[str, dict[str, Any]]
    """Adam's state by the name of the parameter."""
    extra: dict[str, Any] = field(default_factory=dict)
    """What a mutation puts into the file beside the model."""


# --- the good runs


def trained(width: int, seed: int, steps: Sequence[int] = STEPS) -> tuple[list[Moment], Any]:
    """Moments of a small GPT-NeoX of transformers that learns a fixed sequence, and its configuration."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own imports
        from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    torch.manual_seed(seed)
    config = GPTNeoXConfig(
        vocab_size=48,
        hidden_size=width,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=2 * width,
        max_position_embeddings=32,
        hidden_dropout=0.0,
        attention_dropout=0.0,
    )
    model = GPTNeoXForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    text = torch.randint(0, 48, (64, 17))
    found = []
    for step in range(max(steps) + 1):
        batch = text[torch.randint(0, 64, (8,))]
        model.zero_grad()
        model(input_ids=batch, labels=batch).loss.backward()
        named = dict(model.named_parameters())
        if step in steps:
            weights = {name: value.detach().clone() for name, value in named.items()}
            gradients = {name: value.grad.clone() for name, value in named.items() if value.grad is not None}
            state = {name: copy.deepcopy(dict(optimizer.state[value])) for name, value in named.items()}
            found.append(Moment(step, weights, gradients, state))
        optimizer.step()
    return found, config


def _adam(moment: Moment, names: Sequence[str]) -> dict[str, Any]:
    """What torch.optim.AdamW.state_dict gives."""
    state = {place: moment.moments[name] for place, name in enumerate(names) if moment.moments.get(name)}
    group = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01, "params": list(range(len(names)))}
    return {"state": state, "param_groups": [group]}


def _sharded(moment: Moment, run: Path, config: Any) -> None:
    from huggingface_hub import save_torch_state_dict

    folder = run / f"checkpoint-{moment.step}"
    folder.mkdir(parents=True, exist_ok=True)
    size = sum(value.numel() * value.element_size() for value in moment.weights.values())
    save_torch_state_dict(moment.weights | moment.extra, folder, max_shard_size=int(size / 2.5))
    config.save_pretrained(folder)


def _bin(moment: Moment, run: Path, config: Any) -> None:
    import torch

    folder = run / f"checkpoint-{moment.step}"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(OrderedDict(moment.weights | moment.extra), folder / "pytorch_model.bin")
    config.save_pretrained(folder)


def _nanogpt(moment: Moment, run: Path, config: Any) -> None:
    import torch

    run.mkdir(parents=True, exist_ok=True)
    model = OrderedDict((f"_orig_mod.{name}", value) for name, value in moment.weights.items())
    whole = {
        "model": model,
        "optimizer": _adam(moment, list(moment.moments)),
        "model_args": {"n_layer": 2},
        "iter_num": moment.step,
        "best_val_loss": torch.tensor(3.5),
        "config": {"dataset": "none"},
    }
    torch.save(whole | moment.extra, run / f"ckpt_{moment.step:06}.pt")


def _lightning(moment: Moment, run: Path, config: Any) -> None:
    import torch

    (run / "checkpoints").mkdir(parents=True, exist_ok=True)
    whole = {
        "epoch": 0,
        "global_step": moment.step,
        "pytorch-lightning_version": "2.6.6",
        "state_dict": OrderedDict((f"model.{name}", value) for name, value in moment.weights.items()),
        "loops": {},
        "callbacks": {},
        "optimizer_states": [_adam(moment, list(moment.moments))],
        "lr_schedulers": [],
    }
    torch.save(whole | moment.extra, run / "checkpoints" / f"epoch=0-step={moment.step}.ckpt")


def _litgpt(moment: Moment, run: Path, config: Any) -> None:
    import torch

    folder = run / f"step-{moment.step:08}"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"model": dict(moment.weights)} | moment.extra, folder / "lit_model.pth")


def _distributed(moment: Moment, run: Path, config: Any) -> None:
    import torch.distributed.checkpoint as dcp

    names = {
        f"state.{name}.{key}": value for name, state in moment.moments.items() for key, value in state.items()
    }  # full names, as torchtitan and OLMo-core write them
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is one process
        dcp.save(
            {"model": moment.weights, "optimizer": names} | moment.extra, checkpoint_id=run / f"step-{moment.step}"
        )


def _zero(moment: Moment, run: Path, config: Any, ranks: int = 2) -> None:
    """ZeRO 2 as DeepSpeed writes it: flat partitions by rank, beside the moments."""
    import torch

    folder = run / f"global_step{moment.step}"
    folder.mkdir(parents=True, exist_ok=True)
    names = list(moment.weights)

    def flat(values: Sequence[Any]) -> Sequence[Any]:
        whole = torch.cat([value.float().flatten() for value in values])
        whole = torch.cat([whole, torch.zeros(-len(whole) % (2 * ranks))])
        return [part.clone() for part in whole.chunk(ranks)]

    def moments(key: str) -> Sequence[Any]:
        blank = {name: torch.zeros_like(value) for name, value in moment.weights.items()}
        own = {name: state[key] for name, state in moment.moments.items() if key in state}
        return flat([own.get(name, blank[name]) for name in names])

    shapes = OrderedDict((name, value.shape) for name, value in moment.weights.items())
    half = OrderedDict((name, value.bfloat16()) for name, value in moment.weights.items())
    torch.save(
        {"module": half, "param_shapes": [shapes], "buffer_names": [], "shared_params": {}, "ds_version": "0.19.8"}
        | moment.extra,
        folder / "mp_rank_00_model_states.pt",
    )
    weights, means, squares = flat(list(moment.weights.values())), moments("exp_avg"), moments("exp_avg_sq")
    for rank in range(ranks):
        own = {"step": torch.tensor(float(moment.step)), "exp_avg": means[rank], "exp_avg_sq": squares[rank]}
        group = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "params": [0]}
        state = {
            "zero_stage": 2,
            "partition_count": [ranks],
            "single_partition_of_fp32_groups": [weights[rank]],
            "base_optimizer_state": {"state": {0: own}, "param_groups": [group]},
        }
        torch.save({"optimizer_state_dict": state}, folder / f"zero_pp_rank_{rank}_mp_rank_00_optim_states.pt")


_PICO = {
    "attention.query_key_value": "attention.v_proj",
    "attention.dense": "attention.o_proj",
    "mlp.dense_4h_to_h": "swiglu.w_2",
}


def _pico(moment: Moment, run: Path, config: Any) -> None:
    """A snapshot of learning dynamics: gradients of three matrices of every block."""
    import torch

    folder = run / "checkpoints" / f"step_{moment.step}" / "learning_dynamics"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(dict(moment.gradients) | moment.extra, folder / "train_gradients.pt")


def _of_pico(moment: Moment) -> Moment:
    """With the names and the tensors that Pico's recorder has."""
    found = {}
    for block in range(2):
        for own, theirs in _PICO.items():
            value = moment.gradients[f"gpt_neox.layers.{block}.{own}.weight"]
            found[f"layers.{block}.{theirs}.weight"] = value
    return Moment(moment.step, {}, found, {})


@dataclass(frozen=True)
class Kind:
    """A layout of files with its writer."""

    write: Callable[[Moment, Path, Any], None]
    gradients: bool = False
    flat: bool = False  # whether the file has the tensors themselves at its top


LAYOUTS = {
    "hf-sharded": Kind(_sharded, flat=True),
    "hf-bin": Kind(_bin, flat=True),
    "nanogpt": Kind(_nanogpt),
    "lightning": Kind(_lightning),
    "litgpt": Kind(_litgpt),
    "distributed": Kind(_distributed),
    "deepspeed": Kind(_zero),
    "pico": Kind(_pico, gradients=True, flat=True),
}


# --- mutations


@dataclass
class Mutant:
    """A run to be damaged: its moments, and the places of those that are."""

    rng: np.random.Generator
    moments: list[Moment]
    at: list[int]
    kind: Kind
    outside: bool = False
    """Whether a tensor was changed that belongs to no layer."""

    @property
    def states(self) -> list[State]:
        """The damaged steps' tensors."""
        return [m.gradients if self.kind.gradients else m.weights for m in (self.moments[k] for k in self.at)]

    def name(self, fits: Callable[[str, Any], bool] = lambda name, value: True) -> str:
        """One of the tensors that fit."""
        names = [name for name, value in self.states[0].items() if fits(name, value)]
        chosen = names[self.rng.integers(len(names))]
        self.outside = not any(letter.isdigit() for letter in chosen)
        return chosen


def _drop(m: Mutant) -> None:
    name = m.name()
    for state in m.states:
        del state[name]


def _empty(m: Mutant) -> None:
    name = m.name()
    for state in m.states:
        state[name] = state[name].new_empty((0, *state[name].shape[1:]))


def _halve_tensor(m: Mutant) -> None:
    name = m.name(lambda name, value: len(value) > 1)
    for state in m.states:
        state[name] = state[name][: len(state[name]) // 2].clone()


def _quantise(m: Mutant) -> None:
    """int8 with a scale for every row, as bitsandbytes names them or by a common habit."""
    import torch

    scale = ("SCB", "weight_scale", "scales")[m.rng.integers(3)]
    every = bool(m.rng.integers(2))
    one = m.name(lambda name, value: value.dim() == 2)
    for state in m.states:
        for name, value in list(state.items()):
            if value.dim() == 2 and (every or name == one):
                scales = value.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / 127
                state[name] = (value / scales).round().to(torch.int8)
                state[f"{name.removesuffix('.weight')}.{scale}"] = scales.flatten()


def _duplicate(m: Mutant) -> None:
    name = m.name()
    other = (f"{name}_copy", f"copy.{name}", f"{name}.1")[m.rng.integers(3)]
    for state in m.states:
        state[other] = state[name].clone()


def _rename(m: Mutant) -> None:
    name = m.name()
    other = (f"renamed.{name}", name.replace("weight", "kernel"), name.upper())[m.rng.integers(3)]
    other = f"renamed.{name}" if other == name else other
    for position, state in enumerate(m.states):
        items = [(other if own == name else own, value) for own, value in state.items()]
        state.clear()
        state.update(items)
        assert position >= 0


def _optimizer_state(m: Mutant) -> None:
    """Moments beside the tensors, under one of the names in use."""
    import torch

    habit = int(m.rng.integers(5))
    for moment in (m.moments[k] for k in m.at):
        tensors = moment.gradients if m.kind.gradients else moment.weights
        means = {name: torch.randn_like(value) * 1e-3 for name, value in tensors.items()}
        if habit == 0:
            moment.extra = {f"optimizer.state.{name}.exp_avg": value for name, value in means.items()}
        elif habit == 1:
            moment.extra = {f"{name}.exp_avg": value for name, value in means.items()}
        elif habit == 2:
            moment.extra = {f"exp_avg.{name}": value for name, value in means.items()}
        elif habit == 3:
            moment.extra = {"optim_state": {"exp_avg": dict(means)}}
        else:
            moment.extra = {f"ema.{name}": value + means[name] for name, value in tensors.items()}
        if habit in (0, 1, 2, 4) and not m.kind.flat:
            tensors |= moment.extra  # among the model's own
            moment.extra = {}
        if habit == 3 and m.kind.write is _sharded:
            moment.extra = {f"optim_state.exp_avg.{name}": value for name, value in means.items()}


def _buffers(m: Mutant) -> None:
    """Tensors that nothing trains: of names in use, or constants of another one."""
    import torch

    which = int(m.rng.integers(4))
    for place, state in zip(m.at, m.states, strict=True):
        if which == 0:
            state["gpt_neox.layers.0.attention.bias"] = torch.ones(1, 1, 8, 8, dtype=torch.bool)
            state["gpt_neox.layers.0.attention.masked_bias"] = torch.tensor(-1e9)
        elif which == 1:
            state["gpt_neox.layers.0.attention.rotary_emb.inv_freq"] = torch.linspace(0, 1, 8)
        elif which == 2:
            state["gpt_neox.position_table"] = torch.linspace(0, 1, 640).reshape(20, 32)
        else:
            state["gpt_neox.norm.running_mean"] = torch.full((32,), float(place))


def _moving_buffer(m: Mutant) -> None:
    """A statistic that changes, under a name that nothing is known of."""
    import torch

    for state in m.states:
        state["gpt_neox.usage"] = torch.tensor(m.rng.normal(size=32).astype(np.float32))


def _exchange(m: Mutant) -> None:
    """Two names of equal shape exchanged."""
    first = m.states[0]
    pairs = [(a, b) for a in first for b in first if a < b and first[a].shape == first[b].shape]
    one, other = pairs[m.rng.integers(len(pairs))]
    for state in m.states:
        state[one], state[other] = state[other], state[one]


def _transpose(m: Mutant) -> None:
    name = m.name(lambda name, value: value.dim() == 2 and value.shape[0] == value.shape[1])
    for state in m.states:
        state[name] = state[name].t().contiguous()


def _reshape(m: Mutant) -> None:
    """A matrix that is not square stored the other way round."""
    name = m.name(lambda name, value: value.dim() == 2 and value.shape[0] != value.shape[1])
    for state in m.states:
        state[name] = state[name].t().contiguous()


def _swap_steps(m: Mutant) -> None:
    k = min(m.at[0], len(m.moments) - 2)
    one, other = m.moments[k], m.moments[k + 1]
    m.moments[k], m.moments[k + 1] = other, one
    one.step, other.step = other.step, one.step
    m.at = [k, k + 1]


def _repeat_step(m: Mutant) -> None:
    k = m.at[0]
    source = m.moments[k - 1 if k else 1]
    m.moments[k] = Moment(m.moments[k].step, source.weights, source.gradients, source.moments)


def _cast(m: Mutant) -> None:
    import torch

    kind = (torch.bfloat16, torch.float16, torch.float64)[m.rng.integers(3)]
    for state in m.states:
        for name, value in state.items():
            state[name] = value.to(kind)


def _rounded(m: Mutant) -> None:
    """Through bfloat16 and back, so that the stored type says nothing."""
    import torch

    for state in m.states:
        for name, value in state.items():
            state[name] = value.to(torch.bfloat16).float()


def _not_finite(m: Mutant) -> None:
    name = m.name()
    value = (float("nan"), float("inf"), -float("inf"))[m.rng.integers(3)]
    for state in m.states:
        changed = state[name].clone()
        changed.view(-1)[m.rng.integers(changed.numel())] = value
        state[name] = changed


def _zeroed(m: Mutant) -> None:
    name = m.name()
    for state in m.states:
        state[name] = state[name] * 0


def _stale(m: Mutant) -> None:
    """One tensor left at its value of another step."""
    name, k = m.name(), m.at[0]
    other = m.moments[(k - 1) if k else 2]
    source = other.gradients if m.kind.gradients else other.weights
    m.states[0][name] = source[name].clone()


def _foreign(m: Mutant) -> None:
    """One tensor drawn anew, as after a start without it in the checkpoint."""
    import torch

    name = m.name()
    m.outside = m.states[0][name].ndim == 1  # biases and gains
    for state in m.states:
        state[name] = torch.randn_like(state[name]) * state[name].std(correction=0)


def _files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".json" and path.name != "README.md" and path.stat().st_size
    )


def _truncate(rng: np.random.Generator, files: list[Path]) -> None:
    file = files[rng.integers(len(files))]
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * rng.uniform(0.05, 0.99))])


def _zero_bytes(rng: np.random.Generator, files: list[Path]) -> None:
    """A stretch of a file that was never written, as after a full disk."""
    file = files[rng.integers(len(files))]
    content = bytearray(file.read_bytes())
    start = int(rng.integers(len(content)))
    length = min(4096, len(content) - start)
    content[start : start + length] = bytes(length)
    file.write_bytes(bytes(content))


def _remove_file(rng: np.random.Generator, files: list[Path]) -> None:
    files[rng.integers(len(files))].unlink()


def _halve_shard(rng: np.random.Generator, files: list[Path]) -> None:
    """A file written again with half of its tensors, which its own format finds nothing wrong with."""
    import torch
    from safetensors.torch import load_file, save_file

    file = files[rng.integers(len(files))]
    if file.suffix == ".safetensors":
        tensors = load_file(file)
        kept = dict(list(tensors.items())[: max(1, len(tensors) // 2)])
        save_file(kept, file, {"format": "pt"})
        return
    try:
        content = torch.load(file, weights_only=True)
    except Exception:  # a .distcp file is not one of torch.save
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        return
    torch.save(_halved(content), file)


def _halved(content: Any) -> Any:
    """The largest dictionary of tensors with half of its entries; of lists of vectors, the first half of each."""
    import torch

    if isinstance(content, dict) and sum(isinstance(value, torch.Tensor) for value in content.values()) > 3:
        return dict(list(content.items())[: len(content) // 2])
    if isinstance(content, dict):
        return {key: _halved(value) if key not in ("optimizer",) else value for key, value in content.items()}
    if isinstance(content, list) and content and all(isinstance(value, torch.Tensor) for value in content):
        return [value[: len(value) // 2].clone() for value in content]
    return content


ONE, ALL, BOTH = ("one",), ("all",), ("one", "one", "all")
MUTATIONS: dict[str, tuple[Callable[[Mutant], None], tuple[str, ...]]] = {
    "drop a tensor": (_drop, BOTH),
    "empty a tensor": (_empty, BOTH),
    "halve a tensor": (_halve_tensor, BOTH),
    "quantise": (_quantise, BOTH),
    "duplicate a tensor": (_duplicate, BOTH),
    "rename a tensor": (_rename, BOTH),
    "add optimizer state": (_optimizer_state, BOTH),
    "add buffers": (_buffers, BOTH),
    "add a moving statistic": (_moving_buffer, BOTH),
    "exchange two names": (_exchange, BOTH),
    "transpose a square matrix": (_transpose, BOTH),
    "transpose another matrix": (_reshape, BOTH),
    "swap two steps": (_swap_steps, ONE),
    "repeat a step": (_repeat_step, ONE),
    "cast to another type": (_cast, BOTH),
    "round to bfloat16": (_rounded, BOTH),
    "NaN or infinity": (_not_finite, BOTH),
    "zero a tensor": (_zeroed, BOTH),
    "leave a tensor at another step": (_stale, ONE),
    "draw a tensor anew": (_foreign, ONE),
}
"""What is done to the tensors, before a step is written."""

FILE_MUTATIONS: dict[str, Callable[[np.random.Generator, list[Path]], None]] = {
    "halve a shard": _halve_shard,
    "truncate a file": _truncate,
    "zero a stretch of a file": _zero_bytes,
    "remove a file": _remove_file,
}
"""What is done to the files of a step."""


# --- what becomes of them


@dataclass(frozen=True)
class Seen:
    """What measuring and auditing a folder show."""

    fields: Mapping[tuple, bytes | str]
    """Values by scale, kind, step and span; of a refused one its sentence."""
    findings: frozenset[tuple]
    words: tuple[str, ...]
    refused: str = ""


def look(folder: Path, probe: gc.Probe) -> Seen:
    """Measure and audit, up to the cascades."""
    try:
        audited = audit_family(folder, "family")
        findings = frozenset(
            (f.severity, f.code, f.scale, f.steps, str(getattr(f.evidence, "tensors", "")), f.sentence)
            for f in audited.findings
        )
        snapshots = discover(folder, "family", order="canonical").snapshots()
        described = describe_fields(snapshots)
        refuse_differing(described)
    except gc.InputError as error:
        return Seen({}, frozenset(), (), str(error))
    fields: dict[tuple, bytes | str] = {}
    for snapshot in snapshots:
        try:
            values = snapshot.load()
            if not np.isfinite(values).all():
                probe(values)  # says it in its own words
            place = snapshot.scale, snapshot.field, snapshot.step, snapshot.span
            fields[place] = values.astype(np.float64).tobytes()
        except gc.InputError as error:
            fields[snapshot.scale, snapshot.field, snapshot.step, snapshot.span] = f"{error}"
    return Seen(fields, findings, tuple(f"{key}: {in_words(found.description)}" for key, found in described.items()))


def outcome(good: Seen, seen: Seen) -> tuple[str, str]:
    """What became of a mutant, and the words that say so."""
    if seen.refused:
        return REFUSED, seen.refused
    refusals = [value for key, value in seen.fields.items() if isinstance(value, str)]
    other = {key for key in {*good.fields, *seen.fields} if good.fields.get(key) != seen.fields.get(key)}
    other -= {key for key, value in seen.fields.items() if isinstance(value, str)}
    if other and other <= {key for key in good.fields if key not in seen.fields}:
        return SAID, "the listed steps are fewer"  # of what there is, every field is as it was
    if not other:
        return (REFUSED, refusals[0]) if refusals else (HARMLESS, "")
    known = {finding[:-1] for finding in good.findings}  # sentences differ in sizes and times of change
    new = sorted(finding for finding in seen.findings if finding[:-1] not in known)
    words = [words for words in seen.words if words not in good.words]
    told = [finding for finding in new if finding[2] in {key[0] for key in other}]
    if told:
        return SAID, "; ".join(f"{severity} {code}: {sentence}" for severity, code, *_, sentence in told)
    if words and any(_but_for_counts(line) not in map(_but_for_counts, good.words) for line in words):
        return SAID, "; ".join(words)
    return WRONG, f"{len(other)} fields differ; {'; '.join(words)}"


def _but_for_counts(line: str) -> str:
    """A description without its numbers of tensors and entries, which one has to know to see that they are wrong."""
    return line.partition(" entries")[2]


@dataclass(frozen=True)
class Run:
    """A good family on disk, with what its layout needs to write a step again."""

    name: str
    folder: Path
    moments: list[Moment]
    config: Any
    seen: Seen


def good_runs(folder: Path, layouts: Sequence[str], probe: gc.Probe) -> Iterator[Run]:
    """A family of two scales of every layout; the larger has two steps."""
    small, config = trained(32, 0)
    large, other = trained(48, 1, STEPS[:2])
    for name in layouts:
        kind = LAYOUTS[name]
        for scale, moments, own in (("small", small, config), ("large", large, other)):
            for moment in moments:
                kind.write(_of_pico(moment) if kind.gradients else moment, folder / name / scale, own)
        moments = [_of_pico(moment) for moment in small] if kind.gradients else small
        yield Run(name, folder / name, moments, config, look(folder / name, probe))


def mutant(run: Run, mutation: str, scope: str, rng: np.random.Generator, folder: Path) -> bool:
    """Write a family of which one run has something wrong; says whether it is with a tensor of no layer."""
    kind = LAYOUTS[run.name]
    places = list(range(len(run.moments)))
    at = places if scope == "all" else [int(rng.integers(len(places)))]
    shutil.copytree(run.folder, folder, copy_function=os.link)
    if mutation in FILE_MUTATIONS:
        own = _step_files(folder / "small", run.moments[at[0]].step)
        for path in own:  # not the good run's file
            content = path.read_bytes()
            path.unlink()
            path.write_bytes(content)
        FILE_MUTATIONS[mutation](rng, own)
        return False
    changed = Mutant(rng, [_copied(moment) for moment in run.moments], at, kind)
    MUTATIONS[mutation][0](changed)
    for place in changed.at:
        for path in _step_files(folder / "small", changed.moments[place].step):
            path.unlink()
    for place in changed.at:
        kind.write(changed.moments[place], folder / "small", run.config)
    return changed.outside


def _copied(moment: Moment) -> Moment:
    return Moment(moment.step, dict(moment.weights), dict(moment.gradients), moment.moments)


def _step_files(run: Path, step: int) -> list[Path]:
    """Files of tensors of one step, and what describes them."""
    import re

    found = []
    for path in run.rglob("*"):
        place = path.relative_to(run).as_posix()
        if path.is_file() and not path.name.endswith("config.json") and re.search(rf"(?<!\d)0*{step}(?!\d)", place):
            found.append(path)
    return [p for p in sorted(found) if re.search(rf"(?:step|checkpoint|ckpt)[-_=]?0*{step}(?!\d)", p.as_posix())]


_EVERY = "at every step it is a run of another model, which the files agree on"
_ALONE = "gradients of different steps and tensors have nothing in common that would tell"
_GROWING = "a bias or gain that grows from zero changes by as much as it is between checkpoints, whatever it holds"
UNTOLD = {
    ("exchange two names", "all", "update"): _EVERY,
    ("exchange two names", "all", "gradient"): _EVERY,
    ("exchange two names", "one", "gradient"): _ALONE,
    ("transpose a square matrix", "all", "update"): _EVERY,
    ("transpose a square matrix", "all", "gradient"): _EVERY,
    ("transpose a square matrix", "one", "gradient"): _ALONE,
    ("swap two steps", "one", "gradient"): _ALONE,
    ("draw a tensor anew", "one", "gradient"): _ALONE,
    ("draw a tensor anew", "one", "outside"): _GROWING,
    # Of layers one is unlike the others; of what there is only one, nothing is.
    ("halve a tensor", "all", "outside"): _EVERY,
    ("transpose another matrix", "all", "outside"): _EVERY,
}
"""Mutation, scope and kind of field of what no reader of the files could tell, and why."""


@dataclass(frozen=True)
class Result:
    """What became of one mutant."""

    number: int
    layout: str
    mutation: str
    scope: str
    outcome: str
    words: str


def campaign(
    numbers: Iterable[int],
    seed: int,
    layouts: Sequence[str] = tuple(LAYOUTS),
    only: Sequence[str] = (),
    scopes: Sequence[str] = ("one", "all"),
) -> Iterator[Result]:
    """Every layout and mutation in turn; each mutant has a seed of its own."""
    probe = gc.Probe(threads=1)
    names = [name for name in [*MUTATIONS, *FILE_MUTATIONS] if not only or name in only]
    with tempfile.TemporaryDirectory() as scratch:
        runs = list(good_runs(Path(scratch, "good"), layouts, probe))
        for run in runs:
            if run.seen.refused or any(isinstance(value, str) for value in run.seen.fields.values()):
                raise RuntimeError(f"the good run of {run.name} is refused: {run.seen}")
        cells = [(run, name) for name in names for run in runs]
        for number in numbers:
            run, name = cells[number % len(cells)]
            turn = number // len(cells)
            there = [scope for scope in (MUTATIONS[name][1] if name in MUTATIONS else ONE) if scope in scopes]
            if not there:
                continue
            scope = there[turn % len(there)]
            place = Path(scratch, f"{number}")
            outside = mutant(run, name, scope, np.random.default_rng([seed, number]), place)
            found, words = outcome(run.seen, look(place, probe))
            shutil.rmtree(place)
            gradients = "gradient" if LAYOUTS[run.name].gradients else "update"
            known = {(name, scope, gradients), *([(name, scope, "outside")] if outside else [])}
            if found == WRONG and known & set(UNTOLD):
                found = UNTOLD_OUTCOME
            yield Result(number, run.name, name, scope, found, words.replace(f"{place}/", ""))


def table(results: Sequence[Result], by: Callable[[Result], str]) -> str:
    """Markdown: outcomes counted."""
    rows = [f"| | mutants | {' | '.join(OUTCOMES)} |", f"|---|{'---:|' * (1 + len(OUTCOMES))}"]
    groups: dict[str, Counter[str]] = {}
    for result in results:
        groups.setdefault(by(result), Counter())[result.outcome] += 1
    total: Counter[str] = sum(groups.values(), Counter())
    for name, counts in [*groups.items(), ("all", total)]:
        cells = [str(counts[outcome]) for outcome in OUTCOMES]
        rows.append(f"| {name} | {counts.total()} | {' | '.join(cells)} |")
    return "\n".join(rows)


def main() -> None:
    """Run the campaign and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--layouts", default=",".join(LAYOUTS))
    parser.add_argument("--scopes", default="one,all", help="whether one step is damaged, or all")
    parser.add_argument("--only", default="", help="mutations, separated by semicolons")
    parser.add_argument("--show", default=WRONG, help="outcomes whose mutants are listed with their words")
    given = parser.parse_args()
    only = [name for name in given.only.split(";") if name]
    results = []
    numbers = range(given.mutants)
    for result in campaign(numbers, given.seed, given.layouts.split(","), only, given.scopes.split(",")):
        results.append(result)
        if result.outcome in given.show.split(","):
            what = f"{result.layout}, {result.mutation}, {result.scope}"
            print(f"{result.outcome} {result.number}: {what}: {result.words}", flush=True)
    print(table(results, lambda result: f"{result.mutation}, {result.scope}"))
    print()
    print(table(results, lambda result: result.layout))


if __name__ == "__main__":
    main()
