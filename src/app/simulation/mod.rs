//! The protocol of agents, simulated: real sessions, real builds, real store, real journals; network, disk, time and runners are not.
//!
//! One thread, one seed. Everything random comes from the seed and time goes on only when nobody has anything to do, so a seed is a run
//! that can be repeated. `round` runs seeds and says what failed, with the last lines of the trace.

mod checks;
mod dice;
mod disk;
mod ledger;
mod machine;
mod net;
mod plan;
mod round;
mod runner;
mod script;
mod server;
mod stale;
mod trace;
mod world;
