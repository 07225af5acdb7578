"""SVG files made fit to stand inside a page, several of them side by side."""

import re
from pathlib import Path
from xml.etree import ElementTree

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
REFERENCE = re.compile(r"url\(#([^)]*)\)")
SMALLEST, LARGEST = 1.1, 1.55


def inline_svg(path: Path, prefix: str, label: str) -> str:
    """A figure's SVG as an element that a page scales: ids get a prefix, its style sheet becomes an attribute."""
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    root = ElementTree.parse(path).getroot()
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        _rename(element, prefix)
    width = float(root.attrib["viewBox"].split()[2])
    for name in ("width", "height"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    root.set("aria-label", label)
    size = f"width: {LARGEST * width:.0f}px; max-width: 100%; min-width: {SMALLEST * width:.0f}px; height: auto"
    root.set("style", f"stroke-linejoin: round; stroke-linecap: butt; {size}")
    return ElementTree.tostring(root, encoding="unicode")


def _rename(element: ElementTree.Element, prefix: str) -> None:
    for name, value in element.attrib.items():
        if name == "id":
            element.set(name, f"{prefix}-{value}")
        elif name in ("href", f"{{{XLINK}}}href") and value.startswith("#"):
            element.set(name, f"#{prefix}-{value[1:]}")
        elif "url(#" in value:
            element.set(name, REFERENCE.sub(rf"url(#{prefix}-\1)", value))
