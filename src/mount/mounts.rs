//! The mounts of one service: the mount of a public key, and the mounts below a prefix.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Mount;

/// The mounts of one service. The default has one mount, for every public key.
#[derive(Clone, Debug)]
pub struct Mounts {
    root: Option<Arc<Mount>>,
    /// The other mounts, sorted by `at`.
    nested: Vec<NestedMount>,
    /// The mounts of each bucket that several mounts name.
    same_bucket: BTreeMap<String, Vec<Arc<Mount>>>,
}

#[derive(Clone, Debug)]
struct NestedMount {
    mount: Arc<Mount>,
    /// The line of the rules file.
    line: usize,
    /// The index of the innermost other mount that contains this one.
    parent: Option<usize>,
    /// The number of other mounts that contain this one.
    depth: usize,
    /// The index of a mount further outside. With it, the search for a mount that contains a key takes logarithmic time.
    jump: Option<usize>,
}

/// Returns the jump of a mount inside `parent`. If the last two jumps are equally long, it is as long as both together
/// ([Myers, "An applicative random-access stack"](https://doi.org/10.1016/0020-0190(83)90106-0)).
fn jump_over(nested: &[NestedMount], parent: usize) -> usize {
    let jump = |index: usize| nested[index].jump.unwrap_or(index);
    let (first, second) = (jump(parent), jump(jump(parent)));
    let depth = |index: usize| nested[index].depth;
    let is_equal = depth(parent) - depth(first) == depth(first) - depth(second);
    if is_equal { second } else { parent }
}

impl Default for Mounts {
    fn default() -> Self {
        Self {
            root: Some(Arc::default()),
            nested: Vec::new(),
            same_bucket: BTreeMap::new(),
        }
    }
}

impl Mounts {
    /// Returns these mounts, and a root whose bucket is not known. Each mount has the line of the rules file that declares it.
    pub fn new(mounts: impl IntoIterator<Item = (Mount, usize)>) -> Self {
        let mut nested: Vec<_> = mounts
            .into_iter()
            .map(|(mount, line)| NestedMount {
                mount: Arc::new(mount),
                line,
                parent: None,
                depth: 0,
                jump: None,
            })
            .collect();
        nested.sort_by(|a, b| a.mount.at.cmp(&b.mount.at));
        let mut enclosing: Vec<usize> = Vec::new();
        for index in 0..nested.len() {
            let at = Arc::clone(&nested[index].mount);
            while enclosing
                .last()
                .is_some_and(|last| !at.at.starts_with(&nested[*last].mount.at))
            {
                enclosing.pop();
            }
            let parent = enclosing.last().copied();
            nested[index].parent = parent;
            nested[index].depth = enclosing.len();
            nested[index].jump = parent.map(|parent| jump_over(&nested, parent));
            enclosing.push(index);
        }
        let mut mounts = Self {
            nested,
            ..Self::default()
        };
        mounts.group_by_bucket();
        mounts
    }

    fn group_by_bucket(&mut self) {
        let mut groups = BTreeMap::<String, Vec<Arc<Mount>>>::new();
        for mount in self.iter() {
            groups.entry(mount.bucket.clone()).or_default().push(Arc::clone(mount));
        }
        groups.retain(|bucket, mounts| mounts.len() > 1 && !bucket.is_empty());
        self.same_bucket = groups;
    }

    /// Emulates every mount without an endpoint of its own, and adds or replaces mounts, for a local server.
    #[must_use]
    pub fn localized(&self, emulate: bool, added: &[Mount]) -> Self {
        let is_kept = |nested: &&NestedMount| !added.iter().any(|mount| mount.at == nested.mount.at);
        let declared = self.nested.iter().filter(is_kept).map(|nested| {
            let is_emulated = emulate && nested.mount.endpoint.is_none();
            let mount = if is_emulated {
                nested.mount.emulated()
            } else {
                Mount::clone(&nested.mount)
            };
            (mount, nested.line)
        });
        let added = added.iter().map(|mount| (mount.clone(), 0));
        Self::new(declared.chain(added).collect::<Vec<_>>())
    }

    /// Sets the bucket of the setting `SIGNPOST_BUCKET`. Without a bucket, public keys outside every other mount have none.
    pub fn set_root(&mut self, bucket: Option<&str>) {
        self.root = bucket.map(|bucket| Arc::new(Mount::root(bucket)));
        self.group_by_bucket();
    }

    /// Returns true if there is no mount besides the root.
    pub const fn is_empty(&self) -> bool {
        self.nested.is_empty()
    }

    /// Returns the mount of a public key, or of the listing of a prefix: the one with the longest `at`.
    #[inline]
    pub fn find(&self, key: &str) -> Option<&Arc<Mount>> {
        if self.nested.is_empty() {
            return self.root.as_ref();
        }
        self.find_nested(key).or(self.root.as_ref())
    }

