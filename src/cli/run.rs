//! From arguments to an exit code.

use super::args::{
    AgentNoun, ArtifactCommand, AuditCommand, BuildCommand, Cli, Command, FailureCommand,
    GateCommand, JobCommand, ProjectCommand,
};
use super::args::{
    PasswordCommand, ReportCommand, SessionCommand, TestCommand, TokenCommand, UserCommand,
};
use super::error::{CliError, Exit};
use super::session::Session;
use super::test_alias;
use super::{
    agent, agent_list, agent_manage, agent_show, agent_token, artifact, audit, backup,
    build_artifacts, build_cancel, build_compare, build_gates, build_list,
};
use super::{
    build_log, build_show, build_trigger, build_verdicts, build_wait, config, demo, doctor, events,
    failure, gate, job, login,
};
use super::{password, search, serve, signed_in, test, token, tui, user, user_change, version};
use super::{
    project, report, report_compare, report_convert, report_push, report_show, report_validate,
};
use crate::config::Environment;
use clap::Parser;
use std::ffi::OsString;
use std::process::ExitCode;

/// Does what the arguments say: results on stdout, messages on stderr, and the exit code says how it ended.
pub async fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help is a result, a wrong argument a message; clap knows which, and nobody listens when the channel is closed.
            drop(error.print());
            return if error.use_stderr() {
                Exit::Usage.into()
            } else {
                Exit::Ok.into()
            };
        }
    };
    let session = Session::new(cli.global, Environment::of_process());
    match Box::pin(dispatch(cli.command, &session)).await {
        Ok(code) => code,
        Err(error) => session.out.report(&error).into(),
    }
}

async fn dispatch(command: Command, session: &Session) -> Result<ExitCode, CliError> {
    let done = match command {
        Command::Serve(args) => return Ok(serve::run(args.into()).await),
        Command::Demo(args) => {
            let options = demo::DemoOptions {
                exit: args.exit,
                listen: args.listen,
            };
            return Ok(Box::pin(demo::run(options)).await);
        }
        Command::Agent(AgentNoun::Here(command)) => return agent::run(command).await,
        Command::Login(args) => login::log_in(session, args).await,
        Command::Logout => login::log_out(session).await,
        Command::Whoami => login::who_am_i(session).await,
        Command::User(UserCommand::Create(args)) => user::create(session, args).await,
        Command::User(UserCommand::List) => user::list(session).await,
        Command::User(UserCommand::Grant(args)) => user::grant(session, &args).await,
        Command::User(UserCommand::Disable(args)) => {
            user_change::disable(session, &args, true).await
        }
        Command::User(UserCommand::Enable(args)) => {
            user_change::disable(session, &args, false).await
        }
        Command::User(UserCommand::Promote(args)) => {
            user_change::promote(session, &args, true).await
        }
        Command::User(UserCommand::Demote(args)) => {
            user_change::promote(session, &args, false).await
        }
        Command::User(UserCommand::ResetPassword(args)) => {
            user_change::reset_password(session, &args).await
        }
        Command::Password(PasswordCommand::Change(args)) => password::change(session, &args).await,
        Command::Password(PasswordCommand::Reset(args)) => password::reset(session, &args).await,
        Command::Session(SessionCommand::List) => signed_in::list(session).await,
        Command::Session(SessionCommand::End { id }) => signed_in::end(session, &id).await,
        Command::Token(TokenCommand::Create(args)) => token::create(session, args).await,
        Command::Token(TokenCommand::List) => token::list(session).await,
        Command::Token(TokenCommand::Revoke { id }) => token::revoke(session, &id).await,
        Command::Project(ProjectCommand::Create(args)) => project::create(session, args).await,
        Command::Project(ProjectCommand::List) => project::list(session).await,
        Command::Project(ProjectCommand::Show { project }) => {
            project::show(session, &project).await
        }
        Command::Project(ProjectCommand::Update(args)) => project::update(session, args).await,
        Command::Job(JobCommand::Create(args)) => job::create(session, args).await,
        Command::Job(JobCommand::List { project }) => job::list(session, &project).await,
        Command::Job(JobCommand::Show { job }) => job::show(session, &job).await,
        Command::Job(JobCommand::Update(args)) => job::update(session, args).await,
        Command::Build(command) => return build(session, command).await.map(ExitCode::from),
        Command::Gate(command) => return gates(session, command).await.map(ExitCode::from),
        Command::Artifact(ArtifactCommand::Get(args)) => artifact::get(session, &args).await,
        Command::Report(command) => return report(session, command).await.map(ExitCode::from),
        Command::Test(TestCommand::List(args)) => test::list(session, args).await,
        Command::Test(TestCommand::History(args)) => test::history(session, args).await,
        Command::Test(TestCommand::Show { id }) => test::show(session, &id).await,
        Command::Test(TestCommand::Aliases(args)) => test_alias::list(session, args).await,
        Command::Test(TestCommand::Accept { alias }) => {
            test_alias::decide(session, &alias, "accept").await
        }
        Command::Test(TestCommand::Reject { alias }) => {
            test_alias::decide(session, &alias, "reject").await
        }
        Command::Test(TestCommand::Undo { alias }) => {
            test_alias::decide(session, &alias, "undo").await
        }
        Command::Failure(FailureCommand::Show { id }) => failure::show(session, &id).await,
        Command::Failure(FailureCommand::Label(args)) => failure::label(session, args).await,
        Command::Search(args) => search::run(session, &args).await,
        Command::Events(args) => events::run(session, &args).await,
        Command::Agent(AgentNoun::List) => agent_list::run(session).await,
        Command::Agent(AgentNoun::Token) => agent_token::run(session).await,
        Command::Agent(AgentNoun::Show(args)) => agent_show::run(session, &args).await,
        Command::Agent(AgentNoun::Metrics(args)) => agent_manage::metrics(session, &args).await,
        Command::Agent(AgentNoun::Drain(args)) => {
            agent_manage::change(session, args, "drain").await
        }
        Command::Agent(AgentNoun::Disable(args)) => {
            agent_manage::change(session, args, "disable").await
        }
        Command::Agent(AgentNoun::Resume(args)) => {
            agent_manage::change(session, args, "resume").await
        }
        Command::Agent(AgentNoun::Remove(args)) => agent_manage::remove(session, &args).await,
        Command::Agent(AgentNoun::RotateKey(args)) => {
            agent_manage::rotate_key(session, &args).await
        }
        Command::Audit(command) => return audited(session, command).await.map(ExitCode::from),
        Command::Backup(args) => backup::write(session, args).await,
        Command::Verify(args) => backup::verify(session, args).await,
        Command::Restore(args) => backup::restore(session, args).await,
        Command::Doctor(args) => doctor::run(session, args).await,
        Command::Tui(args) => tui::run(session, &args).await,
        Command::Config(command) => config::run(session, command),
        Command::Version => version::run(session),
    };
    done.map(|()| Exit::Ok.into())
}

