"""`audit` of families on the imitated hub, by names, sizes and hashes alone, and `measure` that obeys it."""

import json

import pytest
from remote_runs import PICO, PYTHIA, add_pico_family, add_pythia_family, add_pythia_model, pico_gradient, saved
from sample_runs import pico_parameters

import gradcascade as gc
from gradcascade import families

STEPS = tuple(range(0, 9000, 1000))
PYTHIA_STEPS = families.family("pythia").steps or ()
WEIGHTS = "model.safetensors"


@pytest.fixture
def family(hub, at_the_hub, tmp_path):
    """A family in Pythia's layout at someone else's; the scale 160m is in shards."""
    for scale, width in PYTHIA.items():
        kind = "shards" if scale == "160m" else "whole"
        add_pythia_model(hub.repository(f"lab/neox-{scale}"), width, STEPS, tmp_path / "files", kind)
    write_plan(tmp_path)
    return {scale: hub.repositories[f"lab/neox-{scale}"].branches for scale in PYTHIA}


def write_plan(folder, layout="pythia", field="update", names=None, **hub):
    names = names or {scale: f"lab/neox-{scale}" for scale in PYTHIA}
    lines = ["[nulls]", "kinds = []", "[[families]]", 'name = "mini"', f'fields = ["{field}"]', "[families.hub]"]
    lines += [f'layout = "{layout}"', *(f"{key} = {value}" for key, value in hub.items())]
    lines += ["[families.hub.repositories]", *(f'{scale} = "{name}"' for scale, name in names.items())]
    (folder / "plan.toml").write_text("\n".join(lines) + "\n")


def plant(family):
    """Five faults, each on a scale of its own."""

    def files(scale, step):
        return family[scale][f"step{step}"][-1].files

    files("14m", 3000)[WEIGHTS] = files("14m", 2000)[WEIGHTS]
    files("31m", 4000)[WEIGHTS] = files("31m", 8000)[WEIGHTS]  # late weights
    del family["70m"]["step5000"]
    shard = "model-00001-of-00002.safetensors"
    files("160m", 6000)[shard] = files("160m", 7000)[shard]
    files("410m", 3000)[WEIGHTS] = files("410m", 3000)[WEIGHTS][:-500]


FOUND = {
    ("fault", "identical-files", "14m", (2000, 3000)),
    ("fault", "identical-files", "31m", (4000, 8000)),
    ("fault", "missing-step", "70m", (5000,)),
    ("fault", "identical-shard", "160m", (6000, 7000)),
    ("fault", "odd-size", "410m", (3000,)),
}
SPOILED = {
    *(("14m", step) for step in (2000, 3000, 4000)),
    *(("31m", step) for step in (4000, 5000, 8000)),
    ("70m", 6000),
    *(("160m", step) for step in (6000, 7000, 8000)),
    *(("410m", step) for step in (3000, 4000)),
}


def findings(out):
    (told,) = json.loads(out)["families"]
    return {(f["severity"], f["code"], f["scale"], tuple(f["steps"])) for f in told["findings"]}


def entries(out):
    (told,) = json.loads(out)["families"]
    return {(entry["scale"], entry["step"]) for entry in told["quarantine"]}


def test_a_clean_family_raises_no_alarm_and_no_weights_are_asked_for(hub, family, command):
    code, out, err = command("audit", "plan.toml")
    assert code == 0, err
    assert out.splitlines()[0].startswith(
        "mini: 5 scales, 45 steps, 63 files, "
    )  # two shards and an index make three
    assert out.splitlines()[0].endswith(" in lab/neox-14m and 4 more")
    assert out.splitlines()[1:] == [
        "  names, sizes and hashes were compared; no tensor was read",
        "  36 checks: 8 passed, 0 failed, 2 not applicable (label, known), 26 need the",
        "      tensors",
        "  nothing found",
    ]
    assert hub.asked("/resolve/|/files/") == []
    code, out, _ = command("audit", "plan.toml", "--json")
    assert (findings(out), entries(out)) == (set(), set())
    assert json.loads(out)["families"][0]["contents"] is False


def test_planted_faults_are_found_by_the_listing_and_left_out(hub, family, command, tmp_path):
    plant(family)
    code, out, err = command("audit", "plan.toml", "--out", "S/quarantine.toml", "--json")
    assert code == 0, err
    assert hub.asked("/resolve/|/files/") == []
    assert findings(out) == FOUND
    assert entries(out) == SPOILED
    code, out, err = command("measure", "plan.toml", "--out", "S", "--json")
    outcome = json.loads(out)
    assert (code, outcome["refused"], len(outcome["quarantined"])) == (0, [], len(SPOILED)), err
    fields = {(scale, step) for scale in PYTHIA for step in STEPS[1:]} - {("70m", 5000)}
    with gc.Study.open("S") as study:
        assert set(study.cascades().select("scale", "step").rows()) == fields - SPOILED
        assert set(study.refusals().select("scale", "step").rows()) == SPOILED
    truncated = family["410m"]["step3000"][-1].sha
    assert hub.asked(f"neox-410m/resolve/{truncated}") == []


