//! What `If-Match` and `If-None-Match` say: some tags, or anything at all (RFC 9110, 13.1).

use axum::http::{HeaderMap, HeaderName};

use crate::gzip::PACKED;
use crate::problem::ApiError;

/// The most characters of a condition: some sixty tags.
pub(super) const CONDITION_MAX: usize = 2048;

/// Which tags are meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Whatever is there.
    Any,
    /// One of these; `false` for a weak one.
    OneOf(Vec<(bool, String)>),
}

impl Condition {
    /// What a header says; none if the request hasn't got it.
    pub(super) fn of(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Self>, ApiError> {
        let values: Vec<_> = headers
            .get_all(name)
            .iter()
            .map(|value| value.to_str().unwrap_or_default())
            .collect();
        if values.is_empty() {
            return Ok(None);
        }
        let wrong = || {
            let message = format!(
                r#"it is one or several tags in quotes, such as "x2fa…", or *; at most {CONDITION_MAX} characters"#
            );
            ApiError::invalid("If-Match", message)
        };
        let text = values.join(",");
        let found = (text.len() <= CONDITION_MAX).then(|| parse(&text)).flatten();
        found.ok_or_else(wrong).map(Some)
    }

    /// Whether that tag is one of them, byte for byte: a weak one never is.
    pub(super) fn is(&self, tag: &str) -> bool {
        self.any(|strong, one| strong && one == tag)
    }

    /// Whether that tag is one of them, weak ones included.
    pub(super) fn is_like(&self, tag: &str) -> bool {
        self.any(|_, one| one == tag)
    }

    fn any(&self, same: impl Fn(bool, &str) -> bool) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(tags) => tags.iter().any(|(strong, one)| same(*strong, one)),
        }
    }
}

/// Tags have no quotes in them, so the next quote ends one.
fn parse(text: &str) -> Option<Condition> {
    let mut rest = text.trim();
    if rest == "*" {
        return Some(Condition::Any);
    }
    let mut tags = Vec::new();
    while !rest.is_empty() {
        let strong = !rest.starts_with("W/");
        let quoted = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?;
        let (tag, after) = quoted.split_once('"')?;
        // What is packed is the same thing.
        tags.push((strong, tag.strip_suffix(PACKED).unwrap_or(tag).to_owned()));
        let after = after.trim_start();
        match after.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None if after.is_empty() => rest = after,
            None => return None,
        }
    }
    (!tags.is_empty()).then_some(Condition::OneOf(tags))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_in_quotes_and_may_be_several() {
        let tags = |text: &str| parse(text).map(|found| (found.is("a"), found.is_like("a")));
        assert_eq!(tags(r#""a""#), Some((true, true)));
        assert_eq!(tags(r#""b", "a""#), Some((true, true)));
        assert_eq!(tags(r#""b" ,"x,y""#), Some((false, false)));
        assert_eq!(
            tags(r#"W/"a""#),
            Some((false, true)),
            "a weak one is not the same byte for byte"
        );
        assert_eq!(
            tags(r#""a-gzip""#),
            Some((true, true)),
            "packed or not, it is the same thing"
        );
        assert_eq!(tags("*"), Some((true, true)));
        for wrong in ["", "a", r#""a"#, r#""a" "b""#, r#"*, "a""#, r#"w/"a""#, ","] {
            assert_eq!(tags(wrong), None, "{wrong}");
        }
    }
}
