//! `testhide demo`: the main job on a sample project, from the trigger to the verdict, in a directory that goes away.
//!
//! A real server on a free port, a real agent, a real git repository made from `assets/demo`, real tests. Nothing is
//! prepared but the commits.

mod lab;
mod restart;
mod run;
mod sample;
mod server;
mod show;

pub use run::{DemoOptions, run};
