import { describe, expect, it } from "vitest";
import { HostState } from "../../../../proto/gen/zor/v1/host.js";
import type { Model } from "../../../../tui/kit/model.js";
import { TableState } from "../../../../tui/kit/table/table-state.js";
import { makeModel } from "../program.js";
import { feedFleet, upsertHost } from "../steps.js";

const nowMs = 1_700_000_000_000;

function shown(filter: string, change?: (model: Model) => void): string[] {
  const model = makeModel(nowMs);
  feedFleet(model, { hosts: 2, instancesPerHost: 4, nowMs });
  change?.(model);
  const table = new TableState(model.fleet, "instance");
  table.setFilter(filter);
  const rows = table.rows(nowMs);
  return Array.from({ length: rows.length }, (_, index) => `${rows.at(index)?.host}/${rows.at(index)?.id}`);
}

describe("a filter of instances", () => {
  it.each<readonly [string, readonly string[]]>([
    ["vm1", ["alpha/vm1", "beta/vm1"]],
    ["VM1 Alpha", ["alpha/vm1"]],
    ["state=running host=beta", ["beta/vm0", "beta/vm2"]],
    ["host!=beta !vm3 state=stopped", ["alpha/vm1"]],
    ["driver=crun", ["alpha/vm1", "beta/vm1"]],
    ["role=client", ["alpha/vm1", "beta/vm1"]],
    ["labels.role=client host=alpha", ["alpha/vm1"]],
    ["10.0.0.3", ["alpha/vm2", "beta/vm2"]],
    ["zzz=x", []],
    ["state=", []],
  ])("%j shows %j", (filter, rows) => {
    expect(shown(filter)).toEqual(rows);
  });

  it.each(["=oops", "vm0 !", "nolabel=x"])("%j is none, and leaves what is shown", (filter) => {
    expect(shown(filter)).toHaveLength(8);
  });

  it("an empty one shows everything", () => {
    expect(shown("  ")).toHaveLength(8);
  });

  it("does not take what was last known of a lost host for its state", () => {
    const loseBeta = (model: Model) => model.fleet.apply(upsertHost("beta", HostState.HOST_STATE_UNREACHABLE), nowMs);
    expect(shown("state=running", loseBeta)).toEqual(["alpha/vm0", "alpha/vm2"]);
    expect(shown("state=unreachable", loseBeta)).toHaveLength(4);
    expect(shown("last known running".replaceAll(" ", "  "), loseBeta)).toEqual(["beta/vm0", "beta/vm2"]);
  });
});
