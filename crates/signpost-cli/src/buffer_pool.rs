//! Reusable buffers for upload bodies. Without them, the allocator would retain freed memory in each thread, or return
//! it to the system, which clears every page again.

use std::fmt;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// A pool of buffers of one size.
#[derive(Clone)]
pub(crate) struct BufferPool {
    size: usize,
    free_buffers: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// Bytes in a pooled buffer. The buffer returns to the pool when the last reference is dropped.
struct PooledBuffer {
    buffer: Vec<u8>,
    len: usize,
    pool: BufferPool,
}

impl BufferPool {
    /// Creates an empty pool for buffers of this size.
    pub(crate) fn new(size: usize) -> Self {
        Self {
            size,
            free_buffers: Arc::default(),
        }
    }

    /// Fills the first `len` bytes of a buffer.
    pub(crate) fn read_with(&self, len: usize, read: impl FnOnce(&mut [u8]) -> io::Result<()>) -> io::Result<Bytes> {
        let mut filled = self.take_buffer();
        read(&mut filled.buffer[..len])?;
        filled.len = len;
        Ok(Bytes::from_owner(filled))
    }

    /// Fills up to `count` buffers from `reader`.
    pub(crate) fn read_chunks(&self, count: usize, reader: &mut impl Read) -> io::Result<Vec<Bytes>> {
        let mut chunks = Vec::new();
        for _ in 0..count {
            let filled = self.read_chunk(reader)?;
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

    fn read_chunk(&self, reader: &mut impl Read) -> io::Result<PooledBuffer> {
        let mut filled = self.take_buffer();
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

    fn take_buffer(&self) -> PooledBuffer {
        let used = self.free_buffers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        PooledBuffer {
            buffer: used.unwrap_or_else(|| vec![0; self.size]),
            len: 0,
            pool: self.clone(),
        }
    }
}

impl fmt::Debug for BufferPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("size", &self.size).finish_non_exhaustive()
    }
}

impl AsRef<[u8]> for PooledBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

impl Drop for PooledBuffer {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        self.pool
            .free_buffers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_filled_in_order_and_reused() {
        const SIZE: usize = 1000;
        let pool = BufferPool::new(SIZE);
        let bytes: Vec<_> = (0..SIZE * 2 + 5).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let mut reader = bytes.as_slice();
        let first = pool.read_chunks(2, &mut reader).unwrap();
        let rest = pool.read_chunks(2, &mut reader).unwrap();
        assert_eq!((first.len(), rest.len()), (2, 1));
        assert!([&first[..], &rest[..]].concat().concat() == bytes);
        assert!(pool.read_chunks(1, &mut reader).unwrap().is_empty());
        let free_buffers = || pool.free_buffers.lock().unwrap().len();
        assert_eq!(free_buffers(), 1);
        drop((first, rest));
        assert_eq!(free_buffers(), 4);
        let again = pool.read_chunks(4, &mut bytes.as_slice()).unwrap();
        assert_eq!((again.len(), free_buffers()), (3, 1));
        let exact = pool.read_with(7, |buffer| (&bytes[..]).read_exact(buffer)).unwrap();
        assert_eq!((&exact[..], free_buffers()), (&bytes[..7], 0));
        assert!(pool.read_with(7, |_| Err(io::ErrorKind::UnexpectedEof.into())).is_err());
    }
}
