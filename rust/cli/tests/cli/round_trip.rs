//! Images of every kind are read as they are meant, and masks keep the geometry to the last bit.

use crate::nifti_file::NiftiFile;
use crate::{Desk, nifti_file};
use ndarray::Array3;
use nifti::{IntoNdArray, NiftiObject, ReaderOptions};
use skull_cli::volume_io::{self, Volume, write_voxels};
use skull_cli::voxels::Voxels;
use skull_cli::with_voxels;
use skull_kernels::{Job, Voxel};

const DATATYPES: [i16; 10] = [2, 4, 8, 16, 64, 256, 512, 768, 1024, 1280];

fn read(desk: &Desk, name: &str) -> Volume {
    volume_io::NiftiFile::open(&desk.path(name)).unwrap().read(None, &Job::new()).unwrap()
}

fn values(volume: &Volume) -> Vec<f64> {
    with_voxels!(&volume.voxels, image => image.iter().map(|v| v.to_f64()).collect())
}

fn write_mask(desk: &Desk, name: &str, like: &Volume) -> Vec<u8> {
    let mask = Array3::from_shape_fn(like.grid.shape(), |(z, y, x)| u8::from((x + y + z) % 2 == 0));
    let mut bytes = Vec::new();
    write_voxels(&mut bytes, name.ends_with("gz"), &like.header, &mask, &Job::new()).unwrap();
    desk.put(name, &bytes);
    bytes
}

#[test]
fn every_type_byte_order_version_and_compression_is_read_exactly() {
    let desk = Desk::new();
    for datatype in DATATYPES {
        for big_endian in [false, true] {
            for file in [NiftiFile::default(), NiftiFile::default().two()] {
                let signed = [4, 8, 16, 64, 256, 1024].contains(&datatype);
                let voxels: Vec<f64> = (0..24).map(|i| f64::from(if signed { i * 5 - 60 } else { i * 5 })).collect();
                let file = NiftiFile { datatype, big_endian, voxels, ..file };
                desk.put("plain.nii", &file.bytes());
                desk.put("packed.nii.gz", &file.gzipped());
                for name in ["plain.nii", "packed.nii.gz"] {
                    let volume = read(&desk, name);
                    assert_eq!(values(&volume), file.voxels, "type {datatype}, {name}, big endian {big_endian}");
                    assert_eq!(volume.grid.size(), [4, 3, 2]);
                    let origin = volume.grid.origin_mm();
                    (0..3).for_each(|r| assert!((origin[r] - file.srow[r][3]).abs() < 1e-5, "{origin:?}"));
                    let stored = format!("{:?}", volume.header.voxel_type().unwrap()).to_lowercase();
                    let read_as = with_voxels!(&volume.voxels, image => type_name(image));
                    assert!(
                        stored.starts_with(if read_as.starts_with('f') { "float" } else { &read_as[..1] })
                            || stored.starts_with("uint") && read_as.starts_with('u')
                    );
                    assert!(stored.ends_with(&read_as[1..]), "{stored} was read as {read_as}");
                }
            }
        }
    }
}

fn type_name<T>(_: &Array3<T>) -> &'static str {
    std::any::type_name::<T>()
}

#[test]
fn a_mask_keeps_the_geometry_to_the_last_bit() {
    let desk = Desk::new();
    for big_endian in [false, true] {
        for two in [false, true] {
            let file = if two { NiftiFile::default().two() } else { NiftiFile::default() };
            let file = NiftiFile { big_endian, slope: 2.5, inter: -7.0, xyzt_units: 3, ..file };
            desk.put("image.nii", &file.bytes());
            for name in ["mask.nii", "mask.nii.gz"] {
                write_mask(&desk, name, &read(&desk, "image.nii"));
                let back = read(&desk, name);
                let [before, after] = [file.header(), back.header.to_bytes()];
                // pixdim, units, then from the codes of qform and sform to the last row of the sform.
                let kept = if two { [104..168, 344..496, 500..504] } else { [76..108, 123..124, 252..328] };
                for range in kept {
                    assert_eq!(after[range.clone()], before[range.clone()], "bytes {range:?}");
                }
                assert_eq!(back.header.scaling().unwrap(), None);
                let Voxels::U8(mask) = back.voxels else { panic!("not uint8") };
                assert_eq!(mask.iter().map(|&v| u32::from(v)).sum::<u32>(), 12);
                assert_eq!(mask[[0, 0, 0]], 1);
            }
        }
    }
}

