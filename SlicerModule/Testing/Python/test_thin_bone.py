"""Thin bone: as the command line, and as nodes."""

import json

import numpy as np
import pytest
import SkullEffects
import slicer_core as slicer
from conftest import Editor, add_cube, add_segmentation, add_volume, matrix, of_volume, read
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
        np.testing.assert_allclose(opening.residual, np.nan if expected["residual"] is None else expected["residual"], atol=1e-6)
        np.testing.assert_allclose(opening.residual_if_empty, expected["residual_if_empty"], atol=1e-6)
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


def test_a_verdict_is_applied_where_it_is_and_nowhere_else(scene, scanned):
    """What the effect does when a verdict is turned gives the voxels that another run with that decision gives."""
    volume, segmentation = scanned
    operation = SkullEffects.vtkSkullEffectsThinBone()
    operation.SetBoneSegmentID("Bone")
    logic = SkullEffects.logic()
    before = logic.ApplyToNewSegment(operation, volume, segmentation, "Before")
    # the largest, listed first, may slant through the volume
    listed = reversed(range(operation.GetNumberOfOpenings()))
    index = next(i for i in listed if operation.GetOpeningVerdict(i) != operation.Filled)
    opening = slicer.vtkOrientedImageData()
    assert logic.ComputeOpeningMask(operation, index, volume, segmentation, opening), logic.GetErrorMessage()
    assert opening.GetNumberOfPoints() < 0.05 * volume.GetImageData().GetNumberOfPoints()
    bone = of_volume(segmentation, "Bone", volume)
    editor = Editor(scene, segmentation, volume, before).logic
    editor.ModifySegmentByLabelmap(segmentation, before, opening, editor.ModificationModeAdd, False, False)
    np.testing.assert_array_equal(of_volume(segmentation, "Bone", volume), bone)

    center = [0.0] * 3
    operation.GetOpeningCenter(index, center)
    after = SkullEffects.thin_bone(volume, segmentation, "After", decisions=[(center, "filled")])
    np.testing.assert_array_equal(of_volume(segmentation, before, volume), of_volume(segmentation, after.segment_id, volume))
    operation.SetOpeningVerdict(index, operation.Filled)
    assert operation.GetOpeningVerdict(index) == operation.Filled and operation.GetOpeningDecided(index)

    assert not logic.ComputeOpeningMask(operation, 10**6, volume, segmentation, opening)
    assert "there is no such opening" in logic.GetErrorMessage()


def test_a_region_holds_all_that_is_added(scanned, orbit, skull, tmp_path):
    paths, _ = orbit
    volume, segmentation = scanned
    whole = SkullEffects.thin_bone(volume, segmentation)
    center = whole.openings[0].center
    roi = [(c - 8, c + 8) for c in center]
    found = SkullEffects.thin_bone(volume, segmentation, "Part", roi_mm=[pair[::-1] for pair in roi])
    box = [end for pair in roi for end in pair]
    skull("thin-bone", paths["image"], "--bone", paths["bone"], "-o", tmp_path / "out.nii.gz", "--added", tmp_path / "added.nii.gz",
          "--roi", *box, "-q")
    np.testing.assert_array_equal(of_volume(segmentation, found.segment_id, volume), read(tmp_path / "added.nii.gz")[0] != 0)
    assert 0 < found.volume_ml < whole.volume_ml
    with pytest.raises(SkullEffects.Error, match="region of interest is empty"):
        SkullEffects.thin_bone(volume, segmentation, roi_mm=[(800, 900)] * 3)


