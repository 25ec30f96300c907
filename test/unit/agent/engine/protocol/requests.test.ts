import { describe, expect, test } from "vitest";
import { boxProtocol } from "../../../../../agent/engine/protocol/box-protocol.js";
import { readJson } from "../../../../../agent/engine/protocol/codec.js";
import { endProtocol } from "../../../../../agent/engine/protocol/end-protocol.js";
import { boxSpec, endSpec } from "../../../../helpers/engine-words.js";

const { ensureEnd } = endProtocol.calls;
const { ensureBox } = boxProtocol.calls;
const end = endSpec({
  ...{ link: "links/demo", linkUid: "u1", lan: "lan1", role: "listener", peerAddresses: [] },
  ...{ peerKeySha256: "aa".repeat(32), ticket: "bb".repeat(32), ticketTtlSeconds: 60 },
  impairment: { standing: { lossRatio: 0.5, delayMs: 1.5 }, seed: 3n },
});
const spec = boxSpec({
  ...{ box: "links/local", uid: "u1", lans: ["lan1", "lan2"], aToB: { rateBps: 1_000_000 }, bToA: {} },
  ...{ steps: [], seed: -1n, revision: "r" },
});

/** The JSON of a request with other fields in its only message. */
function changed(request: unknown, change: object): unknown {
  const [[name, message]] = Object.entries(JSON.parse(JSON.stringify(request))) as [[string, object]];
  return { [name]: { ...message, ...change } };
}

const [endJson, boxJson] = [ensureEnd.request.toJSON({ end }), ensureBox.request.toJSON({ spec })];

test("what is asked for comes over the socket as it was asked for", () => {
  expect(readJson(ensureEnd.request, JSON.parse(JSON.stringify(endJson)))).toEqual({ end });
  expect(readJson(ensureBox.request, JSON.parse(JSON.stringify(boxJson)))).toEqual({ spec });
});

describe("an engine refuses", () => {
  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["a text", "end"],
    ["an end that is not there", {}],
    ["an end that is a number", { end: 7 }],
    ["no link", changed(endJson, { link: "" })],
    ["a link that is none", changed(endJson, { link: ["lan1"] })],
    ["a role that there is not", changed(endJson, { role: "LINK_ROLE_KING" })],
    ["no key", changed(endJson, { peerKeySha256: undefined })],
    ["a key that is too short", changed(endJson, { peerKeySha256: "qqo=" })],
    ["a key that is no text", changed(endJson, { peerKeySha256: 12 })],
    ["a ticket that is too short", changed(endJson, { ticket: "qqo=" })],
    ["a time to live that is no number", changed(endJson, { ticketTtlSeconds: "soon" })],
    ["an encryption that there is not", changed(endJson, { encryption: "ROT13" })],
    [
      "more addresses than are tried",
      changed(endJson, { peerAddresses: Array.from({ length: 17 }, () => "10.0.0.1:1") }),
    ],
    ["a loss of more than all", changed(endJson, { impairment: { lossRatio: 2 } })],
    ["a loss that is no number", changed(endJson, { impairment: { lossRatio: "much" } })],
    ["a delay that is no time", changed(endJson, { impairment: { delay: { seconds: "long" } } })],
    ["a seed that is no number", changed(endJson, { seed: "x" })],
    ["a filter without its program", changed(endJson, { impairment: { dropFilter: "icmp" } })],
    ["a program that is none", changed(endJson, { dropPrograms: [{ filter: "icmp", program: "AAAA" }] })],
    ["a schedule without end", changed(endJson, { schedule: Array.from({ length: 65 }, () => ({})) })],
  ])("an end with %s", (_what, json) => {
    expect(() => readJson(ensureEnd.request, json)).toThrow();
  });

  test.each<[string, unknown]>([
    ["nothing", null],
    ["no box", {}],
    ["no uid", changed(boxJson, { uid: "" })],
    ["no lans", changed(boxJson, { spec: {} })],
    ["no spec", changed(boxJson, { spec: undefined })],
    ["no revision", changed(boxJson, { revision: "" })],
    ["a rate that is no number", changed(boxJson, { spec: { lanA: "lan1", lanB: "lan2", aToB: { rateBps: "fast" } } })],
    [
      "a filter without its program",
      changed(boxJson, { spec: { lanA: "lan1", lanB: "lan2", aToB: { dropFilter: "icmp" } } }),
    ],
    ["a program that jumps away", changed(boxJson, { dropPrograms: [{ filter: "icmp", program: "BQAAAP8AAAA=" }] })],
    ["a step of no length", changed(boxJson, { spec: { lanA: "lan1", lanB: "lan2", schedule: [{ impairment: {} }] } })],
  ])("a box with %s", (_what, json) => {
    expect(() => readJson(ensureBox.request, json)).toThrow();
  });
});

test("what an engine tells only in part is not taken for an end or a box", () => {
  expect(() => readJson(endProtocol.event, { ends: [{ status: { link: "links/demo" } }] })).toThrow(/only in part/);
  expect(() => readJson(boxProtocol.event, { boxes: [{ ports: [{}, {}] }] })).toThrow(/only in part/);
});
