"""Each claim and finding is a constant, and an exercise names only claims that its probe can return."""

import ast
import inspect
from types import ModuleType

import pytest

from autograde_tests import exercises
from autograde_tests.exercise import ClaimsExercise
from rnn_helpers.checks import claims, findings, properties
from rnn_helpers.checks.designed_networks import DESIGNED_NETWORKS
from rnn_helpers.checks.keras_probes import MODEL_PROBES, classifiers, computations, inspection, settings
from rnn_helpers.checks.properties import PROPERTIES

CLAIMS = {name: claim for name, claim in vars(claims).items() if name.isupper()}
FINDINGS = {name: finding for name, finding in vars(findings).items() if name.isupper() and name != "FINDING"}
PROBES = {**PROPERTIES, **DESIGNED_NETWORKS, **MODEL_PROBES}
PROBE_MODULES = {inspect.getmodule(probe) for probe in PROBES.values()} | {inspection, properties}
EXERCISES = [
    exercise for known in exercises().values() for exercise in known.values() if isinstance(exercise, ClaimsExercise)
]


def made_in(*modules: ModuleType) -> set[str]:
    """Return the claims whose constants are used inside functions of these modules."""
    functions = [
        node for module in modules for node in ast.parse(inspect.getsource(module)).body if hasattr(node, "args")
    ]
    names = {node.id for function in functions for node in ast.walk(function) if isinstance(node, ast.Name)}
    return {CLAIMS[name] for name in names & CLAIMS.keys()}


def claims_of(exercise: ClaimsExercise) -> set[str]:
    return {claim for challenge in exercise.challenges for claim in challenge.claims}


def test_no_two_constants_are_the_same_sentence():
    assert len(set(CLAIMS.values())) == len(CLAIMS)


def test_every_claim_is_made_by_a_probe():
    assert made_in(*PROBE_MODULES) == set(CLAIMS.values())


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_an_exercise_names_only_claims_that_its_probe_makes(exercise):
    module = inspect.getmodule(PROBES[exercise.probe])
    assert claims_of(exercise) <= made_in(module, inspection)


def test_every_finding_is_a_sentence_that_a_probe_returns():
    modules = PROBE_MODULES | {computations, settings}
    used = {
        node.attr for module in modules for node in ast.walk(ast.parse(inspect.getsource(module))) if is_finding(node)
    }
    assert used == set(FINDINGS)
    assert {text for text in FINDINGS.values() if not (text[0].isupper() and text[-1] in ".)")} == set()
    assert len(set(FINDINGS.values())) == len(FINDINGS)


def is_finding(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "findings"


@pytest.mark.parametrize("path", ["properties", "keras_probes", "lessons"])
def test_sentences_are_typed_only_in_claims(path, root):
    files = {
        "properties": [root / "rnn_helpers/checks/properties.py"],
        "keras_probes": sorted((root / "rnn_helpers/checks/keras_probes").glob("*.py")),
        "lessons": sorted((root / "autograde_tests").glob("lesson_*.py")),
    }[path]
    for file in files:
        constants = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Constant)]
        assert not {node.value for node in constants} & {*CLAIMS.values(), *FINDINGS.values()}, file


def test_the_number_of_parameters_is_that_of_the_sentence():
    assert str(classifiers.PARAMETERS) in claims.CLASSIFIER_PARAMETERS.split()
