"""Results, texts and difficulty of queries: hand-checked, and held against SQLite itself."""

import itertools
import random
import sqlite3
from collections import Counter
from typing import Any

import pytest

from finetune_core.metrics.sql import difficulty, normalised, orders_rows, results_match, schema_tables

SCHEMA = {"singer": ("id", "name", "Age", "country"), "concert": ("cid", "singer_id", "year")}


@pytest.mark.parametrize(
    ("right", "given", "is_ordered", "expected"),
    [
        ([(1,), (2,)], [(2,), (1,)], False, True),
        ([(1,), (2,)], [(2,), (1,)], True, False),
        ([(1,), (1,)], [(1,)], False, False),
        ([(1,), (1,), (2,)], [(1,), (2,), (2,)], False, False),
        ([], [], False, True),
        ([], [(1,)], False, False),
        ([(1, "a"), (2, "b")], [("b", 2), ("a", 1)], False, True),
        ([(1, "a"), (2, "b")], [("a", 1), ("b", 2)], True, True),
        ([(1, "a"), (2, "b")], [("b", 1), ("a", 2)], False, False),
        ([(1, 2)], [(1,)], False, False),
        ([(2,)], [(2.0,)], False, True),
        ([(0.1 + 0.2,)], [(0.3,)], False, True),
        ([(0.3,)], [(0.3001,)], False, False),
        ([(12345678901234,)], [(12345678901235,)], False, True),
        ([(3,)], [("3",)], False, False),
        ([(None,)], [("",)], False, False),
        ([(True,)], [(1,)], False, True),
        # The same values in each column, paired differently: only the rows tell.
        ([(1, 2, 1), (2, 1, 1)], [(1, 1, 2), (2, 1, 1)], False, True),
        ([(1, 2), (2, 1)], [(1, 1), (2, 2)], False, False),
        ([(1, 1, 2), (1, 2, 1), (2, 2, 2)], [(1, 1, 1), (1, 2, 2), (2, 2, 2)], False, False),
    ],
)
def test_results_are_compared_as_multisets_of_rows(right: Any, given: Any, is_ordered: bool, expected: bool) -> None:
    assert results_match(right, given, is_ordered=is_ordered) is expected
    assert results_match(given, right, is_ordered=is_ordered) is expected


def test_every_order_of_columns_is_found_as_trying_all_would() -> None:
    draw = random.Random(0)
    for _ in range(300):
        right = [tuple(draw.randrange(2) for _ in range(4)) for _ in range(5)]
        given = [tuple(draw.randrange(2) for _ in range(4)) for _ in range(5)]
        if draw.random() < 0.5:
            order = draw.sample(range(4), 4)
            given = draw.sample([tuple(row[at] for at in order) for row in right], 5)
        expected = any(
            Counter(right) == Counter(tuple(row[at] for at in order) for row in given)
            for order in itertools.permutations(range(4))
        )
        assert results_match(right, given, is_ordered=False) is expected


def test_wide_results_of_equal_values_take_no_time() -> None:
    rows = [tuple(1 if (row * column) % 3 else 0 for column in range(40)) for row in range(60)]
    other = [(*row[1:-1], 1 - row[-1], row[0]) for row in rows]
    assert not results_match(rows, other, is_ordered=False)
    assert results_match(rows, [row[::-1] for row in rows], is_ordered=False)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (
            'SELECT name , age FROM singer WHERE country = "France" and AGE > 20',
            "select T1.Name as n, T1.age from Singer as T1 where 20.0 < t1.age AND T1.Country = 'France' -- of age",
            True,
        ),
        (
            "SELECT count(*), year FROM concert JOIN singer ON concert.singer_id = singer.id GROUP BY year ORDER BY count(*) ASC",
            "SELECT COUNT( * ) c, A.year FROM concert A INNER JOIN singer B ON B.id = A.singer_id GROUP BY A.year ORDER BY c;",
            True,
        ),
        ("SELECT name FROM singer WHERE id <> 3", "SELECT `name` FROM [singer] WHERE 3 != id", True),
        ("SELECT name FROM singer WHERE id = 3", "SELECT name FROM singer WHERE id = 4", False),
        ("SELECT name FROM singer WHERE name = 'Bo'", "SELECT name FROM singer WHERE name = 'bo'", False),
        ("SELECT name, id FROM singer", "SELECT id, name FROM singer", False),
        ("SELECT DISTINCT name FROM singer", "SELECT name FROM singer", False),
        ("SELECT id FROM singer WHERE id = 1 OR id = 2 AND age = 3",
         "SELECT id FROM singer WHERE (id = 1 OR id = 2) AND age = 3", False),
        ("SELECT a.name, b.name FROM singer a JOIN singer b ON a.id = b.age",
         "SELECT x.name, y.name FROM singer x JOIN singer y ON x.id = y.age", True),
        ("SELECT a.name, b.name FROM singer a JOIN singer b ON a.id = b.age",
         "SELECT y.name, x.name FROM singer x JOIN singer y ON x.id = y.age", False),
        ("SELECT name FROM singer a WHERE age > (SELECT avg(age) FROM singer b WHERE b.country = a.country)",
         "SELECT x.name FROM singer x WHERE (SELECT avg(y.age) FROM singer y WHERE y.country = x.country) < age", True),
        ("SELECT name FROM singer a WHERE age > (SELECT avg(age) FROM singer b WHERE b.country = a.country)",
         "SELECT name FROM singer a WHERE age > (SELECT avg(age) FROM singer b WHERE b.country = b.country)", False),
        ("SELECT name FROM singer ORDER BY age", "SELECT name FROM singer ORDER BY age DESC", False),
    ],
)  # fmt: skip
def test_texts_are_the_same_where_only_their_form_differs(one: str, other: str, is_same: bool) -> None:
    assert (normalised(one, SCHEMA) == normalised(other, SCHEMA)) is is_same


