//! Objects within bodies. What is derived takes a list too, as the fields' values in their order: nobody means that, and a
//! value too many or in the wrong place would be taken for another field.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// What was an object. Read from the deserializer itself, so that an error still knows where it is.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Fields(PhantomData))
    }
}

struct Fields<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields)).map(Object)
    }
}

/// An object.
pub(crate) fn one<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Object::deserialize(from).map(|Object(value)| value)
}

/// An object, or null.
pub(crate) fn maybe<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    let object = Option::<Object<T>>::deserialize(from)?;
    Ok(object.map(|Object(value)| value))
}

/// A list of objects.
pub(crate) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    let objects = Vec::<Object<T>>::deserialize(from)?;
    Ok(objects.into_iter().map(|Object(value)| value).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use crate::{CreateInstances, PullImage};

    #[test]
    fn what_is_an_object_is_not_written_as_a_list() {
        let create = |field: &str| {
            let text = format!(r#"{{"name": "web", "image": "tiny", "type": "t1.nano", {field}}}"#);
            serde_json::from_str::<CreateInstances>(&text)
        };
        create(r#""nics": [{"subnet": "a"}], "volumes": [{"size": 1}], "public_ip": {"pool": "b"}"#).unwrap();
        create(r#""public_ip": null"#).unwrap();
        for wrong in [
            r#""nics": [["a", null, null]]"#,
            r#""volumes": [[1, null, true]]"#,
            r#""public_ip": [null, "b"]"#,
        ] {
            create(wrong).unwrap_err();
        }
        serde_json::from_str::<PullImage>(r#"{"catalog": "a", "settings": {"name": "b"}}"#).unwrap();
        serde_json::from_str::<PullImage>(r#"{"catalog": "a", "settings": ["b"]}"#).unwrap_err();
    }
}
