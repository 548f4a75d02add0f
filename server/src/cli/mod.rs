//! The command line.
//!
//! **Invariant:** an error is one line on standard error and exit code 1, but for `agent`, whose codes tell more; standard
//! output holds only what was asked for.

mod accounts;
mod agent;
mod agent_tokens;
mod backup;
mod doctor;
mod local;
mod plan;
mod secrets;

use crate::settings::{AgentFlags, AgentSettings, GlobalFlags, ServeFlags, Settings};
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// A self-hosted continuous-delivery server
#[derive(Debug, Parser)]
#[command(name = "caracal", version, propagate_version = false, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: GlobalFlags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server, with an agent inside
    Serve(ServeFlags),
    /// Run an agent for a server on another machine
    Agent(AgentFlags),
    /// Tokens that register agents, in the data folder of this machine
    #[command(subcommand)]
    AgentToken(AgentTokenCommand),
    /// Users, in the data folder of this machine
    #[command(subcommand)]
    User(UserCommand),
    /// API tokens, in the data folder of this machine
    #[command(subcommand)]
    Token(TokenCommand),
    /// Secrets and their master key, in the data folder of this machine
    #[command(subcommand)]
    Secret(SecretCommand),
    /// Plan documents
    #[command(subcommand)]
    Plan(PlanCommand),
    /// Look at this machine: engine, disk, git, permissions, and what to do about them
    Doctor(doctor::DoctorFlags),
    /// Copy the data folder, of a running server too, into an empty folder
    Backup {
        /// The folder; it must be empty or not there
        dir: PathBuf,
    },
    /// Put a backup into a new data folder, checked to the byte
    Restore {
        /// The backup's folder; the new data folder is named with --data
        dir: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Make a user; the password is read from standard input
    Add {
        /// Their name
        name: String,
        /// viewer, runner, editor or admin
        #[arg(long)]
        role: domain::auth::Role,
        /// Read the password from standard input
        #[arg(long, required = true)]
        password_stdin: bool,
    },
    /// List users with their roles
    List,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Make a token and print it
    Create {
        /// Whose it is
        #[arg(long)]
        user: String,
        /// So that they know it again
        #[arg(long, default_value = "command line")]
        name: String,
        /// read, run, write, admin or metrics; all that the user's role allows when none is given
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<domain::auth::TokenScope>,
    },
}

#[derive(Debug, Subcommand)]
enum AgentTokenCommand {
    /// Make a token and print it
    Create {
        /// How long it lives, as 30m, 12h or 7d
        #[arg(long, value_name = "TIME", default_value = "1h")]
        expires: String,
        /// Agents it registers
        #[arg(long, value_name = "N", default_value_t = 1)]
        uses: u32,
        /// A label set on each of them; repeatable
        #[arg(long = "label", value_name = "KEY=VALUE")]
        labels: Vec<String>,
    },
    /// List tokens that may still register agents
    List,
    /// Revoke a token; agents it has registered stay
    Revoke {
        /// Its number in the list
        id: i64,
    },
}

#[derive(Debug, Subcommand)]
enum SecretCommand {
    /// List secrets, never their values
    List,
    /// Make a secret or set it anew; the value is read from standard input
    Set {
        /// Its name: capitals, digits and `_`
        name: String,
        /// The plan whose alone it is; the whole project's without
        #[arg(long, value_name = "NAME")]
        plan: Option<String>,
        /// Read the value from standard input; the line's end behind a single line is not part of it
        #[arg(long, required = true)]
        value_stdin: bool,
    },
    /// Remove a secret
    Remove {
        /// Its name
        name: String,
        /// The plan whose alone it is
        #[arg(long, value_name = "NAME")]
        plan: Option<String>,
    },
    /// Make a new master key and put every secret under it; the server may run
    RotateKey,
    /// Name the secrets that do not open, because their master key is lost, say
    ForgetUnreadable {
        /// Remove them, for good
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
enum PlanCommand {
    /// Check a plan document: every mistake with its line and column
    Validate {
        /// The YAML file; `-` for standard input
        file: PathBuf,
        /// Check it as the file of a plan that is kept in its repository; always so for `.caracal.yml`
        #[arg(long)]
        in_repository: bool,
    },
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    // Prints help and usage errors itself, with exit codes 0 and 2.
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("caracal: {e:#}");
            e.downcast_ref::<::agent::End>()
                .map_or(ExitCode::FAILURE, |end| ExitCode::from(end.exit_code()))
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    if let Command::Agent(flags) = &cli.command {
        let settings = match AgentSettings::of_process(&cli.global, flags) {
            Ok(settings) => settings,
            Err(e) => {
                eprintln!("caracal: {e:#}");
                return Ok(ExitCode::from(agent::USAGE));
            }
        };
        return wait_for(agent::run(settings), true);
    }
    let serve_flags = match &cli.command {
        Command::Serve(flags) => flags.clone(),
        _ => ServeFlags::default(),
    };
    let settings = Settings::of_process(&cli.global, &serve_flags)?;
    match cli.command {
        Command::Serve(_) => wait_for(crate::serve::run(settings), true)?,
        Command::User(command) => wait_for(accounts::user(&settings, command), false)?,
        Command::Token(command) => wait_for(accounts::token(&settings, command), false)?,
        Command::AgentToken(command) => wait_for(agent_tokens::run(&settings, command), false)?,
        Command::Secret(command) => wait_for(secrets::run(&settings, command), false)?,
        Command::Backup { dir } => wait_for(backup::take(&settings, &dir), false)?,
        Command::Restore { dir } => wait_for(backup::restore(&settings, &dir), false)?,
        Command::Plan(PlanCommand::Validate { file, in_repository }) => {
            return plan::validate(&settings, &file, in_repository);
        }
        Command::Doctor(flags) => return wait_for(doctor::run(settings, flags), false),
        Command::Agent(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Stack of each worker thread, bytes; only what is used becomes memory.
const STACK: usize = 16 << 20;

/// Runs something asynchronous to its end.
fn wait_for<T>(future: impl Future<Output = anyhow::Result<T>>, all_cores: bool) -> anyhow::Result<T> {
    let mut builder = if all_cores {
        tokio::runtime::Builder::new_multi_thread()
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    // Pages are deep trees of views: their rendering takes more stack than the default 2 MiB, above all in debug builds.
    builder.enable_all().thread_stack_size(STACK).build()?.block_on(future)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn commands_of_the_contract_are_read() {
        for line in [
            "caracal serve --listen 127.0.0.1:0 --no-agent --executor process --slots 4 --data d --config c",
            "caracal user add ana --role admin --password-stdin",
            "caracal --data d user list",
            "caracal token create --user ana --name ci --scope read --scope run",
            "caracal plan validate plan.yml",
            "caracal agent --server https://x --token t --executor process --slots 2 --label a=b --label c=d --ca f --name n --data d",
            "caracal agent-token create --expires 30m --uses 3 --label pool=fast",
            "caracal --data d agent-token list",
            "caracal agent-token revoke 7",
            "caracal secret list",
            "caracal --data d secret set DEPLOY_KEY --plan app --value-stdin",
            "caracal secret remove DEPLOY_KEY --plan app",
            "caracal secret rotate-key",
            "caracal secret forget-unreadable --yes",
            "caracal --data d backup b",
            "caracal restore b --data new",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
        for line in [
            "caracal user add ana --role admin",
            "caracal user add ana --role king --password-stdin",
            "caracal secret set DEPLOY_KEY",
            "caracal secret set DEPLOY_KEY hunter2 --value-stdin",
            "caracal fly",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
