"""Segmentations whose geometry is not the volume's."""

import nibabel
import numpy as np
import pytest
import SkullEffects
import slicer_core as slicer
import vtk
from conftest import add_segmentation, add_volume, labelmap, matrix, of_volume, read, set_geometry
from vtk.util.numpy_support import vtk_to_numpy

OBLIQUE = np.array(
    [[-1.2, 0.4, 0.3, 40.0], [0.5, 1.1, -0.6, -70.0], [-0.2, 0.5, 1.9, 12.0], [0.0, 0.0, 0.0, 1.0]]
)


def orthogonal(affine, spacing):
    """The affine with perpendicular axes, as scanners have them, and this spacing."""
    axes, _ = np.linalg.qr(affine[:3, :3])
    result = affine.copy()
    result[:3, :3] = axes * spacing
    return result


@pytest.fixture
def skin_on_own_grid(scene, head):
    volume = add_volume(scene, *head)
    segmentation = add_segmentation(scene)
    SkullEffects.skin(volume, segmentation)
    return of_volume(segmentation, "Skin", volume)


def skin_of(scene, volume, segmentation):
    return SkullEffects.skin(volume, segmentation).segment_id


def test_oblique(scene, head, skull, tmp_path):
    # A tilted head's vertex is elsewhere: the command line's answer on the same file counts, not the upright head's.
    affine = orthogonal(OBLIQUE, [4.0, 4.0, 4.0])
    nibabel.save(nibabel.Nifti1Image(head[0].T, affine), tmp_path / "oblique.nii.gz")
    skull("skin", tmp_path / "oblique.nii.gz", "-o", tmp_path / "skin.nii.gz", "-q")
    volume = add_volume(scene, head[0], affine)
    segmentation = add_segmentation(scene)
    got = of_volume(segmentation, skin_of(scene, volume, segmentation), volume)
    np.testing.assert_array_equal(got, read(tmp_path / "skin.nii.gz")[0])


@pytest.mark.parametrize("spacing", [4 * (1 - 1e-7), 4 * (1 + 1e-7)])
def test_a_spacing_in_single_precision_gives_the_same_skin(scene, head, skin_on_own_grid, spacing):
    volume = add_volume(scene, head[0], np.diag([spacing, spacing, spacing, 1.0]))
    segmentation = add_segmentation(scene)
    got = of_volume(segmentation, skin_of(scene, volume, segmentation), volume)
    np.testing.assert_array_equal(got, skin_on_own_grid)


def test_volume_extent_that_does_not_start_at_0(scene, head, skin_on_own_grid):
    volume = add_volume(scene, *head, first=(5, -3, 11))
    segmentation = add_segmentation(scene)
    got = of_volume(segmentation, skin_of(scene, volume, segmentation), volume)
    np.testing.assert_array_equal(got, skin_on_own_grid)
    made = SkullEffects.surface(segmentation, "Skin")
    bounds = [0.0] * 6
    made.model.GetRASBounds(bounds)
    segmentation_bounds = [0.0] * 6
    segmentation.GetRASBounds(segmentation_bounds)
    np.testing.assert_allclose(bounds, segmentation_bounds, atol=4)


