"""Masking, overwriting and undo, as the Segment Editor has them."""

import numpy as np
import pytest
import SkullEffects
import slicer_core as slicer
import vtk
from conftest import Editor, add_cube, add_segmentation, add_volume, of_volume


@pytest.fixture
def edited(scene):
    """An image that grows with x, two overlapping segments, and an editor on the first."""
    voxels = np.tile(np.arange(10, dtype=np.int16) * 10, (8, 9, 1))
    volume = add_volume(scene, voxels)
    segmentation = add_segmentation(scene, volume)
    where = np.zeros(voxels.shape, bool)
    where[2:6, 2:7, 3:9] = True
    mask = add_cube(segmentation, volume, where, "Head")
    target = segmentation.GetSegmentation().AddEmptySegment("", "Bright")
    editor = Editor(scene, segmentation, volume, target)
    return volume, segmentation, editor, mask, target, where


def bright(edited, **parameters):
    volume, segmentation, editor, *_ = edited
    SkullEffects.threshold(volume, segmentation, "Bright", lower=50, editor=editor.logic, **parameters)


def test_undo_and_redo(edited):
    volume, segmentation, editor, mask, target, where = edited
    bright(edited)
    after = of_volume(segmentation, target, volume)
    assert after.sum() == 5 * 72
    editor.logic.Undo()
    assert not of_volume(segmentation, target, volume).any()
    np.testing.assert_array_equal(of_volume(segmentation, mask, volume), where)
    editor.logic.Redo()
    np.testing.assert_array_equal(of_volume(segmentation, target, volume), after)


def test_editable_intensity_range(edited):
    volume, segmentation, editor, mask, target, where = edited
    editor.node.SetSourceVolumeIntensityMask(True)
    editor.node.SetSourceVolumeIntensityMaskRange(0, 70)
    bright(edited)
    assert of_volume(segmentation, target, volume).sum() == 3 * 72


def test_editable_inside_a_segment(edited):
    volume, segmentation, editor, mask, target, where = edited
    editor.node.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedInsideSingleSegment)
    editor.node.SetMaskSegmentID(mask)
    editor.node.SetOverwriteMode(editor.node.OverwriteNone)
    bright(edited)
    bound = np.tile(np.arange(10) >= 5, (8, 9, 1))
    np.testing.assert_array_equal(of_volume(segmentation, target, volume), where & bound)


@pytest.mark.parametrize("mode", ["OverwriteAllSegments", "OverwriteVisibleSegments", "OverwriteNone"])
def test_the_mask_is_never_overwritten(edited, mode):
    volume, segmentation, editor, mask, target, where = edited
    editor.node.SetOverwriteMode(getattr(editor.node, mode))
    bright(edited, mask="Head")
    bound = np.tile(np.arange(10) >= 5, (8, 9, 1))
    np.testing.assert_array_equal(of_volume(segmentation, target, volume), where & bound)
    np.testing.assert_array_equal(of_volume(segmentation, mask, volume), where)
    editor.logic.Undo()
    assert not of_volume(segmentation, target, volume).any()
    np.testing.assert_array_equal(of_volume(segmentation, mask, volume), where)


def test_the_mask_gets_its_own_voxels_back_not_its_neighbours(edited):
    """The mask shares its layer with a segment of a lower label, the target has a layer of its own."""
    volume, segmentation, editor, head, target, where = edited
    beside = np.zeros_like(where)
    beside[2:6, 7:9, 3:9] = True
    neck = add_cube(segmentation, volume, beside, "Neck")
    editor.node.SetOverwriteMode(editor.node.OverwriteNone)
    bright(edited)
    editor.node.SetOverwriteMode(editor.node.OverwriteAllSegments)
    bright(edited, mask="Neck")
    np.testing.assert_array_equal(of_volume(segmentation, neck, volume), beside)
    np.testing.assert_array_equal(of_volume(segmentation, head, volume), where)


