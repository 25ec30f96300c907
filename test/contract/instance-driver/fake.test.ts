import { CrunOptions } from "../../../proto/gen/zor/v1/crun.js";
import { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import { EchoDriver, echoSpec } from "../../extension/echo-driver.js";
import { FakeDriver } from "../../fakes/driver.js";
import { describeDriver } from "./contract.js";
import type { Subject } from "./subject.js";

/** A driver without guests behind it. What it runs outlives its agents, so one object is the driver of all of them. */
function subjectOf(driver: FakeDriver, options: InstanceSpec["driver"]): Subject {
  return {
    kind: driver.kind,
    missing: undefined,
    createDriver: () => driver,
    toSpec: (nics) =>
      InstanceSpec.fromPartial({
        cpus: 1,
        memoryMib: 64n,
        nics: driver.network === "own" ? [] : nics,
        driver: options,
      }),
    withImage: (spec) => spec,
    imageField: undefined,
    hasGuests: false,
    isAlive: async ({ pid }) => [...driver.guests.values()].some((guest) => guest.pid === pid),
    kill: ({ pid }) => {
      const uid = [...driver.guests].find(([, guest]) => guest.pid === pid)?.[0];
      driver.endReason = "it was ended by signal 9";
      driver.end = { kind: "signal", signal: 9 };
      if (uid !== undefined) driver.endGuest(uid);
    },
  };
}

// What stands for a driver in other tests keeps what a driver keeps.
describeDriver(subjectOf(new FakeDriver(), { $case: "crun", value: CrunOptions.fromPartial({ rootfs: "micro" }) }));

// So does one that the API knows nothing of.
describeDriver(subjectOf(new EchoDriver(), echoSpec({ greeting: "hello" })));
