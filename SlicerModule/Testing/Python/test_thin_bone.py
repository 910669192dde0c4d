"""Thin bone: as the command line, and as nodes."""

import json

import numpy as np
import pytest
import SkullEffects
from conftest import add_cube, add_segmentation, add_volume, of_volume, read
from vtk.util.numpy_support import vtk_to_numpy


@pytest.fixture(scope="session")
def orbit(skull, tmp_path_factory):
    """A drawn orbit with walls thinner than its voxels, its base bone, and what the command line makes of them."""
    folder = tmp_path_factory.mktemp("orbit")
    skull("sample", "orbit-ct", "-o", folder, "--voxel", 0.6, 0.6, 0.9, "-q")
    paths = {name: folder / f"{name}.nii.gz" for name in ("image", "bone", "out", "added", "thickness")}
    skull("threshold", paths["image"], "--lower", 300, "--min-island-ml", 0.05, "-o", paths["bone"], "-q")
    skull("thin-bone", paths["image"], "--bone", paths["bone"], "-o", paths["out"], "--added", paths["added"],
          "--thickness", paths["thickness"], "--openings", folder / "openings.json", "-q")
    return paths, json.loads((folder / "openings.json").read_text())


@pytest.fixture
def scanned(scene, orbit):
    paths, _ = orbit
    volume = add_volume(scene, *read(paths["image"]))
    segmentation = add_segmentation(scene, volume)
    add_cube(segmentation, volume, read(paths["bone"])[0] != 0, "Bone")
    return volume, segmentation


def test_same_as_command_line(scene, scanned, orbit):
    paths, listed = orbit
    volume, segmentation = scanned
    table = scene.AddNewNodeByClass("vtkMRMLTableNode")
    points = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    thickness = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    found = SkullEffects.thin_bone(volume, segmentation, table=table, points=points, thickness=thickness)
    np.testing.assert_array_equal(of_volume(segmentation, found.segment_id, volume), read(paths["added"])[0] != 0)
    got = vtk_to_numpy(thickness.GetImageData().GetPointData().GetScalars())
    np.testing.assert_array_equal(got, read(paths["thickness"])[0].ravel())
    np.testing.assert_array_equal(of_volume(segmentation, "Bone", volume), read(paths["bone"])[0] != 0)

    listed = listed["openings"] if isinstance(listed, dict) else listed
    assert len(found.openings) == len(listed) > 0
    assert table.GetNumberOfRows() == points.GetNumberOfControlPoints() == len(listed)
    for i, (opening, expected) in enumerate(zip(found.openings, listed)):
        assert opening.verdict == expected["verdict"].lower()
        np.testing.assert_allclose(opening.center, expected["center_ras_mm"], atol=1e-3)
        assert points.GetNthControlPointLabel(i) == f"{opening.verdict} {i + 1}"
        assert table.GetTable().GetColumnByName("Verdict").GetValue(i) == opening.verdict


def test_a_decision_is_applied_and_told(scanned):
    volume, segmentation = scanned
    before = SkullEffects.thin_bone(volume, segmentation)
    index = next(i for i, o in enumerate(before.openings) if o.verdict != "filled")
    decision = (before.openings[index].center, "filled")
    after = SkullEffects.thin_bone(volume, segmentation, decisions=[decision])
    nearest = min(after.openings, key=lambda o: np.linalg.norm(np.subtract(o.center, decision[0])))
    assert nearest.verdict == "filled" and nearest.decided
    assert after.volume_ml > before.volume_ml


def test_terminology_is_bone(scanned):
    volume, segmentation = scanned
    found = SkullEffects.thin_bone(volume, segmentation)
    assert "SCT^272673000^Bone" in segmentation.GetSegmentation().GetSegment(found.segment_id).GetTerminology()


def test_base_bone_is_needed(scanned):
    volume, segmentation = scanned
    with pytest.raises(SkullEffects.Error, match='the bone "Skull" is no segment'):
        SkullEffects.thin_bone(volume, segmentation, bone="Skull")
    segmentation.GetSegmentation().AddEmptySegment("Empty", "Empty")
    with pytest.raises(SkullEffects.Error, match="the base bone is empty"):
        SkullEffects.thin_bone(volume, segmentation, bone="Empty")
    with pytest.raises(ValueError, match="verdict"):
        SkullEffects.thin_bone(volume, segmentation, decisions=[((0, 0, 0), "perhaps")])


def test_defaults_are_the_kernels():
    operation = SkullEffects.vtkSkullEffectsThinBone()
    defaults = SkullEffects.thin_bone.__kwdefaults__ or SkullEffects.thin_bone.__wrapped__.__kwdefaults__
    assert defaults["thinnest_mm"] == operation.GetThinnestMm()
    assert defaults["largest_opening_mm"] == operation.GetLargestOpeningMm()
    assert operation.GetFwhmInPlaneMm() == 0
    assert operation.GetNumberOfOpenings() == 0
    assert operation.GetOpeningVerdict(5) == operation.Undecided
