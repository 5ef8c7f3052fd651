//! Where a test's file lies in its repository, whatever machine the report comes from: pure.
//!
//! A path that is relative stays. An absolute one loses its drive and the checkout of a known service. What is left of an
//! unknown workspace is found by what the classname spells, else by the first folder that sources and tests usually begin with (the
//! first, because `src/a/__tests__/index.js` and `src/b/__tests__/index.js` are two files); else the last folders have to do.

/// Folders below which continuous integration services check out, followed by this many folders of the project itself.
const WORKSPACES: [(&str, usize); 15] = [
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
    ("/usr/src/app/", 0),
    ("/workspace/", 0),
    ("/app/", 0),
    ("/a/", 2),
];

/// The folder of testhide's own agents, below its directory: `…/workspaces/<project>/<job>/`.
const OWN_WORKSPACES: &str = "/workspaces/";

/// Folders in which the sources of a repository usually begin.
const SOURCES: [&str; 11] = [
    "src",
    "tests",
    "test",
    "spec",
    "specs",
    "__tests__",
    "e2e",
    "packages",
    "apps",
    "libs",
    "cypress",
];

/// Longest path that is looked at, in bytes; a longer one stays as it is, because a look takes longer than its length.
pub(super) const LONGEST_PATH: usize = 1024;

/// Segments of a classname that may spell a path.
const MOST_SEGMENTS: usize = 64;

/// The path of a file in its repository, as far as that can be told. A relative path and an answer of this are answered unchanged.
pub(super) fn locate(path: &str, classname: &str) -> String {
    if path.len() > LONGEST_PATH {
        return path.to_owned();
    }
    let mut located = shortened(path, classname);
    loop {
        // What is left may look like a path of its own kind; it only ever gets shorter.
        let again = shortened(&located, classname);
        if again == located {
            return located;
        }
        located = again;
    }
}

fn shortened(path: &str, classname: &str) -> String {
    let path = match relative(path) {
        Place::Relative(path) => return path.trim().to_owned(),
        Place::Absolute(path) => path,
    };
    let named = suffix_named_by(classname, &path);
    if let Some(named) = named.filter(|named| named.contains('/')) {
        return named.to_owned();
    }
    suffix_of_sources(&path)
        .or(named)
        .unwrap_or_else(|| last_parts(&path))
        .trim()
        .to_owned()
}

/// A text that is a path of JavaScript sources, with the separators that all machines write.
pub(super) fn same_separators(text: &str) -> String {
    let ending = text.rsplit('.').next().unwrap_or_default();
    let source = matches!(
        ending,
        "js" | "jsx" | "ts" | "tsx" | "mjs" | "cjs" | "mts" | "cts"
    );
    if source && !text.contains(' ') && (text.contains('\\') || text.starts_with('/')) {
        locate(text, "")
    } else {
        text.to_owned()
    }
}

enum Place {
    Relative(String),
    Absolute(String),
}

/// A path with `/`, without `./`, drive and known workspace.
fn relative(path: &str) -> Place {
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
    while path.contains("/./") {
        path = path.replace("/./", "/");
    }
    while let Some(rest) = path.strip_prefix("./") {
        path = rest.to_owned();
    }
    if !path.starts_with('/') {
        return Place::Relative(path);
    }
    let known = WORKSPACES.iter().find_map(|(root, folders)| {
        // `/a/…` is a checkout on Windows machines (`D:\a\repo\repo`) only.
        let possible = *root != "/a/" || drive;
        let rest = path.strip_prefix(root).filter(|_| possible)?;
        below(rest, *folders)
    });
    let own = || {
        let at = path.rfind(OWN_WORKSPACES).filter(|at| *at > 0)?;
        below(&path[at + OWN_WORKSPACES.len()..], 2)
    };
    match known.or_else(own) {
        Some(rest) => Place::Relative(rest.trim_start_matches('/').to_owned()),
        None => Place::Absolute(path),
    }
}

/// What comes after so many folders; `None` when there is nothing.
fn below(path: &str, folders: usize) -> Option<&str> {
    let mut rest = path;
    for _ in 0..folders {
        rest = rest.split_once('/')?.1;
    }
    Some(rest).filter(|rest| !rest.is_empty())
}

fn has_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [letter, b':', b'/' | b'\\', ..] if letter.is_ascii_alphabetic())
}

/// The longest end of an absolute path that the classname's first segments spell: `tests.test_a.T` and
/// `/ci/x/tests/test_a.py` give `tests/test_a.py`.
fn suffix_named_by<'a>(classname: &str, path: &'a str) -> Option<&'a str> {
    let segments: Vec<&str> = classname.split('.').take(MOST_SEGMENTS).collect();
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

