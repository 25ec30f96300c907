import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { expect, it } from "vitest";
import { authorize } from "../../../lib/auth/policy.js";
import { EventLog } from "../../../lib/events/event-log.js";
import { eventMethods } from "../../../lib/events/event-methods.js";
import { keepEvents } from "../../../lib/events/keep-events.js";
import type { GuardedServer } from "../../../lib/grpc/server.js";
import { implementService } from "../../../lib/grpc/service.js";
import { WatchLog } from "../../../lib/watch/watch-log.js";
import type { Event } from "../../../proto/gen/zor/v1/event.js";
import { EventQuery, EventServiceService } from "../../../proto/gen/zor/v1/event_service.js";
import { HostState } from "../../../proto/gen/zor/v1/host.js";
import {
  CreateHostRequest,
  DeleteHostRequest,
  HostServiceService,
  UpdateHostRequest,
} from "../../../proto/gen/zor/v1/host_service.js";
import { RevokeIdentityRequest, Role, TokenServiceService } from "../../../proto/gen/zor/v1/token_service.js";
import { FakeAgent } from "../../fakes/agent.js";
import { eventually } from "../../helpers/eventually.js";
import { runTag } from "../../helpers/run-tag.js";
import { type FakeHost, HubFixture } from "./fixture.js";

/** An agent's events, as a real agent keeps them: on disk, served, and told by its watch. */
class KeptEvents implements AsyncDisposable {
  readonly #directory: string;
  #log: EventLog;
  #host: FakeHost | undefined;

  private constructor(directory: string, log: EventLog) {
    this.#directory = directory;
    this.#log = log;
  }

  static async open(): Promise<KeptEvents> {
    const directory = await mkdtemp(join(tmpdir(), `${runTag}-kept-`));
    return new KeptEvents(directory, await EventLog.open({ directory }));
  }

  readonly serve = (server: GuardedServer): void => {
    const handlers = {
      listEvents: (...args: Parameters<ReturnType<typeof eventMethods>["listEvents"]>) =>
        eventMethods(this.#log).listEvents(...args),
      readEvents: (...args: Parameters<ReturnType<typeof eventMethods>["readEvents"]>) =>
        eventMethods(this.#log).readEvents(...args),
    };
    server.addService(EventServiceService, implementService(EventServiceService, handlers, { authorize }));
  };

  record(message: string): void {
    const resource = "hosts/alpha/lans/lan1";
    this.#host?.model.log.recordEvent("hosts/alpha/events", {
      ...{ message, resource, severity: 1, type: "lan.changed", caller: "zor://user/ana" },
    });
  }

  /** Begins anew with what is on disk. @param told the newest that watches are told at first. */
  async restart(fixture: HubFixture, host: FakeHost, told: number): Promise<void> {
    host.agent.kill();
    await this.#log.close();
    this.#log = await EventLog.open({ directory: this.#directory });
    this.#host = host;
    const events = this.#log;
    host.model.log = new WatchLog({ nextEventId: () => events.nextId });
    await keepEvents(host.model.log, events, told);
    const listen = host.agent.address;
    const { model, cables, identity } = host;
    host.agent = await FakeAgent.start({ model, cables, identity, listen, serve: this.serve });
    fixture.defer(() => host.agent.kill());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#log.close();
    await rm(this.#directory, { recursive: true });
  }
}

async function kept(fixture: HubFixture, query: Partial<EventQuery>): Promise<Event[]> {
  const request = { query: EventQuery.fromPartial(query), pageSize: 5000, pageToken: "" };
  const { events } = await fixture.admin.unary(EventServiceService.listEvents, request);
  return events.toReversed();
}

it("a hub has every event of its hosts once, over its own restarts, those of agents, and times without a hub", async () => {
  await using events = await KeptEvents.open();
  await using fixture = await HubFixture.start();
  const host = await fixture.addHost("alpha", { serve: events.serve });
  await events.restart(fixture, host, 5);
  await fixture.hostState("alpha", HostState.HOST_STATE_READY, 45_000);
  const told: string[] = [];
  const record = (count: number, when: string): void => {
    for (let index = 0; index < count; index += 1) {
      told.push(`${when} ${index}`);
      events.record(`${when} ${index}`);
    }
  };
  const isWhole = async (): Promise<void> => {
    const lans = await kept(fixture, { kinds: ["lan"] });
    expect(lans.map(({ message }) => message)).toEqual(told);
    expect(new Set(lans.map(({ name }) => name)).size).toBe(told.length);
  };
  record(10, "with a hub");
  await eventually(isWhole);
  // More than the agent's watch remembers after its own restart, all of it unseen by a hub.
  await fixture.hub.close();
  record(40, "without a hub");
  await events.restart(fixture, host, 5);
  record(30, "after the agent's restart");
  await fixture.restart();
  await eventually(isWhole);
  // The hub's own events are of a log that goes on too.
  const own = await kept(fixture, { kinds: ["host"], hosts: ["alpha"] });
  expect(own.map(({ type }) => type)).toContain("host.ready");
  expect(own.every(({ name }) => name.startsWith("events/"))).toBe(true);
  record(5, "at the end");
  await eventually(isWhole);
  expect((await kept(fixture, { kinds: ["lan"], callers: ["bob"] })).length).toBe(0);
});

it("a hub tells who was let in, who had what done, and who was refused", async () => {
  await using fixture = await HubFixture.start();
  const eve = await fixture.person("eve", Role.ROLE_VIEWER);
  const host = { name: "hosts/beta", undialable: true };
  await fixture.admin.unary(HostServiceService.createHost, CreateHostRequest.fromPartial({ hostId: "beta" }));
  const update = { host, updateMask: ["undialable"] };
  await fixture.admin.unary(HostServiceService.updateHost, UpdateHostRequest.fromPartial(update));
  // What changes nothing leaves nothing.
  await fixture.admin.unary(HostServiceService.updateHost, UpdateHostRequest.fromPartial(update));
  for (let time = 0; time < 3; time += 1)
    await expect(
      eve.unary(HostServiceService.deleteHost, DeleteHostRequest.fromPartial({ name: "hosts/beta" })),
    ).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
  await fixture.admin.unary(
    TokenServiceService.revokeIdentity,
    RevokeIdentityRequest.fromPartial({ identity: "zor://user/eve" }),
  );
  const events = await kept(fixture, {});
  const admin = events.find(({ type }) => type === "host.created")?.caller ?? "";
  const told = events.map(({ type, resource, caller }) => ({ type, resource, caller }));
  expect(told.filter(({ type }) => !/^host\.(pending|unreachable|connecting)$/.test(type))).toEqual([
    { type: "token.created", resource: "zor://user/eve", caller: admin },
    { type: "identity.joined", resource: "zor://user/eve", caller: "zor://user/eve" },
    { type: "host.created", resource: "hosts/beta", caller: admin },
    { type: "host.updated", resource: "hosts/beta", caller: admin },
    { type: "hub.call-refused", resource: "", caller: "zor://user/eve" },
    { type: "identity.revoked", resource: "zor://user/eve", caller: admin },
  ]);
  expect(events.find(({ type }) => type === "host.updated")?.message).toBe("hosts/beta was updated: undialable");
  const everything = JSON.stringify(events);
  expect(everything).not.toMatch(/zor1|BEGIN/);
  expect(admin).toMatch(/^zor:\/\/user\//);
});
