//! What AWS's published API models say of an input: members, types and bounds. Each service has its own tables.

pub(crate) mod check;
pub(crate) mod pattern;

use pattern::Pattern;

/// One member of a structure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    pub(crate) shape: Shape,
}

/// Type and bounds of a member.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    Text(Text),
    Flag,
    Int { low: i64, high: i64 },
    List { item: &'static Shape, low: usize, high: usize },
    Map { key: Text, value: &'static Shape, low: usize, high: usize },
    Struct(&'static [Member]),
}

/// Bounds of a text, in characters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text {
    pub(crate) low: usize,
    pub(crate) high: usize,
    pub(crate) pattern: Option<Pattern>,
    /// The values of an enum; empty for free text.
    pub(crate) values: &'static [&'static str],
}

pub(crate) const fn must(name: &'static str, shape: Shape) -> Member {
    Member { name, required: true, shape }
}

pub(crate) const fn may(name: &'static str, shape: Shape) -> Member {
    Member { name, required: false, shape }
}

pub(crate) const fn text(low: usize, high: usize) -> Text {
    Text { low, high, pattern: None, values: &[] }
}

pub(crate) const fn patterned(pattern: Pattern, low: usize, high: usize) -> Text {
    Text { low, high, pattern: Some(pattern), values: &[] }
}

pub(crate) const fn one_of(values: &'static [&'static str]) -> Text {
    Text { low: 0, high: usize::MAX, pattern: None, values }
}

pub(crate) const fn list(item: &'static Shape, low: usize, high: usize) -> Shape {
    Shape::List { item, low, high }
}
