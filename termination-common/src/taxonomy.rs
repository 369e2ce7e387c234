//! The vocabulary: endings, verdicts, phases, causes. The names are those of
//! the reports, the JSON and the metrics.

/// Declares an enum whose variants have a number (in slots and records) and a
/// name (everywhere else).
macro_rules! vocabulary {
    (
        $(#[$meta:meta])*
        $name:ident { $( $(#[$doc:meta])* $variant:ident = $number:literal, $text:literal; )+ }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $name { $( $(#[$doc])* $variant = $number, )+ }

        impl $name {
            /// Every value, in order of its number.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            /// The name in reports.
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $text, )+ }
            }

            /// The value with this number.
            #[inline(always)]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number { $( $number => Some(Self::$variant), )+ _ => None }
            }

            /// The value with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $( $text => Some(Self::$variant), )+ _ => None }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

pub(crate) use vocabulary;

vocabulary! {
    /// How a connection ended.
    Ending {
        /// O's SYN was never answered.
        Unanswered = 1, "unanswered";
        /// R answered the SYN with an RST.
        Refused = 2, "refused";
        /// O gave up by RST before R answered.
        Cancelled = 3, "cancelled";
        /// R's SYN-ACK was never acked (half-open as in a SYN flood).
        HandshakeUnacked = 4, "handshake_unacked";
        /// O answered the SYN-ACK with an RST (scan, spoofed source).
        HandshakeReset = 5, "handshake_reset";
        /// R reset after its SYN-ACK, having sent nothing else.
        HandshakeAborted = 6, "handshake_aborted";
        /// Both FINs acked, one first.
        Graceful = 7, "graceful";
        /// As graceful, and the other side sent new payload after the first FIN.
        GracefulHalfClose = 8, "graceful_half_close";
        /// Both FINs acked, neither acks the other (RFC 9293 3.6, CLOSING).
        GracefulSimultaneous = 9, "graceful_simultaneous";
        /// Both FINs, at least one never acked until the timer.
        GracefulUnconfirmed = 10, "graceful_unconfirmed";
        /// Believed RST, no FIN.
        Reset = 11, "reset";
        /// Believed RST of an end that had sent FIN (RFC 1122 4.2.2.13).
        ResetAfterOwnFin = 12, "reset_after_own_fin";
        /// Believed RST of an end whose peer had sent FIN.
        ResetAfterPeerFin = 13, "reset_after_peer_fin";
        /// A new SYN met the old connection (RFC 9293 3.5.1).
        HalfOpenDiscoveredBySyn = 14, "half_open_discovered_by_syn";
        /// Data met an end without state (RFC 9293 3.5.1).
        HalfOpenDiscoveredByData = 15, "half_open_discovered_by_data";
        /// Retransmissions or probes unanswered: the peer is gone.
        HalfOpenSilent = 16, "half_open_silent";
        /// One FIN acked, the other side never closed.
        HalfClosedAbandoned = 17, "half_closed_abandoned";
        /// One FIN, never acked.
        FinUnanswered = 18, "fin_unanswered";
        /// Silence without a question asked; liveness unknown.
        IdleExpired = 19, "idle_expired";
        /// A SYN with a new ISN was accepted on a tuple that had not closed.
        Superseded = 20, "superseded";
        /// The observer had to drop it.
        Evicted = 21, "evicted";
        /// Open when observation stopped.
        Shutdown = 22, "shutdown";
    }
}

/// Number of endings plus one; index 0 is unused.
pub const ENDINGS: usize = 23;

vocabulary! {
    /// Who ended it.
    By {
        /// The originator.
        Originator = 1, "originator";
        /// The responder.
        Responder = 2, "responder";
        /// Both at once.
        Both = 3, "both";
        /// Nobody: silence.
        Nobody = 4, "nobody";
        /// The observer.
        Observer = 5, "observer";
    }
}

vocabulary! {
    /// Where the connection stood just before the deciding fact.
    Phase {
        /// SYN sent, no SYN-ACK.
        SynSent = 1, "syn_sent";
        /// SYN-ACK sent, not acked.
        SynReceived = 2, "syn_received";
        /// Established, no payload yet.
        EstablishedNoData = 3, "established_no_data";
        /// Payload one way, not answered by payload.
        FirstData = 4, "first_data";
        /// Payload both ways.
        Transfer = 5, "transfer";
        /// One FIN.
        HalfClosed = 6, "half_closed";
        /// Two FINs.
        Closing = 7, "closing";
        /// After the ending: never told of one, since TIME_WAIT begins with the
        /// ending itself and what comes in it is a [`Sequel`].
        TimeWait = 8, "time_wait";
        /// Met after its handshake, nothing more known.
        Midstream = 9, "midstream";
    }
}

vocabulary! {
    /// Whether an RST is believed, judged as its receiver would
    /// (RFC 5961 3, RFC 9293 3.10.7).
    Verdict {
        /// seq = N = S.
        Exact = 1, "exact";
        /// In step with what its sender sent last, or at the SACK edge.
        Train = 2, "train";
        /// seq = the sender's own FIN.
        FinMinusOne = 3, "fin_minus_one";
        /// Toward SYN_SENT, acks the SYN.
        SynSentOk = 4, "syn_sent_ok";
        /// Toward SYN_SENT, anything else.
        SynSentBad = 5, "syn_sent_bad";
        /// Elsewhere in the window.
        InWindow = 6, "in_window";
        /// Below the window.
        Old = 7, "old";
        /// Beyond the window.
        Future = 8, "future";
        /// N or S is not known.
        Unverifiable = 9, "unverifiable";
    }
}

vocabulary! {
    /// Why, as far as the wire tells.
    Cause {
        /// RST to a bare SYN: nobody listens.
        NoListener = 1, "no_listener";
        /// RST to a segment by an end that holds no state, whether it had never
        /// closed or its FIN was never acked.
        NoConnection = 2, "no_connection";
        /// RST to new payload after the end's own FIN.
        DataAfterClose = 3, "data_after_close";
        /// Active abort (RST+ACK at SND.NXT), not separable further on the wire.
        ActiveAbort = 4, "active_abort";
        /// Keepalive probes unanswered, then RST.
        KeepaliveTimeout = 5, "keepalive_timeout";
        /// RST to the handshake's valid final ACK.
        HandshakeRejected = 6, "handshake_rejected";
        /// RST to an ack never due.
        BadAck = 7, "bad_ack";
        /// RST to the peer's FIN after the own, acked FIN.
        TimeWaitMissing = 8, "time_wait_missing";
        /// Retransmissions or probes of a closed window, then silence.
        RetransmitTimeout = 9, "retransmit_timeout";
        /// SYN-ACK retransmitted although it had been acked.
        AcceptQueueOverflow = 10, "accept_queue_overflow";
        /// RST with a Multipath TCP option (RFC 8684 3.6).
        Mptcp = 11, "mptcp";
        /// RST to another SYN within the window of a half-open handshake, or of
        /// an end that had closed (FIN_WAIT_2) and keeps no socket.
        InvalidSyn = 12, "invalid_syn";
        /// Kernel: close() with unread data.
        ClosedWithUnreadData = 16, "closed_with_unread_data";
        /// Kernel: SO_LINGER 0, connect(AF_UNSPEC).
        AbortedByApplication = 17, "aborted_by_application";
        /// Kernel: a child never accepted lost its listener.
        ListenerClosed = 18, "listener_closed";
        /// Kernel: destroyed by an administrator.
        Destroyed = 19, "destroyed";
        /// Kernel: memory pressure.
        MemoryPressure = 20, "memory_pressure";
        /// ICMP unreachable quoted a segment.
        IcmpUnreachable = 21, "icmp_unreachable";
        /// Silence that ends at a known mark.
        MiddleboxIdleTimer = 22, "middlebox_idle_timer";
        /// The RST is unlike its sender's other segments.
        InjectedSuspect = 23, "injected_suspect";
    }
}

vocabulary! {
    /// What the cause rests on.
    Evidence {
        /// Nothing.
        None = 0, "none";
        /// The wire, and not the only reading.
        WireWeak = 1, "wire_weak";
        /// The wire, and no other reading is known.
        WireStrong = 2, "wire_strong";
        /// The kernel's own word.
        Kernel = 3, "kernel";
    }
}

vocabulary! {
    /// Who holds TIME_WAIT.
    Holder {
        /// Nobody: not closed by FINs, or not to the end.
        None = 0, "none";
        /// The originator.
        Originator = 1, "originator";
        /// The responder.
        Responder = 2, "responder";
        /// Both: the FINs crossed.
        Both = 3, "both";
    }
}

vocabulary! {
    /// How a TIME_WAIT ended.
    Sequel {
        /// 2 MSL passed.
        Expired = 1, "expired";
        /// SYN with a newer timestamp (RFC 6191).
        ReusedByTimestamp = 2, "reused_by_timestamp";
        /// SYN with an ISN beyond, timestamps absent or equal (RFC 6191 2).
        ReusedBySequence = 3, "reused_by_sequence";
        /// SYN from the only holder (tcp_tw_reuse).
        ReusedByHolder = 4, "reused_by_holder";
        /// None of these, and accepted all the same.
        ReusedEarly = 5, "reused_early";
        /// Exact RST toward the holder inside 2 MSL (RFC 1337).
        Assassinated = 6, "assassinated";
        /// The same toward another host, whose answer cannot be seen.
        Offered = 7, "offered";
        /// The observer had to drop it.
        Evicted = 8, "evicted";
        /// It was waiting when observation stopped.
        Shutdown = 9, "shutdown";
    }
}

vocabulary! {
    /// What came back first to a SYN that reached a TIME_WAIT.
    Answer {
        /// It was accepted at once.
        SynAck = 1, "syn_ack";
        /// An ACK: the holder still remembers (RFC 9293 3.10.7.4).
        Ack = 2, "ack";
        /// An RST: nobody is there for it.
        Rst = 3, "rst";
        /// Nothing, until it was sent again or the wait was over.
        Silence = 4, "silence";
    }
}

/// An ending with everything that is decided at that moment, in 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The ending.
    pub ending: Ending,
    /// Who ended it.
    pub by: By,
    /// Where it stood before.
    pub phase: Phase,
    /// Of the deciding RST.
    pub verdict: Option<Verdict>,
    /// Why, if known.
    pub cause: Option<Cause>,
    /// What the cause rests on.
    pub evidence: Evidence,
    /// Who holds TIME_WAIT.
    pub holder: Holder,
}

impl Outcome {
    /// To the form kept in [`crate::slot::Cold::outcome`]: ending 5 bits, by 3,
    /// phase 4, verdict 4, cause 5, evidence 2, holder 2. Of the
    /// other 7, 6 are for [`Outcome::with_late`].
    #[inline(always)]
    pub const fn pack(self) -> u32 {
        Self::packed_place(self.by, self.phase)
            | Self::packed_finding(self.ending, self.verdict, self.cause, self.evidence)
            | (self.holder as u32) << 23
    }

    /// Of the packed form, who ended it where.
    #[inline(always)]
    pub const fn packed_place(by: By, phase: Phase) -> u32 {
        (by as u32) << 5 | (phase as u32) << 8
    }

    /// Of the packed form, how it ended, and why.
    #[inline(always)]
    pub const fn packed_finding(
        ending: Ending,
        verdict: Option<Verdict>,
        cause: Option<Cause>,
        evidence: Evidence,
    ) -> u32 {
        let verdict = match verdict {
            Some(verdict) => verdict as u32,
            None => 0,
        };
        let cause = match cause {
            Some(cause) => cause as u32,
            None => 0,
        };
        ending as u32 | verdict << 12 | cause << 16 | (evidence as u32) << 21
    }

    /// The ending's number alone; 0 when nothing is packed.
    #[inline(always)]
    pub const fn packed_ending(packed: u32) -> u8 {
        (packed & 0x1f) as u8
    }

    /// The packed form, and after the ending there was a segment with these
    /// [`crate::history::complete`] bits.
    #[inline(always)]
    pub const fn with_late(packed: u32, bits: u8) -> u32 {
        packed | (bits as u32 & 0x3f) << 25
    }

    /// What [`Outcome::with_late`] has kept.
    #[inline(always)]
    pub const fn packed_late(packed: u32) -> u8 {
        (packed >> 25 & 0x3f) as u8
    }

    /// The holder's number alone.
    #[inline(always)]
    pub const fn packed_holder(packed: u32) -> u8 {
        (packed >> 23 & 0b11) as u8
    }

    /// From the packed form; `None` when nothing (or nonsense) is packed.
    pub const fn unpack(packed: u32) -> Option<Self> {
        let (Some(ending), Some(by), Some(phase), Some(evidence), Some(holder)) = (
            Ending::from_number(Self::packed_ending(packed)),
            By::from_number((packed >> 5 & 0x7) as u8),
            Phase::from_number((packed >> 8 & 0xf) as u8),
            Evidence::from_number((packed >> 21 & 0x3) as u8),
            Holder::from_number(Self::packed_holder(packed)),
        ) else {
            return None;
        };
        Some(Self {
            ending,
            by,
            phase,
            verdict: Verdict::from_number((packed >> 12 & 0xf) as u8),
            cause: Cause::from_number((packed >> 16 & 0x1f) as u8),
            evidence,
            holder,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_survives_packing() {
        for &ending in Ending::ALL {
            for &cause in Cause::ALL {
                let outcome = Outcome {
                    ending,
                    by: By::Observer,
                    phase: Phase::Midstream,
                    verdict: Some(Verdict::Unverifiable),
                    cause: Some(cause),
                    evidence: Evidence::Kernel,
                    holder: Holder::Both,
                };
                assert_eq!(Outcome::unpack(outcome.pack()), Some(outcome));
                let late = Outcome::with_late(outcome.pack(), 0x2a);
                assert_eq!(Outcome::unpack(late), Some(outcome));
                assert_eq!(Outcome::packed_late(late), 0x2a);
            }
        }
        assert_eq!(Outcome::unpack(0), None);
    }

    #[test]
    fn names_and_numbers_are_one_to_one() {
        for &ending in Ending::ALL {
            assert_eq!(Ending::from_name(ending.name()), Some(ending));
            assert_eq!(Ending::from_number(ending as u8), Some(ending));
            assert!((ending as usize) < ENDINGS);
        }
        assert_eq!(Ending::from_name("finished"), None);
    }
}
