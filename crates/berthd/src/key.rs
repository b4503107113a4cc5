//! What a key of the configuration is, and how keys are listed.

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    /// As it is written.
    pub(crate) name: &'static str,
    /// What it does, a line each.
    pub(crate) about: &'static [&'static str],
    /// When another value is taken.
    pub(crate) when: When,
    /// What is written behind it.
    pub(crate) kind: Kind,
    /// Its default, or what it could be.
    pub(crate) value: Value,
}

/// When another value of a key is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// By SIGHUP.
    Reload,
    /// When the daemon is started again.
    Restart,
}

/// What is written behind a key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A string.
    Text,
    /// Several strings.
    Texts,
    /// A table of texts under names of the operator's own: `[name]`.
    Names,
    /// A whole number.
    Integer,
    /// A whole number, or `"unlimited"`.
    Limit,
    /// A number.
    Number,
    /// `true` or `false`.
    Switch,
    /// A table with these keys: `[name]`. Its [`Value`] is `Default "{}"` if it is always there, else an example, and then
    /// all its keys have one [`When`].
    Table(&'static [Key]),
    /// Tables with these keys, as many as there are: `[[name]]`.
    Tables(&'static [Key]),
}

/// What a key is if nobody sets it; in TOML.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value {
    /// This.
    Default(&'static str),
    /// Nothing; it could be this.
    Example(&'static str),
}

/// Lists keys: `/// what it does`, then `When name: type, kind, value`. A key without a default is an `Option`.
macro_rules! keys {
    (@list $($(#[doc = $about:literal])* $when:ident $name:ident, $kind:expr, $value:ident $text:literal;)*) => {
        &[$(Key {
            name: stringify!($name),
            about: &[$($about),*],
            when: When::$when,
            kind: $kind,
            value: Value::$value($text),
        },)*]
    };
    ($(#[$meta:meta])* struct $table:ident {
        $($(#[doc = $about:literal])* $when:ident $name:ident: $type:ty, $kind:expr, $value:ident $text:literal;)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields, expecting = "a table")]
        pub(crate) struct $table {
            $($(#[doc = $about])* pub(crate) $name: $type,)*
        }

        impl $table {
            /// Its keys.
            pub(crate) const KEYS: &[Key] =
                keys!(@list $($(#[doc = $about])* $when $name, $kind, $value $text;)*);
        }
    };
}

pub(crate) use keys;

impl Kind {
    /// What a person calls it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Texts => "list of texts",
            Self::Names => "table of texts by name",
            Self::Integer => "integer",
            Self::Limit => "integer, or \"unlimited\"",
            Self::Number => "number",
            Self::Switch => "true or false",
            Self::Table(_) => "table",
            Self::Tables(_) => "tables, or a list of them",
        }
    }
}
