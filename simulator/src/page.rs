//! Lists page by page, with tokens that a caller cannot take for a number or a name.

use crate::call::Call;

/// The items of one page, and the token for the rest.
pub(crate) type Page<T> = (Vec<T>, Option<String>);

/// One page: `size` items after the one that the token in `member` names. `None`: the token is not one of ours.
pub(crate) fn cut<T>(call: &Call<'_>, member: &str, size: usize, items: Vec<(String, T)>) -> Option<Page<T>> {
    let size = call.keep.unwrap_or(size);
    let first = match call.input[member].as_str().filter(|token| !token.is_empty()) {
        None => 0,
        Some(token) => {
            let cursor = open_token(call.operation, token)?;
            let next = items.iter().position(|(key, _)| *key == cursor);
            next.unwrap_or_else(|| items.iter().position(|(key, _)| *key > cursor).unwrap_or(items.len()))
        }
    };
    let rest = items.get(first + size).map(|(key, _)| seal_token(call.operation, key));
    Some((items.into_iter().skip(first).take(size).map(|(_, item)| item).collect(), rest))
}

fn seal_token(operation: &str, next: &str) -> String {
    format!("{operation}/{next}").bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn open_token(operation: &str, token: &str) -> Option<String> {
    let digits = token.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> =
        digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
    let text = String::from_utf8(bytes?).ok()?;
    text.strip_prefix(operation)?.strip_prefix('/').map(str::to_owned)
}
