//! What is used, as lines of text that fit. Pure.
//!
//! Columns go from the right where the window is too narrow, and names are cut; what has no room below is counted. Where
//! there is more than one project, names have it before them.

use jiff::Timestamp;

use super::Sort;
use super::usage::Usage;

/// A column: its heading, the fewest characters it takes, and what it shows. All but the first two are numbers.
struct Column {
    heading: &'static str,
    show: fn(&Usage) -> String,
}

const COLUMNS: [Column; 9] = [
    column("NAME", |row| row.name.to_string()),
    column("STATE", |row| row.state.clone()),
    column("CPU %", |row| {
        row.cpu_percent.map_or_else(dash, |percent| format!("{percent:.1}"))
    }),
    column("VCPUS", |row| row.vcpus.to_string()),
    column("MEMORY", |row| row.memory_resident_bytes.map_or_else(dash, bytes)),
    column("OF", |row| row.memory_bytes.map_or_else(dash, bytes)),
    column("DISK R/W", |row| {
        pair(row.disk_read_bytes_per_second, row.disk_written_bytes_per_second)
    }),
    column("NET IN/OUT", |row| {
        pair(row.network_received_bytes_per_second, row.network_sent_bytes_per_second)
    }),
    column("ID", |row| row.id.to_string()),
];

const fn column(heading: &'static str, show: fn(&Usage) -> String) -> Column {
    Column { heading, show }
}

/// How many columns are of words, and so to the left.
const WORDS: usize = 2;

/// The most characters of a name that push other columns away.
const NAME_MAX: usize = 32;

/// A screen of that width and height: the sum, the table, and what else there is.
pub(crate) fn page(
    rows: &[Usage],
    (at, sort, fault): (Timestamp, Sort, Option<&str>),
    (width, height): (usize, usize),
) -> Vec<String> {
    let cpu: f64 = rows.iter().filter_map(|row| row.cpu_percent).sum();
    let memory: u64 = rows.iter().filter_map(|row| row.memory_resident_bytes).sum();
    let running = rows.iter().filter(|row| row.memory_bytes.is_some()).count();
    let time = at.strftime("%H:%M:%S");
    let mut lines = vec![
        cut(
            &format!(
                "berth top  {time} UTC  {running} of {} instances run  CPU {cpu:.0} %  memory {}",
                rows.len(),
                bytes(memory)
            ),
            width,
        ),
        cut(&fault.map_or_else(|| keys(sort), |fault| format!("! {fault}")), width),
        String::new(),
    ];
    let room = height.saturating_sub(lines.len() + 1).max(1);
    let mut table = table(rows, Some(width));
    if table.len() > room + 1 {
        let shown = room.saturating_sub(1);
        table.truncate(shown + 1);
        table.push(cut(&format!("… and {} more", rows.len() - shown), width));
    }
    lines.extend(table);
    lines.truncate(height.max(1));
    lines
}

fn keys(sort: Sort) -> String {
    let by = match sort {
        Sort::Cpu => "CPU",
        Sort::Memory => "memory",
        Sort::Disk => "disk",
        Sort::Network => "network",
        Sort::Name => "name",
    };
    format!("by {by}   sort: c CPU, m memory, d disk, n network, a name, r reverse   q quit")
}

/// A heading and a line a row, no wider than that.
pub(crate) fn table(rows: &[Usage], width: Option<usize>) -> Vec<String> {
    let mut cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| COLUMNS.iter().map(|column| (column.show)(row)).collect())
        .collect();
    let one_project = rows.windows(2).all(|pair| pair[0].project == pair[1].project);
    if !one_project {
        for (cells, row) in cells.iter_mut().zip(rows) {
            cells[0] = format!("{}/{}", row.project, row.name);
        }
    }
    let mut widths: Vec<usize> = COLUMNS.iter().map(|column| column.heading.len()).collect();
    for row in &cells {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(cell.chars().count());
        }
    }
    widths[0] = widths[0].min(NAME_MAX.max(COLUMNS[0].heading.len()));
    let width = width.unwrap_or(usize::MAX);
    let mut columns = widths.len();
    let needed = |columns: usize| widths[..columns].iter().sum::<usize>() + 2 * (columns - 1);
    while columns > WORDS + 1 && needed(columns) > width {
        columns -= 1;
    }
    let line = |cells: Vec<&str>| {
        let cell = |(place, text): (usize, &&str)| {
            let (text, width) = (cut(text, widths[place]), widths[place]);
            if place < WORDS || place + 1 == COLUMNS.len() {
                format!("{text:<width$}")
            } else {
                format!("{text:>width$}")
            }
        };
        let cells: Vec<_> = cells[..columns].iter().enumerate().map(cell).collect();
        cut(cells.join("  ").trim_end(), width)
    };
    let heading = line(COLUMNS.iter().map(|column| column.heading).collect());
    let rows = cells.iter().map(|row| line(row.iter().map(String::as_str).collect()));
    std::iter::once(heading).chain(rows).collect()
}

