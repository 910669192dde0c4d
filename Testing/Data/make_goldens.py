#!/usr/bin/env python3
"""Makes the goldens: what other programs compute from small volumes, for the kernels' tests to agree with.

    python3 Testing/Data/make_goldens.py [NAME ...]      names of the functions below; all without any

Writes into Testing/Data/goldens. Needs, from PyPI: numpy scipy SimpleITK slicer-core. Arrays are .npy files,
indexed [z, y, x] in C order; `thresholds.csv` is a table. Each function writes one kernel's inputs and outputs.
"""
import csv
import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage as ndi

FOLDER = Path(__file__).parent / "goldens"
SPACING_MM = (0.7, 1.1, 1.6)  # x, y, z
SPACING_ZYX = SPACING_MM[::-1]
RADIUS_MM = 1.9
SIGMA_MM = 1.7
METHODS = dict(
    OTSU="Otsu", HUANG="Huang", ISO_DATA="IsoData", INTERMODES="Intermodes",
    KITTLER_ILLINGWORTH="KittlerIllingworth", LI="Li", MAXIMUM_ENTROPY="MaximumEntropy", MOMENTS="Moments",
    RENYI_ENTROPY="RenyiEntropy", SHANBHAG="Shanbhag", TRIANGLE="Triangle", YEN="Yen",
)


def save(name, array):
    np.save(FOLDER / f"{name}.npy", np.ascontiguousarray(array))


def blobs():
    """Many parts, cavities and tunnels, some cut by the volume's faces."""
    noise = ndi.gaussian_filter(np.random.default_rng(7).normal(size=(10, 13, 15)), 0.55)
    mask = (noise > np.quantile(noise, 0.68)).astype(np.uint8)
    mask[5:10, 6:12, 8:14] = 1
    mask[6:9, 8:11, 10:13] = 0
    mask[7, 9, 11] = 1
    return mask


def head():
    """A head's outline, and which tissue each voxel of the volume is: air, scalp, bone, brain, sinus."""
    z, y, x = np.meshgrid(*(np.linspace(-1.15, 1.15, n) for n in (14, 18, 20)), indexing="ij")
    r = np.sqrt(x**2 + y**2 + z**2)
    tissue = np.select([r > 1, r > 0.87, r > 0.68], [0, 1, 2], 3)
    tissue[(x**2 + (y - 0.75) ** 2 + (z + 0.2) ** 2) < 0.05] = 4
    return (r <= 1).astype(np.uint8), tissue


def images():
    """A head CT whose air is cut off at -1024 HU, and a T1 with Rician noise."""
    rng = np.random.default_rng(11)
    mask, tissue = head()
    ct = np.array([-1010, -60, 1150, 35, -1010])[tissue] + rng.normal(0, 40, tissue.shape)
    t1 = np.array([0, 620, 60, 410, 0])[tissue] * (1 + 0.1 * np.linspace(-1, 1, tissue.shape[2]))
    t1 = np.hypot(t1 + rng.normal(0, 25, tissue.shape), rng.normal(0, 25, tissue.shape))
    return mask, np.maximum(ct, -1024).astype(np.int16), t1.astype(np.int16)


def slicer_threshold(values, method):
    """What 3D Slicer's Threshold effect computes, from 64 bins; its class takes no mask."""
    import slicer
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonDataModel import vtkImageData

    image = vtkImageData()
    image.SetDimensions(values.size, 1, 1)
    image.GetPointData().SetScalars(numpy_to_vtk(values, deep=True))
    calculator = slicer.vtkITKImageThresholdCalculator()
    calculator.SetInputData(image)
    getattr(calculator, f"SetMethodTo{method}")()
    calculator.Update()
    return calculator.GetThreshold()


def itk_threshold(image, mask, method, bins):
    """What ITK's filter computes, or None where it fails. In single precision, as it cuts integers' decimals off."""
    f = getattr(sitk, f"{method}ThresholdImageFilter")()
    f.SetNumberOfHistogramBins(bins)
    image = sitk.GetImageFromArray(image.astype(np.float32))
    try:
        if mask is None:
            f.Execute(image)
        else:
            f.SetMaskValue(1)
            f.Execute(image, sitk.GetImageFromArray(mask))
    except RuntimeError:
        return None
    return f.GetThreshold()


