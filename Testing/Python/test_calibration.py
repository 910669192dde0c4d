"""The scanner's blur, measured on the referee's head phantoms, against what their scanner blurred with."""
import importlib
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

SEED = 11
# relative, in-plane and through-plane
BARS = 0.10, 0.15


@pytest.fixture(scope="module")
def referee():
    """The referee's table of cases and its scanner."""
    folder = os.environ.get("SKULL_REFEREE", "")
    if not os.path.isfile(os.path.join(folder, "thin_bone.py")):
        pytest.skip("SKULL_REFEREE names no folder with thin_bone.py")
    sys.path.insert(0, folder)
    yield importlib.import_module("run").THIN, importlib.import_module("thin_bone")
    sys.path.remove(folder)


def blur_of(scanner, case, monkeypatch):
    """Full widths at half maximum, x, y and z, of the Gaussian that the scanner blurs with.

    An edge-enhancing kernel subtracts a wider Gaussian after that; ours names the width of the first, too. The grid that
    the phantom is drawn on, and reading between its points, widen it by up to 4 % more, which counts as our error.
    """
    sigmas = []

    def listen(image, sigma, **_):
        sigmas.append(sigma)
        return image

    with monkeypatch.context() as patch:
        patch.setattr(scanner.ndi, "gaussian_filter", listen)
        ax = np.arange(50) * scanner.FINE
        scanner.scan(ax, np.zeros([len(ax)] * 3), np.array(case["voxel"]), case["kernel"], 1.0, np.random.default_rng(0))
    return sigmas[0] * scanner.FINE * scanner.FWHM_PER_SIGMA


@pytest.mark.parametrize("name", ["soft_thin", "bone_thin", "soft_1mm", "bone_1mm", "soft_coarse"])
def test_the_blur_is_that_of_the_scanner(name, referee, skull, tmp_path, monkeypatch, capsys):
    cases, scanner = referee
    case = cases[name]
    folder = Path(os.environ.get("SKULL_REFEREE_CASES", tmp_path)) / f"thin_{name}_{SEED}"
    if not (folder / "case.json").exists():
        scanner.make(folder, SEED, case["kernel"], case["voxel"], case["noise"])
    # the blur is measured on the whole scan, whatever box is repaired
    skull("thin-bone", folder / "ct.nii.gz", "--bone", folder / "seed.nii.gz", "-o", tmp_path / "bone.nii",
          "--roi", "-2", "2", "-2", "2", "-2", "2", "--report", tmp_path / "report.json")
    found = json.loads((tmp_path / "report.json").read_text())["result"]
    true = blur_of(scanner, case, monkeypatch)[1:]
    errors = found["fwhm_mm"] / true - 1
    with capsys.disabled():
        print(f"\n{name} {SEED}: " + "; ".join(
            f"{plane} {mm:.3f} mm of {mm_true:.3f}, {100 * error:+.1f} %"
            for plane, mm, mm_true, error in zip(("in-plane", "through-plane"), found["fwhm_mm"], true, errors)))
    assert found["blur_from"] == "skin"
    assert (np.abs(errors) <= BARS).all(), errors
