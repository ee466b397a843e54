//! Properties of an XMP packet (ISO 16684-1) that tell of an origin.

use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, QName, ResolveResult};
use quick_xml::reader::NsReader;
use quick_xml::{XmlVersion, escape::resolve_predefined_entity};

use crate::claim::Kind;
use crate::contents::{Contents, MAX_BLOCK};

const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";

/// Namespace and local name of the properties that are kept, under their local name.
const PROPERTIES: &[(&str, &str)] = &[
    ("http://iptc.org/std/Iptc4xmpExt/2008-02-29/", "DigitalSourceType"),
    ("http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/", "DigitalSourceType"),
    ("http://ns.adobe.com/xap/1.0/", "CreatorTool"),
    ("http://ns.adobe.com/exif/1.0/", "UserComment"),
    ("http://www.tc260.org.cn/ns/AIGC/1.0/", "AIGC"),
    ("http://purl.org/dc/terms/", "provenance"),
];

/// Keeps the properties of a packet. The reader knows the five entities of XML and no others, so that
/// nothing grows; it limits the number of namespaces.
pub(crate) fn read(packet: &[u8], contents: &mut Contents) {
    if packet.len() > MAX_BLOCK {
        return contents.fault("the XMP packet is longer than is read");
    }
    let packet = String::from_utf8_lossy(packet);
    let mut reader = NsReader::from_str(&packet);
    let mut place = Place::default();
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => place.open(&reader, &tag, contents),
            Ok(Event::Empty(tag)) => {
                place.open(&reader, &tag, contents);
                place.close(contents);
            }
            Ok(Event::End(_)) => place.close(contents),
            Ok(Event::Text(text)) => place.text(&text.xml10_content()),
            Ok(Event::CData(text)) => place.text(&text.xml10_content()),
            Ok(Event::GeneralRef(reference)) => {
                if let Ok(Some(c)) = reference.resolve_char_ref() {
                    place.text(c.encode_utf8(&mut [0; 4]));
                } else if let Some(text) = resolve_predefined_entity(&reference.xml10_content()) {
                    place.text(text);
                }
            }
            Ok(Event::Eof) => return,
            Ok(_) => {}
            Err(_) => return contents.fault("the XMP packet is damaged"),
        }
    }
}

/// The reader's place in the packet.
#[derive(Default)]
struct Place {
    /// Open elements.
    depth: usize,
    /// Depth of the open `rdf:RDF`. Its children describe the file; what they hold deeper inside may
    /// describe another file, such as an ingredient.
    rdf: Option<usize>,
    /// The open property: its depth, name and text.
    property: Option<(usize, &'static str, String)>,
}

impl Place {
    fn open(&mut self, reader: &NsReader<&[u8]>, tag: &BytesStart, contents: &mut Contents) {
        self.depth += 1;
        match self.rdf {
            None if is(reader, tag.name(), RDF, "RDF") => self.rdf = Some(self.depth),
            Some(rdf) if self.depth == rdf + 1 => attributes(reader, tag, contents),
            Some(rdf) if self.depth == rdf + 2 => {
                let Some(name) = property(reader, tag.name(), true) else { return };
                self.property = Some((self.depth, name, resource(reader, tag)));
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if let Some((_, _, value)) = &mut self.property {
            value.push_str(text);
        }
    }

    fn close(&mut self, contents: &mut Contents) {
        if let Some((_, name, value)) = self.property.take_if(|open| open.0 == self.depth) {
            keep(name, &value, contents);
        }
        self.rdf = self.rdf.filter(|rdf| *rdf != self.depth);
        self.depth = self.depth.saturating_sub(1);
    }
}

/// Keeps the properties among the attributes of a description.
fn attributes(reader: &NsReader<&[u8]>, tag: &BytesStart, contents: &mut Contents) {
    // Looking for names that stand twice would take quadratic time.
    for attribute in tag.attributes().with_checks(false).flatten() {
        let Some(name) = property(reader, attribute.key, false) else { continue };
        if let Ok(value) = attribute.normalized_value(XmlVersion::Implicit1_0) {
            keep(name, &value, contents);
        }
    }
}

/// The value of `rdf:resource`, which stands for the text of a property.
fn resource(reader: &NsReader<&[u8]>, tag: &BytesStart) -> String {
    let named = |key: QName| {
        let (namespace, local) = reader.resolver().resolve_attribute(key);
        local.as_ref() == "resource" && is_namespace(&namespace, RDF)
    };
    let found =
        tag.attributes().with_checks(false).flatten().find(|attribute| named(attribute.key));
    let value = found.and_then(|found| found.normalized_value(XmlVersion::Implicit1_0).ok());
    value.map_or_else(String::new, |value| value.into_owned())
}

fn keep(name: &str, value: &str, contents: &mut Contents) {
    let value = value.trim();
    if !value.is_empty() {
        contents.push(Kind::Xmp, name, value.to_owned());
    }
}

/// The name under which a property is kept, if it is.
fn property(reader: &NsReader<&[u8]>, name: QName, element: bool) -> Option<&'static str> {
    let local = name.local_name();
    let candidates = PROPERTIES.iter().filter(|(_, wanted)| local.as_ref() == *wanted);
    let mut candidates = candidates.peekable();
    candidates.peek()?;
    let (namespace, _) = reader.resolver().resolve(name, element);
    candidates.find(|(wanted, _)| is_namespace(&namespace, wanted)).map(|(_, name)| *name)
}

fn is(reader: &NsReader<&[u8]>, name: QName, namespace: &str, local: &str) -> bool {
    let (found, name) = reader.resolver().resolve_element(name);
    name.as_ref() == local && is_namespace(&found, namespace)
}

fn is_namespace(found: &ResolveResult, wanted: &str) -> bool {
    matches!(found, ResolveResult::Bound(Namespace(name)) if *name == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(inside: &str) -> Vec<String> {
        let packet = format!(
            r#"<?xpacket begin="" id="a"?><x:xmpmeta xmlns:x="adobe:ns:meta/"
            xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
            xmlns:other="urn:other"><r:RDF xmlns:r="{RDF}">{inside}</r:RDF></x:xmpmeta>"#
        );
        let mut contents = Contents::default();
        read(packet.as_bytes(), &mut contents);
        contents.texts.into_iter().map(|text| text.value).collect()
    }

    #[test]
    fn a_property_is_read_in_each_of_its_forms() {
        for inside in [
            r#"<r:Description i:DigitalSourceType="a&amp;b"/>"#,
            "<r:Description><i:DigitalSourceType> a&amp;b </i:DigitalSourceType></r:Description>",
            "<r:Description><i:DigitalSourceType>a&#38;<![CDATA[b]]></i:DigitalSourceType></r:Description>",
            r#"<r:Description><i:DigitalSourceType r:resource="a&amp;b"/></r:Description>"#,
            "<r:Description><xmp:CreatorTool><r:Alt><r:li>a&amp;b</r:li></r:Alt></xmp:CreatorTool></r:Description>",
        ] {
            assert_eq!(found(inside), ["a&b"], "{inside}");
        }
    }

    #[test]
    fn other_names_and_deeper_places_are_not_this_files() {
        for inside in [
            r#"<r:Description other:DigitalSourceType="a"/>"#,
            r#"<r:Description><other:Ingredient><r:Description i:DigitalSourceType="a"/></other:Ingredient></r:Description>"#,
            "<r:Description>i:DigitalSourceType=\"a\"</r:Description>",
        ] {
            assert_eq!(found(inside), Vec::<String>::new(), "{inside}");
        }
    }
}