#[test]
fn another_reader_sees_the_same_mask() {
    let desk = Desk::new();
    for big_endian in [false, true] {
        desk.put("image.nii", &NiftiFile { big_endian, ..NiftiFile::default() }.bytes());
        for name in ["mask.nii", "mask.nii.gz"] {
            write_mask(&desk, name, &read(&desk, "image.nii"));
            let object = ReaderOptions::new().read_file(desk.path(name)).unwrap();
            assert_eq!(object.header().dim, [3, 4, 3, 2, 1, 1, 1, 1]);
            assert_eq!(object.header().srow_y, [0.04, 0.79, 0.3, -72.1]);
            let mask = object.into_volume().into_ndarray::<u8>().unwrap();
            mask.indexed_iter().for_each(|(index, &v)| {
                assert_eq!(v, u8::from((index[0] + index[1] + index[2]) % 2 == 0), "{index:?}");
            });
        }
    }
}

#[test]
fn slope_and_intercept_are_applied() {
    let desk = Desk::new();
    for datatype in DATATYPES {
        desk.put("image.nii", &NiftiFile { datatype, slope: 0.5, inter: -3.0, ..NiftiFile::default() }.bytes());
        let volume = read(&desk, "image.nii");
        assert_eq!(values(&volume), (0..24).map(|i| f64::from(i) * 0.5 - 3.0).collect::<Vec<_>>());
        let double = [8, 64, 768, 1024, 1280].contains(&datatype);
        assert_eq!(matches!(volume.voxels, Voxels::F64(_)), double, "type {datatype}");
        assert_eq!(matches!(volume.voxels, Voxels::F32(_)), !double, "type {datatype}");
    }
}

#[test]
fn a_slope_of_zero_or_nan_scales_nothing() {
    let desk = Desk::new();
    for slope in [0.0, f64::NAN, f64::INFINITY] {
        for inter in [0.0, 7.0, f64::NAN] {
            for file in [NiftiFile::default(), NiftiFile::default().two()] {
                let file = NiftiFile { slope, inter, ..file };
                desk.put("image.nii.gz", &file.gzipped());
                let volume = read(&desk, "image.nii.gz");
                assert!(matches!(volume.voxels, Voxels::I16(_)));
                assert_eq!(values(&volume), file.voxels);
            }
        }
    }
}

#[test]
fn the_sform_goes_before_the_qform_and_both_before_the_spacing() {
    let desk = Desk::new();
    let origin = |qform_code, sform_code| {
        desk.put("image.nii", &NiftiFile { qform_code, sform_code, ..NiftiFile::default() }.bytes());
        read(&desk, "image.nii").grid.origin_mm().map(f64::round)
    };
    assert_eq!(origin(1, 1), [81.0, -72.0, 6.0]);
    assert_eq!(origin(0, 3), [81.0, -72.0, 6.0]);
    assert_eq!(origin(1, 0), [11.0, -12.0, 14.0]);
    assert_eq!(origin(0, 0), [0.0, 0.0, 0.0]);
}

/// The quaternion of a quarter turn about z takes x to y; a negative pixdim[0] then turns z over.
#[test]
fn a_quaternion_turns_as_the_standard_says() {
    let desk = Desk::new();
    let file = NiftiFile { sform_code: 0, quatern: [0.0, 0.0, 0.5_f64.sqrt()], ..NiftiFile::default() };
    desk.put("image.nii", &file.two().bytes());
    let grid = read(&desk, "image.nii").grid;
    let expected = [[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]];
    for (got, want) in grid.axes().into_iter().flatten().zip(expected.into_iter().flatten()) {
        assert!((got - want).abs() < 1e-12, "{:?}", grid.axes());
    }
    assert_eq!(grid.spacing_mm(), [0.7, 0.8, 2.5]);
    assert!(grid.is_left_handed());
}

