//! The header of a NIfTI-1 or NIfTI-2 file.
//!
//! The bytes that were read are kept, and an output's header is a copy of them with only the fields changed
//! that describe its voxels: qform, sform, pixdim and units stay as they were to the last bit, in the byte
//! order they were in.
//!
//! Formats: Cox et al., "A (sort of) new image data format standard: NIfTI-1", 2004, and `nifti2.h`, 2011.

use anyhow::{Context, Result, bail, ensure};
use nifti::{Endianness, NiftiHeader, NiftiType};
use skull_kernels::Grid;
use std::io::Read;

const MAGIC_2_SINGLE: [u8; 8] = *b"n+2\0\r\n\x1a\n";
const MAGIC_2_PAIR: [u8; 8] = *b"ni2\0\r\n\x1a\n";

/// Relative difference between two statements of the spacing that rounding explains.
const SPACING_TOLERANCE: f64 = 0.01;

/// Which of the two layouts the header has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 348 bytes, sizes up to 32767, single-precision geometry.
    One,
    /// 540 bytes, any size, double-precision geometry.
    Two,
}

impl Version {
    /// Length of the header.
    #[must_use]
    pub fn header_bytes(self) -> usize {
        match self {
            Self::One => 348,
            Self::Two => 540,
        }
    }
}

/// A parsed header and the bytes it was parsed from. Fields have their names in the standard.
#[derive(Debug, Clone)]
pub struct Header {
    raw: Vec<u8>,
    endianness: Endianness,
    version: Version,
    single_file: bool,
    dim: [i64; 8],
    datatype: i16,
    pixdim: [f64; 8],
    vox_offset: f64,
    scl_slope: f64,
    scl_inter: f64,
    qform_code: i32,
    sform_code: i32,
    quatern: [f64; 3],
    qoffset: [f64; 3],
    srow: [[f64; 4]; 3],
    xyzt_units: i32,
}

impl Header {
    /// Reads a header and leaves `source` just behind it.
    ///
    /// # Errors
    /// Where it is not a NIfTI header.
    pub fn read(mut source: impl Read) -> Result<Self> {
        let mut raw = Vec::with_capacity(Version::Two.header_bytes());
        source.by_ref().take(Version::One.header_bytes() as u64).read_to_end(&mut raw)?;
        ensure!(!raw.is_empty(), "the file is empty");
        let (version, endianness) = recognise(&raw)?;
        let missing = version.header_bytes() - raw.len();
        source.take(missing as u64).read_to_end(&mut raw)?;
        ensure!(
            raw.len() == version.header_bytes(),
            "the file ends within the NIfTI header, after {} bytes",
            raw.len()
        );
        match version {
            Version::One => Self::parse_1(raw, endianness),
            Version::Two => Self::parse_2(raw, endianness),
        }
    }

    fn parse_1(raw: Vec<u8>, endianness: Endianness) -> Result<Self> {
        let magic: [u8; 4] = raw[344..348].try_into().expect("four bytes");
        let single_file = match &magic {
            b"n+1\0" => true,
            b"ni1\0" => false,
            b"\0\0\0\0" => {
                bail!("an ANALYZE 7.5 header, which does not say where the patient's left is: convert it to NIfTI")
            }
            other => bail!("the NIfTI magic is \"{}\" instead of \"n+1\" or \"ni1\"", other.escape_ascii()),
        };
        let h = NiftiHeader::from_reader(raw.as_slice()).context("damaged NIfTI-1 header")?;
        // The crate takes the byte order from dim[0], this module from the header's size.
        ensure!(
            h.sizeof_hdr == 348 && (1..=7).contains(&h.dim[0]),
            "the header has dim[0] = {}: it must be 1 to 7",
            h.dim[0].cast_signed()
        );
        Ok(Self {
            version: Version::One,
            endianness,
            single_file,
            dim: h.dim.map(|d| i64::from(d.cast_signed())),
            datatype: h.datatype,
            pixdim: h.pixdim.map(f64::from),
            vox_offset: f64::from(h.vox_offset),
            scl_slope: f64::from(h.scl_slope),
            scl_inter: f64::from(h.scl_inter),
            qform_code: i32::from(h.qform_code),
            sform_code: i32::from(h.sform_code),
            quatern: [h.quatern_b, h.quatern_c, h.quatern_d].map(f64::from),
            qoffset: [h.quatern_x, h.quatern_y, h.quatern_z].map(f64::from),
            srow: [h.srow_x, h.srow_y, h.srow_z].map(|row| row.map(f64::from)),
            xyzt_units: i32::from(h.xyzt_units),
            raw,
        })
    }

