//! Cut off what only touches the head: table, holder, pillow, tubes, streaks, ghosts.
//!
//! The head is taken from thick to thin: first what a large ball fits into, then, scale by scale, what smaller balls
//! add to it. A piece that a scale adds stays where it is thick once sealed (a jaw, a nose), or small and firm (an
//! ear). It goes where it is large and thin (a table's shell, a tube, a ghost's rim), faint (a streak) or on the vertex,
//! where a head has nothing that stands out, and with it what hangs on nothing else.

use super::{Modality, coarser, seal, tubes, vertex, whole_times};
use crate::bits::Bits;
use crate::components::{Component, Connectivity, Labelled};
use crate::fill;
use crate::morphology::{closed, dilated};
use crate::{Grid, Job, Result};

/// A step from thick to thin.
struct Scale {
    /// Radius of the ball that what is added must hold; 0 is everything.
    radius_mm: f64,
    /// A thin piece that reaches farther from the thicker parts is no ear.
    reach_mm: f64,
}

/// What holds a ball of this radius is the head's core. In MR what lies on the head is welded to it by sealing and may
/// be as thick as a jaw; in CT a table is, but apart.
const MR_CORE_MM: f64 = 30.0;
const CT_CORE_MM: f64 = 10.0;
const SCALES: [Scale; 4] = [
    Scale { radius_mm: 10.0, reach_mm: 50.0 },
    Scale { radius_mm: 5.0, reach_mm: 35.0 },
    Scale { radius_mm: 2.5, reach_mm: 35.0 },
    Scale { radius_mm: 0.0, reach_mm: 30.0 },
];
/// A faint piece that reaches farther is no rim of an ear that a thick slice shows faintly, but a streak or a ghost.
const FAINT_REACH_MM: f64 = 8.0;
/// A thin piece with a longer diagonal is no ear.
const EAR_MM: f64 = 90.0;
/// What holds a ball of this radius once sealed is thick.
const THICK_MM: f64 = 6.0;
/// A piece counts as thick, or as firm, where more than this share of it is.
const MOST: f64 = 0.5;
/// The outside goes this deep into gaps between the head and what lies on it.
const GAP_MM: f64 = 40.0;
/// A distance that need not be exact is made of at least this many blocks.
const BLOCKS: f64 = 8.0;
/// Gaps this wide in a sheet, where the head rests on it, are sheet too.
const BRIDGE_MM: f64 = 15.0;

