//! What is under way: spinners on a terminal, plain lines elsewhere. All on standard error; results go to standard
//! output.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Where steps are shown.
#[derive(Clone, Debug)]
pub struct Progress {
    terminal: Option<MultiProgress>,
}

/// One step; dropped without [`Step::done`] it vanishes, and an error tells the rest.
#[derive(Debug)]
pub struct Step {
    progress: Progress,
    spinner: Option<ProgressBar>,
    title: String,
    started: Instant,
}

impl Progress {
    /// Looks whether standard error is a terminal.
    pub fn new() -> Self {
        Self {
            terminal: std::io::stderr().is_terminal().then(MultiProgress::new),
        }
    }

    /// Begins a step.
    pub fn step(&self, title: &str) -> Step {
        let spinner = self.terminal.as_ref().map(|terminal| {
            let spinner = terminal.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg} {elapsed}") {
                spinner.set_style(style);
            }
            spinner.set_message(title.to_owned());
            spinner.enable_steady_tick(Duration::from_millis(100));
            spinner
        });
        Step {
            progress: self.clone(),
            spinner,
            title: title.to_owned(),
            started: Instant::now(),
        }
    }

    /// One line.
    pub fn note(&self, line: &str) {
        match &self.terminal {
            Some(terminal) => {
                // A terminal that cannot be written to has nobody to tell.
                let _ = terminal.println(format!("  {line}"));
            }
            None => eprintln!("  {line}"),
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Step {
    /// Changes what a spinner says; silent elsewhere.
    pub fn update(&self, detail: &str) {
        if let Some(spinner) = &self.spinner {
            spinner.set_message(format!("{} {detail}", self.title));
        }
    }

    /// Whether updates are seen at once; elsewhere a caller may want to write a line now and then.
    pub fn is_live(&self) -> bool {
        self.spinner.is_some()
    }

    /// Ends the step with a line that says how long it took.
    pub fn done(self, outcome: &str) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
        let seconds = self.started.elapsed().as_secs_f64();
        self.progress
            .note(&format!("{:<24} {outcome} in {seconds:.1} s", self.title));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }
}
