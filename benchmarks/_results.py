"""Files of results of benchmarks: a line of JSON for each."""

import json
from pathlib import Path


def read_lines(path):
    """Return the lines of a file of results as dicts; none where there is no file yet."""
    return [json.loads(line) for line in Path(path).read_text().splitlines()] if Path(path).exists() else []


def append_line(path, line):
    """Add a dict to a file of results."""
    with Path(path).open("a") as file:
        file.write(json.dumps(line) + "\n")
