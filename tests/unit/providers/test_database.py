"""Nothing that a model writes changes a database, takes for ever, or brings back more than was allowed."""

import hashlib
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from finetune_core.errors import JobCancelled, ProviderError, QueryError, QueryLimitError, QueryRefusedError
from finetune_core.providers import sqlite_files
from finetune_core.providers.database import Database, Limits, quoted
from finetune_core.providers.statements import checked_query
from tests.shop_database import make_shop

REFUSED = [
    "DROP TABLE customer",
    "drop/**/table customer",
    "-- SELECT 1\nDROP TABLE customer",
    "/* SELECT */ DrOp TaBlE customer;",
    "SELECT 1; DROP TABLE customer",
    "SELECT 1;\n--\nDROP TABLE customer;--",
    "SELECT 1; SELECT 2",
    ";DROP TABLE customer",
    "ＤＲＯＰ TABLE customer",
    "DROP\u00a0TABLE customer",
    "DROP TABLE customer\0",
    "SELECT 'a\ud800'",
    "DELETE FROM customer",
    "UPDATE customer SET name = 'x'",
    "INSERT INTO customer SELECT * FROM customer",
    "REPLACE INTO customer VALUES (1, 'x', 'y')",
    "WITH gone AS (DELETE FROM customer RETURNING *) SELECT * FROM gone",
    "WITH x AS (SELECT 1) DELETE FROM customer",
    "WITH x AS (SELECT 1) INSERT INTO customer SELECT 9, 'x', 'y'",
    "CREATE TABLE copied AS SELECT * FROM customer",
    "SELECT * INTO copied FROM customer",
    "SELECT * FROM customer FOR UPDATE",
    "ALTER TABLE customer RENAME TO other",
    "ATTACH DATABASE '/tmp/other.sqlite' AS other",
    "DETACH DATABASE main",
    "PRAGMA writable_schema = 1",
    "PRAGMA table_info(customer)",
    "SELECT load_extension('/tmp/harm.so')",
    "SELECT LOAD_EXTENSION ('/tmp/harm.so')",
    "VACUUM INTO '/tmp/copy.sqlite'",
    "REINDEX",
    "ANALYZE",
    "EXPLAIN SELECT 1",
    "BEGIN",
    "COMMIT",
    "SAVEPOINT x",
    "VALUES (1)",
    "I would say: DROP TABLE customer",
    "SELECT FROM WHERE",
    "",
    "  ;  ",
    "-- nothing",
    "(" * 3000 + "SELECT 1" + ")" * 3000,
    "SELECT " + "1 + " * 6000 + "1",
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all tests, since nothing here may change it."""
    return make_shop(tmp_path_factory.mktemp("shop"))


def fingerprint(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() + str(sorted(each.name for each in path.parent.iterdir()))


@pytest.mark.parametrize("sql", REFUSED)
def test_what_is_no_single_select_is_refused_and_changes_nothing(shop: Path, sql: str) -> None:
    before = fingerprint(shop)
    with pytest.raises(QueryRefusedError) as caught:
        Database(str(shop)).query(sql)
    assert caught.value.hint
    assert fingerprint(shop) == before


@pytest.mark.parametrize("sql", REFUSED)
def test_the_file_alone_would_have_stood_against_it_too(shop: Path, sql: str) -> None:
    """The second wall: the connection by itself, as if the parser had understood nothing."""
    before = fingerprint(shop)
    connection = sqlite_files.open_read_only(shop)
    sqlite_files.hold(connection, 5)
    try:
        connection.execute(sql).fetchall()
        connection.commit()
    except (sqlite3.Error, sqlite3.Warning, ValueError, UnicodeEncodeError):
        pass
    connection.close()
    assert fingerprint(shop) == before


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT name FROM customer WHERE city = 'Rome' ORDER BY name DESC", (("Cem",), ("Bo",))),
        ("select count(*) from customer; -- all of them", ((3,),)),
        ("SELECT name FROM customer WHERE city = \"Rome\" AND name LIKE 'B%'", (("Bo",),)),
        ("WITH rich AS (SELECT * FROM big_order) SELECT total, 'DROP TABLE' FROM rich LIMIT 1", ((80.0, "DROP TABLE"),)),
        ("SELECT city FROM customer EXCEPT SELECT 'Rome'", (("Paris",),)),
        ("SELECT 1 UNION ALL SELECT 1", ((1,), (1,))),
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT i FROM n", ((1,), (2,), (3,))),
        ("SELECT max(total), upper(name), date(placed) FROM \"order\" JOIN customer ON customer.id = customer_id "
         "GROUP BY customer.id HAVING max(total) IS NULL", ((None, "CEM", "2026-02-02"),)),
        ("SELECT id FROM \"order\" WHERE placed GLOB '2026-01*' AND 100 % id = 0 AND name_of.x IS NULL", None),
        ("SELECT id FROM \"order\" WHERE placed GLOB '2026-01*' AND 5 % id = 0", ((1,),)),
    ],
)  # fmt: skip
def test_a_select_gives_its_rows(shop: Path, sql: str, rows: tuple[tuple[object, ...], ...] | None) -> None:
    database = Database(f"sqlite:///{shop}")
    if rows is None:
        with pytest.raises(QueryError, match=r"name_of\.x"):
            database.query(sql)
    else:
        found = database.query(sql)
        assert found.rows == rows
        assert not found.is_cut


def test_a_query_that_never_ends_is_ended(shop: Path) -> None:
    started = time.monotonic()
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(QueryLimitError, match=r"0\.3 s"):
        Database(str(shop)).query(endless, Limits(timeout_s=0.3))
    assert time.monotonic() - started < 3
    slow_pattern = f"SELECT '{'a' * 5000}' LIKE '{'%a' * 150}b'"
    with pytest.raises(QueryError):
        Database(str(shop)).query(slow_pattern, Limits(timeout_s=0.3))
    with pytest.raises(QueryRefusedError, match="regexp"):
        Database(str(shop)).query(f"SELECT '{'a' * 40}!' REGEXP '(a+)+$' FROM customer WHERE regexp('(a+)+$', 'aa')")
    with pytest.raises(QueryError):
        Database(str(shop)).query(f"SELECT '{'a' * 40}!' REGEXP '(a+)+$'")


def test_a_person_need_not_wait_for_a_query(shop: Path) -> None:
    def cancel() -> None:
        raise JobCancelled

    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(JobCancelled):
        Database(str(shop)).query(endless, Limits(timeout_s=1.5), cancel)


def test_rows_and_cells_beyond_the_limits_are_left_out_and_said_to_be(shop: Path) -> None:
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
    found = Database(str(shop)).query(many, Limits(max_rows=450))
    assert (len(found.rows), found.is_cut) == (450, True)
    exactly = Database(str(shop)).query("SELECT id FROM customer", Limits(max_rows=3))
    assert (len(exactly.rows), exactly.is_cut) == (3, False)
    long = Database(str(shop)).query("SELECT hex(zeroblob(900)), x'00ff'", Limits(max_cell_chars=100))
    assert (long.rows, long.is_cut) == ((("0" * 100, "0x00ff"),), True)
    with pytest.raises(QueryError, match="too big"):
        Database(str(shop)).query("SELECT zeroblob(900000000)")


def test_the_tables_are_named_with_their_keys(shop: Path) -> None:
    tables = Database(str(shop)).tables()
    assert [table.name for table in tables] == ["big_order", "customer", "order"]
    assert [table.statement for table in tables[1:]] == [
        "CREATE TABLE customer (id INTEGER, name TEXT, city TEXT, PRIMARY KEY (id));",
        'CREATE TABLE "order" (id INTEGER, customer_id INTEGER, total REAL, placed TEXT, PRIMARY KEY (id), '
        "FOREIGN KEY (customer_id) REFERENCES customer (id));",
    ]
    assert quoted('a "b"') == '"a ""b"""'


def test_full_text_tables_can_be_searched(tmp_path: Path) -> None:
    path = tmp_path / "texts.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE VIRTUAL TABLE page USING fts5(body)")
        connection.execute("INSERT INTO page VALUES ('bread is baked'), ('trains leave')")
    connection.close()
    assert Database(str(path)).query("SELECT body FROM page WHERE page MATCH 'bread'").rows == (("bread is baked",),)


