//! Memory for what is sent: buffers that are used again. An allocator keeps for each of its threads what has been given back
//! to it, or gives it back to the system and has it cleared again, page by page.

use std::fmt;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Buffers of one size that nobody uses at the moment.
#[derive(Clone)]
pub(crate) struct Pool {
    size: usize,
    free: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// Bytes that have been read. Whoever drops the last of them gives the buffer back.
struct Filled {
    buffer: Vec<u8>,
    len: usize,
    pool: Pool,
}

impl Pool {
    /// An empty one, of buffers of this size.
    pub(crate) fn of(size: usize) -> Self {
        Self {
            size,
            free: Arc::default(),
        }
    }

    /// Fills the first `len` bytes of a buffer.
    pub(crate) fn read(&self, len: usize, read: impl FnOnce(&mut [u8]) -> io::Result<()>) -> io::Result<Bytes> {
        let mut filled = self.take();
        read(&mut filled.buffer[..len])?;
        filled.len = len;
        Ok(Bytes::from_owner(filled))
    }

    /// Fills so many buffers, or what `reader` has.
    pub(crate) fn fill(&self, count: usize, reader: &mut impl Read) -> io::Result<Vec<Bytes>> {
        let mut chunks = Vec::new();
        for _ in 0..count {
            let filled = self.fill_one(reader)?;
            let is_last = filled.len < self.size;
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
        let mut filled = self.take();
        while filled.len < self.size {
            match reader.read(&mut filled.buffer[filled.len..]) {
                Ok(0) => break,
                Ok(read) => filled.len += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn take(&self) -> Filled {
        let used = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Filled {
            buffer: used.unwrap_or_else(|| vec![0; self.size]),
            len: 0,
            pool: self.clone(),
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("size", &self.size).finish_non_exhaustive()
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
        self.pool
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_filled_in_order_and_used_again() {
        const SIZE: usize = 1000;
        let pool = Pool::of(SIZE);
        let bytes: Vec<_> = (0..SIZE * 2 + 5).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let mut reader = bytes.as_slice();
        let first = pool.fill(2, &mut reader).unwrap();
        let rest = pool.fill(2, &mut reader).unwrap();
        assert_eq!((first.len(), rest.len()), (2, 1));
        assert!([&first[..], &rest[..]].concat().concat() == bytes);
        assert!(pool.fill(1, &mut reader).unwrap().is_empty());
        let free = || pool.free.lock().unwrap().len();
        assert_eq!(free(), 1);
        drop((first, rest));
        assert_eq!(free(), 4);
        let again = pool.fill(4, &mut bytes.as_slice()).unwrap();
        assert_eq!((again.len(), free()), (3, 1));
        let exact = pool.read(7, |buffer| (&bytes[..]).read_exact(buffer)).unwrap();
        assert_eq!((&exact[..], free()), (&bytes[..7], 0));
        assert!(pool.read(7, |_| Err(io::ErrorKind::UnexpectedEof.into())).is_err());
    }
}
