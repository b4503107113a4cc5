//! Server-sent events, parsed as they come (WHATWG HTML, "Server-sent events"): only `data` matters to us.

/// Collects the bytes of a stream and gives back the data of each whole event.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    data: Vec<u8>,
}

impl Parser {
    /// Takes the next bytes; returns the data of the events that they end.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut events = Vec::new();
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let line = line.strip_suffix(b"\r").unwrap_or(&line);
            if line.is_empty() {
                if !self.data.is_empty() {
                    events.push(std::mem::take(&mut self.data));
                }
            } else if let Some(rest) = line.strip_prefix(b"data:") {
                if !self.data.is_empty() {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(rest.strip_prefix(b" ").unwrap_or(rest));
            }
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Parser;

    const STREAM: &[u8] =
        b": hello\n\nid: 1\nevent: a\ndata: {\"seq\":1}\n\ndata: one\r\ndata:two\r\n\r\ndata: cut off";

    proptest! {
        #[test]
        fn however_the_bytes_come_the_events_are_the_same(cuts in prop::collection::vec(0..STREAM.len(), 0..8)) {
            let mut cuts = cuts;
            cuts.extend([0, STREAM.len()]);
            cuts.sort_unstable();
            let mut parser = Parser::default();
            let events: Vec<_> = cuts.windows(2).flat_map(|pair| parser.push(&STREAM[pair[0]..pair[1]])).collect();
            prop_assert_eq!(events, vec![b"{\"seq\":1}".to_vec(), b"one\ntwo".to_vec()]);
        }
    }
}