    /// Every `at` that is a prefix of `key` is also a prefix of the last `at` that sorts before `key`.
    fn find_nested(&self, key: &str) -> Option<&Arc<Mount>> {
        let after = self.nested.partition_point(|nested| nested.mount.at.as_str() <= key);
        let mut candidate = self.nested.get(after.checked_sub(1)?)?;
        let pairs = candidate.mount.at.bytes().zip(key.bytes());
        let common = pairs.take_while(|(at, key)| at == key).count();
        // Each parent is a prefix of `candidate`.
        let is_longer = |nested: &NestedMount| nested.mount.at.len() > common;
        while is_longer(candidate) {
            let jumped = candidate
                .jump
                .map(|jump| &self.nested[jump])
                .filter(|far| is_longer(far));
            candidate = jumped.or_else(|| self.nested.get(candidate.parent?))?;
        }
        Some(&candidate.mount)
    }

    /// Returns true if `mount` is the mount of this public key or prefix. A key of a mount that another mount hides is not.
    pub fn contains(&self, mount: &Mount, key: &str) -> bool {
        self.nested.is_empty() || self.find(key).is_some_and(|found| found.at == mount.at)
    }

    /// Returns the mounts below `prefix`.
    pub fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a Arc<Mount>> {
        self.nested_below(prefix).1.map(|nested| &nested.mount)
    }

    /// Returns the index of the first mount below `prefix`, and the mounts below it.
    fn nested_below<'a>(&'a self, prefix: &'a str) -> (usize, impl Iterator<Item = &'a NestedMount>) {
        let first = self.nested.partition_point(|nested| nested.mount.at.as_str() <= prefix);
        let below = self.nested[first..].iter();
        (
            first,
            below.take_while(move |nested| nested.mount.at.starts_with(prefix)),
        )
    }

    /// Returns the mounts below `prefix` that no other mount below it contains.
    pub fn directly_below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a Mount> {
        let (first, below) = self.nested_below(prefix);
        // The mounts that `first` encloses have an index of at least `first` as their parent.
        let is_outermost = move |nested: &&NestedMount| nested.parent.is_none_or(|parent| parent < first);
        below.filter(is_outermost).map(|nested| &*nested.mount)
    }

    /// Returns true if the folder contains public keys of some mount.
    pub fn has_keys_below(&self, folder: &str) -> bool {
        self.find(folder).is_some() || self.directly_below(folder).next().is_some()
    }

    /// Returns every mount, the root first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Mount>> {
        let nested = self.nested.iter().map(|nested| &nested.mount);
        self.root.iter().chain(nested)
    }

    /// Returns the mounts of the rules file, each with its line.
    pub fn with_lines(&self) -> impl Iterator<Item = (&Mount, usize)> {
        self.nested.iter().map(|nested| (&*nested.mount, nested.line))
    }

    /// Returns true if another mount names the bucket of `mount`.
    pub(crate) fn has_other_mount_of_bucket(&self, mount: &Mount) -> bool {
        self.same_bucket.contains_key(&mount.bucket)
    }

    /// Returns the plain keys that the object, or the prefix, with this plain key in `mount` has in other mounts of the same
    /// bucket.
    pub(crate) fn other_plain_keys<'a>(
        &'a self,
        mount: &'a Mount,
        plain_key: &'a str,
    ) -> impl Iterator<Item = (&'a Mount, String)> {
        let same = self.same_bucket.get(&mount.bucket).into_iter().flatten();
        let others = same.filter(|other| other.at != mount.at);
        others.filter_map(move |other| {
            let key = other.plain_key(&mount.storage_key(plain_key))?;
            Some((&**other, key))
        })
    }

    /// Returns the pairs of mounts that may contain some of the same objects.
    pub(crate) fn pairs_with_same_objects(&self) -> impl Iterator<Item = (&Mount, &Mount)> {
        let pairs = self.same_bucket.values().flat_map(|mounts| {
            let indexed = mounts.iter().enumerate();
            indexed.flat_map(|(index, one)| mounts[index + 1..].iter().map(move |other| (&**one, &**other)))
        });
        pairs.filter(|(one, other)| one.may_share_objects_with(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_among_nested_mounts_takes_logarithmic_time() {
        const COUNT: usize = 300;
        let nested = |depth: usize| Mount {
            at: "a/".repeat(depth),
            ..Mount::root("bucket")
        };
        let mounts = Mounts::new((1..=COUNT).map(|depth| (nested(depth), depth)));
        for wanted in 0..COUNT {
            let (mut index, mut steps) = (COUNT - 1, 0);
            while index > wanted {
                let jump = mounts.nested[index].jump.filter(|jump| *jump >= wanted);
                index = jump.or(mounts.nested[index].parent).expect("an outer mount");
                steps += 1;
            }
            assert!(steps <= 3 * COUNT.ilog2(), "{wanted}: {steps}");
        }
    }
}
