//! The buffer of a request body while it arrives.

use crate::{IngestError, MemoryReservation};

/// Size of a block, in bytes: the largest frame that HTTP/2 clients send by default. All blocks except the last one of
/// a body have about this size, so the allocator can reuse the blocks of one body for the next.
const BLOCK_BYTES: usize = 16 * 1024;

/// The part of a body that has arrived, in blocks. One buffer that doubles would fragment the heap: under an attack the
/// process would use several times the memory of the buffered bytes.
#[derive(Debug, Default)]
pub struct BodyBuffer {
    blocks: Vec<Vec<u8>>,
    length: usize,
}

impl BodyBuffer {
    /// The buffered length, in bytes.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether the buffer is empty.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Appends a copy of `part` and adds its length to `reservation`. It copies because `part` keeps the whole read
    /// buffer alive: a body that arrives byte by byte would cost thousands of times its length.
    pub fn push(&mut self, mut part: &[u8], reservation: &mut MemoryReservation) -> Result<(), IngestError> {
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

    /// The buffered bytes in one piece.
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
    use crate::{MemoryBudget, ServerLimit};

    #[test]
    fn parts_of_any_size_are_joined_in_order() {
        for size in [1, 5, 4_000, BLOCK_BYTES, BLOCK_BYTES + 1, 100_000] {
            let mut reservation = Arc::new(MemoryBudget::new(1 << 20)).reservation();
            let whole: Vec<u8> = (0..100_000_u32).map(|index| (index % 251) as u8).collect();
            let mut buffer = BodyBuffer::default();
            for part in whole.chunks(size) {
                assert_eq!(buffer.push(part, &mut reservation), Ok(()));
            }
            assert_eq!(buffer.len(), whole.len());
            assert!(buffer.into_vec() == whole, "in parts of {size}");
        }
        assert!(BodyBuffer::default().is_empty());
        assert_eq!(BodyBuffer::default().into_vec(), b"");
    }

    #[test]
    fn push_beyond_the_budget_is_rejected() {
        let budget = Arc::new(MemoryBudget::new(400));
        let (mut other, mut reservation) = (budget.reservation(), budget.reservation());
        assert_eq!(other.grow(50), Ok(()));
        let mut buffer = BodyBuffer::default();
        assert_eq!(buffer.push(&[1; 300], &mut reservation), Ok(()));
        assert_eq!(
            buffer.push(&[1; 51], &mut reservation),
            Err(IngestError::Overloaded)
        );
        let limit = ServerLimit::BufferedBytes(400);
        assert_eq!(
            buffer.push(&[1; 101], &mut reservation),
            Err(IngestError::AboveServerLimit(limit))
        );
        assert_eq!(buffer.len(), 300);
    }
}
