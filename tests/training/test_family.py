"""Training as a whole: what is recorded, and that interruptions leave no trace."""

import hashlib
import json
import math
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from gradcascade.errors import InputError
from gradcascade.sources import discover
from gradcascade.training import family as module
from gradcascade.training.corpus import Corpus, read_corpus
from gradcascade.training.decoder import Decoder, DecoderShape
from gradcascade.training.family import FamilyConfig, StepReport, train_family
from gradcascade.training.run import perplexity

SETTINGS = {"widths": (24,), "steps": 6, "record_every": 2, "batch": 2, "context": 16, "warmup": 2, "evaluation": 3}


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("text") / "own.txt"
    path.write_bytes(b"".join(b"line %d of a text\n" % i for i in range(500)))
    return path


@pytest.fixture(scope="module")
def config(text) -> FamilyConfig:
    return FamilyConfig(**SETTINGS, text=(text,))


@pytest.fixture(scope="module")
def trained(config, tmp_path_factory) -> Path:
    """The folder of a finished run."""
    return train_family(config, tmp_path_factory.mktemp("family"))[0]


def digests(run: Path) -> dict[str, str]:
    """Hash of every file but the one that tells the time."""
    files = [path for path in run.rglob("*") if path.is_file() and path.name != "finished.json"]
    return {str(path.relative_to(run)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def model_at(run: Path, step: int) -> Decoder:
    model = Decoder(DecoderShape(24, 16))
    model.load_state_dict(load_file(run / "checkpoints" / f"step_{step}" / "model.safetensors"))
    return model


def test_a_run_has_picos_layout(trained):
    assert trained.parts[-2:] == ("runs", "nano-d24")
    step = {"model.safetensors", "learning_dynamics/train_gradients.pt"}
    assert set(digests(trained)) == {"training_config.yaml", "manifest.json"} | {
        name
        for number in (0, 2, 4, 6)
        for name in {f"checkpoints/step_{number}/{file}" for file in step} | {f"eval_results/step_{number}.json"}
    }
    written = yaml.safe_load((trained / "training_config.yaml").read_text())
    assert written["model"]["d_model"] == 24
    assert written["training"]["optimization"]["lr"] == FamilyConfig().learning_rate
    assert written["training"]["max_steps"] == 6


@pytest.mark.parametrize("step", [0, 2, 6])
def test_recorded_gradients_are_those_of_the_recorded_checkpoint_before_clipping(trained, config, step):
    model = model_at(trained, step)
    corpus = read_corpus(config.text)
    model.loss(torch.from_numpy(corpus.batch(config.seed, step, config.batch, config.context))).backward()
    path = trained / "checkpoints" / f"step_{step}" / "learning_dynamics" / "train_gradients.pt"
    written = torch.load(path, weights_only=True)
    assert len(written) == 36
    assert sum(value.numel() for value in written.values()) == 36_864
    for key, value in written.items():
        gradient = model.get_parameter(key).grad
        torch.testing.assert_close(value, gradient, rtol=1e-5, atol=1e-8)
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
    assert norm > config.clip, "the case tells clipped from unclipped gradients only if clipping would act"


def test_checkpoints_follow_from_one_another_by_clipped_adamw(trained, config):
    """A training loop of its own, written down plainly."""
    model = model_at(trained, 0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.0, weight_decay=config.weight_decay, foreach=False)
    corpus = read_corpus(config.text)
    for step in range(6):
        optimizer.param_groups[0]["lr"] = config.learning_rate * min(1.0, (step + 1) / 2)
        optimizer.zero_grad()
        model.loss(torch.from_numpy(corpus.batch(config.seed, step, config.batch, config.context))).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        optimizer.step()
    for name, value in model_at(trained, 6).named_parameters():
        torch.testing.assert_close(value, model.get_parameter(name), rtol=1e-3, atol=2e-5)


def test_update_fields_are_differences_of_checkpoints(trained):
    source = discover(trained.parent.parent)
    updates = {ref.step: ref for ref in source.snapshots() if ref.field == "update"}
    assert sorted(updates) == [2, 4, 6]
    ends = ("attention.v_proj.weight", "attention.o_proj.weight", "swiglu.w_2.weight")
    before, after = (dict(model_at(trained, step).named_parameters()) for step in (2, 4))
    expected = torch.cat([(after[n] - before[n]).detach().flatten() for n in after if n.endswith(ends)])
    np.testing.assert_array_equal(updates[4].load(), expected.numpy())
    assert len(expected) == 36_864


def test_held_out_perplexity_is_the_exponential_of_the_mean_cross_entropy(trained, config):
    windows = torch.from_numpy(read_corpus(config.text).evaluation(config.evaluation, config.context))
    logits = model_at(trained, 4)(windows[:, :-1]).double()
    mean = -logits.log_softmax(-1).gather(-1, windows[:, 1:, None]).mean().item()
    written = json.loads((trained / "eval_results" / "step_4.json").read_text())
    assert written == {"perplexity": pytest.approx(math.exp(mean), rel=1e-5)}


def test_perplexity_does_not_depend_on_the_batch_nor_touch_gradients(trained, config):
    model = model_at(trained, 4)
    windows = torch.from_numpy(read_corpus(config.text).evaluation(5, config.context))
    assert perplexity(model, windows, 2) == pytest.approx(perplexity(model, windows, 5), rel=1e-6)
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("stop", [0, 1, 2, 3, 5])
def test_an_interrupted_run_continues_to_the_same_bits(config, trained, tmp_path, stop):
    def interrupt(report: StepReport) -> None:
        if report.step == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_family(config, tmp_path, interrupt)
    seen = []
    (run,) = train_family(config, tmp_path, lambda report: seen.append(report.step))
    assert seen[0] == stop - stop % 2, "it continues with the latest recorded step"
    assert digests(run) == digests(trained)


def test_a_killed_process_leaves_no_trace(config, trained, tmp_path):
    script = (
        "import sys; from gradcascade.training.family import *; "
        f"train_family(FamilyConfig(**{SETTINGS!r}, text=({str(config.text[0])!r},)), sys.argv[1], "
        "lambda report: print(report.step, flush=True))"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    with process.stdout as lines:
        for line in lines:
            if line.strip() == "3":
                process.kill()
                break
    assert process.wait() == -signal.SIGKILL
    (tmp_path / "runs" / "nano-d24" / ".writing-x").mkdir(exist_ok=True)
    assert digests(train_family(config, tmp_path)[0]) == digests(trained)
    assert not list((tmp_path / "runs" / "nano-d24").glob(".*"))


def test_a_finished_run_is_not_trained_again(config, trained):
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*")}
    reports = []
    train_family(config, trained.parent.parent, reports.append)
    assert [(report.scale, report.step, report.total) for report in reports] == [("d24", 6, 6)]
    assert math.isfinite(reports[0].loss)
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*")} == before


def test_a_run_with_other_settings_is_refused_by_name(config, trained):
    other = FamilyConfig(**{**SETTINGS, "learning_rate": 0.5}, text=config.text)
    with pytest.raises(InputError, match=r"nano-d24 was trained with training\.optimization\.lr = 0\.002, now 0\.5"):
        train_family(other, trained.parent.parent)


def test_a_run_on_another_text_is_refused(config, trained, tmp_path):
    other = tmp_path / "own.txt"
    other.write_bytes(config.text[0].read_bytes() + b"!")
    with pytest.raises(InputError, match=r"data\.dataset\.sha256"):
        train_family(FamilyConfig(**SETTINGS, text=(other,)), trained.parent.parent)


def test_a_damaged_state_is_refused(config, tmp_path):
    def interrupt(report: StepReport) -> None:
        if report.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_family(config, tmp_path, interrupt)
    (tmp_path / "runs" / "nano-d24" / "resume.pt").write_bytes(b"not a state")
    with pytest.raises(InputError, match=r"resume\.pt is damaged .* delete it"):
        train_family(config, tmp_path)


def test_a_folder_with_something_else_is_refused(config, tmp_path):
    (tmp_path / "runs" / "nano-d24").mkdir(parents=True)
    (tmp_path / "runs" / "nano-d24" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something other than a run"):
        train_family(config, tmp_path)


def test_every_scale_sees_the_same_batches_and_leaves_the_random_state_alone(text, tmp_path, monkeypatch):
    seen: list[tuple[int, int, int, int]] = []
    draw = Corpus.batch
    monkeypatch.setattr(Corpus, "batch", lambda self, *key: (seen.append(key), draw(self, *key))[1])
    config = FamilyConfig(**{**SETTINGS, "widths": (24, 48), "steps": 2, "record_every": 1}, text=(text,))
    state = torch.get_rng_state()
    threads = torch.get_num_threads()
    reports: list[StepReport] = []
    train_family(config, tmp_path, reports.append)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    keys = seen[1:]  # the first asks whether the text is long enough
    assert sorted(keys) == [(config.seed, step, 2, 16) for step in range(3) for _ in range(2)]
    for scale in ("d24", "d48"):
        own = [report for report in reports if report.scale == scale]
        assert [report.step for report in own] == [0, 1, 2]
        assert (own[0].seconds_left, own[2].seconds_left) == (None, 0.0)


def test_scales_trained_together_do_not_touch_each_other(config, trained, tmp_path):
    together = FamilyConfig(**{**SETTINGS, "widths": (24, 48, 72)}, text=config.text)
    runs = train_family(together, tmp_path)
    assert [run.name for run in runs] == ["nano-d24", "nano-d48", "nano-d72"]
    assert digests(runs[0]) == digests(trained)


def test_further_runs_of_a_scale_differ_and_leave_the_first_as_it_is(config, trained, tmp_path):
    several = FamilyConfig(**{**SETTINGS, "widths": (24,), "runs": (2,)}, text=config.text)
    reports: list[StepReport] = []
    first, second = train_family(several, tmp_path, reports.append)
    assert (first.name, second.name) == ("nano-d24", f"nano-d24-seed{config.seed + 1}")
    assert digests(first) == digests(trained)
    same = {name for name, digest in digests(second).items() if digests(first)[name] == digest}
    assert same == {"manifest.json"}
    assert {report.scale for report in reports} == {"d24", f"d24, seed {config.seed + 1}"}


def test_one_interruption_stops_all_scales(config, tmp_path):
    """And all of them continue to the same bits as each alone."""
    together = FamilyConfig(**{**SETTINGS, "widths": (24, 48, 72)}, text=config.text)

    def interrupt(report: StepReport) -> None:
        if report.step == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_family(together, tmp_path / "interrupted", interrupt)
    assert not list((tmp_path / "interrupted").rglob("finished.json"))
    continued = train_family(together, tmp_path / "interrupted")
    for run, uninterrupted in zip(continued, train_family(together, tmp_path / "whole"), strict=True):
        assert digests(run) == digests(uninterrupted)


def test_a_diverging_run_stops_with_advice(text, tmp_path):
    config = FamilyConfig(**{**SETTINGS, "learning_rate": 1e30, "warmup": 0}, text=(text,))
    with pytest.raises(InputError, match=r"the loss of nano-d24 is .* learning rate below 1e"):
        train_family(config, tmp_path)


def test_a_text_that_is_too_short_is_refused_before_anything_is_written(tmp_path):
    text = tmp_path / "short.txt"
    text.write_bytes(b"short")
    with pytest.raises(InputError, match="too short"):
        train_family(FamilyConfig(**SETTINGS, text=(text,)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_disk_without_room_is_reported_before_training(config, tmp_path, monkeypatch):
    usage = module.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage._replace(free=1_000_000))
    with pytest.raises(InputError, match=r"needs \d+ MB more, and its disk has 1 MB free"):
        train_family(config, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_expected_space_is_what_is_used(config, trained):
    used = sum(path.stat().st_size for path in trained.rglob("*") if path.is_file())
    shape = DecoderShape(24, 16)
    resume = 24 * shape.parameters + module._MARGIN
    assert module.expected_bytes(config) - resume == pytest.approx(used, rel=0.1)


def test_without_torch_training_says_what_to_install(config, tmp_path, monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'gradcascade\[train\]'"):
        train_family(config, tmp_path)


def test_torch_is_not_imported_before_it_is_needed():
    script = "import sys, gradcascade.training.family, gradcascade.live.recorder; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_the_family_is_imported_without_what_the_extra_installs():
    code = (
        "import sys; sys.modules['yaml'] = sys.modules['torch'] = sys.modules['safetensors'] = None;"
        "import gradcascade.training.family, gradcascade.live.recorder"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
