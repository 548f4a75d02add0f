//! The agents' side: connect, run, say, hear, and stop by themselves.
//!
//! **Invariant:** an agent believes only packets of its present connection, and runs nothing without a lease.

use super::{BEAT, GREETING, LEASE, Packet, SILENCE, Sent, Wire};
use crate::Timestamp;

impl Wire<'_> {
    /// What an agent's own timer does; a machine that sleeps does it as soon as it wakes, and runs nothing meanwhile.
    pub(super) fn fence_self(&mut self, a: usize) {
        let node = &mut self.nodes[a];
        if self.t < node.lease {
            return;
        }
        let now = Timestamp(self.t + self.skew);
        for held in node.agent.held.iter_mut().filter(|held| held.runs) {
            held.stop(now);
            self.counts.count("wire self-fenced");
        }
    }

    pub(super) fn agent_hears(&mut self, sent: Sent) {
        let t = self.t;
        let node = &mut self.nodes[sent.agent];
        if sent.connection != node.connection {
            return;
        }
        if !node.welcomed && !matches!(sent.packet, Packet::Welcome { .. }) {
            return;
        }
        node.heard = t;
        match sent.packet {
            Packet::Welcome { sent } => {
                node.welcomed = true;
                node.lease = node.lease.max(sent + LEASE);
            }
            Packet::Extend { sent } => node.lease = node.lease.max(sent + LEASE),
            // Who has no lease takes nothing on: it may have slept, and this may be of long ago.
            Packet::Assign { .. } if t >= node.lease => self.counts.count("wire assignment too late"),
            Packet::Assign { fence, job } => {
                let known = node.first.contains_key(&fence);
                if !known {
                    node.agent.take(fence, &job, Timestamp(0));
                    node.first.insert(fence, 1);
                }
            }
            Packet::Abort(fence) => node.agent.abort(fence),
            Packet::Forget(fence) => node.agent.forget(fence),
            Packet::Ack { fence, n } => {
                let first = node.first.entry(fence).or_insert(1);
                for held in node.agent.held.iter_mut().filter(|h| h.fence == fence) {
                    while *first <= n && !held.outbox.is_empty() {
                        held.outbox.remove(0);
                        *first += 1;
                    }
                }
                // Wholly told: it lets go.
                node.agent
                    .held
                    .retain(|h| h.fence != fence || h.runs || !h.outbox.is_empty());
            }
            Packet::Hello { .. } | Packet::Report { .. } | Packet::Beat { .. } => {}
        }
    }

    /// What an agent does by itself: run, say, beat, connect anew.
    pub(super) fn act(&mut self, a: usize) {
        let (t, now) = (self.t, self.now());
        if t - self.nodes[a].heard > if self.nodes[a].welcomed { SILENCE } else { GREETING } {
            self.connections += 1;
            let node = &mut self.nodes[a];
            (node.connection, node.welcomed, node.heard) = (self.connections, false, t);
            let have = node.agent.held.iter().map(|h| h.fence).collect();
            let hello = Packet::Hello { have, sent: t };
            self.send(a, self.connections, true, hello);
        }
        let count = self.nodes[a].agent.held.len();
        for h in 0..count {
            if self.random.chance(50) {
                self.nodes[a].agent.held[h].advance(&mut self.random, now);
            }
        }
        let connection = self.nodes[a].connection;
        if !self.nodes[a].welcomed {
            return;
        }
        if t - self.nodes[a].beat >= BEAT {
            self.nodes[a].beat = t;
            self.send(a, connection, true, Packet::Beat { sent: t });
        }
        for h in 0..count {
            let held = &self.nodes[a].agent.held[h];
            let first = self.nodes[a].first.get(&held.fence).copied().unwrap_or(1);
            let reports: Vec<Packet> = held
                .outbox
                .iter()
                .zip(first..)
                .map(|(event, n)| Packet::Report {
                    fence: held.fence,
                    n,
                    event: event.clone(),
                })
                .collect();
            for report in reports {
                if self.random.chance(30) {
                    self.send(a, connection, true, report);
                }
            }
        }
    }
}
