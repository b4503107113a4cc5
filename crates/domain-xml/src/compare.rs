//! A definition that libvirt has beside one that it would be given: in a form in which the two differ where they mean
//! something else, and nowhere else.
//!
//! ```text
//!   ours ─────────────────────────────▶ sorted, units and aliases resolved ──▶ lines ┐
//!                                                                                    ├─▶ a person reads the difference
//!   libvirt's ─▶ without what it adds ─▶ sorted, units and aliases resolved ─▶ lines ┘
//! ```
//!
//! libvirt fills in much by itself: addresses, defaults, controllers, devices that every machine has. What ours have no
//! word for is left out; what they have one for is kept, whoever has put it there.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::XmlError;

/// Elements that libvirt numbers and adds to as it needs them.
const ITS_OWN: [&str; 2] = ["controller", "address"];

#[derive(Debug, Default)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Element>,
}

/// What our definitions have a word for: paths of elements, and of attributes after an `@`.
#[derive(Debug, Default)]
pub struct Vocabulary(BTreeSet<String>);

impl Vocabulary {
    /// That of these definitions, which are ours.
    pub fn of(definitions: &[&str]) -> Result<Self, XmlError> {
        let mut words = BTreeSet::new();
        for xml in definitions {
            let root = read(xml)?;
            learn(&root, &root.name, &mut words);
        }
        Ok(Self(words))
    }

    /// A definition in lines, as far as there are words for it.
    pub fn lines(&self, xml: &str) -> Result<String, XmlError> {
        let root = read(xml)?;
        let mut text = String::new();
        self.write(&root, &root.name, 0, &mut text);
        Ok(text)
    }

    fn write(&self, element: &Element, path: &str, depth: usize, text: &mut String) {
        let _ = write!(text, "{:indent$}<{}", "", element.name, indent = 2 * depth);
        let (kind, value) = plain(element);
        let known = |name: &&(String, String)| self.0.contains(&format!("{path}@{}", name.0));
        let mut attributes: Vec<_> = kind.iter().filter(known).collect();
        attributes.sort();
        for (name, value) in attributes {
            let _ = write!(text, " {name}=\"{value}\"");
        }
        let below = |child: &Element| format!("{path}/{}", child.name);
        let mut children: Vec<_> = element.children.iter().collect();
        children.retain(|child| !ITS_OWN.contains(&child.name.as_str()) && self.0.contains(&below(child)));
        children.sort_by(|one, other| one.name.cmp(&other.name));
        if children.is_empty() {
            let end = if value.is_empty() {
                "/>".to_owned()
            } else {
                format!(">{value}</{}>", element.name)
            };
            let _ = writeln!(text, "{end}");
            return;
        }
        let _ = writeln!(text, ">{value}");
        for child in children {
            self.write(child, &below(child), depth + 1, text);
        }
        let _ = writeln!(text, "{:indent$}</{}>", "", element.name, indent = 2 * depth);
    }
}

fn learn(element: &Element, path: &str, words: &mut BTreeSet<String>) {
    words.insert(path.to_owned());
    words.extend(element.attributes.iter().map(|(name, _)| format!("{path}@{name}")));
    for child in &element.children {
        learn(child, &format!("{path}/{}", child.name), words);
    }
}

/// Attributes and text without what can be written in two ways: units of memory, and the alias of a machine.
fn plain(element: &Element) -> (Vec<(String, String)>, String) {
    let mut attributes = element.attributes.clone();
    let mut text = element.text.clone();
    let attribute = |name: &str| element.attributes.iter().find(|(known, _)| known == name);
    if element.name == "memory"
        && let Some((_, unit)) = attribute("unit")
        && let Ok(amount) = text.parse::<u64>()
        && let Some(kib) = in_kib(amount, unit)
    {
        text = kib.to_string();
        attributes.retain(|(name, _)| name != "unit");
        attributes.push(("unit".to_owned(), "KiB".to_owned()));
    }
    // Quotes need no escape within text, and libvirt escapes what we don't.
    let unquoted = |text: &str| text.replace("&apos;", "'").replace("&quot;", "\"");
    text = unquoted(&text);
    for (name, value) in &mut attributes {
        *value = unquoted(value);
        if name == "machine" && value.starts_with("pc-q35-") {
            "q35".clone_into(value);
        }
    }
    (attributes, text)
}