fn dash() -> String {
    "-".to_owned()
}

fn pair(one: Option<f64>, other: Option<f64>) -> String {
    let show = |rate: Option<f64>| rate.map_or_else(dash, scaled);
    match (one, other) {
        (None, None) => dash(),
        _ => format!("{}/{}", show(one), show(other)),
    }
}

#[allow(clippy::cast_precision_loss, reason = "it is shown with three digits")]
fn bytes(bytes: u64) -> String {
    scaled(bytes as f64)
}

/// An amount of bytes with about three digits and the letter of its binary unit.
fn scaled(bytes: f64) -> String {
    let mut amount = bytes;
    for unit in ["", "K", "M", "G"] {
        if amount < 999.5 {
            return match unit {
                "" => format!("{amount:.0}"),
                _ if amount < 9.95 => format!("{amount:.1}{unit}"),
                _ => format!("{amount:.0}{unit}"),
            };
        }
        amount /= 1024.0;
    }
    format!("{amount:.1}T")
}

/// A text cut to so many characters, and that it is.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    if width == 0 { kept } else { kept + "…" }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn rows(count: u32) -> Vec<Usage> {
        let row = |number: u32| Usage {
            id: "0198f3c2-7a10-7e1b-9d0a-5c1f6f4e2b11".parse().unwrap(),
            project: "default".to_owned(),
            name: format!("web-{number}").parse().unwrap(),
            state: if number == 3 { "Stopped" } else { "Active" }.to_owned(),
            vcpus: 2,
            cpu_percent: (number != 3).then(|| f64::from(number) * 49.96),
            memory_bytes: (number != 3).then_some(512 << 20),
            memory_resident_bytes: (number != 3).then_some(300 << 20),
            disk_read_bytes_per_second: (number != 3).then_some(1_500_000.0),
            disk_written_bytes_per_second: (number != 3).then_some(0.0),
            network_received_bytes_per_second: (number < 2).then_some(800.0),
            network_sent_bytes_per_second: (number < 2).then_some(12_345_678.0),
        };
        (1..=count).map(row).collect()
    }

    fn shown(count: u32, size: (usize, usize), fault: Option<&str>) -> String {
        let at = "2026-11-26T09:00:00Z".parse().unwrap();
        page(&rows(count), (at, Sort::Cpu, fault), size).join("\n")
    }

    #[test]
    fn a_page_fits_its_window_and_says_what_it_leaves_out() {
        insta::assert_snapshot!("wide", shown(4, (140, 20), None));
        insta::assert_snapshot!("narrow", shown(9, (60, 9), None));
        insta::assert_snapshot!("fault", shown(2, (80, 24), Some("libvirt can't be reached")));
        for width in 1..160 {
            for height in 1..20 {
                let text = shown(9, (width, height), None);
                assert!(text.lines().count() <= height, "{width}×{height}:\n{text}");
                assert!(
                    text.lines().all(|line| line.chars().count() <= width),
                    "{width}×{height}:\n{text}"
                );
            }
        }
    }

    #[test]
    fn names_of_several_projects_say_whose_they_are() {
        let mut rows = rows(2);
        rows[1].project = "lab".to_owned();
        let names: Vec<_> = table(&rows, Some(14))
            .into_iter()
            .map(|line| line[..13].trim().to_owned())
            .collect();
        assert_eq!(names, ["NAME", "default/web-1", "lab/web-2"]);
    }

    #[test]
    fn amounts_have_three_digits_at_most() {
        let amounts = [0.0, 999.0, 1000.0, 1024.0, 10_240.0, 1_048_000.0, 5e9, 3e15];
        let shown = amounts.map(scaled);
        assert_eq!(shown, ["0", "999", "1.0K", "1.0K", "10K", "1.0M", "4.7G", "2728.5T"]);
    }
}
