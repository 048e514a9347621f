from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.terminal.table import EMPTY, Column, State, Table, fields, plain_lines, texts, widths

COLUMNS = (Column("SERVICE"), Column("STATE"), Column("CAUSE", "cut"))
TABLE = Table(COLUMNS, (("s3", State("failure", "bad"), "it failed"), ("eventbridge", State("success", "good"), "")))

words = st.text("ab\x1b[ é", max_size=12)
tables = st.lists(st.tuples(words, words, words)).map(lambda rows: Table(COLUMNS, tuple(rows)))


def test_a_table() -> None:
    """Columns are aligned below their titles, words stand without signs, and an empty cell has a mark."""
    assert list(plain_lines(TABLE)) == [
        "SERVICE      STATE    CAUSE",
        "s3           failure  it failed",
        "eventbridge  success  -",
    ]


def test_rows_that_come_later() -> None:
    """Lines that are printed later can be as wide as those before them."""
    later = Table(COLUMNS, (("s3", "x", "y"),), has_titles=False)
    assert list(plain_lines(later, at_least=widths(TABLE))) == ["s3           x        y"]


def test_what_is_known_of_one_thing() -> None:
    """Names stand before their values, and what is empty is left out."""
    known = fields([("Service", "s3"), ("Cause", ""), ("State", State("failure", "bad"))])
    assert list(plain_lines(known)) == ["Service:  s3", "State:    failure"]


@given(tables)
def test_whatever_the_cells_hold(table: Table) -> None:
    """Each row is one printable line, and each cell stands where its column does."""
    title, *lines = plain_lines(table)
    assert len(lines) == len(table.rows)
    starts = [title.index(column.title) for column in COLUMNS]
    for line, row in zip(lines, texts(table), strict=True):
        assert line.isprintable()
        for start, cell in zip(starts, row, strict=True):
            assert cell
            assert line[start:].startswith(cell)


@given(tables)
def test_programs_that_split_lines(table: Table) -> None:
    """No cell is empty, so that columns can be counted."""
    assert all(cell == EMPTY or cell.strip() for row in texts(table) for cell in row)
