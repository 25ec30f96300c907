import { appendFile, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EventLog, type EventLogOptions } from "../../../../lib/events/event-log.js";
import { parseEventId } from "../../../../lib/events/event-id.js";
import { Event } from "../../../../proto/gen/zor/v1/event.js";
import { eventually } from "../../../helpers/eventually.js";
import { runTag } from "../../../helpers/run-tag.js";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), `${runTag}-events-`));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

const dayMs = 24 * 60 * 60 * 1000;

function open(options: Partial<EventLogOptions> = {}): Promise<EventLog> {
  return EventLog.open({ directory, ...options });
}

/** An event of the log's owner. */
function event(log: EventLog, message: string, time = new Date()): Event {
  return Event.fromPartial({ name: `events/${log.nextId}`, type: "lan.created", message, time, severity: 1 });
}

function ofHost(host: string, logId: string, position: number): Event {
  const name = `hosts/${host}/events/${logId}.${String(position).padStart(10, "0")}`;
  return Event.fromPartial({ name, time: new Date(), message: `${host} ${position}` });
}

async function messages(log: EventLog, range: Parameters<EventLog["read"]>[0] = {}): Promise<string[]> {
  const found: string[] = [];
  for await (const block of log.read(range)) found.push(...block.map((stored) => stored.event.message));
  return found;
}

async function files(): Promise<string[]> {
  return (await readdir(directory)).filter((file) => file.endsWith(".log")).sort();
}

