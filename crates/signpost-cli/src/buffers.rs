//! Memory for what comes through a pipe: buffers that are used again, since an allocator keeps for each of its threads what
//! has been given back to it, and a part is large.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// The size of one.
pub(crate) const BUFFER: usize = 1024 * 1024;

/// Buffers that nobody uses at the moment.
#[derive(Clone, Default)]
pub(crate) struct Pool(Arc<Mutex<Vec<Vec<u8>>>>);

/// Bytes that have been read. Whoever drops the last of them gives the buffer back.
struct Filled {
    buffer: Vec<u8>,
    len: usize,
    pool: Pool,
}

impl Pool {
    /// Fills so many buffers, or what `reader` has.
    pub(crate) fn fill(&self, count: u64, reader: &mut impl Read) -> io::Result<Vec<Bytes>> {
        let mut chunks = Vec::new();
        for _ in 0..count {
            let filled = self.fill_one(reader)?;
            let is_last = filled.len < BUFFER;
            if filled.len > 0 {
                chunks.push(Bytes::from_owner(filled));
            }
            if is_last {
                break;
            }
        }
        Ok(chunks)
    }

    fn fill_one(&self, reader: &mut impl Read) -> io::Result<Filled> {
        let used = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut filled = Filled {
            buffer: used.unwrap_or_else(|| vec![0; BUFFER]),
            len: 0,
            pool: self.clone(),
        };
        while filled.len < BUFFER {
            match reader.read(&mut filled.buffer[filled.len..]) {
                Ok(0) => break,
                Ok(read) => filled.len += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

impl AsRef<[u8]> for Filled {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

impl Drop for Filled {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        self.pool.0.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_filled_in_order_and_used_again() {
        let pool = Pool::default();
        let bytes: Vec<_> = (0..BUFFER * 2 + 5).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let mut reader = bytes.as_slice();
        let first = pool.fill(2, &mut reader).unwrap();
        let rest = pool.fill(2, &mut reader).unwrap();
        assert_eq!((first.len(), rest.len()), (2, 1));
        assert!([&first[..], &rest[..]].concat().concat() == bytes);
        assert!(pool.fill(1, &mut reader).unwrap().is_empty());
        let free = || pool.0.lock().unwrap().len();
        assert_eq!(free(), 1);
        drop((first, rest));
        assert_eq!(free(), 4);
        let again = pool.fill(4, &mut bytes.as_slice()).unwrap();
        assert_eq!((again.len(), free()), (3, 1));
    }
}
