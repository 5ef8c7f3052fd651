//! The formats that are understood, and their names.

/// A format of test reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// JUnit XML as Testhide's own reporters write it.
    Testhide,
    /// JUnit XML of anybody else.
    Junit,
    /// NUnit's XML up to version 2.
    Nunit2,
    /// NUnit's XML since version 3.
    Nunit3,
    /// XML of xUnit.net v1, v2 and v3.
    Xunit,
    /// Visual Studio's test results, `.trx`.
    Trx,
    /// TestNG's own XML.
    Testng,
    /// Robot Framework's `output.xml`.
    Robot,
    /// Common Test Report Format, JSON.
    Ctrf,
    /// JSON of Jest and Vitest.
    Jest,
    /// JSON of Playwright Test.
    Playwright,
    /// JSON of Mocha and Mochawesome.
    Mocha,
    /// JSON of the Cucumber family.
    Cucumber,
    /// Allure results: one file, or an archive of a folder of them.
    Allure,
    /// Lines of `go test -json`.
    GoTest,
    /// Lines of libtest's JSON: `cargo test` and nextest.
    Libtest,
    /// Test Anything Protocol.
    Tap,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 17] = [
        Self::Testhide,
        Self::Junit,
        Self::Nunit2,
        Self::Nunit3,
        Self::Xunit,
        Self::Trx,
        Self::Testng,
        Self::Robot,
        Self::Ctrf,
        Self::Jest,
        Self::Playwright,
        Self::Mocha,
        Self::Cucumber,
        Self::Allure,
        Self::GoTest,
        Self::Libtest,
        Self::Tap,
    ];

    /// The name used in the API and in stored records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Testhide => "testhide",
            Self::Junit => "junit",
            Self::Nunit2 => "nunit2",
            Self::Nunit3 => "nunit3",
            Self::Xunit => "xunit",
            Self::Trx => "trx",
            Self::Testng => "testng",
            Self::Robot => "robot",
            Self::Ctrf => "ctrf",
            Self::Jest => "jest",
            Self::Playwright => "playwright",
            Self::Mocha => "mocha",
            Self::Cucumber => "cucumber",
            Self::Allure => "allure",
            Self::GoTest => "go_test",
            Self::Libtest => "libtest",
            Self::Tap => "tap",
        }
    }
}
