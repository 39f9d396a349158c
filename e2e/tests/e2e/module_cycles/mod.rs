//! No crate of the workspace has a cycle of modules.
//!
//! The graph has one node for each source file of a library or program. The rules for its edges:
//!
//! - Each path in a file that starts with `crate`, `super`, `self` or a child module is an edge to the file that defines the
//!   item. A path to a re-export leads to the file behind the `use`, and to no file if the item is from another crate.
//! - A declaration (`mod child;`) is not an edge. A re-export (`pub use child::Item;`) is an edge only if its file also uses
//!   the item. So a parent that only declares and re-exports its children never causes a cycle.
//! - Code under `#[cfg(test)]` does not count. Inline modules count as part of their file, and glob imports are edges to the
//!   named module only.

mod source_text;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use self::source_text::{Import, ModulePath, imports, paths_in_code, tokenize, without_test_code};

type Graph = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_crate_has_a_cycle_of_modules() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let workspace = Path::new(metadata["workspace_root"].as_str().unwrap());
    let mut cycles = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        for target in package["targets"].as_array().unwrap() {
            let kind = target["kind"][0].as_str().unwrap();
            if kind == "lib" || kind == "bin" {
                let mut sources = Sources::default();
                let root = PathBuf::from(target["src_path"].as_str().unwrap());
                sources.load(workspace, &root, &["crate".to_owned()]);
                cycles.extend(find_cycles(&sources.graph()));
            }
        }
    }
    let described: Vec<_> = cycles.iter().map(|files| files.join("\n  ")).collect();
    assert!(
        cycles.is_empty(),
        "{} groups of files depend on each other in a cycle:\n  {}",
        cycles.len(),
        described.join("\n\n  ")
    );
}

/// The files of one library or program.
#[derive(Default)]
struct Sources {
    modules: BTreeMap<ModulePath, SourceFile>,
}

struct SourceFile {
    name: String,
    tokens: Vec<String>,
    imports: Vec<Import>,
}

impl Sources {
    /// Reads the file of a module, and the files of all modules below it.
    fn load(&mut self, workspace: &Path, file: &Path, module: &[String]) {
        let source = std::fs::read_to_string(file).unwrap();
        let name = file.strip_prefix(workspace).unwrap_or(file).display().to_string();
        self.add(&name, &source, module.to_vec());
        let directory = file.parent().unwrap();
        let is_directory_module = module.len() == 1 || file.ends_with("mod.rs");
        let children = if is_directory_module {
            directory.to_owned()
        } else {
            directory.join(file.file_stem().unwrap())
        };
        let tokens = self.modules[module].tokens.clone();
        for window in tokens.windows(3) {
            if window[0] == "mod" && window[2] == ";" {
                let candidates = [
                    children.join(format!("{}.rs", window[1])),
                    children.join(&window[1]).join("mod.rs"),
                ];
                let child = candidates.iter().find(|path| path.exists());
                let child = child.unwrap_or_else(|| panic!("{name}: no file for `mod {};`", window[1]));
                self.load(workspace, child, &join(module, &window[1]));
            }
        }
    }

    fn add(&mut self, name: &str, source: &str, module: ModulePath) {
        let tokens = without_test_code(&tokenize(source));
        let file = SourceFile {
            name: name.to_owned(),
            imports: imports(&tokens),
            tokens,
        };
        self.modules.insert(module, file);
    }

    fn graph(&self) -> Graph {
        let edges_of = |(module, file): (&ModulePath, &SourceFile)| {
            let is_used = |import: &Import| {
                let occurrences = file.tokens.iter().filter(|token| **token == import.name);
                !import.is_reexport || occurrences.count() > 1
            };
            let imported = file.imports.iter().filter(|import| is_used(import));
            let paths = imported
                .map(|import| import.path.clone())
                .chain(paths_in_code(&file.tokens));
            let targets = paths.filter_map(|path| self.resolve(module, &path, 0));
            let names = targets.map(|target| self.modules[&target].name.clone());
            let names = names.filter(|name| *name != file.name);
            (file.name.clone(), names.collect())
        };
        self.modules.iter().map(edges_of).collect()
    }

