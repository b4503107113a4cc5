//! Whose a domain is: our own element in the domain's `<metadata>`, in a namespace of our own.
//!
//! libvirt keeps it through restarts and redefinitions, so that a domain that belongs to no record is known to be
//! ours (and of which installation) or not. Only what says so plainly is ours; anything else is never touched.

use berth_model::{InstanceId, OwnerId};
use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use serde::Serialize;

use crate::{DomainSpec, XmlError};

/// The namespace of our element. It is never dereferenced, and never changes.
pub const NAMESPACE: &str = "https://berth.dev/xmlns/domain/1";

const ELEMENT: &str = "instance";

/// Whose a domain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The instance it was made for.
    pub instance: InstanceId,
    /// The installation that made it.
    pub owner: OwnerId,
}

#[derive(Serialize)]
pub(crate) struct Metadata<'a> {
    #[serde(rename = "berth:instance")]
    instance: Element<'a>,
}

/// Attributes, because libvirt strips prefixes when asked for the element alone.
#[derive(Serialize)]
struct Element<'a> {
    #[serde(rename = "@xmlns:berth")]
    namespace: &'static str,
    #[serde(rename = "@id")]
    id: InstanceId,
    #[serde(rename = "@owner")]
    owner: OwnerId,
    #[serde(rename = "@project")]
    project: &'a str,
    #[serde(rename = "@name")]
    name: &'a str,
}

impl<'a> Metadata<'a> {
    pub(crate) fn of(spec: &'a DomainSpec) -> Self {
        Self {
            instance: Element {
                namespace: NAMESPACE,
                id: spec.id,
                owner: spec.owner,
                project: &spec.project,
                name: &spec.title,
            },
        }
    }
}

impl Identity {
    /// Reads what `virDomainGetMetadata` gives for [`NAMESPACE`]: the element alone, without its namespace.
    ///
    /// None if it isn't ours after all.
    pub fn from_metadata(xml: &str) -> Result<Option<Self>, XmlError> {
        find(xml, |namespace| {
            matches!(namespace, ResolveResult::Unbound) || is_ours(namespace)
        })
    }

    /// Finds our element in a whole domain's XML.
    pub(crate) fn in_domain(xml: &str) -> Result<Option<Self>, XmlError> {
        find(xml, is_ours)
    }

    fn of_element(element: &BytesStart<'_>) -> Option<Self> {
        let value = |name| Some(element.try_get_attribute(name).ok()??.value.into_owned());
        Some(Self {
            instance: value("id")?.parse().ok()?,
            owner: value("owner")?.parse().ok()?,
        })
    }
}

fn is_ours(namespace: &ResolveResult<'_>) -> bool {
    *namespace == ResolveResult::Bound(Namespace(NAMESPACE))
}

fn find(xml: &str, ours: impl Fn(&ResolveResult<'_>) -> bool) -> Result<Option<Identity>, XmlError> {
    let mut reader = NsReader::from_str(xml);
    loop {
        match reader.read_resolved_event()? {
            (namespace, Event::Start(element) | Event::Empty(element))
                if element.local_name().as_ref() == ELEMENT && ours(&namespace) =>
            {
                return Ok(Identity::of_element(&element));
            }
            (_, Event::Eof) => return Ok(None),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const ID: &str = "0198f3c2-7a10-7e1b-9d0a-5c1f6f4e2b11";
    const OWNER: &str = "0198f3c2-7a10-7e1b-9d0a-5c1f6f4e2b12";

    #[test]
    fn the_bare_element_is_read_as_libvirt_gives_it() {
        let expected = Identity {
            instance: ID.parse().unwrap(),
            owner: OWNER.parse().unwrap(),
        };
        let bare = format!("<instance id='{ID}' owner=\"{OWNER}\" name='a &amp; b'/>");
        assert_eq!(Identity::from_metadata(&bare).unwrap(), Some(expected));
        let prefixed = format!("<b:instance xmlns:b='{NAMESPACE}' id='{ID}' owner='{OWNER}'/>");
        assert_eq!(Identity::from_metadata(&prefixed).unwrap(), Some(expected));
    }

    #[test]
    fn what_does_not_say_so_plainly_is_not_ours() {
        let element = |namespace| format!("<x:instance xmlns:x='{namespace}' id='{ID}' owner='{OWNER}'/>");
        for metadata in [
            element("https://berth.dev/xmlns/domain/2"),
            format!("<instance id='{ID}' owner='{OWNER}'/>"),
            format!("<x:instance xmlns:x='{NAMESPACE}' id='{ID}'/>"),
            format!("<x:instance xmlns:x='{NAMESPACE}' id='{ID}' owner='me'/>"),
            format!("<x:other xmlns:x='{NAMESPACE}' id='{ID}' owner='{OWNER}'/>"),
        ] {
            let xml = format!("<domain><metadata>{metadata}</metadata></domain>");
            assert_eq!(Identity::in_domain(&xml).unwrap(), None, "{xml}");
        }
        assert!(
            Identity::in_domain(&format!("<domain>{}</domain>", element(NAMESPACE)))
                .unwrap()
                .is_some()
        );
    }
}