def test_a_database_is_named_by_a_variable_so_that_no_password_is_kept(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_URL", f"sqlite:///{shop}")
    assert Database("env:SHOP_URL").query("SELECT 1").rows == ((1,),)
    assert Database("env:SHOP_URL").name == "shop"
    monkeypatch.delenv("SHOP_URL")
    with pytest.raises(ProviderError, match="SHOP_URL is not set"):
        Database("env:SHOP_URL")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("", "No database"),
        ("sqlite://", "has to be a file"),
        ("sqlite:///file:x?mode=rwc", "has to be a file"),
        ("mssql+pyodbc://me:secret@host/shop", "no way to read a mssql database"),
        ("://", "cannot be read"),
    ],
)
def test_what_cannot_be_guarded_is_not_opened(reference: str, message: str) -> None:
    with pytest.raises(ProviderError, match=message) as caught:
        Database(reference)
    assert "secret" not in str(caught.value) + caught.value.hint


def test_a_missing_or_broken_file_is_said_and_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="no database file"):
        Database(str(tmp_path / "gone.sqlite")).query("SELECT 1")
    assert not list(tmp_path.iterdir())
    (tmp_path / "notes.sqlite").write_text("these are notes " * 100)
    with pytest.raises(ProviderError, match="cannot be opened"):
        Database(str(tmp_path / "notes.sqlite")).tables()


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("postgres", "SELECT pg_read_file('/etc/passwd')"),
        ("postgres", "SELECT * FROM dblink('x', 'DROP TABLE t') AS t(a int)"),
        ("postgres", "SELECT set_config('transaction_read_only', 'off', false)"),
        ("postgres", "SELECT pg_catalog.lo_import('/etc/passwd')"),
        ("postgres", "SELECT \"pg_terminate_backend\"(1)"),
        ("postgres", "SELECT query_to_xml('DROP TABLE t', true, true, '')"),
        ("postgres", "@a UNION TABLE b"),
        ("postgres", "COPY (SELECT 1) TO PROGRAM 'sh'"),
        ("postgres", "SELECT nextval('s')"),
        ("postgres", "SELECT '\\'; COMMIT; DROP TABLE t; --'"),
        ("mysql", "SELECT 1 INTO OUTFILE '/tmp/x'"),
        ("mysql", "SELECT LOAD_FILE('/etc/passwd')"),
        ("mysql", "SELECT SLEEP(100)"),
        ("mysql", "SELECT @a := 1"),
        ("tsql", "EXEC xp_cmdshell 'dir'"),
        ("duckdb", "SELECT * FROM read_csv('/etc/passwd')"),
    ],
)  # fmt: skip
def test_functions_that_reach_beyond_the_tables_are_refused(dialect: str, sql: str) -> None:
    with pytest.raises(QueryRefusedError):
        checked_query(sql, dialect)


