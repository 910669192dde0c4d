"""What all Python tests share."""

import os
import subprocess

import pytest


@pytest.fixture(scope="session")
def skull():
    """Runs `skull` and returns what it printed; a failure of the program fails the test."""
    program = os.environ["SKULL_BIN"]

    def run(*arguments):
        done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