#[test]
fn metres_and_microns_become_millimetres() {
    let desk = Desk::new();
    for (units, mm) in [(0, 1.0), (1, 1000.0), (2, 1.0), (3, 0.001), (10, 1.0), (9, 1000.0)] {
        for (qform_code, sform_code) in [(0, 0), (1, 0), (0, 1)] {
            let srow = [[0.7, 0.0, 0.0, 1.0], [0.0, 0.8, 0.0, 2.0], [0.0, 0.0, 2.5, 3.0]];
            let file = NiftiFile { xyzt_units: units, qform_code, sform_code, srow, ..NiftiFile::default() };
            desk.put("image.nii", &file.bytes());
            let spacing = read(&desk, "image.nii").grid.spacing_mm();
            (0..3).for_each(|a| assert!((spacing[a] / mm / file.pixdim[a + 1] - 1.0).abs() < 1e-6, "{spacing:?}"));
        }
    }
}

#[test]
fn one_volume_of_a_4d_image_is_read_and_its_mask_is_3d() {
    let desk = Desk::new();
    for file in [NiftiFile::default(), NiftiFile::default().two()] {
        let file = NiftiFile { dim: [4, 4, 3, 2, 3, 1, 1, 1], voxels: (0..72).map(f64::from).collect(), ..file };
        desk.put("series.nii", &file.bytes());
        desk.put("series.nii.gz", &file.gzipped());
        for name in ["series.nii", "series.nii.gz"] {
            let open = || volume_io::NiftiFile::open(&desk.path(name)).unwrap();
            let last = open().read(Some(2), &Job::new()).unwrap();
            assert_eq!(values(&last), (48..72).map(f64::from).collect::<Vec<_>>());
            let refused = format!("{:#}", open().read(None, &Job::new()).unwrap_err());
            assert!(refused.contains("3 volumes") && refused.contains("--volume N"), "{refused}");
            let refused = format!("{:#}", open().read(Some(3), &Job::new()).unwrap_err());
            assert!(refused.contains("0 to 2"), "{refused}");
            write_mask(&desk, "mask.nii", &last);
            assert_eq!(read(&desk, "mask.nii").header.size().unwrap(), ([4, 3, 2], 1));
        }
    }
}

#[test]
fn a_header_with_a_separate_image_file_is_read_by_either_name() {
    let desk = Desk::new();
    let file = NiftiFile { magic: b"ni1\0".to_vec(), vox_offset: 0.0, ..NiftiFile::default() };
    let bytes = file.bytes();
    desk.put("pair.hdr", &bytes[..348]);
    desk.put("pair.img", &bytes[352..]);
    assert_eq!(values(&read(&desk, "pair.hdr")), file.voxels);
    assert_eq!(values(&read(&desk, "pair.img")), file.voxels);
    std::fs::remove_file(desk.path("pair.img")).unwrap();
    desk.put("pair.img.gz", &nifti_file::gzip(&bytes[352..]));
    assert_eq!(values(&read(&desk, "pair.hdr")), file.voxels);
    write_mask(&desk, "mask.nii", &read(&desk, "pair.hdr"));
    assert!(read(&desk, "mask.nii").header.is_single_file());
}

#[test]
fn gzip_files_of_several_members_are_read_whole() {
    let desk = Desk::new();
    let bytes = NiftiFile::default().bytes();
    desk.put("image.nii.gz", &[nifti_file::gzip(&bytes[..377]), nifti_file::gzip(&bytes[377..])].concat());
    assert_eq!(values(&read(&desk, "image.nii.gz")), NiftiFile::default().voxels);
}

