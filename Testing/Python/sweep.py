"""Walls of 0.1 to 1 mm through blur and noise, between different media: who finds them, and who fills what is open.

    sweep.py SKULL OUTPUT.png [--json RESULTS.json]

A flat, tilted wall spans a shaft in thick bone and has a square hole of 4 mm; its blurred image is known in closed form.
Each method gives a mask of bone. Recall is the share of the wall that the mask covers; false fill is the mean of the
share of the hole's middle that it covers and of the share of the same interface without any wall. A place is covered if
a voxel of the mask is within 0.75 voxel diagonals.

`skull` runs with its defaults and the blur's width (there is no skin to measure it on). Each of the others has the one
setting with the best mean difference of recall and false fill over the whole sweep: it is told the truth. Thresholds go
down to 125 HU: lower ones hold muscle and brain.
"""
import argparse
import itertools
import json
import subprocess
import tempfile
from pathlib import Path

import matplotlib
import nibabel as nib
import numpy as np
import SimpleITK as sitk
from scipy import ndimage, spatial, special

matplotlib.use("Agg")
import matplotlib.pyplot as plt

THICKNESS_MM = np.round(np.arange(0.1, 1.01, 0.1), 1)
FWHM_MM = (0.7, 1.0, 1.4)
NOISE_HU = (15, 45)
MEDIA = {"air | fat (orbital floor)": (-1000, -100), "fat | brain (orbital roof)": (-100, 35), "air | air (septum)": (-1000, -1000)}
BONE_HU = 1200
SIZE, VOXEL_MM, HOLE_MM, SHAFT_MM = 44, 0.5, 4.0, 16.0
BASE_HU = 300
METHODS = ("skull thin-bone", "threshold", "threshold + closing", "ITK voting hole filling", "plate measure (Hessian)")
COLOURS = ("#D55E00", "#000000", "#0072B2", "#009E73", "#CC79A7")


def frame():
    """The wall's normal and two directions in it, and the middle of the volume, mm."""
    n = np.array([0.82, 0.45, 0.35])
    n /= np.linalg.norm(n)
    u = np.cross(n, [0, 0, 1.0])
    u /= np.linalg.norm(u)
    return n, u, np.cross(n, u), (SIZE - 1) * VOXEL_MM / 2 + np.array([0.13, 0.08, -0.11])


def places():
    """The wall's coordinates of each voxel's centre, and its place in the shaft, mm."""
    n, u, v, middle = frame()
    grid = np.stack(np.meshgrid(*[np.arange(SIZE) * VOXEL_MM] * 3, indexing="ij"), -1) - middle
    return grid @ n, grid @ u, grid @ v, grid[..., 1:]


def seen(x, low, high, sigma):
    return special.ndtr((x - low) / sigma) - special.ndtr((x - high) / sigma)


def draw(thickness, fwhm, noise, media, seed):
    s, u, v, aside = places()
    sigma = fwhm / 2.3548
    a, b = media
    half = SHAFT_MM / 2
    bare = a + (b - a) * special.ndtr(s / sigma)
    wall = a + (BONE_HU - a) * special.ndtr((s + thickness / 2) / sigma) + (b - BONE_HU) * special.ndtr((s - thickness / 2) / sigma)
    hole = seen(u, -HOLE_MM / 2, HOLE_MM / 2, sigma) * seen(v, -HOLE_MM / 2, HOLE_MM / 2, sigma)
    shaft = seen(aside[..., 0], -half, half, sigma) * seen(aside[..., 1], -half, half, sigma)
    hu = shaft * (hole * bare + (1 - hole) * wall) + (1 - shaft) * BONE_HU
    return (hu + noise * np.random.default_rng(seed).normal(size=hu.shape)).round().astype(np.int16)


