import { expect, test } from "vitest";
import { readStep } from "../../../../hub/fleet/read-step.js";
import { WatchResponse } from "../../../../proto/gen/zor/v1/watch_service.js";

const position = { epoch: "e", revision: 12345678901n };
const value = Buffer.from([1, 2, 3, 250]);
const upsert = (bytes: Buffer) =>
  ({ $case: "upsert", value: { typeUrl: "type.googleapis.com/zor.v1.Lan", value: bytes } }) as const;
const encoded = (response: WatchResponse): Buffer => Buffer.from(WatchResponse.encode(response).finish());

test.each<[string, Buffer]>([
  ["a resource", encoded({ position, step: upsert(value) })],
  ["a resource without bytes", encoded({ position, step: upsert(Buffer.alloc(0)) })],
  ["a resource without a position", encoded({ position: undefined, step: upsert(value) })],
  ["a reset", encoded({ position, step: { $case: "reset", value: { reason: "r" } } })],
  ["a removal", encoded({ position, step: { $case: "removed", value: { kind: "lan", name: "hosts/h/lans/l" } } })],
  ["a bookmark", encoded({ position, step: { $case: "bookmark", value: { time: new Date(0) } } })],
  ["the end of a snapshot", encoded({ position, step: { $case: "snapshotEnd", value: {} } })],
  ["nothing", Buffer.alloc(0)],
  [
    "two steps, of which the last counts",
    Buffer.concat([encoded({ position, step: upsert(value) }), encoded({ position, step: upsert(Buffer.from([9])) })]),
  ],
  [
    "a step of another kind after a resource",
    Buffer.concat([
      encoded({ position, step: upsert(value) }),
      encoded({ position, step: { $case: "snapshotEnd", value: {} } }),
    ]),
  ],
  // Fields that are not known: number 15, and one inside of the resource.
  ["a field of a newer agent", Buffer.concat([encoded({ position, step: upsert(value) }), Buffer.from([0x7a, 1, 5])])],
  ["a resource with a field of a newer agent", Buffer.from([0x1a, 7, 0x12, 2, 7, 8, 0x7a, 1, 5])],
])("a step of a watch is read as its codec reads it: %s", (_what, bytes) => {
  expect(readStep(bytes)).toEqual(WatchResponse.decode(bytes));
});

test.each([[[0x1a, 200]], [[0x1a, 4, 0x12, 9, 1, 1]], [[0x0a, 2, 0x0a, 50]], [[0xff, 0xff]]])(
  "what is no step is refused: %j",
  (bytes) => {
    expect(() => readStep(Buffer.from(bytes))).toThrow();
  },
);
