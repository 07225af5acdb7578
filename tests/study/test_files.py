import pytest

from gradcascade.study.files import write_whole


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "plan.toml"
    for text in ("first\n", "ζ second\n"):
        write_whole(path, text)
        assert path.read_text(encoding="utf-8") == text
        assert [file.name for file in tmp_path.iterdir()] == ["plan.toml"]


def test_a_failure_leaves_the_earlier_file(tmp_path):
    path = tmp_path / "plan.toml"
    write_whole(path, "first\n")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "\ud800")  # no letter, so it cannot be written
    assert path.read_text(encoding="utf-8") == "first\n"
    assert [file.name for file in tmp_path.iterdir()] == ["plan.toml"]
