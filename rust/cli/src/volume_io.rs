//! Images and masks from and to NIfTI files.
//!
//! The `nifti` crate parses NIfTI-1 headers and names the voxel types. Voxels are read here, because the
//! crate has no NIfTI-2, allocates what a header says before it has seen the data, and turns a NaN slope into
//! an image of zeros.

use crate::nifti_header::Header;
use crate::voxels::{Scalar, Voxels};
use anyhow::{Context, Result, anyhow, bail, ensure};
use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use ndarray::{Array3, ArrayRef3};
use nifti::{Endianness, NiftiType};
use skull_kernels::{Grid, Job, Voxel};
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// Voxels are moved in pieces that stay in the processor's cache; a cancel is answered between two.
const PIECE: usize = 1 << 17;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// DEFLATE codes at most 258 bytes in two bits.
const MOST_DEFLATED: u64 = 1032;

/// Bytes behind the voxels that are worth reading to reach the checksum.
const MOST_TRAILING: u64 = 1 << 20;

/// Evaluates an expression with a type that has the name and stands for a NIfTI voxel type.
macro_rules! with_type {
    ($voxel_type:expr, $name:ident => $body:expr) => {
        with_type!(@ $voxel_type, $name, $body, Int8 i8, Uint8 u8, Int16 i16, Uint16 u16, Int32 i32, Uint32 u32,
            Int64 i64, Uint64 u64, Float32 f32, Float64 f64)
    };
    (@ $voxel_type:expr, $name:ident, $body:expr, $($code:ident $scalar:ty),*) => {
        match $voxel_type {
            $(NiftiType::$code => {
                type $name = $scalar;
                $body
            })*
            other => unreachable!("{other:?} is not among the types a header may have"),
        }
    };
}

/// An image and where it lies.
#[derive(Debug, Clone)]
pub struct Volume<V = Voxels> {
    /// The header of its file, from which a result on the same grid takes its geometry.
    pub header: Header,
    /// Where the voxels lie.
    pub grid: Grid,
    /// The voxels, `[z, y, x]`; in their file's type unless the header scales them.
    pub voxels: V,
}

/// A mask, 0 and 1.
pub type Mask = Volume<Array3<u8>>;

/// A NIfTI file of which the header has been read: `.nii`, `.nii.gz`, or `.hdr` with `.img`.
pub struct NiftiFile {
    path: PathBuf,
    header: Header,
    /// At the first byte behind the header, or of the `.img`.
    source: Source,
}

impl NiftiFile {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// Where it cannot be read or is not NIfTI; the message names the file.
    pub fn open(path: &Path) -> Result<Self> {
        let path = if has_ending(path, &["img", "img.gz"]) { partner(path, "hdr") } else { path.to_path_buf() };
        let named = || path.display().to_string();
        let mut source = Source::open(&path).with_context(named)?;
        let header = Header::read(&mut source).with_context(named)?;
        if !header.is_single_file() {
            let voxels = partner(&path, "img");
            source = Source::open(&voxels).with_context(|| voxels.display().to_string())?;
        }
        Ok(Self { path, header, source })
    }

    /// What the header says.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Reads the image, or of a 4-D image volume number `volume`, counted from 0.
    ///
    /// Memory: the voxels once. No more is allocated than the file can hold.
    ///
    /// # Errors
    /// Where the header and the data do not make an image; the message names the file.
    pub fn read(mut self, volume: Option<usize>, job: &Job) -> Result<Volume> {
        let path = std::mem::take(&mut self.path);
        self.read_image(volume, job).with_context(|| path.display().to_string())
    }

