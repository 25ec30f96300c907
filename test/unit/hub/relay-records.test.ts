import { describe, expect, test } from "vitest";
import { RelayMeter } from "../../../hub/relay/relay-meter.js";
import { RelayTickets, type TicketSubject } from "../../../hub/relay/relay-tickets.js";
import { MemoryStore } from "../../fakes/memory-store.js";

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
  test("counts by link and in all, over a restart of the hub; a deleted link stays in the total", async () => {
    const store = new MemoryStore();
    const meter = await RelayMeter.open(store);
    meter.add("u1", 1000);
    meter.add("u1", 24);
    meter.add("u2", 5);
    await store.commit([meter.plan()]);
    const again = await RelayMeter.open(store);
    expect([again.ofLink("u1"), again.ofLink("u2"), again.ofLink("u3"), again.total]).toEqual([1024n, 5n, 0n, 1029n]);
    again.forget("u1");
    expect([again.ofLink("u1"), again.total]).toEqual([0n, 1029n]);
  });
});
