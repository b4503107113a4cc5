//! Lists are paged: in an order, each page after the one before. What all lists are asked by is said here once.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// One page of a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The entries, in the order that was asked for; oldest first if none was.
    pub items: Vec<T>,
    /// What to give as `after` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which page of a list is wanted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// The most entries on the page: 1 to 500, 100 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// Only entries after this one: the `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// What every list of resources is asked by, as it came.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// The most entries on the page.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub after: Option<&'a str>,
    /// The order.
    pub sort: Option<&'a str>,
    /// A name, or with a `*` the beginning of names.
    pub name: Option<&'a str>,
    /// Labels as `KEY` or `KEY=VALUE`.
    pub label: &'a [String],
}

/// The query of a list of resources.
pub trait ListQuery {
    /// What every list is asked by.
    fn asked(&self) -> Asked<'_>;
}

/// The query of a list: what it may be filtered by besides what all lists may.
///
/// `named` lists can be filtered and sorted by name, those of what has no `nameless` can't.
macro_rules! list_query {
    (named $(#[$doc:meta])* $query:ident { $($(#[$about:meta])* $field:ident: $type:ident,)* }) => {
        list_query! {
            [name] $(#[$doc])* $query {
                $($(#[$about])* $field: $type,)*
                /// `created_at` (if not given): oldest first; `-created_at`, `name`, `-name`.
                sort: String,
                /// Only what is called so; `web-*` for all names that begin with `web-`.
                name: String,
            }
        }
    };
    (nameless $(#[$doc:meta])* $query:ident { $($(#[$about:meta])* $field:ident: $type:ident,)* }) => {
        list_query! {
            [] $(#[$doc])* $query {
                $($(#[$about])* $field: $type,)*
                /// `created_at` (if not given): oldest first; or `-created_at`.
                sort: String,
            }
        }
    };
    (@name $self:tt) => { None };
    (@name $self:tt $name:ident) => { $self.$name.as_deref() };
    ([$($name:ident)?] $(#[$doc:meta])* $query:ident { $($(#[$about:meta])* $field:ident: $type:ident,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize, utoipa::IntoParams)]
        #[into_params(parameter_in = Query)]
        #[serde(deny_unknown_fields)]
        pub struct $query {
            $(
                $(#[$about])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $field: Option<$type>,
            )*
            /// Only what has this label, as `KEY` or `KEY=VALUE`; of several, all have to be there.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub label: Vec<String>,
            /// The most entries on the page: 1 to 500, 100 if not given.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[param(minimum = 1, maximum = 500)]
            pub limit: Option<u32>,
            /// Only entries after this one: the `next` of the page before, of the same order.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub after: Option<String>,
        }

        impl $crate::ListQuery for $query {
            fn asked(&self) -> $crate::Asked<'_> {
                $crate::Asked {
                    limit: self.limit,
                    after: self.after.as_deref(),
                    sort: self.sort.as_deref(),
                    label: &self.label,
                    name: list_query!(@name self $($name)?),
                }
            }
        }
    };
}
pub(crate) use list_query;

list_query! {
    named
    /// Which entries of a list are wanted that is filtered by nothing of its own.
    NamedQuery {}
}
