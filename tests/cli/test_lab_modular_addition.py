import pytest
from typer.testing import CliRunner

from gradcascade.cli.main import app
from gradcascade.errors import InputError


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--quick", "--seeds", "2"], "--quick has settings of its own; leave out --quick, or the options beside it"),
        (["--near", "200"], "--near 200 asks for more steps than runs make after it; raise --after 150"),
        (["--widths", "24,31,48"], "lab modular-addition: model width 31 is not a multiple of the 4 heads"),
        (["--widths", "24;48"], "--widths takes whole numbers separated by commas, such as 24,48,96, not '24;48'"),
        (["--prime", "60"], r"lab modular-addition: prime: it must be an odd prime, such as 59"),
        (["--graph", "tree"], "tree"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_anything_is_made(options, words, tmp_path):
    result = CliRunner().invoke(app, ["lab", "modular-addition", "--out", str(tmp_path / "out"), *options])
    assert isinstance(result.exception, InputError) and words in str(result.exception)
    assert not (tmp_path / "out").exists()
