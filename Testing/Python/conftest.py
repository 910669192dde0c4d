"""What the tests of the command line share: the program, and a head drawn with other people's tools."""
import os
import subprocess
from dataclasses import dataclass

import numpy as np
import pytest


@pytest.fixture(scope="session")
def skull():
    """Runs `skull` and returns what it printed; a failure of the program fails the test."""
    program = os.environ["SKULL_BIN"]

    def run(*arguments):
        done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@dataclass(frozen=True)
class Head:
    """A solid head: tissue values in [x, y, z], the truth, and where they lie (RAS)."""

    values: np.ndarray
    inside: np.ndarray
    affine: np.ndarray


@pytest.fixture(scope="session")
def head():
    """An egg of fat, skull and brain with a sinus in it, noise around it, on oblique, anisotropic voxels."""
    spacing = np.array([1.5, 1.25, 2.0])
    shape = np.array([120, 160, 90])
    tilt = np.deg2rad(12)
    axes = np.array([[-1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing
    affine[:3, 3] = -affine[:3, :3] @ ((shape - 1) / 2) + [3.0, -7.0, 11.0]

    place = [(index - (n - 1) / 2) * s for index, n, s in zip(np.ogrid[tuple(map(slice, shape))], shape, spacing)]
    reach = np.sqrt((place[0] / 70) ** 2 + (place[1] / 85) ** 2 + (place[2] / 75) ** 2)
    sinus = (place[0] / 12) ** 2 + ((place[1] - 55) / 10) ** 2 + (place[2] / 10) ** 2 < 1
    values = np.zeros(shape)
    for edge, level in ((1.0, 700), (0.95, 60), (0.88, 450)):
        values[reach < edge] = level
    values[sinus] = 0
    noise = np.random.default_rng(5).normal(0, 12, (2, *shape))
    return Head(np.hypot(values + noise[0], noise[1]), reach < 1, affine)
