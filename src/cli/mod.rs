//! The command line: one file per command, each with its arguments and what it does.
//!
//! Exit codes: 0 done, 1 a gate failed, 2 an error, 130 interrupted.

mod terminal;
mod progress;
mod usage;
mod check;
mod plan;
mod run;
mod demo;
mod inspect;
mod manifest;
mod why;
mod verify;
mod schema;
mod completions;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::pipeline::load::{self, Loaded, Problems};
use terminal::Terminal;

/// Turns a dirty pile of images into a versioned, leak-proof, training-ready dataset.
#[derive(Parser)]
#[command(name = "swinpipe", version, max_term_width = 100, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    output: Output,
}

/// How everything is told.
#[derive(Args)]
struct Output {
    /// Print the result as one JSON document on standard output.
    #[arg(long, global = true, help_heading = "Output")]
    json: bool,
    /// Tell the time of every stage; twice: what libraries log as well.
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Output")]
    verbose: u8,
    /// Say nothing but results and errors.
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Output")]
    quiet: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Run a pipeline: ingest, clean, split, commit.
    Run(run::Args),
    /// Check a pipeline file and its surroundings; reports every problem at once.
    Check(check::Args),
    /// Tell what a run would do, and write nothing.
    Plan(plan::Args),
    /// Draw a small dirty dataset to try everything on.
    Demo(demo::Args),
    /// Show what a dataset holds.
    Inspect(inspect::Args),
    /// Print rows of the split manifest.
    Manifest(manifest::Args),
    /// Tell the whole history of one object.
    Why(why::Args),
    /// Hash everything that a version names and compare what it says of itself.
    Verify(verify::Args),
    /// Print the JSON schema of a pipeline file, a shard or a manifest.
    Schema(schema::Args),
    /// Print completions for a shell.
    Completions(completions::Args),
}

/// How a command ends, if not in an error.
enum Done {
    /// As wanted.
    Well,
    /// A gate failed; what there is to say was said.
    Gate,
    /// An error; what there is to say was said.
    Error,
    /// It was told to stop.
    Interrupted,
}

/// Runs the command that the process was called with.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr(&cli.output);
    let terminal = Terminal::new(cli.output.json, cli.output.quiet, cli.output.verbose > 0);
    let done = match cli.command {
        Command::Run(args) => run::run(args, &terminal),
        Command::Check(args) => check::run(args, &terminal),
        Command::Plan(args) => plan::run(args, &terminal),
        Command::Demo(args) => demo::run(args, &terminal),
        Command::Inspect(args) => inspect::run(args, &terminal),
        Command::Manifest(args) => manifest::run(args, &terminal),
        Command::Why(args) => why::run(args, &terminal),
        Command::Verify(args) => verify::run(args, &terminal),
        Command::Schema(args) => schema::run(args, &terminal),
        Command::Completions(args) => completions::run(args),
    };
    match done {
        Ok(Done::Well) => ExitCode::SUCCESS,
        Ok(Done::Gate) => ExitCode::from(1),
        Ok(Done::Error) => ExitCode::from(2),
        Ok(Done::Interrupted) => ExitCode::from(130),
        // Whoever reads the output has seen enough: `swinpipe manifest … | head`.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            terminal.error(&error, None);
            ExitCode::from(2)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn log_to_stderr(output: &Output) {
    // What a library finds worth logging as an error comes back as one, and is told once.
    let level = match output.verbose {
        0 => "off,swinpipe=warn",
        1 => "error,swinpipe=info",
        2 => "info,swinpipe=debug",
        _ => "debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("SWINPIPE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    let layer = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    layer.with_ansi(terminal::colours(&std::io::stderr())).init();
}

/// The arguments of every command that reads a pipeline file.
#[derive(Args)]
struct PipelineArgs {
    /// The pipeline file.
    file: std::path::PathBuf,
    /// Override a value of the file, such as `clean.quality=90` or `split.ratios={train=0.9,val=0.1}`; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
}

impl PipelineArgs {
    /// Loads the file, or tells all that is wrong with it.
    fn load(&self, terminal: &Terminal) -> Result<Loaded, Done> {
        let loaded = load::load(&self.file, &self.overrides).map_err(|problems| tell(&problems, terminal))?;
        if !terminal.quiet() && !loaded.warnings.is_empty() {
            eprint!("{}", load::render(&loaded.warnings, terminal::colours(&std::io::stderr())));
        }
        Ok(loaded)
    }
}

/// Tells every problem of a file.
fn tell(problems: &Problems, terminal: &Terminal) -> Done {
    if terminal.json() {
        // Whoever closed standard output wants no more of it.
        terminal.print_json(&problems.to_json()).unwrap_or_else(|error| eprintln!("error: {error}"));
    } else {
        eprint!("{}", problems.render(terminal::colours(&std::io::stderr())));
    }
    Done::Error
}
