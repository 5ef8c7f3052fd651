//! Who is the same test, and who is not.

use super::identity::{Identity, identify, place_and_name};
use proptest::prelude::*;
use std::collections::BTreeMap;

type Row<'a> = (Option<&'a str>, Option<&'a str>, &'a str, &'a str);

fn of((nodeid, file, classname, name): Row<'_>) -> Identity {
    identify(nodeid, file, classname, name)
}

#[test]
fn the_same_test() {
    let same = |one: Row<'_>, two: Row<'_>| {
        assert_eq!(
            of(one).key,
            of(two).key,
            "{one:?} {two:?}\n{:?}\n{:?}",
            of(one),
            of(two)
        );
    };
    // Separators, and what stands beside a node id.
    same(
        (Some("a/t.py::x"), Some("a/t.py"), "t", "x"),
        (Some("a\\t.py::x"), None, "other", "y"),
    );
    same(
        (Some("t.py::K::()::x[1]"), None, "", ""),
        (Some("t.py::K::x[1]"), None, "", ""),
    );
    // Plugins up to 0.2.0 and 0.2.11, and later ones.
    same(
        (
            None,
            Some("test_old.py"),
            "test_old.py.TestK",
            "TestK.test_ok",
        ),
        (None, Some("test_old.py"), "test_old.TestK", "test_ok"),
    );
    // A plugin without node ids, then one with them.
    let nodeid =
        |nodeid: &'static str, file: &'static str, classname: &'static str, name: &'static str| {
            same(
                (Some(nodeid), None, "", ""),
                (None, Some(file), classname, name),
            );
        };
    nodeid(
        "tests/test_a.py::TestK::test_x[1]",
        "tests/test_a.py",
        "tests.test_a.TestK",
        "test_x[1]",
    );
    nodeid(
        "tests/test_a.py::test_x",
        "tests/test_a.py",
        "test_a",
        "test_x",
    );
    nodeid(
        "test_a.py::A::B::test_x",
        "test_a.py",
        "test_a.A.B",
        "test_x",
    );
    nodeid(
        "test_old.py::TestK::test_ok",
        "test_old.py",
        "test_old.py.TestK",
        "TestK.test_ok",
    );
    nodeid(
        "tests/go/test_e.py::TestS::t",
        "tests/go/test_e.py",
        "tests.test_e.TestS",
        "t",
    );
    nodeid(
        "tests\\test_a.py::TestK::t",
        "tests\\test_a.py",
        "tests.test_a.TestK",
        "t",
    );
    nodeid("f.py::test_x[a::b]", "f.py", "f.test_x[a", "test_x[a::b]");
    nodeid(
        "pkg/mod.py::pkg.mod.func",
        "pkg/mod.py",
        "mod",
        "pkg.mod.func",
    );
    nodeid("mod.py::mod.func", "mod.py", "mod", "mod.func");
    // unittest's absolute files, addressed as `discover -s tests` and as `tests.test_basics`.
    nodeid(
        "tests/test_basics.py::Outcomes::test_b",
        "/srv/ci/7/tests/test_basics.py",
        "test_basics.Outcomes",
        "test_b",
    );
    nodeid(
        "tests/test_basics.py::Outcomes::test_b",
        "D:\\ci\\tests\\test_basics.py",
        "tests.test_basics.Outcomes",
        "test_b",
    );
    // Machines.
    same(
        (None, Some("C:\\src\\UnitTest1.cs"), "N.UnitTest1", "M"),
        (
            None,
            Some("/build/agent7/src/UnitTest1.cs"),
            "N.UnitTest1",
            "M",
        ),
    );
    same(
        (None, Some("/home/runner/work/r/r/a/b.ts"), "c", "x"),
        (None, Some("a/b.ts"), "c", "x"),
    );
    same(
        (None, Some("D:\\a\\r\\r\\a\\b.ts"), "c", "x"),
        (None, Some("./a/b.ts"), "c", "x"),
    );
    same(
        (None, None, "__tests__\\calc.test.ts", "adds"),
        (None, None, "__tests__/calc.test.ts", "adds"),
    );
    same((None, Some(""), "c", "x"), (None, None, "c", "x"));
}

