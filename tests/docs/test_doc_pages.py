from doc_pages import PAGES, ROOT, blocks, prose


def test_every_kind_of_block_is_known():
    known = {"", "python", "sh", "toml", "text", "{eval-rst}", "{toctree}"}
    assert {block.language for page in PAGES for block in blocks(page)} <= known


def test_blocks_are_found_with_their_places():
    first = next(block for block in blocks("README.md") if block.language == "python")
    assert (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[first.line - 1] == first.text.splitlines()[0]
    assert "```" not in prose("README.md")
