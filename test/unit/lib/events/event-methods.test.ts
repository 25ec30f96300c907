import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EventLog } from "../../../../lib/events/event-log.js";
import { eventMethods } from "../../../../lib/events/event-methods.js";
import type { CallContext } from "../../../../lib/grpc/service.js";
import { Event } from "../../../../proto/gen/zor/v1/event.js";
import {
  EventQuery,
  type ListEventsRequest,
  type ReadEventsResponse,
} from "../../../../proto/gen/zor/v1/event_service.js";
import { runTag } from "../../../helpers/run-tag.js";

let directory: string;
let log: EventLog;
const ending = new AbortController();
const context = { signal: ending.signal } as CallContext;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), `${runTag}-events-`));
  log = await EventLog.open({ directory });
});

afterEach(async () => {
  await log.close();
  await rm(directory, { recursive: true });
});

const noon = new Date("2026-01-31T12:00:00Z");

function record(parts: Partial<Event>): void {
  const event = { name: `events/${log.nextId}`, time: noon, severity: 1, type: "lan.created", ...parts };
  log.append([Event.fromPartial(event)]);
}

async function list(query: Partial<EventQuery>, page: Partial<ListEventsRequest> = {}) {
  const request = { query: EventQuery.fromPartial(query), pageSize: 0, pageToken: "", ...page };
  return await eventMethods(log).listEvents(request, context);
}

async function found(query: Partial<EventQuery>): Promise<string[]> {
  return (await list(query)).events.map(({ message }) => message).reverse();
}

describe("lists of events", () => {
  beforeEach(() => {
    record({ message: "lan", resource: "hosts/alpha/lans/lan1", caller: "zor://user/ana" });
    record({ message: "vm", type: "instance.failed", resource: "hosts/alpha/instances/vm1", severity: 3 });
    record({ message: "vm10", type: "instance.started", resource: "hosts/alpha/instances/vm10", severity: 2 });
    record({ message: "link", type: "link.up", resource: "links/l1", time: new Date(noon.getTime() + 60_000) });
    record({ message: "beta", type: "host.ready", resource: "hosts/beta", caller: "zor://service/ci" });
  });

  it.each<[string, Partial<EventQuery>, readonly string[]]>([
    ["all", {}, ["lan", "vm", "vm10", "link", "beta"]],
    ["a kind", { kinds: ["instance"] }, ["vm", "vm10"]],
    ["a word of a kind", { kinds: ["vm"] }, ["vm", "vm10"]],
    ["two kinds", { kinds: ["link", "host"] }, ["link", "beta"]],
    ["a caller by its last part", { callers: ["ana"] }, ["lan"]],
    ["a caller in full", { callers: ["zor://service/ci"] }, ["beta"]],
    ["a host", { hosts: ["alpha"] }, ["lan", "vm", "vm10"]],
    ["a resource, not one whose name begins like it", { resource: "hosts/alpha/instances/vm1" }, ["vm"]],
    ["what is below a resource", { resource: "hosts/alpha" }, ["lan", "vm", "vm10"]],
    ["a severity and what is worse", { severity: 2 }, ["vm", "vm10"]],
    ["a time", { since: new Date(noon.getTime() + 1) }, ["link"]],
    ["until a time", { until: noon }, []],
    ["a filter", { filter: 'severity=ERROR OR message:"LINK"' }, ["vm", "link"]],
    ["all of it together", { kinds: ["instance"], hosts: ["alpha"], severity: 3 }, ["vm"]],
  ])("are of %s", async (_, query, expected) => {
    expect(await found(query)).toEqual(expected);
  });

  it.each<[Partial<EventQuery>, RegExp]>([
    [{ kinds: ["in stance"] }, /^query\.kinds: "in stance"/],
    [{ hosts: ["../x"] }, /^query\.hosts/],
    [{ resource: "nonsense" }, /^query\.resource/],
    [{ filter: "color=red" }, /^query\.filter/],
    [{ since: new Date(Number.NaN) }, /^query\.since/],
    [{ callers: Array.from({ length: 65 }, () => "x") }, /^query\.callers/],
  ])("say what is wrong with %j", async (query, why) => {
    await expect(list(query)).rejects.toThrow(why);
  });

  it("come in pages, newest first, whatever is recorded meanwhile", async () => {
    const first = await list({}, { pageSize: 2 });
    record({ message: "later" });
    const second = await list({}, { pageSize: 2, pageToken: first.nextPageToken });
    const third = await list({}, { pageSize: 2, pageToken: second.nextPageToken });
    const all = [first, second, third].flatMap(({ events }) => events.map(({ message }) => message));
    expect(all).toEqual(["beta", "link", "vm10", "vm", "lan"]);
    expect(third.nextPageToken).toBe("");
    await expect(list({}, { pageToken: "0000abcd.0000000001" })).rejects.toThrow(/^page_token/);
    await expect(list({}, { pageSize: 5001 })).rejects.toThrow(/^page_size/);
  });
});

describe("a reader of events", () => {
  const read = (position: string, follow = false, query: Partial<EventQuery> = {}): AsyncIterable<ReadEventsResponse> =>
    eventMethods(log).readEvents(
      { query: EventQuery.fromPartial(query), follow, position },
      context,
    ) as AsyncIterable<ReadEventsResponse>;

  it("goes on from any position that it was told, and has everything once", async () => {
    for (let index = 0; index < 450; index += 1) record({ message: `${index}` });
    const seen: string[] = [];
    let position = "";
    // It is cut off after each answer.
    for (let round = 0; round < 10 && seen.length < 450; round += 1) {
      for await (const answer of read(position)) {
        seen.push(...answer.events.map(({ message }) => message));
        ({ position } = answer);
        expect(answer.missing).toBe(false);
        break;
      }
    }
    expect(seen).toEqual(Array.from({ length: 450 }, (_, index) => `${index}`));
  });

  it("that follows has what comes, and only what it wants", async () => {
    record({ message: "before" });
    const seen: string[] = [];
    const first = Promise.withResolvers<void>();
    const reading = (async () => {
      for await (const { events } of read("", true, { kinds: ["instance"] })) {
        seen.push(...events.map(({ message }) => message));
        first.resolve();
        if (seen.length === 2) return;
      }
    })();
    await first.promise;
    for (const message of ["one", "two"]) {
      record({ message: `a lan, before ${message}` });
      record({ message, type: "instance.started" });
    }
    await reading;
    expect(seen).toEqual(["one", "two"]);
  });

  it("is told when what it asks to go on from is of a log that is lost", async () => {
    record({ message: "one" });
    const answers: ReadEventsResponse[] = [];
    for await (const answer of read("0000abcd.0000000009")) answers.push(answer);
    expect(answers[0]?.missing).toBe(true);
    expect(answers.flatMap(({ events }) => events.map(({ message }) => message))).toEqual(["one"]);
    expect(() => read("nonsense")).toThrow(/^position/);
  });
});
