//! Finds and lists plans.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use experiment_model::plan::Plan;
use lab::project;

use crate::output::print;

const DIRECTORY: &str = "compare/plans";

/// Reads a plan. `name` is a file, or the name of a plan in compare/plans.
pub fn read_named(root: &Path, name: &str) -> Result<Plan> {
    read(&find(root, name)?)
}

/// Reads and checks the plan of a file.
fn read(path: &Path) -> Result<Plan> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading the plan {}", path.display()))?;
    Plan::parse(&text).with_context(|| format!("the plan {}", path.display()))
}

fn find(root: &Path, name: &str) -> Result<PathBuf> {
    let file = PathBuf::from(name);
    if file.is_file() {
        return Ok(file);
    }
    let in_project = root.join(DIRECTORY).join(name).with_extension("toml");
    let names = all(root)?
        .into_iter()
        .map(|plan| plan.name)
        .collect::<Vec<_>>()
        .join(", ");
    ensure!(
        in_project.is_file(),
        "there is no plan {name}: it is neither a file nor one of {names}; `compare plans` describes them"
    );
    Ok(in_project)
}

/// Prints name, duration and purpose of each plan in compare/plans.
pub fn list() -> Result<ExitCode> {
    for plan in all(&project::root()?)? {
        let minutes = plan.estimate()?.as_secs_f64() / 60.0;
        print(&format!(
            "{:<12} {minutes:>3.0} min  {}\n",
            plan.name, plan.purpose
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// All plans in compare/plans, in the order of their names.
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
    files.iter().map(|file| read(file)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plan_is_valid_and_has_the_name_of_its_file() {
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
    }

    #[test]
    fn unknown_plan_is_an_error_that_lists_the_plans() {
        let root = project::root().unwrap();
        let error = find(&root, "none").unwrap_err().to_string();
        assert!(error.contains("quick, "), "{error}");
    }
}
