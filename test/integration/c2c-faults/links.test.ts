import { test } from "vitest";
import { expectNothingLeftAfter } from "./link-waves.js";

// A thousand take minutes, most of it the kernel's, and are part of the soak.
test("of 250 links that came and went no tap, thread, process, descriptor or record is left", async () => {
  await expectNothingLeftAfter(5);
});
