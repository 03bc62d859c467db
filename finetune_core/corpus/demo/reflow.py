"""Undo the hard wrapping of a topic: paragraphs and table rows become lines, code stays as it is."""

import re
from collections.abc import Iterable, Iterator

_UNDERLINE = re.compile(r"^([*=\-~^])\1{2,}$")
_ITEM = re.compile(r"^(\s*)((?:[*•]|\d+[.)])\s+)")
_RULE = re.compile(r"^\s*[+|][-=+|]{3,}[+|]$")
_LEVELS = "*=-~^"


def heading_level(line: str, underline: str) -> int:
    """1 for a topic's title, 2 and up for the headings below it, 0 if `line` over `underline` is no heading."""
    match = _UNDERLINE.match(underline)
    if not match or not line.strip() or line.startswith(" ") or len(underline) < min(len(line), 3):
        return 0
    return _LEVELS.index(match[1]) + 1


def reflow(lines: Iterable[str]) -> list[str]:
    """The lines of a section with each paragraph, list item and table row on one line; blank lines stay between blocks."""
    result: list[str] = []
    opens_code = False
    for block in _blocks(lines):
        code = _is_code(block, opens_code)
        if result:
            result.append("")
        if code:
            result.extend(block)
        elif _RULE.match(block[0]):
            result.extend(_table_rows(block))
        else:
            result.extend(_paragraphs(block))
        # A paragraph that ends in a colon announces code; what follows the code is prose again.
        opens_code = not code and result[-1].endswith(":") and not _ITEM.match(result[-1])
    return result


def _blocks(lines: Iterable[str]) -> Iterator[list[str]]:
    block: list[str] = []
    for line in lines:
        if line.strip():
            block.append(line.rstrip())
        elif block:
            yield block
            block = []
    if block:
        yield block


def _is_code(block: list[str], announced: bool) -> bool:
    if _RULE.match(block[0]) or _ITEM.match(block[0]):
        return False
    first = block[0].lstrip()
    if first.startswith((">>>", "...", "(Pdb)")) or any("::=" in line for line in block):
        return True
    prose = re.match(r"^[A-Z“][\w’,]* [a-z*\"“]", first) and len(block) > 1
    return announced and block[0].startswith("   ") and not prose


def _paragraphs(block: list[str]) -> list[str]:
    result: list[str] = []
    indent = -1
    for line in block:
        item = _ITEM.match(line)
        own = len(line) - len(line.lstrip())
        if item or own != indent:
            result.append(line)
            indent = len(item[0]) if item else own
        else:
            result[-1] = _joined(result[-1], line.strip())
    return result


def _joined(head: str, tail: str) -> str:
    # Wrapping also breaks words at their hyphens ("left-" / "hand"), where no space belongs.
    glue = "" if re.search(r"\w-$", head) and re.match(r"[a-z\d]", tail) else " "
    return head + glue + tail


def _table_rows(block: list[str]) -> list[str]:
    rows: list[str] = []
    cells: list[str] = []
    for line in block:
        if _RULE.match(line):
            if any(cells):
                rows.append(": ".join(cell for cell in cells if cell))
            cells = []
            continue
        parts = [part.strip() for part in re.split(r"(?<=\s)\|(?=\s|$)|^\s*\|(?=\s)", line.strip())[1:-1]]
        if not cells:
            cells = parts
        elif len(parts) == len(cells):
            cells = [
                _joined(cell, part) if part and cell else cell or part for cell, part in zip(cells, parts, strict=True)
            ]
    return rows
