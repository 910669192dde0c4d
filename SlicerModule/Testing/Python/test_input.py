"""What is refused, how it is said, and what stays as it was."""

import inspect

import numpy as np
import pytest
import SkullEffects
import slicer_core as slicer
import vtk
from conftest import add_cube, add_segmentation, add_volume, of_volume


@pytest.fixture
def small(scene):
    voxels = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    volume = add_volume(scene, voxels)
    return volume, add_segmentation(scene, volume)


def message_of(call, error=SkullEffects.Error):
    with pytest.raises(error) as raised:
        call()
    return str(raised.value)


def test_no_volume(small):
    text = message_of(lambda: SkullEffects.skin(None, small[1]))
    assert text == "no volume is selected: choose the source volume"
    assert small[1].GetSegmentation().GetNumberOfSegments() == 0, "no segment is left behind"


def test_volume_without_voxels(scene, small):
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    assert "no voxels" in message_of(lambda: SkullEffects.skin(empty, small[1]))


def test_four_components(scene, small):
    colours = add_volume(scene, np.zeros((3, 3, 3, 4), np.uint8))
    assert "4 components" in message_of(lambda: SkullEffects.skin(colours, small[1]))


def test_bits(scene, small):
    image = vtk.vtkImageData()
    image.SetDimensions(8, 8, 8)
    image.AllocateScalars(vtk.VTK_BIT, 1)
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    volume.SetAndObserveImageData(image)
    assert "type bit" in message_of(lambda: SkullEffects.skin(volume, small[1]))


def test_one_voxel(scene):
    volume = add_volume(scene, np.full((1, 1, 1), 7, np.int16))
    segmentation = add_segmentation(scene)
    assert "same value" in message_of(lambda: SkullEffects.skin(volume, segmentation))
    assert SkullEffects.threshold(volume, segmentation, lower=5).voxels == 1
    assert SkullEffects.surface(segmentation, "Bone", smoothing=0).volume_ml == pytest.approx(0.001)


@pytest.mark.parametrize("scalar", "int8 uint8 int16 uint16 int32 uint32 int64 uint64 float32 float64".split())
def test_every_scalar_type(scene, scalar):
    volume = add_volume(scene, (np.arange(60) % 7).reshape(3, 4, 5).astype(scalar))
    segmentation = add_segmentation(scene)
    assert SkullEffects.threshold(volume, segmentation, lower=2.5, upper=5).voxels == sum(
        2.5 <= i % 7 <= 5 for i in range(60)
    )


def test_no_segmentation(small):
    assert "no segmentation" in message_of(lambda: SkullEffects.skin(small[0], None))


def test_closed_surfaces_are_no_labelmaps(small):
    volume, segmentation = small
    segmentation.GetSegmentation().SetSourceRepresentationName("Closed surface")
    assert "Closed surface" in message_of(lambda: SkullEffects.skin(volume, segmentation))


def test_no_such_mask(small):
    text = message_of(lambda: SkullEffects.threshold(*small, mask="Hat", lower=1))
    assert text == 'the mask "Hat" is no segment of Segmentation, which has none'


def test_empty_mask(small):
    volume, segmentation = small
    segmentation.GetSegmentation().AddEmptySegment("", "Nothing")
    assert message_of(lambda: SkullEffects.threshold(*small, mask="Nothing", lower=1)) == "the mask is empty"
    assert message_of(lambda: SkullEffects.surface(segmentation, "Nothing")) == "the mask is empty"
    assert segmentation.GetSegmentation().GetNumberOfSegments() == 1


def test_two_segments_of_one_name(small):
    volume, segmentation = small
    first = segmentation.GetSegmentation().AddEmptySegment("", "Bone")
    second = segmentation.GetSegmentation().AddEmptySegment("", "Bone")
    assert first in message_of(lambda: SkullEffects.threshold(volume, segmentation, "Bone", lower=1))
    assert SkullEffects.threshold(volume, segmentation, second, lower=1).segment_id == second


