"""Converts the rules of a folder with the back ends of pySigma, runs its validators, and prints the outcome as JSON.

No request leaves the machine: what a validator would download is refused, and that validator is named as not run.
"""

import json
import pathlib
import socket
import sys
import urllib.request


class NoNetwork(Exception):
    pass


def refuse(*_args, **_kwargs):
    raise NoNetwork("no network in this test")


urllib.request.urlopen = refuse
socket.getaddrinfo = refuse
socket.socket.connect = refuse

import yaml  # noqa: E402
from sigma.collection import SigmaCollection  # noqa: E402
from sigma.plugins import InstalledSigmaPlugins  # noqa: E402

BACKENDS = ["splunk", "lucene", "esql", "kusto", "qradar-aql-community"]


def for_lack_of_network(error):
    while error is not None:
        if isinstance(error, NoNetwork):
            return True
        error = error.__cause__ or error.__context__
    return False


def main(folder):
    files = {path.stem: path.read_text() for path in sorted(pathlib.Path(folder).glob("*.yml"))}
    names = {yaml.safe_load(text).get("name"): text for text in files.values()}
    plugins = InstalledSigmaPlugins.autodiscover()
    converted, failed = {}, {}
    for backend in BACKENDS:
        converted[backend], failed[backend] = {}, {}
        for stem, text in files.items():
            joined = yaml.safe_load(text).get("correlation", {}).get("rules", [])
            collection = SigmaCollection.from_yaml("\n---\n".join([names[name] for name in joined] + [text]))
            try:
                queries = plugins.backends[backend]().convert(collection)
                converted[backend][stem] = "\n".join(str(query) for query in queries)
            except Exception as error:
                failed[backend][stem] = f"{type(error).__name__}: {error}"
    rules = SigmaCollection.load_ruleset([folder])
    ran, without_data, issues = [], [], []
    for name, validator in sorted(plugins.validators.items()):
        try:
            instance = validator()
            found = [issue for rule in rules for issue in instance.validate(rule)] + instance.finalize()
        except Exception as error:
            if not for_lack_of_network(error):
                raise
            without_data.append(name)
            continue
        ran.append(name)
        issues += [f"{name}: {issue}" for issue in found]
    outcome = {"ran": ran, "withoutData": without_data, "issues": issues}
    json.dump({"converted": converted, "failed": failed, "validators": outcome}, sys.stdout)


main(sys.argv[1])
