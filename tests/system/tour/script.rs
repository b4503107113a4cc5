//! README.md as a script: what its sections have to be typed, and what they show of the answers.
//!
//! ````text
//!   ## A tour                          a section; each is acted on a host of its own
//!   <!-- tour: config                  lines of the daemon's configuration, before anything else
//!   <!-- tour: before                  commands that aren't shown: what the section takes for granted
//!   <!-- tour: numbers -->             the numbers of the next block differ from run to run
//!   <!-- tour: not run: REASON -->     the next block isn't run
//!   <!-- tour: apply -->               the next block of TOML becomes the daemon's configuration, not only looked at
//!   ```console
//!   # berth host show                  typed on the host; the lines below are the answer
//!   elsewhere$ ssh …                   typed by a neighbour on the network
//!   ```
//! ````

/// A section of the document.
#[derive(Debug, Default)]
pub(crate) struct Section {
    pub(crate) title: String,
    pub(crate) parts: Vec<Part>,
}

/// What a section consists of, in its order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The daemon's first configuration.
    Config(String),
    /// Commands that aren't shown.
    Before(Vec<String>),
    /// A configuration that is shown.
    Toml { text: String, apply: bool },
    /// Something that is typed.
    Step(Step),
    /// A block that isn't run.
    NotRun { reason: String },
}

/// One command, and what is shown of its answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Typed by a neighbour, not on the host.
    pub(crate) elsewhere: bool,
    pub(crate) command: String,
    pub(crate) shown: Vec<String>,
    /// Whether all numbers of the answer differ from run to run.
    pub(crate) numbers: bool,
    /// Where in the document the answer begins: the index of its first line.
    pub(crate) at: usize,
}

/// What the lines being read are part of.
enum Inside {
    Prose,
    Comment(String),
    Fence(String),
}

/// What a comment has said of the next block.
#[derive(Default)]
struct Note {
    numbers: bool,
    apply: bool,
    reason: Option<String>,
}

/// Reads the sections that have something for the tour in them.
pub(crate) fn read(text: &str) -> Vec<Section> {
    let mut sections = vec![Section::default()];
    let (mut inside, mut note, mut body) = (Inside::Prose, Note::default(), Vec::<(usize, &str)>::new());
    for (at, line) in text.lines().enumerate() {
        match &inside {
            Inside::Prose => {
                if let Some(title) = line.strip_prefix("## ") {
                    sections.push(Section {
                        title: title.to_owned(),
                        parts: Vec::new(),
                    });
                } else if let Some(said) = line.strip_prefix("<!-- tour: ") {
                    match said.strip_suffix(" -->") {
                        Some(said) => note.take(said),
                        None => inside = Inside::Comment(said.to_owned()),
                    }
                } else if let Some(language) = line.strip_prefix("```") {
                    inside = Inside::Fence(language.to_owned());
                }
            }
            Inside::Comment(kind) if line == "-->" => {
                let lines: Vec<_> = body.drain(..).map(|(_, line)| line.to_owned()).collect();
                let part = match kind.as_str() {
                    "config" => Part::Config(lines.join("\n")),
                    "before" => Part::Before(lines),
                    other => panic!("line {}: '{other}' is neither config nor before", at + 1),
                };
                sections.last_mut().expect("a section").parts.push(part);
                inside = Inside::Prose;
            }
            Inside::Fence(language) if line == "```" => {
                let parts = block(language, std::mem::take(&mut note), &body);
                sections.last_mut().expect("a section").parts.extend(parts);
                body.clear();
                inside = Inside::Prose;
            }
            Inside::Comment(_) | Inside::Fence(_) => body.push((at, line)),
        }
    }
    sections.retain(|section| !section.parts.is_empty());
    sections
}

impl Note {
    fn take(&mut self, said: &str) {
        match said {
            "numbers" => self.numbers = true,
            "apply" => self.apply = true,
            other => {
                let reason = other.strip_prefix("not run: ");
                self.reason = Some(
                    reason
                        .unwrap_or_else(|| panic!("'{other}' is no word of the tour"))
                        .to_owned(),
                );
            }
        }
    }
}

