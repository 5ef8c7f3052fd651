//! Use cases: jobs.

use super::args::{CreateJob as CreateArgs, UpdateJob as UpdateArgs};
use super::client::Client;
use super::error::{CliError, Exit};
use super::job_file::read_definition;
use super::output::{Cell, Colour, Table, Theme, age, clean, clean_lines};
use super::session::Session;
use testhide_protocol::JobId;
use testhide_protocol::api::{CreateJob, Job, JobDefinition, UpdateJob};

/// Makes a job.
pub(super) async fn create(session: &Session, args: CreateArgs) -> Result<(), CliError> {
    let create = CreateJob {
        name: args.name,
        definition: read_definition(&args.file)?,
    };
    let job: Job = session
        .client()?
        .post(&["projects", &args.project, "jobs"], &create)
        .await?;
    session.out.show(&job, |_| {
        format!(
            "created job {}/{} ({})\n",
            clean(&args.project),
            clean(&job.name),
            job.id
        )
    })
}

/// Lists the jobs of a project.
pub(super) async fn list(session: &Session, project: &str) -> Result<(), CliError> {
    let (jobs, _) = session
        .client()?
        .list::<Job>(&["projects", project, "jobs"], &[], usize::MAX)
        .await?;
    session.out.list(
        &jobs,
        &job_table(&jobs),
        "the project has no jobs; `testhide job create PROJECT NAME --file job.json` makes one",
    )
}

/// Shows a job and what its builds do.
pub(super) async fn show(session: &Session, job: &str) -> Result<(), CliError> {
    let job = find_job(&session.client()?, job).await?;
    session.out.show(&job, |theme| draw(&job, theme))
}

/// Changes a job.
pub(super) async fn update(session: &Session, args: UpdateArgs) -> Result<(), CliError> {
    let definition = args.file.as_deref().map(read_definition).transpose()?;
    let enabled = match (args.enable, args.disable) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    };
    let client = session.client()?;
    let id = find_job_id(&client, &args.job).await?;
    let job: Job = client
        .patch(
            &["jobs", &id.to_string()],
            &UpdateJob {
                name: args.name,
                definition,
                enabled,
            },
        )
        .await?;
    session.out.show(&job, |_| {
        format!("updated job {} ({})\n", clean(&job.name), job.id)
    })
}

/// The job that `PROJECT/NAME` or an id stands for.
pub(super) async fn find_job(client: &Client, given: &str) -> Result<Job, CliError> {
    if let Ok(id) = given.parse::<JobId>() {
        return client.get(&["jobs", &id.to_string()], &[]).await;
    }
    let Some((project, name)) = given.split_once('/') else {
        return Err(CliError::usage(format!(
            "`{given}` is neither PROJECT/NAME nor the id of a job"
        )));
    };
    let (jobs, _) = client
        .list::<Job>(&["projects", project, "jobs"], &[], usize::MAX)
        .await?;
    jobs.into_iter()
        .find(|job| job.name == name)
        .ok_or_else(|| {
            CliError::new(
                Exit::NotFound,
                "job_not_found",
                format!("project `{project}` has no job `{name}`"),
            )
            .hint(format!("`testhide job list {project}` lists its jobs"))
        })
}

/// As [`find_job`], without asking the server when the id is given.
pub(super) async fn find_job_id(client: &Client, given: &str) -> Result<JobId, CliError> {
    match given.parse() {
        Ok(id) => Ok(id),
        Err(_) => find_job(client, given).await.map(|job| job.id),
    }
}

/// The table of a project's jobs.
pub(super) fn job_table(jobs: &[Job]) -> Table {
    let mut table = Table::new(&["JOB", "STATE", "~STEPS", "LABELS", "ID"]);
    for job in jobs {
        let state = if job.enabled {
            Cell::from("enabled")
        } else {
            Cell::from("disabled").colour(Colour::Yellow)
        };
        let labels = job.definition.labels.join(",");
        table.row([
            Cell::from(&job.name),
            state,
            step_names(&job.definition).into(),
            labels.into(),
            job.id.to_string().into(),
        ]);
    }
    table
}

fn step_names(definition: &JobDefinition) -> String {
    let all = definition.steps.iter().chain(&definition.post_steps);
    all.map(|step| step.display_name())
        .collect::<Vec<_>>()
        .join(", ")
}

fn draw(job: &Job, theme: &Theme) -> String {
    let state = if job.enabled { "enabled" } else { "disabled" };
    let dot = theme.dot();
    let mut out = format!(
        "job {}{dot}{state}{dot}created {}\n  id {}\n\n",
        clean(&job.name),
        age(theme.now, job.created_at),
        job.id
    );
    // JSON, because that is what `job update --file` takes.
    let json = serde_json::to_string_pretty(&job.definition).expect("a definition is plain data");
    for line in clean_lines(&json) {
        out.push_str(&line);
        out.push('\n');
    }
    out
}
