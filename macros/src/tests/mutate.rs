//! Networks with tokens removed, doubled, swapped and replaced, groups exchanged, halves of two put together.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// Random numbers, the same for the same seed.
pub struct Random(pub u64);

impl Random {
    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % end
    }
}

/// Tokens that can be changed.
#[derive(Clone)]
pub enum Tree {
    Token(TokenTree),
    Group(Delimiter, Vec<Tree>),
}

/// Tokens as trees.
pub fn trees(tokens: TokenStream) -> Vec<Tree> {
    let tree = |token| match token {
        TokenTree::Group(group) => Tree::Group(group.delimiter(), trees(group.stream())),
        token => Tree::Token(token),
    };
    tokens.into_iter().map(tree).collect()
}

/// Trees as tokens.
pub fn tokens(trees: &[Tree]) -> TokenStream {
    let token = |tree: &Tree| match tree {
        Tree::Token(token) => token.clone(),
        Tree::Group(delimiter, inner) => TokenTree::Group(Group::new(*delimiter, tokens(inner))),
    };
    trees.iter().map(token).collect()
}

/// The number of tokens and groups.
pub fn count(trees: &[Tree]) -> usize {
    let inside = |tree: &Tree| match tree {
        Tree::Token(_) => 0,
        Tree::Group(_, inner) => count(inner),
    };
    trees.iter().map(|tree| 1 + inside(tree)).sum()
}

/// The list that holds the `n`th token or group, and its place there.
fn place<'a>(trees: &'a mut Vec<Tree>, n: &mut usize) -> Option<(&'a mut Vec<Tree>, usize)> {
    for index in 0..trees.len() {
        if *n == 0 {
            return Some((trees, index));
        }
        *n -= 1;
        let inside = match &trees[index] {
            Tree::Token(_) => 0,
            Tree::Group(_, inner) => count(inner),
        };
        if *n < inside {
            let Tree::Group(_, inner) = &mut trees[index] else { return None };
            return place(inner, n);
        }
        *n -= inside;
    }
    None
}

/// A copy of the `n`th token or group.
fn pick(trees: &[Tree], mut n: usize) -> Option<Tree> {
    let mut copy = trees.to_vec();
    place(&mut copy, &mut n).map(|(list, index)| list[index].clone())
}

/// What else may stand anywhere.
const OTHERS: &str = "-> {} () [] let mut fn = ; , : 0 - N D None 1.5 :: # _ x.f() for in if else 1..2 .. | & pub block net where param
    state train const assert! use a.0 x[0] < > <4> == as f32 i64 \"t\" 'a @ $ return |x| x += #[freeze] self 99999999999 true && !";

/// A change or a few, each at random.
pub fn mutate(net: &[Tree], other: &[Tree], random: &mut Random) -> Vec<Tree> {
    let mut mutant = net.to_vec();
    let others = trees(OTHERS.parse().expect("tokens"));
    if random.below(8) == 0 {
        // The first part of one, the last of the other.
        let (end, start) = (random.below(net.len() + 1), random.below(other.len() + 1));
        mutant = net[..end].iter().chain(&other[start..]).cloned().collect();
    }
    for _ in 0..1 + random.below(3) {
        let size = count(&mutant);
        if size == 0 {
            break;
        }
        let (mut at, mut to) = (random.below(size), random.below(size));
        let donor = match random.below(3) {
            0 => pick(&mutant, to),
            1 => pick(other, random.below(count(other).max(1))),
            _ => others.get(random.below(others.len())).cloned(),
        };
        let what = random.below(6);
        let second = pick(&mutant, to);
        let Some((list, index)) = place(&mut mutant, &mut at) else { continue };
        match (what, donor) {
            (0, _) => drop(list.remove(index)),
            (1, _) => list.insert(index, list[index].clone()),
            (2, _) => {
                // Swapped, unless one holds the other.
                let Some(second) = second else { continue };
                let first = std::mem::replace(&mut list[index], second);
                if let Some((list, index)) = place(&mut mutant, &mut to) {
                    list[index] = first;
                }
            }
            (3, Some(donor)) => list.insert(index, donor),
            (4, _) => {
                // Out of its braces.
                if let Tree::Group(_, inner) = list.remove(index) {
                    list.splice(index..index, inner);
                }
            }
            (_, Some(donor)) => list[index] = donor,
            (_, None) => {}
        }
    }
    mutant
}
