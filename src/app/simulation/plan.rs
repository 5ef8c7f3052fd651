//! What happens in a run, by its seed: who is there, what is built, what breaks and when.

use super::dice::Dice;
use super::net::Way;
use super::stale::Stale;
use std::time::Duration;
use testhide_protocol::api::AgentMode;

/// A run before it begins.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) agents: Vec<AgentPlan>,
    pub(super) jobs: Vec<JobPlan>,
    /// Silence after which an agent is lost.
    pub(super) lost_after: Duration,
    /// When each thing happens.
    pub(super) actions: Vec<(Duration, Action)>,
    /// When everything is mended.
    pub(super) faults_end: Duration,
}

/// An agent. The first one has every label and is never removed, so that whatever waits can run in the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct AgentPlan {
    pub(super) capacity: u32,
    pub(super) is_special: bool,
}

/// A job.
#[derive(Debug, Clone, Copy)]
pub(super) struct JobPlan {
    pub(super) steps: usize,
    pub(super) retries: Option<u32>,
    /// Whether only special agents can run it.
    pub(super) is_special: bool,
}

/// Something that happens. What is gone comes back after the duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Trigger {
        job: usize,
    },
    Cancel {
        nth: usize,
    },
    SetMode {
        agent: usize,
        mode: AgentMode,
    },
    Remove {
        agent: usize,
    },
    AgentClock {
        agent: usize,
        millis: i64,
    },
    ServerClock {
        millis: i64,
    },
    ServerGoes {
        how: Going,
        back: Duration,
    },
    /// The server dies inside of its n-th access to the disk from now on.
    ServerDiesAt {
        access: u64,
        back: Duration,
        power: bool,
    },
    ServerComes,
    Cut {
        agent: usize,
        ways: Ways,
        mended: Duration,
    },
    Mend {
        agent: usize,
    },
    Disconnect {
        agent: usize,
    },
    /// Its connection is gone, and the server does not know.
    Forget {
        agent: usize,
    },
    AgentGoes {
        agent: usize,
        how: Going,
        back: Duration,
    },
    AgentComes {
        agent: usize,
    },
    RunnerDies {
        agent: usize,
    },
    /// The server's disk takes nothing any more after so many accesses.
    DiskBreaks {
        access: u64,
        mended: Duration,
    },
    DiskFills {
        free: u64,
        mended: Duration,
    },
    DiskIsFree,
    /// An answer that nobody may give comes for one of the attempts.
    Answer {
        nth: usize,
        stale: Stale,
    },
}

impl Action {
    /// Whom it keeps from hearing and being heard, and how long. Nobody is the server, and with it all.
    pub(super) fn disturbs(self) -> Option<(Option<usize>, Duration)> {
        match self {
            Self::Cut { agent, mended, .. } => Some((Some(agent), mended)),
            Self::AgentGoes { agent, back, .. } => Some((Some(agent), back)),
            Self::ServerGoes { back, .. } | Self::ServerDiesAt { back, .. } => Some((None, back)),
            Self::DiskBreaks { mended, .. } | Self::DiskFills { mended, .. } => {
                Some((None, mended))
            }
            _ => None,
        }
    }
}

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Going {
    /// It is asked to, and ends in order.
    InOrder,
    /// `kill -9`.
    Killed,
    /// Its machine loses power.
    PowerLost,
}

/// Which ways of a line are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ways {
    Both,
    One(Way),
}

impl Ways {
    pub(super) fn all(self) -> &'static [Way] {
        match self {
            Self::Both => &[Way::Up, Way::Down],
            Self::One(Way::Up) => &[Way::Up],
            Self::One(Way::Down) => &[Way::Down],
        }
    }
}

/// Free bytes of a disk on which there is room.
pub(super) const ROOMY: u64 = 1 << 40;

/// Free bytes below which files are refused, and below which everything is.
pub(super) const FLOORS: (u64, u64) = (1 << 30, 1 << 28);

