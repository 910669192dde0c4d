//! Find tubes and other slender things on the skin, known by a thin, dense shell that lies bare.
//!
//! Skin covers bone; plastic and metal lie bare, and a tube's wall is thinner than any tooth.

use super::cut::{diagonal_mm, opened};
use crate::bits::Bits;
use crate::components::{Connectivity, Labelled};
use crate::morphology::dilated;
use crate::{Grid, Job, Result};

/// What holds a ball of this radius is no shell.
const SHELL_MM: f64 = 2.0;
/// A shorter one is an earring, which stays with its ear.
const SHELL_LENGTH_MM: f64 = 30.0;
/// Skin covers bone by more than this.
const BARE_MM: f64 = 2.0;
/// A shell of which more than this share is bare is no bone.
const BARE: f64 = 0.4;
/// No tube is wider.
const TUBE_MM: f64 = 14.0;

/// What around a bare, `dense` shell is too slender to be the head.
pub(super) fn tubes(whole: &Bits, dense: &Bits, grid: &Grid, job: &Job) -> Result<Bits> {
    let thin = dense.clone().and_not(&opened(dense, grid, SHELL_MM, &job.part(0.0, 0.2))?);
    let parts = Labelled::new(&thin, grid, Connectivity::TwentySix, &job.part(0.2, 0.3))?;
    let bare = parts.shared_with(&dilated(&whole.clone().not(), grid, BARE_MM, &job.part(0.3, 0.5))?);
    let shells = parts.select(|i| {
        let part = &parts.components[i];
        diagonal_mm(part, grid) >= SHELL_LENGTH_MM && bare[i] as f64 > BARE * part.voxels as f64
    });
    if !shells.any() {
        return Ok(shells);
    }
    let around = dilated(&shells, grid, TUBE_MM, &job.part(0.5, 0.7))?;
    Ok(around.and(whole).and_not(&opened(whole, grid, 0.5 * TUBE_MM, &job.part(0.7, 1.0))?))
}
