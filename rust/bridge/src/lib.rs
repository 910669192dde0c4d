//! The kernels for C++: borrowed voxels in, masks and meshes out.
//!
//! - **Memory**: C++ owns every voxel. A call borrows the buffers while it runs, and writes into the caller's output.
//! - **Threads**: an [`Engine`] has workers of its own. Its calls block; any number of them may run at once, on any
//!   threads. No C++ code ever runs on a worker.
//! - **Progress**: a [`Job`] is polled for its fraction, and cancelled, from any other thread.
//! - **Errors**: every call that can fail throws `rust::Error`, whose `what()` is a message for the user. After a
//!   cancel it throws too: ask the job. What the output holds after an error means nothing.

mod guard;
mod params;
mod voxels;

pub use guard::BridgeError;

use guard::guarded;
use skull_kernels::thin_bone::{self, Outputs};
use skull_kernels::{histogram, skin, surface, threshold};
use voxels::{output, view, with_voxels};

#[allow(unsafe_code, missing_docs, unreachable_pub, unused_qualifications, reason = "what `cxx::bridge` expands to")]
#[cxx::bridge(namespace = "skull::ffi")]
mod ffi {
    /// A voxel's type, by width and kind rather than by its C name.
    #[derive(Debug, Clone, Copy)]
    enum Scalar {
        I8,
        U8,
        I16,
        U16,
        I32,
        U32,
        I64,
        U64,
        F32,
        F64,
    }

    /// Where voxels lie in space, x fastest in memory.
    #[derive(Debug, Clone, Copy)]
    struct Grid {
        /// Number of voxels along x, y and z.
        size: [usize; 3],
        /// Distance between neighbouring voxels' centres along x, y and z.
        spacing_mm: [f64; 3],
        /// Unit vectors of the x, y and z axes in RAS, one after the other.
        axes: [f64; 9],
        /// Centre of voxel (0, 0, 0) in RAS.
        origin_mm: [f64; 3],
    }

