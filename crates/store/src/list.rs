//! How a page of a list is queried: conditions put together, in an order, from a cursor. Every list is made of these.
//!
//! ```text
//!   Select::from(…) ─ and, given, one_of ─▶ conditions ─┐
//!   ListBy: names, labels, sort, cursor, limit ─────────┴─▶ page ─▶ one statement ─▶ Listed: entries, where they end
//! ```
//!
//! The text is put together of words of ours only; all that came from outside is bound.

use berth_model::{Cursor, LabelSelector, NamePattern, Sort, SortKey};
use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use crate::row::{Columns as _, Sql};
use crate::{Store, StoreError};

#[cfg(test)]
mod tests;

/// Which page of a list is wanted, in which order, and of what names and labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListBy {
    /// The most entries.
    pub limit: u32,
    /// The order.
    pub sort: Sort,
    /// Where the page before ended. Of the same order.
    pub after: Option<Cursor>,
    /// Only what is called so.
    pub name: Option<NamePattern>,
    /// Only what has all of these labels.
    pub labels: Vec<LabelSelector>,
}

impl ListBy {
    /// The first so many entries in that order.
    pub fn first(limit: u32, sort: Sort) -> Self {
        Self {
            limit,
            sort,
            after: None,
            name: None,
            labels: Vec::new(),
        }
    }
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Where the next page begins; none after the last one.
    pub next: Option<Cursor>,
}

impl<T> Listed<T> {
    /// The same page of other entries that tell the same.
    pub fn with<U>(self, items: Vec<U>) -> Listed<U> {
        Listed { items, next: self.next }
    }
}

/// A value that is bound.
#[derive(Debug, Clone)]
pub(crate) enum Bound {
    Text(String),
    Number(i64),
}

impl From<&str> for Bound {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Bound {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Bound {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// Where the rows of a list have what lists are filtered by and in the order of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// The column of ids.
    pub(crate) id: &'static str,
    /// What entries are called; none if they aren't: such a list is in the order of age.
    pub(crate) name: Option<&'static str>,
    /// When entries were made.
    pub(crate) created_at: &'static str,
}

impl Shape {
    /// What most tables look like, called `t`.
    pub(crate) const USUAL: Self = Self {
        id: "t.id",
        name: Some("t.name"),
        created_at: "t.created_at",
    };

    /// By which column a list in that order is sorted.
    fn key(self, sort: Sort) -> (SortKey, &'static str) {
        match (sort.key, self.name) {
            (SortKey::Name, Some(name)) => (SortKey::Name, name),
            (SortKey::CreatedAt, _) | (SortKey::Name, None) => (SortKey::CreatedAt, self.created_at),
        }
    }
}

/// A statement that is put together.
#[derive(Debug, Clone)]
pub(crate) struct Select {
    text: String,
    conditions: usize,
    bound: Vec<Bound>,
}

impl Select {
    /// Everything of a table, called `t`.
    pub(crate) fn from(select: &'static str) -> Self {
        Self {
            text: select.to_owned(),
            conditions: 0,
            bound: Vec::new(),
        }
    }

    /// Binds a value; its place in the statement.
    fn bind(&mut self, value: Bound) -> String {
        self.bound.push(value);
        format!("${}", self.bound.len())
    }

    fn begin_condition(&mut self) {
        self.text
            .push_str(if self.conditions == 0 { " WHERE " } else { " AND " });
        self.conditions += 1;
    }

    /// Only what a condition holds for; each `?` in it is the next of these values.
    pub(crate) fn and(mut self, condition: &str, values: impl IntoIterator<Item = Bound>) -> Self {
        self.begin_condition();
        let mut values = values.into_iter();
        let mut pieces = condition.split('?');
        self.text.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            if let Some(value) = values.next() {
                let place = self.bind(value);
                self.text.push_str(&place);
            }
            self.text.push_str(piece);
        }
        self
    }

    /// Likewise with one value, if it is given.
    pub(crate) fn given<V: Into<Bound>>(self, condition: &str, value: Option<V>) -> Self {
        match value {
            Some(value) => self.and(condition, [value.into()]),
            None => self,
        }
    }

    /// Only rows whose column has one of these values; none of them if there are none.
    pub(crate) fn one_of<V: ToString>(mut self, column: &'static str, values: &[V]) -> Self {
        self.begin_condition();
        let places: Vec<_> = values
            .iter()
            .map(|value| self.bind(Bound::Text(value.to_string())))
            .collect();
        match places.as_slice() {
            [] => self.text.push_str("1 = 0"),
            places => self.text.push_str(&format!("{column} IN ({})", places.join(", "))),
        }
        self
    }

