//! The plans that come with the project.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use lab::project;

use crate::plan::Plan;

const DIRECTORY: &str = "compare/plans";

/// A file, or the name of a plan that comes with the project.
pub fn find(root: &Path, name: &str) -> Result<PathBuf> {
    let file = PathBuf::from(name);
    if file.is_file() {
        return Ok(file);
    }
    let ours = root.join(DIRECTORY).join(name).with_extension("toml");
    let names = all(root)?
        .into_iter()
        .map(|plan| plan.name)
        .collect::<Vec<_>>()
        .join(", ");
    ensure!(
        ours.is_file(),
        "there is no plan {name}: neither a file of that name, nor one of {names}; `compare plans` says what they are for"
    );
    Ok(ours)
}

/// Prints name, purpose and duration of each.
pub fn list() -> Result<ExitCode> {
    for plan in all(&project::root()?)? {
        let minutes = plan.estimate()?.as_secs_f64() / 60.0;
        println!("{:<12} {minutes:>3.0} min  {}", plan.name, plan.purpose);
    }
    Ok(ExitCode::SUCCESS)
}

/// In the order of their names.
fn all(root: &Path) -> Result<Vec<Plan>> {
    let directory = root.join(DIRECTORY);
    let entries =
        std::fs::read_dir(&directory).with_context(|| format!("reading {}", directory.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    files.iter().map(|file| Plan::read(file)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plan_can_be_run_and_has_the_name_of_its_file() {
        let root = project::root().unwrap();
        let plans = all(&root).unwrap();
        assert!(plans.len() > 1);
        for plan in plans {
            assert!(
                find(&root, &plan.name)
                    .unwrap()
                    .ends_with(format!("{}.toml", plan.name))
            );
        }
        let error = find(&root, "none").unwrap_err().to_string();
        assert!(error.contains("quick, "), "{error}");
    }
}