def test_what_cannot_be_parsed_has_no_normal_form() -> None:
    assert normalised("SELECT FROM", SCHEMA) is None
    assert normalised("DROP TABLE singer", SCHEMA) is None
    assert normalised("I do not know.", SCHEMA) is None
    assert difficulty("@a UNION TABLE b", "postgres") is None
    assert normalised("SELECT nothing FROM nowhere", SCHEMA) == "SELECT nothing FROM nowhere"


def test_normal_forms_run_and_give_the_same_rows() -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript("""
        CREATE TABLE singer (id INTEGER, name TEXT, Age REAL, country TEXT);
        CREATE TABLE concert (cid INTEGER, singer_id INTEGER, year INTEGER);
        INSERT INTO singer VALUES (1, 'Ada', 30, 'France'), (2, 'Bo', 20, 'Norway'), (3, 'Cem', 40.5, 'France');
        INSERT INTO concert VALUES (1, 1, 2014), (2, 1, 2015), (3, 3, 2015);
    """)
    for sql in (
        'SELECT T1.name FROM singer AS T1 WHERE T1.country = "France" AND T1.age > 20 OR T1.id = 2',
        "SELECT count(*) AS n, year FROM concert GROUP BY year HAVING n > 1 ORDER BY n DESC",
        "SELECT name FROM singer WHERE id NOT IN (SELECT singer_id FROM concert)",
        "SELECT a.name, b.name FROM singer a JOIN singer b ON a.country = b.country WHERE a.id < b.id",
        "SELECT country FROM singer WHERE age > 25 INTERSECT SELECT country FROM singer WHERE age < 35",
        "SELECT T2.name, count(*) FROM concert AS T1 JOIN singer AS T2 ON T1.singer_id = T2.id GROUP BY T2.id ORDER BY 2 LIMIT 1",
        "SELECT n FROM (SELECT name AS n, age FROM singer) AS t WHERE t.age > 25 ORDER BY n",
        "WITH old AS (SELECT name, age AS years FROM singer) SELECT name FROM old WHERE years BETWEEN 25 AND 35",
        "SELECT name FROM singer WHERE age = (SELECT max(age) FROM singer) AND name LIKE '%m'",
    ):
        normal = normalised(sql, SCHEMA)
        assert normal is not None
        assert connection.execute(normal).fetchall() == connection.execute(sql).fetchall(), normal
        assert normalised(normal, SCHEMA) == normal
    connection.close()


@pytest.mark.parametrize(
    ("sql", "level"),
    [
        ("SELECT count(*) FROM singer", "easy"),
        ("SELECT name FROM singer WHERE age > 20", "easy"),
        ("SELECT name, age FROM singer", "medium"),
        ("SELECT name FROM singer WHERE age > 20 ORDER BY age", "medium"),
        ("SELECT country, count(*) FROM singer GROUP BY country", "medium"),
        ("SELECT name FROM singer WHERE age > 20 ORDER BY age LIMIT 1", "hard"),
        ("SELECT name FROM singer EXCEPT SELECT name FROM singer", "hard"),
        ("SELECT name FROM singer WHERE id IN (SELECT singer_id FROM concert)", "hard"),
        ("SELECT avg(age) FROM singer WHERE id NOT IN (SELECT singer_id FROM concert)", "extra"),
        ("SELECT T1.name FROM singer T1 JOIN concert T2 ON T1.id = T2.singer_id WHERE T2.year = 2014 OR T2.year = 2015 "
         "GROUP BY T1.id ORDER BY count(*) DESC LIMIT 1", "extra"),
        ("SELECT FROM", None),
    ],
)  # fmt: skip
def test_difficulty_is_spiders(sql: str, level: str | None) -> None:
    assert difficulty(sql) == level


def test_only_the_query_itself_orders_its_rows() -> None:
    assert orders_rows("SELECT name FROM singer ORDER BY age")
    assert orders_rows("SELECT name FROM singer UNION SELECT name FROM concert ORDER BY 1")
    assert not orders_rows("SELECT name FROM (SELECT name FROM singer ORDER BY age)")
    assert not orders_rows("DROP TABLE singer")


def test_tables_are_read_from_their_statements() -> None:
    schema = (
        'CREATE TABLE "a b" (id INTEGER PRIMARY KEY, "Full Name" TEXT, FOREIGN KEY (id) REFERENCES c (id));\nnonsense;'
    )
    assert schema_tables(schema + " CREATE TABLE c (id INT)") == {"a b": ("id", "Full Name"), "c": ("id",)}
    assert schema_tables("") == {}
