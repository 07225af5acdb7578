"""Every Python block of the pages runs, page by page; shell blocks name commands, options and targets that exist."""

import re
import shlex
import shutil
import tomllib
from pathlib import Path
from typing import Any

import polars
import pytest
import typer
from doc_pages import PAGES, ROOT, blocks, prose
from sample_runs import write_pico_run

import gradcascade as gc
from gradcascade.cli.main import app
from gradcascade.export.tables import study_tables
from gradcascade.export.write import write_tables
from gradcascade.report.access import study_data
from gradcascade.sources.audit.quarantine_list import read_quarantine
from gradcascade.sources.folder import discover
from gradcascade.study.plan import FamilyPlan, read_plan
from gradcascade.training.experiment.plan import ExperimentPlan, read_experiment

APP: Any = typer.main.get_command(app)
WITH_PYTHON = [page for page in PAGES if any(block.language == "python" for block in blocks(page))]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """What the examples take for granted: runs, studies measured from them, and exports."""
    folder = tmp_path_factory.mktemp("desk")
    for width in (6, 12, 18, 24):
        write_pico_run(folder / "runs" / f"tiny-d{width}", tuple(range(0, 80, 10)), width, blocks=1)
    with gc.Study.create(folder / "my-study", gc.Plan(families=(FamilyPlan(name="tiny", path="../runs"),))) as study:
        gc.run(study)
        tables = study_tables(study_data(study))
    write_tables(tables, folder / "my-study" / "export", "parquet", {})
    for form in ("csv", "json"):
        write_tables(tables, folder / "tables", form, {})
    shutil.copytree(folder / "my-study", folder / "demo" / "study")
    return folder


def given(page):
    """Names that the blocks of a page use without making them."""
    if page != "README.md":
        return {}
    import torch

    model = torch.nn.Sequential()
    model.add_module("attn", torch.nn.ModuleDict({name: torch.nn.Linear(4, 4) for name in ("v_proj", "o_proj")}))
    attention: torch.nn.ModuleDict = model.attn  # type: ignore[assignment]
    loss = attention["o_proj"](attention["v_proj"](torch.ones(3, 4))).square().mean()
    optimizer = torch.optim.AdamW(model.parameters())
    return {"model": model, "loss": loss, "step": 0, "optimizer": optimizer, "trainer": a_trainer()}


