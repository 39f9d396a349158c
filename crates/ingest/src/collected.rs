//! A body while it comes in.

use crate::{Refusal, Reservation};

/// Size of a block, in bytes: the largest frame that HTTP/2 clients send by default. All blocks but a body's last one are
/// about this large, so that what one body gives back fits the next.
const BLOCK_BYTES: usize = 16 * 1024;

/// The part of a body that has arrived, in blocks: one buffer that doubles would leave holes of every size in the heap,
/// which under an attack cost several times what they held.
#[derive(Debug, Default)]
pub struct Collected {
    blocks: Vec<Vec<u8>>,
    length: usize,
}

impl Collected {
    /// How much has arrived, in bytes.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether nothing has arrived.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Takes a copy of `part` on the account of `reservation`. A copy, for a part as it came keeps the whole buffer alive
    /// that it was read into: a body that comes byte by byte would cost thousands of times its length.
    pub fn push(&mut self, mut part: &[u8], reservation: &mut Reservation) -> Result<(), Refusal> {
        reservation.grow(part.len())?;
        self.length += part.len();
        while !part.is_empty() {
            let has_room = self.blocks.last().is_some_and(|block| block.len() < BLOCK_BYTES);
            if !has_room {
                self.blocks.push(Vec::new());
            }
            let Some(block) = self.blocks.last_mut() else {
                break;
            };
            let (fits, rest) = part.split_at(part.len().min(BLOCK_BYTES - block.len()));
            block.extend_from_slice(fits);
            part = rest;
        }
        Ok(())
    }

    /// All of it in one piece.
    pub fn into_vec(mut self) -> Vec<u8> {
        match self.blocks.pop() {
            Some(only) if self.blocks.is_empty() => only,
            Some(last) => {
                self.blocks.push(last);
                self.blocks.concat()
            }
            None => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::HeldBytes;

    #[test]
    fn parts_of_any_size_come_out_as_they_came_in() {
        for size in [1, 5, 4_000, BLOCK_BYTES, BLOCK_BYTES + 1, 100_000] {
            let mut reservation = Arc::new(HeldBytes::new(1 << 20)).reservation();
            let whole: Vec<u8> = (0..100_000_u32).map(|index| (index % 251) as u8).collect();
            let mut collected = Collected::default();
            for part in whole.chunks(size) {
                assert_eq!(collected.push(part, &mut reservation), Ok(()));
            }
            assert_eq!(collected.len(), whole.len());
            assert!(collected.into_vec() == whole, "in parts of {size}");
        }
        assert!(Collected::default().is_empty());
        assert_eq!(Collected::default().into_vec(), b"");
    }

    #[test]
    fn what_there_is_no_room_for_is_not_taken() {
        let mut reservation = Arc::new(HeldBytes::new(400)).reservation();
        let mut collected = Collected::default();
        assert_eq!(collected.push(&[1; 300], &mut reservation), Ok(()));
        assert_eq!(
            collected.push(&[1; 101], &mut reservation),
            Err(Refusal::Overloaded)
        );
        assert_eq!(collected.len(), 300);
    }
}
