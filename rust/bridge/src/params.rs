//! Parameters and reports between the bridge's structs and the kernels'.

use crate::ffi::{self, BoundKind, Preset};
use crate::guard::BridgeError;
use skull_kernels::auto_threshold::Method;
use skull_kernels::histogram::Histogram;
use skull_kernels::{Mesh, skin, surface, thin_bone, threshold};

impl From<skin::Modality> for ffi::Modality {
    fn from(modality: skin::Modality) -> Self {
        match modality {
            skin::Modality::Auto => Self::Auto,
            skin::Modality::Ct => Self::Ct,
            skin::Modality::Mr => Self::Mr,
        }
    }
}

impl From<skin::Params> for ffi::SkinParams {
    fn from(params: skin::Params) -> Self {
        let skin::Params { modality, threshold, opening_mm, keep_airways } = params;
        Self {
            modality: modality.into(),
            find_threshold: threshold.is_none(),
            threshold: threshold.unwrap_or_default(),
            opening_mm,
            keep_airways,
        }
    }
}

impl ffi::SkinParams {
    pub(crate) fn kernel(&self) -> Result<skin::Params, BridgeError> {
        Ok(skin::Params {
            modality: match self.modality {
                ffi::Modality::Auto => skin::Modality::Auto,
                ffi::Modality::Ct => skin::Modality::Ct,
                ffi::Modality::Mr => skin::Modality::Mr,
                other => return Err(BridgeError::Unknown { what: "modality", value: other.repr }),
            },
            threshold: (!self.find_threshold).then_some(self.threshold),
            opening_mm: self.opening_mm,
            keep_airways: self.keep_airways,
        })
    }
}

impl From<skin::Report> for ffi::SkinReport {
    fn from(report: skin::Report) -> Self {
        let skin::Report { modality, threshold, noise, volume_ml, cut_off_ml, touched_faces, warnings } = report;
        Self {
            modality: modality.into(),
            threshold,
            noise,
            volume_ml,
            cut_off_ml,
            touched_faces: touched_faces.into_iter().collect(),
            warnings,
        }
    }
}

impl From<threshold::Bound> for ffi::Bound {
    fn from(bound: threshold::Bound) -> Self {
        let (kind, value, method) = match bound {
            threshold::Bound::Open => (BoundKind::Open, 0.0, ""),
            threshold::Bound::At(value) => (BoundKind::At, value, ""),
            threshold::Bound::Auto(method) => (BoundKind::Auto, 0.0, method.name()),
        };
        Self { kind, value, method: method.to_owned() }
    }
}

impl ffi::Bound {
    fn kernel(&self) -> Result<threshold::Bound, BridgeError> {
        Ok(match self.kind {
            BoundKind::Open => threshold::Bound::Open,
            BoundKind::At => threshold::Bound::At(self.value),
            BoundKind::Auto => threshold::Bound::Auto(
                Method::ALL
                    .into_iter()
                    .find(|method| method.name() == self.method)
                    .ok_or_else(|| BridgeError::Method(self.method.clone()))?,
            ),
            other => return Err(BridgeError::Unknown { what: "kind of bound", value: other.repr }),
        })
    }
}

/// The parameters that a preset stands for.
pub(crate) fn threshold_params(preset: Preset) -> Result<ffi::ThresholdParams, BridgeError> {
    let threshold::Params {
        lower,
        upper,
        bins,
        darker_half,
        invert_mask,
        min_depth_mm,
        max_depth_mm,
        bias_sigma_mm,
        min_island_ml,
        max_hole_ml,
        caveat: _,
    } = started_from(preset)?;
    Ok(ffi::ThresholdParams {
        preset,
        lower: lower.into(),
        upper: upper.into(),
        bins,
        darker_half,
        invert_mask,
        min_depth_mm,
        max_depth_mm,
        bias_sigma_mm,
        min_island_ml,
        max_hole_ml,
    })
}

fn started_from(preset: Preset) -> Result<threshold::Params, BridgeError> {
    match preset {
        Preset::None => Ok(threshold::Params::default()),
        Preset::MrSkull => Ok(threshold::Params::mr_skull()),
        other => Err(BridgeError::Unknown { what: "preset", value: other.repr }),
    }
}

impl ffi::ThresholdParams {
    pub(crate) fn kernel(&self) -> Result<threshold::Params, BridgeError> {
        Ok(threshold::Params {
            lower: self.lower.kernel()?,
            upper: self.upper.kernel()?,
            bins: self.bins,
            darker_half: self.darker_half,
            invert_mask: self.invert_mask,
            min_depth_mm: self.min_depth_mm,
            max_depth_mm: self.max_depth_mm,
            bias_sigma_mm: self.bias_sigma_mm,
            min_island_ml: self.min_island_ml,
            max_hole_ml: self.max_hole_ml,
            caveat: started_from(self.preset)?.caveat,
        })
    }
}

