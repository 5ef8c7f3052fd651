//! Use cases: make, list and allow users.

use super::args::{CreateUser as CreateArgs, Grant};
use super::client::Client;
use super::error::{CliError, Exit};
use super::output::{Cell, Table, age, clean};
use super::prompt::{read_line, read_secret_file};
use super::session::Session;
use testhide_protocol::UserId;
use testhide_protocol::api::{CreateUser, GrantPermissions, Project, Setup, User};

/// Makes a user; with `--setup` the first superuser of a new server.
pub(super) async fn create(session: &Session, args: CreateArgs) -> Result<(), CliError> {
    let setup_token = match (&args.setup_token_file, args.setup) {
        (Some(file), _) => Some(read_secret_file(file)?),
        (None, true) => Some(
            session
                .prompt
                .secret("Setup token", "name its file with --setup-token-file")?,
        ),
        (None, false) => None,
    };
    let password = if args.password_stdin {
        read_line()?
    } else {
        session
            .prompt
            .new_secret("Password", "send it with --password-stdin")?
    };
    let user: User = match setup_token {
        Some(setup_token) => {
            let setup = Setup {
                setup_token,
                username: args.name,
                password,
            };
            session.stranger()?.post(&["setup"], &setup).await?
        }
        None => {
            let create = CreateUser {
                username: args.name,
                password,
                superuser: args.superuser,
            };
            session.client()?.post(&["users"], &create).await?
        }
    };
    session.out.show(&user, |_| {
        let role = if user.superuser { "superuser" } else { "user" };
        format!("created {role} {}\n", clean(&user.username))
    })
}

/// Lists users.
pub(super) async fn list(session: &Session) -> Result<(), CliError> {
    let (users, _) = session
        .client()?
        .list::<User>(&["users"], &[], usize::MAX)
        .await?;
    let mut table = Table::new(&["USER", "ROLE", "CREATED", "ID"]);
    for user in &users {
        let role = match (user.superuser, user.disabled) {
            (true, false) => "superuser",
            (false, false) => "user",
            (true, true) => "superuser, disabled",
            (false, true) => "user, disabled",
        };
        let created = age(session.out.now(), user.created_at);
        table.row([
            Cell::from(&user.username),
            role.into(),
            created.into(),
            user.id.to_string().into(),
        ]);
    }
    session.out.list(&users, &table, "there are no users")
}

/// Sets what a user may do in a project.
pub(super) async fn grant(session: &Session, args: &Grant) -> Result<(), CliError> {
    let client = session.client()?;
    let user = find_user(&client, &args.user).await?;
    let project: Project = client.get(&["projects", &args.project], &[]).await?;
    let permissions = args
        .permissions
        .iter()
        .map(|permission| (*permission).into())
        .collect();
    let grant = GrantPermissions {
        user,
        project: project.id,
        permissions,
    };
    client.put(&["permissions"], &grant).await?;
    session.out.show(&grant, |_| {
        let what: Vec<String> = args
            .permissions
            .iter()
            .map(|it| format!("{it:?}").to_lowercase())
            .collect();
        let what = if what.is_empty() {
            "nothing".to_owned()
        } else {
            what.join(", ")
        };
        format!(
            "{} may now {what} in {}\n",
            clean(&args.user),
            clean(&project.name)
        )
    })
}

pub(super) async fn find_user(client: &Client, given: &str) -> Result<UserId, CliError> {
    if let Ok(id) = given.parse() {
        return Ok(id);
    }
    let (users, _) = client.list::<User>(&["users"], &[], usize::MAX).await?;
    let found = users
        .into_iter()
        .find(|user| user.username == given)
        .map(|user| user.id);
    found.ok_or_else(|| {
        CliError::new(
            Exit::NotFound,
            "user_not_found",
            format!("there is no user `{given}`"),
        )
    })
}
