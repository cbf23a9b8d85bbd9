//! How an object is cut: the parts of an upload, the ranges of a download, and what of them goes where.

const MIB: u64 = 1024 * 1024;

/// Below this an object goes up in one request.
pub(crate) const SINGLE_UPLOAD: u64 = 64 * MIB;

/// Below this an object comes down in one request.
pub(crate) const SINGLE_DOWNLOAD: u64 = 32 * MIB;

/// Up to this length an object is in memory whole, and a file is read or written at once.
pub(crate) const SMALL: u64 = 256 * 1024;

/// The least that is worth a request of its own.
const SMALLEST: u64 = 16 * MIB;

/// S3 takes 10,000 parts of at most 5 GiB
/// ([limits](https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html)).
const MOST_PIECES: u64 = 10_000;
const LARGEST: u64 = 5 * 1024 * MIB;

/// How many pieces a long object is cut into, so that some are left over.
const AIMED_AT: u64 = 9_000;

/// An object of known length, cut into pieces of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    len: u64,
    size: u64,
}

/// A part or a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// From 1, as S3 counts parts.
    pub(crate) number: u32,
    pub(crate) start: u64,
    pub(crate) len: u64,
}

impl Cut {
    /// The usual cut of an object.
    pub(crate) fn of(len: u64) -> Self {
        let even = len.div_ceil(AIMED_AT).next_multiple_of(MIB);
        Self {
            len,
            size: even.clamp(SMALLEST, LARGEST),
        }
    }

    /// A cut that was made before, if S3 takes it.
    pub(crate) fn again(len: u64, size: u64) -> Option<Self> {
        let taken = size > 0 && size <= LARGEST && len.div_ceil(size) <= MOST_PIECES;
        taken.then_some(Self { len, size })
    }

    /// The length of every piece but the last.
    pub(crate) const fn size(self) -> u64 {
        self.size
    }

    /// The pieces, in order; they cover the object, and do not overlap.
    pub(crate) fn pieces(self) -> impl Iterator<Item = Piece> {
        let count = u32::try_from(self.len.div_ceil(self.size)).unwrap_or(u32::MAX);
        (0..count).map(move |index| {
            let start = u64::from(index) * self.size;
            Piece {
                number: index + 1,
                start,
                len: self.size.min(self.len - start),
            }
        })
    }
}

impl Piece {
    /// The first byte after it.
    pub(crate) const fn end(self) -> u64 {
        self.start + self.len
    }
}

/// The size of a part of a stream whose length nobody knows: small at first, so that little is held in memory, and
/// larger later, so that 10,000 parts take about a terabyte. `None` behind the last that S3 takes.
pub(crate) const fn growing(number: u32) -> Option<u64> {
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

    const MOST_BYTES: u64 = MOST_PIECES * LARGEST;

    #[test]
    fn sizes_are_those_that_are_documented() {
        for (len, size) in [
            (0, 16 * MIB),
            (64 * MIB, 16 * MIB),
            (9_000 * 16 * MIB, 16 * MIB),
            (9_000 * 16 * MIB + 1, 17 * MIB),
            (5 * 1024 * 1024 * MIB, 583 * MIB),
            (MOST_BYTES, LARGEST),
        ] {
            assert_eq!(Cut::of(len).size(), size, "{len}");
        }
        let stream: u64 = (1..=10_000).filter_map(growing).sum();
        assert!(stream > 1_000_000_000_000, "{stream}");
        assert_eq!(growing(10_001), None);
    }

    #[test]
    fn a_cut_that_s3_would_not_take_is_not_made_again() {
        assert!(Cut::again(100, 0).is_none());
        assert!(Cut::again(MOST_PIECES + 1, 1).is_none());
        assert!(Cut::again(1, LARGEST + 1).is_none());
        assert_eq!(Cut::again(100, 7).unwrap().pieces().count(), 15);
    }

    proptest! {
        #[test]
        fn pieces_cover_an_object_without_overlap(len in prop_oneof![0..MOST_BYTES, 0..200 * MIB]) {
            let mut end = 0;
            let mut number = 0;
            for piece in Cut::of(len).pieces() {
                prop_assert_eq!((piece.start, piece.number), (end, number + 1));
                prop_assert!(piece.len > 0 && piece.len <= LARGEST);
                (end, number) = (piece.end(), piece.number);
            }
            prop_assert_eq!(end, len);
            prop_assert!(u64::from(number) <= MOST_PIECES);
        }

        #[test]
        fn every_part_but_the_last_is_as_long_as_s3_demands(len in SINGLE_UPLOAD..MOST_BYTES) {
            let cut = Cut::of(len);
            let short = cut.pieces().filter(|piece| piece.len < 5 * MIB).count();
            prop_assert!(short <= 1);
        }
    }
}
