//! Divides an object into parts for an upload, or into ranges for a download.

const MIB: u64 = 1024 * 1024;

/// Smaller objects are uploaded in one request.
pub(crate) const MAX_SINGLE_UPLOAD: u64 = 64 * MIB;

/// Smaller objects are downloaded in one request.
pub(crate) const MAX_SINGLE_DOWNLOAD: u64 = 32 * MIB;

/// An object up to this size is held in memory, and its file is read or written at once.
pub(crate) const MAX_SMALL_OBJECT: u64 = 256 * 1024;

/// The minimum size of a part or a range.
const MIN_PART_SIZE: u64 = 16 * MIB;

/// S3 accepts 10,000 parts of at most 5 GiB
/// ([limits](https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html)).
const MAX_PARTS: u64 = 10_000;
const MAX_PART_SIZE: u64 = 5 * 1024 * MIB;

/// The number of parts for a large object. It is below the maximum, so that some parts remain unused.
const TARGET_PARTS: u64 = 9_000;

/// An object of known length, divided into parts of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartLayout {
    len: u64,
    size: u64,
}

/// A part of an upload or a range of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// The part number, starting at 1 as in S3.
    pub(crate) number: u32,
    pub(crate) start: u64,
    pub(crate) len: u64,
}

impl PartLayout {
    /// The default layout for an object.
    pub(crate) fn for_length(len: u64) -> Self {
        let even_size = len.div_ceil(TARGET_PARTS).next_multiple_of(MIB);
        Self {
            len,
            size: even_size.clamp(MIN_PART_SIZE, MAX_PART_SIZE),
        }
    }

    /// A layout with a given part size, if S3 accepts it.
    pub(crate) fn with_part_size(len: u64, size: u64) -> Option<Self> {
        let is_allowed = size > 0 && size <= MAX_PART_SIZE && len.div_ceil(size) <= MAX_PARTS;
        is_allowed.then_some(Self { len, size })
    }

    /// The length of every part except the last.
    pub(crate) const fn part_size(self) -> u64 {
        self.size
    }

    /// The parts, in order. They cover the object and do not overlap.
    pub(crate) fn parts(self) -> impl Iterator<Item = Part> {
        let count = u32::try_from(self.len.div_ceil(self.size)).unwrap_or(u32::MAX);
        (0..count).map(move |index| {
            let start = u64::from(index) * self.size;
            Part {
                number: index + 1,
                start,
                len: self.size.min(self.len - start),
            }
        })
    }
}

impl Part {
    /// The offset of the first byte after the part.
    pub(crate) const fn end(self) -> u64 {
        self.start + self.len
    }
}

/// The size of a part of a stream of unknown length. The first parts are small to save memory. Later parts are larger,
/// so that 10,000 parts hold about a terabyte. Returns `None` for a part number that S3 does not accept.
pub(crate) const fn stream_part_size(number: u32) -> Option<u64> {
    Some(match number {
        0..=1000 => 16 * MIB,
        1001..=2000 => 32 * MIB,
        2001..=3000 => 64 * MIB,
        3001..=10_000 => 128 * MIB,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOST_BYTES: u64 = MAX_PARTS * MAX_PART_SIZE;

    #[test]
    fn part_sizes_match_the_documentation() {
        for (len, size) in [
            (0, 16 * MIB),
            (64 * MIB, 16 * MIB),
            (9_000 * 16 * MIB, 16 * MIB),
            (9_000 * 16 * MIB + 1, 17 * MIB),
            (5 * 1024 * 1024 * MIB, 583 * MIB),
            (MOST_BYTES, MAX_PART_SIZE),
        ] {
            assert_eq!(PartLayout::for_length(len).part_size(), size, "{len}");
        }
        let stream: u64 = (1..=10_000).filter_map(stream_part_size).sum();
        assert!(stream > 1_000_000_000_000, "{stream}");
        assert_eq!(stream_part_size(10_001), None);
    }

    #[test]
    fn a_layout_that_s3_does_not_accept_is_rejected() {
        assert!(PartLayout::with_part_size(100, 0).is_none());
        assert!(PartLayout::with_part_size(MAX_PARTS + 1, 1).is_none());
        assert!(PartLayout::with_part_size(1, MAX_PART_SIZE + 1).is_none());
        assert_eq!(PartLayout::with_part_size(100, 7).unwrap().parts().count(), 15);
    }

    proptest! {
        #[test]
        fn pieces_cover_an_object_without_overlap(len in prop_oneof![0..MOST_BYTES, 0..200 * MIB]) {
            let mut end = 0;
            let mut number = 0;
            for part in PartLayout::for_length(len).parts() {
                prop_assert_eq!((part.start, part.number), (end, number + 1));
                prop_assert!(part.len > 0 && part.len <= MAX_PART_SIZE);
                (end, number) = (part.end(), part.number);
            }
            prop_assert_eq!(end, len);
            prop_assert!(u64::from(number) <= MAX_PARTS);
        }

        #[test]
        fn every_part_but_the_last_is_as_long_as_s3_demands(len in MAX_SINGLE_UPLOAD..MOST_BYTES) {
            let layout = PartLayout::for_length(len);
            let short = layout.parts().filter(|part| part.len < 5 * MIB).count();
            prop_assert!(short <= 1);
        }
    }
}