async fn audited(session: &Session, command: AuditCommand) -> Result<Exit, CliError> {
    let done = match command {
        AuditCommand::List(args) => audit::list(session, &args).await,
        AuditCommand::Verify(args) => return audit::verify(session, &args).await,
        AuditCommand::Export(args) => audit::export(session, &args).await,
    };
    done.map(|()| Exit::Ok)
}

async fn report(session: &Session, command: ReportCommand) -> Result<Exit, CliError> {
    let done = match command {
        ReportCommand::Push(args) => return report_push::push(session, &args).await,
        ReportCommand::List(args) => report::list(session, &args).await,
        ReportCommand::Show(args) => report_show::run(session, &args).await,
        ReportCommand::Validate(args) => return report_validate::run(session, &args),
        ReportCommand::Convert(args) => report_convert::convert(session, &args),
        ReportCommand::Merge(args) => report_convert::merge(session, &args),
        ReportCommand::Compare(args) => return report_compare::run(session, &args).await,
    };
    done.map(|()| Exit::Ok)
}

async fn build(session: &Session, command: BuildCommand) -> Result<Exit, CliError> {
    let done = match command {
        BuildCommand::Trigger(args) => return build_trigger::run(session, args).await,
        BuildCommand::Wait(args) => return build_wait::run(session, &args).await,
        BuildCommand::Gates(args) => return build_gates::show(session, &args.build).await,
        BuildCommand::List(args) => build_list::run(session, args).await,
        BuildCommand::Show(args) => build_show::run(session, &args.build).await,
        BuildCommand::Log(args) => build_log::run(session, &args).await,
        BuildCommand::Cancel(args) => build_cancel::run(session, args).await,
        BuildCommand::Verdicts(args) => build_verdicts::run(session, &args.build).await,
        BuildCommand::Compare(args) => build_compare::run(session, args).await,
        BuildCommand::Artifacts(args) => build_artifacts::run(session, &args.build).await,
    };
    done.map(|()| Exit::Ok)
}

async fn gates(session: &Session, command: GateCommand) -> Result<Exit, CliError> {
    let done = match command {
        GateCommand::Evaluate(args) => return build_gates::evaluate(session, &args.build).await,
        GateCommand::Create(args) => gate::create(session, args).await,
        GateCommand::List { project } => gate::list(session, &project).await,
        GateCommand::Show(args) => gate::show(session, &args.gate).await,
        GateCommand::Update(args) => gate::update(session, args).await,
        GateCommand::Delete(args) => gate::delete(session, &args.gate).await,
    };
    done.map(|()| Exit::Ok)
}
