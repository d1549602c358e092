//! Views and writes, held against `ndarray`: random programs of views, of which each is compared, and of writes, after which all that was taken before is as it was.

use castnet_runtime::Array;
use castnet_runtime::array::Index;
use ndarray::{ArrayD, Axis, IxDyn, Slice};

/// Random numbers of which every failure names the seed (Steele, Lea and Flood 2014: SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) % n as u64) as usize
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }
}

/// The same array twice.
#[derive(Clone)]
struct Both {
    ours: Array,
    theirs: ArrayD<i64>,
}

impl Both {
    fn new(random: &mut Random) -> Both {
        let shape: Vec<usize> =
            (0..random.below(5)).map(|_| random.below(9).saturating_sub(random.below(4)) % 6).collect();
        let values: Vec<i64> = (0..shape.iter().product::<usize>() as i64).map(|i| i * 7 % 101).collect();
        let ours = Array::from_vec(&shape, values.clone()).unwrap();
        Both { ours, theirs: ArrayD::from_shape_vec(IxDyn(&shape), values).unwrap() }
    }

    fn check(&self, what: &str) {
        assert_eq!(self.ours.shape(), self.theirs.shape(), "{what}");
        let expected: Vec<i64> = self.theirs.iter().copied().collect();
        assert_eq!(self.ours.to_vec::<i64>().unwrap(), expected, "{what}");
        let contiguous = self.ours.contiguous();
        assert_eq!(contiguous.as_slice::<i64>().unwrap(), expected, "{what}");
        assert!(contiguous == self.ours && contiguous.is_contiguous(), "{what}");
        if self.ours.is_contiguous() {
            assert_eq!(self.ours.as_slice::<i64>().unwrap(), expected, "{what}");
        }
    }

    /// Counted from the start or from the end.
    fn axis(random: &mut Random, axis: usize, rank: usize) -> i64 {
        if random.coin() { axis as i64 } else { axis as i64 - rank as i64 }
    }

    /// Another view of it, and its name.
    fn next(&self, random: &mut Random) -> (Both, String) {
        let (ours, theirs, rank) = (&self.ours, self.theirs.view(), self.ours.shape().len());
        let both = |ours: Array, theirs: ArrayD<i64>| Both { ours, theirs };
        let axis = if rank == 0 { 0 } else { random.below(rank) };
        let number = Both::axis(random, axis, rank);
        let size = ours.shape().get(axis).copied().unwrap_or(0);
        match random.below(9) {
            0 => {
                let mut axes: Vec<usize> = (0..rank).collect();
                (0..rank).for_each(|i| axes.swap(i, random.below(rank)));
                let view = both(ours.permute(&axes), theirs.permuted_axes(IxDyn(&axes)).to_owned());
                (view, format!("permute {axes:?}"))
            }
            1 if rank > 0 => {
                let mut flipped = theirs;
                flipped.invert_axis(Axis(axis));
                (both(ours.flip(number), flipped.to_owned()), format!("flip {number}"))
            }
            2 if size > 0 => {
                let index = random.below(size);
                let from_end = if random.coin() { index as i64 } else { index as i64 - size as i64 };
                let taken = theirs.index_axis(Axis(axis), index).to_owned();
                (both(ours.select(number, from_end), taken), format!("select {number} {from_end}"))
            }
            3 if rank > 0 => {
                let start = random.below(size + 1);
                let end = start + random.below(size - start + 1);
                let step = [1, 2, 3, -1, -2][random.below(5)];
                let mut indices = vec![Index::from(..); axis];
                indices.push(Index::from(start..end).step(step));
                let slice = Slice::new(start as isize, Some(end as isize), step as isize);
                let taken = theirs.slice_axis(Axis(axis), slice).to_owned();
                (both(ours.i(&indices[..]), taken), format!("i {indices:?}"))
            }
            4 => {
                let new = random.below(rank + 1);
                let number = Both::axis(random, new, rank + 1);
                (both(ours.unsqueeze(number), theirs.insert_axis(Axis(new)).to_owned()), format!("unsqueeze {number}"))
            }
            5 if size == 1 && rank > 0 => {
                (both(ours.squeeze(number), theirs.index_axis(Axis(axis), 0).to_owned()), format!("squeeze {number}"))
            }
            6 => {
                // Elements of neighbours become one axis, or one axis two.
                let mut shape = ours.shape().to_vec();
                match (random.coin(), axis + 1 < rank) {
                    (true, true) => {
                        let next = shape.remove(axis + 1);
                        shape[axis] *= next;
                    }
                    _ if rank > 0 && size % 2 == 0 => {
                        shape[axis] = size / 2;
                        shape.insert(axis + random.below(2), 2);
                    }
                    _ => shape.push(1),
                }
                let open = random.below(shape.len());
                let known: usize = shape.iter().enumerate().filter(|(i, _)| *i != open).map(|(_, size)| size).product();
                let mut asked: Vec<i64> = shape.iter().map(|&size| size as i64).collect();
                if known > 0 && random.coin() {
                    asked[open] = -1;
                }
                let flat: Vec<i64> = theirs.iter().copied().collect();
                let theirs = ArrayD::from_shape_vec(IxDyn(&shape), flat).unwrap();
                (both(ours.reshape(&asked), theirs), format!("reshape {asked:?}"))
            }
            7 if self.theirs.len() < 1000 => {
                let mut sizes: Vec<usize> = ours.shape().to_vec();
                sizes.iter_mut().filter(|size| **size == 1).for_each(|size| *size = random.below(4));
                if random.coin() {
                    sizes.insert(0, random.below(3));
                }
                let wide = theirs.broadcast(IxDyn(&sizes)).unwrap().to_owned();
                (both(ours.expand(&sizes), wide), format!("expand {sizes:?}"))
            }
            8 if rank > 1 => {
                let other = random.below(rank);
                let mut swapped = theirs;
                swapped.swap_axes(axis, other);
                (both(ours.transpose(number, other as i64), swapped.to_owned()), format!("transpose {axis} {other}"))
            }
            _ => (self.clone(), "clone".to_string()),
        }
    }

