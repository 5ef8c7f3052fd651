//! When two results are of the same test: a stable key from what reports say about a test.
//!
//! The reporter's node id counts first; else file, classname and name together, because classname and name alone meet
//! across directories. Machines must not show in a key: absolute workspace prefixes, drive letters and separators are taken
//! away, and so are the quirks of old plugins. Lines and times play no part. Parameters do: each set of parameters is a test
//! of its own, and all of them are one family.

/// Who a test is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// A hash of the normalised identity; the same in every release.
    pub key: [u8; 16],
    /// The identity without parameters, for putting variants together.
    pub family: String,
    /// What people read.
    pub display: String,
    /// The file, relative to the repository as far as that can be told.
    pub file: Option<String>,
}

/// Identifies a test. Empty texts count as absent.
pub fn identify(nodeid: Option<&str>, file: Option<&str>, classname: &str, name: &str) -> Identity {
    let given = |text: Option<&str>| {
        text.map(str::trim)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    if let Some(nodeid) = given(nodeid) {
        let (path, rest) = match nodeid.find("::") {
            Some(at) => nodeid.split_at(at),
            None => (nodeid.as_str(), ""),
        };
        let path = relative(path).0;
        let display = format!("{path}{rest}");
        let family = format!("{path}{}", without_brackets(rest));
        return Identity {
            key: hash(&["nodeid", &display]),
            family,
            file: given(file).map(|file| relative(&file).0).or(Some(path)),
            display,
        };
    }

    let (file, anchored) = match given(file) {
        Some(file) => {
            let (file, anchored) = relative(&file);
            (Some(file), anchored)
        }
        None => (None, true),
    };
    let classname = tidy_classname(classname.trim(), file.as_deref());
    let name = tidy_name(name.trim(), &classname);
    let file = match file {
        // The module in the classname shows where the absolute path of an unknown workspace ends.
        Some(file) if !anchored => Some(
            suffix_named_by(&classname, &file)
                .unwrap_or(&file)
                .to_owned(),
        ),
        other => other,
    };
    let anchored = anchored || file.as_deref().is_some_and(|file| !file.starts_with('/'));
    // A path that could not be made relative must not tie a test to one machine: its last part has to do.
    let place = match file.as_deref() {
        Some(file) if !anchored => file.rsplit('/').next().unwrap_or(file),
        Some(file) => file,
        None => "",
    };
    let base = without_parameters(name);
    let join = |last: &str| {
        [place, &classname, last]
            .iter()
            .filter(|part| !part.is_empty())
            .copied()
            .collect::<Vec<_>>()
            .join("::")
    };
    let display = if classname.is_empty() {
        name.to_owned()
    } else {
        format!("{classname} > {name}")
    };
    Identity {
        key: hash(&["place", place, &classname, name]),
        family: join(base),
        display,
        file,
    }
}

/// Folders below which continuous integration services check out, followed by this many folders of the project itself.
const WORKSPACES: [(&str, usize); 12] = [
    ("/home/runner/work/", 2),
    ("/Users/runner/work/", 2),
    ("/github/workspace/", 0),
    ("/__w/", 2),
    ("/builds/", 2),
    ("/home/travis/build/", 2),
    ("/home/circleci/project/", 0),
    ("/opt/atlassian/pipelines/agent/build/", 0),
    ("/home/vsts/work/", 2),
    ("/var/lib/jenkins/workspace/", 1),
    ("/var/jenkins_home/workspace/", 1),
    ("/a/", 2),
];

/// A path with `/`, without `./`, drive and known workspace; and whether it is relative now.
fn relative(path: &str) -> (String, bool) {
    let path = path.trim();
    let path = path.strip_prefix("file://").unwrap_or(path);
    let windows = path.contains('\\') && !path.contains('/');
    let mut path = if windows || has_drive(path) {
        path.replace('\\', "/")
    } else {
        path.to_owned()
    };
    let drive = has_drive(path.trim_start_matches('/'));
    if drive {
        path = path.trim_start_matches('/')[2..].to_owned();
    }
    while let Some(rest) = path.strip_prefix("./") {
        path = rest.to_owned();
    }
    if !path.starts_with('/') {
        return (path, true);
    }
    for (root, folders) in WORKSPACES {
        // `/a/…` is a checkout on Windows machines (`D:\a\repo\repo`) only.
        if root == "/a/" && !drive {
            continue;
        }
        let Some(rest) = path.strip_prefix(root) else {
            continue;
        };
        let mut rest = rest;
        let mut left = folders;
        while left > 0 {
            let Some((_, inner)) = rest.split_once('/') else {
                break;
            };
            rest = inner;
            left -= 1;
        }
        if left == 0 && !rest.is_empty() {
            return (rest.to_owned(), true);
        }
    }
    (path, false)
}

fn has_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [letter, b':', b'/' | b'\\', ..] if letter.is_ascii_alphabetic())
}

/// Plugins up to 0.2.11 left the extension of the file as a segment: `test_old.py.TestK`.
fn tidy_classname(classname: &str, file: Option<&str>) -> String {
    let python = file.is_some_and(|file| file.ends_with(".py"));
    if !python {
        return classname.to_owned();
    }
    match classname.find(".py.") {
        Some(at) => format!("{}{}", &classname[..at], &classname[at + 3..]),
        None => classname
            .strip_suffix(".py")
            .unwrap_or(classname)
            .to_owned(),
    }
}

