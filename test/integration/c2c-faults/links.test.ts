import { test } from "vitest";
import { expectNothingLeftAfter } from "./link-waves.js";

test("of a thousand links that came and went no tap, thread, process, descriptor or record is left", async () => {
  await expectNothingLeftAfter(20);
});
