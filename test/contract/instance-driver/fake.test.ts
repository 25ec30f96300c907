import { CrunOptions } from "../../../proto/gen/zor/v1/instance.js";
import { FakeDriver } from "../../fakes/driver.js";
import { describeDriver } from "./contract.js";
import type { Subject } from "./subject.js";

// What it runs outlives its agents, so one object is the driver of all of them.
const driver = new FakeDriver();

/** What stands for a driver in other tests keeps what a driver keeps. */
const fakeSubject: Subject = {
  kind: driver.kind,
  missing: undefined,
  createDriver: () => driver,
  toSpec: (nics) => ({
    cpus: 1,
    memoryMib: 64n,
    nics,
    driver: { $case: "crun", value: CrunOptions.fromPartial({ rootfs: "micro" }) },
  }),
  withImage: (spec) => spec,
  imageField: undefined,
  hasGuests: false,
  isAlive: async ({ pid }) => [...driver.guests.values()].some((guest) => guest.pid === pid),
  kill: ({ pid }) => {
    const uid = [...driver.guests].find(([, guest]) => guest.pid === pid)?.[0];
    driver.endReason = "it was ended by signal 9";
    if (uid !== undefined) driver.endGuest(uid);
  },
};

describeDriver(fakeSubject);
