//! The server's disk: what a dead process and a machine without power leave of it, and whether it has room.

use super::dice::Dice;
use super::net::Net;
use super::plan::{FLOORS, ROOMY};
use crate::storage::{
    self, DiskGuard, Floors, MemoryDisk, OpenOptions, Room, Storage, StorageError, Volumes,
};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::Notify;

/// The disk of one server machine.
pub(super) struct Disk {
    memory: Mutex<MemoryDisk>,
    free: Arc<AtomicU64>,
    /// Fires when the server met its end inside of an access.
    died: Arc<Notify>,
    /// Whether it has: what is left of it does not count any more.
    is_dead: Arc<AtomicBool>,
    net: Net,
    dice: Dice,
}

impl Disk {
    /// An empty disk.
    pub(super) fn new(dice: Dice, net: Net) -> Self {
        Self {
            memory: Mutex::default(),
            free: Arc::new(AtomicU64::new(ROOMY)),
            died: Arc::default(),
            is_dead: Arc::default(),
            net,
            dice,
        }
    }

    /// Opens the data directory.
    pub(super) fn open(&self) -> Result<(Storage, Volumes), StorageError> {
        let free = self.free.clone();
        let floors = Floors {
            soft_bytes: FLOORS.0,
            hard_bytes: FLOORS.1,
        };
        let guard = DiskGuard::with_probe(floors, move || free.load(Ordering::SeqCst));
        self.is_dead.store(false, Ordering::SeqCst);
        let memory = self.memory.lock().clone();
        OpenOptions::open_on(&memory).in_turn().open_with(&guard)
    }

    /// The process was killed: everything that it wrote is there, and what is left of it reaches nothing any more.
    pub(super) fn kill(&self) {
        let mut memory = self.memory.lock();
        *memory = memory.after_kill();
    }

    /// The machine lost power: of what was not synced, anything may be gone.
    pub(super) fn cut_power(&self) {
        let mut memory = self.memory.lock();
        *memory = memory.after_power_cut(&mut storage::Dice::new(self.dice.roll()));
    }

    /// From its n-th access on the process is dead: nothing more reaches the disk, and nobody hears of it any more.
    pub(super) fn die_at(&self, access: u64, power: bool) {
        let (net, died, is_dead) = (self.net.clone(), self.died.clone(), self.is_dead.clone());
        let memory = self.memory.lock();
        memory.when_full(move || {
            if power {
                net.power_lost(None);
            } else {
                net.server_died();
            }
            is_dead.store(true, Ordering::SeqCst);
            died.notify_one();
        });
        memory.set_room(Room::For(access));
    }

    /// Returns when the server has met its end.
    pub(super) async fn died(&self) {
        self.died.notified().await;
    }

    /// Whether it has met it.
    pub(super) fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::SeqCst)
    }

    /// Nothing can be written from the n-th access on.
    pub(super) fn break_at(&self, access: u64) {
        self.memory.lock().set_room(Room::For(access));
    }

    /// Says how many bytes are free.
    pub(super) fn set_free(&self, free: u64) {
        self.free.store(free, Ordering::SeqCst);
    }

    /// Everything can be written again.
    pub(super) fn has_room_again(&self) {
        self.set_free(ROOMY);
        self.memory.lock().set_room(Room::Endless);
    }
}
