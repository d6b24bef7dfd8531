"""The corpus of attacks: no undeserved point, nothing read, nothing lost, nobody stopped; and odd honest work in full.

A few of each family are tried here. All of them: `python nbjudge/tests/attacks`, or ATTACKS=all before pytest.
"""

from __future__ import annotations

import os

import pytest
from attacks.corpus import FAMILIES, Attack, corpus
from attacks.harness import try_out
from attacks.outcomes import HEADER

from nbjudge.sandbox.sandbox import missing_layers

CLASS = 12  # of a class's attacks that are tried, so that two cores do all of it in minutes
UNPROTECTED = """
import os, sys
c = get_config()
os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
c.CourseDirectory.source_directory, c.CourseDirectory.release_directory = "solutions", "lessons"
c.Execute.timeout = 6
"""
pytestmark = [
    pytest.mark.nbgrader,
    pytest.mark.skipif(bool(missing_layers()), reason=f"this machine cannot: {missing_layers()}"),
]


def tried(family: str) -> list[Attack]:
    """Return all attacks of a family, or every so-manieth."""
    attacks = corpus(family)
    return attacks if os.environ.get("ATTACKS") == "all" else attacks[:: -(-len(attacks) // CLASS)]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("family", FAMILIES)
def test_nobody_gains_harms_or_loses_by(family):
    report = try_out(tried(family))
    print(f"\n{HEADER}\n{report.row()}")
    assert report.complaints == [], report.said[-4000:]


def test_the_corpus_notices_where_nothing_protects():
    chosen = {"tag skip-execution": "metadata", "read the salt": "files", "os._exit in a cell": "limits"}
    attacks = [attack for name, family in chosen.items() for attack in corpus(family) if attack.name == name]
    outcomes = {outcome.attack.name: outcome for outcome in try_out(attacks, UNPROTECTED).outcomes}
    assert outcomes["tag skip-execution"].undeserved > 0
    assert "salt" in outcomes["read the salt"].leaks
    assert outcomes["os._exit in a cell"].complaints != []


def test_there_are_many_attacks_and_odd_honest_submissions():
    assert len(corpus()) > 500
    assert all(attack.answers for attack in corpus())


def test_what_attacks_on_the_wire_replace_is_there():
    import nbjudge.judge.rpc_server as there

    names = ("pack", "receive", "Encoder", "describe_object", "known_name")
    assert [name for name in names if not hasattr(there, name)] == []
    assert callable(there.RpcServer.answer)
    assert callable(there.RpcServer.serve)