#[test]
fn different_tests() {
    let differ =
        |one: Row<'_>, two: Row<'_>| assert_ne!(of(one).key, of(two).key, "{one:?} {two:?}");
    differ(
        (None, Some("tests/a/test_x.py"), "test_x", "t"),
        (None, Some("tests/b/test_x.py"), "test_x", "t"),
    );
    differ(
        (Some("t.py::x[1]"), None, "", ""),
        (Some("t.py::x[2]"), None, "", ""),
    );
    differ((None, None, "a.b", "c"), (None, None, "a", "b.c"));
    differ((None, Some("a"), "", "c"), (None, None, "a", "c"));
    // The class and the function of one file, and of two.
    differ(
        (None, Some("t.py"), "t.K", "x"),
        (None, Some("t.py"), "t", "x"),
    );
    differ(
        (Some("a/t.py::x"), None, "", ""),
        (None, Some("t.py"), "t", "x"),
    );
    // Either module `a.a` or class `a` of module `a`: not told, so neither of the two.
    differ(
        (None, Some("a/a.py"), "a.a", "x"),
        (Some("a/a.py::x"), None, "", ""),
    );
    differ(
        (None, Some("a/a.py"), "a.a", "x"),
        (Some("a/a.py::a::x"), None, "", ""),
    );
    // What looks like an old plugin's name is a name in other languages.
    differ(
        (None, None, "N.Foo", "Foo.Bar"),
        (None, None, "N.Foo", "Bar"),
    );
    // Packages of one repository on a machine that nobody knows.
    differ(
        (None, Some("/srv/repo/pkg-a/index.test.js"), "Calc", "adds"),
        (None, Some("/srv/repo/pkg-b/index.test.js"), "Calc", "adds"),
    );
    // Playwright's projects stand in the classname.
    differ(
        (
            None,
            Some("login.spec.js"),
            "chromium.login.spec.js.Login",
            "in",
        ),
        (
            None,
            Some("login.spec.js"),
            "firefox.login.spec.js.Login",
            "in",
        ),
    );
    // Go packages, Java classes.
    differ(
        (None, None, "example.org/a/pkg", "TestX"),
        (None, None, "example.org/b/pkg", "TestX"),
    );
}

#[test]
fn families_and_words() {
    let check = |row: Row<'_>, family: &str, display: &str, file: Option<&str>| {
        let found = of(row);
        assert_eq!(
            (
                found.family.as_str(),
                found.display.as_str(),
                found.file.as_deref()
            ),
            (family, display, file)
        );
    };
    check(
        (Some("a/t.py::T::x[a::b]"), None, "", ""),
        "a/t.py::T::x",
        "a/t.py::T::x[a::b]",
        Some("a/t.py"),
    );
    check(
        (Some("t.py::x[]"), None, "", ""),
        "t.py::x[]",
        "t.py::x[]",
        Some("t.py"),
    );
    check(
        (
            None,
            Some("c.js"),
            "Calc",
            "throws (with parentheses) in title (1, 2)",
        ),
        "c.js::Calc::throws (with parentheses) in title (1, 2)",
        "Calc > throws (with parentheses) in title (1, 2)",
        Some("c.js"),
    );
    check(
        (None, None, "N.C", "Div(1, 2)"),
        "N.C::Div",
        "N.C > Div(1, 2)",
        None,
    );
    check(
        (None, None, "C", "m(int)[1]"),
        "C::m",
        "C > m(int)[1]",
        None,
    );
    check(
        (None, None, "pkg", "TestX/case_1"),
        "pkg::TestX",
        "pkg > TestX/case_1",
        None,
    );
    check((None, None, "", "alone"), "alone", "alone", None);
    check(
        (None, Some("/srv/x/tests/test_a.py"), "test_a.T", "x"),
        "tests/test_a.py::T::x",
        "tests/test_a.py::T::x",
        Some("tests/test_a.py"),
    );
}

#[test]
fn places_and_names() {
    let check = |row: Row<'_>, expected: (&str, &str)| {
        let found = of(row);
        assert_eq!(
            place_and_name(&found.display, found.file.as_deref()),
            expected
        );
    };
    check(
        (Some("a/t.py::T::x[a::b]"), None, "", ""),
        ("a/t.py::T", "x[a::b]"),
    );
    check((None, None, "N.C", "Div(1, 2)"), ("N.C", "Div(1, 2)"));
    check((None, None, "", "alone"), ("", "alone"));
}

/// Folders, classes and a name, as pytest has them.
fn of_python() -> impl Strategy<Value = (Vec<String>, Vec<String>, String)> {
    (
        proptest::collection::vec("[a-f]{1,3}", 1..4),
        proptest::collection::vec("Test[A-C]{1,2}", 0..3),
        "test_[a-c]{1,2}(\\[[a-c0-9:]{1,4}\\])?",
    )
}

