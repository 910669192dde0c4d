//! Counting tests, whoever ran them.

use anyhow::{Context, Result};

/// How many tests passed and failed, and why some did not run.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    /// One reason for each test, or whole suite, that did not run.
    pub(crate) skipped: Vec<String>,
}

impl Tally {
    /// Counts another suite's tests too.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped.extend(other.skipped);
    }

    /// A suite whose program failed counts as failed even where it named no test (it did not build, it crashed).
    pub(crate) fn with_status(mut self, success: bool) -> Self {
        if !success {
            self.failed = self.failed.max(1);
        }
        self
    }

    /// Counts what one line of a Rust test binary's output says.
    pub(crate) fn read_libtest_line(&mut self, line: &str) {
        if let Some(result) = line.strip_prefix("test result: ") {
            self.passed += number_before(result, " passed");
            self.failed += number_before(result, " failed");
        } else if let Some((name, reason)) = line.strip_prefix("test ").and_then(|test| test.split_once(" ... ignored"))
        {
            let reason = reason.strip_prefix(", ").unwrap_or("marked as ignored");
            self.skipped.push(format!("{name}: {reason}"));
        }
    }

    /// Counts the tests in a JUnit report.
    pub(crate) fn from_junit(xml: &str) -> Result<Self> {
        let report = roxmltree::Document::parse(xml).context("the test report is not XML")?;
        let mut tally = Self::default();
        for case in report.descendants().filter(|node| node.has_tag_name("testcase")) {
            let outcome = |name| case.children().find(|node| node.has_tag_name(name));
            if outcome("failure").or_else(|| outcome("error")).is_some() {
                tally.failed += 1;
            } else if let Some(skip) = outcome("skipped") {
                let name = case.attribute("name").unwrap_or("a test");
                tally.skipped.push(format!("{name}: {}", skip.attribute("message").unwrap_or("no reason given")));
            } else {
                tally.passed += 1;
            }
        }
        Ok(tally)
    }

    /// Counts the referee's cases: one missed bar fails a case.
    pub(crate) fn from_referee(json: &str) -> Result<Self> {
        let cases: Vec<serde_json::Value> = serde_json::from_str(json).context("the referee's report is not a list")?;
        let passed = cases.iter().filter(|case| case["missed"].as_array().is_some_and(Vec::is_empty)).count();
        Ok(Self { passed, failed: cases.len() - passed, skipped: Vec::new() })
    }
}

/// A reason per skip, then the counts alone on the last line.
impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for reason in &self.skipped {
            writeln!(f, "skipped: {}", reason.split_whitespace().collect::<Vec<_>>().join(" "))?;
        }
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped.len())
    }
}

/// The whole number that stands right before `label`, or 0.
fn number_before(text: &str, label: &str) -> usize {
    let Some((before, _)) = text.split_once(label) else { return 0 };
    before.rsplit(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libtest_results_add_up_over_binaries() {
        let output = "\
running 3 tests
test grid::tests::index_undoes_ras ... ok
test slow ... ignored, takes an hour
test src/lib.rs - drawn (line 7) ... ignored
test says_12_passed_things ... FAILED
test result: FAILED. 12 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.31s
test result: ok. 108 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 2.00s
";
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.read_libtest_line(line));
        let skipped = vec!["slow: takes an hour".into(), "src/lib.rs - drawn (line 7): marked as ignored".into()];
        assert_eq!(tally, Tally { passed: 120, failed: 1, skipped });
    }

    #[test]
    fn junit_cases_count_once_each() {
        let xml = r#"<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="1" failures="1" skipped="1" tests="5">
<testcase classname="a" name="good" time="0.1" />
<testcase classname="a" name="bad"><failure message="no">trace</failure></testcase>
<testcase classname="a" name="broken"><error message="in set-up">trace</error></testcase>
<testcase classname="a" name="later"><skipped type="pytest.skip" message="no &quot;scan&quot;">a.py:3</skipped></testcase>
<testcase classname="a" name="chatty"><system-out>hello</system-out></testcase>
</testsuite></testsuites>"#;
        let tally = Tally::from_junit(xml).unwrap();
        assert_eq!(tally, Tally { passed: 2, failed: 2, skipped: vec!["later: no \"scan\"".into()] });
    }

    #[test]
    fn a_referee_case_fails_by_one_missed_bar() {
        let json = r#"[{"case": "t1", "missed": []}, {"case": "ct", "missed": ["dice 0.9 (bar >= 0.99)"]}]"#;
        assert_eq!(Tally::from_referee(json).unwrap(), Tally { passed: 1, failed: 1, skipped: vec![] });
    }

    #[test]
    fn a_crash_without_a_result_line_is_a_failure() {
        assert_eq!(Tally::default().with_status(false).failed, 1);
        assert_eq!(Tally { failed: 3, ..Tally::default() }.with_status(false).failed, 3, "named failures count once");
        assert_eq!(Tally::default().with_status(true).failed, 0);
    }

    #[test]
    fn the_last_line_stands_alone_after_the_reasons() {
        let tally = Tally { passed: 7, failed: 0, skipped: vec!["Python tests: no\npython3".into()] };
        assert_eq!(tally.to_string(), "skipped: Python tests: no python3\n7 passed, 0 failed, 1 skipped");
    }
}
