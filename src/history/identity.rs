//! When two results are of the same test: a stable key from what reports say about a test.
//!
//! The reporter's node id counts first; else file, classname and name together, because classname and name alone meet
//! across directories. A Python file, a classname that spells it and a name say the same as pytest's node id, so reports of
//! plugins that wrote none, and of unittest, lead to the same test; where they leave two readings, they do not ([`nodeid_of`]).
//!
//! Machines must not show in a key: `super::place` takes workspaces, drive letters and separators away, and so are the quirks of old
//! plugins. Lines and times play no part. Parameters do: each set of parameters is a test of its own, and all of them are one family.
//! Told apart is more than put together: a test with two histories can be joined by an alias, two tests in one history cannot be parted.

use super::place::{LONGEST_PATH, locate, same_separators};

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

impl Identity {
    /// The same with texts of at most `most` bytes: a longer one keeps its head, and a hash tells it from others with that head.
    #[must_use]
    pub fn shortened(self, most: usize) -> Self {
        Self {
            key: self.key,
            family: shortened(self.family, most),
            display: shortened(self.display, most),
            file: self.file.map(|file| shortened(file, most)),
        }
    }

    /// Bytes of its texts.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.family.len() + self.display.len() + self.file.as_ref().map_or(0, String::len)
    }
}

fn shortened(text: String, most: usize) -> String {
    if text.len() <= most {
        return text;
    }
    let end = format!("…{}", &blake3::hash(text.as_bytes()).to_hex()[..16]);
    let head = text.floor_char_boundary(most.saturating_sub(end.len()));
    format!("{}{end}", &text[..head])
}

/// Identifies a test. Empty texts count as absent.
pub fn identify(nodeid: Option<&str>, file: Option<&str>, classname: &str, name: &str) -> Identity {
    let given = |text: Option<&str>| {
        text.map(str::trim)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let file = given(file);
    if let Some(nodeid) = given(nodeid) {
        return of_nodeid(&nodeid, file.as_deref(), classname.trim());
    }
    let classname = tidy_classname(classname.trim(), file.as_deref());
    let file = file.map(|file| locate(&file, &classname));
    let name = tidy_name(name.trim(), &classname, file.as_deref());
    match file
        .as_deref()
        .and_then(|file| nodeid_of(file, &classname, name))
    {
        Some(nodeid) => of_nodeid(&nodeid, file.as_deref(), &classname),
        None => of_place(file, &classname, name),
    }
}

fn of_nodeid(nodeid: &str, file: Option<&str>, classname: &str) -> Identity {
    let (path, rest) = match nodeid.find("::") {
        Some(at) => nodeid.split_at(at),
        None => (nodeid, ""),
    };
    let path = locate(path, classname);
    let (shown, parameters) = rest.split_at(without_brackets(rest).len());
    // pytest before 4 named the instance of a class, `TestK::()::test_x`.
    let shown = shown.replace("::()", "");
    Identity {
        key: hash(&["nodeid", &path, &shown, parameters]),
        family: format!("{path}{shown}"),
        display: format!("{path}{shown}{parameters}"),
        file: file.map(|file| locate(file, classname)).or(Some(path)),
    }
}

fn of_place(file: Option<String>, classname: &str, name: &str) -> Identity {
    let place = file.as_deref().unwrap_or_default();
    let join = |last: &str| {
        [place, classname, last]
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
        key: hash(&["place", place, classname, name]),
        family: join(without_parameters(name)),
        display,
        file,
    }
}

/// Words that plugins take for the extension of a file and leave out of a classname, folders and classes of that name included.
const LEFT_OUT: [&str; 16] = [
    "py", "ts", "js", "jsx", "tsx", "cs", "java", "kt", "rb", "go", "rs", "cpp", "cc", "c",
    "swift", "scala",
];

/// The node id that pytest gives a test, where file, classname and name leave no other reading: the classname begins with the
/// module (all of the path or its end), and what follows are classes.
fn nodeid_of(file: &str, classname: &str, name: &str) -> Option<String> {
    let module = file
        .strip_suffix(".py")
        .filter(|_| !file.starts_with('/') && file.len() <= LONGEST_PATH)?;
    let (name_start, _) = name.split_once('[').unwrap_or((name, ""));
    // The row of a module that could not be loaded has the file as its name.
    if name_start.is_empty() || name_start.contains(['/', ':']) {
        return None;
    }
    let classname = without_cut_parameters(classname, name);
    let folders: Vec<&str> = module.split('/').collect();
    let said: Vec<&str> = classname.split('.').collect();
    let mut readings: Vec<&[&str]> = (1..=folders.len())
        .filter_map(|count| said.strip_prefix(&folders[folders.len() - count..]))
        .collect();
    let left_out = |word: &&str| {
        LEFT_OUT
            .iter()
            .any(|known| known.eq_ignore_ascii_case(word))
    };
    let kept: Vec<&str> = folders
        .iter()
        .copied()
        .filter(|folder| !left_out(folder))
        .collect();
    if kept.len() > 1 && kept.len() < folders.len() && kept.last() == folders.last() {
        readings.extend(said.strip_prefix(kept.as_slice()));
    }
    readings.dedup();
    let [classes] = readings.as_slice() else {
        return None;
    };
    let is_class = |class: &&str| {
        let mut letters = class.chars();
        letters
            .next()
            .is_some_and(|first| first.is_alphabetic() || first == '_')
            && letters.all(|letter| letter.is_alphanumeric() || letter == '_')
    };
    if !classes.iter().all(is_class) {
        return None;
    }
    let mut nodeid = file.to_owned();
    for class in *classes {
        nodeid.push_str("::");
        nodeid.push_str(class);
    }
    nodeid.push_str("::");
    nodeid.push_str(name);
    Some(nodeid)
}

/// A `::` among the parameters is cut as if it came before a name: `x[a::b]` has `m.x[a` for its classname, and that means `m`.
fn without_cut_parameters<'a>(classname: &'a str, name: &str) -> &'a str {
    let cut = name.rfind("::").map(|at| &name[..at]);
    let Some(cut) = cut.filter(|cut| cut.contains('[')) else {
        return classname;
    };
    let cut = cut.replace("::", ".").replace('/', ".");
    classname
        .strip_suffix(&cut)
        .and_then(|rest| rest.strip_suffix('.'))
        .unwrap_or(classname)
}