def samples():
    """Points on the interface: those of the wall, and those of the hole's middle; indices of voxels, not whole."""
    n, u, v, middle = frame()
    steps = np.arange(-9, 9.01, 0.4)
    a, b = (c.ravel() for c in np.meshgrid(steps, steps))
    points = middle + a[:, None] * u + b[:, None] * v
    inside = (abs(points - middle)[:, 1:].max(1) < SHAFT_MM / 2 - 1.5) & (abs(points - middle)[:, 0] < SIZE * VOXEL_MM / 2 - 2)
    reach = np.maximum(abs(a), abs(b))
    return points[inside & (reach > HOLE_MM / 2 + 0.7)] / VOXEL_MM, points[reach <= 0.8] / VOXEL_MM


def neighbours(points):
    """For each point the flat indices of the voxels that cover it, padded with the first of them."""
    voxels = np.stack(np.meshgrid(*[np.arange(SIZE)] * 3, indexing="ij"), -1).reshape(-1, 3)
    near = spatial.cKDTree(voxels).query_ball_point(points, 0.75 * 3**0.5)
    table = np.array([n[:1] * max(map(len, near)) for n in near])
    for row, n in zip(table, near):
        row[:len(n)] = n
    return table


WALL, HOLE = map(neighbours, samples())


def covered(mask, points):
    return float(mask.ravel()[points].any(1).mean())


def skull(program, ct, fwhm, folder):
    nib.save(nib.Nifti1Image(ct, np.diag([VOXEL_MM] * 3 + [1])), folder / "ct.nii")
    subprocess.run([program, "thin-bone", folder / "ct.nii", "-o", folder / "bone.nii", "--threshold", str(BASE_HU),
                    "--fwhm", str(fwhm), str(fwhm), "--quiet"], check=True)
    return np.asarray(nib.load(folder / "bone.nii").dataobj) > 0


def threshold(ct):
    return {f"{hu} HU": ct >= hu for hu in (125, 150, 200, 250, 300, 400)}


def closing(ct):
    masks = {}
    away = {name: ndimage.distance_transform_edt(~mask, VOXEL_MM) for name, mask in threshold(ct).items() if mask.any()}
    for (name, mm), radius in itertools.product(away.items(), (0.5, 1.0, 1.5, 2.0, 3.0)):
        wide = mm <= radius
        masks[f"{name}, {radius} mm"] = ndimage.distance_transform_edt(wide, VOXEL_MM) > radius
    return masks


def voting(ct):
    masks = {}
    for (name, mask), radius in itertools.product(threshold(ct).items(), (1, 2)):
        image = sitk.GetImageFromArray(mask.astype(np.uint8))
        filled = sitk.VotingBinaryIterativeHoleFilling(image, [radius] * 3, 10, 1)
        masks[f"{name}, radius {radius}"] = sitk.GetArrayFromImage(filled) > 0
    return masks


def plate_measure(ct):
    masks = {}
    image = sitk.GetImageFromArray(ct.astype(np.float32))
    image.SetSpacing([VOXEL_MM] * 3)
    for sigma in (0.4, 0.6, 0.9):
        smooth = sitk.SmoothingRecursiveGaussian(image, sigma)
        measure = sitk.ObjectnessMeasure(smooth, alpha=0.5, beta=0.5, gamma=150.0, scaleObjectnessMeasure=True, objectDimension=2, brightObject=True)
        measure = sitk.GetArrayFromImage(measure)
        for level in (20, 40, 80, 120, 160, 240, 320, 480):
            masks[f"sigma {sigma} mm, {level}"] = (measure > level) | (ct >= BASE_HU)
    return masks


OTHERS = {"threshold": threshold, "threshold + closing": closing, "ITK voting hole filling": voting, "plate measure (Hessian)": plate_measure}


