"""Python and the command line give the same voxels and points, bit for bit."""

import os
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SkullEffects
from conftest import add_segmentation, add_volume, of_volume, read
from vtk.util.numpy_support import vtk_to_numpy


def mask_of(path):
    return np.asanyarray(nibabel.load(path).dataobj).T != 0


def test_on_drawn_scans(scene, drawn, skull, tmp_path):
    check(scene, drawn, skull, tmp_path)


@pytest.mark.parametrize("name", ["ct_fullhead_vtk", "mr_t1_rire_thick", "mr_t2_camitk_brain"])
def test_on_real_scans(scene, name, skull, tmp_path):
    folder = os.environ.get("SKULL_SCANS")
    if folder is None:
        pytest.skip("no real scans beside the checkout")
    check(scene, Path(folder) / f"{name}.nii.gz", skull, tmp_path)


def check(scene, scan, skull, tmp_path):
    skin, bone, stl = tmp_path / "skin.nii.gz", tmp_path / "bone.nii.gz", tmp_path / "skin.ply"
    skull("skin", scan, "-o", skin, "-q")
    skull("threshold", scan, "--mask", skin, "--method", "otsu", "--min-island-ml", 0.05, "-o", bone, "-q")
    skull("surface", skin, "-o", stl, "--coordinates", "ras", "-q")

    volume = add_volume(scene, *read(scan))
    segmentation = add_segmentation(scene)
    found = SkullEffects.skin(volume, segmentation)
    np.testing.assert_array_equal(of_volume(segmentation, found.segment_id, volume), mask_of(skin))

    selected = SkullEffects.threshold(volume, segmentation, mask="Skin", method="otsu", min_island_ml=0.05)
    np.testing.assert_array_equal(of_volume(segmentation, selected.segment_id, volume), mask_of(bone))
    assert selected.voxels == mask_of(bone).sum()

    made = SkullEffects.surface(segmentation, "Skin")
    assert made.closed_manifold
    points = vtk_to_numpy(made.model.GetPolyData().GetPoints().GetData())
    header, _, body = stl.read_bytes().partition(b"end_header\n")
    vertices = int(header.split(b"element vertex ")[1].split()[0])
    floats = header.split(b"element face")[0].count(b"property float")
    np.testing.assert_array_equal(
        points, np.frombuffer(body, "<f4", vertices * floats).reshape(vertices, floats)[:, :3], strict=True
    )


def test_mr_skull_preset(scene, head, skull, tmp_path):
    voxels, affine = head
    image, skin, out = (tmp_path / name for name in ("image.nii.gz", "skin.nii.gz", "out.nii.gz"))
    nibabel.save(nibabel.Nifti1Image(voxels.T, affine), image)
    skull("skin", image, "-o", skin, "-q")
    skull("threshold", image, "--mask", skin, "--preset", "mr-skull", "-o", out, "-q")

    volume = add_volume(scene, voxels, affine)
    segmentation = add_segmentation(scene)
    SkullEffects.skin(volume, segmentation)
    selected = SkullEffects.threshold(volume, segmentation, mask="Skin", preset="MR skull")
    np.testing.assert_array_equal(of_volume(segmentation, selected.segment_id, volume), mask_of(out))
    assert any("candidate" in warning for warning in selected.warnings)
