import { describe, expect, it } from "vitest";
import { describeLines } from "../../../../tui/kit/describe/describe-lines.js";
import { confirmationOf, planImpact } from "../../../../tui/kit/impact.js";
import { pluralOf } from "../../../../tui/kit/kind-table.js";
import type { Model } from "../../../../tui/kit/model.js";
import { drawTable } from "../../../../tui/kit/table/table-frame.js";
import { TableState } from "../../../../tui/kit/table/table-state.js";
import type { Line } from "../../../../tui/kit/text/segment.js";
import { makeModel } from "../program.js";
import { feedFleet } from "../steps.js";

const nowMs = 1_700_000_000_000;
const textOf = (line: Line) => line.map((segment) => segment.text).join("");

/** A program that has nothing of its own to say about any kind. */
function strange(): Model {
  const model = makeModel(nowMs, []);
  feedFleet(model, { hosts: 2, instancesPerHost: 2, nowMs });
  return model;
}

describe("a kind without a folder of its own", () => {
  it("has a table with name, host, state, labels and age", () => {
    const model = strange();
    const { header, rows } = drawTable(new TableState(model.fleet, "instance"), model.fleet, {
      width: 120,
      height: 10,
      nowMs,
    });
    expect(textOf(header)).toMatch(/NAME↑ +HOST +STATE +LABELS +AGE/);
    expect(rows.map(({ line }) => textOf(line))).toEqual(
      expect.arrayContaining([expect.stringMatching(/vm0 +alpha +● running +role=\w+ +2h00m/)]),
    );
  });

  it("can be filtered by its state, and shows the words the API has", () => {
    const model = strange();
    const table = new TableState(model.fleet, "instance");
    table.setFilter("state=stopped");
    expect(table.rows(nowMs).length).toBe(2);
    expect(model.kinds.all.map(pluralOf)).toEqual(expect.arrayContaining(["hosts", "lans", "links", "a2bs"]));
    expect(model.kinds.findByWord("vm")?.kind).toBe("instance");
  });

  it("is described with its state and as YAML", () => {
    const model = strange();
    const row = model.fleet.find("link", "links/link1");
    if (row === undefined) throw new Error("the link was just fed");
    const text = describeLines(model.kinds.get("link").describe(row, model.context), 100).map(textOf).join("\n");
    expect(text).toMatch(/state +● active/);
    expect(text).toContain("name: links/link1");
    expect(text).toContain("a: hosts/alpha/lans/lan1");
  });

  it("can be deleted where the API has a method for that, after a yes", () => {
    const { fleet, kinds } = strange();
    const lan = kinds.get("lan");
    const [action] = lan.actions;
    const row = fleet.find("lan", "hosts/alpha/lans/lan1");
    if (action === undefined || row === undefined) throw new Error("lans can be deleted");
    const impact = planImpact(fleet, lan, action, [row]);
    expect(impact.changes).toMatchObject([{ subject: "alpha/lan1" }]);
    expect(confirmationOf(impact)).toBe("y");
    expect(kinds.get("event").actions).toEqual([]);
  });

  it("asks for the delete with a whole request", async () => {
    const { fleet, kinds } = strange();
    const row = fleet.find("link", "links/link1");
    const [action] = kinds.get("link").actions;
    if (action === undefined || row === undefined) throw new Error("links can be deleted");
    const asked: unknown[] = [];
    const connection = {
      unary: async (method: { readonly path: string; requestSerialize(value: unknown): Buffer }, request: object) => {
        asked.push(method.path, request);
        expect(method.requestSerialize(request).length).toBeGreaterThan(0);
        return { operation: undefined };
      },
    };
    await action.run(row, {
      // Only this method of a connection is used.
      connection: connection as unknown as Parameters<typeof action.run>[1]["connection"],
      request: { name: row.name, requestId: "r", validateOnly: false },
      options: { signal: new AbortController().signal, timeoutMs: 1000 },
    });
    expect(asked).toEqual([
      "/zor.v1.LinkService/DeleteLink",
      expect.objectContaining({ name: "links/link1", requestId: "r" }),
    ]);
  });
});
