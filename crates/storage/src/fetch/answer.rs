//! One question to a server and the redirects after it, until there is a body or a reason why not.

use ureq::http::Response;
use ureq::http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_RANGE, ETAG, HeaderName, IF_RANGE, LAST_MODIFIED, LOCATION, RANGE,
};
use ureq::{Agent, Body};
use url::Url;

use super::address::{NotPublic, not_fetched, shown};
use super::part::{Origin, Part};
use crate::StorageError;

/// How often a server may send us elsewhere.
const REDIRECTS_MAX: usize = 5;

/// Why there are no bytes.
pub(super) enum Trouble {
    /// It may be better the next time.
    Passing(String),
    /// It won't.
    Lasting(StorageError),
}

impl From<StorageError> for Trouble {
    fn from(error: StorageError) -> Self {
        Self::Lasting(error)
    }
}

/// What a server answers.
pub(super) enum Answer {
    /// The file from its beginning.
    Whole(Body, Origin),
    /// The rest of it.
    Rest(Body, Origin),
    /// There is nothing more: we have all of it.
    Complete,
}

/// Asks for what is missing, and goes where it is sent.
pub(super) fn ask(agent: &Agent, url: &Url, part: &Part) -> Result<Answer, Trouble> {
    let mut at = url.clone();
    for _ in 0..=REDIRECTS_MAX {
        let response = ask_once(agent, &at, part)?;
        match response.status().as_u16() {
            301 | 302 | 303 | 307 | 308 => at = follow(&at, &response)?,
            _ => return judge(&at, response, part),
        }
    }
    Err(lasting(&at, format!("it redirects more than {REDIRECTS_MAX} times")))
}

fn ask_once(agent: &Agent, at: &Url, part: &Part) -> Result<Response<Body>, Trouble> {
    let mut request = agent.get(at.as_str()).header(ACCEPT_ENCODING, "identity");
    if let Some(version) = part.origin.version.as_ref().filter(|_| part.have > 0) {
        request = request.header(RANGE, format!("bytes={}-", part.have));
        request = request.header(IF_RANGE, version);
    }
    request.call().map_err(|error| match error {
        ureq::Error::Other(why) if why.is::<NotPublic>() => refused(at, why.to_string()).into(),
        ureq::Error::BadUri(why) => refused(at, why).into(),
        // Certificates don't get better by asking again.
        error @ (ureq::Error::Tls(_) | ureq::Error::Rustls(_)) => lasting(at, error.to_string()),
        error => Trouble::Passing(error.to_string()),
    })
}

fn follow(from: &Url, response: &Response<Body>) -> Result<Url, Trouble> {
    let Some(location) = header(response, &LOCATION) else {
        return Err(lasting(from, "it redirects to nowhere".to_owned()));
    };
    let to = from.join(location);
    let to = to.map_err(|error| lasting(from, format!("it redirects to what is no address: {error}")))?;
    if let Some(why) = not_fetched(&to) {
        return Err(refused(&to, format!("{} redirects there, and {why}", shown(from))).into());
    }
    if from.scheme() == "https" && to.scheme() == "http" {
        let why = format!("{} redirects there, from https down to http", shown(from));
        return Err(refused(&to, why).into());
    }
    Ok(to)
}

fn judge(at: &Url, response: Response<Body>, part: &Part) -> Result<Answer, Trouble> {
    let status = response.status().as_u16();
    if header(&response, &CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(lasting(
            at,
            "it sends the file encoded, which was not asked for".to_owned(),
        ));
    }
    let range = header(&response, &CONTENT_RANGE).and_then(range);
    let mut origin = Origin {
        url: part.origin.url.clone(),
        version: version(&response),
        total: response.body().content_length(),
    };
    match (status, range) {
        (200, _) => Ok(Answer::Whole(response.into_body(), origin)),
        (206, Some((Some(first), total))) if first == part.have && part.have > 0 => {
            origin.total = total.or(part.origin.total);
            let same = part.origin.total.is_none_or(|known| origin.total == Some(known));
            let version = origin.version.is_none() || origin.version == part.origin.version;
            if !same || !version {
                return Err(lasting(
                    at,
                    "it goes on with another file than it began with".to_owned(),
                ));
            }
            origin.version.clone_from(&part.origin.version);
            Ok(Answer::Rest(response.into_body(), origin))
        }
        (206, _) => Err(lasting(
            at,
            "it sends another part of the file than was asked for".to_owned(),
        )),
        (416, Some((None, Some(total)))) if total == part.have => Ok(Answer::Complete),
        (408 | 429 | 500..=599, _) => Err(Trouble::Passing(format!("it answers {}", response.status()))),
        _ => Err(lasting(at, format!("it answers {}", response.status()))),
    }
}

/// What a version is known by: a strong ETag (RFC 9110, 13.1.5), else when it was modified.
fn version(response: &Response<Body>) -> Option<String> {
    let strong = header(response, &ETAG).filter(|tag| !tag.starts_with("W/"));
    strong.or_else(|| header(response, &LAST_MODIFIED)).map(str::to_owned)
}

fn header<'a>(response: &'a Response<Body>, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// The first byte and the total of `bytes 5-9/10`, `bytes 5-9/*` and `bytes */10`.
fn range(text: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let first = range.split_once('-').and_then(|(first, _)| first.parse().ok());
    (first.is_some() || range == "*").then_some((first, total.parse().ok()))
}

fn lasting(at: &Url, why: String) -> Trouble {
    let address = shown(at);
    Trouble::Lasting(StorageError::Fetch { address, why })
}

/// Nothing is fetched from there.
pub(super) fn refused(at: &Url, why: String) -> StorageError {
    let address = shown(at);
    StorageError::Refused { address, why }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_redirect_stays_with_https() {
        let follow = |from: &str, to: &str| {
            let response = Response::builder().header(LOCATION, to).body(Body::builder().data(""));
            super::follow(&from.parse().unwrap(), &response.unwrap())
        };
        for (from, to, at) in [
            ("https://a/x/y", "https://b/", "https://b/"),
            ("https://a/x/y", "//b/z", "https://b/z"),
            ("https://a/x/y", "z", "https://a/x/z"),
            ("http://a/x", "https://a/x", "https://a/x"),
            ("http://a/x", "http://b/x", "http://b/x"),
        ] {
            assert!(follow(from, to).is_ok_and(|url| url.as_str() == at), "{from} → {to}");
        }
        let down = follow("https://a/x", "http://b/x");
        assert!(matches!(down, Err(Trouble::Lasting(StorageError::Refused { .. }))));
    }

    #[test]
    fn a_content_range_is_read() {
        assert_eq!(range("bytes 5-9/10"), Some((Some(5), Some(10))));
        assert_eq!(range("bytes 5-9/*"), Some((Some(5), None)));
        assert_eq!(range("bytes */10"), Some((None, Some(10))));
        for wrong in ["", "bytes", "bytes 5/10", "5-9/10", "bytes a-9/10"] {
            assert_eq!(range(wrong), None, "{wrong}");
        }
    }
}
