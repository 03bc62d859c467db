"""A small shop in SQLite, for what asks questions of a database."""

import atexit
import functools
import shutil
import sqlite3
import tempfile
from pathlib import Path

SHOP = """
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE "order" (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customer (id), total REAL, placed TEXT);
CREATE VIEW big_order AS SELECT * FROM "order" WHERE total > 50;
INSERT INTO customer VALUES (1, 'Ada', 'Paris'), (2, 'Bo', 'Rome'), (3, 'Cem', 'Rome');
INSERT INTO "order" VALUES
    (1, 1, 20.5, '2026-01-02'), (2, 2, 80, '2026-01-03'), (3, 2, 80.0, '2026-02-01'), (4, 3, NULL, '2026-02-02');
"""


def make_shop(folder: Path, name: str = "shop") -> Path:
    """The shop as a file in `folder`."""
    path = folder / f"{name}.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(SHOP)
    connection.close()
    return path


@functools.cache
def shared_shop() -> Path:
    """One shop for a whole process, gone when it ends."""
    folder = tempfile.mkdtemp(prefix="shop")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return make_shop(Path(folder))
