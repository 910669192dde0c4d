"""Thin bone: a skull to print, as mesh programs see it, and a real defect."""
import json
import os

import nibabel as nib
import numpy as np
import pymeshfix
import pytest
import trimesh


@pytest.fixture(scope="module")
def print_of_orbit(skull, tmp_path_factory):
    """The folder of a drawn orbit whose bone was repaired and drawn for a printer."""
    folder = tmp_path_factory.mktemp("orbit")
    skull("sample", "orbit-ct", "-o", folder / "sample", "--voxel", "0.7", "0.7", "0.9")
    skull("thin-bone", folder / "sample/image.nii.gz", "-o", folder / "bone.nii.gz", "--min-wall", "0.9",
          "--surface", folder / "print.ply", "--report", folder / "report.json")
    return folder


def test_the_print_is_one_closed_part_that_does_not_meet_itself(print_of_orbit):
    mesh = trimesh.load_mesh(print_of_orbit / "print.ply")
    assert mesh.is_watertight and mesh.is_winding_consistent and mesh.is_volume
    assert mesh.body_count == 1
    edges = np.sort(mesh.edges, axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
    checker = pymeshfix.PyTMesh()
    checker.set_quiet(True)
    checker.load_array(np.asarray(mesh.vertices, float), np.asarray(mesh.faces, np.int32))
    assert len(checker.select_intersecting_triangles()) == 0


def test_the_report_tells_what_the_print_takes(print_of_orbit):
    result = json.loads((print_of_orbit / "report.json").read_text())["result"]
    mesh = trimesh.load_mesh(print_of_orbit / "print.ply")
    assert result["surface"]["volume_ml"] == pytest.approx(mesh.volume / 1000, rel=1e-4)
    assert result["drawn_mm3"] > 0 and result["added_mm3"] > 0


def test_a_true_defect_of_the_skull_stays_open_and_is_listed(skull, tmp_path):
    scan = os.path.join(os.environ.get("SKULL_SCANS", ""), "ct_cranium_invesalius.nii.gz")
    if not os.path.exists(scan):
        pytest.skip("SKULL_SCANS names no folder with ct_cranium_invesalius.nii.gz")
    skull("thin-bone", scan, "-o", tmp_path / "bone.nii", "--openings", tmp_path / "openings.json")
    # a window in the right frontal bone, 17 mm wide and twice as high: from in front nothing is before the brain
    image = nib.load(tmp_path / "bone.nii")
    assert np.asarray(image.dataobj)[94:101, 180:, 60:78].any(1).mean() < 0.02
    middle = (image.affine @ [98, 193, 70, 1])[:3]
    openings = json.loads((tmp_path / "openings.json").read_text())["openings"]
    near = [o for o in openings if o["diameter_mm"] > 15 and np.linalg.norm(np.subtract(o["center_ras_mm"], middle)) < 10]
    assert [o["verdict"] for o in near] == ["open"], near