def thresholds():
    mask, ct, t1 = images()
    save("head_mask", mask)
    save("head_ct", ct)
    save("head_t1", t1)
    with open(FOLDER / "thresholds.csv", "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["image", "masked", "program", "bins", "method", "threshold"])
        for name, image in dict(head_ct=ct, head_t1=t1).items():
            for masked in (0, 1):
                for identifier, method in METHODS.items():
                    for program, bins in (("ITK", 64), ("ITK", 128), ("ITK", 256), ("Slicer", 64)):
                        m = mask if masked else None
                        if program == "ITK":
                            value = itk_threshold(image, m, method, bins)
                        else:
                            values = image[mask > 0] if masked else image.ravel()
                            # A failure is logged and leaves 0; ITK's own row tells.
                            value = None if itk_threshold(image, m, method, 64) is None else slicer_threshold(values, method)
                        if value is not None:
                            table.writerow([name, masked, program, bins, identifier, f"{value:.6f}"])


def distance():
    """Distance from each voxel of the mask to the nearest voxel outside it, and from each outside to the mask."""
    mask = blobs()
    save("blobs", mask)
    save("blobs_distance_inside", ndi.distance_transform_edt(mask, sampling=SPACING_ZYX).astype(np.float32))
    image = sitk.GetImageFromArray(mask)
    image.SetSpacing(SPACING_MM)
    outside = sitk.SignedMaurerDistanceMap(image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True)
    to_mask = ndi.distance_transform_edt(1 - mask, sampling=SPACING_ZYX).astype(np.float32)
    # Two programs, one answer: Maurer's distances run to the boundary voxels of the mask, hence only outside.
    assert np.allclose(sitk.GetArrayFromImage(outside)[mask == 0], to_mask[mask == 0], atol=1e-4)
    save("blobs_distance_outside", to_mask)


def components():
    for rank, neighbours in ((1, 6), (2, 18), (3, 26)):
        labels, n = ndi.label(blobs(), ndi.generate_binary_structure(3, rank))
        assert n < 256
        save(f"blobs_components_{neighbours}", labels.astype(np.uint8))


def fill():
    save("blobs_fill", ndi.binary_fill_holes(blobs()).astype(np.uint8))


def morphology():
    """By a ball in mm, on a volume with background around it."""
    pad = [(int(RADIUS_MM / s) + 2,) * 2 for s in SPACING_ZYX]

    def grow(m):
        return ndi.distance_transform_edt(~m, sampling=SPACING_ZYX) <= RADIUS_MM

    def shrink(m):
        return ~grow(~m)

    def keep(name, padded):
        save(f"blobs_{name}", padded[tuple(slice(a, -b) for a, b in pad)].astype(np.uint8))

    # Filled and widened by a voxel, so that erosion and opening leave something.
    mask = ndi.binary_dilation(ndi.binary_fill_holes(blobs()))
    save("blobs_wide", mask.astype(np.uint8))
    mask = np.pad(mask, pad)
    keep("erode", shrink(mask))
    keep("open", grow(shrink(mask)))
    mask = np.pad(blobs() > 0, pad)
    keep("dilate", grow(mask))
    keep("close", shrink(grow(mask)))


def gaussian():
    """Truncated at four sigma, mirrored at the volume's faces."""
    _, _, t1 = images()
    t1 = t1[2:12, 3:16, :15]
    save("gaussian_in", t1)
    sigma = [SIGMA_MM / s for s in SPACING_ZYX]
    save("gaussian_out", ndi.gaussian_filter(t1.astype(np.float64), sigma, mode="reflect", truncate=4).astype(np.float32))


ALL = [thresholds, distance, components, fill, morphology, gaussian]

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for make in ALL:
        if make.__name__ in (sys.argv[1:] or [m.__name__ for m in ALL]):
            make()
