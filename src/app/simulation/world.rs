//! One run: makes what its plan says, lets happen what its plan says, mends everything, and waits until all work is done.

use super::checks;
use super::dice::Dice;
use super::disk::Disk;
use super::ledger::Ledger;
use super::machine::Machine;
use super::net::Net;
use super::plan::{Action, Going, Plan};
use super::server::Server;
use super::stale;
use super::trace::Trace;
use crate::accounts::Principal;
use crate::builds::StartRequest;
use crate::kit::Clock;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use testhide_protocol::api::{AgentMode, Trigger};
use testhide_protocol::{JobId, Timestamp};
use tokio::time::Instant;

/// When every simulation begins: the year 2026.
pub(super) const BEGIN: Timestamp = Timestamp(1_767_225_600_000);

/// How often it is looked whether all work is done.
const LOOK: Duration = Duration::from_secs(1);

/// How long work may go on after everything is mended, beside the time in which agents are found to be lost.
const LONGEST: Duration = Duration::from_secs(90 * 60);

/// Everything that a run consists of.
pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) trace: Trace,
    pub(super) machines: Vec<Machine>,
    pub(super) removed: BTreeSet<usize>,
    /// Agents that are to take builds again.
    to_ready: BTreeSet<usize>,
    pub(super) ledger: Ledger,
    pub(super) server: Option<Server>,
    net: Net,
    disk: Disk,
    clock: Clock,
    jobs: Vec<JobId>,
    /// Jobs of the builds that are asked for, in order.
    asked: Vec<usize>,
    /// How many of them the server has answered.
    pub(super) answered: usize,
    /// How long each agent was disturbed, all faults together, and the server.
    pub(super) disturbed: BTreeMap<usize, Duration>,
    pub(super) server_disturbed: Duration,
    /// What happens when, in order.
    agenda: BTreeMap<(Instant, u64), Action>,
    entries: u64,
    /// When a server that dies by itself comes back, and whether its machine lost power.
    doom: Option<(Duration, bool)>,
}

impl World {
    /// Sets everything up: a server with its jobs, agents that are enrolled and not yet started.
    pub(super) async fn new(seed: u64, trace: Trace) -> Self {
        let dice = Dice::new(seed);
        let plan = Plan::roll(&dice.branch(1));
        let net = Net::new(dice.branch(2), trace.clone());
        let disk = Disk::new(dice.branch(3), net.clone());
        let clock = Clock::simulated(BEGIN);
        let server = Server::start(&disk, &net, &clock, plan.lost_after);
        let server = server.expect("an empty disk opens");
        let jobs = server.set_up(&plan.jobs).await;
        let mut ledger = Ledger::new(trace.clone(), plan.lost_after);
        let mut machines = Vec::new();
        for (number, agent) in plan.agents.iter().enumerate() {
            let dice = dice.branch(100 + number as u64);
            let machine = Machine::new(number, *agent, net.clone(), dice, trace.clone());
            let id = machine.enrol(&server).await;
            ledger.know(id, agent.capacity);
            machines.push(machine);
        }
        let mut world = Self {
            plan,
            trace,
            machines,
            removed: BTreeSet::new(),
            to_ready: BTreeSet::new(),
            ledger,
            server: Some(server),
            net,
            disk,
            clock,
            jobs,
            asked: Vec::new(),
            answered: 0,
            disturbed: BTreeMap::new(),
            server_disturbed: Duration::ZERO,
            agenda: BTreeMap::new(),
            entries: 0,
            doom: None,
        };
        for (at, action) in world.plan.actions.clone() {
            world.later(at, action);
        }
        world
    }

    /// The whole run.
    pub(super) async fn run(&mut self) {
        let begin = Instant::now();
        for machine in &self.machines {
            machine.start();
        }
        let end = begin + self.plan.faults_end;
        while Instant::now() < end && self.trace.failure().is_none() {
            let next = self.agenda.first_key_value().map(|((at, _), _)| *at);
            self.watch_until(next.unwrap_or(end).min(end)).await;
            self.look();
            while let Some(entry) = self.agenda.first_entry()
                && entry.key().0 <= Instant::now()
            {
                let action = entry.remove();
                self.happen(action).await;
                self.look();
            }
        }
        if self.trace.failure().is_none() {
            self.mend().await;
            self.wait_for_the_end().await;
        }
        if self.trace.failure().is_none() {
            checks::check(self);
        }
    }

