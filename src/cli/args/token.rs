//! `token …`.

use super::user::Permission;
use clap::{Args, Subcommand};

/// `token …`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum TokenCommand {
    /// Make an API token; it is shown once
    #[command(
        before_help = "Example:\n  testhide token create ci --project shop --permission execute --expires-in-days 90 > token"
    )]
    Create(Create),
    /// List your tokens
    #[command(before_help = "Example:\n  testhide token list")]
    List,
    /// End a token at once
    #[command(
        before_help = "Example:\n  testhide token revoke 0198c1a2-7f3e-7abc-8def-0123456789ab"
    )]
    Revoke {
        /// The token's id
        #[arg(value_name = "ID")]
        id: String,
    },
}

/// `token create`
#[derive(Debug, Args)]
pub(in crate::cli) struct Create {
    /// What it is for
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Days until it ends; never when absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub expires_in_days: Option<u32>,
    /// Only for this project, by name or id
    #[arg(long, value_name = "PROJECT")]
    pub project: Option<String>,
    /// Only for this (reading comes with it); may be given more than once
    #[arg(long = "permission", value_enum, value_name = "WHAT")]
    pub permissions: Vec<Permission>,
}
