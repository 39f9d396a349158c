//! Reads the tokens, imports and paths of a Rust source text.

/// The segments of a path, such as `["crate", "cases", "valid"]`.
pub(crate) type ModulePath = Vec<String>;

/// One imported name of a `use` declaration.
pub(crate) struct Import {
    pub(crate) path: ModulePath,
    pub(crate) name: String,
    pub(crate) is_reexport: bool,
}

/// The identifiers and punctuation of a source text, without comments and literals. `::` is one token.
pub(crate) fn tokenize(source: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let is_identifier_character = |character: char| character.is_alphanumeric() || character == '_';
        let identifier_length = rest
            .find(|character| !is_identifier_character(character))
            .unwrap_or(rest.len());
        let after = &rest[identifier_length..];
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if ["r", "br", "cr"].contains(&&rest[..identifier_length]) && after.starts_with(['"', '#']) {
            let hashes = after.len() - after.trim_start_matches('#').len();
            let end = format!("\"{}", "#".repeat(hashes));
            let body = identifier_length + hashes + 1;
            rest[body..]
                .find(&end)
                .map_or(rest.len(), |at| body + at + end.len())
        } else if first == '"' {
            string_length(rest)
        } else if first == '\'' {
            char_or_lifetime_length(rest)
        } else if identifier_length > 0 {
            tokens.push(rest[..identifier_length].to_owned());
            identifier_length
        } else if rest.starts_with("::") {
            tokens.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

fn string_length(text: &str) -> usize {
    let mut is_escaped = true; // The opening quote does not end the string.
    for (index, character) in text.char_indices() {
        match character {
            '"' if !is_escaped => return index + 1,
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    text.len()
}

fn char_or_lifetime_length(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match (characters.next(), characters.next()) {
        (Some((_, '\\')), Some((escaped, _))) => {
            let rest = &text[escaped + 1..];
            escaped + 1 + rest.find('\'').map_or(rest.len(), |end| end + 1)
        }
        (Some(_), Some((end, '\''))) => end + 1,
        _ => 1,
    }
}

/// Removes every item with an attribute such as `#[cfg(test)]`.
pub(crate) fn without_test_code(tokens: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        let attribute = attribute_length(&tokens[index..]);
        let attribute_tokens = &tokens[index..index + attribute];
        let has_token = |text: &str| attribute_tokens.iter().any(|token| token == text);
        if has_token("cfg") && has_token("test") && !has_token("not") {
            index += attribute;
            while attribute_length(&tokens[index..]) > 0 {
                index += attribute_length(&tokens[index..]);
            }
            index += item_length(&tokens[index..]);
        } else {
            kept.push(tokens[index].clone());
            index += 1;
        }
    }
    kept
}

/// The number of tokens of the attribute `#[...]` at the start; 0 if there is none.
fn attribute_length(tokens: &[String]) -> usize {
    let is_attribute = tokens.len() > 1 && tokens[0] == "#" && tokens[1] == "[";
    let end = tokens.iter().position(|token| token == "]");
    if is_attribute { end.unwrap() + 1 } else { 0 }
}

/// The number of tokens up to the `;` or the closing brace of the item at the start.
fn item_length(tokens: &[String]) -> usize {
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        let is_use_tree = tokens.get(index + 1).is_some_and(|next| next == ";");
        if depth == 0 && (token == ";" || token == "}" && !is_use_tree) {
            return index + 1;
        }
    }
    tokens.len()
}

pub(crate) fn imports(tokens: &[String]) -> Vec<Import> {
    let mut imports = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        if token == "use" {
            let end = tokens[index..].iter().position(|token| token == ";");
            let tree = &tokens[index + 1..index + end.unwrap_or(1)];
            let before = &tokens[..index];
            let is_reexport = before.ends_with(&["pub".to_owned()]) || before.ends_with(&[")".to_owned()]);
            add_use_tree(tree, &[], is_reexport, &mut imports);
        }
    }
    imports
}

/// Adds the imports of a tree such as `crate::{a, b::{self, C as D}}`.
fn add_use_tree(tree: &[String], prefix: &[String], is_reexport: bool, imports: &mut Vec<Import>) {
    let mut path = prefix.to_vec();
    for (index, token) in tree.iter().enumerate() {
        match token.as_str() {
            "{" => {
                let inner = &tree[index + 1..tree.len() - 1];
                let mut depth = 0;
                let branches = inner.split(|token| {
                    depth += i32::from(token == "{") - i32::from(token == "}");
                    depth == 0 && token == ","
                });
                for branch in branches.filter(|branch| !branch.is_empty()) {
                    add_use_tree(branch, &path, is_reexport, imports);
                }
                return;
            }
            "::" | "*" => {}
            "as" => break,
            _ if index > 0 || tree[0] != "::" => path.push(token.clone()),
            _ => return,
        }
    }
    path.pop_if(|last| last == "self" && !prefix.is_empty());
    let name = tree.last().filter(|last| *last != "self").or(path.last());
    if let Some(name) = name.cloned() {
        imports.push(Import {
            path,
            name,
            is_reexport,
        });
    }
}

/// The paths with at least two segments outside of `use` declarations.
pub(crate) fn paths_in_code(tokens: &[String]) -> Vec<ModulePath> {
    let mut paths = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        if tokens[index] == "use" {
            index += item_length(&tokens[index..]);
            continue;
        }
        let mut path = vec![tokens[index].clone()];
        while tokens.get(index + 1).is_some_and(|next| next == "::") && index + 2 < tokens.len() {
            path.push(tokens[index + 2].clone());
            index += 2;
        }
        if path.len() > 1 && path[0] != "::" {
            paths.push(path);
        }
        index += 1;
    }
    paths
}