    /// An image that stays the caller's.
    struct Image<'a> {
        bytes: &'a [u8],
        scalar: Scalar,
        grid: Grid,
    }

    /// What kind of image it is.
    #[derive(Debug, Clone, Copy)]
    enum Modality {
        Auto,
        Ct,
        Mr,
    }

    /// How the head is found; start from `default_skin_params()`.
    #[derive(Debug, Clone)]
    struct SkinParams {
        modality: Modality,
        /// Find the threshold from the image; `threshold` is not used then.
        find_threshold: bool,
        /// Lowest intensity of tissue, in image units.
        threshold: f64,
        /// Openings (nostrils, ear canals, mouth) up to this diameter are sealed.
        opening_mm: f64,
        /// Leave the air spaces that reach the outside open.
        keep_airways: bool,
    }

    /// What was found on the way to the head.
    #[derive(Debug, Clone)]
    struct SkinReport {
        modality: Modality,
        /// Lowest intensity of tissue, in image units.
        threshold: f64,
        /// Standard deviation of the background's noise, in image units.
        noise: f64,
        volume_ml: f64,
        /// Volume of the table, holder, tubes and ghosts that were cut off.
        cut_off_ml: f64,
        /// Faces of the volume that the head touches, as letters among RLAPSI.
        touched_faces: String,
        warnings: Vec<String>,
    }

    /// What a bound of a threshold is.
    #[derive(Debug, Clone, Copy)]
    enum BoundKind {
        /// No bound.
        Open,
        /// An intensity.
        At,
        /// Found by a method.
        Auto,
    }

    /// One end of the intensities that are selected.
    #[derive(Debug, Clone)]
    struct Bound {
        kind: BoundKind,
        /// The intensity, in image units, where the kind is `At`.
        value: f64,
        /// The method's name, as `threshold_methods()` has it, where the kind is `Auto`.
        method: String,
    }

    /// Settings to start from.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Preset {
        /// Every number, everywhere.
        None,
        /// What may be skull in MR, inside a mask of the head.
        MrSkull,
    }

    /// What is selected; start from `threshold_params(preset)`.
    #[derive(Debug, Clone)]
    struct ThresholdParams {
        /// What these parameters started from: the report repeats what one must know of its result.
        preset: Preset,
        lower: Bound,
        upper: Bound,
        /// Number of bins of the histogram from which automatic bounds are found.
        bins: usize,
        /// Find automatic bounds among the voxels up to the median only.
        darker_half: bool,
        /// Select outside the mask instead.
        invert_mask: bool,
        /// Select only deeper than this below the mask's surface.
        min_depth_mm: f64,
        /// Select only down to this depth; infinity is no limit.
        max_depth_mm: f64,
        /// Even out brightness on this scale first; 0 does not.
        bias_sigma_mm: f64,
        /// Remove connected parts smaller than this; 0 keeps all.
        min_island_ml: f64,
        /// Fill enclosed cavities smaller than this; 0 fills none.
        max_hole_ml: f64,
    }

    /// What was selected, and how.
    #[derive(Debug, Clone)]
    struct ThresholdReport {
        /// Lowest intensity that was selected; minus infinity where open.
        lower: f64,
        /// Highest intensity that was selected; infinity where open.
        upper: f64,
        /// The method that found the bound; empty where none did.
        lower_method: String,
        upper_method: String,
        voxels: usize,
        volume_ml: f64,
        islands_removed: usize,
        islands_removed_ml: f64,
        holes_filled: usize,
        holes_filled_ml: f64,
        warnings: Vec<String>,
    }

    /// What becomes of an opening of the bone.
    #[derive(Debug, Clone, Copy)]
    enum Verdict {
        Filled,
        Open,
        Undecided,
    }

    /// A user's verdict on the opening nearest to a place.
    #[derive(Debug, Clone)]
    struct Decision {
        center_ras_mm: [f64; 3],
        verdict: Verdict,
    }

    /// How thin bone is found; start from `default_thin_bone_params()`.
    #[derive(Debug, Clone)]
    struct ThinBoneParams {
        /// Measure the scanner's blur on the skin; `fwhm_mm` is not used then.
        measure_blur: bool,
        /// Its full widths at half maximum, in-plane and through-plane.
        fwhm_mm: [f64; 2],
        /// The thinnest wall that is looked for.
        thinnest_mm: f64,
        /// Openings up to the area of a circle of this diameter are listed.
        largest_opening_mm: f64,
        decisions: Vec<Decision>,
        /// Work on the whole scan; `roi_mm` is not used then.
        whole: bool,
        /// The box that is worked on: from and to along R, from and to along A, from and to along S.
        roi_mm: [f64; 6],
    }

    /// An opening of the bone.
    #[derive(Debug, Clone)]
    struct Opening {
        /// Its number in the list, from 1, largest first.
        id: usize,
        center_ras_mm: [f64; 3],
        /// Unit vector through it.
        axis_ras: [f64; 3],
        diameter_mm: f64,
        area_mm2: f64,
        verdict: Verdict,
        /// Whether the verdict is the user's.
        decided: bool,
        /// Wall that its middle shows, as a share of its rim's; NaN where that cannot be measured.
        residual: f64,
        residual_se: f64,
        /// What it would be if the opening were empty.
        residual_if_empty: f64,
        /// Thickness of the wall around it; 0 where its rim is thick bone.
        rim_mm: f64,
        /// HU on both sides, against and along the axis.
        media_hu: [f64; 2],
        /// The voxels that are bone where it is filled: x, y and z of each, one after the other.
        voxels: Vec<usize>,
    }

    /// What was found on the way to thin bone.
    #[derive(Debug, Clone)]
    struct ThinBoneReport {
        /// The scanner's blur: full widths at half maximum, in-plane and through-plane.
        fwhm_mm: [f64; 2],
        /// The thinnest wall next to air, and between soft tissues, that this scan shows at one place.
        thinnest_seen_mm: [f64; 2],
        /// The smallest hole that this scan shows to be empty.
        smallest_hole_mm: f64,
        sheets: usize,
        added_ml: f64,
        openings: Vec<Opening>,
        warnings: Vec<String>,
    }

    /// How often each intensity occurs, in bins of equal width.
    #[derive(Debug, Clone)]
    struct Histogram {
        counts: Vec<u64>,
        /// Lower edge of the first bin, in image units.
        lower: f64,
        /// Width of a bin, in image units.
        width: f64,
    }

    /// How a surface is made; start from `default_surface_params()`.
    #[derive(Debug, Clone)]
    struct SurfaceParams {
        /// Passes of smoothing; 0 gives the faces of the voxels.
        smoothing: u32,
    }

    /// What a mesh is like.
    #[derive(Debug, Clone)]
    struct SurfaceReport {
        volume_ml: f64,
        area_cm2: f64,
        /// Whether it is closed, a 2-manifold and consistently oriented.
        closed_manifold: bool,
        /// Pieces that hang together.
        components: usize,
    }

    extern "Rust" {
        fn default_skin_params() -> SkinParams;
        fn threshold_params(preset: Preset) -> Result<ThresholdParams>;
        fn threshold_methods() -> Vec<String>;
        fn default_thin_bone_params() -> ThinBoneParams;
        fn default_surface_params() -> SurfaceParams;

        type Job;
        fn new_job() -> Box<Job>;
        fn cancel(self: &Job);
        fn is_cancelled(self: &Job) -> bool;
        fn fraction(self: &Job) -> f64;

        type Engine;
        fn new_engine(threads: usize) -> Result<Box<Engine>>;
        fn threads(self: &Engine) -> usize;
        fn skin(self: &Engine, image: &Image, params: &SkinParams, out: &mut [u8], job: &Job) -> Result<SkinReport>;
        fn histogram(
            self: &Engine,
            image: &Image,
            mask: &[u8],
            invert_mask: bool,
            bins: usize,
            job: &Job,
        ) -> Result<Histogram>;
        fn threshold(
            self: &Engine,
            image: &Image,
            mask: &[u8],
            params: &ThresholdParams,
            out: &mut [u8],
            job: &Job,
        ) -> Result<ThresholdReport>;
        fn thin_bone(
            self: &Engine,
            image: &Image,
            bone: &[u8],
            params: &ThinBoneParams,
            added: &mut [u8],
            thickness_mm: &mut [f32],
            job: &Job,
        ) -> Result<ThinBoneReport>;
        fn surface(self: &Engine, mask: &[u8], grid: &Grid, params: &SurfaceParams, job: &Job) -> Result<Box<Mesh>>;
        fn panic_on_a_worker(self: &Engine) -> Result<()>;

        type Mesh;
        fn points(self: &Mesh) -> &[f32];
        fn triangles(self: &Mesh) -> &[u32];
        fn report(self: &Mesh) -> Result<SurfaceReport>;
    }
}