/// The part of `tissue` that belongs to the head.
pub(super) fn cut(
    tissue: &Bits,
    firm: Bits,
    dense: Option<&Bits>,
    grid: &Grid,
    modality: Modality,
    opening_mm: f64,
    job: &Job,
) -> Result<Bits> {
    // In CT that would make a block of a table's plate.
    let mut body = if modality == Modality::Mr { seal::continued(tissue) } else { tissue.clone() };
    let mut whole = filled(&body, grid, &job.part(0.0, 0.03))?;
    if let Some(dense) = dense {
        let tubes = tubes::tubes(&whole, dense, grid, &job.part(0.03, 0.07))?;
        if tubes.any() {
            body = body.and_not(&tubes);
            whole = filled(&body, grid, &job.part(0.07, 0.1))?;
        }
    }
    let sealed = seal::sealed(&body, grid, opening_mm, [0; 3], &job.part(0.1, 0.2))?;
    drop(body);
    let core_mm = if modality == Modality::Mr { MR_CORE_MM } else { CT_CORE_MM };
    // In MR bone is as dark as air, so that the head is whole only once it is sealed. In CT sealing would weld the
    // head to the table, but tells a nose, full of air, from a table.
    let (body, mut head, thick) = match modality {
        Modality::Mr => {
            let deep = grid.spacing_mm().map(|s| whole_times(GAP_MM, s));
            let inside = seal::entered(sealed.not(), &whole, deep).not();
            let core = opened(&inside, grid, core_mm, &job.part(0.2, 0.3))?;
            let head = seal::largest(&core, grid, &job.part(0.3, 0.3))?;
            let body = whole.or(&head);
            let thick = opened(&body, grid, THICK_MM, &job.part(0.3, 0.4))?;
            (body, head, thick)
        }
        _ => {
            let core = opened(&whole, grid, core_mm, &job.part(0.2, 0.3))?;
            let head = seal::largest(&core, grid, &job.part(0.3, 0.3))?;
            let thick = opened(&sealed, grid, THICK_MM, &job.part(0.3, 0.4))?;
            drop(sealed);
            (whole, head, thick)
        }
    };
    if !head.any() {
        // Nothing is as thick as a head: no head, or none of a grown-up. Its largest part must do.
        return Ok(seal::largest(&body, grid, &job.part(0.4, 1.0))?.and(tissue));
    }
    // What is filled is as firm as what encloses it.
    let firm = firm.or(&body.clone().and_not(tissue));
    let mut sheets = Bits::empty(body.size());
    for (i, scale) in SCALES.iter().enumerate().filter(|(_, scale)| scale.radius_mm < core_mm) {
        let job = job.part(0.4 + 0.11 * i as f64, 0.4 + 0.11 * (i + 1) as f64);
        let opened = if scale.radius_mm > 0.0 {
            opened(&body, grid, scale.radius_mm, &job.part(0.0, 0.5))?
        } else {
            body.clone()
        };
        let pieces = Labelled::new(&opened.and_not(&head), grid, Connectivity::TwentySix, &job.part(0.5, 0.6))?;
        let most = |mask: &Bits| -> Vec<bool> {
            let shared = pieces.shared_with(mask).into_iter().zip(&pieces.components);
            shared.map(|(n, piece)| n as f64 > MOST * piece.voxels as f64).collect()
        };
        let (thick, firm) = (most(&thick), most(&firm));
        let touching = pieces.shared_with(&head.widened());
        let near = pieces.shared_with(&within(&head, grid, scale.reach_mm, &job.part(0.6, 0.8))?);
        let next = pieces.shared_with(&within(&head, grid, FAINT_REACH_MM, &job.part(0.8, 1.0))?);
        let ear_like = |i: usize| {
            let piece = &pieces.components[i];
            let within = if firm[i] { near[i] } else { next[i] };
            within == piece.voxels && diagonal_mm(piece, grid) <= EAR_MM
        };
        let head_like: Vec<bool> =
            (0..pieces.components.len()).map(|i| touching[i] > 0 && (thick[i] || ear_like(i))).collect();
        let on_vertex = vertex::on_vertex(&pieces, &head_like, &head, grid);
        let large = |i: usize| diagonal_mm(&pieces.components[i], grid) > EAR_MM;
        let added = pieces.select(|i| head_like[i] && !on_vertex[i]);
        sheets = pieces.select(|i| touching[i] > 0 && !thick[i] && large(i));
        head = head.or(&added);
    }
    if sheets.any() {
        let bridged = closed(&sheets, grid, BRIDGE_MM, &job.part(0.85, 0.95))?;
        head = seal::largest(&head.and_not(&bridged), grid, &job.part(0.95, 1.0))?;
    }
    Ok(head.and(tissue))
}

/// The tissue with its outlines closed where the image ends, and what that encloses.
fn filled(tissue: &Bits, grid: &Grid, job: &Job) -> Result<Bits> {
    let capped = seal::capped(tissue, grid)?;
    let enclosed = fill::enclosed(&capped, grid, job)?;
    Ok(capped.or(&enclosed))
}

pub(super) fn diagonal_mm(piece: &Component, grid: &Grid) -> f64 {
    let spacing = grid.spacing_mm();
    (0..3).map(|a| ((piece.high[a] + 1 - piece.low[a]) as f64 * spacing[a]).powi(2)).sum::<f64>().sqrt()
}

/// Where a ball fits, beyond the volume's faces too: the head goes on there.
pub(super) fn opened(body: &Bits, grid: &Grid, radius_mm: f64, job: &Job) -> Result<Bits> {
    let core = dilated(&body.clone().not(), grid, radius_mm, &job.part(0.0, 0.5))?.not();
    dilated(&core, grid, radius_mm, &job.part(0.5, 1.0))
}

/// What lies within a distance of the head, to a fraction of it.
fn within(head: &Bits, grid: &Grid, reach_mm: f64, job: &Job) -> Result<Bits> {
    let factor = grid.spacing_mm().map(|s| whole_times(reach_mm, BLOCKS * s).max(1));
    let near = dilated(&head.shrunk(factor), &coarser(grid, factor)?, reach_mm, job)?;
    Ok(near.grown(factor, grid.size()))
}
