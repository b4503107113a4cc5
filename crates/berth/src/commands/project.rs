//! `berth project …`

use berth_api_types::{ChangeProject, CreateProject, ProjectView};
use berth_model::Name;
use clap::Subcommand;
use comfy_table::Table;

use crate::cli::name;
use crate::commands::Context;
use crate::commands::label::{self, Listing, NewLabels, Relabel};
use crate::output::{self, ago, fields, lines, table};
use crate::several::{Holds, Sure, each};
use crate::watch::Watching;

const EXAMPLES: &str = "\
Examples:
  berth project create lab --description 'the lab'
  berth project list
  berth project describe lab 'what is tried out'
  berth project delete lab";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum ProjectVerb {
    /// Make a project; give it members next, see 'berth member add'
    Create {
        /// Its name, which can't be changed
        #[arg(value_parser = name)]
        name: Name,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        #[command(flatten)]
        labels: NewLabels,
    },
    /// List the projects that you are in; for the operator all
    List {
        #[command(flatten)]
        which: Listing,
        #[command(flatten)]
        watching: Watching,
    },
    /// Show a project
    Show {
        /// Its name
        project: String,
    },
    /// Say anew what a project is for
    Describe {
        /// Its name
        project: String,
        /// What it is for
        description: String,
    },
    /// Label a project, or take labels from it
    Label(Relabel),
    /// Delete projects that have nothing left; their members, key pairs and tokens go with them
    Delete {
        /// Their names
        #[arg(required = true, value_name = "PROJECT")]
        projects: Vec<String>,
        #[command(flatten)]
        sure: Sure,
    },
}

pub(crate) async fn run(verb: ProjectVerb, cx: &Context) -> anyhow::Result<()> {
    let client = &cx.client;
    match verb {
        ProjectVerb::Create {
            name,
            description,
            labels,
        } => {
            let request = CreateProject {
                name,
                description,
                labels: labels.given()?,
            };
            show(&client.create_project(&request).await?, cx)
        }
        ProjectVerb::List { which, watching } => {
            let query = which.into();
            let fetch = async || client.projects(&query).await;
            let kinds = &["project", "member"];
            watching.show(cx, kinds, fetch, |projects| lines(&list(projects))).await
        }
        ProjectVerb::Show { project } => show(&client.project(&project).await?, cx),
        ProjectVerb::Describe { project, description } => {
            let change = ChangeProject {
                description: Some(description),
                ..ChangeProject::default()
            };
            show(&client.change_project(&project, &change).await?, cx)
        }
        ProjectVerb::Label(relabel) => {
            let change = ChangeProject {
                labels: relabel.patch(),
                ..ChangeProject::default()
            };
            show(&client.change_project(&relabel.of, &change).await?, cx)
        }
        ProjectVerb::Delete { projects, sure } => {
            sure.ask(cx, "delete", ("project", "projects"), &projects, Holds::Nothing)?;
            each(&projects, cx, async |project| client.delete_project(project).await).await
        }
    }
}

fn list(projects: &[ProjectView]) -> Table {
    let row = |one: &ProjectView| {
        let (name, description) = (one.name.to_string(), one.description.clone());
        [name, role(one), description, ago(one.created_at)]
    };
    table(["name", "your role", "for", "created"], projects.iter().map(row))
}

fn role(project: &ProjectView) -> String {
    project.role.map_or_else(|| "-".to_owned(), |role| role.to_string())
}

fn show(project: &ProjectView, cx: &Context) -> anyhow::Result<()> {
    output::print(cx.format, project, |project| {
        fields([
            ("name", project.name.to_string()),
            ("for", project.description.clone()),
            ("your role", role(project)),
            ("labels", label::shown(&project.labels)),
            ("created", project.created_at.to_string()),
        ])
    })?;
    Ok(())
}
