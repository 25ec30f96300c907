import { testEthertype } from "../../../lib/net/test-frame.js";

/**
 * The tables that a frame passes through in a lan that has flows. A part puts its flows into its own tables and hands on what it lets
 * through by goto_table to the next; what matches none of its flows is handed on by the keeper's. A lan in which no part has any flow is
 * what a new bridge is: one flow, NORMAL.
 */
export const flowTables = {
  /** Guards and limits of ports, by in_port: part "port". */
  guards: 0,
  /** What NICs may send, by in_port, and conntrack: part "acl". */
  fromNics: 10,
  /** What NICs may get, by dl_dst: part "acl". */
  toNics: 20,
  /** Flows of the lan's specification, the last before NORMAL: part "lan". */
  lan: 30,
} as const;

/** Who has flows in lans. */
export type FlowPart = "port" | "acl" | "lan" | "rspan";

/** What is a part's own in each bridge. */
export interface PartRange {
  /** The upper 16 bits of the cookies of its flows, by which they are known. */
  readonly cookie: number;
  /** Its tables. */
  readonly tables: readonly number[];
  /** The ids of its meters, from and to. */
  readonly meters: readonly [first: number, last: number];
}

/** The upper 8 bits of every cookie of ours. */
export const ourCookies = "cookie=0x5a00000000000000/0xff00000000000000";

/** What belongs to whom. */
export const partRanges: Readonly<Record<FlowPart, PartRange>> = {
  port: { cookie: 0x5a01, tables: [flowTables.guards, 1, 2, 3, 4, 5, 6, 7, 8, 9], meters: [1, 19_999] },
  acl: { cookie: 0x5a02, tables: [flowTables.fromNics, flowTables.toNics], meters: [20_000, 39_999] },
  lan: { cookie: 0x5a03, tables: [flowTables.lan], meters: [40_000, 59_999] },
  // Copies of frames pass all tables by; it has no meters.
  rspan: { cookie: 0x5a08, tables: [flowTables.guards], meters: [0, 0] },
};

/** The upper 16 bits of the cookies of what joins the tables. */
export const glueCookie = 0x5a0f;
/** All ids of meters that are ours. */
export const ourMeters = [1, 59_999] as const;

/**
 * What joins the tables. In table 0 it comes before the flow that a bridge has by itself (priority 0), which stays as it is.
 * The agent's own test frames pass whatever the parts say: they come from devices that no guest has, and prove that the switch forwards.
 */
export function glueFlows(testPort: number | undefined): readonly string[] {
  const { guards, fromNics, toNics, lan } = flowTables;
  const testers = ["LOCAL", ...(testPort === undefined ? [] : [String(testPort)])];
  return [
    ...testers.map((port) => `table=${guards},priority=65535,in_port=${port},dl_type=${testEthertype},actions=NORMAL`),
    `table=${guards},priority=1,actions=goto_table:${fromNics}`,
    `table=${fromNics},priority=0,actions=goto_table:${toNics}`,
    `table=${toNics},priority=0,actions=goto_table:${lan}`,
    `table=${lan},priority=0,actions=NORMAL`,
  ];
}
