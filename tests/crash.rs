//! The real binaries under fire: `kill -9`, cut lines, an absent server, a starved machine, hostile steps, a full disk.
//!
//! One file a case. What a step printed is known to the byte, so that every case ends with the same question: is the stored log what was
//! printed, did each step run once, and is nothing left running? Cases take a seat each; two run at a time, and one that takes the
//! whole machine runs alone. Each case has its numbers from the environment; the defaults are a short round of each:
//!
//! | variable | default | what |
//! |---|---|---|
//! | `TESTHIDE_CRASH_SEED` | the process's id | repeats a run's choices |
//! | `TESTHIDE_CRASH_BINARY` | the binary of this build | another build of `testhide` |
//! | `TESTHIDE_CRASH_ROUNDS` | 50 | kills of a server that many use (`acknowledged`) |
//! | `TESTHIDE_CRASH_KILLS`, `TESTHIDE_CRASH_LINES` | 50, 500000 | kills of server or agent, over so many lines (`kills`) |
//! | `TESTHIDE_CRASH_RUNNERS` | 2 | kills of a runner (`runner`) |
//! | `TESTHIDE_CRASH_PARTITION_SECONDS` | 25 | a line on which nothing moves (`partition`) |
//! | `TESTHIDE_CRASH_AWAY_SECONDS` | 5 | a server that is not there (`away`) |
//! | `TESTHIDE_CRASH_STARVED_SECONDS` | 25 | ten busy loops a core (`starved`) |
//! | `TESTHIDE_CRASH_FLOOD_MB` | 64 | output without a newline (`hostile`) |

#![cfg(target_os = "linux")]

#[path = "crash/machine.rs"]
mod machine;
#[path = "crash/printer.rs"]
mod printer;
#[path = "crash/processes.rs"]
mod processes;
#[path = "crash/proxy.rs"]
mod proxy;
#[path = "crash/settings.rs"]
mod settings;
#[path = "crash/user.rs"]
mod user;

#[path = "crash/acknowledged.rs"]
mod acknowledged;
#[path = "crash/away.rs"]
mod away;
#[path = "crash/disk.rs"]
mod disk;
#[path = "crash/hostile.rs"]
mod hostile;
#[path = "crash/kills.rs"]
mod kills;
#[path = "crash/partition.rs"]
mod partition;
#[path = "crash/runner.rs"]
mod runner;
#[path = "crash/starved.rs"]
mod starved;
