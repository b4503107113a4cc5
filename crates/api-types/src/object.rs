//! Objects within bodies. What is derived takes a list too, as the fields' values in their order: nobody means that, and a
//! value too many or in the wrong place would be taken for another field.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

type Object = Map<String, Value>;

fn read<T: DeserializeOwned, E: serde::de::Error>(object: Object) -> Result<T, E> {
    T::deserialize(Value::Object(object)).map_err(E::custom)
}

/// An object.
pub(crate) fn one<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<T, D::Error> {
    read(Object::deserialize(from)?)
}

/// An object, or null.
pub(crate) fn maybe<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    Option::<Object>::deserialize(from)?.map(read).transpose()
}

/// A list of objects.
pub(crate) fn list<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Vec<T>, D::Error> {
    Vec::<Object>::deserialize(from)?.into_iter().map(read).collect()
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
