//! Use cases: projects.

use super::args::{CreateProject as CreateArgs, UpdateProject as UpdateArgs};
use super::error::CliError;
use super::job::job_table;
use super::output::{Cell, Table, Theme, age, clean, clean_lines};
use super::session::Session;
use testhide_protocol::api::{CreateProject, Job, Project, UpdateProject};

/// Makes a project.
pub(super) async fn create(session: &Session, args: CreateArgs) -> Result<(), CliError> {
    let create = CreateProject {
        name: args.name,
        description: args.description,
    };
    let project: Project = session.client()?.post(&["projects"], &create).await?;
    session.out.show(&project, |_| {
        format!(
            "created project {} ({})\n",
            clean(&project.name),
            project.id
        )
    })
}

/// Lists the projects that the caller may see.
pub(super) async fn list(session: &Session) -> Result<(), CliError> {
    let (projects, _) = session
        .client()?
        .list::<Project>(&["projects"], &[], usize::MAX)
        .await?;
    let mut table = Table::new(&["PROJECT", "~DESCRIPTION", "CREATED", "ID"]);
    for project in &projects {
        let first_line = project.description.lines().next().unwrap_or_default();
        let created = age(session.out.now(), project.created_at);
        table.row([
            Cell::from(&project.name),
            first_line.into(),
            created.into(),
            project.id.to_string().into(),
        ]);
    }
    session.out.list(
        &projects,
        &table,
        "there are no projects that you may see; `testhide project create NAME` makes one",
    )
}

/// Shows a project and its jobs.
pub(super) async fn show(session: &Session, project: &str) -> Result<(), CliError> {
    let client = session.client()?;
    let project: Project = client.get(&["projects", project], &[]).await?;
    if session.out.json {
        return session.out.json(&project);
    }
    let id = project.id.to_string();
    let (jobs, _) = client
        .list::<Job>(&["projects", &id, "jobs"], &[], usize::MAX)
        .await?;
    session
        .out
        .write(&draw(&project, &jobs, &session.out.theme()))
}

/// Changes a project.
pub(super) async fn update(session: &Session, args: UpdateArgs) -> Result<(), CliError> {
    let update = UpdateProject {
        name: args.name,
        description: args.description,
    };
    let project: Project = session
        .client()?
        .patch(&["projects", &args.project], &update)
        .await?;
    session.out.show(&project, |_| {
        format!(
            "updated project {} ({})\n",
            clean(&project.name),
            project.id
        )
    })
}

fn draw(project: &Project, jobs: &[Job], theme: &Theme) -> String {
    let mut out = format!(
        "project {}{}created {}\n",
        clean(&project.name),
        theme.dot(),
        age(theme.now, project.created_at)
    );
    out.push_str(&format!("  id {}\n", project.id));
    for line in clean_lines(&project.description) {
        out.push_str(&format!("  {line}\n"));
    }
    if jobs.is_empty() {
        out.push_str("\nno jobs yet: `testhide job create PROJECT NAME --file job.json`\n");
    } else {
        out.push_str(&format!("\n{}", job_table(jobs).render(theme)));
    }
    out
}
