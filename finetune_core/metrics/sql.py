"""Queries compared: by the rows they give, by their text once normalised, and how hard a question is.

Results are compared as the test-suite evaluation of Spider does (Zhong et al., Semantic Evaluation for Text-to-SQL with
Distilled Test Suites, 2020): equal as multisets of rows, or as lists where the right query orders them, with the columns
in any order. Two things differ from it: numbers are compared as numbers, to ten digits, and DISTINCT is never taken out of
either query, so a query that forgets it counts as wrong where that can be seen.

Difficulty is that of Yu et al., Spider: A Large-Scale Human-Labeled Dataset, 2018, counted on the tree of the right query.
"""

import math
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify

Row = Sequence[Any]

_DIGITS = 10
_MAX_STEPS = 20_000
"""How many ways of pairing columns are tried at most; only results with many columns of equal values need more than a few."""


class Difficulty(StrEnum):
    """How hard a question is, by the parts of the query that answers it."""

    EASY = "easy"
    MEDIUM = "medium"
    HARD = "hard"
    EXTRA = "extra"


def results_match(right: Sequence[Row], given: Sequence[Row], *, is_ordered: bool) -> bool:
    """Whether two results are equal, in whatever order their columns are.

    Rows count as often as they come up; their order counts if `is_ordered`. Two empty results are equal.
    """
    if len(right) != len(given):
        return False
    if not right:
        return True
    if len(right[0]) != len(given[0]):
        return False
    rows, others = _comparable(right), _comparable(given)
    columns, other_columns = list(zip(*rows, strict=True)), list(zip(*others, strict=True))
    if is_ordered:
        return Counter(columns) == Counter(other_columns)
    return Counter(rows) == Counter(others) or _can_be_paired(columns, other_columns)


def difficulty(sql: str, dialect: str = "sqlite") -> Difficulty | None:
    """How hard the question is that `sql` answers, None if it cannot be parsed.

    What counts is the outermost SELECT, the left one of a UNION, with the queries nested in its conditions; Spider counts
    so too. As in its script, an aggregate in HAVING does not count, and a NOT in WHERE counts as if it were one.
    """
    query = _parsed(sql, dialect)
    if query is None:
        return None
    main, num_sets = _leftmost(query)
    if main is None:
        return None
    return _level(_num_keywords(main), _num_nested(main) + num_sets, _num_other(main))


def orders_rows(sql: str, dialect: str = "sqlite") -> bool:
    """Whether the query says in which order its rows come: an ORDER BY of its own, not one inside a part of it."""
    query = _parsed(sql, dialect)
    return query is not None and query.args.get("order") is not None


def normalised(sql: str, schema: Mapping[str, Sequence[str]], dialect: str = "sqlite") -> str | None:
    """The query so that texts that mean the same by their form alone are equal; None if it cannot be parsed.

    Upper and lower case, quotes, spaces and comments, the names given to tables and results, tables left out before a
    column, the order of conditions joined by AND or OR, and the sides of = play no part; values do. `schema` maps each
    table to its columns; without it, a column without its table stays so.
    """
    query = _parsed(sql, dialect)
    if query is None:
        return None
    lowered = {table.lower(): {column.lower(): "text" for column in columns} for table, columns in schema.items()}
    names = {column for columns in lowered.values() for column in columns} | lowered.keys()
    try:
        query = _with_plain_names(query, names)
        query = _qualified(query, lowered, dialect)
        return _sorted_conditions(_with_own_table_names(query)).sql(dialect=dialect, comments=False)
    except Exception:  # what the optimizer cannot resolve, or stumbles over, is compared as it was written
        return " ".join(sql.split())


def schema_tables(schema: str, dialect: str = "sqlite") -> dict[str, tuple[str, ...]]:
    """The tables that CREATE TABLE statements make, each with its columns; what cannot be parsed is left out."""
    found: dict[str, tuple[str, ...]] = {}
    for text in schema.split(";"):
        try:
            tree = sqlglot.parse_one(text, read=dialect) if text.strip() else None
        except SqlglotError:
            continue
        if isinstance(tree, exp.Create) and isinstance(tree.this, exp.Schema):
            columns = [part.name for part in tree.this.expressions if isinstance(part, exp.ColumnDef)]
            found[tree.this.this.name] = tuple(columns)
    return found


def _comparable(rows: Sequence[Row]) -> list[tuple[Hashable, ...]]:
    return [tuple(_value(cell) for cell in row) for row in rows]


