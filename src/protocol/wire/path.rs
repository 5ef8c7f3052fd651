//! The rule for paths of kept files, one for both sides of the wire.

/// Longest path, in bytes.
const MAX_PATH: usize = 1024;

/// `path` as it is kept: relative, with `/`, without `.`, `..`, empty parts or control characters. `None` when it cannot be one.
#[must_use]
pub fn clean_file_path(path: &str) -> Option<String> {
    let plain = path.replace('\\', "/");
    if plain.is_empty()
        || plain.len() > MAX_PATH
        || plain.starts_with('/')
        || plain.chars().any(char::is_control)
    {
        return None;
    }
    let parts: Vec<&str> = plain
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    let drive = parts
        .first()
        .is_some_and(|first| first.len() == 2 && first.ends_with(':'));
    if parts.is_empty() || drive || parts.contains(&"..") {
        return None;
    }
    Some(parts.join("/"))
}