    fn parse_2(raw: Vec<u8>, endianness: Endianness) -> Result<Self> {
        let magic: [u8; 8] = raw[4..12].try_into().expect("eight bytes");
        let single_file = match magic {
            MAGIC_2_SINGLE => true,
            MAGIC_2_PAIR => false,
            other => bail!("the NIfTI-2 magic is \"{}\" instead of \"n+2\" or \"ni2\"", other.escape_ascii()),
        };
        let from = Fields { raw: &raw, endianness };
        let dim: [i64; 8] = from.array(16, 8, Fields::i64);
        ensure!((1..=7).contains(&dim[0]), "the header has dim[0] = {}: it must be 1 to 7", dim[0]);
        #[allow(clippy::cast_precision_loss, reason = "an offset beyond 2^53 exceeds every file")]
        let vox_offset = from.i64(168) as f64;
        Ok(Self {
            version: Version::Two,
            endianness,
            single_file,
            dim,
            datatype: from.i16(12),
            pixdim: from.array(104, 8, Fields::f64),
            vox_offset,
            scl_slope: from.f64(176),
            scl_inter: from.f64(184),
            qform_code: from.i32(344),
            sform_code: from.i32(348),
            quatern: from.array(352, 8, Fields::f64),
            qoffset: from.array(376, 8, Fields::f64),
            srow: [400, 432, 464].map(|at| from.array(at, 8, Fields::f64)),
            xyzt_units: from.i32(500),
            raw,
        })
    }

    /// A NIfTI-1 header for an image on `grid` that does not come from a file.
    ///
    /// # Errors
    /// Where a side of the grid exceeds NIfTI-1's 32767 voxels.
    pub fn new(grid: &Grid) -> Result<Self> {
        let mut raw = vec![0; Version::One.header_bytes()];
        let mut put = Patch { raw: &mut raw, endianness: Endianness::Little };
        put.i32(0, 348);
        put.i16(40, 3);
        for axis in 0..3 {
            let size = i16::try_from(grid.size()[axis]);
            put.i16(42 + 2 * axis, size.with_context(|| format!("{} voxels along an axis", grid.size()[axis]))?);
            put.f32(80 + 4 * axis, grid.spacing_mm()[axis]);
        }
        for later in 3..7 {
            put.i16(42 + 2 * later, 1);
        }
        put.f32(76, 1.0);
        put.bytes(123, &[2]); // millimetres
        put.i16(254, 1); // sform: scanner
        for row in 0..3 {
            for axis in 0..3 {
                put.f32(280 + 16 * row + 4 * axis, grid.axes()[axis][row] * grid.spacing_mm()[axis]);
            }
            put.f32(292 + 16 * row, grid.origin_mm()[row]);
        }
        put.bytes(344, b"n+1\0");
        Self::read(raw.as_slice())?.with_voxel_type(NiftiType::Uint8)
    }

    /// This header for one three-dimensional volume of `voxel_type` on the same grid, in a single file:
    /// identity scaling, no intent, no display range, no extensions.
    ///
    /// # Errors
    /// None for a header that [`read`](Self::read) accepted.
    pub fn with_voxel_type(&self, voxel_type: NiftiType) -> Result<Self> {
        let mut raw = self.raw.clone();
        let mut put = Patch { raw: &mut raw, endianness: self.endianness };
        let bits = i16::try_from(8 * voxel_type.size_of()).expect("at most 256 bits");
        let offset = i16::try_from(self.version.header_bytes() + 4).expect("at most 544 bytes");
        match self.version {
            Version::One => {
                if self.dim[0] > 3 {
                    put.i16(40, 3);
                    (4..8).for_each(|d| put.i16(40 + 2 * d, 1));
                }
                put.bytes(56, &[0; 14]); // intent parameters and code
                put.i16(70, voxel_type as i16);
                put.i16(72, bits);
                put.f32(108, f64::from(offset));
                put.f32(112, 1.0); // scl_slope
                put.f32(116, 0.0);
                put.bytes(124, &[0; 8]); // cal_max, cal_min
                put.bytes(328, &[0; 16]); // intent name
                put.bytes(344, b"n+1\0");
            }
            Version::Two => {
                if self.dim[0] > 3 {
                    put.i64(16, 3);
                    (4..8).for_each(|d| put.i64(16 + 8 * d, 1));
                }
                put.bytes(4, &MAGIC_2_SINGLE);
                put.i16(12, voxel_type as i16);
                put.i16(14, bits);
                put.bytes(80, &[0; 24]); // intent parameters
                put.i64(168, i64::from(offset));
                put.f64(176, 1.0); // scl_slope
                put.f64(184, 0.0);
                put.bytes(192, &[0; 16]); // cal_max, cal_min
                put.bytes(504, &[0; 20]); // intent code and name
            }
        }
        Self::read(raw.as_slice())
    }

