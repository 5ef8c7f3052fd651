//! Whose code a stack frame is: the product's, a test's or a library's.
//!
//! Judged by well-known names only. The directories above a checkout differ between machines, so only the last few
//! parts of a path count.

/// Whose code a frame is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The code under test, as far as its name tells.
    Product,
    /// A test, a fixture or a test's helper.
    Test,
    /// A dependency, the language's own library or the test runner.
    Library,
}

/// Parts of a path, as they appear with `/` between the parts, that only libraries have.
const LIBRARY_PATHS: &[&str] = &[
    "site-packages/",
    "dist-packages/",
    "lib/python3",
    "<frozen ",
    "_pytest/",
    "node_modules/",
    "node:",
    "internal/modules/",
    "internal/process/",
    "/go/pkg/mod/",
    "/go/src/runtime/",
    "/go/src/testing/",
    "/go/src/net/",
    "/go/src/reflect/",
    "/vendor/",
    "rustc/",
    "/rustlib/",
    ".cargo/registry/",
    ".cargo/git/",
];

/// Starts of qualified function names that only libraries have.
const LIBRARY_FUNCTIONS: &[&str] = &[
    "java.",
    "javax.",
    "jdk.",
    "sun.",
    "com.sun.",
    "kotlin.",
    "kotlinx.",
    "scala.",
    "groovy.",
    "org.junit.",
    "junit.",
    "org.testng.",
    "org.gradle.",
    "org.apache.maven.",
    "org.mockito.",
    "io.mockk.",
    "org.assertj.",
    "org.hamcrest.",
    "org.opentest4j.",
    "org.spockframework.",
    "org.springframework.",
    "worker.org.gradle.",
    "System.",
    "Microsoft.",
    "Xunit.",
    "NUnit.",
    "core::",
    "std::",
    "alloc::",
    "test::",
    "rust_begin_unwind",
    "__rust",
    "<core::",
    "<std::",
    "<alloc::",
    "tokio::",
    "runtime.",
    "testing.",
    "reflect.",
    "node:",
];

/// Names of directories that hold tests, in any of the last three places of a path.
const TEST_DIRECTORIES: &[&str] = &[
    "test",
    "tests",
    "__tests__",
    "spec",
    "specs",
    "e2e",
    "cypress",
];

/// Judges a frame by its file (may be empty) and its function (may be empty).
pub(super) fn origin(file: &str, function: &str) -> Origin {
    let path = file.replace('\\', "/");
    if LIBRARY_PATHS.iter().any(|part| path.contains(part))
        || LIBRARY_FUNCTIONS
            .iter()
            .any(|start| function.starts_with(start))
    {
        return Origin::Library;
    }
    let mut parts = path.rsplit('/');
    let name = parts.next().unwrap_or_default();
    let in_test_directory = parts.take(3).any(|part| TEST_DIRECTORIES.contains(&part));
    if in_test_directory || is_test_file(name) || is_test_function(function) {
        return Origin::Test;
    }
    Origin::Product
}

/// `test_x.py`, `conftest.py`, `x_test.go`, `x.spec.ts`, `XTest.java`, `XTests.cs`, `tests.rs`.
fn is_test_file(name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    stem.starts_with("test_")
        || [
            "_test", "_tests", ".test", ".spec", "Test", "Tests", "Spec", "IT",
        ]
        .iter()
        .any(|end| stem.ends_with(end))
        || ["conftest", "tests"].contains(&stem)
}

/// Python's `test_x`, Go's `pkg.TestX`, Rust's `crate::tests::x`.
fn is_test_function(function: &str) -> bool {
    let last = function.rsplit(['.', ':']).next().unwrap_or_default();
    let go_test = last
        .strip_prefix("Test")
        .is_some_and(|rest| rest.starts_with(|first: char| first.is_uppercase()));
    last.starts_with("test_") || go_test || function.contains("::tests::")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        fn check(file: &str, function: &str, expected: Origin) {
            assert_eq!(origin(file, function), expected, "{file} {function}");
        }
        check("/ci/ws/src/orders/place.py", "place", Origin::Product);
        check("src/orders/latest.py", "contest", Origin::Product);
        check("/builds/test/one/two/three/app.py", "run", Origin::Product);
        check("/ci/ws/tests/helpers/util.py", "login", Origin::Test);
        check(r"C:\ws\tests\helpers\util.py", "login", Origin::Test);
        check("test_orders.py", "test_place", Origin::Test);
        check("OrderTest.java", "com.shop.OrderTest.places", Origin::Test);
        check("src/app.spec.ts", "", Origin::Test);
        check("orders_test.go", "shop.TestPlace", Origin::Test);
        check("src/lib.rs", "shop::tests::places", Origin::Test);
        check(
            "/venv/lib/python3.12/site-packages/requests/api.py",
            "get",
            Origin::Library,
        );
        check(r"C:\venv\Lib\site-packages\x.py", "get", Origin::Library);
        check("ArrayList.java", "java.util.ArrayList.get", Origin::Library);
        check(
            "node:internal/process/task_queues",
            "processTicks",
            Origin::Library,
        );
        check(
            "/rustc/abc/library/std/src/panicking.rs",
            "rust_begin_unwind",
            Origin::Library,
        );
        check("", "System.Collections.Generic.List.get", Origin::Library);
    }
}
