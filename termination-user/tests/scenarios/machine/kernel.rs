//! The programs in the kernel, run on frames by BPF_PROG_TEST_RUN.

use std::{
    cell::{Cell, RefCell},
    fs,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use aya::{
    Ebpf,
    programs::{SchedClassifier, TestRun as _, TestRunOptions, Xdp},
};
use termination_common::{
    counters::{COUNT, Counters},
    exchange::{Operation, Record},
    policy::{Level, Settings, Timers, setting},
    slot::{Slot, SlotId},
    time::TICK_SHIFT,
};
use termination_user::control::{
    kernel::{
        load::{self, Loaded, Sizes},
        programs::Programs,
    },
    records::ring::Ring,
    timers::{
        schedule::{Schedule, shortest},
        sweep,
    },
};

use super::{Hook, Sight, placeless, placeless_record};

/// A program that takes the verifier more than this is too near the limit of a
/// million: that of Linux 6.1 walks through two and a half times as many.
const INSTRUCTIONS: u32 = 400_000;

/// Bytes of machine code of each program, with its functions, at most: a tenth
/// more than when this was last looked at (x86-64).
const CODE: [[(&str, u32); 4]; 2] = [
    [
        ("ingress_xdp", 83_700),
        ("ingress_tc", 96_000),
        ("egress_tc", 93_200),
        ("sweep", 13_000),
    ],
    // At the level `closing`.
    [
        ("ingress_xdp", 85_400),
        ("ingress_tc", 97_800),
        ("egress_tc", 95_100),
        ("sweep", 14_900),
    ],
];

/// struct xdp_md (include/uapi/linux/bpf.h).
const XDP_MD: usize = 24;
/// struct __sk_buff, and its fields that BPF_PROG_TEST_RUN takes over.
const SK_BUFF: usize = 192;
const SK_BUFF_CB: usize = 48;
const SK_BUFF_TSTAMP: usize = 152;
const SK_BUFF_GSO_SEGS: usize = 164;
/// Metadata before an XDP frame: time, home, padding.
const METADATA: usize = 16;

/// XDP_PASS and TC_ACT_UNSPEC: the verdicts of an observer.
const XDP_PASS: u32 = 2;
const TC_ACT_UNSPEC: u32 = u32::MAX;
/// XDP_DROP and TC_ACT_SHOT: those of a guard.
const XDP_DROP: u32 = 1;
const TC_ACT_SHOT: u32 = 2;

/// The loaded test object.
pub(crate) struct Kernel {
    loaded: Loaded,
    programs: Programs,
    ring: Ring,
    /// A guard may drop something.
    armed: Cell<bool>,
    /// Looked at with every segment: it must miss nothing that is due.
    schedule: RefCell<Schedule>,
}

/// The one of this process and level: verification takes seconds. Whoever holds
/// it has the table to itself and leaves it empty.
pub(crate) fn kernel_at(level: Level) -> MutexGuard<'static, Kernel> {
    static KERNELS: [OnceLock<Result<Mutex<Kernel>, String>>; 2] = [const { OnceLock::new() }; 2];
    let kernel = KERNELS[level as usize].get_or_init(|| Kernel::load(level).map(Mutex::new));
    let kernel = kernel.as_ref().unwrap_or_else(|error| panic!("{error}"));
    let mut kernel = kernel.lock().unwrap_or_else(PoisonError::into_inner);
    kernel.clear();
    kernel
}

/// [`INSTRUCTIONS`] is of this verifier. Those before walk on where it has seen
/// enough: there, the limit is their own (`cargo xtask kernels`).
fn verifier_is_new() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (6, 18),
        _ => true,
    }
}

impl Kernel {
    fn load(level: Level) -> Result<Self, String> {
        let sizes = Sizes::new(64, 1 << 20).unwrap().at(level);
        let (loaded, mut programs, ring) = load::load(load::TEST_OBJECT, sizes, false)
            .map_err(|error| format!("these tests need root and BPF: {error}"))?;
        for name in ["ingress_xdp", "ingress_tc", "egress_tc"] {
            programs.get(name).map_err(|error| error.to_string())?;
        }
        for (name, program) in programs.object().unwrap().programs() {
            let info = program.info().map_err(|error| error.to_string())?;
            let count = info
                .verified_instruction_count()
                .ok_or("the kernel does not count instructions (it does since 5.16)")?;
            let code = info.size_jitted();
            println!("{name}, {level:?}: {count} instructions verified, {code} bytes of code");
            let most = CODE[level as usize]
                .iter()
                .find(|(known, _)| *known == name);
            if cfg!(target_arch = "x86_64") && most.is_none_or(|&(_, most)| code > most) {
                return Err(format!("{name}: {code} bytes of code, at most {most:?}"));
            }
            if count > INSTRUCTIONS && verifier_is_new() {
                return Err(format!("{name}: {count} instructions verified"));
            }
        }
        Ok(Self {
            loaded,
            programs,
            ring,
            armed: Cell::new(false),
            schedule: RefCell::default(),
        })
    }

    /// Empties the table and the ring.
    pub(crate) fn clear(&mut self) {
        self.sweep(u64::from(u32::MAX), Operation::Shutdown, &Timers::DEFAULT);
        while self.ring.take().is_some() {}
        self.ring.settle_all();
        // Time begins anew.
        self.schedule = RefCell::default();
    }

    fn object(&self) -> &Ebpf {
        self.programs.object().unwrap()
    }

    pub(crate) fn set(&self, settings: Settings) {
        let guards = [setting::BLIND_SHIFT, setting::TIME_WAIT_SHIFT];
        let armed = |shift| settings.flags >> shift & setting::GUARD == setting::ARMED;
        self.armed.set(guards.into_iter().any(armed));
        self.loaded.set(settings).expect("the map takes policy");
    }

