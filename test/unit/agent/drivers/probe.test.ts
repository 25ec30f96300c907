import { describe, expect, it } from "vitest";
import { probeDriver } from "../../../../agent/drivers/probe.js";
import { missing, present } from "../../../../agent/host/capability.js";
import { FakeDriver } from "../../../fakes/driver.js";

const options = { signal: new AbortController().signal };
const { pause, console: screen } = new FakeDriver().can;

describe("the fingerprint of a driver", () => {
  it("says what its instances can be asked for, as the driver declares it", async () => {
    const fingerprint = async () => [present("driver.x", "1"), missing("driver.x.fast", "too slow")];
    const capabilities = await probeDriver({ kind: "x", can: { pause, console: screen }, fingerprint }, options);
    expect(capabilities.map(({ id, available }) => [id, available])).toEqual([
      ["driver.x", true],
      ["driver.x.fast", false],
      ["driver.x.pause", true],
      ["driver.x.console", true],
    ]);
  });

  it("says why nothing can be asked for where the driver is not usable", async () => {
    const fingerprint = async () => [missing("driver.x", "it is not installed")];
    const capabilities = await probeDriver({ kind: "x", can: { pause }, fingerprint }, options);
    expect(capabilities).toContainEqual(missing("driver.x.pause", "it is not installed"));
  });
});
