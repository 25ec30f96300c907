import { describe, expect, test } from "vitest";
import { RelayMeter } from "../../../../hub/relay/relay-meter.js";
import { RelayTickets } from "../../../../hub/relay/relay-tickets.js";
import type { TicketSubject } from "../../../../hub/relay/ticket-subject.js";
import { MemoryStore } from "../../../fakes/memory-store.js";

const subject: TicketSubject = { linkUid: "u1", role: "dialer", host: "alpha", hostUid: "h1" };

describe("relay tickets", () => {
  test("are 32 bytes, and the same after a restart of the hub", async () => {
    const store = new MemoryStore();
    const first = (await RelayTickets.open(store)).ticketOf(subject);
    expect(first).toHaveLength(32);
    expect((await RelayTickets.open(store)).ticketOf(subject)).toEqual(first);
  });

  test.each<[string, Partial<TicketSubject>]>([
    ["link", { linkUid: "u2" }],
    ["role", { role: "listener" }],
    ["host", { host: "beta" }],
    ["machine of the same name", { hostUid: "h2" }],
  ])("are others for another %s", async (_what, other) => {
    const store = new MemoryStore();
    const tickets = await RelayTickets.open(store);
    expect(tickets.ticketOf({ ...subject, ...other })).not.toEqual(tickets.ticketOf(subject));
  });

  test("are others for good when the host is revoked, and those of other hosts are not", async () => {
    const store = new MemoryStore();
    const tickets = await RelayTickets.open(store);
    const other = { ...subject, host: "beta" };
    const [before, beforeOther] = [tickets.ticketOf(subject), tickets.ticketOf(other)];
    const { change, apply } = tickets.planRevocation("alpha");
    expect(tickets.ticketOf(subject)).toEqual(before);
    await store.commit([change]);
    apply();
    expect(tickets.ticketOf(subject)).not.toEqual(before);
    expect(tickets.ticketOf(other)).toEqual(beforeOther);
    expect((await RelayTickets.open(store)).ticketOf(subject)).toEqual(tickets.ticketOf(subject));
  });
});

describe("the relay's meter", () => {
  const carried = (linkUid: string, ...hostUids: string[]) => ({ linkUid, hostUids });

  test("counts by link, by host and in all, over a restart of the hub", async () => {
    const store = new MemoryStore();
    const meter = await RelayMeter.open(store);
    meter.add(carried("u1", "h1", "h2"), 1000);
    meter.add(carried("u1", "h1", "h2"), 24);
    meter.add(carried("u2", "h2", "h3"), 5);
    await store.commit([meter.plan(new Set(["h1", "h2", "h3"]))]);
    const again = await RelayMeter.open(store);
    expect([again.ofLink("u1"), again.ofLink("u2"), again.ofLink("u3"), again.total]).toEqual([1024n, 5n, 0n, 1029n]);
    expect(["h1", "h2", "h3", "h4"].map((uid) => again.ofHost(uid))).toEqual([1024n, 1029n, 5n, 0n]);
  });

  test("keeps the bytes of a deleted link in those of its hosts and in all, and forgets hosts that are gone", async () => {
    const store = new MemoryStore();
    const meter = await RelayMeter.open(store);
    meter.add(carried("u1", "h1", "h2"), 1024);
    meter.forget("u1");
    expect([meter.ofLink("u1"), meter.ofHost("h1"), meter.total]).toEqual([0n, 1024n, 1024n]);
    await store.commit([meter.plan(new Set(["h1"]))]);
    const again = await RelayMeter.open(store);
    expect([again.ofHost("h1"), again.ofHost("h2"), again.total]).toEqual([1024n, 0n, 1024n]);
  });

  test("reads what a hub has stored that did not count by host", async () => {
    const store = new MemoryStore();
    const value = Buffer.from(JSON.stringify({ total: "7", links: { u1: "7" } }));
    await store.commit([{ type: "put", collection: "meta", key: "relay-meter", value }]);
    const meter = await RelayMeter.open(store);
    expect([meter.ofLink("u1"), meter.ofHost("h1"), meter.total]).toEqual([7n, 0n, 7n]);
  });
});
