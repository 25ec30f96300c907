import { test } from "vitest";
import { expectNothingLeftAfter } from "./link-waves.js";

const timeout = 10 * 60_000;

test("of a thousand links that came and went no tap, thread, process, descriptor or record is left", {
  timeout,
}, async () => {
  await expectNothingLeftAfter(20);
});