    /// The header as it stands at the start of a file, with the four bytes that say "no extensions".
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.raw.as_slice(), &[0; 4]].concat()
    }

    /// Which layout the header has.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Whether the voxels follow in the same file, rather than in an `.img` beside it.
    #[must_use]
    pub fn is_single_file(&self) -> bool {
        self.single_file
    }

    /// Byte order of header and voxels.
    #[must_use]
    pub fn endianness(&self) -> Endianness {
        self.endianness
    }

    /// Type of the stored voxels, before scaling.
    ///
    /// # Errors
    /// Where it is not one of the ten real scalar types.
    pub fn voxel_type(&self) -> Result<NiftiType> {
        let code = NiftiHeader { datatype: self.datatype, ..NiftiHeader::default() };
        let voxel_type = match self.datatype {
            1 => bail!("the voxels are single bits (datatype 1): convert them to uint8 first"),
            code_number => code.data_type().ok().with_context(|| format!("unknown datatype {code_number}"))?,
        };
        match voxel_type {
            NiftiType::Rgb24 | NiftiType::Rgba32 => {
                bail!("the voxels are colours (datatype {}): convert the image to grey values first", self.datatype)
            }
            NiftiType::Complex64 | NiftiType::Complex128 | NiftiType::Complex256 => {
                bail!("the voxels are complex (datatype {}): convert the image to its magnitude first", self.datatype)
            }
            NiftiType::Float128 => bail!("the voxels are float128 (datatype 1536): convert them to float64 first"),
            real => Ok(real),
        }
    }

    /// Number of voxels along x, y and z, and number of volumes.
    ///
    /// # Errors
    /// Where a dimension is zero or negative, or their product overflows.
    pub fn size(&self) -> Result<([usize; 3], usize)> {
        let dimensions = usize::try_from(self.dim[0]).expect("1 to 7");
        let named = &self.dim[1..=dimensions];
        let mut size = [1; 7];
        for (to, &from) in size.iter_mut().zip(named) {
            *to = usize::try_from(from).ok().filter(|&n| n > 0).with_context(|| {
                format!("the header's dimensions are {named:?}: each must be at least 1; the header is damaged")
            })?;
        }
        let count = |sizes: &[usize]| sizes.iter().try_fold(1_usize, |n, &s| n.checked_mul(s));
        let too_many = || format!("the header's dimensions, {named:?}, exceed every memory; the header is damaged");
        count(&size).filter(|&n| n < 1 << 56).with_context(too_many)?;
        Ok(([size[0], size[1], size[2]], count(&size[3..]).with_context(too_many)?))
    }

    /// Where the first volume's voxels start.
    ///
    /// # Errors
    /// Where the header gives no valid place.
    pub fn voxels_start(&self) -> Result<u64> {
        let first = if self.single_file { self.version.header_bytes() } else { 0 };
        #[allow(clippy::cast_precision_loss, reason = "at most 540")]
        let first = first as f64;
        let offset = self.vox_offset;
        if self.single_file && offset == 0.0 {
            return Ok(self.version.header_bytes() as u64 + 4);
        }
        ensure!(
            offset.is_finite() && offset >= first && offset.fract() == 0.0 && offset < 2_f64.powi(53),
            "the header puts the voxels at byte {offset} (vox_offset); the header is damaged"
        );
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
        Ok(offset as u64)
    }

    /// Factor and summand that turn stored values into image units; `None` where they change nothing, which
    /// the standard says by a slope of 0 and files in the wild also by NaN.
    ///
    /// # Errors
    /// Where there is a slope but the intercept is not a number.
    pub fn scaling(&self) -> Result<Option<(f64, f64)>> {
        let (slope, inter) = (self.scl_slope, self.scl_inter);
        if slope == 0.0 || !slope.is_finite() || (slope == 1.0 && inter == 0.0) {
            return Ok(None);
        }
        ensure!(inter.is_finite(), "scl_slope is {slope} but scl_inter is {inter}: correct the header");
        Ok(Some((slope, inter)))
    }

    /// Where the voxels lie: by the sform where it is set, else by the qform, else by the spacing alone.
    ///
    /// # Errors
    /// Where the header places them nowhere.
    pub fn grid(&self) -> Result<Grid> {
        let (size, _) = self.size()?;
        let mut spacing = [self.pixdim[1], self.pixdim[2], self.pixdim[3]];
        // A plane has no distance between planes, and many writers leave 0 for it.
        let dimensions = usize::try_from(self.dim[0]).expect("1 to 7");
        spacing.iter_mut().skip(dimensions).filter(|s| **s <= 0.0).for_each(|s| *s = 1.0);
        ensure!(
            spacing.iter().all(|s| s.is_finite() && *s > 0.0),
            "the voxel spacing (pixdim) is {spacing:?}: it must be positive and finite; correct the header"
        );
        let mut affine = match self.orientation() {
            Orientation::Sform => self.srow,
            Orientation::Qform => self.qform_affine(spacing)?,
            Orientation::Unknown => {
                [0, 1, 2].map(|row| [0, 1, 2, 3].map(|column| if row == column { spacing[row] } else { 0.0 }))
            }
        };
        let mm_per_unit = self.mm_per_unit();
        affine.iter_mut().flatten().for_each(|value| *value *= mm_per_unit);
        Grid::from_affine(size, affine).map_err(|error| {
            let form = match self.orientation() {
                Orientation::Sform => "sform",
                Orientation::Qform => "qform",
                Orientation::Unknown => "pixdim",
            };
            anyhow::Error::new(error).context(format!("the {form} {affine:?} cannot place the voxels in space"))
        })
    }

    /// What the user should know about where `grid`, which this header gave, puts the voxels.
    #[must_use]
    pub fn doubts(&self, grid: &Grid) -> Option<String> {
        let spacing = grid.spacing_mm();
        let stated = [1, 2, 3].map(|axis| self.pixdim[axis] * self.mm_per_unit());
        let differs = |axis: usize| (stated[axis] / spacing[axis] - 1.0).abs() > SPACING_TOLERANCE;
        let dimensions = usize::try_from(self.dim[0]).expect("1 to 7").min(3);
        match self.orientation() {
            Orientation::Unknown => Some(
                "the header does not say how the patient lies: x, y and z are taken for right, anterior and superior"
                    .to_owned(),
            ),
            Orientation::Sform if (0..dimensions).any(differs) => {
                let mm = |lengths: [f64; 3]| lengths.map(|length| format!("{length:.3}")).join(" x ");
                Some(format!(
                    "the voxels are {} mm by the header's pixdim, but {} mm by its sform, which is followed",
                    mm(stated),
                    mm(spacing)
                ))
            }
            _ => None,
        }
    }

    fn mm_per_unit(&self) -> f64 {
        match self.xyzt_units & 7 {
            1 => 1e3,
            3 => 1e-3,
            _ => 1.0,
        }
    }

    /// Which field of the header says where the voxels lie.
    #[must_use]
    pub fn orientation(&self) -> Orientation {
        match (self.sform_code > 0, self.qform_code > 0) {
            (true, _) => Orientation::Sform,
            (false, true) => Orientation::Qform,
            (false, false) => Orientation::Unknown,
        }
    }

    fn qform_affine(&self, spacing: [f64; 3]) -> Result<[[f64; 4]; 3]> {
        let [mut b, mut c, mut d] = self.quatern;
        let squared = b * b + c * c + d * d;
        ensure!(squared.is_finite(), "the qform's quaternion is {:?}: correct the header", self.quatern);
        // As in the standard's own code: a half turn whose rounding leaves no real part.
        let mut a = 0.0;
        if 1.0 - squared < 1e-7 {
            let length = squared.sqrt();
            (b, c, d) = (b / length, c / length, d / length);
        } else {
            a = (1.0 - squared).sqrt();
        }
        let flip = if self.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
        let scale = [spacing[0], spacing[1], spacing[2] * flip];
        let rotation = [
            [a * a + b * b - c * c - d * d, 2.0 * (b * c - a * d), 2.0 * (b * d + a * c)],
            [2.0 * (b * c + a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d - a * b)],
            [2.0 * (b * d - a * c), 2.0 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ];
        Ok([0, 1, 2].map(|row| {
            let [x, y, z] = [0, 1, 2].map(|axis| rotation[row][axis] * scale[axis]);
            [x, y, z, self.qoffset[row]]
        }))
    }
}