#[test]
fn masks_of_any_type_are_read_as_zeros_and_ones() {
    let desk = Desk::new();
    for datatype in DATATYPES {
        let voxels = (0..24).map(|i| f64::from(i % 3 * 40)).collect();
        desk.put("mask.nii", &NiftiFile { datatype, voxels, ..NiftiFile::default() }.bytes());
        let mask = volume_io::NiftiFile::open(&desk.path("mask.nii")).unwrap().read_mask(None, &Job::new()).unwrap();
        assert_eq!(
            mask.voxels.iter().copied().collect::<Vec<_>>(),
            (0..24).map(|i| u8::from(i % 3 > 0)).collect::<Vec<_>>()
        );
    }
    let voxels = vec![f64::NAN; 24];
    desk.put("mask.nii", &NiftiFile { datatype: 16, voxels, ..NiftiFile::default() }.bytes());
    let mask = volume_io::NiftiFile::open(&desk.path("mask.nii")).unwrap().read_mask(None, &Job::new()).unwrap();
    assert!(mask.voxels.iter().all(|&v| v == 0));
}

#[test]
fn an_image_without_a_file_gets_a_header_that_reads_back() {
    let desk = Desk::new();
    desk.put("image.nii", &NiftiFile::default().bytes());
    let grid = read(&desk, "image.nii").grid;
    let header = skull_cli::nifti_header::Header::new(&grid).unwrap();
    let image = Array3::from_shape_fn(grid.shape(), |(z, y, x)| z as f32 - 1.5 * y as f32 + 7.0 * x as f32);
    let mut bytes = Vec::new();
    write_voxels(&mut bytes, true, &header, &image, &Job::new()).unwrap();
    desk.put("drawn.nii.gz", &bytes);
    let back = read(&desk, "drawn.nii.gz");
    assert_eq!(back.voxels, Voxels::F32(image));
    for corner in [[0.0; 3], [3.0, 2.0, 1.0]] {
        let [want, got] = [&grid, &back.grid].map(|g| g.ras_mm(corner));
        (0..3).for_each(|r| assert!((want[r] - got[r]).abs() < 1e-4, "{want:?} {got:?}"));
    }
}

#[test]
fn info_counts_what_there_is() {
    let desk = Desk::new();
    let mut voxels: Vec<f64> = (0..1000).map(|i| f64::from((i * 377) % 1000)).collect();
    voxels[3] = f64::NAN;
    voxels[4] = f64::INFINITY;
    desk.put("image.nii", &NiftiFile { datatype: 16, voxels, ..NiftiFile::cube(10, |_| 0.0) }.bytes());
    let output = desk.skull(&["info", "image.nii", "--json"]).success().stderr("").get_output().stdout.clone();
    let info: serde_json::Value = serde_json::from_slice(&output).unwrap();
    let found = &info["intensities"];
    assert_eq!(found["voxels"], 1000);
    assert_eq!(found["not_finite"], 2);
    assert_eq!([&found["minimum"], &found["maximum"]], [0.0, 999.0]);
    // Missing: 3 * 377 % 1000 and 4 * 377 % 1000.
    let mean = (499_500.0 - 131.0 - 508.0) / 998.0;
    assert!((found["mean"].as_f64().unwrap() - mean).abs() < 1e-9);
    let percentiles: Vec<f64> = serde_json::from_value(found["percentiles"].clone()).unwrap();
    for (got, want) in percentiles.iter().zip([10.0, 500.0, 990.0]) {
        assert!((got - want).abs() <= 2.0, "{percentiles:?}");
    }
    assert_eq!(info["orientation"], "RAS");
    assert_eq!(info["oblique_deg"], 0.0);
}

#[test]
fn doubts_about_the_geometry_are_told() {
    let desk = Desk::new();
    let told = |file: NiftiFile| {
        desk.put("image.nii", &file.bytes());
        String::from_utf8(desk.skull(&["info", "image.nii"]).success().get_output().stderr.clone()).unwrap()
    };
    let straight = || NiftiFile::cube(4, |[x, ..]| x as f64);
    assert_eq!(told(straight()), "");
    assert!(told(NiftiFile { qform_code: 0, sform_code: 0, ..straight() }).contains("how the patient lies"));
    let pixdim = [1.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0];
    let warning = told(NiftiFile { pixdim, ..straight() });
    assert!(warning.contains("1.000 x 1.000 x 2.000 mm by the header's pixdim"), "{warning}");
    assert_eq!(warning.lines().count(), 1);
    // In microns throughout.
    let mut micron = straight();
    micron.xyzt_units = 3;
    assert_eq!(told(micron), "");
}
