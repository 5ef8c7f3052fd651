//! Names in the environment that do nothing here, and what takes their place.

use super::load::Environment;
use super::table::WITHOUT_EFFECT;

/// A sentence for each name of the environment that has no effect.
#[must_use]
pub fn check(environment: &Environment) -> Vec<String> {
    let mut found = Vec::new();
    for name in environment.0.keys() {
        let known = WITHOUT_EFFECT
            .iter()
            .find(|(pattern, _)| match pattern.strip_suffix('_') {
                Some(_) => name.starts_with(pattern),
                None => name == pattern,
            });
        if let Some((_, instead)) = known {
            found.push(format!("{name} has no effect: {instead}"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Environment, check};

    #[test]
    fn names_of_the_old_platform_are_explained() {
        let environment = Environment(
            ["MONGO_URI", "REDIS_HOST", "AI_HF_HOME", "PATH"]
                .map(|name| (name.to_owned(), "x".to_owned()))
                .into(),
        );
        let found = check(&environment);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(
            found[1].starts_with("MONGO_URI has no effect: everything is in the data directory")
        );
    }
}