impl Plan {
    /// Rolls the run of a seed.
    pub(super) fn roll(dice: &Dice) -> Self {
        let patient = dice.once_in(6);
        let minutes = dice.within(1..6);
        let faults_end = Duration::from_secs(minutes * 60 + if patient { 660 } else { 0 });
        let agents: Vec<AgentPlan> = (0..dice.within(1..6))
            .map(|number| AgentPlan {
                capacity: u32::try_from(dice.within(1..4)).expect("a small number"),
                is_special: number == 0 || dice.once_in(3),
            })
            .collect();
        let jobs: Vec<JobPlan> = (0..3)
            .map(|_| JobPlan {
                steps: dice.index(1..4),
                retries: dice.pick(&[None, Some(0), Some(1), Some(3)]),
                is_special: dice.once_in(4),
            })
            .collect();
        let mut plan = Self {
            agents,
            jobs,
            lost_after: Duration::from_secs(if patient { 15 * 60 } else { 60 }),
            actions: Vec::new(),
            faults_end,
        };
        let builds = dice.within(5..31);
        for _ in 0..builds {
            let job = dice.index(0..plan.jobs.len());
            plan.at_some_time(dice, Action::Trigger { job });
        }
        for _ in 0..dice.within(0..4) {
            let nth = dice.index(0..usize::try_from(builds).expect("a small number"));
            plan.at_some_time(dice, Action::Cancel { nth });
        }
        for _ in 0..dice.within(0..4) {
            let (nth, stale) = (dice.index(0..1_000), dice.pick(&Stale::ALL));
            plan.at_some_time(dice, Action::Answer { nth, stale });
        }
        for _ in 0..dice.within(0..13) {
            let fault = plan.fault(dice, patient);
            plan.at_some_time(dice, fault);
        }
        plan.actions.sort_by_key(|(at, _)| *at);
        plan
    }

    fn at_some_time(&mut self, dice: &Dice, action: Action) {
        let span = u64::try_from(self.faults_end.as_millis()).expect("some minutes");
        // Much happens at the same time, in the first half.
        let at = if dice.once_in(2) { span / 2 } else { span };
        self.actions.push((dice.millis(0..at), action));
    }

    fn fault(&self, dice: &Dice, patient: bool) -> Action {
        let agent = dice.index(0..self.agents.len());
        let away = match dice.within(0..4) {
            0 => dice.millis(10..1_000),
            1 | 2 => dice.millis(1_000..20_000),
            _ => dice.millis(20_000..150_000),
        };
        match dice.within(0..23) {
            0 | 1 => Action::ServerGoes {
                how: Going::Killed,
                back: away,
            },
            2 => Action::ServerGoes {
                how: Going::InOrder,
                back: away,
            },
            3 => Action::ServerGoes {
                how: Going::PowerLost,
                back: away,
            },
            4 | 5 => Action::ServerDiesAt {
                access: dice.within(1..400),
                back: away,
                power: dice.once_in(2),
            },
            6 | 7 => Action::AgentGoes {
                agent,
                how: Going::Killed,
                back: away,
            },
            8 => Action::AgentGoes {
                agent,
                how: Going::InOrder,
                back: away,
            },
            9 => Action::AgentGoes {
                agent,
                how: Going::PowerLost,
                back: away,
            },
            10 => Action::RunnerDies { agent },
            11 | 12 => Action::Disconnect { agent },
            13 | 14 => Action::Cut {
                agent,
                ways: dice.pick(&[
                    Ways::Both,
                    Ways::Both,
                    Ways::One(Way::Up),
                    Ways::One(Way::Down),
                ]),
                mended: if patient {
                    Duration::from_secs(600)
                } else {
                    away
                },
            },
            15 => Action::SetMode {
                agent,
                mode: dice.pick(&[AgentMode::Ready, AgentMode::Draining, AgentMode::Disabled]),
            },
            16 => Action::AgentClock {
                agent,
                millis: jump(dice),
            },
            17 => Action::ServerClock { millis: jump(dice) },
            18 => Action::DiskFills {
                free: dice.pick(&[FLOORS.0 - 1, FLOORS.1 - 1]),
                mended: away,
            },
            19 => Action::DiskBreaks {
                access: dice.within(1..400),
                mended: away,
            },
            20 | 21 => Action::Forget { agent },
            _ if agent > 0 => Action::Remove { agent },
            _ => Action::Disconnect { agent },
        }
    }
}

/// Hours, forwards or back.
fn jump(dice: &Dice) -> i64 {
    let millis = i64::try_from(dice.within(1..24 * 3_600_000)).expect("some hours");
    if dice.once_in(2) { millis } else { -millis }
}
