//! Builds NIfTI files byte by byte from the standard, good ones and bad ones.

use flate2::{Compression, write::GzEncoder};
use std::io::Write;

/// A file to build; the default is a good one: NIfTI-1, little endian, 4 x 3 x 2 voxels of int16.
#[derive(Debug, Clone)]
pub(crate) struct NiftiFile {
    pub(crate) two: bool,
    pub(crate) big_endian: bool,
    pub(crate) dim: [i64; 8],
    pub(crate) datatype: i16,
    pub(crate) pixdim: [f64; 8],
    pub(crate) vox_offset: f64,
    pub(crate) slope: f64,
    pub(crate) inter: f64,
    pub(crate) qform_code: i16,
    pub(crate) sform_code: i16,
    pub(crate) quatern: [f64; 3],
    pub(crate) qoffset: [f64; 3],
    pub(crate) srow: [[f64; 4]; 3],
    pub(crate) xyzt_units: u8,
    pub(crate) magic: Vec<u8>,
    pub(crate) voxels: Vec<f64>,
}

impl Default for NiftiFile {
    fn default() -> Self {
        Self {
            two: false,
            big_endian: false,
            dim: [3, 4, 3, 2, 1, 1, 1, 1],
            datatype: 4,
            pixdim: [-1.0, 0.7, 0.8, 2.5, 1.0, 0.0, 0.0, 0.0],
            vox_offset: 352.0,
            slope: 1.0,
            inter: 0.0,
            qform_code: 1,
            sform_code: 2,
            // Not the sform's rotation, so that a test sees which of the two was taken.
            quatern: [0.1, -0.2, 0.3],
            qoffset: [11.0, -12.0, 13.5],
            srow: [[-0.698, 0.05, 0.0, 81.3], [0.04, 0.79, 0.3, -72.1], [0.02, -0.1, 2.48, 5.5]],
            xyzt_units: 10,
            magic: b"n+1\0".to_vec(),
            voxels: (0..24).map(f64::from).collect(),
        }
    }
}

impl NiftiFile {
    /// NIfTI-2 instead of NIfTI-1.
    pub(crate) fn two(mut self) -> Self {
        self.two = true;
        self.magic = b"n+2\0\r\n\x1a\n".to_vec();
        self.vox_offset = 544.0;
        self
    }

    /// A cubic image of the given side and values, with cubic voxels of 1 mm along the patient's axes.
    pub(crate) fn cube(side: i64, voxel: impl Fn([i64; 3]) -> f64) -> Self {
        let indices = (0..side).flat_map(|z| (0..side).flat_map(move |y| (0..side).map(move |x| [x, y, z])));
        Self {
            dim: [3, side, side, side, 1, 1, 1, 1],
            pixdim: [1.0; 8],
            srow: [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]],
            voxels: indices.map(voxel).collect(),
            ..Self::default()
        }
    }

    /// The whole file, uncompressed.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.header();
        bytes.resize(bytes.len() + 4, 0);
        for &voxel in &self.voxels {
            bytes.extend(self.scalar(voxel));
        }
        bytes
    }

    pub(crate) fn gzipped(&self) -> Vec<u8> {
        gzip(&self.bytes())
    }

    pub(crate) fn header(&self) -> Vec<u8> {
        let mut h = vec![0xA5; if self.two { 540 } else { 348 }];
        let e = self.big_endian;
        macro_rules! put {
            ($at:expr, $value:expr) => {{
                let value = $value;
                let bytes = if e { value.to_be_bytes() } else { value.to_le_bytes() };
                h[$at..$at + bytes.len()].copy_from_slice(&bytes);
            }};
        }
        let bits = i16::try_from(8 * self.scalar(0.0).len()).unwrap();
        if self.two {
            put!(0, 540_i32);
            h[4..12].copy_from_slice(&self.magic);
            put!(12, self.datatype);
            put!(14, bits);
            (0..8).for_each(|i| put!(16 + 8 * i, self.dim[i]));
            (0..8).for_each(|i| put!(104 + 8 * i, self.pixdim[i]));
            put!(168, self.vox_offset as i64);
            put!(176, self.slope);
            put!(184, self.inter);
            put!(344, i32::from(self.qform_code));
            put!(348, i32::from(self.sform_code));
            (0..3).for_each(|i| put!(352 + 8 * i, self.quatern[i]));
            (0..3).for_each(|i| put!(376 + 8 * i, self.qoffset[i]));
            (0..12).for_each(|i| put!(400 + 8 * i, self.srow[i / 4][i % 4]));
            put!(500, i32::from(self.xyzt_units));
        } else {
            put!(0, 348_i32);
            (0..8).for_each(|i| put!(40 + 2 * i, self.dim[i] as i16));
            put!(70, self.datatype);
            put!(72, bits);
            (0..8).for_each(|i| put!(76 + 4 * i, self.pixdim[i] as f32));
            put!(108, self.vox_offset as f32);
            put!(112, self.slope as f32);
            put!(116, self.inter as f32);
            h[123] = self.xyzt_units;
            put!(252, self.qform_code);
            put!(254, self.sform_code);
            (0..3).for_each(|i| put!(256 + 4 * i, self.quatern[i] as f32));
            (0..3).for_each(|i| put!(268 + 4 * i, self.qoffset[i] as f32));
            (0..12).for_each(|i| put!(280 + 4 * i, self.srow[i / 4][i % 4] as f32));
            h[344..348].copy_from_slice(&self.magic);
        }
        h
    }

    fn scalar(&self, value: f64) -> Vec<u8> {
        macro_rules! bytes {
            ($scalar:ty) => {{
                let value = value as $scalar;
                if self.big_endian { value.to_be_bytes().to_vec() } else { value.to_le_bytes().to_vec() }
            }};
        }
        match self.datatype {
            2 => bytes!(u8),
            4 => bytes!(i16),
            8 => bytes!(i32),
            16 => bytes!(f32),
            64 => bytes!(f64),
            256 => bytes!(i8),
            512 => bytes!(u16),
            768 => bytes!(u32),
            1024 => bytes!(i64),
            1280 => bytes!(u64),
            128 => vec![value as u8; 3],
            32 => vec![0; 8],
            1792 | 1536 => vec![0; 16],
            2304 => vec![0; 4],
            _ => vec![0],
        }
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