fn is_python(file: Option<&str>) -> bool {
    file.is_some_and(|file| file.ends_with(".py"))
}

/// Plugins up to 0.2.11 left the extension of the file as a segment: `test_old.py.TestK`. Reporters of JavaScript put paths there,
/// with the separators of the machine.
fn tidy_classname(classname: &str, file: Option<&str>) -> String {
    if !is_python(file) {
        return same_separators(classname);
    }
    match classname.find(".py.") {
        Some(at) => format!("{}{}", &classname[..at], &classname[at + 3..]),
        None => classname
            .strip_suffix(".py")
            .unwrap_or(classname)
            .to_owned(),
    }
}

/// Plugins up to 0.2.0 repeated the class in the name: `TestK.test_ok`. A doctest begins with its module, which stays.
fn tidy_name<'a>(name: &'a str, classname: &str, file: Option<&str>) -> &'a str {
    let class = classname.rsplit('.').next().unwrap_or_default();
    let stem = file
        .and_then(|file| file.rsplit('/').next())
        .and_then(|last| last.strip_suffix(".py"));
    match name
        .strip_prefix(class)
        .and_then(|rest| rest.strip_prefix('.'))
    {
        Some(rest) if stem.is_some_and(|stem| stem != class) => match rest.is_empty() {
            false if !class.is_empty() => rest,
            _ => name,
        },
        _ => name,
    }
}

/// A pytest name without its parameters: from the first `[` to a final `]`, if something stands between.
fn without_brackets(name: &str) -> &str {
    match (name.find('['), name.ends_with(']')) {
        (Some(open), true) if open + 2 < name.len() && open > 0 => &name[..open],
        _ => name,
    }
}

/// A name without parameters: `x[1]`, `Div(1, 2)`, `m(int)[1]`, `TestX/case`. Titles in prose keep their brackets.
pub(super) fn without_parameters(name: &str) -> &str {
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

/// Where a test stands and what it is called there, from what people read: `t.py::TestK` and `test_x[1]`, `Calc` and `adds`.
pub(super) fn place_and_name<'a>(display: &'a str, file: Option<&str>) -> (&'a str, &'a str) {
    let of_nodeid = file.is_some_and(|file| {
        display
            .strip_prefix(file)
            .is_some_and(|rest| rest.starts_with("::"))
    });
    let found = if of_nodeid {
        without_brackets(display).rfind("::").map(|at| (at, 2))
    } else {
        without_parameters(display).rfind(" > ").map(|at| (at, 3))
    };
    match found {
        Some((at, width)) => (&display[..at], &display[at + width..]),
        None => ("", display),
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
