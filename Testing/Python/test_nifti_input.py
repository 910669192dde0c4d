"""Scans that nibabel writes mean the same to us."""
import json

import nibabel as nib
import numpy as np
import pytest

SCALARS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]
OBLIQUE = np.array([[-0.9, 0.1, 0, 80], [0.1, 0.9, 0.3, -90], [0, -0.2, 1.5, 12], [0, 0, 0, 1]])


def stored(scalar):
    """Values over the type's range, different along each axis."""
    low, high = (-3.5, 1e6) if scalar.startswith("float") else (np.iinfo(scalar).min // 2, np.iinfo(scalar).max // 2)
    return np.linspace(low, high, 7 * 6 * 5).reshape(7, 6, 5).astype(scalar)


def agrees_with_nibabel(skull, path):
    info, image = json.loads(skull("info", path, "--json")), nib.load(path)
    assert tuple(info["size"]) == image.shape
    np.testing.assert_allclose(info["affine"], image.affine[: len(info["affine"])], atol=1e-6)
    values, found = image.get_fdata(), info["intensities"]
    np.testing.assert_allclose([found["minimum"], found["maximum"]], [values.min(), values.max()], rtol=1e-6)
    np.testing.assert_allclose(found["mean"], values.mean(), rtol=1e-6, atol=1e-6 * np.abs(values).max())


@pytest.mark.parametrize("scalar", SCALARS)
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_every_voxel_type(skull, tmp_path, scalar, kind, ending):
    path = tmp_path / f"scan{ending}"
    nib.save(kind(stored(scalar), OBLIQUE, dtype=scalar), path)
    agrees_with_nibabel(skull, path)


@pytest.mark.parametrize("slope, inter", [(1, 0), (2, -1024), (0.1, 0), (0, 7), (np.nan, np.nan)])
def test_scale_factors(skull, tmp_path, slope, inter):
    path = tmp_path / "scan.nii"
    nib.save(nib.Nifti1Image(stored("int16"), OBLIQUE), path)
    with open(path, "r+b") as file:
        file.seek(112)  # scl_slope, scl_inter
        file.write(np.array([slope, inter], "<f4").tobytes())
    agrees_with_nibabel(skull, path)


@pytest.mark.parametrize("qform, sform", [(1, 0), (0, 2), (3, 4)])
def test_geometry_from_either_form(skull, tmp_path, qform, sform):
    path = tmp_path / "scan.nii.gz"
    rigid = np.array([[0, -0.8, 0, 3], [0.6, 0, -0.9, 4], [0.45, 0, 1.2, 5], [0, 0, 0, 1.0]])
    image = nib.Nifti1Image(stored("uint8"), None)
    image.header.set_qform(rigid, qform)
    image.header.set_sform(OBLIQUE if sform else None, sform)
    nib.save(image, path)
    agrees_with_nibabel(skull, path)


def test_big_endian(skull, tmp_path):
    path = tmp_path / "scan.nii"
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(">i2")
    nib.save(nib.Nifti1Image(stored("int16"), OBLIQUE, header), path)
    agrees_with_nibabel(skull, path)