    /// Reads a mask: every voxel that is neither zero nor NaN becomes 1.
    ///
    /// Memory: one byte per voxel.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_mask(mut self, volume: Option<usize>, job: &Job) -> Result<Mask> {
        let path = std::mem::take(&mut self.path);
        self.read_set_voxels(volume, job).with_context(|| path.display().to_string())
    }

    fn read_image(mut self, volume: Option<usize>, job: &Job) -> Result<Volume> {
        let voxel_type = self.header.voxel_type()?;
        let scaling = self.header.scaling()?;
        self.seek_volume(voxel_type, volume, job)?;
        let grid = self.header.grid()?;
        let voxels = with_type!(voxel_type, Stored => match scaling {
            None => Stored::into_voxels(self.plain(&grid, job)?),
            #[allow(clippy::cast_possible_truncation, reason = "single precision holds what 16 bits do")]
            Some((slope, inter)) if size_of::<Stored>() <= 2 || voxel_type == NiftiType::Float32 => {
                Voxels::F32(self.converted(&grid, job, |v: Stored| (v.to_f64() * slope + inter) as f32)?)
            }
            Some((slope, inter)) => Voxels::F64(self.converted(&grid, job, |v: Stored| v.to_f64() * slope + inter)?),
        });
        self.source.check_end()?;
        Ok(Volume { header: self.header, grid, voxels })
    }

    fn read_set_voxels(mut self, volume: Option<usize>, job: &Job) -> Result<Mask> {
        let voxel_type = self.header.voxel_type()?;
        let (slope, inter) = self.header.scaling()?.unwrap_or((1.0, 0.0));
        self.seek_volume(voxel_type, volume, job)?;
        let grid = self.header.grid()?;
        let is_set = |value: f64| u8::from(value != 0.0 && !value.is_nan());
        let voxels = with_type!(voxel_type, Stored => {
            self.converted(&grid, job, |v: Stored| is_set(v.to_f64() * slope + inter))?
        });
        self.source.check_end()?;
        Ok(Volume { header: self.header, grid, voxels })
    }

    /// Moves the source to the volume's first voxel, after checking that the file can hold the volume.
    fn seek_volume(&mut self, voxel_type: NiftiType, volume: Option<usize>, job: &Job) -> Result<()> {
        let ([x, y, z], volumes) = self.header.size()?;
        let last = volumes - 1;
        let volume = match volume {
            None if volumes > 1 => bail!("a 4-D image of {volumes} volumes: choose one with --volume N, 0 to {last}"),
            Some(n) if n > last => bail!("--volume {n}: the image's volumes are numbered 0 to {last}"),
            chosen => chosen.unwrap_or(0),
        };
        // None of these overflows: the header's size bounds the bytes of all volumes.
        let bytes = (x * y * z * voxel_type.size_of()) as u64;
        let start = self.header.voxels_start()?;
        let end = start + (volume as u64 + 1) * bytes;
        if let Some(most) = self.source.most_bytes {
            ensure!(
                end <= most,
                "the header promises {x} x {y} x {z} voxels of {voxel_type:?} up to byte {end}, but the file has \
                 {most} at most: it is cut short or its header is damaged"
            );
        }
        let taken = if self.header.is_single_file() { self.header.version().header_bytes() } else { 0 };
        self.source.skip(end - bytes - taken as u64, job)
    }

    /// The voxels as they are stored.
    fn plain<S: Scalar>(&mut self, grid: &Grid, job: &Job) -> Result<Array3<S>> {
        let mut voxels = reserve(grid.voxels())?;
        let steps = job.steps(grid.voxels().div_ceil(PIECE));
        while voxels.len() < grid.voxels() {
            let start = voxels.len();
            voxels.resize(grid.voxels().min(start + PIECE), S::zeroed());
            self.fill(&mut voxels[start..])?;
            steps.step()?;
        }
        Ok(Array3::from_shape_vec(grid.shape(), voxels).expect("as many voxels as the grid has"))
    }

    /// The voxels converted one by one.
    fn converted<S: Scalar, T>(&mut self, grid: &Grid, job: &Job, convert: impl Fn(S) -> T) -> Result<Array3<T>> {
        let mut voxels = reserve(grid.voxels())?;
        let steps = job.steps(grid.voxels().div_ceil(PIECE));
        let mut piece: Vec<S> = std::iter::repeat_n(S::zeroed(), PIECE).collect();
        while voxels.len() < grid.voxels() {
            let stored = &mut piece[..PIECE.min(grid.voxels() - voxels.len())];
            self.fill(stored)?;
            voxels.extend(stored.iter().map(|&v| convert(v)));
            steps.step()?;
        }
        Ok(Array3::from_shape_vec(grid.shape(), voxels).expect("as many voxels as the grid has"))
    }

    /// Takes the next voxels from the source, in the machine's byte order.
    fn fill<S: Scalar>(&mut self, voxels: &mut [S]) -> Result<()> {
        self.source.read_exact(bytemuck::cast_slice_mut(voxels)).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => anyhow!("the file ends before its last voxel: copy or convert it again"),
            _ => error.into(),
        })?;
        if self.header.endianness() != Endianness::native() {
            voxels.iter_mut().for_each(|v| *v = v.swap_bytes());
        }
        Ok(())
    }
}

/// Memory for voxels, not touched yet; an error rather than an abort where there is none.
fn reserve<T>(voxels: usize) -> Result<Vec<T>> {
    let mut memory = Vec::new();
    memory
        .try_reserve_exact(voxels)
        .map_err(|_| anyhow!("{} MB of voxels do not fit into memory", voxels.saturating_mul(size_of::<T>()) >> 20))?;
    Ok(memory)
}

/// The bytes of a file, decompressed if they are compressed, whatever the file's name.
struct Source {
    reader: Reader,
    /// How many bytes the file can hold; unknown for pipes.
    most_bytes: Option<u64>,
}

