import { expect, it } from "vitest";
import { Neighbours } from "../../../../../agent/kinds/instance/neighbours.js";
import { Nic } from "../../../../../proto/gen/zor/v1/instance.js";

it("visits no more places at once than a host can bear, and others again when some are left", async () => {
  let made = 0;
  const stop = Promise.withResolvers<never>();
  const networks = {
    prepare: () => {
      made += 1;
      return stop.promise;
    },
    release: () => Promise.resolve(),
  };
  const neighbours = new Neighbours(networks as unknown as ConstructorParameters<typeof Neighbours>[0]);
  const nics = [Nic.fromPartial({ name: "eth0", lan: "lan1" })];
  const connect = (address: string): Promise<unknown> => {
    const visit = { resource: "m1", nics, through: "", address, signal: new AbortController().signal };
    return neighbours.connect(visit, { port: 22, input: (async function* () {})() }).next();
  };
  const many = Array.from({ length: 64 }, (_, index) => connect(`10.0.0.${index + 1}`));
  await expect(connect("10.0.0.100")).rejects.toMatchObject({ reason: "TOO_MANY_NEIGHBOURS" });
  const shared = connect("10.0.0.1");
  expect(made).toBe(64);
  stop.reject(new Error("there is no lan"));
  const results = await Promise.allSettled([...many, shared]);
  expect(results.every((result) => result.status === "rejected")).toBe(true);
  await expect(connect("10.0.0.100")).rejects.toThrow("there is no lan");
});
