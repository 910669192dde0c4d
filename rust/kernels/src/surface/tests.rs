use super::*;
use ndarray::Array3;
use proptest::prelude::*;

fn meshed(mask: &Array3<u8>, smoothing: u32) -> Mesh {
    let (z, y, x) = mask.dim();
    let grid = Grid::axis_aligned([x, y, z], [1.0; 3]).unwrap();
    surface(mask, &grid, &Params { smoothing }, &Job::new()).unwrap()
}

/// A mask of the given size (x, y, z) with these voxels (x, y, z) set.
fn drawn(size: [usize; 3], voxels: &[[usize; 3]]) -> Array3<u8> {
    let mut mask = Array3::zeros((size[2], size[1], size[0]));
    for &[x, y, z] in voxels {
        mask[[z, y, x]] = 1;
    }
    mask
}

fn ball(radius: f64) -> (Array3<u8>, f64) {
    let center = radius.ceil() + 1.3;
    let n = (2.0 * center) as usize + 2;
    let mask = Array3::from_shape_fn((n, n, n), |(z, y, x)| {
        u8::from([x, y, z].iter().map(|&c| (c as f64 - center).powi(2)).sum::<f64>() <= radius * radius)
    });
    (mask, center)
}

/// Euler characteristic of the boundary of the solid in which voxels hang together by faces and edges: twice that of
/// the solid, which is the number of its corners (of pieces that meet there), less edges, plus faces, less voxels.
fn expected_euler(mask: &Array3<u8>) -> i64 {
    let (nz, ny, nx) = mask.dim();
    let set = |x: isize, y: isize, z: isize| {
        x >= 0 && y >= 0 && z >= 0 && mask.get([z as usize, y as usize, x as usize]).is_some_and(|&v| v != 0)
    };
    let mut sum = 0_i64;
    for z in 0..=nz as isize {
        for y in 0..=ny as isize {
            for x in 0..=nx as isize {
                let at = |c: usize| set(x - (c & 1) as isize, y - (c >> 1 & 1) as isize, z - (c >> 2) as isize);
                let around: Vec<usize> = (0..8).filter(|&c| at(c)).collect();
                let mut piece: Vec<usize> = (0..around.len()).collect();
                for i in 0..around.len() {
                    for j in 0..i {
                        if (around[i] ^ around[j]).count_ones() < 3 {
                            let (a, b) = (piece[i], piece[j]);
                            piece.iter_mut().filter(|p| **p == a).for_each(|p| *p = b);
                        }
                    }
                }
                piece.sort_unstable();
                piece.dedup();
                let any = |corners: &[usize]| i64::from(corners.iter().any(|&c| at(c)));
                sum += piece.len() as i64;
                sum -= any(&[0, 1, 2, 3]) + any(&[0, 1, 4, 5]) + any(&[0, 2, 4, 6]);
                sum += any(&[0, 1]) + any(&[0, 2]) + any(&[0, 4]);
                sum -= any(&[0]);
            }
        }
    }
    2 * sum
}