def _value(cell: Any) -> Hashable:
    """Equal for equal numbers, whether 2, 2.0 or off by the last digits of a sum; other values are themselves."""
    if isinstance(cell, bool):
        return int(cell)
    if isinstance(cell, float) and math.isfinite(cell):
        rounded = float(f"{cell:.{_DIGITS}g}")
        return int(rounded) if rounded == int(rounded) else rounded
    if isinstance(cell, int) and abs(cell) >= 10**_DIGITS:
        return int(float(f"{cell:.{_DIGITS}g}"))
    return cell if isinstance(cell, Hashable) else str(cell)


def _can_be_paired(columns: list[tuple[Any, ...]], others: list[tuple[Any, ...]]) -> bool:
    """Whether some order of `others` gives the same multiset of rows as `columns`."""
    counts, other_counts = [Counter(each) for each in columns], [Counter(each) for each in others]
    candidates = [[at for at, each in enumerate(other_counts) if each == mine] for mine in counts]
    if not all(candidates):
        return False
    order = sorted(range(len(columns)), key=lambda at: len(candidates[at]))
    steps = 0

    def extend(chosen: list[int]) -> bool:
        nonlocal steps
        if len(chosen) == len(order):
            return True
        for at in candidates[order[len(chosen)]]:
            steps += 1
            if at in chosen or steps > _MAX_STEPS:
                continue
            longer = [*chosen, at]
            mine = Counter(zip(*(columns[each] for each in order[: len(longer)]), strict=True))
            if mine == Counter(zip(*(others[each] for each in longer), strict=True)) and extend(longer):
                return True
        return False

    return extend([])


def _parsed(sql: str, dialect: str) -> exp.Query | None:
    try:
        query = sqlglot.parse_one(sql, read=dialect)
    except Exception:  # beside its own errors, the parser stumbles over some of the garbage that models write
        return None
    return query if isinstance(query, exp.Query) else None


def _leftmost(query: exp.Query) -> tuple[exp.Select | None, int]:
    """The first SELECT of a UNION, EXCEPT or INTERSECT (None where it starts with something else), and 1 for such a set."""
    tree: exp.Expr = query
    num_sets = 0
    while isinstance(tree, exp.SetOperation | exp.Subquery):
        num_sets = max(num_sets, int(isinstance(tree, exp.SetOperation)))
        tree = tree.this
    return (tree if isinstance(tree, exp.Select) else None), num_sets


def _own(node: exp.Expr | None, kinds: tuple[type[exp.Expr], ...]) -> list[exp.Expr]:
    """The nodes of these kinds in `node`, not looking into queries nested in it."""
    if node is None:
        return []
    return [each for each in node.walk(prune=lambda each: isinstance(each, exp.Query)) if isinstance(each, kinds)]


def _conditions(select: exp.Expr) -> list[exp.Expr]:
    """What stands after ON, WHERE and HAVING."""
    joins = [join.args.get("on") for join in select.args.get("joins") or ()]
    clauses = [select.args.get(name) for name in ("where", "having")]
    return [*(on for on in joins if on is not None), *(clause.this for clause in clauses if clause is not None)]


def _num_keywords(select: exp.Expr) -> int:
    """Spider's first components: WHERE, GROUP BY, ORDER BY, LIMIT, each JOIN, OR and LIKE."""
    clauses = sum(select.args.get(name) is not None for name in ("where", "group", "order", "limit"))
    conditions = _conditions(select)
    words = sum(len(_own(each, (exp.Or, exp.Like))) for each in conditions)
    return clauses + len(select.args.get("joins") or ()) + words


def _num_nested(select: exp.Expr) -> int:
    """Spider's second components but for the sets: queries in conditions."""
    return sum(len(_own(each, (exp.Query,))) for each in _conditions(select))


def _num_other(select: exp.Expr) -> int:
    """How many of Spider's four others hold: more than 1 aggregate, selected column, condition, grouping."""
    where = select.args.get("where")
    clauses = [*select.expressions, *(select.args.get(name) for name in ("group", "order"))]
    num_aggregates = sum(len(_own(clause, (exp.AggFunc,))) for clause in clauses) + len(_own(where, (exp.Not,)))
    num_conditions = len(_own(where, (exp.And, exp.Or))) + 1 if where is not None else 0
    group = select.args.get("group")
    num_groups = len(group.expressions) if group is not None else 0
    return sum(num > 1 for num in (num_aggregates, len(select.expressions), num_conditions, num_groups))


def _level(num_keywords: int, num_nested: int, num_other: int) -> Difficulty:
    if num_nested == 0:
        if num_keywords <= 1 and num_other == 0:
            return Difficulty.EASY
        if (num_keywords <= 1 and num_other <= 2) or (num_keywords <= 2 and num_other < 2):
            return Difficulty.MEDIUM
        if (num_keywords <= 2 and num_other > 2) or (num_keywords == 3 and num_other <= 2):
            return Difficulty.HARD
    is_hard = num_nested == 1 and num_keywords <= 1 and num_other == 0
    return Difficulty.HARD if is_hard else Difficulty.EXTRA


