"""Progress, cancel, and what others do to the scene meanwhile."""

import numpy as np
import pytest
import SkullEffects
import slicer_core as slicer
import vtk
from conftest import Editor, add_cube, add_segmentation, add_volume, of_volume


@pytest.fixture
def slow(scene):
    """A volume and a segmentation with a segment; a threshold that takes long enough to be watched."""
    rng = np.random.default_rng(3)
    voxels = rng.normal(100, 40, (120, 160, 160)).astype(np.float32)
    volume = add_volume(scene, voxels)
    segmentation = add_segmentation(scene, volume)
    where = np.zeros(voxels.shape, bool)
    where[40:80, 40:80, 40:80] = True
    return volume, segmentation, add_cube(segmentation, volume, where, "Bone"), where


def run(slow, **keywords):
    volume, segmentation, segment, _ = slow
    return SkullEffects.threshold(volume, segmentation, "Bone", method="otsu", bias_sigma_mm=20, **keywords)


def unchanged(slow):
    volume, segmentation, segment, where = slow
    np.testing.assert_array_equal(of_volume(segmentation, segment, volume), where)


@pytest.fixture
def one_thread():
    SkullEffects.logic().SetNumberOfThreads(1)
    yield
    SkullEffects.logic().SetNumberOfThreads(0)


def test_progress_rises(slow, one_thread):
    seen = []
    run(slow, progress=seen.append)
    assert seen == sorted(seen) and seen[0] >= 0 and seen[-1] == 1


@pytest.mark.parametrize("after", [0.0, 0.1, 0.5, 1.0])
def test_cancel_leaves_all_as_it_was(slow, one_thread, after):
    def cancel(fraction):
        if fraction >= after:
            SkullEffects.logic().Cancel()

    with pytest.raises(SkullEffects.Cancelled):
        run(slow, progress=cancel)
    assert SkullEffects.logic().GetCancelled()
    unchanged(slow)
    assert run(slow).voxels > 0, "and it can run again"


def test_cancel_leaves_no_new_segment_and_no_undo_state(scene, slow, one_thread):
    volume, segmentation, segment, _ = slow
    editor = Editor(scene, segmentation, volume, segment)

    def stop(fraction):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SkullEffects.threshold(
            volume, segmentation, "New", method="otsu", bias_sigma_mm=20, progress=stop, editor=editor.logic
        )
    assert segmentation.GetSegmentation().GetNumberOfSegments() == 1
    assert not editor.logic.CanUndo()
    unchanged(slow)


def test_cancel_leaves_a_new_segmentation_without_geometry(scene, slow):
    segmentation = add_segmentation(scene)

    def stop(fraction):
        SkullEffects.logic().Cancel()

    with pytest.raises(SkullEffects.Cancelled):
        SkullEffects.threshold(slow[0], segmentation, lower=100, progress=stop)
    name = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    assert segmentation.GetSegmentation().GetConversionParameter(name) == ""


def test_only_one_at_a_time(slow, one_thread):
    messages = []

    def again(fraction):
        if not messages:
            try:
                run(slow)
            except SkullEffects.Error as error:
                messages.append(str(error))

    run(slow, progress=again)
    assert messages == ["another operation is still running: wait for it, or cancel it"]


def swap_image(volume, segmentation):
    volume.SetAndObserveImageData(vtk.vtkImageData())


def change_voxels(volume, segmentation):
    volume.GetImageData().GetPointData().GetScalars().Modified()


def move_volume(volume, segmentation):
    volume.SetOrigin(1, 2, 3)


def free_voxels(volume, segmentation):
    volume.GetImageData().AllocateScalars(vtk.VTK_SHORT, 1)


def remove_volume(volume, segmentation):
    volume.GetScene().RemoveNode(volume)


def remove_segmentation(volume, segmentation):
    segmentation.GetScene().RemoveNode(segmentation)


def remove_segment(volume, segmentation):
    segmentation.GetSegmentation().RemoveAllSegments()


def close_scene(volume, segmentation):
    volume.GetScene().Clear(False)


@pytest.mark.parametrize(
    "act",
    [swap_image, change_voxels, move_volume, free_voxels, remove_volume, remove_segmentation, remove_segment, close_scene],
)
def test_nothing_is_written_where_inputs_change(slow, one_thread, act):
    volume, segmentation, segment, where = slow
    done = []

    def interfere(fraction):
        if not done:
            done.append(act(volume, segmentation))

    before = segmentation.GetSegmentation().GetMTime()
    with pytest.raises(SkullEffects.Error, match="meanwhile: nothing was written"):
        run(slow, progress=interfere)
    if act not in (remove_segment, close_scene):
        assert segmentation.GetSegmentation().GetMTime() == before


def test_threads_change_nothing(slow):
    volume, segmentation, segment, _ = slow
    results = []
    for threads in (1, 2, 5):
        SkullEffects.logic().SetNumberOfThreads(threads)
        run(slow)
        results.append(of_volume(segmentation, segment, volume))
    SkullEffects.logic().SetNumberOfThreads(0)
    assert (results[0] == results[1]).all() and (results[0] == results[2]).all()


def test_batch_goes_on_after_a_bad_volume(scene, head):
    volumes = [
        add_volume(scene, *head, name="good"),
        add_volume(scene, np.full((3, 3, 3), 5, np.int16), name="flat"),
        add_volume(scene, *head, name="also good"),
    ]
    told = []
    items = SkullEffects.batch(
        SkullEffects.skin, iter(volumes), opening_mm=10, progress=lambda *numbers: told.append(numbers)
    )
    assert [item.error is None for item in items] == [True, False, True]
    assert items[0].segmentation.GetName() == "good segmentation"
    assert items[0].result.volume_ml == items[2].result.volume_ml > 1000
    assert "nothing to separate" in str(items[1].error)
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 2
    assert {number for number, _ in told} <= {0, 1, 2}