    /// Writes a part.
    fn write(&mut self, random: &mut Random) {
        let mut view = self.theirs.view_mut();
        let mut indices = vec![];
        for (axis, &size) in self.ours.shape().iter().enumerate() {
            let start = random.below(size + 1);
            let end = start + random.below(size - start + 1);
            let step = [1, 2, -1, -3][random.below(4)];
            indices.push(Index::from(start..end).step(step));
            view.slice_axis_inplace(Axis(axis), Slice::new(start as isize, Some(end as isize), step as isize));
        }
        let value = random.below(1000) as i64;
        match random.below(3) {
            0 => {
                view.fill(value);
                self.ours.slice_mut(&indices[..]).unwrap().fill(value).unwrap();
            }
            1 => {
                let row: Vec<i64> = (0..view.shape().last().copied().unwrap_or(1)).map(|i| value + i as i64).collect();
                let shape = view.shape().last().copied().map_or(vec![], |last| vec![last]);
                view.assign(&ArrayD::from_shape_vec(IxDyn(&shape), row.clone()).unwrap());
                let row = Array::from_vec(&shape, row).unwrap();
                self.ours.slice_mut(&indices[..]).unwrap().copy_from(&row).unwrap();
            }
            _ => {
                self.theirs.fill(value);
                self.ours.fill(value).unwrap();
            }
        }
    }
}

#[test]
fn random_programs_of_views_and_writes() {
    for seed in 0..10_000 {
        let mut random = Random(seed);
        let mut all = vec![Both::new(&mut random)];
        let mut program = String::new();
        for _ in 0..20 {
            let at = random.below(all.len());
            if random.below(4) == 0 {
                all[at].write(&mut random);
                program += &format!("; {at} written");
            } else {
                let (next, what) = all[at].next(&mut random);
                program += &format!("; {} = {at} {what}", all.len());
                all.push(next);
            }
            // All of them: nothing changes under one's hands.
            all.iter().for_each(|both| both.check(&format!("seed {seed}{program}")));
        }
    }
}

