import subprocess
import sys

import pytest

from gradcascade import families
from gradcascade.errors import InputError
from gradcascade.families.files import VARIABLE

TOY = """
name = "toy"
title = "A toy family"
layout = "pythia"
fields = ["update"]
repository = "someone/toy-{scale}"
steps = [0, "10:30:10"]
window = [10, 20]
[scales]
a = { entries = 10 }
b = { entries = 20 }
[verified]
state = "measured"
evidence = "by a test"
"""


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return tmp_path


def test_the_published_families_are_all_there():
    published = ["pico-lm", "pythia", "neox-pythia", "pythia-deduped", "pythia-gradients", "polypythias"]
    published = [*published, "pythia-suite"]
    assert list(families.families()) == [*published, "datadecide", "olmo-2", "gemstones", "smollm2"]
    others = [f"pythia-seed{seed}" for seed in range(1, 10)]
    corpora = [f"datadecide-{corpus}" for corpus in families.family("datadecide").variants]
    assert list(families.presets()) == [*families.families(), *others, *corpora] and len(corpora) == 25
    pico, pythia = families.family("pico-lm"), families.family("pythia")
    assert pico.window == (5000, 60000) and pythia.window == (4000, 73000)
    assert pico.repositories()["large"] == "pico-lm/pico-decoder-large@pico-decoder-large-1"
    assert pythia.repositories()["410m"] == "EleutherAI/pythia-410m-seed3"
    assert pythia.repositories("9")["14m"] == "EleutherAI/pythia-14m-seed9"
    assert pythia.steps is not None and len(pythia.steps) == 154 and pythia.steps[9:13] == (256, 512, 1000, 2000)
    assert pico.steps is None and pico.steps_known == 125
    assert [n // 64 for n in pico.entries.values()] == [width**2 for width in (96, 384, 768, 1536)]


def test_a_family_that_is_like_another_takes_over_what_it_does_not_give():
    deduped, pythia = families.family("pythia-deduped"), families.family("pythia")
    assert deduped.window == pythia.window and deduped.schedule == pythia.schedule and deduped.scales == pythia.scales
    assert deduped.repositories()["70m"] == "EleutherAI/pythia-70m-deduped"
    assert deduped.published is None and deduped.presets == {"pythia-deduped": ("0",)}


def test_a_family_is_found_by_its_repositories_and_else_by_its_name():
    assert families.family_of("mine", {"a": "EleutherAI/pythia-14m-seed7"}) is families.family("pythia")
    assert families.family_of("mine", {"a": "pico-lm/pico-decoder-tiny@main"}) is families.family("pico-lm")
    assert families.family_of("pythia", {"a": "someone/else"}) is None
    assert families.family_of("pythia-seed4") is families.family("pythia") and families.family_of("mine") is None


def test_runs_and_variants_are_part_of_the_places():
    poly, data = families.family("polypythias"), families.family("datadecide-falcon")
    assert families.presets()["polypythias"] == (poly, tuple("123456789")) and poly.window == (4000, 73000)
    assert (
        data.repositories("small-aux-2", "falcon")["4M"] == "allenai/DataDecide-falcon-4M@step{step}-seed-small-aux-2"
    )
    assert "1B" not in data.repositories("small-aux-2") and "4M" not in data.repositories("large-aux-2")
    assert data.variant("datadecide") == "c4" and data.variant("datadecide-falcon") == "falcon"
    # Some repositories are of two families: the one whose name is used is meant.
    nine = [f"EleutherAI/pythia-70m-seed{seed}" for seed in range(1, 10)]
    assert families.family_of("polypythias", nine) is poly and families.family_of("x", nine) is families.family(
        "pythia"
    )
    assert families.chosen_tensors("allenai/OLMo-2-1124-7B") == ("model.layers.*.self_attn.o_proj.weight",)
    assert families.chosen_tensors("EleutherAI/pythia-70m-seed3") == () == families.chosen_tensors("someone/else")


def test_entries_of_chosen_tensors_follow_from_the_shapes():
    # Layers and widths from the public configurations; all parameters of DataDecide's from its ladder code.
    widths = {"4M": 64, "6M": 96, "8M": 128, "10M": 144, "14M": 192, "16M": 208, "20M": 192, "60M": 384, "90M": 528}
    whole = {"4M": 3_744_832, "6M": 6_010_464, "8M": 8_538_240, "10M": 9_900_432, "14M": 14_380_224}
    whole |= {"16M": 16_004_560, "20M": 19_101_888, "60M": 57_078_144, "90M": 97_946_640}
    for scale, width in widths.items():
        assert families.family("datadecide").entries[scale] + width + 50_304 * width == whole[scale]
    smol = families.family("smollm2").entries
    for scale, width, all_parameters in (
        ("135M", 576, 134_515_008), ("360M", 960, 361_821_120), ("1.7B", 2048, 1_711_376_384)
    ):  # fmt: skip
        assert smol[scale] + 49_152 * width + width == all_parameters
    assert families.family("olmo-2").entries == {
        name: layers * width**2
        for name, width, layers in (("1B", 2048, 16), ("7B", 4096, 32), ("13B", 5120, 40), ("32B", 5120, 64))
    }


def test_an_unknown_family_is_refused_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'pythia'"):
        families.family("phytia")
    with pytest.raises(InputError, match="known: pico-lm, pythia"):
        families.family("zzz")


def test_entries_are_known_by_repository():
    assert families.expected_entries("EleutherAI/pythia-14m-seed3") == 14_067_712
    assert families.expected_entries("pico-lm/pico-decoder-tiny") == 589_824
    assert families.expected_entries("someone/else") is None


def test_a_fault_says_whom_it_concerns_and_where_it_was_reported():
    faults = families.all_faults()
    late = next(fault for fault in faults if fault.code == "late-weights")
    assert late.concerns("EleutherAI/pythia-2.8b") and not late.concerns("EleutherAI/pythia-2.8b-deduped")
    assert late.concerns_name("pythia-2.8b") and len(late.steps) == 85
    assert late.urls == tuple(f"https://github.com/EleutherAI/pythia/issues/{number}" for number in (205, 195))
    outliers = {name for fault in faults if fault.code == "outlier-run" for name in fault.repositories}
    assert outliers == {"EleutherAI/pythia-410m-seed3", "EleutherAI/pythia-410m-seed4"}


def test_a_folder_of_the_user_adds_a_family_with_one_file(folder):
    (folder / "toy.toml").write_text(TOY)
    toy = families.family("toy")
    assert toy.steps == (0, 10, 20, 30) and toy.entries == {"a": 10, "b": 20}
    assert toy.repositories() == {"a": "someone/toy-a", "b": "someone/toy-b"}
    assert families.expected_entries("someone/toy-b") == 20 and "toy" in families.presets()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('title = "A toy family"', 'titel = "A toy family"', "unknown key 'titel'; did you mean 'title'"),
        ("entries = 10", "entris = 10", "unknown key 'scales.a.entris'"),
        ('layout = "pythia"', "", "the key 'layout' is missing"),
        ("10:30:10", "10-30", "not a range of steps"),
        ("window = [10, 20]", "window = [20, 10]", "ends at 10 before it starts at 20"),
        ("toy-{scale}", "toy-{size}", "the unknown part {size}"),
        ('repository = "someone/toy-{scale}"', "", "neither repository, a pattern"),
        ("toy-{scale}", "toy-{scale}-{variant}", "variants and a repository with {variant} go together"),
        ("{ entries = 10 }", '{ runs = ["7"] }', "the scale 'a' has the run '7', which is not one of runs"),
        ('state = "measured"', 'state = "sure"', "verified.state"),
        ('title = "A toy family"', "like = 'nobody'", "there is no such family"),
        ('name = "toy"', 'name = "pythia"', "describes the family 'pythia', and so does"),
        ('layout = "pythia"', "layout = ", "is not a TOML file"),
    ],
)
def test_a_mistake_in_a_file_is_said_in_one_sentence(folder, old, new, said):
    (folder / "toy.toml").write_text(TOY.replace(old, new))
    with pytest.raises(InputError) as told:
        families.families()
    assert said in str(told.value) and "toy.toml" in str(told.value) and "\n" not in str(told.value)


def test_two_families_with_one_preset_and_a_missing_folder_are_refused(monkeypatch, folder):
    (folder / "toy.toml").write_text(TOY.replace("[scales]", 'run_preset = "pythia-seed1"\n[scales]'))
    with pytest.raises(InputError, match="can both be measured as 'pythia-seed1'"):
        families.families()
    monkeypatch.setenv(VARIABLE, str(folder / "nowhere"))
    with pytest.raises(InputError, match="is not a folder"):
        families.families()


def test_reading_takes_no_tables_and_no_compiler():
    heavy = ("polars", "numba", "numpy")
    code = f"import sys, gradcascade.families as f; f.families(); print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
