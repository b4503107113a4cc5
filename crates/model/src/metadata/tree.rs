//! Answers as directories and files: what a listing names is there, because both come from one tree.

use serde_json::Value;

use super::Answer;

/// A directory of answers.
#[derive(Debug, Default)]
pub(super) struct Directory(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    name: String,
    /// How its directory's listing has it.
    listed: String,
    node: Node,
}

#[derive(Debug)]
enum Node {
    Directory(Directory),
    File(Answer),
}

impl Directory {
    /// With a file that is answered so.
    pub(super) fn file(mut self, name: &str, answer: Answer) -> Self {
        self.0.push(Entry {
            name: name.to_owned(),
            listed: name.to_owned(),
            node: Node::File(answer),
        });
        self
    }

    /// With a file that holds this text.
    pub(super) fn text(self, name: &str, text: impl ToString) -> Self {
        self.file(name, Answer::text(text))
    }

    /// With a file that holds this text, if there is any.
    pub(super) fn text_if(self, name: &str, text: Option<impl ToString>) -> Self {
        match text {
            Some(text) => self.text(name, text),
            None => self,
        }
    }

    /// With a directory.
    pub(super) fn directory(self, name: &str, directory: Directory) -> Self {
        self.listed(name, format!("{name}/"), directory)
    }

    /// With a directory, if there is something in it.
    pub(super) fn directory_if(self, name: &str, directory: Directory) -> Self {
        if directory.0.is_empty() {
            return self;
        }
        self.directory(name, directory)
    }

    /// With a directory that is listed by another name than its own.
    pub(super) fn listed(mut self, name: &str, listed: String, directory: Directory) -> Self {
        self.0.push(Entry {
            name: name.to_owned(),
            listed,
            node: Node::Directory(directory),
        });
        self
    }

    /// What is there under these names, each in the one before it: a file's contents, or a directory's listing.
    pub(super) fn find(&self, names: &[&str]) -> Option<Answer> {
        let Some((first, below)) = names.split_first() else {
            return Some(self.listing());
        };
        match &self.0.iter().find(|entry| entry.name == *first)?.node {
            Node::Directory(directory) => directory.find(below),
            Node::File(answer) => below.is_empty().then(|| answer.clone()),
        }
    }

    fn listing(&self) -> Answer {
        let lines: Vec<_> = self.0.iter().map(|entry| entry.listed.as_str()).collect();
        Answer::text(lines.join("\n"))
    }

    /// All of it as one document.
    pub(super) fn to_json(&self) -> Value {
        let value = |node: &Node| match node {
            Node::Directory(directory) => directory.to_json(),
            Node::File(answer) => String::from_utf8_lossy(&answer.body).into(),
        };
        self.0
            .iter()
            .map(|entry| (entry.name.clone(), value(&entry.node)))
            .collect()
    }
}
