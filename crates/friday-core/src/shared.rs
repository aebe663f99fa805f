//! Maps and sets whose copies share what they have in common: a copy costs nothing, and a change of a
//! copy a few nodes. On such a copy one input is decided, however large the fleet is.
//!
//! A thin coat over `rpds`, so that the rest of core knows no other crate's names.

pub mod walked;

use std::borrow::Borrow;
use std::fmt;
use std::ops::{Bound, Index};

use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};

/// An ordered map.
pub struct SharedMap<K: Ord, V>(RedBlackTreeMapSync<K, V>);

/// An ordered set.
pub struct SharedSet<T: Ord>(RedBlackTreeSetSync<T>);

impl<K: Ord, V> SharedMap<K, V> {
    /// The value under a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }

    /// Whether there is one.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.contains_key(key)
    }

    /// Puts a value under a key, in place of what was there.
    pub fn insert(&mut self, key: K, value: V) {
        self.0.insert_mut(key, value);
    }

    /// Takes a key out. Says whether it was there.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        // Looked for first: the map underneath copies the path to what is not there, too.
        self.0.contains_key(key) && self.0.remove_mut(key)
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.size()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All, in the order of their keys.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.0.iter().inspect(|_| walked::one())
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// The values, in the order of their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }
}

impl<K: Ord + Clone, V: Clone> SharedMap<K, V> {
    /// The value under a key, to change it.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.0.get_mut(key)
    }
}

impl<T: Ord> SharedSet<T> {
    /// Whether it is in.
    pub fn contains<Q: Ord + ?Sized>(&self, item: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.0.contains(item)
    }

    /// Puts it in.
    pub fn insert(&mut self, item: T) {
        self.0.insert_mut(item);
    }

    /// Takes it out. Says whether it was in.
    pub fn remove<Q: Ord + ?Sized>(&mut self, item: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.0.contains(item) && self.0.remove_mut(item)
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The first.
    pub fn first(&self) -> Option<&T> {
        self.0.first()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.size()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.0.iter().inspect(|_| walked::one())
    }

    /// Those from this one on, in order.
    pub fn from(&self, first: &T) -> impl Iterator<Item = &T> {
        self.0.range((Bound::Included(first), Bound::Unbounded)).inspect(|_| walked::one())
    }
}

// By hand, because a derived copy or default would ask the same of what is inside.
impl<K: Ord, V> Clone for SharedMap<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Ord> Clone for SharedSet<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Ord, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        Self(RedBlackTreeMapSync::new_sync())
    }
}

impl<T: Ord> Default for SharedSet<T> {
    fn default() -> Self {
        Self(RedBlackTreeSetSync::new_sync())
    }
}

impl<K: Ord + fmt::Debug, V: fmt::Debug> fmt::Debug for SharedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter()).finish()
    }
}

impl<T: Ord + fmt::Debug> fmt::Debug for SharedSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter()).finish()
    }
}

impl<K: Ord, V: PartialEq> PartialEq for SharedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.0.ptr_eq(&other.0) || (self.len() == other.len() && self.0.iter().eq(other.0.iter()))
    }
}

impl<K: Ord, V: Eq> Eq for SharedMap<K, V> {}

impl<T: Ord> PartialEq for SharedSet<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.ptr_eq(&other.0) || (self.len() == other.len() && self.0.iter().eq(other.0.iter()))
    }
}

impl<T: Ord> Eq for SharedSet<T> {}

impl<K: Ord, V> FromIterator<(K, V)> for SharedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl<T: Ord> FromIterator<T> for SharedSet<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl<K: Ord + Borrow<Q>, Q: Ord + ?Sized, V> Index<&Q> for SharedMap<K, V> {
    type Output = V;

    fn index(&self, key: &Q) -> &V {
        &self.0[key]
    }
}