fn block(language: &str, note: Note, body: &[(usize, &str)]) -> Vec<Part> {
    if !["console", "toml"].contains(&language) {
        return Vec::new();
    }
    if let Some(reason) = note.reason {
        return vec![Part::NotRun { reason }];
    }
    if language == "toml" {
        let text = body.iter().map(|(_, line)| *line).collect::<Vec<_>>().join("\n") + "\n";
        let apply = note.apply;
        return vec![Part::Toml { text, apply }];
    }
    let mut steps: Vec<Step> = Vec::new();
    for (at, line) in body {
        let (here, there) = (line.strip_prefix("# "), line.strip_prefix("elsewhere$ "));
        let unfinished = |step: &&mut Step| step.command.ends_with('\\') && step.shown.is_empty();
        if let Some(command) = here.or(there) {
            steps.push(Step {
                elsewhere: there.is_some(),
                command: command.to_owned(),
                shown: Vec::new(),
                numbers: note.numbers,
                at: at + 1,
            });
        } else if let Some(step) = steps.last_mut().filter(unfinished) {
            step.command.push_str(&format!("\n{line}"));
            step.at = at + 1;
        } else {
            let step = steps.last_mut().expect("a command before its answer");
            step.shown.push((*line).to_owned());
        }
    }
    for step in &mut steps {
        while step.shown.last().is_some_and(String::is_empty) {
            step.shown.pop();
        }
    }
    steps.into_iter().map(Part::Step).collect()
}

/// The document with other answers in one of its sections, one for each of its steps.
pub(crate) fn rewrite(text: &str, title: &str, answers: &[Vec<String>]) -> String {
    let sections = read(text);
    let section = sections.iter().find(|section| section.title == title);
    let parts = &section.expect("the section").parts;
    let steps = parts.iter().filter_map(|part| match part {
        Part::Step(step) => Some(step),
        _ => None,
    });
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (step, answer) in steps.zip(answers).collect::<Vec<_>>().into_iter().rev() {
        lines.splice(step.at..step.at + step.shown.len(), answer.iter().cloned());
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# Berth
## One
Words.
<!-- tour: config
stop_grace = 5
-->
<!-- tour: before
berth image import tiny.qcow2
-->
```console
# echo one; \\
    echo two   # a comment
one
two

elsewhere$ true
```
    # indented blocks are no part of it
<!-- tour: numbers -->
```console
# date +%s
1795600000
```
## Words only
```text
# nothing
```
## Two
<!-- tour: not run: it takes a mainframe -->
```console
# halt
```
```toml
stop_grace = 30
```
";

    #[test]
    fn a_document_is_read_as_what_is_to_be_typed() {
        let sections = read(TEXT);
        let titles: Vec<_> = sections.iter().map(|section| section.title.as_str()).collect();
        assert_eq!(titles, ["One", "Two"]);
        let [
            Part::Config(config),
            Part::Before(before),
            Part::Step(one),
            Part::Step(there),
            Part::Step(date),
        ] = &sections[0].parts[..]
        else {
            panic!("{:?}", sections[0].parts);
        };
        assert_eq!(config, "stop_grace = 5");
        assert_eq!(before[..], ["berth image import tiny.qcow2"]);
        assert_eq!(one.command, "echo one; \\\n    echo two   # a comment");
        assert_eq!(
            (one.shown.join("|").as_str(), one.elsewhere, one.numbers),
            ("one|two", false, false)
        );
        assert_eq!(
            (there.command.as_str(), there.shown.len(), there.elsewhere),
            ("true", 0, true)
        );
        assert!(date.numbers);
        let reason = "it takes a mainframe".to_owned();
        let text = "stop_grace = 30\n".to_owned();
        assert_eq!(
            sections[1].parts,
            [Part::NotRun { reason }, Part::Toml { text, apply: false }]
        );
    }

    #[test]
    fn answers_are_put_where_they_were() {
        let answers = [vec!["eins".to_owned()], vec![], vec!["2".to_owned(), "3".to_owned()]];
        let text = rewrite(TEXT, "One", &answers);
        assert!(text.contains("# a comment\neins\n\nelsewhere$ true\n```\n"), "{text}");
        assert!(text.contains("# date +%s\n2\n3\n```\n"), "{text}");
        assert_eq!(rewrite(TEXT, "Two", &[]), TEXT);
    }
}
