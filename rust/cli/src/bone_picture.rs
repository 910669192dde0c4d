//! The preview of bone with its thin walls put back: the skull before and after, with its openings.

use crate::landmarks::{self, Landmarks};
use crate::preview::{self, Camera, Clip, Colour, Layer, LayerStyle, Marker, Preview, Solid, View, palette};
use crate::voxels::Voxels;
use crate::with_voxels;
use anyhow::Result;
use ndarray::ArrayRef3;
use skull_kernels::thin_bone::{Opening, Verdict};
use skull_kernels::{Grid, Job};
use std::io::Write;
use std::path::Path;

/// A skull before and after.
#[derive(Debug)]
pub struct Skull<'a> {
    /// The scan.
    pub image: &'a Voxels,
    /// Where its voxels lie.
    pub grid: &'a Grid,
    /// Bone before.
    pub base: &'a ArrayRef3<u8>,
    /// Bone after, the base included.
    pub full: &'a ArrayRef3<u8>,
    /// What was added to the base.
    pub added: &'a ArrayRef3<u8>,
    /// Openings, which are numbered as in their list.
    pub openings: &'a [Opening],
}

/// Draws a skull before and after side by side, from in front, from above into its base, and into each orbit, as PNG;
/// with the file's name as its title and the figures below.
///
/// # Errors
/// Where `out` cannot be written, and [`skull_kernels::Error::Cancelled`].
pub fn write(out: &mut dyn Write, path: &Path, figures: &[String], skull: &Skull<'_>, job: &Job) -> Result<()> {
    let Skull { image, grid, base, full, added, openings } = skull;
    let before = crate::picture::surface_or_none(base, grid, &job.part(0.0, 0.2))?;
    let after = crate::picture::surface_or_none(full, grid, &job.part(0.2, 0.4))?;
    let landmarks = landmarks::find(full, grid, &job.part(0.4, 0.5))?;
    let before = Solid::new(&before.points, &before.triangles, palette::BONE);
    let paint = |place: [f32; 3]| if is_new(base, full, grid, place) { ADDED } else { palette::BONE };
    let after = Solid::painted(&after.points, &after.triangles, paint);
    job.check()?;

    // largest first, so that those have room for their numbers
    let markers: Vec<Marker> = openings.iter().map(marker).collect();
    let side_by_side = |(name, camera): (&str, Camera)| {
        let view = |when: &str, solid, markers: &[Marker]| View {
            caption: format!("{name}, {when}"),
            solids: vec![solid],
            camera,
            markers: markers.to_vec(),
        };
        vec![view("before", &before, &[]), view("after", &after, &markers)]
    };
    let views: Vec<_> = cameras(&landmarks).into_iter().map(side_by_side).collect();
    let layers = [
        Layer { name: "Bone", mask: base, colour: palette::SKY_BLUE, style: LayerStyle::Outline },
        Layer { name: "Added", mask: added, colour: ADDED, style: LayerStyle::Tint },
    ];
    let title = path.file_name().unwrap_or_default().to_string_lossy();
    let figures = [figures, &["open: blue, undecided: yellow, filled: green".to_owned()]].concat();
    with_voxels!(image, image => {
        let window = Some(preview::Window::CT);
        let preview = Preview { title: &title, figures: &figures, image, grid, window, layers: &layers, views: &views };
        preview::write(out, &preview)
    })
}

/// Bone that is not in the base.
const ADDED: Colour = palette::VERMILION;

/// How much around the middle of an orbit is shown, mm.
const ORBIT_MM: f64 = 29.0;

/// The skull's base is cut free above the roofs of the orbits, so far above their middles.
const ABOVE_ORBIT_MM: f64 = 28.0;

fn cameras(landmarks: &Landmarks) -> Vec<(&'static str, Camera)> {
    let mut cameras = vec![("From in front", Camera::FRONT)];
    let height_mm = match (landmarks.orbits, landmarks.braincase) {
        (Some([right, left]), _) => Some(f64::midpoint(right[2], left[2]) + ABOVE_ORBIT_MM),
        (None, braincase) => braincase.map(|middle| middle[2]),
    };
    if let Some(offset_mm) = height_mm {
        let clip = Some(Clip { normal: [0.0, 0.0, 1.0], offset_mm });
        cameras.push(("From above, into the skull base", Camera { clip, ..Camera::ABOVE }));
    }
    if let Some([right, left]) = landmarks.orbits {
        // an orbit's axis runs outward
        let into = |middle, outward: f64| Camera {
            from: [0.3 * outward, 1.0, 0.1],
            focus: Some((middle, ORBIT_MM)),
            ..Camera::FRONT
        };
        cameras.push(("Into the right orbit", into(right, 1.0)));
        cameras.push(("Into the left orbit", into(left, -1.0)));
    }
    cameras
}

fn marker(opening: &Opening) -> Marker {
    let colour = match opening.verdict {
        Verdict::Open => palette::SKY_BLUE,
        Verdict::Undecided => palette::YELLOW,
        Verdict::Filled => palette::GREEN,
    };
    Marker { ras_mm: opening.center_ras_mm, label: opening.id.to_string(), colour }
}

/// Looked at around a place to tell whether it is on new bone, mm.
const AROUND_MM: f64 = 2.0;

/// Whether most of the `full` bone around a place is not in the `base`: a wall that was put back, not the skin of thick
/// bone.
fn is_new(base: &ArrayRef3<u8>, full: &ArrayRef3<u8>, grid: &Grid, place: [f32; 3]) -> bool {
    let (middle, size, spacing) = (grid.index(place.map(f64::from)), grid.size(), grid.spacing_mm());
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the volume")]
    let [xs, ys, zs] = [0, 1, 2].map(|a| {
        let by = (AROUND_MM / spacing[a]).max(1.0);
        let low = (middle[a] - by).ceil().max(0.0) as usize;
        low..((middle[a] + by).floor() + 1.0).clamp(0.0, size[a] as f64) as usize
    });
    let (mut old, mut new) = (0, 0);
    for z in zs {
        for y in ys.clone() {
            for x in xs.clone() {
                old += u32::from(base[[z, y, x]] != 0);
                new += u32::from(base[[z, y, x]] == 0 && full[[z, y, x]] != 0);
            }
        }
    }
    new > old
}
