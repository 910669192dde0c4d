"""Surfaces as mesh programs see them: trimesh reads them, pymeshfix looks for faults."""
import os

import nibabel as nib
import numpy as np
import pymeshfix
import pytest
import trimesh
from scipy import ndimage

OBLIQUE = np.array([[-0.9, 0.1, 0, 80], [0.1, 0.9, 0.3, -90], [0, -0.2, 1.5, 12], [0, 0, 0, 1]])


def skull_like():
    """A shell with holes, thin walls, lone voxels and voxels that touch by an edge only, cut by the volume."""
    x, y, z = (np.arange(n) - (n - 1) / 2 for n in (70, 64, 40))
    r = np.sqrt((x[:, None, None] / 36) ** 2 + (y[None, :, None] / 30) ** 2 + (z[None, None, :] / 24) ** 2)
    noise = ndimage.gaussian_filter(np.random.default_rng(3).normal(size=r.shape), 1.2)
    return (abs(r - 0.85) < 0.05 + 0.25 * noise) & (noise > -0.28)


def head(image):
    """The largest part above half of the usual intensity, solid."""
    values = np.asanyarray(image.dataobj)
    tissue = values > (-300 if values.min() < -500 else 0.3 * np.percentile(values, 95))
    labels, _ = ndimage.label(tissue)
    return ndimage.binary_fill_holes(labels == np.bincount(labels.ravel())[1:].argmax() + 1)


def bone(image):
    return np.asanyarray(image.dataobj) > 250


@pytest.fixture(scope="module")
def masks():
    """Masks with their affines: a drawn one, and those of real scans where `SKULL_SCANS` names a folder of them."""
    found = {"drawn": (skull_like(), OBLIQUE)}
    folder = os.environ.get("SKULL_SCANS")
    if folder:
        for name, find in (("ct_cranium_invesalius", head), ("ct_cranium_invesalius", bone), ("mr_t1_mprage_skyra_child", head)):
            image = nib.load(os.path.join(folder, name + ".nii.gz"))
            found[f"{name} {find.__name__}"] = (find(image), image.affine)
    return found


def surface(skull, folder, mask, affine, ending=".stl", *options):
    nib.save(nib.Nifti1Image(mask.astype(np.uint8), affine), folder / "mask.nii.gz")
    skull("surface", folder / "mask.nii.gz", "-o", folder / f"mesh{ending}", *options)
    return trimesh.load_mesh(folder / f"mesh{ending}")


def intersecting(points, triangles):
    checker = pymeshfix.PyTMesh()
    checker.set_quiet(True)
    checker.load_array(np.asarray(points, float), np.asarray(triangles, np.int32))
    return len(checker.select_intersecting_triangles())


def test_surfaces_are_closed_oriented_and_of_the_right_volume(skull, tmp_path, masks):
    for name, (mask, affine) in masks.items():
        mesh = surface(skull, tmp_path, mask, affine, ".ply")
        assert mesh.is_watertight and mesh.is_winding_consistent, name
        expected = mask.sum() * abs(np.linalg.det(affine[:3, :3]))
        assert mesh.volume == pytest.approx(expected, rel=0.01), name
        # Every edge has two triangles, and the triangles round each vertex form one ring.
        edges = np.sort(mesh.edges, axis=1)
        assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all(), name
        assert len(mesh.face_adjacency) * 2 == 3 * len(mesh.faces), name


def test_no_part_of_a_surface_meets_another(skull, tmp_path, masks):
    for name, (mask, affine) in masks.items():
        mesh = surface(skull, tmp_path, mask, affine, ".ply")
        assert intersecting(mesh.vertices, mesh.faces) == 0, name


def test_points_are_within_half_a_voxel_of_the_mask_faces(skull, tmp_path, masks):
    mask, affine = masks["drawn"]
    mesh = surface(skull, tmp_path, mask, affine, ".ply", "--coordinates", "ras")
    corners = np.linalg.solve(affine[:3, :3], (mesh.vertices - affine[:3, 3]).T).T + 0.5
    padded = np.pad(mask, 1)
    around = sum(padded[a:a + s[0] + 1, b:b + s[1] + 1, c:c + s[2] + 1].astype(int) for s in [mask.shape] for a in (0, 1) for b in (0, 1) for c in (0, 1))
    crossed = (around > 0) & (around < 8)
    # A vertex on the face between two cells is within half a voxel of both.
    near = [crossed[tuple(np.round(corners + tie).astype(int).T)] for tie in (-1e-4, 1e-4)]
    assert np.logical_or(*near).all()


def test_the_three_formats_and_two_spaces_agree(skull, tmp_path):
    mask = np.zeros((9, 8, 7), bool)
    mask[2:6, 1:7, 3:5] = True
    meshes = [surface(skull, tmp_path, mask, OBLIQUE, ending) for ending in (".stl", ".ply", ".obj")]
    for mesh in meshes:
        assert mesh.is_watertight
        assert mesh.volume == pytest.approx(meshes[0].volume, rel=1e-5)
        np.testing.assert_allclose(mesh.bounds, meshes[0].bounds, rtol=1e-6)
    ras = surface(skull, tmp_path, mask, OBLIQUE, ".ply", "--coordinates", "ras")
    np.testing.assert_allclose(ras.vertices, meshes[1].vertices * [-1, -1, 1], atol=1e-5)
    np.testing.assert_array_equal(ras.faces, meshes[1].faces)
    middle = OBLIQUE @ [3.5, 3.5, 3.5, 1]
    np.testing.assert_allclose(ras.center_mass, middle[:3], atol=1e-3)
    outward = np.einsum("ij,ij->i", ras.vertex_normals, ras.vertices - middle[:3])
    assert (outward > 0).all()


def test_unsmoothed_surfaces_are_the_voxel_faces(skull, tmp_path):
    mask = np.zeros((6, 6, 6), bool)
    mask[1:4, 1:5, 2:4] = True
    mesh = surface(skull, tmp_path, mask, np.diag([0.5, 0.75, 2, 1]), ".ply", "--smoothing", "0")
    assert mesh.volume == pytest.approx(24 * 0.75, rel=1e-6)
    assert mesh.area == pytest.approx(2 * (12 * 0.375 + 6 * 1.0 + 8 * 1.5), rel=1e-6)
