"""`skull skin` on a head drawn here: nibabel finds the mask on the scan's grid, scipy finds it whole."""
from dataclasses import dataclass

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage


@dataclass(frozen=True)
class Head:
    """A solid head: tissue values in [x, y, z], the truth, and where they lie (RAS)."""

    values: np.ndarray
    inside: np.ndarray
    affine: np.ndarray


@pytest.fixture(scope="session")
def head():
    """An egg of fat, skull and brain with a sinus in it, noise around it, on oblique, anisotropic voxels."""
    spacing = np.array([1.5, 1.25, 2.0])
    shape = np.array([120, 160, 90])
    tilt = np.deg2rad(12)
    axes = np.array([[-1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing
    affine[:3, 3] = -affine[:3, :3] @ ((shape - 1) / 2) + [3.0, -7.0, 11.0]

    place = [(index - (n - 1) / 2) * s for index, n, s in zip(np.ogrid[tuple(map(slice, shape))], shape, spacing)]
    reach = np.sqrt((place[0] / 70) ** 2 + (place[1] / 85) ** 2 + (place[2] / 75) ** 2)
    sinus = (place[0] / 12) ** 2 + ((place[1] - 55) / 10) ** 2 + (place[2] / 10) ** 2 < 1
    values = np.zeros(shape)
    for edge, level in ((1.0, 700), (0.95, 60), (0.88, 450)):
        values[reach < edge] = level
    values[sinus] = 0
    noise = np.random.default_rng(5).normal(0, 12, (2, *shape))
    return Head(np.hypot(values + noise[0], noise[1]), reach < 1, affine)


def found(skull, head, folder, scalar, kind=nib.Nifti1Image):
    """The mask's image and the scan's."""
    full_scale = 120 if scalar == "int8" else 250 if scalar == "uint8" else 1000
    stored = (head.values * (full_scale / head.values.max())).astype(scalar)
    image = kind(stored, head.affine, dtype=scalar)
    image.set_qform(head.affine, code=1)
    image.set_sform(head.affine, code=2)
    scan, out = folder / "scan.nii.gz", folder / "skin.nii.gz"
    nib.save(image, scan)
    skull("skin", scan, "-o", out)
    return nib.load(out), nib.load(scan)


@pytest.mark.parametrize("scalar", ["int8", "uint8", "int16", "uint32", "float32", "float64"])
def test_one_part_without_holes_of_the_right_shape(skull, head, tmp_path, scalar):
    mask = np.asanyarray(found(skull, head, tmp_path, scalar)[0].dataobj)
    assert set(np.unique(mask)) == {0, 1}
    assert ndimage.label(mask)[1] == 1
    assert np.array_equal(ndimage.binary_fill_holes(mask), mask)
    overlap = np.count_nonzero(mask & head.inside)
    dice = 2 * overlap / (np.count_nonzero(mask) + np.count_nonzero(head.inside))
    assert dice > 0.99


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_the_mask_lies_where_the_scan_lies(skull, head, tmp_path, kind):
    mask, scan = (image.header for image in found(skull, head, tmp_path, "int16", kind))
    for field in ["pixdim", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x",
                  "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z"]:
        assert mask[field].tobytes() == scan[field].tobytes(), field
    assert mask.get_data_dtype() == np.uint8