def test_a_step_that_was_asked_for_and_is_missing_spoils_both_its_differences(hub, family, command, tmp_path):
    plant(family)
    write_plan(tmp_path, steps=list(STEPS))
    code, out, _ = command("measure", "plan.toml", "--out", "S", "--json")
    told = json.loads(out)["refused"]
    assert code == 2 and sum("70m, step 5000" in line or "70m, step 6000" in line for line in told) == 2
    code, out, err = command("audit", "plan.toml", "--out", "q.toml", "--json")
    assert (code, findings(out)) == (0, FOUND), err
    assert entries(out) == SPOILED | {("70m", 5000)}
    before = hub.asked("/files/")
    code, out, err = command("measure", "plan.toml", "--out", "S", "--quarantine", "q.toml", "--json")
    outcome = json.loads(out)
    assert (code, outcome["refused"]) == (0, []) and len(outcome["quarantined"]) == len(SPOILED) + 1, err
    assert hub.asked("/files/") == before
    with gc.Study.open("S") as study:  # in quarantine now, whatever it was refused for before
        assert all(reason.startswith("in quarantine: ") for reason in study.refusals()["reason"])


def test_steps_that_were_chosen_have_no_schedule(family, command, tmp_path):
    write_plan(tmp_path, steps=[0, 1000, 2000, 3000, 4000, 6000, 8000])
    code, out, _ = command("audit", "plan.toml", "--json")
    assert (code, findings(out)) == (0, set())


def test_a_branch_without_files_spoils_both_its_differences(family, command):
    for name in list(family["31m"]["step3000"][-1].files):
        del family["31m"]["step3000"][-1].files[name]
    code, out, _ = command("audit", "plan.toml", "--json", "--out", "q.toml")
    assert (code, findings(out)) == (0, {("fault", "missing-file", "31m", (3000,))})
    assert entries(out) == {("31m", 3000), ("31m", 4000)}
    code, out, err = command("measure", "plan.toml", "--out", "S", "--quarantine", "q.toml", "--json")
    assert (code, json.loads(out)["refused"]) == (0, []), err


def test_a_dry_run_leaves_out_what_is_in_quarantine(hub, family, command, tmp_path):
    plant(family)
    words = ("measure", "plan.toml", "--out", "S", "--dry-run", "--json")
    everything = json.loads(command(*words)[1])
    assert everything["snapshots"] == 5 * 8 - 1
    assert command("audit", "plan.toml", "--out", "q.toml")[0] == 0
    code, out, err = command(*words, "--quarantine", "q.toml")
    found = json.loads(out)
    assert code == 0, err
    assert found["snapshots"] == found["cascades"] == everything["snapshots"] - len(SPOILED)
    # 14m needs 0, 1000 and 4000 to 8000; 31m 0 to 3000 and 5000 to 7000; 70m all 8; 160m 0 to 5000, three files
    # each; 410m 0 to 2000 and 4000 to 8000
    assert found["files_fetched"] == 7 + 7 + 8 + 3 * 6 + 8
    assert not (tmp_path / "S").exists() and hub.asked("/resolve/|/files/") == []


def test_known_corruption_is_told_of_the_repositories_it_was_reported_of(hub, at_the_hub, command, tmp_path):
    steps = (49_000, 50_000, 51_000, 57_000, 58_000)
    names = {scale: f"EleutherAI/pythia-{scale}" for scale in ("1.4b", "6.9b", "12b")}
    for width, name in enumerate(names.values(), 4):
        add_pythia_model(hub.repository(name), width, steps, tmp_path / "files")
    write_plan(tmp_path, names={f'"{scale}"': name for scale, name in names.items()}, steps=list(steps))
    code, out, _ = command("audit", "plan.toml", "--json")
    assert code == 0 and findings(out) == {("fault", "known", "12b", (50_000, 58_000))}
    assert entries(out) == {("12b", 50_000), ("12b", 51_000), ("12b", 58_000)}
    assert command("measure", "plan.toml", "--out", "S")[0] == 0  # without a list: it is left out by itself
    with gc.Study.open("S") as study:
        assert set(study.refusals().select("scale", "step").rows()) == entries(out)


def test_the_published_presets_raise_no_alarm(hub, at_the_hub, command, tmp_path):
    add_pythia_family(hub, PYTHIA_STEPS, tmp_path / "files")
    add_pico_family(hub, STEPS, tmp_path / "files")
    code, out, err = command("audit", "pico-lm", "--json")
    assert (code, findings(out)) == (0, set()), err
    code, out, err = command("audit", "pythia", "--json")
    assert (code, entries(out)) == (0, set()), err
    # the hashes of the first three steps differ, so that is not told; that a run went wrong is
    assert findings(out) == {("warning", "known", "410m", tuple(range(74_000, 144_000, 1000)))}
    runs = json.loads(out)["families"][0]["runs"]
    assert {run["scale"]: len(run["steps"]) for run in runs} == dict.fromkeys(PYTHIA, 154)
    assert hub.asked("/resolve/|/files/") == []