def a_trainer():
    """A Trainer of transformers with a small model of its own, 101 steps."""
    import torch
    from transformers import Trainer, TrainingArguments

    class Scored(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(30, 20)

        def forward(self, x, labels=None):
            return {"loss": self.layer(x).square().mean()}

    arguments = TrainingArguments("trained", max_steps=101, use_cpu=True, report_to=[], save_strategy="no")
    arguments.disable_tqdm = True
    return Trainer(Scored(), arguments, train_dataset=[{"x": torch.ones(30)}] * 8)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore:::lightning")  # the trainers' own
@pytest.mark.parametrize("page", WITH_PYTHON)
def test_every_python_block_runs(page, desk, tmp_path, monkeypatch):
    shutil.copytree(desk, tmp_path / "desk")
    monkeypatch.chdir(tmp_path / "desk")
    names = {"__name__": "__main__", **given(page)}
    for block in blocks(page):
        if block.language == "python":
            exec(compile("\n" * (block.line - 1) + block.text, str(ROOT / page), "exec"), names)  # noqa: S102
    promised.get(page, lambda _: None)(names)


def readme(names):
    """The loop is measured, and the recorded run measures as it is: one gradient of the tensors that are named."""
    assert (names["monitor"].measured, names["monitor"].errors.total()) == (1, 0)
    names["monitor"].close()
    with gc.Study.open("live-study") as study:
        assert study.cascades().select("step", "field", "n").rows() == [(0, "gradient", 2 * (4 * 4 + 4))]
    names["trainer"].train()
    history = names["trainer"].state.log_history
    assert [row["step"] for row in history if "gradcascade/gradient/v_rel" in row] == [0, 100]
    assert in_lightning(names["callbacks"]) == [0, 100]
    [snapshot] = discover("runs/my-run").snapshots()
    assert (snapshot.field, snapshot.load().size) == ("gradient", 2 * 4 * 4)
    plan = gc.Plan(families=(FamilyPlan(name="mine", path="../runs/my-run"),))
    with gc.Study.create("recorded", plan) as study:
        assert gc.run(study).measured == 4  # the field and its three nulls


def in_lightning(callbacks):
    """Steps at which a Trainer of Lightning with these callbacks logs numbers."""
    import lightning.pytorch as lightning
    import torch
    from lightning.pytorch.loggers import CSVLogger

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(30, 20)

        def training_step(self, batch, number):
            return self.layer(batch).square().mean()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    quiet: Any = {"enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    logger = CSVLogger("logged")
    trainer = lightning.Trainer(max_steps=101, accelerator="cpu", logger=logger, callbacks=callbacks, **quiet)
    data: Any = [torch.ones(30)] * 808
    trainer.fit(Module(), torch.utils.data.DataLoader(data, batch_size=8))
    logged = polars.read_csv(f"{logger.log_dir}/metrics.csv")
    return logged.drop_nulls("gradcascade/gradient/v_rel")["step"].to_list()


def tutorial(names):
    """Three scales with five gradients and four updates each, of the same tensors, each with three nulls."""
    assert names["outcome"].measured == 3 * (5 + 4) * 4
    assert not names["outcome"].refused
    assert names["live"].select("scale", "field").n_unique() == 6
    for scale, width in (("d8", 8), ("d16", 16), ("d32", 32)):
        of_scale = names["live"].filter(names["live"]["scale"] == scale)
        assert of_scale["n"].unique().to_list() == [2 * 4 * width * width]


def live(names):
    """Four gradients, three of each of the others, all with a null; and updates say that they cover one step."""
    monitor = names["monitor"]
    assert (monitor.measured, monitor.errors.total(), monitor.skipped.total()) == (4, 0, 0)
    assert [step for step, _ in names["scalars"]] == [0, 10, 20, 30]
    assert len(names["scalars"][-1][1]) == 4 * 2 * 8 + 1
    with gc.Study.open("live-study") as study:
        table = study.cascades()
    assert table.height == (4 + 3 * 3) * 2
    assert table.filter(field="update")["span"].unique().to_list() == [1]
    history = names["trainer"].state.log_history
    assert [row["step"] for row in history if "gradcascade/gradient/n" in row] == [0, 1, 2]
    for own in (names["trainer"].callback_handler.callbacks[-1].monitor, names["callback"].monitor):
        assert (own.measured, own.errors.total(), own.last.moment) == (3, 0, "before clipping")


promised = {"README.md": readme, "docs/live.md": live, "docs/tutorial.md": tutorial}
"""What a reader of a page comes for, checked after its examples ran."""


def commands(text):
    """Calls of gradcascade in a shell block, as lists of words, without comments."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words and Path(words[0]).name == "gradcascade":
            yield words[1:]


def calls():
    for page in PAGES:
        for block in blocks(page):
            if block.language in ("sh", ""):
                yield from ((block.place, words) for words in commands(block.text))


def find_command(words, place):
    """The command that some words begin with, which may stand in a group, and the words after its name."""
    found, rest = APP, list(words)
    while hasattr(found, "commands"):
        assert rest and rest[0] in found.commands, f"{place}: there is no command {' '.join(words)}"
        found = found.commands[rest.pop(0)]
    return found, rest


@pytest.mark.parametrize(("place", "words"), list(calls()), ids=lambda part: part if isinstance(part, str) else None)
def test_every_command_in_a_shell_block_is_accepted(place, words):
    command, rest = find_command(words, place)
    with command.make_context(command.name, rest):
        pass  # unknown options and wrong values are refused before anything is run


def test_there_are_shell_blocks_to_check():
    assert len(list(calls())) > 10


@pytest.mark.parametrize("page", PAGES)
def test_every_command_in_the_text_exists(page):
    for code in re.findall(r"`gradcascade ([^`]+)`", prose(page)):
        words = code.split()
        if words[0] in ("COMMAND", "...") or words[0].startswith("-"):
            continue
        command, rest = find_command(words, page)
        known = {option for parameter in command.params for option in parameter.opts + parameter.secondary_opts}
        for word in rest:
            option = word.strip("[]").partition("=")[0]
            assert not option.startswith("--") or option in known | {"--help"}, f"{page}: gradcascade {code}"


@pytest.mark.parametrize("page", PAGES)
def test_every_target_of_make_exists(page):
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    shell = "\n".join(block.text for block in blocks(page) if block.language == "sh")
    named = re.findall(r"`make (\w+)`", prose(page)) + re.findall(r"^make (\w+)", shell, re.MULTILINE)
    assert set(named) <= targets


@pytest.mark.parametrize("page", PAGES)
def test_every_toml_block_is_a_plan_a_quarantine_or_the_default_experiment(page, tmp_path):
    for number, block in enumerate(block for block in blocks(page) if block.language == "toml"):
        path = tmp_path / f"{number}.toml"
        path.write_text(block.text, encoding="utf-8")
        content = tomllib.loads(block.text)
        if "snapshots" in content:
            assert read_quarantine(path).entries
        elif "optimizers" in content:
            assert read_experiment(path) == ExperimentPlan()  # the page shows the default one
        elif "families" in content or "nulls" in content:
            assert read_plan(path)


@pytest.mark.parametrize("page", PAGES)
def test_every_file_of_the_repository_that_is_named_exists(page):
    for path in re.findall(r"`((?:src|docs|tests|benchmarks)/[\w./-]+)`", prose(page)):
        assert (ROOT / path).exists(), f"{page} names {path}"
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose(page)):
        assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"