/// What places a file's voxels in space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orientation {
    /// The affine matrix.
    Sform,
    /// The quaternion.
    Qform,
    /// Nothing: the axes are taken for right, anterior and superior.
    Unknown,
}

fn recognise(start: &[u8]) -> Result<(Version, Endianness)> {
    let Some(&size) = start.first_chunk::<4>() else {
        bail!("not a NIfTI file: it has only {} bytes", start.len());
    };
    for version in [Version::One, Version::Two] {
        let bytes = i32::try_from(version.header_bytes()).expect("at most 540");
        if i32::from_le_bytes(size) == bytes {
            return Ok((version, Endianness::Little));
        }
        if i32::from_be_bytes(size) == bytes {
            return Ok((version, Endianness::Big));
        }
    }
    let looks_like = if start.get(128..132) == Some(b"DICM") {
        "a DICOM file: convert the series to NIfTI, for example with dcm2niix or 3D Slicer"
    } else if start.starts_with(b"NRRD") {
        "an NRRD file: save it as NIfTI, for example with 3D Slicer"
    } else {
        "it does not start with a NIfTI-1 or NIfTI-2 header"
    };
    bail!("not a NIfTI file: {looks_like}");
}

/// Numbers at byte offsets of a header.
struct Fields<'a> {
    raw: &'a [u8],
    endianness: Endianness,
}

