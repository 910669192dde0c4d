//! The checks of `rust/fuzz` on random input, and on the files that once broke them or break careless readers.
//!
//! `SKULL_FUZZ_SECONDS=600 cargo test --release -p skull-cli --test cli fuzz` runs each for that long.

#[allow(unreachable_pub, reason = "a library of its own, too")]
#[path = "../../../fuzz/src/lib.rs"]
mod harness;

use crate::nifti_file::{NiftiFile, gzip};
use proptest::collection::vec;
use proptest::num::f64::ANY;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use std::path::Path;
use std::time::{Duration, Instant};

#[test]
fn random_files_are_read_or_refused() {
    try_many(&files(), |bytes| harness::read_nifti(&bytes));
}

#[test]
fn random_volumes_pass_every_kernel() {
    try_many(&vec(any::<u8>(), 0..4000), |bytes| harness::kernels(&bytes));
}

#[test]
fn hard_cases_pass() {
    for (folder, check) in [("read_nifti", harness::read_nifti as fn(&[u8])), ("kernels", harness::kernels)] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/regressions").join(folder);
        for entry in std::fs::read_dir(folder).unwrap() {
            check(&std::fs::read(entry.unwrap().path()).unwrap());
        }
    }
}

fn try_many<S: Strategy>(strategy: &S, check: impl Fn(S::Value)) {
    let seconds = std::env::var("SKULL_FUZZ_SECONDS").map_or(0, |seconds| seconds.parse().expect("a number"));
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        let cases = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }).run(
            strategy,
            |value| {
                check(value);
                Ok(())
            },
        );
        cases.unwrap();
        if Instant::now() >= end {
            break;
        }
    }
}

/// Files that are nearly right, so that all of the reader is reached.
fn files() -> impl Strategy<Value = Vec<u8>> {
    let damage = vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let cut = prop_oneof![3 => Just(None), 1 => any::<prop::sample::Index>().prop_map(Some)];
    (headers(), any::<bool>(), damage.clone(), cut.clone(), damage, cut).prop_map(
        |(file, packed, flips, cut, packed_flips, packed_cut)| {
            let bytes = damaged(file.bytes(), &flips, cut);
            if packed { damaged(gzip(&bytes), &packed_flips, packed_cut) } else { bytes }
        },
    )
}

fn damaged(mut bytes: Vec<u8>, flips: &[(prop::sample::Index, u8)], cut: Option<prop::sample::Index>) -> Vec<u8> {
    for (at, value) in flips {
        *at.get_mut(&mut bytes) = *value;
    }
    bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
    bytes
}

fn headers() -> impl Strategy<Value = NiftiFile> {
    let size = prop_oneof![12 => 1..6_i64, 1 => select(vec![0, -1, 255, 32767, 1 << 40, i64::MAX])];
    let dim = (prop_oneof![8 => Just(3_i64), 2 => -1..9_i64], prop::array::uniform7(size));
    let datatype = prop_oneof![
        8 => select(vec![2_i16, 4, 8, 16, 64, 256, 512, 768, 1024, 1280]),
        1 => select(vec![0_i16, 1, 32, 128, 1536, 1792, 2048, 2304]),
        1 => any::<i16>(),
    ];
    let length = || prop_oneof![12 => 0.1..5.0, 1 => ANY];
    let scale = || prop_oneof![4 => select(vec![0.0, 1.0, f64::NAN, 2.5]), 1 => ANY];
    let number = || prop_oneof![12 => -3.0..3.0, 1 => ANY];
    let offset = prop_oneof![4 => Just(None), 1 => ANY.prop_map(Some), 1 => (-8.0..600.0).prop_map(Some)];
    let geometry = (
        prop::array::uniform8(length()),
        prop::array::uniform3(number()),
        prop::array::uniform3(prop::array::uniform4(number())),
        (-1..3_i16, -1..3_i16, any::<u8>()),
    );
    let voxels = vec(number(), 0..200);
    (any::<[bool; 2]>(), dim, datatype, scale(), scale(), offset, geometry, voxels).prop_map(
        |([two, big_endian], (dimensions, sizes), datatype, slope, inter, offset, geometry, voxels)| {
            let base = if two { NiftiFile::default().two() } else { NiftiFile::default() };
            let mut dim = [dimensions; 8];
            dim[1..].copy_from_slice(&sizes);
            let (pixdim, quatern, srow, (qform_code, sform_code, xyzt_units)) = geometry;
            let vox_offset = offset.unwrap_or(base.vox_offset);
            let geometry = NiftiFile { pixdim, quatern, srow, qform_code, sform_code, xyzt_units, ..base };
            NiftiFile { big_endian, dim, datatype, slope, inter, vox_offset, voxels, ..geometry }
        },
    )
}
