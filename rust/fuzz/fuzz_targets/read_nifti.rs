#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| skull_fuzz::read_nifti(bytes));
