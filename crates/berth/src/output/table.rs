//! Tables: no borders, no wider than the terminal, states in colours.
//!
//! What doesn't fit is shortened with `…`, never wrapped: what stands farther to the right is less important, so the
//! right columns shrink first, then go. Through a pipe every value is whole. What is shown as a line a field is never
//! shortened: there somebody wants the whole of it.

use std::io;

use anstream::{AutoStream, ColorChoice};
use comfy_table::presets::NOTHING;
use comfy_table::{Cell, Color, Row, Table};
use crossterm::tty::IsTty as _;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Blanks between two columns.
const GAP: usize = 2;

/// A column with more than this is shortened to it before one goes: addresses and times stay whole.
const ENOUGH: usize = 16;

/// Columns that never go: a name and what is said of it first.
const STAY: usize = 2;

/// A table with these headings and no borders.
pub(crate) fn table<const N: usize>(headings: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(headings.map(str::to_uppercase));
    for row in rows {
        table.add_row(row);
    }
    table
}

/// One thing: a line for each of its fields.
pub(crate) fn fields<const N: usize>(rows: [(&str, String); N]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    for (name, value) in rows {
        table.add_row([name.to_owned(), value]);
    }
    table
}

/// A table as text for stdout, without blanks at the ends of its lines.
pub(crate) fn lines(table: &Table) -> String {
    let stdout = io::stdout();
    let terminal = stdout.is_tty().then(crossterm::terminal::size).and_then(Result::ok);
    let width = terminal
        .map(|(columns, _)| usize::from(columns))
        .filter(|columns| *columns > 0);
    render(table, width, AutoStream::choice(&stdout) != ColorChoice::Never)
}

fn render(table: &Table, width: Option<usize>, colours: bool) -> String {
    let mut shown = Table::new();
    shown.load_style(NOTHING).force_no_tty();
    if colours {
        shown.enforce_styling();
    }
    let headings: Vec<String> = table.header().map(texts).unwrap_or_default();
    let needed: Vec<usize> = table.column_max_content_widths().into_iter().map(usize::from).collect();
    let widths = match width {
        Some(width) if !headings.is_empty() => fit(&needed, width),
        _ => needed,
    };
    if !headings.is_empty() {
        shown.set_header(headings.iter().zip(&widths).map(|(text, width)| cut(text, *width)));
    }
    for row in table.row_iter().map(texts) {
        let heading = |place: usize| match headings.get(place) {
            Some(heading) => heading.as_str(),
            None => row.first().map_or("", String::as_str),
        };
        let cell = |(place, (text, width)): (usize, (&String, &usize))| {
            let cell = Cell::new(cut(text, *width));
            let of_state = place > 0 && ["STATE", "state", "OUTCOME", "outcome"].contains(&heading(place));
            match of_state.then(|| colour(text)).flatten() {
                Some(colour) if colours => cell.fg(colour),
                _ => cell,
            }
        };
        shown.add_row(row.iter().zip(&widths).enumerate().map(cell).collect::<Vec<_>>());
    }
    let mut text = String::new();
    for line in shown.lines() {
        // Each line begins with the blank that would be beside a border.
        text.push_str(line.strip_prefix(' ').unwrap_or(&line).trim_end());
        text.push('\n');
    }
    text
}

fn texts(row: &Row) -> Vec<String> {
    row.cell_iter().map(Cell::content).collect()
}

/// How wide each column is shown, so that all fit: those that are left out are missing at the end.
fn fit(needed: &[usize], width: usize) -> Vec<usize> {
    let mut widths = needed.to_vec();
    let too_wide = |widths: &[usize]| {
        let all = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
        all.saturating_sub(width)
    };
    loop {
        let over = too_wide(&widths);
        shrink(&mut widths, over, ENOUGH);
        let over = too_wide(&widths);
        if over == 0 {
            return widths;
        }
        if widths.len() <= STAY {
            shrink(&mut widths, over, 1);
            return widths;
        }
        widths = needed[..widths.len() - 1].to_vec();
    }
}

/// Takes so many characters away, from the right, and leaves each column that many.
fn shrink(widths: &mut [usize], mut over: usize, leave: usize) {
    for width in widths.iter_mut().rev() {
        let less = over.min(width.saturating_sub(leave));
        *width -= less;
        over -= less;
    }
}

/// A text cut to so many columns, and that it is.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let (mut kept, mut room) = (String::new(), width.saturating_sub(1));
    for character in text.chars() {
        let wide = character.width().unwrap_or(0);
        if wide > room {
            break;
        }
        room -= wide;
        kept.push(character);
    }
    if width == 0 { kept } else { kept + "…" }
}

/// What colour a state is: as it should be, broken, or on its way. What rests otherwise has none.
fn colour(state: &str) -> Option<Color> {
    match state.split(' ').next().unwrap_or_default() {
        "Active" | "Available" | "In-use" | "succeeded" => Some(Color::DarkGreen),
        "Error" | "failed" => Some(Color::DarkRed),
        "Stopped" | "Shelved_offloaded" | "Reserved" | "cancelled" | "-" | "" => None,
        _ => Some(Color::DarkYellow),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instances() -> Table {
        let row = |name: &str, state: &str| {
            [name, state, "t1.nano", "10.0.0.2", "203.0.113.16", "31 min ago"].map(str::to_owned)
        };
        let rows = [row("web-with-a-long-name", "Active"), row("db", "Block_device_mapping")];
        table(["name", "state", "type", "address", "public ip", "created"], rows)
    }

    #[test]
    fn through_a_pipe_values_are_whole() {
        insta::assert_snapshot!("pipe", render(&instances(), None, false));
    }

    #[test]
    fn on_a_terminal_the_right_shrinks_first_and_then_goes() {
        insta::assert_snapshot!("80", render(&instances(), Some(80), false));
        insta::assert_snapshot!("50", render(&instances(), Some(50), false));
        insta::assert_snapshot!("20", render(&instances(), Some(20), false));
        for width in 5..140 {
            let text = render(&instances(), Some(width), false);
            assert!(text.lines().all(|line| line.width() <= width), "{width}:\n{text}");
            assert_eq!(text.lines().count(), 3, "nothing is wrapped");
        }
    }

    #[test]
    fn states_have_colours_if_somebody_sees_them() {
        let text = render(&instances(), None, true);
        assert!(text.contains("\u{1b}[38;5;2m Active"), "{text:?}");
        let one = fields([("name", "web".to_owned()), ("state", "Error".to_owned())]);
        assert!(render(&one, None, true).contains("\u{1b}["));
        assert!(!render(&one, None, false).contains('\u{1b}'));
        assert_eq!(colour("Powering-off"), Some(Color::DarkYellow));
        assert_eq!(colour("Stopped"), None);
    }

    #[test]
    fn wide_characters_count_for_two() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 6), "日本語");
        assert_eq!(cut("abc", 0), "");
    }
}
