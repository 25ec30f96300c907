import { expect, it } from "vitest";
import { FlowExport } from "../../../../proto/gen/zor/v1/lan_outlet.js";
import { readOutlets } from "../../../../tui/kinds/lan/outlet-flags.js";

const before = {
  controller: { targets: ["tcp:10.0.0.9:6653"], failMode: 2, probeSeconds: 3 },
  flowExport: FlowExport.fromPartial({ sflow: { collectors: ["10.0.0.9:6343"], sampling: 64 }, observationDomain: 7 }),
};

it("reads whom a lan tells and who decides, upon what there was", () => {
  expect(readOutlets({}, before)).toEqual({});
  expect(readOutlets({ controllerProbe: "9" }, before)).toEqual({
    controller: { ...before.controller, probeSeconds: 9 },
  });
  expect(readOutlets({ controller: ["unix:/run/c"], failMode: "standalone" }, before).controller).toEqual({
    targets: ["unix:/run/c"],
    failMode: 1,
    probeSeconds: 3,
  });
  expect(readOutlets({ netflow: "to=10.0.0.8:2055,to=10.0.0.9:2055,active=60" }, before).flowExport).toEqual({
    ...before.flowExport,
    netflow: { collectors: ["10.0.0.8:2055", "10.0.0.9:2055"], activeTimeoutSeconds: 60 },
  });
  expect(readOutlets({ ipfix: "to=10.0.0.9:4739,sampling=8,active=5,max-flows=9" }, undefined).flowExport).toEqual(
    FlowExport.fromPartial({
      ipfix: { collectors: ["10.0.0.9:4739"], sampling: 8, activeTimeoutSeconds: 5, maxFlows: 9 },
    }),
  );
});

it("takes the last away without a rest", () => {
  expect(readOutlets({ sflow: false }, before)).toEqual({ flowExport: undefined });
  expect(readOutlets({ controller: false }, before)).toEqual({ controller: undefined });
});

it.each([
  [{ failMode: "secure" }, undefined, "--fail-mode"],
  [{ failMode: "closed" }, before, "is not standalone or secure"],
  [{ controller: false, failMode: "secure" }, before, "--no-controller"],
  [{ sflow: "sampling=4" }, undefined, "needs to=IP:PORT"],
  [{ sflow: "to=10.0.0.9:1,size=4" }, undefined, "the keys are to, sampling, polling, header, agent"],
  [{ netflow: "to=10.0.0.9:1,active=0" }, undefined, "is not a whole number"],
  [{ observationDomain: "4" }, undefined, "--observation-domain"],
])("refuses %j", (values, had, why) => {
  expect(() => readOutlets(values, had)).toThrow(why);
});