/// Pairs of triangles that meet elsewhere than in a corner or edge they share; some are counted more than once.
fn intersections(mesh: &Mesh) -> usize {
    let corners = |t: &[u32; 3]| t.map(|v| mesh.points[v as usize].map(f64::from));
    let minus = |a: [f64; 3], b: [f64; 3]| [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
    let dot = |a: [f64; 3], b: [f64; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    let cross =
        |a: [f64; 3], b: [f64; 3]| [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
    let pierces = |from: [f64; 3], to: [f64; 3], [a, b, c]: [[f64; 3]; 3]| {
        let volume = |p, q, r, s| dot(minus(q, p), cross(minus(r, p), minus(s, p)));
        let sides = volume(a, b, c, from) * volume(a, b, c, to) < 0.0;
        let turns = [volume(from, to, a, b), volume(from, to, b, c), volume(from, to, c, a)];
        sides && (turns.iter().all(|&t| t > 1e-9) || turns.iter().all(|&t| t < -1e-9))
    };
    let crosses = |t: &[u32; 3], u: &[u32; 3]| {
        let a = corners(t);
        (0..3).any(|e| {
            let f = (e + 1) % 3;
            !u.contains(&t[e]) && !u.contains(&t[f]) && pierces(a[e], a[f], corners(u))
        })
    };
    // Triangles that meet do so in one of the blocks of 2 mm that both reach into.
    let mut blocks = std::collections::HashMap::<[i32; 3], Vec<&[u32; 3]>>::new();
    for t in &mesh.triangles {
        let range = |r: usize, pick: fn(f32, f32) -> f32| {
            (t.iter().map(|&v| mesh.points[v as usize][r]).reduce(pick).expect("corners") / 2.0).floor() as i32
        };
        let [x, y, z] = [0, 1, 2].map(|r| range(r, f32::min)..=range(r, f32::max));
        for x in x {
            for y in y.clone() {
                z.clone().for_each(|z| blocks.entry([x, y, z]).or_default().push(t));
            }
        }
    }
    let pairs = |block: &Vec<&[u32; 3]>| {
        (0..block.len())
            .map(|i| block[..i].iter().filter(|u| crosses(block[i], u) || crosses(u, block[i])).count())
            .sum::<usize>()
    };
    blocks.values().map(pairs).sum()
}

#[test]
fn one_voxel_unsmoothed_is_a_cube() {
    let mesh = meshed(&drawn([1, 1, 1], &[[0, 0, 0]]), 0);
    assert_eq!((mesh.points.len(), mesh.triangles.len()), (8, 12));
    assert!((mesh.volume_mm3() - 1.0).abs() < 1e-6);
    assert!((mesh.area_mm2() - 6.0).abs() < 1e-5);
    assert!(mesh.points.iter().flatten().all(|c| c.abs() == 0.5));
}

#[test]
fn voxels_that_touch_by_an_edge_are_one_solid_and_by_a_corner_two() {
    for smoothing in [0, 16] {
        let by_edge = meshed(&drawn([2, 2, 1], &[[0, 0, 0], [1, 1, 0]]), smoothing).check();
        assert!(by_edge.is_solid());
        assert_eq!((by_edge.components, by_edge.euler_characteristic), (1, 2));
        let by_corner = meshed(&drawn([2, 2, 2], &[[0, 0, 0], [1, 1, 1]]), smoothing).check();
        assert!(by_corner.is_solid());
        assert_eq!((by_corner.components, by_corner.euler_characteristic), (2, 4));
    }
}

#[test]
fn a_hollow_cube_has_an_inner_and_an_outer_surface() {
    let mask = Array3::from_shape_fn((9, 9, 9), |(z, y, x)| {
        let all_in = |range: std::ops::Range<usize>| [x, y, z].iter().all(|c| range.contains(c));
        if all_in(1..8) && !all_in(3..6) { 7 } else { 0 }
    });
    let mesh = meshed(&mask, 0);
    assert!((mesh.volume_mm3() - (343.0 - 27.0)).abs() < 1e-3);
    let check = meshed(&mask, 16).check();
    assert!(check.is_solid());
    assert_eq!((check.components, check.euler_characteristic), (2, 4));
}

#[test]
fn a_torus_has_a_hole() {
    let mask = Array3::from_shape_fn((11, 31, 31), |(z, y, x)| {
        let ring = (x as f64 - 15.0).hypot(y as f64 - 15.0) - 10.0;
        u8::from(ring.hypot(z as f64 - 5.0) < 3.4)
    });
    let check = meshed(&mask, 16).check();
    assert!(check.is_solid());
    assert_eq!((check.components, check.euler_characteristic), (1, 0));
}

#[test]
fn a_checkerboard_is_a_manifold() {
    let mask = Array3::from_shape_fn((4, 5, 6), |(z, y, x)| ((x + y + z) % 2) as u8);
    for smoothing in [0, 5, 16] {
        let mesh = meshed(&mask, smoothing);
        let check = mesh.check();
        assert!(check.is_solid());
        assert_eq!(check.components, 1 + 12, "one solid with a void for each clear voxel that is not at a face");
        assert_eq!(check.euler_characteristic, expected_euler(&mask));
        assert_eq!(intersections(&mesh), 0);
    }
}

#[test]
fn a_mask_that_fills_the_volume_is_capped_at_its_faces() {
    for size in [[7, 6, 5], [1, 6, 5], [7, 1, 5], [7, 6, 1], [1, 1, 1], [70, 1, 1]] {
        let mesh = meshed(&Array3::ones((size[2], size[1], size[0])), 0);
        assert!((mesh.volume_mm3() - size.iter().product::<usize>() as f64).abs() < 1e-3);
        for smoothing in [1, 16] {
            let check = meshed(&Array3::ones((size[2], size[1], size[0])), smoothing).check();
            assert!(check.is_solid());
            assert_eq!((check.components, check.euler_characteristic), (1, 2));
        }
    }
}

#[test]
fn a_ball_is_round() {
    let radius = 20.0;
    let (mask, center) = ball(radius);
    let mesh = meshed(&mask, Params::default().smoothing);
    let (volume, area) =
        (4.0 / 3.0 * std::f64::consts::PI * radius.powi(3), 4.0 * std::f64::consts::PI * radius.powi(2));
    assert!((mesh.volume_mm3() / volume - 1.0).abs() < 0.005, "{} for {volume}", mesh.volume_mm3());
    assert!((mesh.area_mm2() / area - 1.0).abs() < 0.01, "{} for {area}", mesh.area_mm2());
    let (mut distance, mut slant) = (0.0_f64, 0.0_f64);
    for (p, n) in mesh.points.iter().zip(mesh.normals()) {
        let out = p.map(|c| f64::from(c) - center);
        let r = out.iter().map(|c| c * c).sum::<f64>().sqrt();
        distance += (r - radius).powi(2);
        slant += (out.iter().zip(n).map(|(o, n)| o * f64::from(n)).sum::<f64>() / r).clamp(-1.0, 1.0).acos().powi(2);
    }
    let (distance, slant) =
        ((distance / mesh.points.len() as f64).sqrt(), (slant / mesh.points.len() as f64).sqrt().to_degrees());
    assert!(distance < 0.15, "{distance} voxels from the sphere");
    assert!(slant < 2.5, "normals {slant} degrees off");
}

#[test]
fn thin_walls_keep_their_volume() {
    // A shell one voxel thick, which smoothing alone would take a tenth from.
    let mask = Array3::from_shape_fn((28, 28, 28), |(z, y, x)| {
        let r = [x, y, z].iter().map(|&c| (c as f64 - 13.4).powi(2)).sum::<f64>().sqrt();
        u8::from((11.0..12.0).contains(&r))
    });
    let voxels = mask.iter().filter(|&&v| v != 0).count() as f64;
    let mesh = meshed(&mask, Params::default().smoothing);
    assert!((mesh.volume_mm3() / voxels - 1.0).abs() < 0.01, "{} for {voxels}", mesh.volume_mm3());
}

#[test]
fn the_surface_follows_a_tilted_left_handed_grid() {
    let (mask, _) = ball(6.3);
    let n = mask.dim().0;
    let affine = [[-0.7, 0.1, 0.3, 20.0], [0.1, 0.8, 0.4, -90.0], [0.0, -0.2, 1.9, 12.0]];
    let grid = Grid::from_affine([n, n, n], affine).unwrap();
    assert!(grid.is_left_handed());
    let mesh = surface(&mask, &grid, &Params::default(), &Job::new()).unwrap();
    assert!(mesh.check().is_solid());
    let voxels = mask.iter().filter(|&&v| v != 0).count() as f64;
    assert!((mesh.volume_mm3() / (voxels * grid.voxel_mm3()) - 1.0).abs() < 0.01, "outward, of the right size");
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let (mask, _) = ball(9.0);
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| meshed(&mask, 16))
    };
    let one = on(1);
    assert_eq!(one, on(2));
    assert_eq!(one, on(16));
}

#[test]
fn an_empty_mask_and_a_cancelled_job_are_errors() {
    let grid = Grid::axis_aligned([3, 3, 3], [1.0; 3]).unwrap();
    let empty = surface(&Array3::zeros((3, 3, 3)), &grid, &Params::default(), &Job::new());
    assert_eq!(empty, Err(Error::Empty { what: "mask" }));
    let job = Job::new();
    job.cancel();
    let full = Array3::ones((3, 3, 3));
    assert_eq!(surface(&full, &grid, &Params::default(), &job), Err(Error::Cancelled));
    let done = Job::new();
    surface(&full, &grid, &Params::default(), &done).unwrap();
    assert!(done.fraction() > 0.7);
}

fn any_mask() -> impl Strategy<Value = Array3<u8>> {
    (1..6_usize, 1..6_usize, 1..6_usize, 1..8_u8).prop_flat_map(|(x, y, z, density)| {
        proptest::collection::vec((0..8_u8).prop_map(move |v| u8::from(v < density)), x * y * z)
            .prop_map(move |voxels| Array3::from_shape_vec((z, y, x), voxels).expect("x · y · z voxels"))
    })
}

proptest! {
    #[test]
    fn every_mask_has_a_solid_surface_near_its_voxels(mask in any_mask(), smoothing in 0..20_u32) {
        prop_assume!(mask.iter().any(|&v| v != 0));
        let mesh = meshed(&mask, smoothing);
        let check = mesh.check();
        prop_assert!(check.is_solid(), "{check:?}");
        prop_assert_eq!(check.euler_characteristic, expected_euler(&mask));
        prop_assert!(mesh.volume_mm3() > 0.0);
        prop_assert_eq!(intersections(&mesh), 0);

        // The nearest corner of voxels is between inside and outside ones.
        let (z, y, x) = mask.dim();
        let cells = Cells::new(&mask, &Grid::axis_aligned([x, y, z], [1.0; 3]).unwrap(), &Job::new()).unwrap();
        let mut crossed = std::collections::HashSet::new();
        (0..=z).for_each(|z| cells.for_each(z, |cell| { crossed.insert(cell.at); }));
        for p in &mesh.points {
            // Vertices on a cell's face belong to the cells on both sides of it.
            let ties = [-1e-4, 1e-4].map(|tie| p.map(|c| (f64::from(c) + 0.5 + tie).round() as usize));
            prop_assert!(ties.iter().any(|at| crossed.contains(at)), "{p:?} is further than half a voxel away");
        }
    }
}

#[test]
fn noise_makes_no_intersections() {
    let mut seed = 1_u32;
    for density in [8, 16, 24, 30] {
        for smoothing in [0, 2, 16] {
            let mask = Array3::from_shape_simple_fn((18, 20, 22), || {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                u8::from(seed >> 27 < density)
            });
            assert_eq!(intersections(&meshed(&mask, smoothing)), 0, "{density} of 32 set, {smoothing} passes");
        }
    }
}