def sweep(program):
    """For each method and setting, media, blur, noise: recall and false fill at each thickness."""
    results = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for (name, media), fwhm, noise in itertools.product(MEDIA.items(), FWHM_MM, NOISE_HU):
            scans = [draw(t, fwhm, noise, media, seed) for seed, t in enumerate([0.0, *THICKNESS_MM])]
            makers = {"skull thin-bone": lambda ct: {"defaults": skull(program, ct, fwhm, folder)}, **OTHERS}
            for method, make in makers.items():
                bare, *walls = [make(ct) for ct in scans]
                for setting in bare:
                    invented = covered(bare[setting], WALL)
                    recall = [covered(masks[setting], WALL) for masks in walls]
                    fill = [(covered(masks[setting], HOLE) + invented) / 2 for masks in walls]
                    results.append(dict(method=method, media=name, fwhm=fwhm, noise=noise, setting=setting, recall=recall, fill=fill))
                best = max(results[-len(bare):], key=merit)
                print(f"{name}, FWHM {fwhm}, noise {noise}, {method}: recall {np.mean(best['recall']):.2f}, "
                      f"false fill {np.mean(best['fill']):.2f} ({best['setting']})", flush=True)
    return results


def merit(result):
    return np.mean(result["recall"]) - np.mean(result["fill"])


def at_best_settings(results):
    """Of each method the results at the one setting that is best over all."""
    kept = []
    for method in METHODS:
        own = [r for r in results if r["method"] == method]
        best = max(sorted({r["setting"] for r in own}), key=lambda setting: np.mean([merit(r) for r in own if r["setting"] == setting]))
        kept += [r for r in own if r["setting"] == best]
        each = [max((r for r in own if (r["media"], r["fwhm"], r["noise"]) == case), key=merit)
                for case in {(r["media"], r["fwhm"], r["noise"]) for r in own}]
        for what, chosen in ((best, kept[-len(each):]), ("the best for each case", each)):
            print(f"{method} ({what}): recall {np.mean([r['recall'] for r in chosen]):.3f}, false fill {np.mean([r['fill'] for r in chosen]):.3f}")
    return kept


def compare_without_false_fill(results):
    """Where `skull` sees less of a wall than a threshold that fills as little of what is open."""
    for ours in (r for r in results if r["method"] == METHODS[0]):
        same = [r for r in results if r["method"] == "threshold" and all(r[k] == ours[k] for k in ("media", "fwhm", "noise"))]
        for k, mm in enumerate(THICKNESS_MM):
            rival = max((r["recall"][k] for r in same if r["fill"][k] <= ours["fill"][k]), default=0)
            if rival > ours["recall"][k]:
                print(f"{ours['media']}, FWHM {ours['fwhm']}, noise {ours['noise']}, {mm} mm: recall {ours['recall'][k]:.2f}, "
                      f"threshold of no more false fill {rival:.2f}")


def plot(results, path):
    figure, axes = plt.subplots(len(FWHM_MM), 2 * len(MEDIA), figsize=(17, 7.6), sharex=True, sharey=True)
    for row, fwhm in enumerate(FWHM_MM):
        for column, (what, name) in enumerate(itertools.product(("recall", "fill"), MEDIA)):
            ax = axes[row, column]
            for method, colour in zip(METHODS, COLOURS):
                curves = [r[what] for r in results if (r["method"], r["media"], r["fwhm"]) == (method, name, fwhm)]
                ours = method == METHODS[0]
                ax.fill_between(THICKNESS_MM, np.min(curves, 0), np.max(curves, 0), color=colour, alpha=0.13, lw=0)
                ax.plot(THICKNESS_MM, np.mean(curves, 0), color=colour, lw=2.6 if ours else 1.4, label=method, zorder=3 if ours else 2)
            ax.set(ylim=(-0.04, 1.04), xlim=(THICKNESS_MM[0], THICKNESS_MM[-1]))
            ax.grid(alpha=0.3)
            if row == 0:
                ax.set_title(f"{'recall' if what == 'recall' else 'false fill'}\n{name}", fontsize=10)
            if row == len(FWHM_MM) - 1:
                ax.set_xlabel("wall, mm")
            if column == 0:
                ax.set_ylabel(f"FWHM {fwhm} mm")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=len(METHODS), frameon=False, fontsize=11)
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    figure.savefig(path, dpi=90)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("skull", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    results = sweep(arguments.skull)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))
    compare_without_false_fill(results)
    plot(at_best_settings(results), arguments.output)


if __name__ == "__main__":
    main()
