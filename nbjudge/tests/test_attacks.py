"""The corpus of attacks: no undeserved point, nothing read, nothing lost, nobody stopped; and odd honest work in full.

By day a few of each family are tried here, by night all (tiers.py). All of them: `python nbjudge/tests/attacks`.
"""

from __future__ import annotations

import pytest
from attacks.corpus import FAMILIES, Attack, corpus
from attacks.harness import ROOT, can_be_judged_inside, try_out
from attacks.inside import GAINS_INSIDE
from attacks.outcomes import HEADER, Report
from tiers import NIGHT

from nbjudge.sandbox.sandbox import missing_layers

OF_A_FAMILY = 12  # attacks that are tried by day, so that two cores do all of it in minutes
INSIDE_BY_DAY = (
    *("link to the gradebook", "zero a classmate", "kill the parent", "TCP", "own ipykernel_launcher"),
    *("quit in a cell", "tests as markdown", "again: worse"),
    *("replace settrace", "equal float", "many axes", "caller's constants", "set credit in the caller"),
)
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
    """Return all attacks of a family, or every n-th."""
    attacks = corpus(family)
    return attacks if NIGHT else attacks[:: -(-len(attacks) // OF_A_FAMILY)]


@pytest.fixture(scope="module")
def report() -> Report:
    """Grade them all."""
    report = try_out([attack for family in FAMILIES for attack in tried(family)])
    print("", HEADER, *map(report.row, FAMILIES), sep="\n")
    return report


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("family", FAMILIES)
def test_nobody_gains_or_loses_by(family, report):
    assert len(report.of(family)) == len(tried(family))
    assert report.complaints(family) == [], report.said[-4000:]


@pytest.mark.timeout(3600)
def test_nobody_else_is_harmed(report):
    assert report.harm == [], report.said[-4000:]


@pytest.mark.timeout(3600)
def test_judged_inside_the_sandbox_the_others_and_the_course_are_as_safe():
    attacks = [attack for attack in corpus() if NIGHT or attack.name in INSIDE_BY_DAY]
    report = try_out([attack for attack in attacks if can_be_judged_inside(attack)], inside=True)
    assert report.outcomes
    assert [o.attack.name for o in report.outcomes if o.aborted or o.missing or o.leaks] == [], report.said[-4000:]
    gains = {outcome.attack.name for outcome in report.outcomes if outcome.undeserved}
    assert gains == {outcome.attack.name for outcome in report.outcomes} & GAINS_INSIDE.keys(), report.said[-4000:]
    assert report.harm == [], report.said[-4000:]


def test_what_an_attack_gains_inside_the_sandbox_is_in_the_threat_model():
    lines = (ROOT / "docs/threat_model.md").read_text().splitlines()
    assert set(GAINS_INSIDE.values()) <= {line.split("|")[1].strip() for line in lines if "|" in line}
    assert GAINS_INSIDE.keys() <= {attack.name for attack in corpus()}


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
