//! `swinpipe completions`: for a shell to source.

use clap::CommandFactory;

use super::{Cli, Done};

#[derive(clap::Args)]
pub struct Args {
    /// The shell.
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

pub fn run(args: Args) -> anyhow::Result<Done> {
    // Into memory first: the generator panics on a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "swinpipe", &mut script);
    std::io::Write::write_all(&mut std::io::stdout(), &script)?;
    Ok(Done::Well)
}
