import json

import pytest
from typer.testing import CliRunner

from gradcascade.cli.main import app
from gradcascade.errors import InputError

HEAD = "model,step,n,size,duration\n"


def merge(*arguments):
    return CliRunner().invoke(app, ["merge", *map(str, arguments)], catch_exceptions=False)


def test_a_table_is_merged_by_the_names_of_its_columns(tmp_path):
    (tmp_path / "mine.csv").write_text(HEAD + "s,0,100,13,2\nm,0,800,90,3\n")
    options = ("--out", tmp_path / "study", "--column", "scale=model", "--field", "gradient")
    done = merge(tmp_path / "mine.csv", *options, "--json")
    said = json.loads(done.stdout)
    assert (said["cascades"], said["doubles"], said["missing"]) == (2, 0, [])
    with pytest.raises(InputError, match="holds something already"):
        merge(tmp_path / "mine.csv", *options)
    with pytest.raises(InputError, match="--field is for tables"):
        merge(tmp_path / "study", "--out", tmp_path / "other", "--field", "gradient")
    with pytest.raises(InputError, match="join studies, or tables"):
        merge(tmp_path / "study", tmp_path / "mine.csv", "--out", tmp_path / "other")
    done = merge(tmp_path / "study", tmp_path / "study", "--out", tmp_path / "other")
    assert done.stdout.startswith(f"2 cascades in {tmp_path / 'other'}; 2 stood in several and are kept once\n")


@pytest.mark.parametrize("pair", ["scale", "=model", "scale="])
def test_a_column_is_named_by_a_pair(tmp_path, pair):
    (tmp_path / "mine.csv").write_text(HEAD)
    with pytest.raises(InputError, match="NAME=COLUMN, such as scale=model"):
        merge(tmp_path / "mine.csv", "--out", tmp_path / "study", "--column", pair)