    /// Looks at every commit until `end`.
    async fn watch_until(&mut self, end: Instant) {
        while Instant::now() < end && self.trace.failure().is_none() {
            self.look();
            let Some(server) = &self.server else {
                tokio::time::sleep_until(end).await;
                return;
            };
            let mut commits = server.storage.commits();
            commits.mark_unchanged();
            tokio::select! {
                biased;
                () = self.disk.died() => {}
                () = tokio::time::sleep_until(end) => {}
                changed = commits.changed() => {
                    if changed.is_err() {
                        tokio::time::sleep_until(end).await;
                    }
                }
            }
        }
    }

    fn look(&mut self) {
        if self.disk.is_dead() {
            self.server_died();
        }
        for machine in &self.machines {
            machine.look();
        }
        if let Some(server) = &self.server {
            self.ledger.look(server);
        }
    }

    fn later(&mut self, after: Duration, action: Action) {
        self.entries += 1;
        self.agenda
            .insert((Instant::now() + after, self.entries), action);
    }

    async fn happen(&mut self, action: Action) {
        self.trace.line(format!("{action:?}"));
        if let Some((agent, time)) = action.disturbs() {
            match agent {
                Some(agent) => *self.disturbed.entry(agent).or_default() += time,
                None => self.server_disturbed += time,
            }
        }
        match action {
            Action::Trigger { job } => {
                self.asked.push(job);
                self.ask().await;
            }
            Action::Cancel { nth } => self.cancel(nth).await,
            Action::SetMode { agent, mode } => {
                self.set_mode(agent, mode).await;
            }
            Action::Remove { agent } => self.remove(agent).await,
            Action::AgentClock { agent, millis } => self.machines[agent].jump(millis),
            Action::ServerClock { millis } => self.clock.jump(millis),
            Action::ServerGoes { how, back } => {
                self.server_goes(how).await;
                self.later(back, Action::ServerComes);
            }
            Action::ServerDiesAt {
                access,
                back,
                power,
            } => {
                if self.server.is_some() {
                    self.doom = Some((back, power));
                    self.disk.die_at(access, power);
                }
            }
            Action::ServerComes => self.server_comes().await,
            Action::Cut {
                agent,
                ways,
                mended,
            } => {
                for way in ways.all() {
                    self.net.cut(agent, *way);
                }
                self.later(mended, Action::Mend { agent });
            }
            Action::Mend { agent } => self.net.mend(agent),
            Action::Disconnect { agent } => self.net.disconnect(agent),
            Action::Forget { agent } => self.net.forget(agent),
            Action::AgentGoes { agent, how, back } => {
                if self.machines[agent].go(how).await {
                    self.later(back, Action::AgentComes { agent });
                }
            }
            Action::AgentComes { agent } => self.machines[agent].start(),
            Action::RunnerDies { agent } => self.machines[agent].kill_a_runner(),
            Action::DiskBreaks { access, mended } => {
                self.disk.break_at(access);
                self.later(mended, Action::DiskIsFree);
            }
            Action::DiskFills { free, mended } => {
                self.disk.set_free(free);
                self.later(mended, Action::DiskIsFree);
            }
            Action::DiskIsFree => self.disk.has_room_again(),
            Action::Answer { nth, stale } => {
                if let Some(server) = &self.server {
                    stale::answer(server, &self.trace, nth, stale).await;
                }
            }
        }
    }

    async fn server_goes(&mut self, how: Going) {
        let Some(server) = self.server.take() else {
            return;
        };
        self.doom = None;
        match how {
            Going::InOrder => server.stop(&self.net).await,
            Going::Killed => {
                self.net.server_died();
                self.disk.kill();
                server.kill();
            }
            Going::PowerLost => {
                self.net.power_lost(None);
                self.disk.cut_power();
                server.kill();
            }
        }
    }

    /// The server has met its end inside of an access to the disk.
    fn server_died(&mut self) {
        let Some((back, power)) = self.doom.take() else {
            return;
        };
        let Some(server) = self.server.take() else {
            return;
        };
        self.trace.line("the server dies at its disk");
        if power {
            self.net.power_lost(None);
            self.disk.cut_power();
        } else {
            self.net.server_died();
            self.disk.kill();
        }
        server.kill();
        self.later(back, Action::ServerComes);
    }

