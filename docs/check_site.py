"""Check a built site: every link inside it leads somewhere, and no page fetches anything from outside."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHED = {
    ("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("source", "srcset"), ("video", "src"),
    ("audio", "src"), ("embed", "src"), ("object", "data"), ("img", "srcset"), ("form", "action"), ("use", "href"),
}  # fmt: skip
"""Attributes whose address a browser fetches by itself (or sends a form to)."""

LOADED_LINKS = {
    "stylesheet",
    "icon",
    "preload",
    "prefetch",
    "preconnect",
    "dns-prefetch",
    "modulepreload",
    "manifest",
}


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.linked: list[str] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the addresses and names of a tag."""
        given = {name: value or "" for name, value in attrs}
        self.names |= {given[name] for name in ("id", "name") if name in given}
        for name, value in given.items():
            if (tag, name) in FETCHED:
                self.fetched.append(value)
            if name == "style":
                self.fetched += re.findall(r"url\(['\"]?([^)'\"]+)", value)
        if tag == "link" and LOADED_LINKS & set(given.get("rel", "").split()):
            self.fetched.append(given.get("href", ""))
        if tag == "a" and "href" in given:
            self.linked.append(given["href"])


def complaints(site: Path) -> list[str]:
    """Say what is wrong with a site.

    Parameters
    ----------
    site : pathlib.Path
        Folder with its ``index.html``.

    Returns
    -------
    list of str
        A line for every address that is fetched from outside, and every link within the site that leads nowhere.
    """
    pages = {path: _Page() for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        page.feed(path.read_text(encoding="utf-8"))
    found = [] if pages else [f"{site} holds no page"]
    for path, page in pages.items():
        here = path.relative_to(site)
        found += [f"{here} fetches {address}" for address in page.fetched if _outside(address)]
        inside = [address for address in (*page.fetched, *page.linked) if not _outside(address)]
        found += [f"{here} leads nowhere: {address}" for address in inside if not _leads(path, address, pages)]
    for path in sorted(site.rglob("*.css")):
        text = path.read_text(encoding="utf-8")
        addresses = re.findall(r"url\(\s*['\"]?([^)'\"]+)", text) + re.findall(r"@import\s+['\"]([^'\"]+)", text)
        found += [f"{path.relative_to(site)} fetches {address}" for address in addresses if _outside(address)]
    return found


def _outside(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme not in ("", "data")


def _leads(path: Path, address: str, pages: dict[Path, _Page]) -> bool:
    parts = urlsplit(address)
    if parts.scheme == "data":
        return True
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
    if target.is_dir():
        target /= "index.html"
    page = pages.get(target)
    if page is None:
        return target.is_file()
    return not parts.fragment or unquote(parts.fragment) in page.names


if __name__ == "__main__":
    wrong = complaints(Path(sys.argv[1]).resolve())
    print("\n".join(wrong) or f"{sys.argv[1]}: nothing is fetched from outside, every link leads somewhere")
    sys.exit(bool(wrong))