def _with_plain_names(query: exp.Query, names: set[str]) -> exp.Query:
    """Names in lower case without quotes; a double-quoted word that names nothing is a text, as SQLite takes it."""

    def plain(node: exp.Expr) -> exp.Expr:
        is_text = isinstance(node, exp.Column) and node.this.args.get("quoted") and not node.table
        if is_text and names and node.name.lower() not in names:
            return exp.Literal.string(node.name)
        if isinstance(node, exp.Identifier):
            return exp.to_identifier(node.name.lower(), quoted=False)
        if isinstance(node, exp.Literal) and not node.is_string:
            return exp.Literal.number(f"{float(node.name):.15g}")
        return node

    changed = query.transform(plain)
    assert isinstance(changed, exp.Query)
    return changed


def _qualified(query: exp.Query, schema: Mapping[str, object], dialect: str) -> exp.Query:
    found = qualify(
        query, schema=dict(schema) or None, dialect=dialect, validate_qualify_columns=False, quote_identifiers=False,
        expand_stars=False, allow_partial_qualification=True, identify=False,
    )  # fmt: skip
    assert isinstance(found, exp.Query)
    return found


def _with_own_table_names(query: exp.Query) -> exp.Query:
    """Tables under their own name, numbered where one comes again, and results of the outermost query without names."""
    own_names: dict[int, dict[str, str]] = {}
    selects = list(query.find_all(exp.Select))  # outer ones before those inside them
    for select in selects:
        around = [own_names[id(each)] for each in _selects_around(select.parent)]
        times = Counter(own.split("#")[0] for names in around for own in names.values())
        own_names[id(select)] = _own_names(select, times)
    for column in query.find_all(exp.Column):
        for select in _selects_around(column):
            if own := own_names[id(select)].get(column.table):
                column.set("table", exp.to_identifier(_numbered(own)))
                break
    for select in selects:
        if select.find_ancestor(exp.CTE, exp.From, exp.Join) is None:
            _drop_result_names(select)
    return query


def _own_names(select: exp.Select, times: Counter[str]) -> dict[str, str]:
    """The table's own name, `#` and its number, by the alias it has in `select`; the aliases themselves are changed."""
    found: dict[str, str] = {}
    sources = [select.args.get("from_"), *(select.args.get("joins") or ())]
    for source in sources:
        table = source.this if source is not None else None
        if isinstance(table, exp.Table):
            times[table.name] += 1
            own = f"{table.name}#{times[table.name]}"
            found[table.alias_or_name] = own
            is_first = times[table.name] == 1
            table.set("alias", None if is_first else exp.TableAlias(this=exp.to_identifier(_numbered(own))))
    return found


def _numbered(own: str) -> str:
    name, _, number = own.rpartition("#")
    return name if number == "1" else f"{name}_{number}"


def _selects_around(node: exp.Expr | None) -> Iterator[exp.Select]:
    while node is not None:
        if isinstance(node, exp.Select):
            yield node
        node = node.parent


def _drop_result_names(select: exp.Select) -> None:
    meant = {each.alias: each.this for each in select.expressions if isinstance(each, exp.Alias)}
    for name in ("order", "having", "group"):
        for column in _own(select.args.get(name), (exp.Column,)):
            if isinstance(column, exp.Column) and not column.table and column.name in meant:
                column.replace(meant[column.name].copy())
    select.set("expressions", [each.unalias() for each in select.expressions])


def _sorted_conditions(query: exp.Query) -> exp.Query:
    """The parts of AND and OR, and the sides of = and <>, in the order of their text; < for >, JOIN for INNER JOIN."""
    for node in reversed(list(query.walk())):
        if isinstance(node, exp.Join) and node.kind == "INNER":
            node.set("kind", None)
        elif isinstance(node, exp.Ordered) and node.args.get("desc") is False:
            node.set("desc", None)
        elif isinstance(node, exp.GT | exp.GTE):
            less = exp.LT if isinstance(node, exp.GT) else exp.LTE
            node.replace(less(this=node.expression.copy(), expression=node.this.copy()))
        elif isinstance(node, exp.EQ | exp.NEQ) and node.this.sql() > node.expression.sql():
            left, right = node.this.copy(), node.expression.copy()
            node.set("this", right)
            node.set("expression", left)
        elif isinstance(node, exp.And | exp.Or) and not isinstance(node.parent, type(node)):
            parts = sorted((part.copy() for part in node.flatten()), key=lambda part: part.sql())
            joined = exp.and_(*parts) if isinstance(node, exp.And) else exp.or_(*parts)
            node.set("this", joined.this)
            node.set("expression", joined.expression)
    return query
