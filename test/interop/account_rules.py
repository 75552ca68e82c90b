"""Converts rules with pySigma's back end for SQLite and runs them over records: which rule matches which record."""

import json
import re
import sqlite3
import sys

from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection


def main():
    order = json.load(sys.stdin)
    database = sqlite3.connect(":memory:")
    database.create_function("regexp", 2, lambda pattern, value: value is not None and bool(re.search(pattern, str(value))))
    columns = order["columns"]
    database.execute("CREATE TABLE logs (number, " + ", ".join(f'"{name}"' for name in columns) + ")")
    for number, record in enumerate(order["records"]):
        database.execute(
            f"INSERT INTO logs VALUES ({', '.join('?' * (len(columns) + 1))})",
            [number] + [record.get(name) for name in columns],
        )
    matched = {}
    for name, text in order["rules"].items():
        (query,) = sqliteBackend().convert(SigmaCollection.from_yaml(text))
        matched[name] = [row[0] for row in database.execute(query.replace("<TABLE_NAME>", "logs"))]
    json.dump(matched, sys.stdout)


main()