def test_a_comment_that_mysql_would_run_is_not_sent() -> None:
    database = Database("mysql+pymysql://me@host/shop")
    sql = "SELECT 1 /*! INTO OUTFILE '/tmp/x' */"
    assert database._text(sql, checked_query(sql, database.dialect)) == "SELECT 1"


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server of our own, on a socket in a temporary folder."""
    import psycopg

    binaries = shutil.which("initdb"), shutil.which("postgres")
    if None in binaries:
        pytest.skip("PostgreSQL is not installed")
    as_user = "nobody" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o777)
        data = f"{folder}/data"
        made = subprocess.run([str(binaries[0]), "-D", data, "-A", "trust", "-U", "owner", "-N"],
                              capture_output=True, text=True, check=False, cwd="/", user=as_user)  # fmt: skip
        if made.returncode:
            pytest.skip(f"initdb: {made.stderr[-200:]}")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [str(binaries[1]), "-D", data, "-k", folder, "-h", "", "-p", str(port), "-F"]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", user=as_user)
        try:
            for _ in range(100):
                try:
                    owner = psycopg.connect(host=folder, port=port, user="owner", dbname="postgres", autocommit=True)
                    break
                except psycopg.OperationalError:
                    time.sleep(0.1)
            with owner:
                owner.execute("CREATE TABLE customer (id int PRIMARY KEY, name text, paid numeric, since date)")
                owner.execute("INSERT INTO customer VALUES (1, 'Ada', 2.50, '2026-01-02'), (2, 'Bo', 3, NULL)")
                owner.execute("CREATE FUNCTION harm() RETURNS int LANGUAGE sql AS 'DELETE FROM customer; SELECT 1'")
            yield f"postgresql+psycopg://owner@/postgres?host={folder}&port={port}"
        finally:
            server.send_signal(signal.SIGINT)  # waits for no client
            server.wait(10)


def test_postgresql_is_read_and_never_written(postgres: str) -> None:
    database = Database(postgres)
    assert database.query("SELECT name, paid, since FROM customer ORDER BY id").rows == (
        ("Ada", 2.5, "2026-01-02"),
        ("Bo", 3, None),
    )
    assert [table.statement for table in database.tables()] == [
        "CREATE TABLE customer (id INTEGER, name TEXT, paid NUMERIC, since DATE, PRIMARY KEY (id));"
    ]
    with pytest.raises(QueryRefusedError, match="read-only"):
        database.query("SELECT harm()")
    for sql in REFUSED:
        with pytest.raises(QueryRefusedError):
            database.query(sql)
    with pytest.raises(QueryLimitError):
        database.query(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i % 7 + 1 FROM n) SELECT count(*) FROM n",
            Limits(timeout_s=0.3),
        )
    many = database.query("SELECT '%s' || i FROM generate_series(1, 100000) AS g(i)", Limits(max_rows=10))
    assert (len(many.rows), many.is_cut, many.rows[0]) == (10, True, ("%s1",))
    with pytest.raises(QueryError, match="nowhere"):
        database.query("SELECT * FROM nowhere")
    assert database.query("SELECT count(*) FROM customer").rows == ((2,),)


def test_a_server_that_is_not_there_is_said_without_the_password() -> None:
    import psycopg

    assert psycopg.__version__
    with pytest.raises(ProviderError, match="cannot be reached") as caught:
        Database("postgresql+psycopg://me:very-secret@127.0.0.1:9/shop").query("SELECT 1")
    assert "very-secret" not in str(caught.value)
