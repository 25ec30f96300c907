import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { endStore } from "../../../../../agent/engine/ends/end-store.js";
import { Ends } from "../../../../../agent/engine/ends/ends.js";
import type { EndsEvent } from "../../../../../agent/engine/protocol/end-protocol.js";
import { ensureCableIdentity } from "../../../../../agent/cable/ensure-cable-identity.js";
import { createLog } from "../../../../../lib/log.js";
import { eventually } from "../../../../helpers/eventually.js";
import { endSpec } from "../../../../helpers/engine-words.js";

// What is told of an end does not depend on its tap, which only root could make.
vi.mock(import("../../../../../agent/engine/frames/switch-tap.js"), () => ({
  makeTap: () => Promise.reject(new Error("no taps here")),
}));

const spec = endSpec({
  link: "links/demo",
  linkUid: "u1",
  lan: "lan1",
  role: "listener",
  peerAddresses: [],
  peerKeySha256: "aa".repeat(32),
  ticketTtlSeconds: 10,
});

let directory: string;
let ends: Ends;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-eng-"));
  ends = await Ends.open(
    {
      identity: await ensureCableIdentity(directory, () => undefined),
      store: endStore(directory),
      listen: "127.0.0.1:0",
      ...{ netns: undefined, allowPlainLinks: false, udpSuperFrames: false },
      log: createLog("test", { write: () => undefined }),
      onCrash: (error) => {
        throw error;
      },
    },
    [],
  );
});

afterEach(async () => {
  await ends.close();
  await rm(directory, { recursive: true });
});

test("a link that takes the name of another is never told together with the end of the other", async () => {
  const events: EndsEvent[] = [];
  await ends.ensureEnd(spec);
  ends.watch((event) => events.push(event));
  await ends.ensureEnd({ ...spec, linkUid: "u2" });
  await eventually(() =>
    expect(events.flatMap((event) => event.ends).map(({ status }) => status.linkUid)).toContain("u2"),
  );
  for (const { ends: told, removed } of events) {
    expect(told.map(({ status }) => status.link).filter((link) => removed.includes(link))).toEqual([]);
  }
});

test("the end of a link is told", async () => {
  const events: EndsEvent[] = [];
  await ends.ensureEnd(spec);
  ends.watch((event) => events.push(event));
  await ends.deleteEnd("links/demo", "u1");
  await eventually(() => expect(events.flatMap(({ removed }) => removed)).toEqual(["links/demo"]));
});
