import type { Lan } from "../../proto/gen/zor/v1/lan.js";

/** What joins two lans: a link, or an in-line box. */
export interface Joint {
  /** Resource name. */
  readonly name: string;
  /** Full names of the lans. */
  readonly a: string;
  readonly b: string;
}

/** The way a new joint would close to a loop. */
export interface Loop {
  /** The lans of the loop, from one side of the new joint to the other. */
  readonly lans: readonly string[];
  /** What joins each of them to the next. */
  readonly joints: readonly string[];
}

/** The shortest loop that a joint between two lans would close; undefined when it closes none. */
export function findLoop(a: string, b: string, joints: readonly Joint[]): Loop | undefined {
  const from = new Map<string, { readonly lan: string; readonly joint: string }>();
  const queue = [a];
  for (let lan = queue.shift(); lan !== undefined; lan = queue.shift()) {
    if (lan === b) return wayTo(a, b, from);
    for (const joint of joints) {
      const next = joint.a === lan ? joint.b : joint.b === lan ? joint.a : undefined;
      if (next === undefined || next === a || from.has(next)) continue;
      from.set(next, { lan, joint: joint.name });
      queue.push(next);
    }
  }
  return undefined;
}

/** Lans of a loop that would not break it: they do not run RSTP, or are not known. */
export function lansWithoutRstp(loop: Loop, find: (lan: string) => Lan | undefined): string[] {
  return loop.lans.filter((lan) => find(lan)?.spec?.rstp !== true);
}

/** A loop for people: "hosts/alpha/lans/lan1 - links/l1 - hosts/beta/lans/lan1". */
export function loopText({ lans, joints }: Loop): string {
  return lans.map((lan, index) => (index === 0 ? lan : `${joints[index - 1] ?? ""} - ${lan}`)).join(" - ");
}

function wayTo(
  a: string,
  b: string,
  from: ReadonlyMap<string, { readonly lan: string; readonly joint: string }>,
): Loop {
  const [lans, joints] = [[b], [] as string[]];
  for (let step = from.get(b); step !== undefined; step = step.lan === a ? undefined : from.get(step.lan)) {
    lans.unshift(step.lan);
    joints.unshift(step.joint);
  }
  return { lans, joints };
}