fn in_kib(amount: u64, unit: &str) -> Option<u64> {
    match unit {
        "KiB" => Some(amount),
        "MiB" => amount.checked_mul(1 << 10),
        "GiB" => amount.checked_mul(1 << 20),
        _ => None,
    }
}

fn read(xml: &str) -> Result<Element, XmlError> {
    let mut reader = Reader::from_str(xml);
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event()? {
            Event::Start(start) => open.push(begun(&start)?),
            Event::Empty(start) => {
                let element = begun(&start)?;
                close(&mut open, element);
            }
            Event::End(_) => {
                if let Some(element) = open.pop() {
                    close(&mut open, element);
                }
            }
            Event::Text(text) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(text.trim());
                }
            }
            Event::GeneralRef(entity) => {
                if let Some(element) = open.last_mut() {
                    let _ = write!(element.text, "&{};", &*entity);
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    let root = open.pop().and_then(|mut document| document.children.pop());
    root.ok_or_else(|| XmlError::Read("it has no element".to_owned()))
}

fn begun(start: &BytesStart<'_>) -> Result<Element, XmlError> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| XmlError::Read(error.to_string()))?;
        attributes.push((attribute.key.as_ref().to_owned(), attribute.value.into_owned()));
    }
    Ok(Element {
        name: start.name().as_ref().to_owned(),
        attributes,
        ..Element::default()
    })
}

fn close(open: &mut [Element], element: Element) {
    if let Some(parent) = open.last_mut() {
        parent.children.push(element);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const OURS: &str = r#"<domain type="qemu"><name>a&amp;b</name><memory unit="MiB">128</memory>
        <os><type arch="x86_64" machine="q35">hvm</type></os>
        <devices><disk type="file"><source file="/a"/><target dev="vda" bus="virtio"/></disk>
        <controller type="usb" model="none"/></devices></domain>"#;
    const ITS: &str = r"<domain type='qemu' id='7'>
        <name>a&amp;b</name><memory unit='KiB'>131072</memory><currentMemory unit='KiB'>131072</currentMemory>
        <os><type arch='x86_64' machine='pc-q35-10.0'>hvm</type><boot dev='hd'/></os>
        <devices><emulator>/usr/bin/qemu</emulator><controller type='sata' index='0'/>
        <disk type='file'><target bus='virtio' dev='vda'/><source file='/a' index='1'/>
        <address type='pci' slot='0x01'/></disk><input type='mouse' bus='ps2'/></devices></domain>";

    #[test]
    fn what_libvirt_adds_is_no_difference() {
        let words = Vocabulary::of(&[OURS]).unwrap();
        assert_eq!(words.lines(ITS).unwrap(), words.lines(OURS).unwrap());
    }

    #[test]
    fn what_somebody_has_changed_is_one() {
        let words = Vocabulary::of(&[OURS]).unwrap();
        let added = "<disk type='file'><source file='/b'/></disk></devices>";
        for changed in [
            ITS.replace("131072<", "262144<"),
            ITS.replace("'/a'", "'/b'"),
            ITS.replace("</devices>", added),
            ITS.replace("a&amp;b", "a"),
        ] {
            assert_ne!(words.lines(&changed).unwrap(), words.lines(OURS).unwrap(), "{changed}");
        }
    }

    #[test]
    fn what_is_no_xml_is_refused() {
        for text in ["", "<domain", "<domain><a></domain>", "no"] {
            assert!(Vocabulary::of(&[text]).is_err(), "{text:?} was taken");
        }
    }
}
