import { Duplex } from "node:stream";
import { type DescMethod, fromJson, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { Metadata, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { permissionDenied } from "../../../lib/errors.js";
import { CallAudit } from "../../../lib/events/call-audit.js";
import { leaveTrail, nothingToTell, passedOn } from "../../../lib/events/call-trail.js";
import { descriptors } from "../../../lib/grpc/descriptors.js";
import { implementService } from "../../../lib/grpc/service.js";
import { type AnyMethod, type AnyService, findService } from "../../../lib/kinds/codecs.js";
import { findRule, leavesEvent, ruledMethods } from "../../../lib/kinds/kinds.js";
import type { RecordedEvent } from "../../../lib/watch/watch-log.js";
import { baseOf } from "../input/bases.js";

const caller = "zor://user/ana";
const methods = [...descriptors().registry].flatMap((type) =>
  type.kind === "service" && type.typeName.startsWith("zor.") ? type.methods : [],
);
const pathOf = (method: DescMethod): string => `/${method.parent.typeName}/${method.name}`;
const changing = methods.filter((method) => {
  const rule = findRule(pathOf(method));
  return rule !== undefined && leavesEvent(rule);
});

/** Methods of viewers that are no reads, and who tells of them. */
const ofViewers: Readonly<Record<string, string>> = {
  EndSession: "everybody ends their own: session.ended tells who, and whose it was",
  AttachConsole: "operators may type: console_attached and console_detached tell who, and whether they could",
};
/** Methods that are reads though not of viewers, and why they are not. */
const reads: Readonly<Record<string, string>> = {
  ListHooks: "says where hooks go",
  ListDeadLetters: "says what hooks could not deliver",
  ReadHostLog: "logs tell of what all users do",
  ReadHubLog: "logs tell of what all users do",
  DiagnoseLink: "costs the hosts some work",
  FetchChunks: "is for the host with the ticket",
  GetVersion: "is for hosts and hubs too",
};
/** What only hubs call: the hub has told who asked it, or it is what the hub itself is told. */
const ofHubs = [
  ...["Hello", "Ping", "SetRevocations", "ReadBackup", "ReceiveBackup", "EnsureEnd", "DeleteEnd", "ListEnds"],
  ...["WatchEnds", "CheckDropFilters", "DiagnoseEnd", "ListChunks", "ReadChunks", "ReceiveImage", "AllowFetch"],
  ...["DropImage", "ReadInstance", "ReceiveInstance"],
];
/** What names no resource of its own: the event is about the program itself. */
const ofItself = ["RetryDeadLetters", "DropDeadLetters", "CreateToken", "RevokeIdentity", "Renew", "Join"];

describe("of every method of the API it is said whether it changes something", () => {
  test("those that do are for operators and admins, and the exceptions are these", () => {
    const rules = methods.map((method) => ({ name: method.name, rule: findRule(pathOf(method)) }));
    expect(rules.filter(({ rule }) => rule === undefined)).toEqual([]);
    const silent = rules.filter(({ rule }) => rule !== undefined && !leavesEvent(rule));
    const others = silent.filter(({ name, rule }) => !/^(Get|List|Read|Watch|Wait|Query)/.test(name) || rule?.reads);
    const known = [...Object.keys(ofViewers), ...Object.keys(reads), ...ofHubs];
    expect(others.map(({ name }) => name).filter((name) => !known.includes(name))).toEqual([]);
  });

  test("a mutation of a standard verb is never a read", () => {
    for (const path of ruledMethods()) {
      const rule = findRule(path);
      if (rule === undefined || !["create", "update", "delete"].includes(rule.verb)) continue;
      expect({ path, leaves: leavesEvent(rule) }).toEqual({ path, leaves: true });
    }
  });
});

describe("a call that succeeds and of which its handler records nothing", () => {
  test.each(changing.map((method) => [pathOf(method), method] as const))("leaves an event: %s", async (_, method) => {
    const events = await callOf(method, () => undefined);
    expect(events).toHaveLength(1);
    const [event] = events;
    expect(event).toMatchObject({ caller, message: expect.stringContaining(method.name) });
    expect(event?.type).toMatch(/^[a-z][a-z0-9-]{0,31}\.[a-z][a-z-]+$/);
    if (!ofItself.includes(method.name)) expect(event?.resource).toMatch(/^(hosts\/|links\/|exposes\/)/);
  });

  test.each([
    ["that was told by its handler", () => leaveTrail({ caller })],
    ["that has changed nothing", nothingToTell],
    ["that was passed on", passedOn],
  ])("leaves no second one: of a call %s", async (_, work) => {
    for (const method of changing) expect(await callOf(method, work)).toEqual([]);
  });

  test("leaves one all the same when what was told is of another caller", async () => {
    const [method] = changing;
    if (method === undefined) throw new Error("nothing changes");
    expect(await callOf(method, () => leaveTrail({ caller: "" }))).toHaveLength(1);
  });

  test("leaves none when it was only checked, or failed", async () => {
    const [method] = changing.filter(({ input }) => input.fields.some(({ name }) => name === "validate_only"));
    if (method === undefined) throw new Error("nothing can be checked");
    expect(await callOf(method, () => undefined, { validateOnly: true })).toEqual([]);
    expect(
      await callOf(method, () => {
        throw new Error("no");
      }),
    ).toEqual([]);
  });
});

describe("a call that is refused", () => {
  test.each([
    ["by who may call it", "viewer", () => undefined],
    [
      "by its handler",
      "admin",
      () => {
        throw permissionDenied("not by you");
      },
    ],
  ])("is told with its caller: %s", async (_, role, work) => {
    for (const method of changing.filter((each) => !/^(Renew|Join)$/.test(each.name))) {
      const events = await callOf(method, work, {}, role);
      expect(events).toMatchObject([{ type: "host.call-refused", caller, resource: "hosts/h1" }]);
    }
  });

  test("and was passed on is told by the agent alone", async () => {
    const work = (): void => {
      passedOn();
      throw permissionDenied("not by you");
    };
    for (const method of changing) expect(await callOf(method, work)).toEqual([]);
  });
});

/** What is recorded of a call of a method whose handler does that work. */
async function callOf(
  method: DescMethod,
  work: () => void,
  more: JsonObject = {},
  role = "admin",
): Promise<readonly RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  const audit = new CallAudit({ self: "hosts/h1", record: (event) => events.push(event) });
  const definition = findService(method.parent.typeName);
  const found = Object.entries(definition ?? {}).find(([, { path }]) => path === pathOf(method));
  if (found === undefined) throw new Error(`nobody serves ${method.name}`);
  const [name, served] = found;
  const implementation = serve(name, served, { audit, work });
  const base = JSON.stringify(baseOf({ method, fields: [] })).replaceAll("{id}", "new1");
  const { validateOnly: _, ...json } = JSON.parse(base) as JsonObject;
  const message = served.requestDeserialize(
    Buffer.from(toBinary(method.input, fromJson(method.input, { ...json, ...more }))),
  );
  await carriedOut(implementation[name] as (...values: unknown[]) => void, served, message, role);
  return events;
}

function serve(
  name: string,
  method: AnyMethod,
  { audit, work }: { readonly audit: CallAudit; readonly work: () => void },
): UntypedServiceImplementation {
  const answer = method.responseDeserialize(Buffer.alloc(0));
  const streaming = async function* (requests: AsyncIterable<unknown>): AsyncIterable<unknown> {
    if (method.requestStream) for await (const _ of requests) break;
    work();
    yield answer;
  };
  const unary = async (): Promise<unknown> => {
    await Promise.resolve();
    work();
    return answer;
  };
  // Handlers of any message are handlers of these.
  const handlers = { [name]: method.responseStream ? streaming : unary } as never;
  return implementService({ [name]: method } as AnyService, handlers, {
    authorize: (who, path) => {
      if (who.role < 3 && findRule(path)?.access !== "identified") throw permissionDenied("only look");
    },
    onUntold: (call) => audit.untold(call),
    onError: (error, { caller: who, isPassedOn }) => {
      if (!isPassedOn) audit.refusals.note({ caller: who?.identity ?? "", error });
    },
  });
}

/** Calls a handler as the library does. Resolves when the call has ended, well or not. */
async function carriedOut(
  handler: (...values: unknown[]) => void,
  method: AnyMethod,
  request: unknown,
  role: string,
): Promise<void> {
  const incoming = method.requestStream ? [request] : [];
  const call = Object.assign(
    new Duplex({
      objectMode: true,
      read() {
        this.push(incoming.shift() ?? null);
      },
      write: (_, __, done) => done(),
    }),
    {
      request,
      metadata: new Metadata(),
      getPeer: () => "127.0.0.1:1",
      getDeadline: () => Number.POSITIVE_INFINITY,
      getAuthContext: () => ({
        sslPeerCertificate: { subjectaltname: `URI:${caller}, URI:zor://role/${role}`, serialNumber: "01" },
      }),
    },
  );
  const { promise, resolve } = Promise.withResolvers<void>();
  call.on("finish", resolve);
  call.on("error", () => resolve());
  if (method.responseStream) handler(call);
  else handler(call, () => resolve());
  await promise;
}
