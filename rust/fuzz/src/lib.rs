//! What must hold for any bytes: as a file that is read, and as a grid with voxels that go through every kernel.

use ndarray::{Array3, ArrayRef3};
use skull_cli::volume_io::{NiftiFile, Volume, write_voxels};
use skull_cli::voxels::Scalar;
use skull_cli::with_voxels;
use skull_kernels::auto_threshold::{Method, auto_threshold};
use skull_kernels::bias::correct_bias;
use skull_kernels::components::{self, Connectivity};
use skull_kernels::histogram::histogram;
use skull_kernels::thin_bone::{self, thin_bone};
use skull_kernels::threshold::{Bound, Params, threshold};
use skull_kernels::{Grid, Job, Voxel, distance, fill, gaussian, morphology, skin, surface};
use std::io::Write;

/// DEFLATE codes at most 258 bytes in two bits.
const MOST_DEFLATED: usize = 1032;

/// Reads a file of these bytes as an image and as a mask. Whatever is read must have fitted into the file, and
/// must lie where it did after it was written and read again.
pub fn read_nifti(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("fuzzed");
    std::fs::write(&path, bytes).expect("a temporary file");
    let job = Job::new();
    let open = || NiftiFile::open(&path).ok();
    for volume in [None, Some(0), Some(1)] {
        let Some(image) = open().and_then(|file| file.read(volume, &job).ok()) else { continue };
        assert!(image.grid.voxels() <= bytes.len() * MOST_DEFLATED, "an image larger than its file");
        let mask = open().expect("opened before").read_mask(volume, &job).expect("read as an image");
        check_mask(&mask.voxels);
        assert_eq!(mask.grid, image.grid);
        assert_eq!(write_and_read(&image), image.grid);
    }
}

fn write_and_read(image: &Volume) -> Grid {
    let mut written = tempfile::NamedTempFile::new().expect("a temporary file");
    let mut bytes = Vec::new();
    with_voxels!(&image.voxels, voxels => write_voxels(&mut bytes, false, &image.header, voxels, &Job::new()))
        .expect("memory takes any image");
    written.write_all(&bytes).expect("a temporary file");
    let file = NiftiFile::open(written.path()).expect("a header of ours");
    file.read(None, &Job::new()).expect("an image of ours").grid
}

/// Makes a small image and a mask of these bytes and puts them through every kernel. Errors are fine; panics
/// are not, nor masks of anything but zeros and ones.
pub fn kernels(bytes: &[u8]) {
    let mut bytes = Bytes { left: bytes };
    let Some(grid) = bytes.grid() else { return };
    let parameter = bytes.length();
    let mask = bytes.array::<u8>(&grid).mapv(|v| v % 2);
    match bytes.byte() % 10 {
        0 => with_image(&bytes.array::<i8>(&grid), &mask, &grid, parameter),
        1 => with_image(&bytes.array::<u8>(&grid), &mask, &grid, parameter),
        2 => with_image(&bytes.array::<i16>(&grid), &mask, &grid, parameter),
        3 => with_image(&bytes.array::<u16>(&grid), &mask, &grid, parameter),
        4 => with_image(&bytes.array::<i32>(&grid), &mask, &grid, parameter),
        5 => with_image(&bytes.array::<u32>(&grid), &mask, &grid, parameter),
        6 => with_image(&bytes.array::<i64>(&grid), &mask, &grid, parameter),
        7 => with_image(&bytes.array::<u64>(&grid), &mask, &grid, parameter),
        8 => with_image(&bytes.array::<f32>(&grid), &mask, &grid, parameter),
        _ => with_image(&bytes.array::<f64>(&grid), &mask, &grid, parameter),
    }
    with_mask(&mask, &grid, parameter);
}