fn default_skin_params() -> ffi::SkinParams {
    skin::Params::default().into()
}

fn threshold_params(preset: ffi::Preset) -> Result<ffi::ThresholdParams, BridgeError> {
    guarded(|| params::threshold_params(preset))
}

fn threshold_methods() -> Vec<String> {
    skull_kernels::auto_threshold::Method::ALL.map(|method| method.name().to_owned()).into()
}

fn default_thin_bone_params() -> ffi::ThinBoneParams {
    thin_bone::Params::default().into()
}

fn default_surface_params() -> ffi::SurfaceParams {
    surface::Params::default().into()
}

/// Progress and cancellation of one call.
#[derive(Debug, Default)]
pub struct Job(skull_kernels::Job);

impl Job {
    fn cancel(&self) {
        self.0.cancel();
    }

    fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    fn fraction(&self) -> f64 {
        self.0.fraction()
    }
}

fn new_job() -> Box<Job> {
    Box::default()
}

/// The kernels, and the threads they run on.
#[derive(Debug)]
pub struct Engine {
    pool: rayon::ThreadPool,
}

/// An engine with this many threads; 0 takes as many as the machine has cores.
fn new_engine(threads: usize) -> Result<Box<Engine>, BridgeError> {
    guarded(|| {
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("skull-{i}")).build()?;
        Ok(Box::new(Engine { pool }))
    })
}

impl Engine {
    fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Sets `out` to 1 in the solid head and to 0 elsewhere.
    fn skin(
        &self,
        image: &ffi::Image<'_>,
        params: &ffi::SkinParams,
        out: &mut [u8],
        job: &Job,
    ) -> Result<ffi::SkinReport, BridgeError> {
        self.run(|| {
            let (grid, params) = (&image.grid.kernel()?, &params.kernel()?);
            let out = &mut *output(out, &[("image", image.bytes)], grid)?;
            Ok(with_voxels!(image, grid, voxels => skin::skin(voxels, grid, params, out, &job.0)?).into())
        })
    }

