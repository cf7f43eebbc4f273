//! Things with a small number that stays theirs while they live.

/// A vector whose places are used again.
#[derive(Debug)]
pub(super) struct Slab<T> {
    places: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// Takes a thing, and gives its number.
    pub(super) fn insert(&mut self, thing: T) -> usize {
        if let Some(index) = self.free.pop() {
            if let Some(place) = self.places.get_mut(index) {
                *place = Some(thing);
                return index;
            }
        }
        self.places.push(Some(thing));
        self.places.len() - 1
    }

    pub(super) fn remove(&mut self, index: usize) -> Option<T> {
        let thing = self.places.get_mut(index)?.take()?;
        self.free.push(index);
        Some(thing)
    }

    pub(super) fn find(&self, index: usize) -> Option<&T> {
        self.places.get(index).and_then(Option::as_ref)
    }

    pub(super) fn find_mut(&mut self, index: usize) -> Option<&mut T> {
        self.places.get_mut(index).and_then(Option::as_mut)
    }

    /// No number is as high.
    pub(super) fn end(&self) -> usize {
        self.places.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        self.places.iter().enumerate().filter_map(|(index, thing)| Some((index, thing.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_used_again_only_when_its_owner_is_gone() {
        let mut slab = Slab::default();
        assert_eq!((slab.insert('a'), slab.insert('b')), (0, 1));
        assert_eq!((slab.remove(0), slab.remove(0), slab.find(0)), (Some('a'), None, None));
        assert_eq!(slab.insert('c'), 0);
        assert_eq!(slab.iter().collect::<Vec<_>>(), [(0, &'c'), (1, &'b')]);
        *slab.find_mut(1).unwrap() = 'd';
        assert_eq!((slab.find(1), slab.find(2)), (Some(&'d'), None));
    }
}
