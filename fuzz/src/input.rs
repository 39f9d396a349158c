//! What a decoder gets: an example with some edits, because random bytes rarely pass the first check of a decoder.

use bolero::TypeGenerator;

/// Bytes for a decoder: a valid example with some edits.
#[derive(Clone, Debug, PartialEq, Eq, TypeGenerator)]
pub struct Input {
    /// Which example; any number.
    pub example: u8,
    /// Few, because most edits make an input invalid, and then the next ones reach nothing new.
    #[generator(bolero::produce::<Vec<Edit>>().with().len(0_usize..=3))]
    pub edits: Vec<Edit>,
}

/// A change of bytes. Positions are any numbers: the remainder of the division by the length counts.
#[derive(Clone, Debug, PartialEq, Eq, TypeGenerator)]
pub enum Edit {
    /// Replaces a byte.
    Replace(u16, u8),
    /// Inverts a bit.
    Invert(u16, u8),
    /// Inserts bytes.
    Insert(
        u16,
        #[generator(bolero::produce::<Vec<u8>>().with().len(1_usize..=8))] Vec<u8>,
    ),
    /// Inserts a copy of a part: from, length, to.
    Copy(u16, u8, u16),
    /// Removes a part: from, length.
    Remove(u16, u8),
    /// Removes the rest.
    Truncate(u16),
    /// Replaces all by any bytes.
    All(#[generator(bolero::produce::<Vec<u8>>().with().len(0_usize..=100))] Vec<u8>),
    /// Replaces the rest by that of another example: from, which example.
    Splice(u16, u8),
}

impl Input {
    /// The bytes. `examples` must not be empty.
    pub fn bytes(&self, examples: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = example_of(examples, self.example).to_vec();
        for edit in &self.edits {
            edit.apply(&mut bytes, examples);
        }
        bytes
    }
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>, examples: &[Vec<u8>]) {
        let length = bytes.len();
        let place = |position: u16| usize::from(position) % (length + 1);
        let part = |from: u16, count: u8| place(from)..(place(from) + usize::from(count)).min(length);
        match self {
            Self::Replace(position, byte) => {
                if let Some(replaced) = bytes.get_mut(place(*position)) {
                    *replaced = *byte;
                }
            }
            Self::Invert(position, bit) => {
                if let Some(byte) = bytes.get_mut(place(*position)) {
                    *byte ^= 1 << (bit % 8);
                }
            }
            Self::Insert(position, inserted) => {
                let position = place(*position);
                bytes.splice(position..position, inserted.iter().copied());
            }
            Self::Copy(from, count, to) => {
                let copied = bytes.get(part(*from, *count)).unwrap_or_default().to_vec();
                let to = place(*to);
                bytes.splice(to..to, copied);
            }
            Self::Remove(from, count) => drop(bytes.drain(part(*from, *count))),
            Self::All(any) => bytes.clone_from(any),
            Self::Truncate(position) => bytes.truncate(place(*position)),
            Self::Splice(position, example) => {
                let position = place(*position);
                bytes.truncate(position);
                bytes.extend_from_slice(example_of(examples, *example).get(position..).unwrap_or_default());
            }
        }
    }
}

fn example_of(examples: &[Vec<u8>], number: u8) -> &[u8] {
    examples
        .get(usize::from(number) % examples.len().max(1))
        .map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(edits: &[Edit]) -> String {
        let examples = [b"abcdef".to_vec(), b"ABCDEFGH".to_vec()];
        let input = Input {
            example: 2,
            edits: edits.to_vec(),
        };
        String::from_utf8(input.bytes(&examples)).unwrap()
    }

    #[test]
    fn each_edit_changes_what_it_says() {
        assert_eq!(edited(&[]), "abcdef");
        for (edit, expected) in [
            (Edit::Replace(8, b'x'), "axcdef"),
            (Edit::Replace(6, b'x'), "abcdef"),
            (Edit::Invert(0, 5 + 8), "Abcdef"),
            (Edit::Insert(6, b"xy".to_vec()), "abcdefxy"),
            (Edit::Copy(1, 2, 0), "bcabcdef"),
            (Edit::Remove(4, 200), "abcd"),
            (Edit::Truncate(2), "ab"),
            (Edit::All(b"xyz".to_vec()), "xyz"),
            (Edit::Splice(3, 1), "abcDEFGH"),
        ] {
            assert_eq!(edited(std::slice::from_ref(&edit)), expected, "{edit:?}");
        }
    }

    #[test]
    fn an_edit_of_nothing_is_no_panic() {
        for edit in [
            Edit::Replace(1, 1),
            Edit::Invert(9, 9),
            Edit::Copy(7, 7, 7),
            Edit::Remove(7, 7),
            Edit::Splice(9, 1),
        ] {
            edited(&[Edit::Truncate(0), edit]);
        }
    }
}
