//! Progress messages on standard error: spinners on a terminal, plain lines otherwise. Results go to standard output.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Shows the progress of steps.
#[derive(Clone, Debug)]
pub struct Progress {
    terminal: Option<MultiProgress>,
}

/// One step. If it is dropped without [`Step::done`], its spinner disappears and nothing is printed.
#[derive(Debug)]
pub struct Step {
    progress: Progress,
    spinner: Option<ProgressBar>,
    title: String,
    started: Instant,
}

impl Progress {
    /// Shows spinners if standard error is a terminal.
    pub fn new() -> Self {
        Self {
            terminal: std::io::stderr().is_terminal().then(MultiProgress::new),
        }
    }

    /// Starts a step.
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

    /// Prints one line.
    pub fn note(&self, line: &str) {
        match &self.terminal {
            Some(terminal) => {
                // The terminal is the only place for messages, so an error cannot be reported.
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
    /// Changes the text of the spinner. Prints nothing without a terminal.
    pub fn update(&self, detail: &str) {
        if let Some(spinner) = &self.spinner {
            spinner.set_message(format!("{} {detail}", self.title));
        }
    }

    /// Whether updates are visible. If not, the caller can print a line from time to time with [`Progress::note`].
    pub fn shows_updates(&self) -> bool {
        self.spinner.is_some()
    }

    /// Ends the step and prints a line with its title, `outcome` and duration.
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
