import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { Conduct } from "../../../lib/grpc/conduct.js";
import { FairQueue } from "../../../lib/grpc/fair-queue.js";
import { mainLimits } from "../../../lib/grpc/limits.js";
import { MessageMeter } from "../../../lib/grpc/message-meter.js";
import { Quota } from "../../../lib/grpc/quota.js";
import { addressGroup } from "../../../lib/net/address-group.js";
import { Door, type DoorLimits, judgeHello } from "../../../lib/net/door.js";
import { TokenBucket } from "../../../lib/token-bucket.js";
import { framed } from "../../fakes/flood.js";

describe("an address counts", () => {
  it.each([
    ["10.0.0.1", "10.0.0.1"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["::FFFF:10.0.0.1", "10.0.0.1"],
    ["fd00:1:2:3:4:5:6:7", "fd00:1:2:3::/64"],
    ["fd00:1:2:3::1", "fd00:1:2:3::/64"],
    ["FD00:0001:2:3::9", "fd00:1:2:3::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    [undefined, ""],
  ])("%s as %s", (ip, group) => {
    expect(addressGroup(ip)).toBe(group);
  });
});

describe("an allowance", () => {
  it("refills with time up to its burst, and can be overdrawn", () => {
    let clock = 0;
    const bucket = new TokenBucket({ perSecond: 10, burst: 2 }, () => clock);
    expect([bucket.take(), bucket.take(), bucket.take()]).toEqual([true, true, false]);
    bucket.charge(1);
    expect(bucket.waitMs).toBe(101);
    clock = 101;
    expect(bucket.take()).toBe(true);
    clock = 100_000;
    expect([bucket.level, bucket.isFull]).toEqual([2, true]);
  });
});

describe("what callers have at once", () => {
  const quota = () => new Quota("watches", { identity: 2, address: 3, all: 4 });
  const at = (identity: string, address: string) => ({ identity, address });

  it("is counted by identity, wherever it comes from, by address, and in all", () => {
    const watches = quota();
    const give = watches.take(at("ana", "10.0.0.1"));
    watches.take(at("ana", "10.0.0.2"));
    expect(() => watches.take(at("ana", "10.0.0.3"))).toThrow(/ana has 2 watches/);
    watches.take(at("bob", "10.0.0.1"));
    watches.take(at("eve", "10.0.0.1"));
    expect(() => watches.take(at("joe", "10.0.0.1"))).toThrow(/this address has 3/);
    expect(() => watches.take(at("joe", "10.0.0.9"))).toThrow(/this server has 4/);
    give();
    give();
    expect([watches.count(), watches.count("ana")]).toEqual([3, 1]);
    watches.take(at("ana", "10.0.0.9"));
  });
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("the queue of calls", () => {
  const limits = {
    alone: { perSecond: 1000, burst: 100 },
    contended: { perSecond: 100, burst: 10 },
    address: { perSecond: 1000, burst: 1000 },
    leastMs: 1,
  };
  const owner = (identity: string) => ({ identity, address: "10.0.0.1" });

  it("begins a call at once, and serves one of each caller in turn, however many calls one has asked", async () => {
    const clock = { ms: 0 };
    const queue = new FairQueue(limits, () => clock.ms);
    const order: string[] = [];
    for (let call = 0; call < 5; call += 1) queue.enter(owner("eve"), () => order.push(`eve${call}`));
    queue.enter(owner("ana"), () => order.push("ana0"));
    queue.enter(owner("ana"), () => order.push("ana1"));
    expect(order).toEqual(["eve0", "ana0"]);
    await turn();
    expect(order.slice(2).sort()).toEqual(["ana1", "eve1"]);
    await turn();
    await turn();
    expect(order.slice(4)).toEqual(["eve2", "eve3"]);
  });

  it("charges what a turn took, so that a caller of long calls waits for its share while others do not", async () => {
    const clock = { ms: 0 };
    const queue = new FairQueue(limits, () => clock.ms);
    const order: string[] = [];
    queue.enter(owner("ana"), () => order.push("ana0"));
    await turn();
    clock.ms = 30;
    queue.enter(owner("eve"), () => {
      clock.ms += 50;
    });
    await turn();
    queue.enter(owner("eve"), () => order.push("eve"));
    queue.enter(owner("ana"), () => order.push("ana1"));
    await turn();
    expect([order, queue.waiting]).toEqual([["ana0", "ana1"], 1]);
    clock.ms += 1000;
    await expect.poll(() => order).toEqual(["ana0", "ana1", "eve"]);
  });

  it("forgets a call that left while it waited", async () => {
    const queue = new FairQueue(limits);
    const begun: number[] = [];
    queue.enter(owner("eve"), () => begun.push(1));
    const leave = queue.enter(owner("eve"), () => begun.push(2));
    leave();
    await turn();
    await turn();
    expect([begun, queue.waiting]).toEqual([[1], 0]);
  });
});

describe("who does too much", () => {
  it("is out for a while, for longer each time, and nobody else is", () => {
    let clock = 0;
    const rate = { perSecond: 1, burst: 2 };
    const outMs = { first: 1000, most: 3000 };
    const conduct = new Conduct({ connects: rate, calls: rate, control: rate, overhead: rate, outMs }, () => clock);
    expect([1, 2, 3].map(() => conduct.note("eve", "control"))).toEqual([false, false, true]);
    expect([conduct.isOut("eve"), conduct.isOut("ana"), conduct.note("ana", "calls")]).toEqual([true, false, false]);
    for (const lasts of [1000, 2000, 3000, 3000]) {
      clock += lasts - 1;
      expect(conduct.isOut("eve")).toBe(true);
      clock += 1;
      expect(conduct.isOut("eve")).toBe(false);
      conduct.note("eve", "overhead", 100);
    }
  });
});

describe("one who does at once, for minutes, all that is let through from one address", () => {
  const { conduct, door, work, streams } = mainLimits;
  it.each([
    // It sees that a connection or a call has ended, and makes the next: so many are under way when the first is let through.
    { deed: "connects" as const, rate: door.handshakesPerAddress, underWay: 0 },
    { deed: "calls" as const, rate: work.alone, underWay: streams.identity },
  ])("waits, and is not out for its $deed", ({ deed, rate, underWay }) => {
    let clock = 0;
    const conducts = new Conduct(conduct, () => clock);
    const letThrough = new TokenBucket(rate, () => clock);
    const outs: number[] = [];
    const act = (amount: number): void => {
      if (conducts.note("ci", deed, amount)) outs.push(clock);
    };
    act(underWay);
    for (; clock < 300_000; clock += 10) while (letThrough.take()) act(1);
    expect(outs).toEqual([]);
  });
});

it("a script may run sixty commands at once, each of which dials the three addresses of its hub", () => {
  const connections = new Quota("connections", mainLimits.connections);
  const owner = { identity: "zor://service/ci", address: "10.0.0.1" };
  for (let dialled = 0; dialled < 60 * 3; dialled += 1) expect(() => connections.take(owner)).not.toThrow();
});

describe("the messages in the bytes of a request", () => {
  it.each([1, 2, 3, 7, 1000])("are told apart in pieces of %i bytes", (size) => {
    const bytes = Buffer.concat([
      framed(Buffer.alloc(0)),
      framed(Buffer.alloc(300)),
      framed(Buffer.alloc(9)).subarray(0, 11),
    ]);
    const meter = new MessageMeter();
    for (let at = 0; at < bytes.length; at += size) meter.received(bytes.subarray(at, at + size));
    expect([meter.bytes, meter.isPartial, meter.announced, meter.lastBytes]).toEqual([bytes.length, true, 9, 300]);
    expect([meter.takeCompleted(), meter.takeCompleted()]).toEqual([true, false]);
    meter.received(Buffer.alloc(3));
    expect([meter.isPartial, meter.lastBytes]).toEqual([false, 9]);
  });

  it("do not promise more than the largest message", () => {
    const meter = new MessageMeter();
    meter.received(Buffer.from([0, 255, 255, 255, 255]));
    expect(meter.announced).toBe(8 * 1024 * 1024);
  });
});

class FakeSocket extends EventEmitter {
  destroyed = false;
  handedOn: Buffer | undefined;
  #bytes: Buffer | null = null;
  readonly remoteAddress: string;

  constructor(remoteAddress: string) {
    super();
    this.remoteAddress = remoteAddress;
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit("close");
  }

  resetAndDestroy(): void {
    this.destroy();
  }

  /** Bytes come. */
  say(bytes: Buffer): void {
    this.#bytes = bytes;
    this.emit("readable");
  }

  read(): Buffer | null {
    const bytes = this.#bytes;
    this.#bytes = null;
    return bytes;
  }

  unshift(bytes: Buffer): void {
    this.handedOn = bytes;
  }
}

/** The first record of a handshake, of 2 bytes. */
const hello = Buffer.from([22, 3, 1, 0, 2, 1, 1]);

describe("the door", () => {
  const limits: DoorLimits = {
    unproven: 4,
    unprovenPerAddress: 3,
    connections: 6,
    connectionsPerAddress: 5,
    handshakesPerAddress: { perSecond: 1000, burst: 1000 },
    handshakes: { perSecond: 1000, burst: 1000 },
    provenWithinMs: 100,
    oldestGoes: false,
  };
  const visit = (door: Door, address = "10.0.0.1", proceed = (): void => undefined) => {
    const fake = new FakeSocket(address);
    // The part of a socket that a door uses.
    const socket = fake as unknown as Socket;
    door.enter(socket, proceed);
    return { fake, socket };
  };

  it("lets the newest stranger in and sends the oldest of that address away", () => {
    const door = new Door(limits);
    const guests = Array.from({ length: 10 }, () => visit(door));
    expect(guests.map(({ fake }) => fake.destroyed)).toEqual([...Array(7).fill(true), false, false, false]);
    expect(door.counts).toEqual({ connections: 3, unproven: 3 });
    visit(door, "10.0.0.2");
    visit(door, "10.0.0.2");
    // The largest crowd pays for what is too much in all.
    expect([guests[7]?.fake.destroyed, door.counts.unproven]).toEqual([true, 4]);
    door.close();
  });

  it("keeps those who have proven themselves, up to the limit of their address", () => {
    const door = new Door(limits);
    const known = Array.from({ length: 5 }, () => {
      const guest = visit(door);
      door.proven(guest.socket);
      return guest;
    });
    expect(visit(door).fake.destroyed).toBe(true);
    expect(known.every(({ fake }) => !fake.destroyed)).toBe(true);
    expect(visit(door, "10.0.0.2").fake.destroyed).toBe(false);
    known[0]?.fake.destroy();
    expect(visit(door).fake.destroyed).toBe(false);
    door.close();
  });

  it("sends the oldest away, proven or not, where nobody is to stay", () => {
    const door = new Door({ ...limits, oldestGoes: true });
    const known = Array.from({ length: 6 }, () => {
      const guest = visit(door);
      door.proven(guest.socket);
      return guest;
    });
    expect(known.map(({ fake }) => fake.destroyed)).toEqual([true, false, false, false, false, false]);
    door.close();
  });

  it.each([
    ["the oldest first", 100, [1, 2]],
    ["the newest first where there are more than have a turn within a second", 1, [1, 3]],
  ])("begins handshakes over the rate later, %s, and none too late", async (_order, perSecond, order) => {
    let clock = 0;
    const rate = { perSecond, burst: 1 };
    const now = (): number => clock;
    const door = new Door({ ...limits, handshakesPerAddress: rate, provenWithinMs: 10_000 }, now, now);
    const begun: number[] = [];
    const guests = [1, 2, 3].map((guest) => visit(door, "10.0.0.1", () => begun.push(guest)));
    for (const { fake } of guests) fake.say(hello);
    expect(begun).toEqual([1]);
    clock = 1001;
    await expect.poll(() => begun).toEqual(order);
    clock = 10_001;
    await expect.poll(() => guests.every(({ fake }) => fake.destroyed)).toBe(true);
    expect([begun, door.counts]).toEqual([order, { connections: 0, unproven: 0 }]);
  });

  it("begins no handshake for those who only connect, or speak another language", () => {
    const door = new Door(limits);
    let begun = 0;
    const guest = visit(door, "10.0.0.1", () => {
      begun += 1;
    });
    guest.fake.say(hello.subarray(0, 3));
    guest.fake.say(hello.subarray(3, 6));
    expect(begun).toBe(0);
    guest.fake.say(hello.subarray(6));
    expect([begun, guest.fake.handedOn]).toEqual([1, hello]);
    const other = visit(door);
    other.fake.say(Buffer.from("GET / HTTP/1.1"));
    expect(other.fake.destroyed).toBe(true);
    door.close();
  });

  it("reads no more of those who wait for their handshake", async () => {
    let clock = 0;
    const rate = { perSecond: 100, burst: 1 };
    const now = (): number => clock;
    const door = new Door({ ...limits, handshakesPerAddress: rate }, now, now);
    visit(door).fake.say(hello);
    const { fake } = visit(door);
    fake.say(hello);
    fake.say(Buffer.alloc(65_536));
    expect([fake.handedOn, fake.read()?.length]).toEqual([undefined, 65_536]);
    clock = 20;
    await expect.poll(() => fake.handedOn).toEqual(hello);
    door.close();
  });

  it.each([
    ["nothing", [], "partial"],
    ["a type", [22], "partial"],
    ["another type", [23, 3, 1, 0, 1, 1], "none"],
    ["a header", [22, 3, 1, 0, 1], "partial"],
    ["an empty record", [22, 3, 1, 0, 0], "none"],
    ["a record that is too large", [22, 3, 1, 64, 1], "none"],
    ["a whole record and more", [22, 3, 1, 0, 1, 1, 22], "whole"],
  ])("takes %s for what it is", (_what, bytes, verdict) => {
    expect(judgeHello(Buffer.from(bytes))).toBe(verdict);
  });
});
