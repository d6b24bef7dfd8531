"""Try the corpus out and print the table: python nbjudge/tests/attacks [--inside] [--every N] [FAMILY ...]."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from attacks.corpus import FAMILIES, corpus
from attacks.harness import can_be_judged_inside, try_out
from attacks.outcomes import HEADER


def main(arguments: list[str]) -> int:
    """Print one line for each family, then what went wrong. Returns how much did."""
    parser = argparse.ArgumentParser("python nbjudge/tests/attacks", description="Try the corpus of attacks out.")
    parser.add_argument("families", nargs="*", choices=[[], *FAMILIES], metavar="FAMILY", help=", ".join(FAMILIES))
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take only each N-th of a family")
    parser.add_argument("--only", default="", metavar="TEXT", help="take only those whose name contains this")
    parser.add_argument("--inside", action="store_true", help="judge the tests inside the sandbox, beside the answers")
    parser.add_argument("--verbose", action="store_true", help="print what nbgrader said, too")
    chosen = parser.parse_args(arguments)
    families = chosen.families or FAMILIES
    found = {name: [one for one in corpus(name) if chosen.only in one.name][:: chosen.every] for name in families}
    if chosen.inside:
        found = {name: [one for one in attacks if can_be_judged_inside(one)] for name, attacks in found.items()}
    report = try_out([attack for attacks in found.values() for attack in attacks], inside=chosen.inside)
    print(HEADER, *[report.row(family) for family in families if found[family]], sep="\n")
    if chosen.verbose:
        print(report.said)
    complaints = [*report.harm, *[words for family in families for words in report.complaints(family)]]
    print("\n".join(["", *complaints]))
    return len(complaints)


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
