from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from gradcascade.report import bundle as bundling
from gradcascade.report import words
from gradcascade.report.bundle import ASSETS, SCRIPTS, bundle, scripts
from gradcascade.report.data import ReportData
from gradcascade.report.page import write_report


def test_every_script_is_joined_once() -> None:
    files = [entry.name for entry in ASSETS.iterdir() if entry.name.endswith(".js")]
    assert set(files) == {f"{name}.js" for name in (*SCRIPTS, "main")}
    assert len(set(scripts())) == len(scripts()) and scripts()[-1] == "main"


def test_every_chart_has_a_script_and_words() -> None:
    names = [name.removeprefix("charts/") for name in scripts() if name.startswith("charts/")]
    assert sorted(names) == sorted(chart.name for chart in words.charts()) and len(names) == 9
    for name in names:
        assert f'addChart("{name}", {{' in ASSETS.joinpath("charts", f"{name}.js").read_text(encoding="utf-8")


@pytest.mark.usefixtures("no_figures")
def test_a_chart_is_a_script_and_an_entry_of_words(
    data: ReportData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(str(ASSETS), tmp_path / "assets")
    (tmp_path / "assets" / "charts" / "toy.js").write_text(
        'addChart("toy", { describe: () => null, rows: () => [] });'
    )
    text = words.FOLDER.joinpath("charts.toml").read_text(encoding="utf-8")
    shutil.copytree(str(words.FOLDER), tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.py", "__*"))
    (tmp_path / "charts.toml").write_text(
        f'{text}\n[charts.toy]\ntitle = "A toy"\nseen = "Toys."\nhow = ["@means"]\n'
    )
    monkeypatch.setattr(bundling, "ASSETS", tmp_path / "assets")
    monkeypatch.setattr(words, "FOLDER", tmp_path)
    for cached in (bundle, words.charts, words._read):
        cached.cache_clear()
    try:
        page = write_report(data, tmp_path / "report").read_text(encoding="utf-8")
    finally:
        for cached in (bundle, words.charts, words._read):
            cached.cache_clear()
    assert 'data-chart="toy"' in page and "A toy" in page and 'addChart("toy"' in page


def test_nothing_of_modules_is_left_and_nothing_ends_the_element() -> None:
    joined = bundle()
    assert not re.search(r"^(import|export)\b", joined.script, re.MULTILINE)
    for text in (joined.script, joined.library):
        assert "</script" not in text.lower()
        assert "<!--" not in text
    assert "</style" not in joined.style.lower()


def test_names_at_the_top_of_the_scripts_are_unique_since_they_share_one_function() -> None:
    pattern = r"^(?:export )?(?:async )?(?:function|const|let|class) ([\w$]+)"
    names = [
        name
        for script in scripts()
        for name in re.findall(pattern, ASSETS.joinpath(f"{script}.js").read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert sorted(set(names)) == sorted(names)


def test_the_scripts_make_no_markup_of_text_and_ask_for_nothing() -> None:
    for name in scripts():
        text = ASSETS.joinpath(f"{name}.js").read_text(encoding="utf-8")
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "fetch(", "XMLHttp"):
            assert word not in text, (name, word)


def test_the_library_stands_beside_its_licence() -> None:
    licence = ASSETS.joinpath("uplot", "LICENSE").read_text(encoding="utf-8")
    assert "MIT" in licence and "Leon Sorokin" in licence
