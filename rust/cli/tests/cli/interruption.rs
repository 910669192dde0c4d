//! Ctrl-C ends a command in every state, and nothing is left behind.
#![cfg(unix)]

use crate::Desk;
use crate::nifti_file::NiftiFile;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

struct Running<'a> {
    desk: &'a Desk,
    child: Child,
}

impl<'a> Running<'a> {
    fn start(desk: &'a Desk, arguments: &[&str]) -> Self {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("skull"));
        let command = command.current_dir(desk.folder.path()).args(arguments);
        Self { desk, child: command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap() }
    }

    fn wait_for_output_file(&self) {
        wait_until(|| self.desk.files().iter().any(|name| name.contains(".skull-")));
    }

    /// Sends a signal and returns the exit code and what was said.
    fn interrupt(mut self, signal: Signal) -> (i32, String) {
        let id = Pid::from_child(&self.child);
        kill_process(id, signal).unwrap();
        let mut status = None;
        wait_until(|| {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (status.unwrap().code().unwrap(), said)
    }
}

fn wait_until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "nothing happened");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn with_pipe() -> Desk {
    let desk = Desk::new();
    mknodat(CWD, desk.path("scan.nii"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    desk
}

#[test]
fn while_it_waits_for_input() {
    for signal in [Signal::INT, Signal::TERM] {
        let desk = with_pipe();
        let running = Running::start(&desk, &["skin", "scan.nii", "-o", "out.nii.gz"]);
        running.wait_for_output_file();
        let (code, said) = running.interrupt(signal);
        assert_eq!((code, said.as_str()), (130, "skull: stopped: nothing was written\n"));
        assert_eq!(desk.files(), ["scan.nii"]);
    }
}

#[test]
fn folders_go_with_their_files() {
    let desk = with_pipe();
    let running = Running::start(&desk, &["run", "scan.nii", "-o", "new/folder"]);
    running.wait_for_output_file();
    assert_eq!(running.interrupt(Signal::INT).0, 130);
    assert!(!desk.path("new").exists());
}

#[test]
fn while_it_works() {
    let desk = with_pipe();
    let running = Running::start(&desk, &["skin", "scan.nii", "-o", "out.nii.gz"]);
    let ball = NiftiFile::cube(96, |p| if p.iter().map(|c| (c - 48).pow(2)).sum::<i64>() < 1600 { 500.0 } else { 3.0 });
    File::options().write(true).open(desk.path("scan.nii")).unwrap().write_all(&ball.bytes()).unwrap();
    let (code, said) = running.interrupt(Signal::INT);
    assert_eq!((code, said.as_str()), (130, "skull: stopped: nothing was written\n"));
    assert_eq!(desk.files(), ["scan.nii"]);
}
