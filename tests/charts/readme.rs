//! The table of values in the chart's README, made from the comments in values.yaml.

use serde_json::Value;

const BEGIN: &str = "<!-- values: made from values.yaml by `make charts` -->\n";
const END: &str = "<!-- end of values -->\n";

/// The README with the table as the values give it.
pub fn with_values(readme: &str, values: &str) -> Result<String, String> {
    let (before, rest) = readme.split_once(BEGIN).ok_or("the README has no place for the values")?;
    let (_, after) = rest.split_once(END).ok_or("the README's place for the values has no end")?;
    Ok(format!("{before}{BEGIN}{}{END}{after}", table(values)?))
}

fn table(text: &str) -> Result<String, String> {
    let values: Value = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
    let mut rows = String::from("\n| value | default | what it is |\n|---|---|---|\n");
    let mut comment: Vec<&str> = Vec::new();
    // The keys above the line, with their indent; and the one whose comment speaks for all below it.
    let (mut above, mut told): (Vec<(usize, String)>, Option<usize>) = (Vec::new(), None);
    for line in text.lines() {
        let (indent, content) = (line.len() - line.trim_start().len(), line.trim());
        if content.is_empty() {
            comment.clear();
        } else if let Some(words) = content.strip_prefix('#') {
            comment.push(words.trim());
        } else if let Some((key, rest)) = content.split_once(':').filter(|_| !content.starts_with('-')) {
            above.retain(|(column, _)| *column < indent);
            above.push((indent, key.to_owned()));
            told = told.filter(|column| *column < indent);
            let path = above.iter().map(|(_, key)| key.as_str()).collect::<Vec<_>>();
            if !comment.is_empty() {
                let pointer = format!("/{}", path.join("/"));
                let default = values.pointer(&pointer).ok_or(format!("no value at {pointer}"))?;
                rows += &format!("| `{}` | `{default}` | {} |\n", path.join("."), comment.join(" "));
                told = Some(indent);
            } else if told.is_none() && !rest.trim().is_empty() {
                return Err(format!("{} has no comment", path.join(".")));
            }
            comment.clear();
        }
    }
    Ok(rows + "\n")
}
