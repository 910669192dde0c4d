//! The help of every command is what it is meant to be, and fits a screen.

use crate::Desk;
use clap::CommandFactory;

#[test]
fn every_help_fits_a_screen_and_shows_an_example() {
    let program = skull_cli::cli::Cli::command();
    let desk = Desk::new();
    for name in program.get_subcommands().map(clap::Command::get_name) {
        let output = desk.skull(&[name, "--help"]).success().get_output().stdout.clone();
        let help = String::from_utf8(output).unwrap();
        assert!(help.lines().count() <= 40, "{name}: {} lines", help.lines().count());
        assert!(help.contains(&format!("  skull {name} ")), "{name} shows no example");
    }
}

#[test]
fn help_and_usage_errors_read_as_recorded() {
    trycmd::TestCases::new().case("tests/help/*.trycmd");
}
