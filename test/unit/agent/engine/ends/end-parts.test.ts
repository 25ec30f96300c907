import fc from "fast-check";
import { expect, test } from "vitest";
import { type EndRecord, withOffer, withPairing } from "../../../../../agent/engine/ends/end-record.js";
import { endRecordCodec } from "../../../../../agent/engine/ends/end-store.js";
import { readJson } from "../../../../../agent/engine/protocol/codec.js";
import { AttemptLoop } from "../../../../../agent/engine/ends/attempt-loop.js";
import { credentialsOf, spentOf, withConfirmed } from "../../../../../agent/engine/ends/end-secrets.js";
import { CableFailure } from "../../../../../agent/engine/handshake/failure.js";
import { Failures } from "../../../../../agent/engine/ends/failures.js";
import { StoredEnd } from "../../../../../proto/gen/zor/agent/v1/engine.js";
import { eventually } from "../../../../helpers/eventually.js";
import { endSpec } from "../../../../helpers/engine-words.js";

const record: EndRecord = {
  spec: endSpec({
    ...{ link: "links/demo", linkUid: "u1", lan: "lan1", role: "listener", peerAddresses: [] },
    peerKeySha256: "aa".repeat(32),
  }),
  tickets: [{ secret: Buffer.alloc(32, 1), expireTime: new Date(10_000), used: false }],
  ...{ pairing: Buffer.alloc(0), offered: [], begun: undefined },
};
const secret = (byte: number): Buffer => Buffer.alloc(32, byte);

test("what was offered is good for coming back, whether or not its confirm arrived", () => {
  const offered = withOffer(record, secret(7));
  expect(credentialsOf(offered, 0)).toContainEqual({ by: "pairing", secret: secret(7) });
  const confirmed = withConfirmed(offered, { by: "ticket", secret: secret(1) }, secret(7));
  expect(confirmed.pairing).toEqual(secret(7));
  expect(spentOf(confirmed, 0)).toEqual([{ secret: secret(1), why: "used" }]);
});

test("two handshakes at once leave both ends with a secret that the other takes, in whatever order they end", () => {
  const both = withOffer(withOffer(record, secret(7)), secret(8));
  for (const [first, second] of [
    [7, 8],
    [8, 7],
  ] as const) {
    const listener = withPairing(withPairing(both, secret(first)), secret(second));
    for (const dialer of [7, 8])
      expect(credentialsOf(listener, 0)).toContainEqual({ by: "pairing", secret: secret(dialer) });
  }
});

test("only what was offered can become what was agreed on", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ offer: fc.boolean(), byte: fc.integer({ min: 1, max: 9 }) })), (steps) => {
      const offers = new Set<number>();
      let now = record;
      for (const { offer, byte } of steps) {
        if (offer) offers.add(byte);
        now = offer ? withOffer(now, secret(byte)) : withPairing(now, secret(byte));
      }
      const [agreed] = now.pairing;
      if (agreed !== undefined) expect(offers).toContain(agreed);
      expect(now.offered.length).toBeLessThanOrEqual(8);
      expect(readJson(endRecordCodec, JSON.parse(JSON.stringify(endRecordCodec.toJSON(now))))).toEqual(now);
    }),
  );
});

test.each([
  ["no spec", { spec: undefined }],
  ["a key that is cut off", { spec: { ...record.spec, peerKeySha256: Buffer.alloc(31) } }],
  ["a secret that is cut off", { pairing: Buffer.alloc(31) }],
  ["a ticket that is cut off", { tickets: [{ secret: Buffer.alloc(1), expireTime: new Date(0), used: false }] }],
  ["no time where there must be one", { begun: { seed: 1n, setTime: undefined } }],
])("a stored end with %s is damaged", (_what, change) => {
  expect(() => readJson(endRecordCodec, StoredEnd.toJSON({ ...record, ...change }))).toThrow();
});

test("both ways' failures are told, the direct one's cause first, with the earlier next try", () => {
  const failures = new Failures();
  failures.set("relayed", new CableFailure("relay", "the relay is busy"), 2_000);
  expect(failures.event).toMatchObject({ cause: "relay", reason: "the relay is busy", nextTryMs: 2_000 });
  failures.set("direct", new CableFailure("refused", "it was refused"), 5_000);
  expect(failures.event).toMatchObject({
    cause: "refused",
    reason: "it was refused; the relay is busy",
    nextTryMs: 2_000,
  });
});

test("a way is tried while it is wanted, at once when hurried, and given up in the middle when it is not", async () => {
  let wanted = false;
  const attempts: AbortSignal[] = [];
  const loop = new AttemptLoop({
    wanted: () => wanted,
    attempt: async (signal) => {
      attempts.push(signal);
      if (attempts.length > 1)
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      return 3_600_000;
    },
  });
  loop.reconsider();
  expect(attempts).toHaveLength(0);
  wanted = true;
  loop.reconsider();
  await eventually(() => expect(attempts).toHaveLength(1));
  loop.reconsider();
  loop.hurry();
  await eventually(() => expect(attempts).toHaveLength(2));
  wanted = false;
  loop.reconsider();
  expect(attempts[1]?.aborted).toBe(true);
  await loop.close();
  expect(attempts).toHaveLength(2);
});