/// The classname that the pytest plugin writes: the stem for a function, else the node id without its last part, dotted.
fn classname_of(folders: &[String], classes: &[String]) -> String {
    match classes {
        [] => folders[folders.len() - 1].clone(),
        _ => [folders, classes].concat().join("."),
    }
}

proptest! {
    #[test]
    fn separators_and_machines_do_not_matter(folders in proptest::collection::vec("[a-z]{1,6}", 1..4), root in "[b-z]{9,10}/[b-z]{9,10}", name in "[a-zA-Z_ \\[\\]()0-9é]{1,20}") {
        let path = format!("{}/test_it.py", folders.join("/"));
        let module = path.trim_end_matches(".py").replace('/', ".");
        let key = |file: &str| identify(None, Some(file), &module, &name).key;
        prop_assert_eq!(key(&path), key(&path.replace('/', "\\")));
        prop_assert_eq!(key(&path), key(&format!("/builds/{root}/{path}")));
        prop_assert_eq!(key(&path), key(&format!("/data/{root}/{path}")));
        prop_assert_eq!(key(&path), key(&format!("/var/agent/workspaces/{root}/{path}")));
        prop_assert_eq!(key(&path), key(&format!("C:\\{}\\{}", root.replace('/', "\\"), path.replace('/', "\\"))));
    }

    #[test]
    fn any_text_has_an_identity(nodeid in proptest::option::of(".{0,30}"), file in proptest::option::of("[/\\\\:.a-z ]{0,30}"), classname in "[.a-z/ ]{0,20}", name in "[\\[\\]()./a-zT é]{0,20}") {
        let first = identify(nodeid.as_deref(), file.as_deref(), &classname, &name);
        prop_assert_eq!(&first, &identify(nodeid.as_deref(), file.as_deref(), &classname, &name));
        // What was found is found again, with the file that it came to.
        if let Some(file) = first.file.as_deref().filter(|_| nodeid.is_none()) {
            prop_assert_eq!(first.key, identify(None, Some(file), &classname, &name).key);
        }
    }

    #[test]
    fn variants_share_a_family(name in "[a-z_]{1,12}", one in "[a-z0-9-]{1,8}", two in "[a-z0-9-]{1,8}") {
        let of = |parameter: &str| identify(None, Some("t.py"), "t", &format!("{name}[{parameter}]"));
        prop_assert_eq!(of(&one).family, of(&two).family);
        prop_assert_eq!(of(&one).key == of(&two).key, one == two);
    }

    /// Whatever a plugin writes, tests with different node ids stay apart, and one without a node id is never another's.
    #[test]
    fn distinct_tests_stay_distinct(tests in proptest::collection::vec(of_python(), 2..40)) {
        let mut seen: BTreeMap<[u8; 16], String> = BTreeMap::new();
        for (folders, classes, name) in tests {
            let file = format!("{}.py", folders.join("/"));
            let mut parts = vec![file.clone()];
            parts.extend(classes.clone());
            parts.push(name.clone());
            let nodeid = parts.join("::");
            let classname = classname_of(&folders, &classes);
            for row in [
                identify(Some(&nodeid), Some(&file), &classname, &name),
                identify(None, Some(&file), &classname, &name),
                identify(None, Some(&file.replace('/', "\\")), &classname, &name),
            ] {
                let who = seen.entry(row.key).or_insert_with(|| nodeid.clone());
                prop_assert_eq!(&*who, &nodeid);
            }
        }
    }

    #[test]
    fn distinct_places_stay_distinct(rows in proptest::collection::btree_set((proptest::option::of("[a-c]{1,2}/[a-c]{1,2}[.](java|cs|ts)"), "[a-c.]{0,3}", "[a-c.\\[\\]()]{1,4}"), 2..40)) {
        let mut seen = BTreeMap::new();
        for row in &rows {
            let key = identify(None, row.0.as_deref(), &row.1, &row.2).key;
            prop_assert_eq!(*seen.entry(key).or_insert(row), row);
        }
    }
}

proptest! {
    #[test]
    fn shortened_names_stay_apart(one in "[aé]{30,70}", two in "[aé]{30,70}", most in 24usize..60) {
        let named = |name: &str| of((None, Some("t.js"), "", name));
        let (first, second) = (named(&one).shortened(most), named(&two).shortened(most));
        prop_assert!(first.display.len() <= most && first.family.len() <= most);
        prop_assert_eq!(first.key, named(&one).key);
        prop_assert_eq!(first.display == second.display, one == two);
        prop_assert_eq!(first.clone().shortened(most), first);
    }
}