/// The same, to overwrite them.
struct Patch<'a> {
    raw: &'a mut [u8],
    endianness: Endianness,
}

macro_rules! number {
    ($($name:ident)*) => {
        impl Fields<'_> {
            $(fn $name(&self, at: usize) -> $name {
                let bytes = *self.raw[at..].first_chunk().expect("a field within the header");
                match self.endianness {
                    Endianness::Little => $name::from_le_bytes(bytes),
                    Endianness::Big => $name::from_be_bytes(bytes),
                }
            })*
        }
    };
}
number!(i16 i32 i64 f64);

impl Fields<'_> {
    fn array<T, const N: usize>(&self, at: usize, stride: usize, field: impl Fn(&Self, usize) -> T) -> [T; N] {
        std::array::from_fn(|i| field(self, at + stride * i))
    }
}

impl Patch<'_> {
    fn bytes(&mut self, at: usize, bytes: &[u8]) {
        self.raw[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn number<const N: usize>(&mut self, at: usize, little: [u8; N], big: [u8; N]) {
        self.bytes(at, if self.endianness == Endianness::Little { &little } else { &big });
    }

    fn i16(&mut self, at: usize, value: i16) {
        self.number(at, value.to_le_bytes(), value.to_be_bytes());
    }

    fn i32(&mut self, at: usize, value: i32) {
        self.number(at, value.to_le_bytes(), value.to_be_bytes());
    }

    fn i64(&mut self, at: usize, value: i64) {
        self.number(at, value.to_le_bytes(), value.to_be_bytes());
    }

    #[allow(clippy::cast_possible_truncation, reason = "NIfTI-1 holds single precision")]
    fn f32(&mut self, at: usize, value: f64) {
        let value = value as f32;
        self.number(at, value.to_le_bytes(), value.to_be_bytes());
    }

    fn f64(&mut self, at: usize, value: f64) {
        self.number(at, value.to_le_bytes(), value.to_be_bytes());
    }
}