@pytest.mark.parametrize("effect", ["skin", "threshold"])
def test_cropped_geometry_keeps_what_is_inside(scene, head, effect):
    volume = add_volume(scene, *head)
    whole, cropped = add_segmentation(scene), add_segmentation(scene)
    size = volume.GetImageData().GetDimensions()
    extent = [7, size[0] - 9, 3, size[1] // 2, 10, size[2] + 4]
    set_geometry(cropped, head[1], extent)
    apply = {"skin": SkullEffects.skin, "threshold": lambda *a: SkullEffects.threshold(*a, lower=100)}[effect]
    all_of_it = of_volume(whole, apply(volume, whole).segment_id, volume)
    got = labelmap(cropped, apply(volume, cropped).segment_id, extent)
    expected = np.pad(all_of_it, ((0, 5), (0, 0), (0, 0)))[10:, 3 : size[1] // 2 + 1, 7 : size[0] - 8]
    np.testing.assert_array_equal(got, expected)


def test_oversampled_geometry_is_smooth_and_of_the_same_volume(scene, head):
    volume = add_volume(scene, *head)
    segmentation = add_segmentation(scene)
    affine = head[1].copy()
    affine[:3, :3] /= 3
    affine[:3, 3] -= head[1][:3, :3].sum(axis=1) / 3  # the corner stays where it is
    size = volume.GetImageData().GetDimensions()
    set_geometry(segmentation, affine, [0, 3 * size[0] - 1, 0, 3 * size[1] - 1, 0, 3 * size[2] - 1])
    found = SkullEffects.skin(volume, segmentation)
    voxels = labelmap(segmentation, found.segment_id, [0, 3 * size[0] - 1, 0, 3 * size[1] - 1, 0, 3 * size[2] - 1])
    assert voxels.sum() * (4 / 3) ** 3 / 1000 == pytest.approx(found.volume_ml, rel=0.03)
    blocks = voxels.reshape(size[2], 3, size[1], 3, size[0], 3).sum(axis=(1, 3, 5))
    assert ((blocks > 0) & (blocks < 27)).sum() > 0.3 * ((blocks > 0) & (blocks <= 27)).sum() ** (2 / 3)


@pytest.mark.parametrize("moved", ["volume", "segmentation", "both"])
def test_linear_transforms(scene, head, moved):
    volume = add_volume(scene, *head)
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Moved")
    move = np.eye(4)
    move[:3, :3] = np.linalg.qr(OBLIQUE[:3, :3])[0]
    move[:3, 3] = 5, -17, 30
    transform.SetMatrixTransformToParent(matrix(move))
    segmentation = add_segmentation(scene)
    if moved != "segmentation":
        volume.SetAndObserveTransformNodeID(transform.GetID())
    if moved != "volume":
        segmentation.SetAndObserveTransformNodeID(transform.GetID())
    expected = add_segmentation(scene)
    plain = add_volume(scene, *head)
    SkullEffects.skin(plain, expected)
    SkullEffects.skin(volume, segmentation)
    size = volume.GetImageData().GetExtent()
    np.testing.assert_array_equal(labelmap(segmentation, "Skin", size), labelmap(expected, "Skin", size))

    def center(node, to_world):
        points = vtk_to_numpy(SkullEffects.surface(node, "Skin").model.GetPolyData().GetPoints().GetData())
        return (to_world @ [*points.mean(axis=0, dtype=float), 1])[:3]

    where = center(expected, np.eye(4) if moved == "segmentation" else move)
    got = center(segmentation, np.eye(4) if moved == "volume" else move)
    np.testing.assert_allclose(got, where, atol=0.1, err_msg="it lies where the volume is seen")


def test_non_linear_transform(scene, head):
    volume = add_volume(scene, *head)
    warp = vtk.vtkThinPlateSplineTransform()
    source, target = vtk.vtkPoints(), vtk.vtkPoints()
    for corner in np.ndindex(2, 2, 2):
        point = (np.array(corner) - 0.5) * 200
        source.InsertNextPoint(*point)
        target.InsertNextPoint(*(point + [0, 0, 12 * corner[0] * corner[1]]))
    warp.SetSourceLandmarks(source)
    warp.SetTargetLandmarks(target)
    warp.SetBasisToR()
    transform = scene.AddNewNodeByClass("vtkMRMLTransformNode", "Warp")
    transform.SetAndObserveTransformToParent(warp)
    straight, warped = add_segmentation(scene), add_segmentation(scene)
    straight_result = SkullEffects.skin(volume, straight)
    volume.SetAndObserveTransformNodeID(transform.GetID())
    warped_result = SkullEffects.skin(volume, warped)
    assert warped_result.volume_ml == straight_result.volume_ml, "the kernel sees the scan as it was taken"
    extent = volume.GetImageData().GetExtent()
    difference = labelmap(warped, "Skin", extent) ^ labelmap(straight, "Skin", extent)
    assert 0 < difference.mean() < 0.1
    SkullEffects.threshold(volume, warped, "Bone", mask="Skin", lower=100)
    assert not (labelmap(warped, "Bone", extent) & ~labelmap(warped, "Skin", extent)).any()


def test_segmentation_takes_the_geometry_of_its_first_volume(scene, head):
    volume = add_volume(scene, *head)
    segmentation = add_segmentation(scene)
    SkullEffects.skin(volume, segmentation)
    name = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    assert segmentation.GetSegmentation().GetConversionParameter(name)