#[test]
fn mistakes_name_the_operator_and_its_line_and_reach_whoever_reads() {
    let x = Array::zeros::<f32>(&[2, 3, 1]);
    let (one, two, line) = (x.reshape([4, 2]), x.reshape([-1, -1]), line!());
    let wrong = [
        (one, "`reshape`", "f32[2, 3, 1] has 6 elements, not those of [4, 2]"),
        (two, "`reshape`", "not those of [-1, -1]"),
    ];
    for (array, operator, what) in wrong {
        let text = array.to_vec::<f32>().unwrap_err().to_string();
        assert!(text.starts_with(operator) && text.ends_with(what), "{text}");
        assert!(text.contains(&format!("array_views.rs:{line})")), "{text}");
        // The first cause, by whatever it is read.
        let later = array.permute([0, 0]).transpose(7, 8).i((0, 5)).flatten(9).contiguous();
        let texts = [
            later.as_slice::<f32>().unwrap_err().to_string(),
            later.as_slice::<i32>().unwrap_err().to_string(),
            later.item::<f32>().unwrap_err().to_string(),
            later.clone().into_ndarray::<f32>().unwrap_err().to_string(),
            later.clone().fill(1.0f32).unwrap_err().to_string(),
            x.clone().copy_from(&later).unwrap_err().to_string(),
            later.to_string(),
        ];
        assert!(texts.iter().all(|other| *other == text), "{texts:?}");
        assert!(later != later.clone());
    }
    let others = [
        (x.reshape([2, -1, 0]), "2, -1, 0"),
        (x.reshape([-2, 3]), "-2, 3"),
        (x.reshape([u64::MAX]), "elements"),
        (x.permute([0, 1]), "does not name each of the 3 axes"),
        (x.permute([0, 1, 1]), "does not name each"),
        (x.transpose(0, 3), "has no axis 3"),
        (x.transpose(-4, 0), "has no axis -4"),
        (x.unsqueeze(4), "has no axis 4"),
        (x.squeeze(1), "axis 1 of f32[2, 3, 1] has size 3, not 1"),
        (x.expand([3, 3, 1]), "does not expand to [3, 3, 1]"),
        (x.expand([3, 1]), "does not expand to [3, 1]"),
        (x.expand([-1, 2, 3, 1]), "does not expand to [-1, 2, 3, 1]"),
        (x.select(0, 2), "index 2 of axis 0"),
        (x.select(0, -3), "index -3 of axis 0"),
        (x.narrow(1, 2, 2), "indices 2..4 of axis 1"),
        (x.narrow(1, 0, usize::MAX), "of axis 1"),
        (x.i((.., .., .., ..)), "4 indices of f32[2, 3, 1], which has 3 axes"),
        (x.i((.., -1..1)), "indices 2..1 of axis 1"),
        (x.i((.., ..4)), "indices 0..4 of axis 1"),
        (x.i((u32::MAX, 0)), "of axis 0"),
        (x.i(Index::from(..).step(0)), "a step of 0"),
        (x.flip([0, -3]), "names an axis of f32[2, 3, 1] twice"),
        (x.flatten(3), "has no axis 3"),
    ];
    for (array, what) in others {
        let text = array.to_vec::<f32>().unwrap_err().to_string();
        assert!(text.contains(what), "{text}: {what}");
    }
    let mut y = x.clone();
    assert!(y.slice_mut((0, 3)).err().unwrap().to_string().contains("index 3 of axis 1"));
    assert!(y.copy_from(&Array::zeros::<f32>(&[4])).unwrap_err().to_string().contains("does not expand"));
    assert!(y.copy_from(&Array::zeros::<i64>(&[1])).unwrap_err().to_string().contains("i64"));
    assert!(y.slice_mut(0).unwrap().fill(1i64).is_err());
    let t = Array::zeros::<f32>(&[2, 3]).transpose(0, 1);
    assert!(t.as_slice::<f32>().unwrap_err().to_string().contains("f32[3, 2] lies by strides [1, 3]"));
    assert_eq!(y, x);
}

/// Memory is shared until somebody writes, and not copied again by who is alone.
#[test]
fn clones_and_views_share_memory() {
    let mut x = Array::zeros::<f32>(&[100, 100]);
    let at = |x: &Array| x.as_slice::<f32>().unwrap().as_ptr();
    let first = at(&x);
    x.as_mut_slice::<f32>().unwrap()[0] = 1.0;
    assert_eq!(at(&x), first);
    let clone = x.clone();
    assert_eq!((at(&clone), at(&x.i(0..50)), at(&x.reshape([-1]))), (first, first, first));
    x.slice_mut(0).unwrap().fill(2.0f32).unwrap();
    assert!(at(&x) != first && at(&clone) == first);
    let second = at(&x);
    x.slice_mut((.., 1)).unwrap().fill(3.0f32).unwrap();
    assert_eq!(at(&x), second);
    assert_eq!(clone.i((0, 0)).item::<f32>().unwrap(), 1.0);
    // The last one of a large array that is left is no reason to copy it all, but to write it.
    let mut row = x.i(7);
    drop(x);
    row.fill(5.0f32).unwrap();
    assert_eq!(row.to_vec::<f32>().unwrap(), [5.0; 100]);
}