    /// Only what is called so.
    fn named(self, name: &'static str, pattern: &NamePattern) -> Self {
        match pattern {
            NamePattern::Exactly(wanted) => self.and(&format!("{name} = ?"), [wanted.as_str().into()]),
            NamePattern::Prefix(begins) => self.begins(name, begins),
        }
    }

    /// Only rows whose column begins so. LIKE means another thing in each of the databases.
    pub(crate) fn begins(self, column: &'static str, text: &str) -> Self {
        let length = text.chars().count();
        self.and(&format!("substr({column}, 1, {length}) = ?"), [text.into()])
    }

    /// Only what has a label. What has it in a project is read from the index of labels; where entries are of several
    /// projects, each entry's own labels are looked at.
    fn labelled(mut self, id: &'static str, project: Option<&str>, selector: &LabelSelector) -> Self {
        self.begin_condition();
        let key = self.bind(selector.key.as_str().into());
        let mut matches = format!("l.label_key = {key}");
        if let Some(value) = &selector.value {
            let value = self.bind(value.as_str().into());
            matches.push_str(&format!(" AND l.label_value = {value}"));
        }
        let condition = match project {
            Some(project) => {
                let project = self.bind(project.into());
                format!("{id} IN (SELECT l.resource FROM labels l WHERE l.project = {project} AND {matches})")
            }
            None => format!("EXISTS (SELECT 1 FROM labels l WHERE l.resource = {id} AND {matches})"),
        };
        self.text.push_str(&condition);
        self
    }

    /// The page of it that is asked for, and one row more if there is one. `project` is whose all entries are.
    fn page(mut self, shape: Shape, project: Option<&str>, by: &ListBy) -> Self {
        if let (Some(name), Some(pattern)) = (shape.name, &by.name) {
            self = self.named(name, pattern);
        }
        for selector in &by.labels {
            self = self.labelled(shape.id, project, selector);
        }
        let (key, column) = shape.key(by.sort);
        let (id, descending) = (shape.id, by.sort.descending);
        if let Some(after) = &by.after {
            self.begin_condition();
            let value = match key {
                SortKey::CreatedAt => Bound::Number(after.key.parse().unwrap_or(i64::MAX)),
                SortKey::Name => Bound::Text(after.key.clone()),
            };
            let (value, last) = (self.bind(value), self.bind(after.id.as_str().into()));
            let follows = if descending { '<' } else { '>' };
            let condition = format!("({column}, {id}) {follows} ({value}, {last})");
            self.text.push_str(&condition);
        }
        let way = if descending { " DESC" } else { "" };
        let limit = u64::from(by.limit) + 1;
        self.text
            .push_str(&format!(" ORDER BY {column}{way}, {id}{way} LIMIT {limit}"));
        self
    }

    /// Ends with these words of SQL.
    pub(crate) fn ending(mut self, words: &'static str) -> Self {
        self.text.push_str(words);
        self
    }

    /// The statement, as it is.
    pub(crate) fn all(self) -> Sql {
        let query: Sql = sqlx::query(AssertSqlSafe(self.text)).persistent(false);
        self.bound.into_iter().fold(query, |query, value| match value {
            Bound::Text(text) => query.bind(text),
            Bound::Number(number) => query.bind(number),
        })
    }
}

impl Store {
    /// A page of a list.
    pub(crate) async fn page<T>(
        &self,
        select: Select,
        shape: Shape,
        (project, by): (Option<&str>, &ListBy),
        read: fn(&AnyRow) -> Result<T, StoreError>,
    ) -> Result<Listed<T>, StoreError> {
        let mut rows = self.all(select.page(shape, project, by).all()).await?;
        let limit = by.limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more);
        let next = last.map(|row| ends_at(row, shape, by.sort)).transpose()?;
        let items = rows.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Listed { items, next })
    }
}

/// The cursor of a page that ends with that row.
fn ends_at(row: &AnyRow, shape: Shape, sort: Sort) -> Result<Cursor, StoreError> {
    let id = shape.id.rsplit('.').next().unwrap_or(shape.id);
    let key = match shape.key(sort).0 {
        SortKey::CreatedAt => row.number::<i64>("created_at")?.to_string(),
        SortKey::Name => row.maybe_text("name")?.unwrap_or_default(),
    };
    Ok(Cursor {
        sort,
        key,
        id: row.text(id)?,
    })
}
