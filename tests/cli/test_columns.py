from gradcascade.cli.columns import cells, table


def test_wide_cells_never_run_together():
    lines = table(
        [["field", "", "D", "z"], ["mean_gradient", "in_tensor", "-123.456±100.123", "-0.1±0.2"]], [10, 6, 14, 14], 2
    )
    assert lines[1].split() == ["mean_gradient", "in_tensor", "-123.456±100.123", "-0.1±0.2"]
    ends = [line.index(word) + len(word) for line, word in zip(lines, ("D", "-123.456±100.123"), strict=True)]
    assert ends == [15 + 11 + 18] * 2
    assert cells(("-123.456 [-130.000, +10.000]", 24), ("next", 4)) == "-123.456 [-130.000, +10.000]  next"


def test_cells_that_fit_have_the_widths_that_were_given():
    assert table([["update", "real", "0.123±0.456"]], [10, 6, 14], 2) == ["update    real     0.123±0.456"]
    assert cells(("a", 3), ("b", 3), ("", 0)) == "a  b"