describe("an event log", () => {
  it("has what was appended after it is opened again, under positions that go on", async () => {
    const first = await open();
    for (const text of ["one", "two"]) first.append([event(first, text)]);
    const before = first.last;
    await first.close();
    const again = await open();
    expect(again.id).toBe(first.id);
    again.append([event(again, "three")]);
    expect(await messages(again)).toEqual(["one", "two", "three"]);
    expect(await messages(again, { newestFirst: true })).toEqual(["three", "two", "one"]);
    expect(parseEventId(again.nextId)?.position).toBeGreaterThan(before + 1);
    expect(await messages(again, { after: before })).toEqual(["three"]);
    await again.close();
  });

  it("never gives a position again, even if nothing of it came to the disk", async () => {
    const positions: number[] = [];
    for (let start = 0; start < 3; start += 1) {
      const log = await open();
      if (start === 0) log.append([event(log, "one")]);
      positions.push(parseEventId(log.nextId)?.position ?? 0);
      await log.close();
    }
    expect(new Set(positions).size).toBe(3);
    expect(positions).toEqual(positions.toSorted((left, right) => left - right));
  });

  it("has every whole event of a file that was torn anywhere, tells what was cut off, and goes on", async () => {
    const log = await open();
    const written = Array.from({ length: 12 }, (_, index) => `event ${index}`);
    const ends: number[] = [];
    for (const text of written) {
      log.append([event(log, text)]);
      ends.push((await stat(join(directory, (await files())[0] ?? ""))).size);
    }
    await log.close();
    const [file = ""] = await files();
    const whole = await readFile(join(directory, file));
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length), fc.uint8Array({ maxLength: 40 }), async (length, garbage) => {
        await writeFile(join(directory, file), whole.subarray(0, length));
        await appendFile(join(directory, file), garbage);
        const troubles: string[] = [];
        const torn = await open({ onTrouble: (text) => troubles.push(text) });
        const kept = await messages(torn);
        const expected = written.slice(0, ends.filter((end) => end <= length).length);
        // What stood behind the tear may have been a part of what was written before.
        expect(kept.slice(0, expected.length)).toEqual(expected);
        expect(kept.length - expected.length).toBeLessThanOrEqual(1);
        torn.append([event(torn, "after")]);
        expect((await messages(torn)).at(-1)).toBe("after");
        await torn.close();
        const again = await open({ onTrouble: (text) => troubles.push(`again: ${text}`) });
        expect(await messages(again)).toEqual([...kept, "after"]);
        expect(troubles.filter((text) => text.startsWith("again"))).toEqual([]);
        await again.close();
        for (const other of await files()) if (other !== file) await rm(join(directory, other));
      }),
      { numRuns: 60 },
    );
  });

  it("cuts off a record that was changed on the disk, and all after it in that file", async () => {
    const log = await open();
    for (const text of ["one", "two", "three"]) log.append([event(log, text)]);
    await log.close();
    const path = join(directory, (await files())[0] ?? "");
    const data = await readFile(path);
    data[data.indexOf("two")] = 0x54;
    await writeFile(path, data);
    const troubles: string[] = [];
    const again = await open({ onTrouble: (text) => troubles.push(text) });
    expect(await messages(again)).toEqual(["one"]);
    expect(troubles).toEqual([expect.stringMatching(/^\d+ bytes of the kept events are not whole/)]);
    await again.close();
  });

  it("keeps events in memory while the disk is full, tells it once, and writes them when there is room", async () => {
    let room = 2000;
    const write = (fd: number, data: Buffer): number => {
      if (room <= 0) throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
      // A write may also do a part of what was asked.
      const written = writeSync(fd, data, 0, Math.min(room, data.length));
      room -= written;
      return written;
    };
    const troubles: string[] = [];
    const log = await open({ write, onTrouble: (text) => troubles.push(text) });
    const written = Array.from({ length: 60 }, (_, index) => `event number ${index} of those that find no room`);
    for (const text of written) log.append([event(log, text)]);
    expect(await messages(log)).toEqual(written);
    expect((await messages(log, { newestFirst: true })).toReversed()).toEqual(written);
    expect(troubles).toEqual([expect.stringMatching(/cannot be written down.*free some space/)]);
    room = Number.POSITIVE_INFINITY;
    log.append([event(log, "last")]);
    await eventually(() => expect(troubles.at(-1)).toBe("events are written down again; none of them were lost"));
    await log.close();
    const again = await open();
    expect(await messages(again)).toEqual([...written, "last"]);
    await again.close();
  });

  it("counts the events that are lost when the disk stays full for too long", async () => {
    let isFull = true;
    const write = (fd: number, data: Buffer): number => {
      if (isFull) throw Object.assign(new Error("no space"), { code: "ENOSPC" });
      return writeSync(fd, data);
    };
    const troubles: string[] = [];
    const log = await open({ write, onTrouble: (text) => troubles.push(text) });
    for (let index = 0; index < 2005; index += 1) log.append([event(log, `${index}`)]);
    log.append([event(log, "last")]);
    isFull = false;
    await eventually(() => expect(troubles.at(-1)).toBe("events are written down again; 6 of them were lost"));
    expect((await messages(log)).length).toBe(2000);
    await log.close();
  });

  it("drops the oldest files beyond its size, and what is too old", async () => {
    let nowMs = Date.now();
    const bounds = { segmentBytes: 2000, maxBytes: 10_000 };
    const log = await open({ bounds, now: () => nowMs });
    for (let index = 0; index < 300; index += 1) log.append([event(log, `event ${index}`, new Date(nowMs))]);
    const kept = await messages(log);
    expect(kept.at(-1)).toBe("event 299");
    expect(kept.length).toBeGreaterThan(30);
    expect(kept.length).toBeLessThan(200);
    await log.close();
    const sizes = await Promise.all((await files()).map(async (file) => (await stat(join(directory, file))).size));
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(12_500);
    nowMs += 8 * dayMs;
    const later = await open({ bounds, now: () => nowMs });
    expect(await messages(later)).toEqual([]);
    expect(later.last).toBeGreaterThan(300);
    await later.close();
    expect((await readdir(directory)).length).toBe(1);
  });

  it("knows complete files by their index, and reads those that have lost it", async () => {
    const bounds = { segmentBytes: 2000 };
    const log = await open({ bounds });
    const written = Array.from({ length: 100 }, (_, index) => `event ${index}`);
    for (const text of written) log.append([event(log, text)]);
    await log.close();
    const indexes = (await readdir(directory)).filter((file) => file.endsWith(".index")).sort();
    expect(indexes.length).toBeGreaterThan(2);
    await rm(join(directory, indexes[0] ?? ""));
    await truncate(join(directory, indexes[1] ?? ""), 10);
    const again = await open({ bounds });
    expect(await messages(again)).toEqual(written);
    await again.close();
  });

  it("reads only blocks that have events of the time that is asked for", async () => {
    const log = await open({ bounds: { segmentBytes: 300_000 } });
    const begin = Date.now() - dayMs / 2;
    for (let index = 0; index < 4000; index += 1) {
      log.append([event(log, `event ${index} ${"x".repeat(100)}`, new Date(begin + index * 1000))]);
    }
    const [sinceMs, untilMs] = [begin + 2_000_000, begin + 2_010_000];
    let read = 0;
    let blocks = 0;
    for await (const block of log.read({ sinceMs, untilMs })) {
      blocks += 1;
      read += block.length;
    }
    expect(blocks).toBeLessThanOrEqual(2);
    expect(read).toBeGreaterThanOrEqual(10);
    expect(read).toBeLessThan(1500);
    await log.close();
  });

  it("knows after any end how far the log of a host was read: as far as its events are there", async () => {
    const bounds = { segmentBytes: 1500 };
    const log = await open({ bounds });
    for (let position = 1; position <= 40; position += 1) log.append([ofHost("alpha", "0000aaaa", position)]);
    log.append([ofHost("beta", "0000bbbb", 7)]);
    log.moveCursor("beta", "0000bbbb", 90);
    await log.close();
    const again = await open({ bounds });
    expect(again.cursorOf("alpha")).toEqual({ log: "0000aaaa", position: 40 });
    expect(again.cursorOf("beta")).toEqual({ log: "0000bbbb", position: 90 });
    expect(again.cursorOf("gamma")).toBeUndefined();
    again.append([ofHost("alpha", "0000cccc", 1)]);
    expect(again.cursorOf("alpha")).toEqual({ log: "0000cccc", position: 1 });
    await again.close();
  });
});