    /// The module that defines the item at `path`; `None` if the item is from another crate.
    fn resolve(&self, from: &ModulePath, path: &[String], depth: usize) -> Option<ModulePath> {
        let (head, _) = path.split_first()?;
        let mut module = if head == "crate" {
            vec![head.clone()]
        } else if head == "super" || head == "self" || self.modules.contains_key(&join(from, head)) {
            from.clone()
        } else {
            return None;
        };
        for segment in path {
            match segment.as_str() {
                "crate" | "self" => {}
                "super" => {
                    module.pop();
                }
                _ if self.modules.contains_key(&join(&module, segment)) => module.push(segment.clone()),
                _ => {
                    let file = self.modules.get(&module)?;
                    let import = file.imports.iter().find(|import| import.name == *segment);
                    return match import {
                        Some(import) if depth < 10 => self.resolve(&module, &import.path, depth + 1),
                        _ => Some(module),
                    };
                }
            }
        }
        self.modules.contains_key(&module).then_some(module)
    }
}

fn join(module: &[String], name: &str) -> ModulePath {
    let mut path = module.to_vec();
    path.push(name.to_owned());
    path
}

/// The groups of files that depend on each other in a cycle.
fn find_cycles(graph: &Graph) -> Vec<Vec<String>> {
    let reachable_from = |start: &String| {
        let mut reached = BTreeSet::new();
        let mut pending = vec![start];
        while let Some(file) = pending.pop() {
            for target in graph.get(file).into_iter().flatten() {
                if reached.insert(target) {
                    pending.push(target);
                }
            }
        }
        reached
    };
    let reachable: BTreeMap<_, _> = graph.keys().map(|file| (file, reachable_from(file))).collect();
    let cycle_of = |file: &String| {
        let others = reachable[file].iter().copied();
        let in_cycle = others.filter(|other| reachable.get(other).is_some_and(|back| back.contains(file)));
        in_cycle.cloned().collect::<Vec<_>>()
    };
    let cycles: BTreeSet<_> = graph.keys().map(cycle_of).collect();
    cycles.into_iter().filter(|cycle| !cycle.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cycles_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let mut sources = Sources::default();
        for (module, source) in files {
            let path = module.split("::").map(str::to_owned).collect();
            sources.add(module, source, path);
        }
        find_cycles(&sources.graph())
    }

    #[test]
    fn cycle_is_found_with_all_its_files() {
        let files = [
            ("crate", "mod a; mod b; mod c;"),
            ("crate::a", "use crate::b::{self, B as Other};"),
            ("crate::b", "fn b() { super::c::run(\"{\", '{') }"),
            ("crate::c", "use super::a::A; // use crate::d;"),
        ];
        assert_eq!(cycles_of(&files), [["crate::a", "crate::b", "crate::c"]]);
    }

    #[test]
    fn reexport_leads_to_the_defining_file() {
        let lib = ("crate", "mod a; mod b; pub use b::{B, self};");
        let files = [lib, ("crate::a", "use crate::B;"), ("crate::b", "use super::a;")];
        assert_eq!(cycles_of(&files), [["crate::a", "crate::b"]]);
    }

    #[test]
    fn parent_is_part_of_a_cycle_only_if_it_uses_its_child() {
        let child = ("crate::a", "use crate::Limit;");
        let reexport = "mod a; pub use a::A; pub struct Limit;";
        assert!(cycles_of(&[("crate", reexport), child]).is_empty());
        for using in [
            "mod a; struct Limit(a::A);",
            "mod a; pub use a::A; struct Limit(A);",
        ] {
            assert_eq!(cycles_of(&[("crate", using), child]), [["crate", "crate::a"]]);
        }
    }

    #[test]
    fn test_code_and_other_crates_do_not_count() {
        let files = [
            ("crate", "mod a; mod b; pub use vote::Route;"),
            ("crate::a", "use crate::b; use b::C; use crate::Route;"),
            (
                "crate::b",
                "#[cfg(test)] use crate::{a}; #[cfg(test)] mod tests { use crate::a; } struct B;",
            ),
        ];
        assert!(cycles_of(&files).is_empty());
    }
}
