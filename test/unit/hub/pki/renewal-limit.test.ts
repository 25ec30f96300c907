import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { RenewalLimit } from "../../../../hub/pki/renewal-limit.js";

test("an identity renews ten times at once and ten times an hour, and others are not slowed down by it", () => {
  let nowMs = 0;
  const limit = new RenewalLimit(() => nowMs);
  const take = (identity: string): unknown => {
    try {
      limit.take(identity);
      return undefined;
    } catch (error) {
      return error;
    }
  };
  const many = (count: number) => Array.from({ length: count }, () => take("zor://user/ana"));
  expect(many(10).every((error) => error === undefined)).toBe(true);
  expect(take("zor://user/ana")).toMatchObject({
    code: status.RESOURCE_EXHAUSTED,
    reason: "TOO_MANY_RENEWALS",
    message: expect.stringMatching(/zor:\/\/user\/ana .* try again in 360 s/),
  });
  expect(take("zor://user/eve")).toBeUndefined();
  nowMs += 60 * 60_000;
  expect(many(11).filter((error) => error === undefined)).toHaveLength(10);
});