    /// Runs the program of the hook on a frame, and checks that it leaves it as
    /// it is, and that nothing drops it but a guard that is on. Whether one
    /// does.
    pub(crate) fn see(&self, sight: &Sight, bytes: &[u8]) -> bool {
        let (verdict, [pass, drop]) = match sight.hook {
            Hook::Xdp => (self.xdp(sight, bytes), [XDP_PASS, XDP_DROP]),
            Hook::Ingress => (
                self.skb("ingress_tc", sight, bytes),
                [TC_ACT_UNSPEC, TC_ACT_SHOT],
            ),
            Hook::Egress => (self.skb("egress_tc", sight, bytes), [TC_ACT_UNSPEC; 2]),
        };
        let drops = self.armed.get() && verdict == drop && verdict != pass;
        assert!(drops || verdict == pass, "verdict {verdict}");
        self.scheduled(sight.time, &Timers::DEFAULT);
        drops
    }

    /// What the controller's look would find.
    fn scheduled(&self, now: u64, timers: &Timers) -> Vec<SlotId> {
        let counters = self.counters();
        let mut schedule = self.schedule.borrow_mut();
        schedule.due(&self.loaded.table, &counters, now, timers)
    }

    /// The controller's look finds nothing but what is due, and the rest of it
    /// before another shortest timer is over.
    fn scheduled_are(&self, due: &[SlotId], now: u64, timers: &Timers) {
        let found = self.scheduled(now, timers);
        assert!(found.iter().all(|id| due.contains(id)), "it is not due");
        let then = now + (u64::from(shortest(timers)) << TICK_SHIFT);
        let mut schedule = self.schedule.borrow().clone();
        let later = schedule.due(&self.loaded.table, &self.counters(), then, timers);
        assert!(due.iter().all(|id| later.contains(id)), "it is too late");
    }

    fn xdp(&self, sight: &Sight, bytes: &[u8]) -> u32 {
        let program = self.object().program("ingress_xdp").unwrap();
        let program: &Xdp = program.try_into().unwrap();
        let mut data = Vec::with_capacity(METADATA + bytes.len());
        data.extend(sight.time.to_ne_bytes());
        data.extend(sight.home.to_ne_bytes());
        data.extend([0; 4]);
        data.extend(bytes);
        let mut context = [0; XDP_MD];
        context[..4].copy_from_slice(&(METADATA as u32).to_ne_bytes());
        context[4..8].copy_from_slice(&(data.len() as u32).to_ne_bytes());
        let mut out = vec![0; data.len()];
        let result = program
            .test_run(TestRunOptions {
                data_in: Some(&data),
                data_out: Some(&mut out),
                ctx_in: Some(&context),
                ..TestRunOptions::new()
            })
            .expect("the kernel runs the program");
        assert_eq!(out, data, "an observer changes nothing");
        result.return_value
    }

    fn skb(&self, name: &str, sight: &Sight, bytes: &[u8]) -> u32 {
        let program: &SchedClassifier = self.object().program(name).unwrap().try_into().unwrap();
        let mut context = [0; SK_BUFF];
        let mut put = |at: usize, value: &[u8]| {
            context[at..at + value.len()].copy_from_slice(value);
        };
        put(SK_BUFF_CB, &sight.home.to_ne_bytes());
        put(SK_BUFF_TSTAMP, &sight.time.to_ne_bytes());
        put(SK_BUFF_GSO_SEGS, &sight.gso.to_ne_bytes());
        let mut out = vec![0; bytes.len()];
        let result = program
            .test_run(TestRunOptions {
                data_in: Some(bytes),
                data_out: Some(&mut out),
                ctx_in: Some(&context),
                ..TestRunOptions::new()
            })
            .expect("the kernel runs the program");
        assert_eq!(out, bytes, "an observer changes nothing");
        result.return_value
    }

    /// What the controller does at `now`, until nothing is due any more.
    pub(crate) fn sweep(&self, now: u64, operation: Operation, timers: &Timers) {
        let table = &self.loaded.table;
        loop {
            let ids = match operation {
                Operation::Visit => {
                    let ids = sweep::due(table, now, timers);
                    self.scheduled_are(&ids, now, timers);
                    ids
                }
                Operation::Shutdown | Operation::Mark => sweep::everything(table),
            };
            if ids.is_empty() {
                return;
            }
            let program = self.loaded.sweep();
            let tally = sweep::batch(program, now, operation, *timers, &ids);
            let tally = tally.expect("the kernel runs `sweep`");
            assert_eq!(tally.contended, 0, "nobody else is here");
            if matches!(operation, Operation::Mark) {
                return;
            }
        }
    }

    /// All slots in use, without their places.
    pub(crate) fn slots(&self) -> Vec<Slot> {
        let table = &self.loaded.table;
        let mut slots: Vec<_> = table
            .occupied()
            .map(|slot| placeless(table.slot(slot).expect("nobody works on it")))
            .collect();
        slots.sort_by_key(|slot| slot.cold.tuple.words);
        slots
    }

    /// Takes the records since the last call, without their places.
    pub(crate) fn records(&mut self) -> Vec<Record> {
        let mut records = Vec::new();
        while let Some(record) = self.ring.take() {
            records.push(placeless_record(record));
        }
        self.ring.settle_all();
        records
    }

    pub(crate) fn counters(&self) -> Counters {
        self.loaded.counters().expect("the map can be read")
    }
}

/// What was counted between two readings.
pub(crate) fn since(before: &Counters, after: &Counters) -> Counters {
    let mut counted = [0; COUNT];
    for (index, count) in counted.iter_mut().enumerate() {
        *count = after.0[index] - before.0[index];
    }
    Counters(counted)
}