def test_inside_of_any_of_several_masks(edited):
    volume, segmentation, editor, mask, target, where = edited
    other = np.zeros_like(where)
    other[0:3, 0:9, 0:10] = True
    second = add_cube(segmentation, volume, other, "Second")
    bright(edited, mask=["Head", "Second"])
    bound = np.tile(np.arange(10) >= 5, (8, 9, 1))
    np.testing.assert_array_equal(of_volume(segmentation, target, volume), (where | other) & bound)
    np.testing.assert_array_equal(of_volume(segmentation, mask, volume), where)
    np.testing.assert_array_equal(of_volume(segmentation, second, volume), other)
    bright(edited, mask=["Head", "Second"], invert_mask=True)
    np.testing.assert_array_equal(of_volume(segmentation, target, volume), ~(where | other) & bound)
    with pytest.raises(SkullEffects.Error, match='the mask "Third" is no segment'):
        bright(edited, mask=["Head", "Third"])


def test_other_segments_are_overwritten_as_the_editor_says(edited):
    volume, segmentation, editor, mask, target, where = edited
    bound = np.tile(np.arange(10) >= 5, (8, 9, 1))
    editor.node.SetOverwriteMode(editor.node.OverwriteAllSegments)
    bright(edited)
    np.testing.assert_array_equal(of_volume(segmentation, mask, volume), where & ~bound)


def test_without_an_editor_no_other_segment_changes(edited):
    volume, segmentation, editor, mask, target, where = edited
    editor.node.SetOverwriteMode(editor.node.OverwriteAllSegments)
    SkullEffects.threshold(volume, segmentation, "Bright", lower=50)
    assert of_volume(segmentation, target, volume).sum() == 5 * 72
    np.testing.assert_array_equal(of_volume(segmentation, mask, volume), where)


def test_a_segment_is_replaced_not_added_to(edited):
    volume, segmentation, editor, mask, target, where = edited
    bright(edited)
    SkullEffects.threshold(volume, segmentation, "Bright", lower=80, editor=editor.logic)
    assert of_volume(segmentation, target, volume).sum() == 2 * 72


def test_status_changes_with_the_first_edit(edited):
    volume, segmentation, editor, mask, target, where = edited
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    segment = segmentation.GetSegmentation().GetSegment(target)
    assert logic.GetSegmentStatus(segment) == logic.NotStarted
    bright(edited)
    assert logic.GetSegmentStatus(segment) == logic.InProgress


def test_status_and_look_of_a_segment_stay_as_they_are(edited):
    volume, segmentation, editor, mask, target, where = edited
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    segment = segmentation.GetSegmentation().GetSegment(target)
    bright(edited)
    logic.SetSegmentStatus(segment, logic.Completed)
    segment.SetTag("Kept", "1")
    name, color = segment.GetName(), segment.GetColor()
    SkullEffects.threshold(volume, segmentation, "Bright", lower=80, editor=editor.logic)
    assert segmentation.GetSegmentation().GetSegment(target) == segment
    assert logic.GetSegmentStatus(segment) == logic.Completed
    assert segment.HasTag("Kept") and (segment.GetName(), segment.GetColor()) == (name, color)


def test_the_surface_of_a_segment_follows(edited):
    volume, segmentation, editor, mask, target, where = edited
    bright(edited)
    segmentation.CreateClosedSurfaceRepresentation()
    surface = vtk.vtkPolyData()
    segmentation.GetClosedSurfaceRepresentation(target, surface)
    before = surface.GetBounds()
    SkullEffects.threshold(volume, segmentation, "Bright", lower=80, editor=editor.logic)
    segmentation.GetClosedSurfaceRepresentation(target, surface)
    assert surface.GetNumberOfPoints() > 0
    assert surface.GetBounds() != before


def test_no_segment_selected_is_said_and_changes_nothing(edited):
    volume, segmentation, editor, mask, target, where = edited
    operation = SkullEffects.vtkSkullEffectsThreshold()
    for nothing in ("", "gone"):
        editor.logic.SetCurrentSegmentID(nothing)
        assert not SkullEffects.logic().Apply(operation, editor.logic)
        assert "segment" in SkullEffects.logic().GetErrorMessage()
    assert not editor.logic.CanUndo()
    np.testing.assert_array_equal(of_volume(segmentation, mask, volume), where)
