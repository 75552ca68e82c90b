"""Converts the rules of a folder with one back end of pySigma, or runs its validators, and prints the outcome as JSON.

    sigma_rules.py convert FOLDER BACKEND [PIPELINE]
    sigma_rules.py validate FOLDER [detections]

No request leaves the machine: what a validator would download is refused, and that validator is named as not run.
"""

import json
import pathlib
import re
import socket
import sys
import urllib.request
import warnings


class NoNetwork(Exception):
    pass


def refuse(*_args, **_kwargs):
    raise NoNetwork("no network in this test")


urllib.request.urlopen = refuse
socket.getaddrinfo = refuse
socket.socket.connect = refuse
warnings.simplefilter("ignore")

import yaml  # noqa: E402
from sigma.collection import SigmaCollection  # noqa: E402
from sigma.plugins import InstalledSigmaPlugins  # noqa: E402
from sigma.rule import SigmaRule  # noqa: E402

# What a product asks for before it converts anything.
OPTIONS = {"parseable": {"dataset": "logs"}}


def backend_of(name, pipeline):
    if name == "duckdb":  # is no plug-in of pySigma's
        from sigma_backend_duckdb import DuckDBBackend

        return DuckDBBackend()
    plugins = InstalledSigmaPlugins.autodiscover()
    options = OPTIONS.get(name, {})
    # Without a pipeline the converter hands over an empty one, for which some back ends take their own.
    names = [] if pipeline is None else [pipeline]
    resolved = plugins.get_pipeline_resolver().resolve(names)
    return plugins.backends[name](processing_pipeline=resolved, **options)


def parsed_by_duckdb(query):
    import duckdb

    duckdb.extract_statements(query)


def parsed_by_clickhouse(query):
    import chdb

    chdb.query(f"EXPLAIN AST {query}")
    # Escaped as in a pattern, which a list of texts is not.
    if re.search(r"IN \([^)]*\\_", query):
        raise ValueError("a list has an underscore escaped, and matches nothing")


# Some write what their own engine does not take.
CHECKS = {"duckdb": parsed_by_duckdb, "clickhouse": parsed_by_clickhouse}


def convert(folder, name, pipeline=None):
    texts = {path.stem: path.read_text() for path in sorted(pathlib.Path(folder).rglob("*.y*ml"))}
    rules = {stem: yaml.safe_load(text) for stem, text in texts.items()}
    stems = {rule.get("name"): stem for stem, rule in rules.items()}
    queries, failed = {}, {}
    for stem, rule in rules.items():
        joined = [texts[stems[other]] for other in rule.get("correlation", {}).get("rules", [])]
        own = [text.replace("generate: true", "generate: false") for text in joined + [texts[stem]]]
        try:
            found = backend_of(name, pipeline).convert(SigmaCollection.from_yaml("\n---\n".join(own)))
            query = found if isinstance(found, str) else "\n".join(str(one) for one in found)
            if query.strip() == "":
                raise ValueError("the query is empty")
            CHECKS.get(name, lambda _: None)(query)
            queries[stem] = query
        except Exception as error:
            failed[stem] = f"{type(error).__name__}: {error}"
    return {"queries": queries, "failed": failed}


def for_lack_of_network(error):
    while error is not None:
        if isinstance(error, NoNetwork):
            return True
        error = error.__cause__ or error.__context__
    return False


def validate(folder, which="all"):
    rules = SigmaCollection.load_ruleset([folder], recursion_pattern="**/*.y*ml")
    if which == "detections":  # validators of before correlations stumble over them
        rules.rules = [rule for rule in rules if isinstance(rule, SigmaRule)]
    ran, without_data, issues = [], [], []
    for name, validator in sorted(InstalledSigmaPlugins.autodiscover().validators.items()):
        try:
            instance = validator()
            found = [issue for rule in rules for issue in instance.validate(rule)] + instance.finalize()
        except Exception as error:
            if not for_lack_of_network(error):
                raise
            without_data.append(name)
            continue
        ran.append(name)
        issues += [
            {"validator": name, "file": rule.source.path.stem, "issue": str(issue)}
            for issue in found
            for rule in issue.rules
        ]
    return {"rules": len(rules.rules), "ran": ran, "withoutData": without_data, "issues": issues}


json.dump({"convert": convert, "validate": validate}[sys.argv[1]](*sys.argv[2:]), sys.stdout)
