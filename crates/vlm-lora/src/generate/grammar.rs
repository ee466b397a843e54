//! The form of a list, byte by byte.

/// The text that follows a name.
const COLON: &[u8] = b": ";

/// Lines of names and remarks.
#[derive(Debug)]
pub(super) struct Grammar {
    /// Names, each followed by the colon.
    names: Vec<Vec<u8>>,
    max_items: usize,
    max_words: usize,
}

/// The state of an answer in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    place: Place,
    /// By name.
    used: Vec<bool>,
    n_items: usize,
}

/// The place of an answer in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The bytes so far, part of a name and the colon.
    Name(Vec<u8>),
    /// Words so far, whether a space was last, and the character that is not complete.
    Remark { n_words: usize, after_space: bool, partial: Partial },
}

/// The bytes of a character so far, as its code so far, and how many are still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Partial {
    code: u32,
    n_left: u8,
    /// The smallest code that needs so many bytes.
    least: u32,
}

impl State {
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Whether the answer may end here.
    pub(super) fn may_end(&self) -> bool {
        match self.place {
            Place::Remark { n_words, after_space, partial } => {
                n_words > 0 && !after_space && partial.n_left == 0
            }
            Place::Name(_) => false,
        }
    }

    /// Whether no character of a remark is incomplete.
    pub(super) fn is_between_characters(&self) -> bool {
        !matches!(self.place, Place::Remark { partial: Partial { n_left: 1.., .. }, .. })
    }
}

impl Grammar {
    pub(super) fn new(names: &[&str], max_items: usize, max_words: usize) -> Self {
        let names = names.iter().map(|name| [name.as_bytes(), COLON].concat()).collect();
        Self { names, max_items, max_words }
    }

    pub(super) fn max_words(&self) -> usize {
        self.max_words
    }

    /// The name and the remark of `line`.
    pub(super) fn item<'a>(&self, line: &'a str) -> Option<(&'a str, &'a str)> {
        let name = self.names.iter().find(|name| line.as_bytes().starts_with(name))?;
        let (name, remark) = line.split_at_checked(name.len())?;
        Some((name.strip_suffix(": ")?, remark))
    }

    /// Before the first line.
    pub(super) fn start(&self) -> State {
        let used = vec![false; self.names.len()];
        State { place: Place::Name(Vec::new()), used, n_items: 0 }
    }

    /// After `byte`; `None` where it may not come.
    pub(super) fn step(&self, state: &State, byte: u8) -> Option<State> {
        match &state.place {
            Place::Name(line) => self.in_name(state, line, byte),
            Place::Remark { n_words, after_space, partial } => {
                if byte == b'\n' {
                    return self.next_line(state).filter(|_| state.may_end());
                }
                let (n_words, after_space, partial) =
                    self.in_remark(*n_words, *after_space, *partial, byte)?;
                let place = Place::Remark { n_words, after_space, partial };
                Some(State { place, ..state.clone() })
            }
        }
    }

    /// After a line break, now or later, if there may be one more line.
    pub(super) fn next_line(&self, state: &State) -> Option<State> {
        let more = state.n_items < self.max_items && state.used.iter().any(|used| !used);
        more.then(|| State { place: Place::Name(Vec::new()), ..state.clone() })
    }

    /// Tokens that may be needed until the end, the end token included, if each has one byte.
    pub(super) fn min_left(&self, state: &State) -> usize {
        match &state.place {
            Place::Name(line) => {
                let open = self.open(state, line).map(|(_, name)| name.len() - line.len());
                open.max().unwrap_or_default() + 2
            }
            Place::Remark { .. } if state.may_end() => 1,
            Place::Remark { partial, .. } => 2 + usize::from(partial.n_left),
        }
    }

    /// The unused names that begin with `line`.
    fn open<'a>(
        &'a self,
        state: &'a State,
        line: &'a [u8],
    ) -> impl Iterator<Item = (usize, &'a Vec<u8>)> {
        let unused = move |(i, name): &(usize, &Vec<u8>)| !state.used[*i] && name.starts_with(line);
        self.names.iter().enumerate().filter(unused)
    }

    fn in_name(&self, state: &State, line: &[u8], byte: u8) -> Option<State> {
        let line = [line, &[byte]].concat();
        let (i, name) = self.open(state, &line).next()?;
        if *name != line {
            return Some(State { place: Place::Name(line), ..state.clone() });
        }
        let mut used = state.used.clone();
        used[i] = true;
        let place = Place::Remark { n_words: 0, after_space: true, partial: Partial::default() };
        Some(State { place, used, n_items: state.n_items + 1 })
    }

    fn in_remark(
        &self,
        n_words: usize,
        after_space: bool,
        partial: Partial,
        byte: u8,
    ) -> Option<(usize, bool, Partial)> {
        let partial = partial.step(byte)?;
        if byte == b' ' {
            // Behind it another word must find room.
            return (!after_space && n_words < self.max_words).then_some((n_words, true, partial));
        }
        let n_words = n_words + usize::from(after_space);
        (n_words <= self.max_words).then_some((n_words, false, partial))
    }
}

impl Partial {
    /// After another byte of UTF-8; `None` where that is broken, or ends a character that cannot be seen.
    fn step(self, byte: u8) -> Option<Self> {
        let Self { code, n_left, least } = self;
        let next = match (n_left, byte) {
            (0, 0x00..=0x7f) => Self { code: u32::from(byte), n_left: 0, least: 0 },
            (0, 0xc2..=0xdf) => Self { code: u32::from(byte & 0x1f), n_left: 1, least: 0x80 },
            (0, 0xe0..=0xef) => Self { code: u32::from(byte & 0x0f), n_left: 2, least: 0x800 },
            (0, 0xf0..=0xf4) => Self { code: u32::from(byte & 0x07), n_left: 3, least: 0x10000 },
            (1.., 0x80..=0xbf) => {
                Self { code: code << 6 | u32::from(byte & 0x3f), n_left: n_left - 1, least }
            }
            _ => return None,
        };
        let whole = next.n_left > 0
            || char::from_u32(next.code).is_some_and(|c| next.code >= next.least && is_visible(c));
        // A first byte alone may be one from which no visible character follows.
        (whole && next.has_visible()).then_some(next)
    }

    /// Whether some visible character goes on like this.
    fn has_visible(self) -> bool {
        let shift = 6 * u32::from(self.n_left);
        let first = (self.code << shift).max(self.least);
        let last = (self.code << shift) | ((1 << shift) - 1);
        (first..=last).any(|code| char::from_u32(code).is_some_and(is_visible))
    }
}

/// Whether a character of a remark can be seen and does not steer what shows it.
fn is_visible(c: char) -> bool {
    let invisible = cifake::text::is_invisible(c)
        || matches!(c,
            '\u{fff0}'..='\u{fffd}' | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}');
    c == ' ' || !(c.is_control() || c.is_whitespace() || invisible)
}
