import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type EndRecord,
  endRecordSchema,
  withOffer,
  withPairing,
} from "../../../../../agent/engine/protocol/end-record.js";
import { AttemptLoop } from "../../../../../agent/engine/ends/attempt-loop.js";
import { credentialsOf, spentOf, withConfirmed } from "../../../../../agent/engine/ends/end-secrets.js";
import { CableFailure } from "../../../../../agent/engine/handshake/failure.js";
import { Failures } from "../../../../../agent/engine/ends/failures.js";
import { RateMeter } from "../../../../../lib/rate-meter.js";
import { eventually } from "../../../../helpers/eventually.js";

const record: EndRecord = {
  link: "links/demo",
  linkUid: "u1",
  lan: "lan1",
  role: "listener",
  peerAddresses: [],
  peerKeySha256: "aa".repeat(32),
  tickets: [{ secret: "01".repeat(32), expiresMs: 10_000, used: false }],
};
const secret = (byte: number): Buffer => Buffer.alloc(32, byte);

test("what was offered is good for coming back, whether or not its confirm arrived", () => {
  const offered = withOffer(record, secret(7));
  expect(credentialsOf(offered, 0)).toContainEqual({ by: "pairing", secret: secret(7) });
  const confirmed = withConfirmed(offered, { by: "ticket", secret: secret(1) }, secret(7));
  expect(confirmed.pairing).toBe("07".repeat(32));
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
      const agreed = now.pairing === undefined ? undefined : Number.parseInt(now.pairing.slice(0, 2), 16);
      if (agreed !== undefined) expect(offers).toContain(agreed);
      expect(now.offered?.length ?? 0).toBeLessThanOrEqual(8);
      expect(endRecordSchema.parse(JSON.parse(JSON.stringify(now)))).toEqual(now);
    }),
  );
});

test("the file of the first version, with one offer, is read", () => {
  expect(endRecordSchema.parse({ ...record, offered: "07".repeat(32) }).offered).toEqual(["07".repeat(32)]);
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

test("throughput is that of the last two seconds, and starts over with the counters", () => {
  const meter = new RateMeter();
  expect(meter.read()).toEqual({ txBps: 0, rxBps: 0 });
  meter.sample(0, { txBytes: 0, rxBytes: 0 });
  meter.sample(1_000, { txBytes: 1_000, rxBytes: 0 });
  meter.sample(2_000, { txBytes: 3_000, rxBytes: 500 });
  expect(meter.read()).toEqual({ txBps: 12_000, rxBps: 2_000 });
  meter.sample(3_000, { txBytes: 3_000, rxBytes: 500 });
  expect(meter.read()).toEqual({ txBps: 8_000, rxBps: 2_000 });
  meter.sample(4_000, { txBytes: 0, rxBytes: 0 });
  expect(meter.read()).toEqual({ txBps: 0, rxBps: 0 });
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
