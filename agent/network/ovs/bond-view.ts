import type { BondMember } from "../../../proto/gen/zor/v1/lan.js";

/** How devices stand in their bonds; without the names of these. */
export type BondView = ReadonlyMap<string, Omit<BondMember, "name">>;

/** A device of a bond that has no other is a port like any: the switch says nothing of it. */
export const alone = { enabled: true, active: true, lacpStatus: "", lacpAttached: false, lacpPartner: "" } as const;

/**
 * Reads the answers to "bond/show" and "lacp/show" (ovs-vswitchd(8)): of each member a line, "member NAME: enabled" or "member: NAME: current
 * attached", and indented lines below it; pure. A bond of one member is in the second only.
 */
export function parseBonds(bonds: string, lacp: string): BondView {
  const view = new Map<string, Omit<BondMember, "name">>();
  for (const [name, state, lines] of members(bonds, /^(?:member|slave) (\S+): (.*)$/)) {
    const active = lines.some((line) => /^active (member|slave)$/.test(line));
    view.set(name, { ...alone, enabled: state === "enabled", active });
  }
  for (const [name, state, lines] of members(lacp, /^(?:member|slave): (\S+): (.*)$/)) {
    const partner = lines.flatMap((line) => /^partner sys_id: (\S+)$/.exec(line)?.[1] ?? [])[0] ?? "";
    view.set(name, {
      ...(view.get(name) ?? alone),
      lacpStatus: state.split(" ")[0] ?? "",
      lacpAttached: state.split(" ").includes("attached"),
      lacpPartner: partner === "00:00:00:00:00:00" ? "" : partner,
    });
  }
  return view;
}

/** Members with what is said of them, and the lines below. */
function members(text: string, head: RegExp): readonly (readonly [name: string, state: string, lines: string[]])[] {
  const found: [string, string, string[]][] = [];
  for (const line of text.split("\n")) {
    const [, name, state = ""] = head.exec(line) ?? [];
    if (name !== undefined) found.push([name, state, []]);
    else if (line.startsWith("----")) found.push(["", "", []]);
    else found.at(-1)?.[2].push(line.trim());
  }
  return found.filter(([name]) => name !== "");
}