def test_a_region_node_is_its_box_in_the_volumes_space(scene, scanned):
    volume, segmentation = scanned
    region = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    region.SetCenter(10, 20, 30)
    region.SetSize(16, 8, 4)
    bounds = [0.0] * 6
    logic = SkullEffects.vtkSlicerSkullEffectsLogic
    logic.GetRegionBounds(region, volume, bounds)
    np.testing.assert_allclose(bounds, [2, 18, 16, 24, 28, 32])

    turned = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    turned.SetMatrixTransformToParent(matrix([[0, -1, 0, 5], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]))
    region.SetAndObserveTransformNodeID(turned.GetID())
    logic.GetRegionBounds(region, volume, bounds)
    np.testing.assert_allclose(bounds, [-19, -11, 2, 18, 28, 32], atol=1e-9)
    volume.SetAndObserveTransformNodeID(turned.GetID())
    logic.GetRegionBounds(region, volume, bounds)
    np.testing.assert_allclose(bounds, [2, 18, 16, 24, 28, 32], atol=1e-9)

    tilted = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    half = np.sqrt(0.5)
    tilted.SetMatrixTransformToParent(matrix([[half, -half, 0, 0], [half, half, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]))
    volume.SetAndObserveTransformNodeID(None)
    region.SetCenter(0, 0, 0)
    region.SetAndObserveTransformNodeID(tilted.GetID())
    logic.GetRegionBounds(region, volume, bounds)
    np.testing.assert_allclose(bounds, [-12 * half, 12 * half, -12 * half, 12 * half, -2, 2], atol=1e-9)


def test_a_region_node_works_as_its_numbers(scene, scanned):
    volume, segmentation = scanned
    center = SkullEffects.thin_bone(volume, segmentation).openings[0].center
    region = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    region.SetCenter(*center)
    region.SetSize(16, 16, 16)
    node = SkullEffects.thin_bone(volume, segmentation, "Node", roi_mm=region)
    numbers = SkullEffects.thin_bone(volume, segmentation, "Numbers", roi_mm=[(c - 8, c + 8) for c in center])
    assert node.volume_ml > 0
    np.testing.assert_array_equal(of_volume(segmentation, node.segment_id, volume), of_volume(segmentation, numbers.segment_id, volume))


def test_decisions_are_saved_and_undone_with_the_bone(scene, scanned, tmp_path):
    volume, segmentation = scanned
    operation = SkullEffects.vtkSkullEffectsThinBone()
    operation.SetBoneSegmentID("Bone")
    logic = SkullEffects.logic()
    logic.ApplyToNewSegment(operation, volume, segmentation, "Thin bone")
    bone = segmentation.GetSegmentation().GetSegment("Bone")
    of_run = [operation.GetOpeningVerdict(i) for i in range(operation.GetNumberOfOpenings())]
    turned = {1: operation.Filled, 0: operation.Open}
    for index, verdict in turned.items():
        for last in (operation.Undecided, verdict):  # the last word on an opening counts
            operation.SetOpeningVerdict(index, last)
            operation.WriteDecision(index, bone)

    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(tmp_path / "reviewed.seg.nrrd"))
    assert storage.WriteData(segmentation)
    loaded = add_segmentation(scene)
    assert storage.ReadData(loaded)

    again = SkullEffects.vtkSkullEffectsThinBone()
    again.SetBoneSegmentID("Bone")
    again.ReadDecisions(loaded.GetSegmentation().GetSegment("Bone"))
    assert again.GetNumberOfDecisions() == 2
    assert logic.ApplyToNewSegment(again, volume, loaded, "Reviewed"), logic.GetErrorMessage()
    for index in range(operation.GetNumberOfOpenings()):
        assert again.GetOpeningVerdict(index) == operation.GetOpeningVerdict(index) == turned.get(index, of_run[index])
        assert again.GetOpeningDecided(index) == (index in turned)

    # what filled an opening is part of the bone once it is merged
    operation.RemoveFilledDecisions(bone)
    operation.ReadDecisions(bone)
    assert operation.GetNumberOfDecisions() == 1
    # as after an undo
    bone.RemoveTag("SkullEffects.ThinBone.Decisions")
    operation.UpdateVerdicts(bone)
    assert [operation.GetOpeningVerdict(i) for i in range(operation.GetNumberOfOpenings())] == of_run
    assert not any(operation.GetOpeningDecided(i) for i in range(operation.GetNumberOfOpenings()))


@pytest.mark.parametrize("text", ["", "1,2,3", "1;2;3;0", "1,2,3,7", "a,b,c,0", ";;"])
def test_decisions_that_are_none_are_left_out(scanned, text):
    bone = scanned[1].GetSegmentation().GetSegment("Bone")
    bone.SetTag("SkullEffects.ThinBone.Decisions", text + ";1.5,-2,3e1,1")
    operation = SkullEffects.vtkSkullEffectsThinBone()
    operation.ReadDecisions(bone)
    assert operation.GetNumberOfDecisions() == 1


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
