"""`skull threshold` selects what numpy selects."""
import json

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage
from skimage import filters

SHAPE, SPACING = (40, 36, 30), (0.8, 0.9, 1.5)


@pytest.fixture
def scan(tmp_path):
    """Two blurred tissues and a mask of half of them, as files, with their arrays."""
    random = np.random.default_rng(3)
    texture = ndimage.gaussian_filter(random.normal(size=SHAPE), 2)
    image = (np.where(texture > 0.02, 900, 150) + random.normal(0, 60, SHAPE)).astype(np.int16)
    mask = np.zeros(SHAPE, np.uint8)
    mask[5:-5, 4:-8, 3:-3] = 1
    affine = np.diag([*SPACING, 1])
    nib.save(nib.Nifti1Image(image, affine), tmp_path / "image.nii.gz")
    nib.save(nib.Nifti1Image(mask, affine), tmp_path / "mask.nii.gz")
    return tmp_path, image, mask.astype(bool)


def selected(skull, folder, *options):
    out = folder / "out.nii.gz"
    skull("threshold", folder / "image.nii.gz", "-o", out, *options)
    return np.asanyarray(nib.load(out).dataobj).astype(bool)


def test_two_bounds_without_a_mask(skull, scan):
    folder, image, _ = scan
    found = selected(skull, folder, "--lower", 120.5, "--upper", 890)
    np.testing.assert_array_equal(found, (image >= 120.5) & (image <= 890))


def test_inside_and_outside_the_mask(skull, scan):
    folder, image, mask = scan
    within = selected(skull, folder, "--mask", folder / "mask.nii.gz", "--lower", 500)
    np.testing.assert_array_equal(within, (image >= 500) & mask)
    beyond = selected(skull, folder, "--mask", folder / "mask.nii.gz", "--invert-mask", "--lower", 500)
    np.testing.assert_array_equal(beyond, (image >= 500) & ~mask)


def test_depth_below_the_mask_surface(skull, scan):
    folder, image, mask = scan
    depth = ndimage.distance_transform_edt(mask, sampling=SPACING)
    window = ["--depth-min", 2.0, "--depth-max", 5.0]
    found = selected(skull, folder, "--mask", folder / "mask.nii.gz", "--lower", 500, *window)
    np.testing.assert_array_equal(found, (image >= 500) & (depth > 2.0) & (depth <= 5.0))


@pytest.mark.parametrize("method, reference", [("otsu", filters.threshold_otsu), ("yen", filters.threshold_yen)])
def test_automatic_bounds_come_from_the_mask_alone(skull, scan, method, reference):
    folder, image, mask = scan
    report = folder / "report.json"
    selected(skull, folder, "--mask", folder / "mask.nii.gz", "--method", method, "--report", report)
    found = json.loads(report.read_text())["result"]["lower"]
    values = image[mask].astype(float)
    bin_width = np.ptp(values) / 256
    assert abs(found - reference(values, nbins=256)) <= 1.5 * bin_width
