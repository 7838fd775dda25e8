"""CSV with the place of each cell (RFC 4180): Python's reader tells rows, and people want the column too."""

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell's text and where it begins, both from 1."""

    text: str
    line: int
    column: int


class CsvSyntaxError(ValueError):
    """A row that is no CSV; ``line`` and ``column`` say where."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.line, self.column = line, column


def rows_of(text: str) -> Iterator[list[Cell]]:
    """Yield the rows of a CSV text that have any text in them.

    The separator is the one of comma, semicolon and tab that the first line has most of. A quoted cell may hold
    separators, line breaks and doubled quotes. Raises CsvSyntaxError.
    """
    separator = _separator(text)
    # Quoted, or plain up to the separator; an empty cell is plain.
    cell_pattern = re.compile(rf'"((?:[^"]|"")*)"|((?!")[^\r\n{separator}]*)')
    at, line, line_start, row = 0, 1, 0, list[Cell]()
    while at < len(text):
        match = cell_pattern.match(text, at)
        column = at - line_start + 1
        if match is None:
            raise CsvSyntaxError("a quoted cell does not end", line, column)
        quoted = match[1]
        row.append(Cell(match[2] if quoted is None else quoted.replace('""', '"'), line, column))
        if quoted is not None and "\n" in quoted:
            line += quoted.count("\n")
            line_start = text.rfind("\n", at, match.end()) + 1
        at = match.end()
        if at < len(text) and text[at] == separator:
            at += 1
            if at < len(text):
                continue
            row.append(Cell("", line, at - line_start + 1))
        elif at < len(text) and text[at] not in "\r\n":
            raise CsvSyntaxError("a quote must be doubled inside a quoted cell", line, at - line_start + 1)
        at += 2 if text.startswith("\r\n", at) else 1
        if any(cell.text.strip() for cell in row):
            yield row
        line, line_start, row = line + 1, at, []


def _separator(text: str) -> str:
    end = min((found for found in (text.find("\n"), text.find("\r")) if found >= 0), default=len(text))
    header = text[:end]
    return max(",;\t", key=header.count)