fn with_image<T: Voxel>(image: &ArrayRef3<T>, mask: &ArrayRef3<u8>, grid: &Grid, length_mm: f64) {
    let job = Job::new();
    let mut smoothed = Array3::zeros(grid.shape());
    let _ = gaussian::smooth(image, grid, [length_mm; 3], &mut smoothed, &job);
    let mut even = Array3::zeros(grid.shape());
    let _ = correct_bias(image, Some(mask), grid, length_mm, &mut even, &job);
    let mut selected = Array3::zeros(grid.shape());
    for keep_airways in [false, true] {
        let mut params = skin::Params::default();
        (params.opening_mm, params.keep_airways) = (length_mm, keep_airways);
        let _ = skin::skin(image, grid, &params, &mut selected, &job);
        check_mask(&selected);
    }
    let plain = Params { lower: Bound::At(length_mm), min_island_ml: 0.001, max_hole_ml: 0.001, ..Params::default() };
    let automatic = Params { upper: Bound::Auto(Method::Li), bias_sigma_mm: length_mm, ..plain.clone() };
    for params in [plain, automatic, Params { min_depth_mm: 0.0, ..Params::mr_skull() }, Params::mr_skull()] {
        for mask in [None, Some(mask)] {
            let _ = threshold(image, mask, grid, &params, &mut selected, &job);
            check_mask(&selected);
        }
    }
    for fwhm_mm in [None, Some([length_mm; 2])] {
        let mut params = thin_bone::Params::default();
        params.fwhm_mm = fwhm_mm;
        let outputs = thin_bone::Outputs {
            added: &mut selected,
            thickness_mm: Some(&mut smoothed),
            mass_hu_mm: Some(&mut even),
            walls: None,
        };
        let _ = thin_bone(image, mask, grid, &params, outputs, &job);
        check_mask(&selected);
    }
    for mask in [None, Some(mask)] {
        if let Ok(histogram) = histogram(image, mask, 256, &job) {
            for method in Method::ALL {
                let _ = auto_threshold(&histogram, method);
            }
        }
    }
}

fn with_mask(mask: &ArrayRef3<u8>, grid: &Grid, length_mm: f64) {
    let job = Job::new();
    let mut out = Array3::zeros(grid.shape());
    // A closing takes the memory of the volume widened by its radius.
    let length_mm = length_mm.min(20.0 * grid.spacing_mm().into_iter().fold(f64::INFINITY, f64::min));
    for operation in [morphology::dilate, morphology::erode, morphology::open, morphology::close] {
        let _ = operation(mask, grid, length_mm, &mut out, &job);
        check_mask(&out);
    }
    let _ = fill::fill_enclosed(mask, grid, &mut out, &job);
    check_mask(&out);
    for connectivity in [Connectivity::Six, Connectivity::Eighteen, Connectivity::TwentySix] {
        let _ = components::largest(mask, grid, connectivity, &mut out, &job);
        check_mask(&out);
    }
    for smoothing in [0, 16] {
        let mut params = surface::Params::default();
        params.smoothing = smoothing;
        if let Ok(mesh) = surface::surface(mask, grid, &params, &job) {
            assert!(mesh.check().is_solid(), "a surface that is not closed");
        }
    }
    let mut distance = Array3::zeros(grid.shape());
    if distance::distance_mm(mask, grid, &mut distance, &job).is_ok() {
        assert!(distance.iter().all(|&d| d >= 0.0), "a negative distance");
    }
}

fn check_mask(mask: &ArrayRef3<u8>) {
    assert!(mask.iter().all(|&v| v <= 1), "a mask of more than zeros and ones");
}

/// Takes values off the front of bytes; zeros when they are used up.
struct Bytes<'a> {
    left: &'a [u8],
}

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.left.split_first().unwrap_or((&0, &[]));
        self.left = rest;
        *first
    }

    /// A length from a tenth of a micron to 25 m, or one that is none.
    fn length(&mut self) -> f64 {
        match self.byte() {
            0 => 0.0,
            1 => -1.0,
            2 => f64::NAN,
            3 => f64::INFINITY,
            exponent => 10_f64.powf(f64::from(exponent) / 30.0 - 4.0),
        }
    }

    /// A small grid: in half of all cases of ordinary voxels, sometimes oblique, sheared or flat.
    fn grid(&mut self) -> Option<Grid> {
        let size = [(); 3].map(|()| usize::from(self.byte() % 14));
        let kind = self.byte();
        let spacing =
            [(); 3].map(|()| if kind.is_multiple_of(2) { f64::from(self.byte() % 16) / 4.0 } else { self.length() });
        let mut axes = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        if (kind / 2).is_multiple_of(4) {
            axes = axes.map(|axis| axis.map(|c| c + (f64::from(self.byte()) - 128.0) / 128.0));
        } else if kind / 2 % 4 == 1 {
            let (sin, cos) = f64::from(self.byte()).sin_cos();
            axes = [[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, -1.0]];
        }
        Grid::new(size, spacing, axes, [(); 3].map(|()| f64::from(self.byte()))).ok()
    }

    fn array<S: Scalar>(&mut self, grid: &Grid) -> Array3<S> {
        Array3::from_shape_simple_fn(grid.shape(), || {
            let mut value = S::zeroed();
            for byte in bytemuck::bytes_of_mut(&mut value) {
                *byte = self.byte();
            }
            value
        })
    }
}