enum Reader {
    Plain(BufReader<File>),
    Gzip(Box<MultiGzDecoder<BufReader<File>>>),
}

impl Source {
    fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => anyhow!("there is no such file"),
            _ => error.into(),
        })?;
        let metadata = file.metadata()?;
        ensure!(!metadata.is_dir(), "a folder, not a file (a DICOM series must be converted to NIfTI first)");
        let bytes = metadata.is_file().then_some(metadata.len());
        let mut reader = BufReader::with_capacity(PIECE, file);
        Ok(if reader.fill_buf()?.starts_with(&GZIP_MAGIC) {
            let reader = Reader::Gzip(Box::new(MultiGzDecoder::new(reader)));
            Self { reader, most_bytes: bytes.map(|b| b.saturating_mul(MOST_DEFLATED)) }
        } else {
            Self { reader: Reader::Plain(reader), most_bytes: bytes }
        })
    }

    fn skip(&mut self, bytes: u64, job: &Job) -> Result<()> {
        if let (Reader::Plain(reader), Some(_)) = (&mut self.reader, self.most_bytes) {
            reader.seek_relative(i64::try_from(bytes)?)?;
            return Ok(());
        }
        let mut left = bytes;
        while left > 0 {
            let skipped = std::io::copy(&mut self.by_ref().take(left.min(PIECE as u64)), &mut std::io::sink())?;
            ensure!(skipped > 0, "the file ends before its first voxel: copy or convert it again");
            left -= skipped;
            job.check()?;
        }
        Ok(())
    }

    /// Reads on to the checksum, if it follows soon.
    fn check_end(&mut self) -> Result<()> {
        if matches!(self.reader, Reader::Gzip(_)) {
            std::io::copy(&mut self.by_ref().take(MOST_TRAILING), &mut std::io::sink())?;
        }
        Ok(())
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match &mut self.reader {
            Reader::Plain(reader) => reader.read(buffer),
            Reader::Gzip(decoder) => decoder.read(buffer).map_err(|error| {
                let what = match error.kind() {
                    ErrorKind::UnexpectedEof => "the gzip data are cut short: copy or download the file again",
                    ErrorKind::InvalidInput | ErrorKind::InvalidData => {
                        "the gzip data are damaged: copy or download the file again"
                    }
                    _ => return error,
                };
                std::io::Error::new(ErrorKind::InvalidData, what)
            }),
        }
    }
}

/// Whether a file of this name is to be compressed.
#[must_use]
pub fn is_gzip_name(path: &Path) -> bool {
    has_ending(path, &["gz"])
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    endings.iter().any(|ending| name.strip_suffix(ending).is_some_and(|stem| stem.ends_with('.')))
}

/// The other file of an `.hdr` and `.img` pair; compressed if only that exists.
fn partner(path: &Path, extension: &str) -> PathBuf {
    let uncompressed = if is_gzip_name(path) { path.with_extension("") } else { path.to_path_buf() };
    let plain = uncompressed.with_extension(extension);
    let compressed = uncompressed.with_extension(format!("{extension}.gz"));
    if !plain.exists() && compressed.exists() { compressed } else { plain }
}

/// Writes voxels behind a header of the same geometry as `header`, gzip-compressed if `gzip`.
///
/// # Errors
/// Where they cannot be written, or the job is cancelled.
pub fn write_voxels<S: Scalar>(
    out: &mut dyn Write,
    gzip: bool,
    header: &Header,
    voxels: &ArrayRef3<S>,
    job: &Job,
) -> Result<()> {
    if gzip {
        let mut encoder = GzEncoder::new(out, Compression::fast());
        write_plain(&mut encoder, header, voxels, job)?;
        encoder.finish()?;
        Ok(())
    } else {
        write_plain(out, header, voxels, job)
    }
}

fn write_plain<S: Scalar>(out: &mut dyn Write, header: &Header, voxels: &ArrayRef3<S>, job: &Job) -> Result<()> {
    let header = header.with_voxel_type(S::DATA_TYPE)?;
    let swapped = header.endianness() != Endianness::native();
    out.write_all(&header.to_bytes())?;
    let voxels = voxels.as_slice().context("voxels that are not in standard layout cannot be written")?;
    let pieces = voxels.chunks(PIECE);
    let steps = job.steps(pieces.len());
    let mut piece_swapped = Vec::new();
    for piece in pieces {
        if swapped && size_of::<S>() > 1 {
            piece_swapped.clear();
            piece_swapped.extend(piece.iter().map(|v| v.swap_bytes()));
            out.write_all(bytemuck::cast_slice(&piece_swapped))?;
        } else {
            out.write_all(bytemuck::cast_slice(piece))?;
        }
        steps.step()?;
    }
    Ok(())
}
