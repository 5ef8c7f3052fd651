//! The diagnostic block of a test point: YAML, of which only the first level is read, as producers escape it in many ways.

/// Members of a block that are looked at.
const MEMBERS: usize = 200;

/// Bytes of one value that are kept.
const VALUE_BYTES: usize = 16 << 10;

/// The first level of a block: names and values; what is nested below a name is joined by lines.
#[derive(Debug, Default)]
pub(super) struct Yaml(Vec<(String, String)>);

impl Yaml {
    /// Reads the lines between `---` and `...`, without their common indentation.
    pub(super) fn new(text: &str) -> Self {
        let mut members: Vec<(String, String)> = Vec::new();
        let margin = margin_of(text);
        for line in text.lines() {
            let line = line.get(margin..).unwrap_or("");
            let indented = line.starts_with([' ', '\t']);
            if indented || line.is_empty() {
                if let Some((_, value)) = members.last_mut()
                    && value.len() + line.len() < VALUE_BYTES
                {
                    value.push('\n');
                    value.push_str(line);
                }
            } else if let Some((name, value)) = line.split_once(':')
                && members.len() < MEMBERS
            {
                members.push((name.trim().to_owned(), value.trim().to_owned()));
            }
        }
        for (_, value) in &mut members {
            *value = plain(value);
        }
        Self(members)
    }

    /// The first of these members that has a value.
    pub(super) fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| {
            self.0
                .iter()
                .find(|(known, value)| known == name && !value.is_empty())
                .map(|(_, value)| value.as_str())
        })
    }

    /// A member of the object below a member: `at:` with `fileName: a.js` below it.
    pub(super) fn below(&self, name: &str, inner: &[&str]) -> Option<String> {
        let block = Self::new(self.first(&[name])?);
        block.first(inner).map(str::to_owned)
    }
}

/// Spaces before every line that is not blank.
fn margin_of(text: &str) -> usize {
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start_matches(' ').len())
        .min()
        .unwrap_or(0)
}

/// A value as it is meant: block scalars without their header, quotes taken away.
fn plain(value: &str) -> String {
    let (head, rest) = value.split_once('\n').unwrap_or((value, ""));
    let is_block =
        head.is_empty() || head.starts_with(['|', '>']) && head.len() <= 3 && !rest.is_empty();
    if is_block {
        let margin = margin_of(rest);
        let lines: Vec<&str> = rest
            .lines()
            .map(|line| line.get(margin..).unwrap_or("").trim_end())
            .collect();
        return lines.join("\n").trim_matches('\n').to_owned();
    }
    let joined: Vec<&str> = value.lines().map(str::trim).collect();
    let joined = joined.join(" ");
    let inner = |quote: char| {
        joined
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
    };
    if let Some(text) = inner('\'') {
        return text.replace("''", "'");
    }
    match inner('"') {
        Some(text) => text
            .replace("\\n", "\n")
            .replace("\\\"", "\"")
            .replace("\\\\", "\\"),
        None if matches!(joined.as_str(), "~" | "null") => String::new(),
        None => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks() {
        let yaml = Yaml::new(
            "message: 'it''s'\nstack: |-\n  one\n    two\n\n  three\nat:\n  fileName: a.js\n  lineNumber: 4\nname: \"a\\nb\"\nnone: ~\nplain: x: y\nlong: one\n  two\n- odd\n",
        );
        let check = |name: &str, expected: Option<&str>| {
            assert_eq!(yaml.first(&[name]), expected, "{name}");
        };
        check("message", Some("it's"));
        check("stack", Some("one\n  two\n\nthree"));
        check("name", Some("a\nb"));
        check("none", None);
        check("plain", Some("x: y"));
        check("long", Some("one two"));
        assert_eq!(yaml.below("at", &["lineNumber"]).as_deref(), Some("4"));
        assert_eq!(Yaml::new("  a: 1\n  b: 2\n").first(&["b"]), Some("2"));
    }
}
