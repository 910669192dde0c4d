"""What the tests of the logic share: a scene, drawn scans, and the command line to compare with."""

import nibabel
import numpy as np
import pytest
import slicer_core as slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy


@pytest.fixture
def scene():
    """A scene as the Segmentations module has it."""
    scene = slicer.vtkMRMLScene()
    logic = slicer.vtkSlicerSegmentationsModuleLogic()
    logic.SetMRMLScene(scene)
    yield scene


@pytest.fixture(scope="session", params=["head-mr", "head-ct", "orbit-ct"])
def drawn(request, skull, tmp_path_factory):
    """The path of a drawn scan, of each kind there is."""
    folder = tmp_path_factory.mktemp(request.param)
    voxel = {"orbit-ct": (0.6, 0.6, 0.9)}.get(request.param, (2, 2.2, 2.5))
    skull("sample", request.param, "-o", folder, "--voxel", *voxel, "-q")
    return folder / "image.nii.gz"


@pytest.fixture(scope="session")
def head(skull, tmp_path_factory):
    """A coarse MR head and its affine."""
    folder = tmp_path_factory.mktemp("head")
    skull("sample", "head-mr", "-o", folder, "--voxel", 4, 4, 4, "-q")
    return read(folder / "image.nii.gz")


def read(path):
    """Voxels [z, y, x] and affine of a NIfTI file."""
    image = nibabel.load(path)
    return np.ascontiguousarray(np.asanyarray(image.dataobj).T), image.affine


def add_volume(scene, voxels, affine=None, first=(0, 0, 0), name="Scan"):
    """A volume node of voxels [z, y, x], or [z, y, x, component], whose extent starts at `first`."""
    image = vtk.vtkImageData()
    image.SetExtent(*(n for f, size in zip(first, voxels.shape[2::-1]) for n in (f, f + size - 1)))
    flat = voxels.reshape(-1, voxels.shape[3]) if voxels.ndim == 4 else voxels.ravel()
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(flat), deep=True))
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    volume.SetAndObserveImageData(image)
    volume.SetIJKToRASMatrix(matrix(np.diag([1.0, 1.0, 1.0, 1.0]) if affine is None else affine))
    return volume


def matrix(affine):
    result = vtk.vtkMatrix4x4()
    for row in range(4):
        for column in range(4):
            result.SetElement(row, column, affine[row][column])
    return result


def add_segmentation(scene, volume=None):
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Segmentation")
    segmentation.CreateDefaultDisplayNodes()
    if volume is not None:
        segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    return segmentation


def set_geometry(segmentation, affine, extent):
    """Gives the segmentation a reference geometry of its own."""
    image = slicer.vtkOrientedImageData()
    image.SetGeometryFromImageToWorldMatrix(matrix(affine))
    image.SetExtent(*extent)
    converter = slicer.vtkSegmentationConverter
    segmentation.GetSegmentation().SetConversionParameter(
        converter.GetReferenceImageGeometryParameterName(), converter.SerializeImageGeometry(image)
    )


def labelmap(segmentation, segment_id, extent):
    """The segment's voxels [z, y, x] in an extent of the segmentation's geometry."""
    image = slicer.vtkOrientedImageData()
    assert segmentation.GetBinaryLabelmapRepresentation(segment_id, image)
    result = np.zeros([extent[5] - extent[4] + 1, extent[3] - extent[2] + 1, extent[1] - extent[0] + 1], bool)
    have = image.GetExtent()
    if have[0] > have[1]:
        return result
    voxels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1]) != 0
    inside = [slice(max(have[2 * a], extent[2 * a]), min(have[2 * a + 1], extent[2 * a + 1]) + 1) for a in (2, 1, 0)]
    to = tuple(slice(s.start - extent[2 * a], s.stop - extent[2 * a]) for s, a in zip(inside, (2, 1, 0)))
    of = tuple(slice(s.start - have[2 * a], s.stop - have[2 * a]) for s, a in zip(inside, (2, 1, 0)))
    result[to] = voxels[of]
    assert result.sum() == voxels.sum(), "the segment reaches out of the extent"
    return result


def of_volume(segmentation, segment_id, volume):
    """The segment's voxels on the volume's grid."""
    return labelmap(segmentation, segment_id, volume.GetImageData().GetExtent())


def add_cube(segmentation, volume, where, name="Cube"):
    """A segment that is set where `where` [z, y, x] is, on the volume's grid."""
    image = slicer.vtkOrientedImageData()
    image.SetExtent(*volume.GetImageData().GetExtent())
    to_ras = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(to_ras)
    image.SetGeometryFromImageToWorldMatrix(to_ras)
    image.GetPointData().SetScalars(numpy_to_vtk(where.astype(np.uint8).ravel(), deep=True))
    segment_id = segmentation.GetSegmentation().AddEmptySegment(name, name)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    assert logic.SetBinaryLabelmapToSegment(image, segmentation, segment_id, logic.MODE_REPLACE)
    return segment_id


class Editor:
    """The Segment Editor without its window."""

    def __init__(self, scene, segmentation, volume, segment_id):
        self.node = scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode", "Editor")
        self.logic = slicer.vtkSlicerSegmentEditorLogic()
        self.logic.SetMRMLScene(scene)
        self.logic.SetSegmentEditorNode(self.node)
        self.logic.SetSegmentationNode(segmentation)
        self.logic.SetSourceVolumeNode(volume)
        self.logic.SetCurrentSegmentID(segment_id)