/// The end of an absolute path from the first folder that sources usually begin with. One that stands where workspaces do
/// (`/home/test/…`, `/home/me/src/…`, `/test/…`) counts only when there is no other.
fn suffix_of_sources(path: &str) -> Option<&str> {
    let above = match path.split('/').nth(1) {
        Some("home" | "Users") => 3,
        _ => 1,
    };
    let mut last = None;
    let mut start = 0;
    // The first part is the empty one before the root.
    for (number, part) in path.split_inclusive('/').enumerate() {
        let folder = part.strip_suffix('/');
        if folder.is_some_and(|folder| SOURCES.contains(&folder)) {
            last = Some(&path[start..]);
            if number > above {
                return last;
            }
        }
        start += part.len();
    }
    last
}

/// The file and the folder around it, unless that folder is as near to the root as a workspace is. Two folders apart are two places;
/// what lies above says more about the machine than about the test.
fn last_parts(path: &str) -> &str {
    let mut cuts = path.rmatch_indices('/').map(|(at, _)| at + 1);
    let file = cuts.next().unwrap_or(0);
    match (cuts.next(), cuts.next(), cuts.next()) {
        (Some(folder), Some(_), Some(_)) => &path[folder..],
        _ => &path[file..],
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_PATH, locate, same_separators};
    use proptest::prelude::*;

    #[test]
    fn paths() {
        let check = |path: &str, classname: &str, expected: &str| {
            assert_eq!(locate(path, classname), expected, "{path} {classname}");
        };
        check("a/b.py", "", "a/b.py");
        check("./a/./b.py", "", "a/b.py");
        check("a\\b.py", "", "a/b.py");
        check("/home/runner/work/r/r/a/b.ts", "", "a/b.ts");
        check("D:\\a\\r\\r\\a\\b.ts", "", "a/b.ts");
        check("file:///C:/x/y/src/T.cs", "", "src/T.cs");
        check("/opt/agent/workspaces/shop/unit/lib/b.ts", "", "lib/b.ts");
        check("/srv/x/tests/test_a.py", "test_a.T", "tests/test_a.py");
        check(
            "/srv/x/tests/test_a.py",
            "tests.test_a.T",
            "tests/test_a.py",
        );
        check("/srv/x/pkg/test_a.py", "pkg.test_a.T", "pkg/test_a.py");
        check("/srv/repo/pkg-a/index.js", "", "pkg-a/index.js");
        check("/srv/one/index.js", "", "index.js");
        check("/srv/two/index.js", "", "index.js");
        check("/index.js", "", "index.js");
        check("/srv/r/src/a/__tests__/i.js", "", "src/a/__tests__/i.js");
        check("/home/me/r/packages/a/src/i.ts", "", "packages/a/src/i.ts");
        check("/home/me/src/r/tests/e2e/i.ts", "", "tests/e2e/i.ts");
        check("C:\\Users\\test\\r\\src\\i.ts", "", "src/i.ts");
        check("/test/r/src/i.ts", "", "src/i.ts");
        check("/home/test/i.ts", "", "test/i.ts");
        let long = format!("/srv/r/src/{}.js", "x".repeat(LONGEST_PATH));
        check(&long, "", &long);
    }

    #[test]
    fn only_paths_of_sources_are_turned() {
        let check = |text: &str, expected: &str| assert_eq!(same_separators(text), expected);
        check("src\\calc.test.ts", "src/calc.test.ts");
        check("App\\Tests\\FooTest", "App\\Tests\\FooTest");
        check("says a\\b.js is read", "says a\\b.js is read");
        check("org.example.CalcTest", "org.example.CalcTest");
    }

    proptest! {
        #[test]
        fn what_is_located_stays(path in "[/\\\\:.a-z ]{0,40}", classname in "[.a-z]{0,12}") {
            let once = locate(&path, &classname);
            prop_assert_eq!(locate(&once, &classname), once);
        }

        #[test]
        fn two_files_of_one_machine_are_two(one in "src/[a-c]/(__tests__|test|src)/[ab][.]js", two in "src/[a-c]/(__tests__|test|src)/[ab][.]js", root in "(/home/me|/srv|C:/w)/r/(packages/[pq]/)?") {
            let there = |path: &str| locate(&format!("{root}{path}"), "");
            prop_assert_eq!(there(&one) == there(&two), one == two);
        }

        #[test]
        fn machines_do_not_show(path in "(src|tests)/[a-z]{1,6}/[a-z]{1,6}[.]ts", one in "/[b-z]{9,12}/[b-z]{9,12}", two in "/[b-z]{9,12}") {
            let there = locate(&format!("{one}/{path}"), "");
            prop_assert_eq!(&there, &locate(&format!("{two}/{path}"), ""));
            prop_assert_eq!(&there, &locate(&format!("C:{}", format!("{two}/{path}").replace('/', "\\")), ""));
            prop_assert_eq!(there, path);
        }
    }
}
