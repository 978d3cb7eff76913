"""Say in one line how many tests passed, from the reports of pytest whose paths are given."""

import sys
from xml.etree import ElementTree


def counts(paths):
    """Return {"tests": n, "skipped": n, "failures": n, "errors": n}, added up over the reports of pytest at `paths`."""
    suites = [suite for path in paths for suite in ElementTree.parse(path).iter("testsuite")]
    return {kind: sum(int(suite.get(kind)) for suite in suites) for kind in ("tests", "skipped", "failures", "errors")}


if __name__ == "__main__":
    n = counts(sys.argv[1:])
    failed = n["failures"] + n["errors"]
    passed = n["tests"] - n["skipped"] - failed
    end = f"{failed} failed" if failed else "lint, types, campaign and documentation are in order"
    print(f"{passed:,} tests passed, {n['skipped']:,} were skipped; {end}.")  # noqa: T201