def test_misspelt_names_are_refused_with_the_right_one(small):
    text = message_of(lambda: SkullEffects.skin(*small, opening_cm=0.8), TypeError)
    assert text == "skin has no parameter opening_cm: did you mean opening_mm?"
    text = message_of(lambda: SkullEffects.batch(SkullEffects.skin, [], openning_mm=8), TypeError)
    assert "did you mean opening_mm" in text


@pytest.mark.parametrize(
    "parameters, error, text",
    [
        ({"opening_mm": "8 mm"}, TypeError, "opening_mm is a number in millimetres, not '8 mm'"),
        ({"opening_mm": -1}, ValueError, "opening_mm is -1, but must be from 0 to 100 in millimetres"),
        ({"opening_mm": True}, TypeError, "opening_mm is a number in millimetres, not True"),
        ({"modality": "PET"}, ValueError, "modality is 'PET', but must be one of auto, CT, MR"),
        ({"threshold": float("nan")}, ValueError, "threshold is nan, but must be a number"),
        ({"keep_airways": "no"}, TypeError, "keep_airways is True or False, not 'no'"),
    ],
)
def test_values_that_cannot_be_are_refused(small, parameters, error, text):
    assert message_of(lambda: SkullEffects.skin(*small, **parameters), error) == text


def test_threshold_needs_a_bound_and_only_one_of_each(small):
    assert "needs one of" in message_of(lambda: SkullEffects.threshold(*small), TypeError)
    assert "same bound" in message_of(lambda: SkullEffects.threshold(*small, lower=3, method="otsu"), TypeError)
    assert "Kittler-Illingworth" in message_of(lambda: SkullEffects.threshold(*small, method="otso"), ValueError)
    text = message_of(lambda: SkullEffects.threshold(*small, lower=5, upper=3))
    assert text == "the lower bound is 5, but must be at most the upper bound"


def test_defaults_are_the_kernels():
    defaults = {name: p.default for name, p in inspect.signature(SkullEffects.skin).parameters.items()}
    operation = slicer_class("vtkSkullEffectsSkin")()
    assert defaults["opening_mm"] == operation.GetOpeningMm()
    assert defaults["keep_airways"] == operation.GetKeepAirways()
    assert np.isnan(operation.GetThreshold()) and operation.GetModality() == 0
    text = SkullEffects.threshold.__doc__
    operation = slicer_class("vtkSkullEffectsThreshold")()
    assert f"(default {operation.GetBins()})" in text
    for value in (operation.GetMinDepthMm(), operation.GetBiasSigmaMm(), operation.GetMinIslandMl(), operation.GetMaxHoleMl()):
        assert value == 0
    assert operation.GetLower() == -np.inf and operation.GetUpper() == np.inf and operation.GetMaxDepthMm() == np.inf


def test_every_parameter_is_documented():
    for function in (SkullEffects.skin, SkullEffects.threshold, SkullEffects.thin_bone, SkullEffects.surface, SkullEffects.batch):
        for name in inspect.signature(function).parameters:
            assert f":param {name}:" in function.__doc__ or name == "parameters", f"{function.__name__}: {name}"


def slicer_class(name):
    return getattr(SkullEffects, name)


def test_failure_leaves_the_segment_as_it_was(small):
    volume, segmentation = small
    where = np.zeros((4, 5, 6), bool)
    where[1:3, 1:3, 1:3] = True
    segment = add_cube(segmentation, volume, where, "Bone")
    message_of(lambda: SkullEffects.threshold(volume, segmentation, "Bone", lower=5, upper=3))
    np.testing.assert_array_equal(of_volume(segmentation, segment, volume), where)


def test_a_panic_is_an_error_and_all_goes_on(small):
    logic = SkullEffects.logic()
    for _ in range(3):
        assert not logic.Panic()
        assert logic.GetErrorMessage() == "internal error, please report it: this panic was asked for"
    assert SkullEffects.threshold(*small, lower=1).voxels == 119


def test_wrong_node_type_is_refused(small):
    with pytest.raises(TypeError):
        SkullEffects.skin(slicer.vtkMRMLModelNode(), small[1])
