"""Converts rules with a back end of pySigma and runs the queries in the engine that they are for.

    sigma_engines.py sqlite | duckdb | clickhouse < ORDER

ORDER is {"rules": [{"file", "texts", "columns": {NAME: "text" | "number" | "time"}, "rows": [[...]]}]}: the rule, behind
those that it joins, and a row for each record. Prints {"found": {FILE: [numbers of rows]}, "failed": {FILE: why}}; of a
correlation there is a number for each group.
"""

import json
import re
import sqlite3
import sys

from sigma.collection import SigmaCollection


class Sqlite:
    kinds = {"text": "TEXT", "number": "REAL", "time": "TEXT"}
    quote = '"{}"'

    def __init__(self):
        from sigma.backends.sqlite import sqliteBackend

        self.backend = sqliteBackend()
        self.database = sqlite3.connect(":memory:")
        # Of nothing it says nothing, as the functions of SQL do.
        self.database.create_function("regexp", 2, lambda of, text: None if text is None else bool(re.search(of, text)))

    def create(self, kinds):
        self.database.execute("DROP TABLE IF EXISTS logs")
        self.database.execute(f"CREATE TABLE logs ({kinds})")

    def insert(self, names, rows):
        self.database.executemany(f"INSERT INTO logs VALUES ({', '.join('?' * len(names))})", rows)

    def run(self, query):
        cursor = self.database.execute(query.replace("<TABLE_NAME>", "logs"))
        names = [name for name, *_ in cursor.description]
        return [dict(zip(names, row)) for row in cursor.fetchall()]


class Duckdb(Sqlite):
    kinds = {"text": "VARCHAR", "number": "DOUBLE", "time": "TIMESTAMP"}

    def __init__(self):
        import duckdb
        from sigma_backend_duckdb import DuckDBBackend

        self.backend = DuckDBBackend()
        self.database = duckdb.connect(":memory:")


class Clickhouse:
    kinds = {"text": "Nullable(String)", "number": "Nullable(Float64)", "time": "DateTime64(3)"}
    quote = "`{}`"

    def __init__(self):
        from chdb.session import Session
        from sigma.plugins import InstalledSigmaPlugins

        self.backend = InstalledSigmaPlugins.autodiscover().backends["clickhouse"]()
        self.session = Session()
        self.session.query("CREATE DATABASE rules ENGINE = Atomic")
        self.session.query("USE rules")

    def create(self, kinds):
        self.session.query("DROP TABLE IF EXISTS logs")
        self.session.query(f"CREATE TABLE logs ({kinds}) ENGINE = MergeTree ORDER BY tuple()")

    def insert(self, names, rows):
        lines = "\n".join(json.dumps(dict(zip(names, row))) for row in rows)
        self.session.query(f"INSERT INTO logs FORMAT JSONEachRow {lines}")

    def run(self, query):
        return [json.loads(line) for line in str(self.session.query(query, "JSONEachRow")).splitlines()]


def main():
    engine = {"sqlite": Sqlite, "duckdb": Duckdb, "clickhouse": Clickhouse}[sys.argv[1]]()
    found, failed = {}, {}
    for rule in json.load(sys.stdin)["rules"]:
        columns = {"row_number": "number", **rule["columns"]}
        try:
            engine.create(", ".join(f"{engine.quote.format(name)} {engine.kinds[kind]}" for name, kind in columns.items()))
            if rule["rows"]:
                engine.insert(list(columns), [[number, *row] for number, row in enumerate(rule["rows"])])
            # Of the rules that a correlation joins there are no queries of their own.
            *_, query = engine.backend.convert(SigmaCollection.from_yaml("\n---\n".join(rule["texts"])))
            rows = engine.run(query)
            found[rule["file"]] = sorted({int(row.get("row_number", number)) for number, row in enumerate(rows)})
        except Exception as error:
            failed[rule["file"]] = f"{type(error).__name__}: {error}"
    json.dump({"found": found, "failed": failed}, sys.stdout)


main()