    async fn server_comes(&mut self) {
        if self.server.is_some() {
            return;
        }
        self.net.power_back(None);
        match Server::start(&self.disk, &self.net, &self.clock, self.plan.lost_after) {
            Ok(server) => {
                self.ledger.comes_back(&server);
                self.server = Some(server);
                self.ask().await;
            }
            Err(error) => self
                .trace
                .fail(format!("the server does not start: {error}")),
        }
    }

    /// Asks for the builds that nobody has answered yet, each under its own key: what was stored without an answer is not made twice.
    async fn ask(&mut self) {
        while self.answered < self.asked.len() {
            let Some(server) = &self.server else { return };
            let request = StartRequest {
                job: self.jobs[self.asked[self.answered]],
                trigger: Trigger::default(),
                triggered_by: "simulation".to_owned(),
                idempotency_key: Some(format!("{}", self.answered)),
            };
            if server
                .builds
                .start(&Principal::system(), request)
                .await
                .is_err()
            {
                return;
            }
            self.answered += 1;
        }
    }

    async fn cancel(&mut self, nth: usize) {
        if let Some(server) = &self.server {
            let number = (nth + 1).to_string();
            // It may be over, or not be there.
            let root = Principal::system();
            let cancelled = server.builds.cancel(&root, &number, None).await;
            self.trace.line(format!("cancelled: {}", cancelled.is_ok()));
        }
    }

    async fn set_mode(&mut self, agent: usize, mode: AgentMode) -> bool {
        let Some(server) = &self.server else {
            return false;
        };
        let (root, name) = (Principal::system(), self.machines[agent].name());
        let set = server.agents.set_mode(&root, &name, mode, None).await;
        self.trace.line(format!("set: {}", set.is_ok()));
        set.is_ok()
    }

    async fn remove(&mut self, agent: usize) {
        if let Some(server) = &self.server {
            let (root, name) = (Principal::system(), self.machines[agent].name());
            // Whether it went well or not: the removal may be stored although the server died on the way.
            self.removed.insert(agent);
            let removed = server.agents.remove(&root, &name).await;
            self.trace.line(format!("removed: {}", removed.is_ok()));
        }
    }

    /// Everything works again, and everybody is there who was not removed.
    async fn mend(&mut self) {
        self.trace.line("everything is mended");
        self.agenda.clear();
        self.disk.has_room_again();
        self.doom = None;
        for machine in &self.machines {
            self.net.mend(machine.number());
        }
        self.server_comes().await;
        self.ask().await;
        for number in 0..self.machines.len() {
            self.machines[number].start();
            if !self.removed.contains(&number) {
                self.to_ready.insert(number);
            }
        }
    }

    /// Lets everybody take builds again; a server whose disk has only just got room may refuse that for a moment.
    async fn make_ready(&mut self) {
        for agent in self.to_ready.clone() {
            if self.set_mode(agent, AgentMode::Ready).await {
                self.to_ready.remove(&agent);
            }
        }
    }

    async fn wait_for_the_end(&mut self) {
        let end = Instant::now() + LONGEST + self.plan.lost_after * 2;
        while self.trace.failure().is_none() {
            match self.unfinished() {
                None => return,
                Some(what) if Instant::now() > end => {
                    self.trace.fail(format!("work does not end: {what}"));
                }
                Some(_) => {}
            }
            self.ask().await;
            self.make_ready().await;
            self.watch_until(Instant::now() + LOOK).await;
        }
    }

    /// What is still to be done, if something is.
    fn unfinished(&self) -> Option<String> {
        let Some(server) = self.server.as_ref() else {
            return Some("there is no server".to_owned());
        };
        if self.answered < self.asked.len() {
            return Some(format!(
                "{} of {} builds are asked for",
                self.answered,
                self.asked.len()
            ));
        }
        let inspected = match server.builds.inspect() {
            Ok(inspected) => inspected,
            Err(error) => return Some(error.to_string()),
        };
        for build in &inspected.builds {
            if !build.record.state.is_final() {
                let (number, state) = (build.record.number, build.record.state);
                return Some(format!("build {number} is {state}"));
            }
        }
        if !inspected.leases.is_empty() || !inspected.queue.is_empty() {
            return Some("a lease or a queue entry is left".to_owned());
        }
        let machines = self.machines.iter();
        machines
            .filter(|machine| !self.removed.contains(&machine.number()))
            .find_map(Machine::unfinished)
    }
}