impl From<threshold::Report> for ffi::ThresholdReport {
    fn from(report: threshold::Report) -> Self {
        let name = |method: Option<Method>| method.map_or("", Method::name).to_owned();
        Self {
            lower: report.lower.unwrap_or(f64::NEG_INFINITY),
            upper: report.upper.unwrap_or(f64::INFINITY),
            lower_method: name(report.lower_method),
            upper_method: name(report.upper_method),
            voxels: report.voxels,
            volume_ml: report.volume_ml,
            islands_removed: report.islands_removed,
            islands_removed_ml: report.islands_removed_ml,
            holes_filled: report.holes_filled,
            holes_filled_ml: report.holes_filled_ml,
            warnings: report.warnings,
        }
    }
}

impl From<Histogram> for ffi::Histogram {
    fn from(histogram: Histogram) -> Self {
        Self { counts: histogram.counts().to_vec(), lower: histogram.intensity(0.0), width: histogram.width() }
    }
}

impl From<thin_bone::Params> for ffi::ThinBoneParams {
    fn from(params: thin_bone::Params) -> Self {
        let [r, a, s] = params.roi_mm.unwrap_or_default();
        Self {
            measure_blur: params.fwhm_mm.is_none(),
            fwhm_mm: params.fwhm_mm.unwrap_or_default(),
            thinnest_mm: params.thinnest_mm,
            largest_opening_mm: params.largest_opening_mm,
            decisions: Vec::new(),
            whole: params.roi_mm.is_none(),
            roi_mm: [r[0], r[1], a[0], a[1], s[0], s[1]],
        }
    }
}

impl ffi::ThinBoneParams {
    pub(crate) fn kernel(&self) -> Result<thin_bone::Params, BridgeError> {
        let mut params = thin_bone::Params::default();
        params.fwhm_mm = (!self.measure_blur).then_some(self.fwhm_mm);
        params.thinnest_mm = self.thinnest_mm;
        params.largest_opening_mm = self.largest_opening_mm;
        let [r0, r1, a0, a1, s0, s1] = self.roi_mm;
        params.roi_mm = (!self.whole).then_some([[r0, r1], [a0, a1], [s0, s1]]);
        params.decisions = self.decisions.iter().map(ffi::Decision::kernel).collect::<Result<_, _>>()?;
        Ok(params)
    }
}

impl ffi::Decision {
    fn kernel(&self) -> Result<thin_bone::Decision, BridgeError> {
        let verdict = match self.verdict {
            ffi::Verdict::Filled => thin_bone::Verdict::Filled,
            ffi::Verdict::Open => thin_bone::Verdict::Open,
            ffi::Verdict::Undecided => thin_bone::Verdict::Undecided,
            other => return Err(BridgeError::Unknown { what: "verdict", value: other.repr }),
        };
        Ok(thin_bone::Decision { center_ras_mm: self.center_ras_mm, verdict })
    }
}

impl From<thin_bone::Opening> for ffi::Opening {
    fn from(opening: thin_bone::Opening) -> Self {
        Self {
            id: opening.id,
            center_ras_mm: opening.center_ras_mm,
            axis_ras: opening.axis_ras,
            diameter_mm: opening.diameter_mm,
            area_mm2: opening.area_mm2,
            verdict: match opening.verdict {
                thin_bone::Verdict::Filled => ffi::Verdict::Filled,
                thin_bone::Verdict::Open => ffi::Verdict::Open,
                thin_bone::Verdict::Undecided => ffi::Verdict::Undecided,
            },
            decided: opening.decided,
            residual: opening.residual.unwrap_or(f64::NAN),
            residual_se: opening.residual_se,
            residual_if_empty: opening.residual_if_empty,
            rim_mm: opening.rim_mm,
            media_hu: opening.media_hu,
            voxels: opening.voxels.into_flattened(),
        }
    }
}

impl From<thin_bone::Report> for ffi::ThinBoneReport {
    fn from(report: thin_bone::Report) -> Self {
        Self {
            fwhm_mm: report.calibration.psf.fwhm_mm(),
            thinnest_seen_mm: report.thinnest_seen_mm,
            smallest_hole_mm: report.smallest_hole_mm,
            sheets: report.sheets,
            added_ml: report.added_mm3 / 1000.0,
            openings: report.openings.into_iter().map(Into::into).collect(),
            warnings: report.warnings,
        }
    }
}

impl ffi::SurfaceParams {
    pub(crate) fn kernel(&self) -> surface::Params {
        let mut params = surface::Params::default();
        params.smoothing = self.smoothing;
        params
    }
}

impl From<surface::Params> for ffi::SurfaceParams {
    fn from(params: surface::Params) -> Self {
        Self { smoothing: params.smoothing }
    }
}

impl From<&Mesh> for ffi::SurfaceReport {
    fn from(mesh: &Mesh) -> Self {
        let check = mesh.check();
        Self {
            volume_ml: mesh.volume_mm3() / 1000.0,
            area_cm2: mesh.area_mm2() / 100.0,
            closed_manifold: check.is_solid(),
            components: check.components,
        }
    }
}