    /// Counts the finite voxels inside the mask, or outside it. No bytes are no mask.
    fn histogram(
        &self,
        image: &ffi::Image<'_>,
        mask: &[u8],
        invert_mask: bool,
        bins: usize,
        job: &Job,
    ) -> Result<ffi::Histogram, BridgeError> {
        self.run(|| {
            let grid = &image.grid.kernel()?;
            let mask = if mask.is_empty() { None } else { Some(view("mask", mask, grid)?) };
            let outside = mask.as_deref().filter(|_| invert_mask).map(|mask| mask.mapv(|m| u8::from(m == 0)));
            let mask = outside.as_deref().or(mask.as_deref());
            Ok(with_voxels!(image, grid, voxels => histogram::histogram(voxels, mask, bins, &job.0)?).into())
        })
    }

    /// Sets `out` to 1 where the image lies between two bounds inside the mask, and to 0 elsewhere. No bytes are no
    /// mask.
    fn threshold(
        &self,
        image: &ffi::Image<'_>,
        mask: &[u8],
        params: &ffi::ThresholdParams,
        out: &mut [u8],
        job: &Job,
    ) -> Result<ffi::ThresholdReport, BridgeError> {
        self.run(|| {
            let (grid, params) = (&image.grid.kernel()?, &params.kernel()?);
            let out = &mut *output(out, &[("image", image.bytes), ("mask", mask)], grid)?;
            let mask = if mask.is_empty() { None } else { Some(view("mask", mask, grid)?) };
            let mask = mask.as_deref();
            Ok(with_voxels!(image, grid, voxels => {
                threshold::threshold(voxels, mask, grid, params, out, &job.0)?
            })
            .into())
        })
    }

    /// Sets `added` to 1 where bone too thin for the base `bone` is put back, and to 0 elsewhere; `thickness_mm`, if it
    /// is not empty, to its thickness.
    fn thin_bone(
        &self,
        image: &ffi::Image<'_>,
        bone: &[u8],
        params: &ffi::ThinBoneParams,
        added: &mut [u8],
        thickness_mm: &mut [f32],
        job: &Job,
    ) -> Result<ffi::ThinBoneReport, BridgeError> {
        self.run(|| {
            let (grid, params) = (&image.grid.kernel()?, &params.kernel()?);
            let mut thickness = if thickness_mm.is_empty() {
                None
            } else {
                Some(output(thickness_mm, &[("image", image.bytes), ("bone", bone), ("other output", added)], grid)?)
            };
            let mut added = output(added, &[("image", image.bytes), ("bone", bone)], grid)?;
            let bone = &*view("bone", bone, grid)?;
            Ok(with_voxels!(image, grid, voxels => {
                let outputs =
                    Outputs { added: &mut added, thickness_mm: thickness.as_deref_mut(), mass_hu_mm: None, walls: None };
                thin_bone::thin_bone(voxels, bone, grid, params, outputs, &job.0)?
            })
            .into())
        })
    }

    /// The closed surface of a mask, in RAS mm.
    fn surface(
        &self,
        mask: &[u8],
        grid: &ffi::Grid,
        params: &ffi::SurfaceParams,
        job: &Job,
    ) -> Result<Box<Mesh>, BridgeError> {
        self.run(|| {
            let grid = &grid.kernel()?;
            let mask = &*view("mask", mask, grid)?;
            Ok(Box::new(Mesh(surface::surface(mask, grid, &params.kernel(), &job.0)?)))
        })
    }

    /// Fails as a mistake of ours would, so that a host can test that it survives one.
    fn panic_on_a_worker(&self) -> Result<(), BridgeError> {
        self.run(|| panic!("this panic was asked for"))
    }

    fn run<T: Send>(&self, work: impl FnOnce() -> Result<T, BridgeError> + Send) -> Result<T, BridgeError> {
        guarded(|| self.pool.install(work))
    }
}

/// A closed surface of triangles in RAS mm.
#[derive(Debug)]
pub struct Mesh(skull_kernels::Mesh);

impl Mesh {
    /// x, y and z of each vertex.
    fn points(&self) -> &[f32] {
        self.0.points.as_flattened()
    }

    /// Three vertices of each triangle, counterclockwise seen from outside.
    fn triangles(&self) -> &[u32] {
        self.0.triangles.as_flattened()
    }

    fn report(&self) -> Result<ffi::SurfaceReport, BridgeError> {
        guarded(|| Ok((&self.0).into()))
    }
}

const _: () = {
    const fn shared_between_threads<T: Send + Sync>() {}
    shared_between_threads::<Job>();
    shared_between_threads::<Engine>();
};
