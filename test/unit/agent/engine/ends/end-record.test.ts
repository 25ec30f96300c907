import { describe, expect, test } from "vitest";
import { applySpec, freshTickets, withUsedTicket } from "../../../../../agent/engine/ends/end-record.js";
import { EndSpec } from "../../../../../proto/gen/zor/agent/v1/cable_service.js";
import { ImpairmentStep } from "../../../../../proto/gen/zor/v1/impairment.js";
import { endSpec } from "../../../../helpers/engine-words.js";

describe("an end's record", () => {
  const spec = endSpec({
    link: "links/demo",
    linkUid: "u1",
    lan: "lan1",
    role: "listener",
    peerAddresses: [],
    peerKeySha256: "aa".repeat(32),
    ticket: "01".repeat(32),
    ticketTtlSeconds: 10,
  });
  const withoutTicket = { ...spec, ticket: Buffer.alloc(0) };

  test("takes a ticket until it expires", () => {
    const record = applySpec(spec, undefined, 1_000);
    expect(freshTickets(record, 1_000)).toEqual([Buffer.alloc(32, 1)]);
    expect(freshTickets(record, 11_000)).toEqual([]);
  });

  test("takes no ticket twice, however often it is asked", () => {
    const used = withUsedTicket(applySpec(spec, undefined, 1_000), Buffer.alloc(32, 1));
    expect(freshTickets(applySpec(spec, used, 2_000), 2_000)).toEqual([]);
  });

  test("keeps what was agreed when the hub asks again", () => {
    const paired = { ...applySpec(spec, undefined, 0), pairing: Buffer.alloc(32, 0xbb) };
    expect(applySpec({ ...withoutTicket, lan: "lan2" }, paired, 0)).toEqual({
      ...paired,
      spec: { ...paired.spec, lan: "lan2" },
    });
  });

  test("forgets what was agreed when the peer is another", () => {
    const paired = { ...applySpec(spec, undefined, 0), pairing: Buffer.alloc(32, 0xbb) };
    const moved = applySpec({ ...withoutTicket, peerKeySha256: Buffer.alloc(32, 0xcc) }, paired, 0);
    expect(moved.pairing).toHaveLength(0);
    expect(moved.tickets).toEqual([]);
  });

  test("remembers a bounded number of tickets", () => {
    let record = applySpec(spec, undefined, 0);
    for (let index = 2; index < 40; index += 1) {
      record = applySpec({ ...spec, ticket: Buffer.alloc(32, index) }, record, 0);
    }
    expect(record.tickets.length).toBeLessThanOrEqual(16);
    expect(freshTickets(record, 0)[0]).toEqual(Buffer.alloc(32, 39));
  });
});

describe("what an end does to the frames it sends", () => {
  const impaired = (lossRatio: number, seed = 0n): EndSpec =>
    EndSpec.fromPartial({ link: "links/demo", linkUid: "u1", lan: "lan1", impairment: { lossRatio }, seed });

  test("goes on when the same is asked for again, with the seed that was picked", () => {
    const first = applySpec(impaired(0.5), undefined, 1_000);
    expect(first.begun?.seed).not.toBe(0n);
    expect(applySpec(impaired(0.5), first, 9_000).begun).toBe(first.begun);
  });

  test.each<[string, EndSpec]>([
    ["another impairment", impaired(0.25)],
    ["another seed", impaired(0.5, 7n)],
    ["a schedule", { ...impaired(0.5), schedule: [ImpairmentStep.fromPartial({ duration: { seconds: 1n } })] }],
  ])("begins anew with %s", (_what, spec) => {
    const again = applySpec(spec, applySpec(impaired(0.5), undefined, 1_000), 9_000);
    expect(again.begun?.setTime).toEqual(new Date(9_000));
  });

  test("is nothing once nothing is asked for", () => {
    const first = applySpec(impaired(0.5), undefined, 1_000);
    expect(applySpec({ ...first.spec, impairment: undefined }, first, 2_000).begun).toBeUndefined();
  });
});