def test_a_preset_is_audited_by_its_name(hub, at_the_hub, command, tmp_path):
    for scale, width in PYTHIA.items():
        add_pythia_model(hub.repository(f"EleutherAI/pythia-{scale}-seed3"), width, (4, 8), tmp_path / "files")
    code, out, err = command("audit", "pythia", "--out", "q.toml", "--json")
    assert code == 0, err
    assert hub.asked("/resolve/|/files/") == []
    assert {kind for _, kind, _, _ in findings(out)} == {"missing-step"}
    assert len(entries(out)) == 5 * 152 and ("14m", 8) not in entries(out)
    code, out, err = command("measure", "pythia", "--out", "S", "--nulls", "", "--quarantine", "q.toml", "--json")
    assert (code, json.loads(out)["measured"], json.loads(out)["refused"]) == (0, 5, []), err
    code, _, err = command("audit", "pythia-seed3x")
    assert code == 2 and "is not a folder of runs, nor one of pico-lm, pythia, neox-pythia" in err


def test_gradients_are_audited_where_they_are_recorded(hub, at_the_hub, command, tmp_path):
    add_pico_family(hub, STEPS, tmp_path / "files")
    code, out, err = command("audit", "pico-lm", "--family", "mine")
    assert code == 0 and out.splitlines()[-1] == "  nothing found", err
    assert out.startswith("mine: 4 scales, 36 steps, 36 files, ")  # weights and val gradients are not measured
    name = "learning_dynamics/train_gradients.pt"
    history = hub.repositories["pico-lm/pico-decoder-small"].branches["pico-decoder-small-1"]
    at = {change.title: change for change in history}
    titles = [f"Saving Learning Dynamics Data (train) -- Step {step}" for step in (2000, 5000)]
    at[titles[1]].files[name] = at[titles[0]].files[name]
    code, out, _ = command("audit", "pico-lm", "--out", "q.toml", "--json")
    assert findings(out) == {("fault", "identical-files", "small", (2000, 5000))}
    assert entries(out) == {("small", 2000), ("small", 5000)}
    assert hub.asked("/resolve/|/files/") == []
    code, out, err = command("measure", "pico-lm", "--out", "S", "--nulls", "", "--quarantine", "q.toml", "--json")
    assert (code, json.loads(out)["measured"], len(json.loads(out)["quarantined"])) == (0, 4 * 9 - 2, 2), err


def test_runs_uploaded_as_folders_are_audited_below_their_folder(hub, at_the_hub, command, tmp_path):
    names = {}
    for scale, width in PICO.items():
        content = {}
        for step in STEPS:
            gradient = saved(pico_gradient(step, width), "train_gradients.pt", tmp_path / "files")
            content[f"runs/one/checkpoints/step_{step}/learning_dynamics/train_gradients.pt"] = gradient
            weights = saved(pico_parameters(step, 2, width), WEIGHTS, tmp_path / "files")
            content[f"runs/one/checkpoints/step_{step}/{WEIGHTS}"] = weights
        if scale == "medium":
            kept = "runs/one/checkpoints/step_3000/learning_dynamics/train_gradients.pt"
            content[kept.replace("step_3000", "step_4000")] = content[kept]
        hub.repository(f"lab/{scale}").commit("main", "upload", content)
        names[scale] = f"lab/{scale}@main:runs/one"
    write_plan(tmp_path, "pico-lm", "gradient", names)
    requests = len(hub.requests)
    code, out, err = command("audit", "plan.toml", "--json")
    assert code == 0, err
    (found,) = json.loads(out)["families"][0]["findings"]
    assert (found["code"], found["files"]) == ("identical-files", ["learning_dynamics/train_gradients.pt"])
    assert entries(out) == {("medium", 3000), ("medium", 4000)}
    assert hub.asked("/resolve/|/files/") == []
    assert len(hub.requests) - requests < 4 * 10  # one listing, in pages, for all steps


def test_a_folder_and_a_hub_are_audited_side_by_side(hub, family, command, tmp_path):
    for scale, width in (("a", 4), ("b", 6), ("c", 8)):
        for step in STEPS:
            folder = tmp_path / "runs" / scale / f"step{step}"
            folder.mkdir(parents=True)
            for name, content in family[{4: "14m", 6: "31m", 8: "70m"}[width]][f"step{step}"][-1].files.items():
                (folder / name).write_bytes(content)
    text = (tmp_path / "plan.toml").read_text()
    (tmp_path / "plan.toml").write_text(text + '[[families]]\nname = "here"\npath = "runs"\nfields = ["update"]\n')
    code, out, err = command("audit", "plan.toml", "--json")
    told = json.loads(out)["families"]
    assert code == 0 and [(f["family"], f["contents"]) for f in told] == [("mini", False), ("here", True)], err


def test_without_a_network_an_audit_is_one_sentence(at_the_hub, command, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    code, out, err = command("audit", "pythia")
    assert (code, out) == (2, "") and "http://127.0.0.1:9 cannot be reached" in err
