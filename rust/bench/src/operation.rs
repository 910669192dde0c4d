//! What can be measured.

use anyhow::Result;
use ndarray::{Array3, s};
use skull_cli::volume_io::NiftiFile;
use skull_cli::voxels::Voxels;
use skull_cli::with_voxels;
use skull_kernels::auto_threshold::{Method, auto_threshold};
use skull_kernels::components::Connectivity;
use skull_kernels::histogram::histogram;
use skull_kernels::threshold::Bound;
use skull_kernels::{
    Grid, Job, Voxel, components, distance, fill, gaussian, morphology, skin, surface, thin_bone, threshold,
};
use std::path::Path;

/// Radius of the closing, as the peers'.
const RADIUS_MM: f64 = 8.0;
/// Bone from which thin bone starts.
const BONE_HU: f64 = 300.0;
/// Smaller islands of it are noise.
const LEAST_ISLAND_MM3: f64 = 50.0;
/// Edge of the cube that stands for an orbit.
const REGION_MM: f64 = 60.0;
/// Bins of the Otsu threshold that makes the mask.
const BINS: usize = 256;

/// A kernel on its usual input.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Operation {
    /// Exact distance from each voxel of the mask to the background.
    Distance,
    /// Largest 26-connected component of the mask.
    Largest,
    /// The mask with its enclosed background filled.
    Fill,
    /// Closing of the mask by a ball of 8 mm.
    Closing,
    /// Gaussian of one voxel's width on the image in single precision.
    Gaussian,
    /// Voxels in the mask between half and twice its threshold.
    Threshold,
    /// Otsu's threshold of the voxels in the mask.
    Otsu,
    /// Surface of the mask.
    Surface,
    /// The solid head, from start to finish.
    Skin,
    /// Thin bone, from calibration to openings, from bone at 300 HU.
    ThinBone,
    /// The same of a cube of 60 mm.
    ThinBoneRegion,
}

/// The work to be timed.
pub(crate) type Run<'a> = Box<dyn FnMut(&Job) -> Result<()> + Send + 'a>;

/// What is in memory before the clock starts.
pub(crate) struct Inputs {
    pub(crate) grid: Grid,
    image: Voxels,
    mask: Array3<u8>,
    /// Above which the mask lies.
    otsu: f64,
}

impl Inputs {
    /// Reads a volume; the threshold comes from every other voxel along each axis, as the peers'.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let volume = NiftiFile::open(path)?.read(None, &Job::new())?;
        let (mask, otsu) = with_voxels!(&volume.voxels, image => {
            let sample = image.slice(s![..;2, ..;2, ..;2]).to_owned();
            let otsu = auto_threshold(&histogram(&sample, None, BINS, &Job::new())?, Method::Otsu)?;
            (image.mapv(|v| u8::from(v.to_f64() > otsu)), otsu)
        });
        Ok(Self { grid: volume.grid, image: volume.voxels, mask, otsu })
    }
}

impl Operation {
    /// The work to be timed; what it needs beyond the inputs in another form is made here. A region lies around a place
    /// (RAS), or in the volume's middle.
    pub(crate) fn prepare<'a>(self, inputs: &'a Inputs, around_mm: Option<[f64; 3]>) -> Result<Run<'a>> {
        let Inputs { grid, image, mask, otsu } = inputs;
        let shape = grid.shape();
        Ok(match self {
            Self::Distance => {
                let background = mask.mapv(|v| 1 - v);
                Box::new(move |job| Ok(distance::distance_mm(&background, grid, &mut Array3::zeros(shape), job)?))
            }
            Self::Largest => Box::new(move |job| {
                components::largest(mask, grid, Connectivity::TwentySix, &mut Array3::zeros(shape), job)?;
                Ok(())
            }),
            Self::Fill => Box::new(move |job| {
                fill::fill_enclosed(mask, grid, &mut Array3::zeros(shape), job)?;
                Ok(())
            }),
            Self::Closing => {
                Box::new(move |job| Ok(morphology::close(mask, grid, RADIUS_MM, &mut Array3::zeros(shape), job)?))
            }
            Self::Gaussian => {
                let image = with_voxels!(image, image => image.mapv(Voxel::to_f32));
                let sigma_mm = grid.spacing_mm();
                Box::new(move |job| Ok(gaussian::smooth(&image, grid, sigma_mm, &mut Array3::zeros(shape), job)?))
            }
            Self::Threshold => {
                // In CT the threshold may be negative; the peers' bounds then cross, at the same cost.
                let (half, twice) = (otsu * 0.5, otsu * 2.0);
                let (lower, upper) = (Bound::At(half.min(twice)), Bound::At(half.max(twice)));
                let params = threshold::Params { lower, upper, ..threshold::Params::default() };
                Box::new(move |job| {
                    let mut out = Array3::zeros(shape);
                    with_voxels!(image, image => threshold::threshold(image, Some(mask), grid, &params, &mut out, job)?);
                    Ok(())
                })
            }
            Self::Otsu => Box::new(move |job| {
                let counts = with_voxels!(image, image => histogram(image, Some(mask), BINS, job)?);
                auto_threshold(&counts, Method::Otsu)?;
                Ok(())
            }),
            Self::Surface => {
                let params = surface::Params::default();
                Box::new(move |job| {
                    surface::surface(mask, grid, &params, job)?;
                    Ok(())
                })
            }
            Self::Skin => {
                let params = skin::Params::default();
                Box::new(move |job| {
                    with_voxels!(image, image => skin::skin(image, grid, &params, &mut Array3::zeros(shape), job)?);
                    Ok(())
                })
            }
            Self::ThinBone => thin_bone(inputs, None)?,
            Self::ThinBoneRegion => {
                let middle = around_mm.unwrap_or_else(|| grid.ras_mm(grid.size().map(|n| 0.5 * n as f64)));
                let roi_mm = Some(middle.map(|m| [m - 0.5 * REGION_MM, m + 0.5 * REGION_MM]));
                thin_bone(inputs, roi_mm)?
            }
        })
    }
}

fn thin_bone(inputs: &Inputs, roi_mm: Option<[[f64; 2]; 3]>) -> Result<Run<'_>> {
    let Inputs { grid, image, .. } = inputs;
    let bright = with_voxels!(image, image => image.mapv(|v| u8::from(v.to_f64() >= BONE_HU)));
    let mut base = Array3::zeros(grid.shape());
    let keep = |part: &components::Component| part.mm3 >= LEAST_ISLAND_MM3;
    components::select(&bright, grid, Connectivity::TwentySix, keep, &mut base, &Job::new())?;
    let mut params = thin_bone::Params::default();
    params.roi_mm = roi_mm;
    Ok(Box::new(move |job| {
        let mut added = Array3::zeros(grid.shape());
        let outputs = thin_bone::Outputs { added: &mut added, thickness_mm: None, mass_hu_mm: None, walls: None };
        with_voxels!(image, image => thin_bone::thin_bone(image, &base, grid, &params, outputs, job)?);
        Ok(())
    }))
}
