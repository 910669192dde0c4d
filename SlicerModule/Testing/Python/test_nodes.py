"""What the results are like as MRML nodes."""

import gc
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import SkullEffects
import slicer_core as slicer
import vtk
from conftest import Editor, add_segmentation, add_volume, of_volume


def test_created_segments_have_terminology_and_colour(scene, head):
    volume = add_volume(scene, *head)
    segmentation = add_segmentation(scene)
    SkullEffects.skin(volume, segmentation)
    SkullEffects.threshold(volume, segmentation, lower=100, mask="Skin")
    SkullEffects.threshold(volume, segmentation, "Whatever", lower=100, mask="Skin")
    segments = segmentation.GetSegmentation()
    for name, code, colour in (
        ("Skin", "SCT^39937001^Skin", (177, 122, 101)),
        ("Bone", "SCT^272673000^Bone", (241, 214, 145)),
    ):
        segment = segments.GetSegment(name)
        assert code in segment.GetTerminology()
        assert [round(255 * c) for c in segment.GetColor()] == list(colour)
        assert segment.GetTerminology().count("~") == 6, "as Slicer writes them"
    assert "Tissue~SCT^85756007^Tissue" in segments.GetSegment("Whatever").GetTerminology()


def test_seg_nrrd_round_trip(scene, head, tmp_path):
    volume = add_volume(scene, *head)
    segmentation = add_segmentation(scene)
    SkullEffects.skin(volume, segmentation)
    SkullEffects.threshold(volume, segmentation, mask="Skin", lower=300)
    path = str(tmp_path / "head.seg.nrrd")
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(path)
    assert storage.WriteData(segmentation)
    back = add_segmentation(scene)
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(path)
    assert storage.ReadData(back)
    assert list(back.GetSegmentation().GetSegmentIDs()) == ["Skin", "Bone"]
    for name in ("Skin", "Bone"):
        np.testing.assert_array_equal(of_volume(back, name, volume), of_volume(segmentation, name, volume))
        before, after = (node.GetSegmentation().GetSegment(name) for node in (segmentation, back))
        assert after.GetTerminology() == before.GetTerminology()
    again = SkullEffects.threshold(volume, back, "Again", mask="Skin", lower=300)
    np.testing.assert_array_equal(of_volume(back, again.segment_id, volume), of_volume(back, "Bone", volume))


def test_the_surface_is_a_model_that_can_be_shown(scene, head):
    volume = add_volume(scene, *head)
    segmentation = add_segmentation(scene)
    SkullEffects.skin(volume, segmentation)
    made = SkullEffects.surface(segmentation)
    assert made.model.GetName() == "Skin" and made.model.GetDisplayNode()
    assert made.closed_manifold and made.components == 1
    mesh = made.model.GetPolyData()
    edges = vtk.vtkFeatureEdges()
    edges.SetInputData(mesh)
    edges.FeatureEdgesOff()
    edges.ManifoldEdgesOff()
    edges.Update()
    assert edges.GetOutput().GetNumberOfCells() == 0, "VTK finds no open or crowded edge"
    measure = vtk.vtkMassProperties()
    measure.SetInputData(mesh)
    assert measure.GetVolume() / 1000 == pytest.approx(made.volume_ml, rel=1e-3)
    SkullEffects.surface(segmentation, "Skin", made.model, smoothing=0)
    assert scene.GetNumberOfNodesByClass("vtkMRMLModelNode") == 1


def test_printing_an_operation_names_its_parameters():
    assert "OpeningMm: 8" in str(SkullEffects.vtkSkullEffectsSkin())
    assert "Bins: 256" in str(SkullEffects.vtkSkullEffectsThreshold())
    assert "NumberOfThreads" in str(SkullEffects.logic())


def test_nothing_leaks(scene):
    """Objects and memory stay level over many runs, undo and closed scenes included."""
    rng = np.random.default_rng(1)
    voxels = rng.integers(0, 100, (60, 100, 100)).astype(np.int16)

    def once():
        volume = add_volume(scene, voxels)
        segmentation = add_segmentation(scene, volume)
        target = segmentation.GetSegmentation().AddEmptySegment("", "Bone")
        editor = Editor(scene, segmentation, volume, target)
        SkullEffects.threshold(volume, segmentation, "Bone", lower=50, editor=editor.logic)
        editor.logic.Undo()
        SkullEffects.threshold(volume, segmentation, "All", lower=0)
        SkullEffects.surface(segmentation, "All")
        editor.logic.SetSegmentEditorNode(None)
        scene.Clear(False)

    def memory():
        gc.collect()
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def objects():
        gc.collect()
        return sum(isinstance(o, vtk.vtkObject) for o in gc.get_objects())

    for _ in range(5):
        once()
    memory_before, objects_before = memory(), objects()
    for _ in range(20):
        once()
    assert objects() <= objects_before
    assert memory() - memory_before < 4 * voxels.nbytes, "20 runs hold not even 4 images"


def test_only_the_modules_own_symbols_are_exported():
    library = Path(SkullEffects.__file__).with_name("libvtkSlicerSkullEffectsModuleLogic.so")
    listing = subprocess.run(
        ["nm", "--dynamic", "--defined-only", "--demangle", "--format=just-symbols", library],
        capture_output=True,
        text=True,
        check=True,
    )
    symbols = listing.stdout.splitlines()
    foreign = [s for s in symbols if "SkullEffects" not in s]
    assert symbols and not foreign, f"{len(foreign)} of {len(symbols)}: {foreign[:5]}"
    assert len(symbols) < 500