/// Plugins up to 0.2.0 repeated the class in the name: `TestK.test_ok`.
fn tidy_name<'a>(name: &'a str, classname: &str) -> &'a str {
    let class = classname.rsplit('.').next().unwrap_or("");
    match name
        .strip_prefix(class)
        .and_then(|rest| rest.strip_prefix('.'))
    {
        Some(rest) if !class.is_empty() && !rest.is_empty() => rest,
        _ => name,
    }
}

/// The longest end of an absolute path that the classname's first segments spell: `tests.test_a.T` and
/// `/ci/x/tests/test_a.py` give `tests/test_a.py`.
fn suffix_named_by<'a>(classname: &str, path: &'a str) -> Option<&'a str> {
    let segments: Vec<&str> = classname.split('.').collect();
    for count in (1..=segments.len()).rev() {
        let module = segments[..count].join("/");
        if module.is_empty() {
            continue;
        }
        for (at, _) in path.rmatch_indices(&module) {
            let after = &path[at + module.len()..];
            if path[..at].ends_with('/') && after.starts_with('.') && !after.contains('/') {
                return Some(&path[at..]);
            }
        }
    }
    None
}

/// A pytest name without its parameters: from the first `[` to a final `]`, if something stands between.
fn without_brackets(name: &str) -> &str {
    match (name.find('['), name.ends_with(']')) {
        (Some(open), true) if open + 2 < name.len() && open > 0 => &name[..open],
        _ => name,
    }
}

/// A name without parameters: `x[1]`, `Div(1, 2)`, `m(int)[1]`, `TestX/case`. Titles in prose keep their brackets.
fn without_parameters(name: &str) -> &str {
    let name = without_brackets(name);
    if name.contains(' ')
        && !name
            .split('(')
            .next()
            .is_some_and(|start| !start.is_empty() && !start.contains(' '))
    {
        return name;
    }
    let name = match name.find('(') {
        Some(open) if open > 0 && name.ends_with(')') && !name[..open].ends_with(' ') => {
            &name[..open]
        }
        _ => name,
    };
    match name.split_once('/') {
        Some((test, _)) if test.starts_with("Test") && !name.contains(' ') => test,
        _ => name,
    }
}

fn hash(parts: &[&str]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher
            .update(&(part.len() as u64).to_le_bytes())
            .update(part.as_bytes());
    }
    hasher.finalize().as_bytes()[..16]
        .try_into()
        .expect("sixteen of thirty-two bytes")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Row<'a> = (Option<&'a str>, Option<&'a str>, &'a str, &'a str);

    fn of((nodeid, file, classname, name): Row<'_>) -> Identity {
        identify(nodeid, file, classname, name)
    }

    #[test]
    fn the_same_test() {
        let same =
            |one: Row<'_>, two: Row<'_>| assert_eq!(of(one).key, of(two).key, "{one:?} {two:?}");
        same(
            (Some("a/t.py::x"), Some("a/t.py"), "t", "x"),
            (Some("a\\t.py::x"), None, "other", "y"),
        );
        same(
            (
                None,
                Some("test_old.py"),
                "test_old.py.TestK",
                "TestK.test_ok",
            ),
            (None, Some("test_old.py"), "test_old.TestK", "test_ok"),
        );
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
            (
                None,
                Some("/srv/one/tests/test_a.py"),
                "tests.test_a.T",
                "x",
            ),
            (None, Some("/ci/2/tests/test_a.py"), "tests.test_a.T", "x"),
        );
        same(
            (None, Some("/home/runner/work/r/r/a/b.ts"), "c", "x"),
            (None, Some("a/b.ts"), "c", "x"),
        );
        same(
            (None, Some("D:\\a\\r\\r\\a\\b.ts"), "c", "x"),
            (None, Some("./a/b.ts"), "c", "x"),
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
            "test_a.py::test_a.T::x",
            "test_a.T > x",
            Some("test_a.py"),
        );
    }

    proptest! {
        #[test]
        fn separators_and_machines_do_not_matter(folders in proptest::collection::vec("[a-z]{1,6}", 1..4), root in "[b-z]{2,8}/[b-z]{2,8}", name in "[a-zA-Z_ \\[\\]()0-9é]{1,20}") {
            let path = format!("{}/test_it.py", folders.join("/"));
            let module = path.trim_end_matches(".py").replace('/', ".");
            let key = |file: &str| identify(None, Some(file), &module, &name).key;
            prop_assert_eq!(key(&path), key(&path.replace('/', "\\")));
            prop_assert_eq!(key(&path), key(&format!("/builds/{root}/{path}")));
            prop_assert_eq!(key(&path), key(&format!("/data/{root}/{path}")));
            prop_assert_eq!(key(&path), key(&format!("C:\\{}\\{}", root.replace('/', "\\"), path.replace('/', "\\"))));
        }

        #[test]
        fn any_text_has_an_identity(nodeid in proptest::option::of(".{0,30}"), file in proptest::option::of("[/\\\\:.a-z ]{0,30}"), classname in "[.a-z/ ]{0,20}", name in "[\\[\\]()./a-zT é]{0,20}") {
            let first = identify(nodeid.as_deref(), file.as_deref(), &classname, &name);
            prop_assert_eq!(&first, &identify(nodeid.as_deref(), file.as_deref(), &classname, &name));
        }

        #[test]
        fn variants_share_a_family(name in "[a-z_]{1,12}", one in "[a-z0-9-]{1,8}", two in "[a-z0-9-]{1,8}") {
            let of = |parameter: &str| identify(None, Some("t.py"), "t", &format!("{name}[{parameter}]"));
            prop_assert_eq!(of(&one).family, of(&two).family);
            prop_assert_eq!(of(&one).key == of(&two).key, one == two);
        }
    }
}
